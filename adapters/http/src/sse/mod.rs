//! Server-sent events as WHATWG HTML defines them: writing, reading, and a response body made of them.

mod parse;
mod stream;
mod write;

pub use parse::{Overlong, Parsed, Parser};
pub(crate) use stream::Events;
pub use write::{COMMENT, write_event};
