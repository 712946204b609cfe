//! Server-sent events as WHATWG HTML defines them: bytes to events, events to bytes. Whoever has a socket reads and
//! writes them with this.

mod parse;
mod write;

pub use parse::{Overlong, Parsed, Parser};
pub use write::{COMMENT, Written, write_event, written};
