//! The one table of methods by protocol revision.
//!
//! Which message a revision has, who may send it, and what the hub does with it: nowhere else does the code ask
//! for a revision in order to decide this.

use super::Revision;
use Revision::{V2024_11_05 as FIRST, V2025_11_25 as LEGACY, V2026_07_28 as MODERN};

/// A method that a client sends to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `completion/complete`.
    Complete,
    /// `notifications/cancelled`.
    Cancelled,
    /// `server/discover`.
    Discover,
    /// `initialize`.
    Initialize,
    /// `notifications/initialized`.
    Initialized,
    /// `logging/setLevel`.
    SetLevel,
    /// `ping`.
    Ping,
    /// `notifications/progress`.
    Progress,
    /// `prompts/get`.
    PromptsGet,
    /// `prompts/list`.
    PromptsList,
    /// `resources/list`.
    ResourcesList,
    /// `resources/read`.
    ResourcesRead,
    /// `resources/subscribe`.
    ResourcesSubscribe,
    /// `resources/unsubscribe`.
    ResourcesUnsubscribe,
    /// `notifications/roots/list_changed`.
    RootsChanged,
    /// `subscriptions/listen`.
    Listen,
    /// Requests about tasks.
    Tasks(TaskMethod),
    /// `resources/templates/list`.
    TemplatesList,
    /// `tools/call`.
    ToolsCall,
    /// `tools/list`.
    ToolsList,
}

/// What is asked about tasks, in the core of 2025-11-25 and in the extension of 2026-07-28.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskMethod {
    /// `tasks/cancel`.
    Cancel,
    /// `tasks/get`.
    Get,
    /// `tasks/list`.
    List,
    /// `tasks/result`.
    Result,
    /// `tasks/update`.
    Update,
}

/// The lists that a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListKind {
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `tools/list`.
    Tools,
}

/// What the hub does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Sent to the server that `params.name` names, as a prompt.
    ByPrompt,
    /// Sent to the server that `params.ref` names.
    ByReference,
    /// Sent to the server that `params.name` names, as a tool.
    ByTool,
    /// Sent to the server that has the resource `params.uri`.
    ByUri,
    /// Answered from the catalogue.
    List(ListKind),
    /// Answered by the hub itself.
    Own,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The method.
    pub method: Method,
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it wants an answer.
    pub request: bool,
    /// The first revision that has it.
    pub since: Revision,
    /// The last revision that has it.
    pub until: Revision,
    /// What the hub does with it.
    pub route: Route,
}

const fn row(method: Method, name: &'static str, since: Revision, until: Revision, route: Route) -> Row {
    Row { method, name, request: true, since, until, route }
}

const fn note(method: Method, name: &'static str, until: Revision) -> Row {
    Row { method, name, request: false, since: FIRST, until, route: Route::Own }
}

/// Every method that a client may send, with the revisions that have it.
pub static TABLE: [Row; 24] = [
    row(Method::ToolsCall, "tools/call", FIRST, MODERN, Route::ByTool),
    row(Method::ToolsList, "tools/list", FIRST, MODERN, Route::List(ListKind::Tools)),
    row(Method::PromptsGet, "prompts/get", FIRST, MODERN, Route::ByPrompt),
    row(Method::PromptsList, "prompts/list", FIRST, MODERN, Route::List(ListKind::Prompts)),
    row(Method::ResourcesRead, "resources/read", FIRST, MODERN, Route::ByUri),
    row(Method::ResourcesList, "resources/list", FIRST, MODERN, Route::List(ListKind::Resources)),
    row(Method::TemplatesList, "resources/templates/list", FIRST, MODERN, Route::List(ListKind::Templates)),
    row(Method::Complete, "completion/complete", FIRST, MODERN, Route::ByReference),
    row(Method::Initialize, "initialize", FIRST, LEGACY, Route::Own),
    row(Method::Ping, "ping", FIRST, LEGACY, Route::Own),
    row(Method::SetLevel, "logging/setLevel", FIRST, LEGACY, Route::Own),
    row(Method::ResourcesSubscribe, "resources/subscribe", FIRST, LEGACY, Route::Own),
    row(Method::ResourcesUnsubscribe, "resources/unsubscribe", FIRST, LEGACY, Route::Own),
    row(Method::Discover, "server/discover", MODERN, MODERN, Route::Own),
    row(Method::Listen, "subscriptions/listen", MODERN, MODERN, Route::Own),
    row(Method::Tasks(TaskMethod::Get), "tasks/get", LEGACY, MODERN, Route::Own),
    row(Method::Tasks(TaskMethod::Cancel), "tasks/cancel", LEGACY, MODERN, Route::Own),
    row(Method::Tasks(TaskMethod::List), "tasks/list", LEGACY, LEGACY, Route::Own),
    row(Method::Tasks(TaskMethod::Result), "tasks/result", LEGACY, LEGACY, Route::Own),
    row(Method::Tasks(TaskMethod::Update), "tasks/update", MODERN, MODERN, Route::Own),
    note(Method::Initialized, "notifications/initialized", LEGACY),
    note(Method::RootsChanged, "notifications/roots/list_changed", LEGACY),
    note(Method::Cancelled, "notifications/cancelled", MODERN),
    note(Method::Progress, "notifications/progress", MODERN),
];

