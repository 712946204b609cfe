//! The texts, pinned: a change here is a change in what people paste.

use super::*;
use crate::file::ConfigFile;
use orch_core::Limits;
use orch_core::record::Transport;

const KEY: &str = "mcp_proj_k_s";

fn target(transport: RemoteKind) -> ClientTarget<'static> {
    ClientTarget {
        base_url: "http://127.0.0.1:8000",
        project: "default",
        server: None,
        transport,
        key: Some(KEY),
    }
}

fn text(client: Client, transport: RemoteKind) -> String {
    client_config(client, &target(transport)).text
}

fn compact(client: Client, target: &ClientTarget<'_>) -> String {
    let text = client_config(client, target).text;
    serde_json::from_str::<Value>(&text).unwrap().to_string()
}

/// Accepted as it stands by claude-code 2.1.329.
#[test]
fn claude_code_gets_the_command_that_adds_the_hub() {
    assert_eq!(
        text(Client::ClaudeCode, RemoteKind::Http),
        "claude mcp add --transport http mcp-orch http://127.0.0.1:8000/mcp --header \"Authorization: Bearer mcp_proj_k_s\""
    );
    assert_eq!(
        text(Client::ClaudeCode, RemoteKind::Sse),
        "claude mcp add --transport sse mcp-orch http://127.0.0.1:8000/projects/default/unified/sse --header \"Authorization: Bearer mcp_proj_k_s\""
    );
}

#[test]
fn claude_code_gets_names_without_dots_and_words_that_a_shell_leaves_alone() {
    let target = ClientTarget {
        base_url: "http://[::1]:8000/$(id)/",
        server: Some("a.b_C-1"),
        key: Some("k`id`\"$x\\"),
        ..target(RemoteKind::Http)
    };
    assert_eq!(
        client_config(Client::ClaudeCode, &target).text,
        "claude mcp add --transport http a-b_C-1 \"http://[::1]:8000/\\$(id)/servers/a.b_C-1/mcp\" \
         --header \"Authorization: Bearer k\\`id\\`\\\"\\$x\\\\\""
    );
}

#[test]
fn a_key_that_is_not_known_is_a_placeholder() {
    let target = ClientTarget { key: None, ..target(RemoteKind::Http) };
    assert!(client_config(Client::ClaudeCode, &target).text.ends_with("\"Authorization: Bearer YOUR_KEY\""));
}

