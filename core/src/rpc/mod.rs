//! JSON-RPC 2.0 as bytes: one validating pass, borrowed envelopes, and splicing.

pub mod write;
