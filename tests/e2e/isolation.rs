//! Ordinary servers within walls: what they are for still works, and what they were not given is out of their reach.

use std::time::Duration;

use serde_json::json;

use crate::hub::Hub;
use crate::peers::{self, Server};
use crate::process::{run, succeed, text};
use crate::wire::Wire;

const DEADLINE: Duration = Duration::from_secs(20);

/// Where the packages of the servers lie, as they are found through all links.
fn packages(server: Server) -> Server {
    let read = peers::installed().canonicalize().expect("the peers are installed");
    server.setting("isolation", json!("standard")).setting("paths", json!({ "read": [read] }))
}

async fn serve(name: &str, server: Server) -> (Hub, Wire) {
    let (hub, key) = Hub::with(&[(name, server)]).await;
    let wire = Wire::legacy(hub.at(&format!("/servers/{name}/mcp")), &key, "2025-11-25").await;
    (hub, wire)
}

#[tokio::test]
async fn a_node_server_works_within_walls_with_the_default_limits() {
    for isolation in ["standard", "strict"] {
        let server = packages(Server::everything()).setting("isolation", json!(isolation));
        let (hub, wire) = serve("everything", server).await;
        let text = wire.call_for_text("get-sum", json!({ "a": 2, "b": 3 })).await;
        assert_eq!(text, "The sum of 2 and 3 is 5.");
        let environment = wire.call_for_text("get-env", json!({})).await;
        let home = hub.home.path().join("data/servers/default/everything");
        assert!(environment.contains(&format!("\"HOME\": \"{}\"", home.display())), "{environment}");
    }
}

#[tokio::test]
async fn a_python_server_works_within_walls_with_the_default_limits() {
    let server = packages(Server::python("mcp-server-time").arg("--local-timezone").arg("UTC"));
    let (_hub, wire) = serve("time", server).await;
    let text = wire.call_for_text("get_current_time", json!({ "timezone": "Europe/Zurich" })).await;
    assert!(text.contains("Europe/Zurich"), "{text}");
}

#[tokio::test]
async fn a_filesystem_server_has_the_paths_that_are_listed_whatever_it_allows_itself() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let root = directory.path().canonicalize().expect("its real path");
    for place in ["listed", "other"] {
        std::fs::create_dir(root.join(place)).expect("a directory");
        std::fs::write(root.join(place).join("file"), place).expect("a file");
    }
    let modules = peers::installed().canonicalize().expect("the peers are installed");
    let path = |it: &str| root.join(it).display().to_string();
    let server = packages(Server::node("server-filesystem").arg(path("listed")).arg(path("other")))
        .setting("paths", json!({ "read": [modules, root.join("listed")], "write": [root.join("listed")] }));
    let (_hub, wire) = serve("files", server).await;
    assert_eq!(wire.call_for_text("read_text_file", json!({ "path": path("listed/file") })).await, "listed");
    wire.call_for_text("write_file", json!({ "path": path("listed/new"), "content": "x" })).await;
    assert_eq!(std::fs::read_to_string(path("listed/new")).expect("the file"), "x");
    for (tool, arguments) in [
        ("read_text_file", json!({ "path": path("other/file") })),
        ("write_file", json!({ "path": path("other/new"), "content": "x" })),
    ] {
        let answer = wire.ask(&json!(1), "tools/call", json!({ "name": tool, "arguments": arguments })).await;
        assert_eq!(answer["result"]["isError"], true, "{answer}");
    }
}

#[tokio::test]
async fn isolation_is_shown_and_a_server_that_names_none_has_the_hub_s() {
    let mut servers = [
        ("named", packages(Server::everything()).setting("isolation", json!("strict"))),
        ("plain", packages(Server::everything())),
    ];
    servers[1].1.settings.remove("isolation");
    let home = crate::home::Home::with(&servers);
    let hub = Hub::start_with(&home, |command| command.args(["--isolation", "standard"])).await;
    let listed = succeed(hub.home.program(&["list-servers"]), DEADLINE).await;
    let column = |name: &str| {
        let line = listed.lines().find(|line| line.starts_with(name)).expect("a line of the server");
        line.split_whitespace().nth(4).expect("a column").to_owned()
    };
    assert_eq!([column("named"), column("plain"), column("hub")], ["strict", "standard", "-"], "{listed}");
    let doctor = text(&run(hub.home.program(&["doctor"]), DEADLINE).await.stdout);
    for line in [
        "ok   PID namespaces: ",
        "ok   user namespaces: ",
        "ok   Landlock: version ",
        "ok   seccomp: yes",
        "ok   cgroups: ",
    ] {
        assert!(doctor.contains(line), "{line} in {doctor}");
    }
}

#[tokio::test]
async fn a_server_that_eats_its_memory_is_told_of_its_limit() {
    let server = Server::program(crate::process::found("node"))
        .arg("-e")
        .arg("const all = []; for (;;) all.push({ it: [1, 2, 3] })")
        .setting("limits", json!({ "memoryMiB": 192 }));
    let (hub, _key) = Hub::with(&[("glutton", server)]).await;
    crate::process::eventually_told("its cause names the limit", DEADLINE, async || {
        let listed = succeed(hub.home.program(&["list-servers", "--json"]), DEADLINE).await;
        listed.contains("at its limit memoryMiB (192)")
    })
    .await;
}