#[test]
fn cline_gets_the_spelling_that_it_does_not_take_for_sse() {
    let expected = r#"{
  "mcpServers": {
    "mcp-orch": {
      "type": "streamableHttp",
      "url": "http://127.0.0.1:8000/mcp",
      "headers": {
        "Authorization": "Bearer mcp_proj_k_s"
      },
      "disabled": false,
      "timeout": 60
    }
  }
}"#;
    assert_eq!(text(Client::Cline, RemoteKind::Http), expected);
    assert!(text(Client::Cline, RemoteKind::Sse).contains(r#""type": "sse""#));
}

#[test]
fn codex_gets_a_table_and_streamable_http_whatever_was_asked_for() {
    let expected = r#"[mcp_servers.mcp-orch]
url = "http://127.0.0.1:8000/mcp"
http_headers = { Authorization = "Bearer mcp_proj_k_s" }"#;
    assert_eq!(text(Client::Codex, RemoteKind::Http), expected);
    assert_eq!(text(Client::Codex, RemoteKind::Sse), expected);
}

#[test]
fn codex_gets_a_bare_table_name_and_quoted_strings() {
    let target = ClientTarget { server: Some("a.b"), key: Some("k\"\\"), ..target(RemoteKind::Http) };
    let expected = r#"[mcp_servers.a-b]
url = "http://127.0.0.1:8000/servers/a.b/mcp"
http_headers = { Authorization = "Bearer k\"\\" }"#;
    assert_eq!(client_config(Client::Codex, &target).text, expected);
}

/// Gemini takes a plain `url` for HTTP+SSE.
#[test]
fn gemini_reads_the_transport_off_the_name_of_the_url() {
    let expected = r#"{"mcpServers":{"mcp-orch":{"httpUrl":"http://127.0.0.1:8000/mcp","headers":{"Authorization":"Bearer mcp_proj_k_s"}}}}"#;
    assert_eq!(compact(Client::Gemini, &target(RemoteKind::Http)), expected);
    let expected = r#"{"mcpServers":{"mcp-orch":{"url":"http://127.0.0.1:8000/projects/default/unified/sse","headers":{"Authorization":"Bearer mcp_proj_k_s"}}}}"#;
    assert_eq!(compact(Client::Gemini, &target(RemoteKind::Sse)), expected);
}

#[test]
fn opencode_finds_out_the_transport_by_itself_and_signs_in_nowhere() {
    let expected = r#"{"mcp":{"mcp-orch":{"type":"remote","url":"http://127.0.0.1:8000/mcp","headers":{"Authorization":"Bearer mcp_proj_k_s"},"oauth":false}}}"#;
    assert_eq!(compact(Client::Opencode, &target(RemoteKind::Http)), expected);
}

#[test]
fn cursor_finds_out_the_transport_by_itself() {
    let expected = r#"{"mcpServers":{"mcp-orch":{"url":"http://127.0.0.1:8000/mcp","headers":{"Authorization":"Bearer mcp_proj_k_s"}}}}"#;
    assert_eq!(compact(Client::Cursor, &target(RemoteKind::Http)), expected);
}

#[test]
fn vs_code_calls_the_map_servers_and_the_transport_http() {
    let expected = r#"{"servers":{"mcp-orch":{"type":"http","url":"http://127.0.0.1:8000/mcp","headers":{"Authorization":"Bearer mcp_proj_k_s"}}}}"#;
    assert_eq!(compact(Client::Vscode, &target(RemoteKind::Http)), expected);
    assert!(text(Client::Vscode, RemoteKind::Sse).contains(r#""type": "sse""#));
}

#[test]
fn generic_says_the_transport_under_every_name() {
    let target = ClientTarget { server: Some("github"), project: "web", ..target(RemoteKind::Sse) };
    let expected = r#"{"mcpServers":{"github":{"type":"sse","transport":"sse","transportType":"sse","url":"http://127.0.0.1:8000/projects/web/servers/github/sse","headers":{"Authorization":"Bearer mcp_proj_k_s","Content-Type":"application/json"},"disabled":false,"timeout":60}}}"#;
    assert_eq!(compact(Client::Generic, &target), expected);
    assert!(text(Client::Generic, RemoteKind::Http).contains(r#""type": "streamable-http""#));
}

#[test]
fn short_is_a_url_and_an_authorization() {
    let target = ClientTarget { project: "web", ..target(RemoteKind::Http) };
    let expected =
        r#"{"web":{"url":"http://127.0.0.1:8000/projects/web/unified/mcp","auth":"Bearer mcp_proj_k_s"}}"#;
    assert_eq!(compact(Client::Short, &target), expected);
}

#[test]
fn every_endpoint_has_its_url() {
    let url = |project, server, transport| {
        ClientTarget { base_url: "https://hub.test/mcp-orch/", project, server, ..target(transport) }.url()
    };
    for (project, server, http, sse) in [
        ("default", None, "/mcp", "/projects/default/unified/sse"),
        ("default", Some("git"), "/servers/git/mcp", "/servers/git/sse"),
        ("web", None, "/projects/web/unified/mcp", "/projects/web/unified/sse"),
        ("web", Some("git"), "/projects/web/servers/git/mcp", "/projects/web/servers/git/sse"),
    ] {
        assert_eq!(url(project, server, RemoteKind::Http), format!("https://hub.test/mcp-orch{http}"));
        assert_eq!(url(project, server, RemoteKind::Sse), format!("https://hub.test/mcp-orch{sse}"));
    }
}

#[test]
fn what_is_made_for_a_client_is_a_configuration_that_the_hub_reads_too() {
    for client in [Client::Cline, Client::Cursor, Client::Generic, Client::Vscode] {
        let text = text(client, RemoteKind::Http);
        let file = ConfigFile::parse("c.json", &text, &Limits::default()).unwrap();
        let server = file.servers.get("mcp-orch").unwrap();
        let Transport::Remote { kind: RemoteKind::Http, headers, .. } = &server.transport else {
            panic!("{text}")
        };
        assert_eq!(headers.get("Authorization").map(String::as_str), Some("Bearer mcp_proj_k_s"));
    }
}