impl Row {
    /// The row of a method in a revision, or `None` when that revision does not have it.
    pub fn find(name: &str, revision: Revision) -> Option<&'static Self> {
        TABLE.iter().find(|row| row.name == name && row.since <= revision && revision <= row.until)
    }

    /// Whether a server may answer that it needs more input (2026-07-28, multi round-trip requests).
    pub fn may_demand_input(&self) -> bool {
        match self.route {
            Route::ByPrompt | Route::ByTool | Route::ByUri => true,
            Route::ByReference | Route::List(_) | Route::Own => false,
        }
    }

    /// Whether a client of the stateless era can be asked for input in the answer to a request of this name.
    pub fn takes_demands(name: &str) -> bool {
        Self::find(name, MODERN).is_some_and(Self::may_demand_input)
    }

    /// Whether some revision has a method of this name.
    pub fn is_known(name: &str) -> bool {
        TABLE.iter().any(|row| row.name == name)
    }
}

impl Method {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.method == self).map_or("", |row| row.name)
    }
}

impl ListKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The method that lists.
    pub fn method(self) -> &'static str {
        match self {
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Tools => "tools/list",
        }
    }

    /// The member of the result that holds the entries.
    pub fn member(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Tools => "tools",
        }
    }

    /// The server capability without which the list does not exist.
    pub fn capability(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Resources | Self::Templates => "resources",
            Self::Tools => "tools",
        }
    }

    /// The notification that says that the list has changed.
    pub fn changed(self) -> &'static str {
        match self {
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources | Self::Templates => "notifications/resources/list_changed",
            Self::Tools => "notifications/tools/list_changed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stateless_revision_has_no_handshake_and_no_ping() {
        for name in
            ["initialize", "ping", "logging/setLevel", "resources/subscribe", "notifications/initialized"]
        {
            assert!(Row::find(name, Revision::V2026_07_28).is_none(), "{name}");
            assert!(Row::find(name, Revision::V2025_11_25).is_some(), "{name}");
        }
    }

    #[test]
    fn tasks_are_of_the_newest_handshake_and_of_the_extension_each_with_methods_of_its_own() {
        for (name, core, extension) in [
            ("tasks/get", true, true),
            ("tasks/cancel", true, true),
            ("tasks/list", true, false),
            ("tasks/result", true, false),
            ("tasks/update", false, true),
        ] {
            assert_eq!(Row::find(name, Revision::V2025_11_25).is_some(), core, "{name}");
            assert_eq!(Row::find(name, Revision::V2026_07_28).is_some(), extension, "{name}");
            assert!(Row::find(name, Revision::V2025_06_18).is_none(), "{name}");
        }
    }

    #[test]
    fn discover_and_listen_are_the_stateless_revision_s_own() {
        for name in ["server/discover", "subscriptions/listen"] {
            assert!(Row::find(name, Revision::V2025_11_25).is_none(), "{name}");
            assert!(Row::find(name, Revision::V2026_07_28).is_some(), "{name}");
        }
    }
}
