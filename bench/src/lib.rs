//! Micro-benchmarks of the hot path and a load generator that checks every answer.
