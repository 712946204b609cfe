//! Every reference server behind the hub: what it lists, and a real call of it.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{command, found, succeed};
use crate::wire::Wire;

/// A hub with one server, and a client at that server's endpoint.
async fn serve(name: &str, server: Server) -> (Hub, Wire) {
    let (hub, key) = Hub::with(&[(name, server)]).await;
    let wire = Wire::legacy(hub.at(&format!("/servers/{name}/mcp")), &key, "2025-11-25").await;
    (hub, wire)
}

async fn expect_tools(wire: &Wire, expected: &[&str]) {
    let tools = wire.tools().await;
    let missing: Vec<&&str> =
        expected.iter().filter(|name| !tools.iter().any(|tool| tool == *name)).collect();
    assert!(missing.is_empty(), "missing {missing:?} in {tools:?}");
}

#[tokio::test]
async fn filesystem_writes_and_reads_a_file() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let root = directory.path().canonicalize().expect("its real path").display().to_string();
    let (_hub, wire) = serve("filesystem", Server::node("server-filesystem").arg(&root)).await;
    expect_tools(&wire, &["write_file", "read_text_file", "list_directory"]).await;
    let path = format!("{root}/grüße.txt");
    wire.call_for_text("write_file", json!({ "path": path, "content": "Zürich 𝄞\n" })).await;
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "Zürich 𝄞\n");
    assert_eq!(wire.call_for_text("read_text_file", json!({ "path": path })).await, "Zürich 𝄞\n");
    let outside = json!({ "name": "read_text_file", "arguments": { "path": "/etc/passwd" } });
    let answer = wire.ask(&json!(1), "tools/call", outside).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
}

#[tokio::test]
async fn memory_remembers_an_entity() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let file = directory.path().join("memory.jsonl");
    let server = Server::node("server-memory").env("MEMORY_FILE_PATH", file.display().to_string());
    let (_hub, wire) = serve("memory", server).await;
    expect_tools(&wire, &["create_entities", "read_graph", "search_nodes"]).await;
    let entity = json!({ "name": "Ada", "entityType": "person", "observations": ["wrote a program"] });
    wire.call_for_text("create_entities", json!({ "entities": [entity] })).await;
    let graph = wire.call(&json!(1), "read_graph", json!({})).await;
    assert_eq!(graph["structuredContent"]["entities"][0]["name"], "Ada", "{graph}");
    assert!(std::fs::read_to_string(file).expect("the file").contains("wrote a program"));
}

#[tokio::test]
async fn sequential_thinking_takes_a_thought() {
    let (_hub, wire) = serve("thinking", Server::node("server-sequential-thinking")).await;
    expect_tools(&wire, &["sequentialthinking"]).await;
    let thought =
        json!({ "thought": "first", "thoughtNumber": 1, "totalThoughts": 2, "nextThoughtNeeded": true });
    let text = wire.call_for_text("sequentialthinking", thought).await;
    assert!(text.contains("\"thoughtNumber\": 1"), "{text}");
}

#[tokio::test]
async fn everything_adds_two_numbers() {
    let (_hub, wire) = serve("everything", Server::everything()).await;
    expect_tools(&wire, &["echo", "get-sum"]).await;
    let text = wire.call_for_text("get-sum", json!({ "a": 2, "b": 3 })).await;
    assert_eq!(text, "The sum of 2 and 3 is 5.");
}

#[tokio::test]
async fn time_converts_between_zones() {
    let server = Server::python("mcp-server-time").arg("--local-timezone").arg("UTC");
    let (_hub, wire) = serve("time", server).await;
    expect_tools(&wire, &["get_current_time", "convert_time"]).await;
    let arguments =
        json!({ "source_timezone": "Asia/Tokyo", "time": "12:00", "target_timezone": "Asia/Kolkata" });
    let text = wire.call_for_text("convert_time", arguments).await;
    assert!(text.contains("T08:30:00+05:30"), "{text}");
}

#[tokio::test]
async fn git_tells_the_status_of_a_repository() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let repository = directory.path().canonicalize().expect("its real path");
    git_init(&repository).await;
    std::fs::write(repository.join("untracked.txt"), "x").expect("a file");
    let path = repository.display().to_string();
    let (_hub, wire) = serve("git", Server::python("mcp-server-git").arg("--repository").arg(&path)).await;
    expect_tools(&wire, &["git_status", "git_log", "git_diff"]).await;
    let text = wire.call_for_text("git_status", json!({ "repo_path": path })).await;
    assert!(text.contains("untracked.txt"), "{text}");
}

async fn git_init(directory: &Path) {
    let mut init = command(found("git"));
    init.args(["init", "--quiet"]).current_dir(directory).env("HOME", directory);
    succeed(init, Duration::from_secs(10)).await;
}

#[tokio::test]
async fn fetch_gets_a_page() {
    let page = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", page.local_addr().expect("its address"));
    let server = Server::python("mcp-server-fetch").arg("--allow-private-ips").arg("--ignore-robots-txt");
    let (_hub, wire) = serve("fetch", server).await;
    expect_tools(&wire, &["fetch"]).await;
    let text = tokio::select! {
        text = wire.call_for_text("fetch", json!({ "url": url })) => text,
        () = serve_page(&page) => unreachable!("a page is served for ever"),
    };
    assert!(text.contains("a page of its own"), "{text}");
}

/// Answers every request with the same page.
async fn serve_page(listener: &TcpListener) {
    const BODY: &str = "<html><body><h1>Here</h1><p>This is a page of its own.</p></body></html>";
    loop {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let _request = connection.read(&mut [0; 4096]).await;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
            BODY.len()
        );
        let _gone = connection.write_all(answer.as_bytes()).await;
    }
}
