//! MCP's own vocabulary: revisions, methods, headers, and what revisions add to results.

mod asking;
mod extensions;
mod headers;
mod hints;
mod links;
mod method;
mod mirror;
mod result;
mod revision;
pub(crate) mod shape;
mod structured;
mod tasks;

pub use asking::{Abilities, Asking};
pub use extensions::Extensions;
pub use headers::{
    check_headers, check_meta, check_notice, decode_header, encode_header, header_name, is_envelope_key,
};
pub use hints::is_idempotent;
pub use links::{Link, links, may_link, relinked, ui_links};
pub use method::{ListKind, Method, Route, Row, TABLE, TaskMethod};
pub(crate) use mirror::without_mirrors;
pub use mirror::{BadMirror, Mirror, check_mirrored, mirrored, mirrors};
pub use result::{Lifetime, complete, plain};
pub use revision::Revision;
pub use structured::plain_tool;
pub use tasks::{
    TASKS_EXTENSION, asks_for_task, is_of_tasks, knows_tasks, named_task, related_task, waits_for_task,
    without_tasks, without_wish, wrong_wish,
};
