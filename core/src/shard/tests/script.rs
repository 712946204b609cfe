//! What a fake server does by itself: how it opens, what it answers to a handshake, and what it lists.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::world::read;
use crate::mcp::ListKind;
use crate::rpc::{Field, Message};

/// What a server says when it is asked whether it speaks the stateless era.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Discovery {
    /// It has never heard of it.
    Unknown,
    /// It does.
    Speaks,
    /// Nothing.
    Silent,
}

/// What a server says to `initialize`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hello {
    Agrees,
    Refuses,
    Silent,
}

/// A server.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent habits")]
pub(super) struct Script {
    pub opens: bool,
    /// Whether its process ends when it is told to.
    pub ends: bool,
    pub discovery: Discovery,
    pub hello: Hello,
    /// Whether it opens the stream of news by itself.
    pub news: bool,
    pub lists: bool,
    /// A list to which it answers nothing.
    pub silent: Option<ListKind>,
    /// What it answers in the place of a list.
    pub instead: Option<(ListKind, &'static str)>,
    pub capabilities: String,
    pub tools: Vec<String>,
    /// Members that each tool has beside its name.
    pub tool_members: &'static str,
    pub prompts: Vec<String>,
    pub resources: Vec<String>,
    pub templates: Vec<String>,
    /// Entries of one page.
    pub page: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            opens: true,
            ends: true,
            discovery: Discovery::Unknown,
            hello: Hello::Agrees,
            news: true,
            lists: true,
            silent: None,
            instead: None,
            capabilities: r#"{"tools":{"listChanged":true}}"#.to_owned(),
            tools: named(&["echo"]),
            tool_members: "",
            prompts: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            page: 100,
        }
    }
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl Script {
    /// A server with these tools and no others.
    pub(super) fn tools(names: &[&str]) -> Self {
        Self { tools: named(names), ..Self::default() }
    }

    /// A server with something of everything.
    pub(super) fn full(resources: &[&str], templates: &[&str]) -> Self {
        Self {
            capabilities: r#"{"tools":{},"prompts":{},"resources":{},"completions":{},"logging":{}}"#.into(),
            prompts: named(&["greet"]),
            resources: named(resources),
            templates: named(templates),
            ..Self::default()
        }
    }

    /// A server of the stateless era alone.
    pub(super) fn modern() -> Self {
        Self { discovery: Discovery::Speaks, hello: Hello::Refuses, ..Self::full(&["test://a"], &[]) }
    }

    /// A server that never opens.
    pub(super) fn stuck() -> Self {
        Self { opens: false, ..Self::default() }
    }

    /// A server that opens and says nothing.
    pub(super) fn silent() -> Self {
        Self { hello: Hello::Silent, ..Self::default() }
    }

    /// What it answers to a message; nothing to what the test itself is to answer.
    pub(super) fn answers(&self, frame: &str) -> Vec<String> {
        let frame = read(frame);
        let Message::Request { id, method } = frame.message() else { return Vec::new() };
        if method == "initialize" {
            return self.greeting(id).into_iter().collect();
        }
        if method == "subscriptions/listen" && self.news {
            return Vec::from([
                r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"}"#.to_owned()
            ]);
        }
        if method == "server/discover" {
            return self.discovered(id).into_iter().collect();
        }
        let kind = ListKind::ALL.into_iter().find(|kind| kind.method() == method);
        let Some(kind) = kind.filter(|kind| self.lists && self.silent != Some(*kind)) else {
            return Vec::new();
        };
        if let Some((_, answer)) = self.instead.filter(|(instead, _)| *instead == kind) {
            return Vec::from([format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#)]);
        }
        let from = frame.text(Field::Cursor).map_or(0, |cursor| cursor.parse().unwrap());
        Vec::from([self.page(kind, id, from)])
    }

    fn discovered(&self, id: &str) -> Option<String> {
        match self.discovery {
            Discovery::Unknown => Some(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"Method not found"}}}}"#
            )),
            Discovery::Speaks => Some(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public","instructions":"Be brief.","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"fake","version":"1"}}}}}}}}"#,
                self.capabilities
            )),
            Discovery::Silent => None,
        }
    }

    fn greeting(&self, id: &str) -> Option<String> {
        match self.hello {
            Hello::Agrees => Some(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{{"name":"fake","version":"1"}},"instructions":"Be brief."}}}}"#,
                self.capabilities
            )),
            Hello::Refuses => Some(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"no thanks"}}}}"#
            )),
            Hello::Silent => None,
        }
    }

    fn page(&self, kind: ListKind, id: &str, from: usize) -> String {
        let (names, member) = match kind {
            ListKind::Prompts => (&self.prompts, "name"),
            ListKind::Resources => (&self.resources, "uri"),
            ListKind::Templates => (&self.templates, "uriTemplate"),
            ListKind::Tools => (&self.tools, "name"),
        };
        let title = if member == "name" { "" } else { r#","name":"n""# };
        let schema = r#","inputSchema":{"type":"object"}"#;
        let more = match kind {
            ListKind::Tools if self.tool_members.contains("inputSchema") => self.tool_members.to_owned(),
            ListKind::Tools => [schema, self.tool_members].concat(),
            ListKind::Prompts | ListKind::Resources | ListKind::Templates => String::new(),
        };
        let entries: Vec<String> = names
            .iter()
            .skip(from)
            .take(self.page)
            .map(|name| format!(r#"{{"{member}":"{name}"{title}{more},"x-unknown":[1e400]}}"#))
            .collect();
        let next = from + self.page;
        let cursor = if next < names.len() { format!(r#","nextCursor":"{next}""#) } else { String::new() };
        let (list, member) = (entries.join(","), kind.member());
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"{member}":[{list}]{cursor}}}}}"#)
    }
}
