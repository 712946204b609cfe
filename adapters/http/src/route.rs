//! From a path to what it means. Pure; nothing here looks at a method, a header or a body.
//!
//! A path is matched as sent: there is one spelling of each, so nothing is decoded, and what another reader
//! could decode to a different path (`%2f`, `..`, `//`) is refused. A slash at the end is allowed.

use crate::api::Place;
use orch_core::ports::gateway::Target;
use orch_core::{Fault, Rejection};

/// The longest server name or project slug.
const NAME_BYTES: usize = 64;

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'p> {
    /// Is the process alive?
    Alive,
    /// Does it serve?
    Ready,
    /// The description of the REST interface.
    Description,
    /// A place of the REST interface.
    Api(Place<'p>),
    /// An MCP endpoint.
    Mcp(Endpoint<'p>),
}

/// One of the URLs that speak MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint<'p> {
    /// Slug or UUID; `None` is the default project.
    pub(crate) project: Option<&'p str>,
    /// One server by its name; `None` is the unified endpoint.
    pub(crate) server: Option<&'p str>,
    pub(crate) door: Door,
}

/// The transport that a URL belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Streamable HTTP.
    Mcp,
    /// The stream of HTTP+SSE.
    Sse,
    /// Where a client of HTTP+SSE posts to.
    Messages,
}

impl<'p> Route<'p> {
    /// The meaning of a path; the fault is 400 for an ambiguous one and 404 for one that means nothing.
    pub(crate) fn parse(path: &'p str) -> Result<Self, Fault> {
        unambiguous(path)?;
        Self::find(path).ok_or(Fault::Rejected(Rejection::NoSuchPath))
    }

    fn find(path: &'p str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let mut segments = path.strip_suffix('/').unwrap_or(path).split('/');
        let segments: [Option<&str>; 8] = std::array::from_fn(|_| segments.next());
        let (project, server, door) = match segments {
            [Some("healthz"), None, ..] => return Some(Self::Alive),
            [Some("readyz"), None, ..] => return Some(Self::Ready),
            [Some("api"), Some("openapi.json"), None, ..] => return Some(Self::Description),
            [Some("api"), Some("projects"), rest @ .., None] => {
                let place = Place::find(rest)?;
                return place.names().into_iter().flatten().all(is_name).then_some(Self::Api(place));
            }
            [Some("sse"), Some(server), None, ..] => (None, Some(server), Door::Sse),
            [Some("servers"), Some(server), Some(door), None, ..] => (None, Some(server), Door::parse(door)?),
            [Some("projects"), Some(project), Some("servers"), Some(server), Some(door), None, ..] => {
                (Some(project), Some(server), Door::parse(door)?)
            }
            [Some("projects"), Some(project), Some("unified"), Some(door), None, ..]
            | [Some("projects"), Some(project), Some(door), None, ..] => {
                (Some(project), None, Door::parse(door)?)
            }
            [Some(door), None, ..] => (None, None, Door::parse(door)?),
            _ => return None,
        };
        let named = |name: Option<&str>| name.is_none_or(is_name);
        (named(project) && named(server)).then_some(Self::Mcp(Endpoint { project, server, door }))
    }
}

impl Endpoint<'_> {
    pub(crate) fn target(&self) -> Target {
        self.server.map_or(Target::Unified, |server| Target::Server(server.into()))
    }

    /// The path to which the client of this endpoint's HTTP+SSE stream posts.
    pub(crate) fn messages_path(&self) -> String {
        match (self.project, self.server) {
            (None, None) => "/messages".to_owned(),
            (None, Some(server)) => format!("/servers/{server}/messages"),
            (Some(project), None) => format!("/projects/{project}/messages"),
            (Some(project), Some(server)) => format!("/projects/{project}/servers/{server}/messages"),
        }
    }
}

impl Door {
    fn parse(segment: &str) -> Option<Self> {
        match segment {
            "mcp" => Some(Self::Mcp),
            "sse" => Some(Self::Sse),
            "messages" => Some(Self::Messages),
            _ => None,
        }
    }
}

/// Refuses what two readers may take for two different paths.
fn unambiguous(path: &str) -> Result<(), Rejection> {
    if path.contains("//") {
        return Err(Rejection::Malformed("empty path segment"));
    }
    let mut rest = path;
    while let Some((_, tail)) = rest.split_once('%') {
        match tail.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            None | Some(b'/' | b'\\' | b'%' | b'.' | 0) => {
                return Err(Rejection::Malformed("percent-encoding in the path"));
            }
            Some(_) => rest = tail,
        }
    }
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(Rejection::Malformed("dot segment in the path"));
    }
    Ok(())
}

