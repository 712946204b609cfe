//! Tasks: two things of one name. The core of 2025-11-25 has them, and an extension of 2026-07-28 has others; neither side
//! of one understands the other (SEP-2663).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use serde::Deserialize;

use super::Revision;
use crate::rpc::{Envelope, Field, Members};

/// The name of the extension among `capabilities.extensions`.
pub const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Whether a request is about tasks, of either kind.
pub fn is_of_tasks(method: &str) -> bool {
    method.starts_with("tasks/")
}

/// Whether a request is answered when a task ends (2025-11-25, tasks).
pub fn waits_for_task(method: &str) -> bool {
    method == "tasks/result"
}

/// Whether a request wants to be answered with a task. Only 2025-11-25 has clients that ask for it.
pub fn asks_for_task(revision: Revision, body: &Envelope) -> bool {
    revision == Revision::V2025_11_25 && body.has(Field::Task)
}

/// What is wrong with such a wish, if anything is (2025-11-25, tasks, creating tasks).
pub fn wrong_wish(body: &Envelope) -> Option<&'static str> {
    let Some(wish) = Members::read(body.raw(Field::Task)?) else { return Some("task is to be an object") };
    let ttl = wish.0.iter().find(|(name, _)| name == "ttl").map(|(_, ttl)| ttl.get());
    let is_time = |ttl: &str| ttl == "null" || ttl.parse::<f64>().is_ok_and(|ms| ms >= 0.0);
    (!ttl.is_none_or(is_time)).then_some("task.ttl is to be a number of milliseconds")
}

/// The task that a message is because of (2025-11-25, tasks, related-task metadata).
pub fn related_task(message: &Envelope) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Related<'a> {
        #[serde(borrow)]
        task_id: Cow<'a, str>,
    }
    let meta = Members::read(message.raw(Field::Meta)?)?;
    let (_, related) = meta.0.into_iter().find(|(name, _)| name == "io.modelcontextprotocol/related-task")?;
    Some(serde_json::from_str::<Related<'_>>(related.get()).ok()?.task_id)
}

/// `params` without the wish that a task comes of it: who does not declare tasks for a kind of request does not see it there
/// (2025-11-25, tasks, capability negotiation).
pub fn without_wish(params: Vec<u8>) -> Vec<u8> {
    Members::read(&params).map(|members| members.without(|name| name == "task")).unwrap_or(params)
}

/// The task that a request of the extension is about: what `Mcp-Name` says of it.
pub fn named_task<'a>(method: &str, body: &'a Envelope) -> Option<Cow<'a, str>> {
    matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel")
        .then(|| body.text(Field::TaskId))
        .flatten()
}

/// Whether the client of a request of 2026-07-28 says that it knows the extension.
pub fn knows_tasks(body: &Envelope) -> bool {
    body.raw(Field::MetaCapabilities).and_then(without_tasks).is_some()
}

/// A client's capabilities without the extension, if they have it.
pub fn without_tasks(capabilities: &[u8]) -> Option<Vec<u8>> {
    let members = Members::read(capabilities)?;
    let (_, extensions) = members.0.iter().find(|(name, _)| name == "extensions")?;
    let extensions = Members::read(extensions.get().as_bytes())?;
    if !extensions.0.iter().any(|(name, _)| name == TASKS_EXTENSION) {
        return None;
    }
    let kept = extensions.without(|name| name == TASKS_EXTENSION);
    let others = members.without(|name| name == "extensions");
    let comma = if others == b"{}" { "" } else { "," };
    let rest = others.strip_prefix(b"{").unwrap_or(b"}");
    Some([b"{\"extensions\":", &*kept, comma.as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn a_client_s_capabilities_lose_the_extension_and_nothing_else() {
        let without = |raw: &str| without_tasks(raw.as_bytes()).map(|raw| String::from_utf8(raw).unwrap());
        for (raw, expected) in [
            (r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#, r#"{"extensions":{}}"#),
            (
                r#"{"roots":{},"extensions":{"x/y":[1e400],"io.modelcontextprotocol/tasks":{}},"z":1}"#,
                r#"{"extensions":{"x/y":[1e400]},"roots":{},"z":1}"#,
            ),
        ] {
            assert_eq!(without(raw).as_deref(), Some(expected));
        }
        for raw in ["{}", r#"{"extensions":7}"#, r#"{"extensions":{"x/y":{}}}"#, "[]"] {
            assert_eq!(without(raw), None, "{raw}");
        }
    }
}
