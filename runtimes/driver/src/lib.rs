//! Shards, the clock, the entropy and the one effect interpreter.
