//! The extensions that a client knows, on their way to servers that hear of its capabilities from the hub.

use alloc::string::String;
use alloc::sync::Arc;

use super::tasks::without_tasks;
use crate::rpc::Members;

/// The `extensions` of a client's capabilities: raw JSON, as it came. Without tasks, which do not cross eras.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(Option<Arc<str>>);

impl Extensions {
    /// Reads them from a client's `capabilities`; what is no object is not there.
    pub fn parse(capabilities: &str) -> Self {
        let without = without_tasks(capabilities.as_bytes());
        let capabilities = without.as_deref().unwrap_or(capabilities.as_bytes());
        let members = Members::read(capabilities).map_or_else(alloc::vec::Vec::new, |members| members.0);
        let own = members.into_iter().find(|(name, _)| name == "extensions").map(|(_, raw)| raw.get());
        let there = |raw: &&str| Members::read(raw.as_bytes()).is_some_and(|members| !members.0.is_empty());
        Self(own.filter(there).map(Arc::from))
    }

    /// The same capabilities, an object that has none, with these extensions.
    pub fn added_to(&self, mut capabilities: String) -> String {
        if let Some(raw) = &self.0 {
            capabilities.pop();
            let comma = if capabilities.len() > 1 { "," } else { "" };
            capabilities.extend([comma, "\"extensions\":", &**raw, "}"]);
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
        for nothing in ["{}", "[]", "7", only, r#"{"extensions":{}}"#, r#"{"extensions":[1]}"#] {
            assert_eq!(said(nothing, r#"{"roots":{}}"#), r#"{"roots":{}}"#, "{nothing}");
        }
    }
}
