//! The exact text to paste into each client, and where it goes.

use std::fmt::Write as _;

use orch_core::record::RemoteKind;
use serde_json::{Value, json};

/// The project of a single-user install, whose endpoints have short URLs.
pub const DEFAULT_PROJECT: &str = "default";

/// Stands where a key belongs, when it is not known.
const NO_KEY: &str = "YOUR_KEY";

/// The clients whose configuration is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// Claude Code: a command to run
    ClaudeCode,
    /// Cline
    Cline,
    /// Codex
    Codex,
    /// Cursor
    Cursor,
    /// Gemini CLI
    Gemini,
    /// Any other client that has an mcpServers map
    Generic,
    /// opencode
    Opencode,
    /// A URL and an Authorization value by name, for clients that want no more
    Short,
    /// VS Code
    Vscode,
}

/// What a client shall be connected to.
#[derive(Clone, Copy, Debug)]
pub struct ClientTarget<'a> {
    /// The hub, as the client sees it: scheme, host and port, perhaps a path.
    pub base_url: &'a str,
    /// The project's slug.
    pub project: &'a str,
    /// A server of the project; `None` for the unified endpoint.
    pub server: Option<&'a str>,
    /// Streamable HTTP, or HTTP+SSE.
    pub transport: RemoteKind,
    /// The API key, or `None` for a placeholder.
    pub key: Option<&'a str>,
}

/// What [`client_config`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Where the text goes, for people.
    pub place: &'static str,
    /// The text to paste.
    pub text: String,
}

/// The configuration of a client.
pub fn client_config(client: Client, target: &ClientTarget<'_>) -> ClientConfig {
    let (url, sse) = (target.url(), target.transport == RemoteKind::Sse);
    let headers = json!({ "Authorization": target.authorization() });
    let in_map = |map: &str, entry: Value| pretty(&json!({ map: { target.entry_name(): entry } }));
    let (place, text) = match client {
        Client::ClaudeCode => (
            "Run this in the directory of your work; add --scope user to have it in every directory.",
            target.claude_command(&url),
        ),
        Client::Cline => (
            "MCP Servers > Configure > Configure MCP Servers; for the CLI ~/.cline/data/settings/cline_mcp_settings.json",
            in_map("mcpServers", {
                // Cline takes any other spelling for SSE.
                let kind = if sse { "sse" } else { "streamableHttp" };
                json!({ "type": kind, "url": url, "headers": headers, "disabled": false, "timeout": 60 })
            }),
        ),
        Client::Codex => (
            "~/.codex/config.toml (Codex speaks Streamable HTTP only)",
            ClientTarget { transport: RemoteKind::Http, ..*target }.codex_table(),
        ),
        Client::Cursor => (
            "~/.cursor/mcp.json for all of your work, or .cursor/mcp.json in one directory",
            in_map("mcpServers", json!({ "url": url, "headers": headers })),
        ),
        Client::Gemini => (
            "~/.gemini/settings.json for all of your work, or .gemini/settings.json in one directory",
            in_map("mcpServers", {
                let name = if sse { "url" } else { "httpUrl" };
                json!({ name: url, "headers": headers })
            }),
        ),
        Client::Generic => ("the client's MCP settings", in_map("mcpServers", target.generic_entry(&url))),
        Client::Opencode => (
            "~/.config/opencode/opencode.json for all of your work, or opencode.json in one directory",
            // A key needs no sign-in in a browser, and a wrong one shall not open one.
            in_map("mcp", json!({ "type": "remote", "url": url, "headers": headers, "oauth": false })),
        ),
        Client::Short => (
            "the client's MCP settings",
            pretty(&json!({ target.entry_name(): { "url": url, "auth": target.authorization() } })),
        ),
        Client::Vscode => (
            ".vscode/mcp.json in the workspace, or the command \"MCP: Open User Configuration\"",
            in_map("servers", {
                let kind = if sse { "sse" } else { "http" };
                json!({ "type": kind, "url": url, "headers": headers })
            }),
        ),
    };
    ClientConfig { place, text }
}

impl ClientTarget<'_> {
    /// The endpoint's URL.
    pub fn url(&self) -> String {
        let base = self.base_url.trim_end_matches('/');
        let (project, kind) = (self.project, if self.transport == RemoteKind::Sse { "sse" } else { "mcp" });
        match (self.server, project == DEFAULT_PROJECT, self.transport) {
            (Some(server), true, _) => format!("{base}/servers/{server}/{kind}"),
            (Some(server), false, _) => format!("{base}/projects/{project}/servers/{server}/{kind}"),
            (None, true, RemoteKind::Http) => format!("{base}/mcp"),
            (None, true, RemoteKind::Sse) | (None, false, _) => {
                format!("{base}/projects/{project}/unified/{kind}")
            }
        }
    }

    /// A name that every client takes (Claude Code: letters, digits, `-` and `_`), and short: models see it before
    /// the name of every tool.
    fn entry_name(&self) -> String {
        match self.server {
            Some(server) => server.replace('.', "-"),
            None if self.project == DEFAULT_PROJECT => "mcp-orch".to_owned(),
            None => self.project.to_owned(),
        }
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.key.unwrap_or(NO_KEY))
    }

    /// `--header` takes all words after it, so it comes last.
    fn claude_command(&self, url: &str) -> String {
        let kind = if self.transport == RemoteKind::Sse { "sse" } else { "http" };
        let (name, header) = (self.entry_name(), format!("Authorization: {}", self.authorization()));
        let words = [&name, url, "--header", &header].map(shell_word).join(" ");
        format!("claude mcp add --transport {kind} {words}")
    }

    /// A table of TOML, whose strings are written as those of JSON.
    fn codex_table(&self) -> String {
        let (url, authorization) = (json!(self.url()), json!(self.authorization()));
        format!(
            "[mcp_servers.{}]\nurl = {url}\nhttp_headers = {{ Authorization = {authorization} }}",
            self.entry_name()
        )
    }

    /// The transport under each of the names that clients are known to read, all saying the same.
    fn generic_entry(&self, url: &str) -> Value {
        let kind = if self.transport == RemoteKind::Sse { "sse" } else { "streamable-http" };
        json!({
            "type": kind,
            "transport": kind,
            "transportType": kind,
            "url": url,
            "headers": { "Authorization": self.authorization(), "Content-Type": "application/json" },
            "disabled": false,
            "timeout": 60,
        })
    }
}

/// Values made of strings always have a JSON form.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The text as one word of a POSIX shell: bare where it can be, else in double quotes.
fn shell_word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@%+=,".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    let mut word = String::from("\"");
    for character in text.chars() {
        let escape = if matches!(character, '"' | '\\' | '$' | '`') { "\\" } else { "" };
        // Writing to memory cannot fail.
        write!(word, "{escape}{character}").ok();
    }
    word.push('"');
    word
}

#[cfg(test)]
mod tests;
