//! What a client can do that the hub does not act on, on its way to servers that hear of its capabilities from the hub.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::tasks::without_tasks;
use crate::rpc::Members;

/// What the hub says for all clients that share a process. UIs of tools harm nobody who does not show them, and a server may have
/// them for those alone who say that they do (MCP Apps).
const OF_ALL: &str =
    r#""extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}"#;

/// What a client's capabilities hold beside those that the hub acts on, `experimental` and `extensions` among it: raw JSON, as it came.
/// Without tasks, which do not cross eras.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(Option<Arc<str>>);

impl Extensions {
    /// Reads them from a client's `capabilities`; of those that every revision knows, what is no object is not there.
    pub fn parse(capabilities: &str) -> Self {
        let without = without_tasks(capabilities.as_bytes());
        let capabilities = without.as_deref().unwrap_or(capabilities.as_bytes());
        let there = |raw: &str| Members::read(raw.as_bytes()).is_some_and(|members| !members.0.is_empty());
        let carried = |name: &str, raw: &str| match name {
            "elicitation" | "roots" | "sampling" | "tasks" => false,
            "experimental" | "extensions" => there(raw),
            _ => true,
        };
        let said = Members::read(capabilities).map_or_else(Vec::new, |members| {
            members.with(|name, raw| carried(name, raw).then_some(Cow::Borrowed(raw)))
        });
        let inside =
            said.get(1..said.len().saturating_sub(1)).and_then(|inside| core::str::from_utf8(inside).ok());
        Self(inside.filter(|inside| !inside.is_empty()).map(Into::into))
    }

    /// Those that the hub says where many clients share a process, and in requests of its own.
    pub fn of_all() -> Self {
        Self(Some(OF_ALL.into()))
    }

    /// The same capabilities, an object that has none, with these.
    pub fn added_to(&self, mut capabilities: String) -> String {
        if let Some(raw) = &self.0 {
            capabilities.pop();
            let comma = if capabilities.len() > 1 { "," } else { "" };
            capabilities.extend([comma, &**raw, "}"]);
        }
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_said_as_they_came_without_tasks() {
        let said = |capabilities: &str, to: &str| Extensions::parse(capabilities).added_to(to.into());
        let ui = r#"{"roots":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["\u0061",1e400]}}}"#;
        let own = r#""extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["\u0061",1e400]}}"#;
        assert_eq!(said(ui, "{}"), alloc::format!("{{{own}}}"));
        assert_eq!(said(ui, r#"{"sampling":{}}"#), alloc::format!(r#"{{"sampling":{{}},{own}}}"#));
        let tasks = r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}}}"#;
        assert_eq!(said(tasks, "{}"), r#"{"extensions":{"x/y":{}}}"#);
        let only = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        let both = r#"{"extensions":{"x/y":{}},"roots":{},"experimental":{"e":[1e400]}}"#;
        assert_eq!(said(both, "{}"), r#"{"extensions":{"x/y":{}},"experimental":{"e":[1e400]}}"#);
        let new = r#"{"new\u0022":[1e400],"sampling":{"tools":{}},"elicitation":{},"tasks":{"list":{}}}"#;
        assert_eq!(said(new, r#"{"sampling":{}}"#), r#"{"sampling":{},"new\u0022":[1e400]}"#);
        let own = r#"{"experimental":{"e":{}},"extensions":7}"#;
        assert_eq!(said(own, "{}"), r#"{"experimental":{"e":{}}}"#);
        for nothing in ["{}", "[]", "7", only, r#"{"extensions":{}}"#, r#"{"extensions":[1]}"#] {
            assert_eq!(said(nothing, r#"{"roots":{}}"#), r#"{"roots":{}}"#, "{nothing}");
        }
    }
}
