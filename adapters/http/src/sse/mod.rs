//! Server-sent events: a response body made of them. How they are read and written is the core's.

mod stream;

pub use orch_core::sse::{COMMENT, Overlong, Parsed, Parser, write_event};
pub(crate) use stream::{Events, Piece, piece};