/// Server names and project slugs.
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, project: Option<&str>, server: Option<&str>, door: Door, messages: &str) {
        let Ok(Route::Mcp(endpoint)) = Route::parse(path) else { panic!("{path} is no endpoint") };
        assert_eq!(endpoint, Endpoint { project, server, door }, "{path}");
        assert_eq!(endpoint.messages_path(), messages, "{path}");
        assert_eq!(
            Route::parse(&format!("{path}/")),
            Ok(Route::Mcp(endpoint)),
            "{path} with a slash at its end"
        );
    }

    #[track_caller]
    fn refused(path: &str, status: u16) {
        assert_eq!(Route::parse(path).map_err(|fault| fault.wire().status), Err(status), "{path}");
    }

    #[test]
    fn every_endpoint_has_a_long_and_a_short_form() {
        for (door, name) in [(Door::Mcp, "mcp"), (Door::Sse, "sse"), (Door::Messages, "messages")] {
            let long = format!("/projects/p-1/servers/git.x_Y/{name}");
            check(&long, Some("p-1"), Some("git.x_Y"), door, "/projects/p-1/servers/git.x_Y/messages");
            check(&format!("/projects/p/unified/{name}"), Some("p"), None, door, "/projects/p/messages");
            check(&format!("/projects/p/{name}"), Some("p"), None, door, "/projects/p/messages");
            check(&format!("/servers/git/{name}"), None, Some("git"), door, "/servers/git/messages");
            check(&format!("/{name}"), None, None, door, "/messages");
        }
        check("/sse/git", None, Some("git"), Door::Sse, "/servers/git/messages");
    }

    #[test]
    fn words_of_the_grammar_are_names_like_any_other() {
        check("/servers/mcp/mcp", None, Some("mcp"), Door::Mcp, "/servers/mcp/messages");
        check(
            "/projects/servers/servers/servers/sse",
            Some("servers"),
            Some("servers"),
            Door::Sse,
            "/projects/servers/servers/servers/messages",
        );
        check(
            "/projects/unified/unified/mcp",
            Some("unified"),
            None,
            Door::Mcp,
            "/projects/unified/messages",
        );
    }

    #[test]
    fn the_probes_have_paths_of_their_own() {
        assert_eq!(Route::parse("/healthz"), Ok(Route::Alive));
        assert_eq!(Route::parse("/readyz"), Ok(Route::Ready));
    }

    #[test]
    fn what_two_readers_may_read_differently_is_malformed() {
        for path in [
            "//mcp",
            "/mcp//",
            "/servers//mcp",
            "/servers/a%2fb/mcp",
            "/servers/a%2Fb/mcp",
            "/servers/a%00/mcp",
            "/servers/%2e%2e/mcp",
            "/servers/a%5cb/mcp",
            "/servers/a%252fb/mcp",
            "/servers/../mcp",
            "/./mcp",
            "/servers/a/mcp/..",
            "/servers/%zz/mcp",
            "/servers/a%",
            "/servers/a%2",
            "/servers/%é/mcp",
        ] {
            refused(path, 400);
        }
    }

    #[test]
    fn everything_else_is_the_same_404() {
        let long = format!("/servers/{}/mcp", "a".repeat(65));
        for path in [
            "/",
            "",
            "*",
            "/register",
            "/.well-known/oauth-protected-resource",
            "/mcp/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/servers/git/mcp",
            "/servers/a b/mcp",
            "/servers/ä/mcp",
            "/servers/a%20b/mcp",
            "/servers/a:b/mcp",
            "/servers/git",
            "/servers/git/mcp/x",
            "/mcp/x",
            "/projects/p",
            "/projects/p/servers/git",
            "/projects/p/servers/git/mcp/x",
            "/projects/p/servers/git/mcp/x/y",
            "/projects/p/other/mcp",
            "/MCP",
            "/healthz/x",
            "/sse/git/x",
            &long,
        ] {
            refused(path, 404);
        }
        assert!(Route::parse(&long.replacen('a', "", 1)).is_ok(), "64 characters are a name");
    }
}
