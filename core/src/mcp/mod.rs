//! MCP's own vocabulary: revisions, methods, headers, and what revisions add to results.

mod asking;
mod headers;
mod method;
mod mirror;
mod result;
mod revision;

pub use asking::{Abilities, Asking};
pub use headers::{check_headers, decode_header, encode_header, header_name, is_envelope_key};
pub use method::{ListKind, Method, Route, Row, TABLE};
pub use mirror::{BadMirror, Mirror, check_mirrored, mirrored, mirrors};
pub use result::{Lifetime, complete, plain};
pub use revision::Revision;
