//! JSON-RPC 2.0 as bytes: one validating pass, envelopes that keep their bytes, and splicing.
//!
//! A message is read once. What is forwarded is what was validated, byte for byte, but for the few values that
//! the hub owns: ids, progress tokens, names and cursors.

mod batch;
mod canonical;
mod chunks;
mod envelope;
mod field;
mod members;
mod number;
mod salvage;
mod scan;
mod string;
mod thin;
pub mod write;

pub use batch::{Body, Unread, heard, split};
pub use canonical::canonical;
pub use envelope::{Envelope, Message, Sender};
pub use field::{Field, Fields, Span};
pub use members::Members;
pub(crate) use number::is_whole;
pub use number::number_of;
pub use salvage::{answered_id, asked_id, replied_id};
pub use scan::{JsonLimits, scan};
pub use string::decode_string;
pub(crate) use thin::without_deep;

#[cfg(test)]
mod properties;
