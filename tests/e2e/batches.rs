//! Runs of plans from outside: the REST interface, the command line, and hubs that are killed in the midst of runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::binary;
use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{self, eventually, eventually_told, found, text};
use crate::tls::Front;

const PROGRAM: &str = include_str!("batches.py");
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the hub is killed; `ORCH_TEST_KILLS` says otherwise.
const KILLS: u32 = 200;

struct Stage {
    hub: Hub,
    key: String,
}

fn home() -> Arc<Home> {
    let home = Home::new();
    home.configure(&[("t", server(&home))]);
    home
}

pub(crate) fn server(home: &Home) -> Server {
    let server = Server::program(found("python3")).arg("-c").arg(PROGRAM);
    server.env("LEDGER", ledger(home).display().to_string())
}

pub(crate) fn ledger(home: &Home) -> PathBuf {
    home.path().join("ledger")
}

impl Stage {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(flags: &[&str]) -> Self {
        let hub = Hub::start_with(&home(), |command| command.args(flags)).await;
        let key = hub.create_key().await;
        Self { hub, key }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let url = self.hub.at(&format!("/api/projects/default/batches{path}"));
        let mut request =
            reqwest::Client::new().request(method, url).bearer_auth(&self.key).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.expect("JSON"))
    }

    async fn begin(&self, steps: Value) -> String {
        let (status, begun) = self.ask("POST", "", Some(json!({ "steps": steps, "background": true }))).await;
        assert_eq!(status, 202, "{begun}");
        begun["run"].as_str().expect("its name").to_owned()
    }

    /// The events of a run, to its end.
    async fn follow(&self, run: &str) -> Vec<Value> {
        let url = self.hub.at(&format!("/api/projects/default/batches/{run}/events"));
        let request = reqwest::Client::new().get(url).bearer_auth(&self.key).timeout(PATIENCE);
        let events = request.send().await.expect("an answer").text().await.expect("a stream that ends");
        let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = process::command(binary::hub());
        self.hub.home.mark(&mut command);
        command
            .args(words)
            .env("MCP_ORCH_KEY", &self.key)
            .env("MCP_ORCH_URL", &self.hub.url)
            .stdin(Stdio::null());
        command
    }
}

#[tokio::test]
async fn plans_are_run_over_rest() {
    let stage = Stage::new().await;
    let steps = json!([
        { "id": "one", "tool": "t.once", "arguments": { "n": 1 } },
        { "id": "two", "tool": "t.safe", "arguments": { "got": { "$from": "one", "path": "/said/n" } } },
    ]);
    let (status, run) = stage.ask("POST", "", Some(json!({ "steps": steps }))).await;
    assert_eq!(
        (status, &run["status"], &run["output"]["two"]["said"]["got"]),
        (200, &json!("done"), &json!(1)),
        "{run}"
    );
    let name = run["run"].as_str().expect("its name");
    let (status, part) = stage.ask("GET", &format!("/{name}/results/one?path=/said&length=4"), None).await;
    assert_eq!((status, &part["parts"][0]["text"]), (200, &json!("{\"n\"")), "{part}");
    let (status, outline) = stage.ask("POST", "", Some(json!({ "steps": steps, "dry_run": true }))).await;
    assert_eq!((status, &outline["critical_path"]), (200, &json!(["one", "two"])), "{outline}");
    let (status, list) = stage.ask("GET", "?limit=1", None).await;
    assert_eq!((status, &list["runs"][0]["run"]), (200, &json!(name)), "{list}");

    let bad = json!({ "steps": [{ "id": "x", "tool": "t.onec" }] });
    let (status, problem) = stage.ask("POST", "", Some(bad)).await;
    assert_eq!(
        (status, &problem["status"], &problem["faults"][0]["at"]),
        (422, &json!(422), &json!("/steps/0/tool")),
        "{problem}"
    );
    assert_eq!(stage.ask("GET", "/0123456789ab", None).await.0, 404);
    assert_eq!(stage.ask("GET", "/0123456789ab/events", None).await.0, 404);
    assert_eq!(stage.ask("DELETE", &format!("/{name}"), None).await.0, 405);
    let none = stage.hub.at("/api/projects/none/batches");
    let (unknown, stranger) = (
        reqwest::Client::new().get(&none).bearer_auth(&stage.key).send().await.expect("an answer"),
        reqwest::Client::new()
            .get(stage.hub.at("/api/projects/default/batches"))
            .send()
            .await
            .expect("an answer"),
    );
    assert_eq!((unknown.status().as_u16(), stranger.status().as_u16()), (404, 401));
    assert_eq!(unknown.headers()["content-type"], "application/problem+json");
    let description: Value =
        reqwest::get(stage.hub.at("/api/openapi.json")).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(description["openapi"], "3.1.0");
}

#[tokio::test]
async fn runs_are_followed_cancelled_and_begun_once_more_over_rest() {
    let stage = Stage::new().await;
    let run = stage
        .begin(json!([
            { "id": "bad", "tool": "t.once", "arguments": { "fail": true } },
            { "id": "after", "tool": "t.safe", "depends_on": ["bad"] },
        ]))
        .await;
    let events = stage.follow(&run).await;
    assert_eq!(events.last().expect("an end")["run"]["status"], "failed", "{events:?}");
    std::fs::write(ledger(&stage.hub.home).with_extension("well"), "").expect("a file");
    let (status, again) = stage.ask("POST", &format!("/{run}/retry"), None).await;
    assert_eq!(status, 200, "{again}");
    let events = stage.follow(&run).await;
    assert_eq!(events.last().expect("an end")["run"]["status"], "done", "{events:?}");

    let run = stage.begin(json!([{ "id": "slow", "tool": "t.slow" }])).await;
    assert_eq!(stage.ask("POST", &format!("/{run}/retry"), None).await.0, 409, "it goes on");
    let (events, cancelled) =
        tokio::join!(stage.follow(&run), async { stage.ask("POST", &format!("/{run}/cancel"), None).await });
    assert_eq!((cancelled.0, &cancelled.1["status"]), (200, &json!("cancelled")));
    assert_eq!(events.last().expect("an end")["run"]["status"], "cancelled", "{events:?}");
}

#[tokio::test]
async fn plans_are_run_from_the_command_line() {
    let stage = Stage::new().await;
    let plan = stage.hub.home.path().join("plan.json");
    let path = plan.display().to_string();
    std::fs::write(&plan, r#"{"steps":[{"id":"one","tool":"t.once","arguments":{"n":5}}]}"#).expect("a file");
    let checked = stage.command(&["batch", "run", &path, "--dry-run"]).output().expect("an end");
    assert!(checked.status.success() && text(&checked.stdout).contains("critical_path"), "{checked:?}");
    let done = stage.command(&["batch", "run", &path]).output().expect("an end");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let shown = text(&done.stderr);
    assert_eq!(shown.matches("+ one").count(), 1, "each step is told of once: {shown}");
    let output: Value = serde_json::from_slice(&done.stdout).expect("the output, and nothing else");
    assert_eq!(output["one"]["said"]["n"], 5);
    let aside = "\u{feff}{\"background\":true,\"steps\":[{\"id\":\"one\",\"tool\":\"t.safe\"}]}";
    std::fs::write(&plan, aside).expect("a file");
    let begun = stage.command(&["batch", "run", &path]).output().expect("an end");
    let run = text(&begun.stdout).trim().to_owned();
    assert!(begun.status.success() && text(&begun.stderr).contains("batch status"), "{begun:?}");
    let stands = stage.command(&["batch", "status", &run]).output().expect("an end");
    assert!(stands.status.success(), "{stands:?}");
    let nowhere = stage.command(&["batch", "status", "../../x"]).output().expect("an end");
    assert!(text(&nowhere.stderr).contains("expected the name of a run"), "{nowhere:?}");
    let list = stage.command(&["batch", "list"]).output().expect("an end");
    assert!(text(&list.stdout).contains("done"), "{list:?}");

    std::fs::write(&plan, r#"{"steps":[{"id":"a","tool":"t.nothing"}]}"#).expect("a file");
    let faulty = stage.command(&["batch", "run", &path, "--json"]).output().expect("an end");
    let problem: Value = serde_json::from_slice(&faulty.stdout).expect("JSON");
    assert_eq!((faulty.status.success(), &problem["faults"][0]["at"]), (false, &json!("/steps/0/tool")));
    std::fs::write(&plan, r#"{"steps":[{"id":"slow","tool":"t.slow"}]}"#).expect("a file");
    let child =
        stage.command(&["batch", "run", &path, "--json"]).stdout(Stdio::piped()).spawn().expect("it starts");
    eventually_told("it runs", PATIENCE, async || {
        let (_, list) = stage.ask("GET", "", None).await;
        list["runs"].as_array().is_some_and(|runs| runs.iter().any(|run| run["status"] == "running"))
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    let ended = child.wait_with_output().expect("an end");
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    let nobody = stage.command(&["batch", "list"]).env_remove("MCP_ORCH_KEY").output().expect("an end");
    assert!(!nobody.status.success() && text(&nobody.stderr).contains("MCP_ORCH_KEY"), "{nobody:?}");
}

#[tokio::test]
async fn a_hub_behind_tls_is_reached_from_the_command_line() {
    let front = Front::new().await;
    let stage = Stage::with(&["--allowed-host", &format!("localhost:{}", front.port)]).await;
    front.lead_to(&stage.hub.url);
    let home = stage.hub.home.path();
    let (plan, own) =
        (home.join("plan.json").display().to_string(), home.join("ca.pem").display().to_string());
    std::fs::write(&plan, r#"{"steps":[{"id":"one","tool":"t.once","arguments":{"n":5}}]}"#).expect("a file");
    std::fs::write(&own, &front.authority).expect("a file");
    let run = async |url: &str, words: &[&str]| {
        let mut command = stage.command(&[&["batch", "run", &plan, "--url", url], words].concat());
        command.env_remove("MCP_ORCH_URL");
        process::run(command, PATIENCE).await
    };
    let secure = format!("https://localhost:{}/", front.port);
    let done = run(&secure, &["--ca", &own]).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let output: Value = serde_json::from_slice(&done.stdout).expect("the output");
    assert_eq!(output["one"]["said"]["n"], 5);
    for (url, words, expected) in [
        (&*secure, &[][..], "an authority that is not trusted here; --ca FILE names one that is"),
        (&*format!("https://127.0.0.1:{}", front.port), &["--ca", &own][..], "not valid for name"),
        (&*stage.hub.url.replace("http:", "https:"), &[][..], "it does not speak TLS; is it http://?"),
        (&*secure.replace("https:", "http:"), &[][..], "is it the address of a hub?"),
        ("ftp://localhost", &[][..], "--url is http://HOST:PORT or https://HOST"),
        (&*secure, &["--ca", &plan][..], "no certificate in PEM"),
    ] {
        let refused = run(url, words).await;
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains(expected), "{url}: {said}");
    }
}

#[tokio::test]
async fn the_command_line_follows_a_run_through_the_end_of_its_hub_and_into_the_next_life() {
    let stage = Stage::new().await;
    let path = |name: &str| stage.hub.home.path().join(name);
    let steps = json!([
        { "id": "first", "tool": "t.once", "arguments": { "n": 1 } },
        { "id": "long", "tool": "t.safe", "arguments": { "ms": 2000 }, "depends_on": ["first"] },
        { "id": "last", "tool": "t.once", "arguments": { "got": { "$from": "long", "path": "/said/ms" } } },
    ]);
    std::fs::write(path("plan.json"), json!({ "steps": steps }).to_string()).expect("a file");
    let (plan, shown) = (path("plan.json").display().to_string(), path("shown"));
    let mut command = stage.command(&["batch", "run", &plan]);
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&shown).expect("a file"));
    let child = command.spawn().expect("it starts");
    let shown = || std::fs::read_to_string(&shown).expect("a file");
    let is_shown = |step: &str, status: &str| {
        shown().lines().any(|line| line.contains(&format!("{step} ")) && line.contains(status))
    };
    eventually("the second step runs", PATIENCE, || is_shown("long", "running")).await;
    let Stage { hub, key } = stage;
    let (_, port) = hub.url.rsplit_once(':').expect("a port");
    let port = port.to_owned();
    let home = hub.kill();
    let stage = Stage { hub: Hub::start_at(&home, &port).await, key };
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output());
    let ended =
        tokio::time::timeout(PATIENCE, ended).await.expect("in time").expect("a thread").expect("an end");
    assert_eq!(ended.status.code(), Some(0), "{}", shown());
    let output: Value = serde_json::from_slice(&ended.stdout).expect("the output, and nothing else");
    assert_eq!(output["last"]["said"]["got"], 2000);
    assert!(["first", "long", "last"].iter().all(|step| is_shown(step, "done")), "{}", shown());
    assert_eq!(shown().matches("run ").count(), 1, "one run, from its beginning to its end: {}", shown());
    let once = calls(&ledger(&stage.hub.home));
    assert_eq!(once.into_values().collect::<Vec<_>>(), [1, 1], "nothing was done twice");
}

/// Leads to a hub from a port of its own. The first answer of the hub is lost on its way, and then one says that the hub stops.
async fn losing_an_answer(listener: TcpListener, hub: String) {
    let mut connections = JoinSet::new();
    let mut connection = 0;
    while let Ok((mut outer, _)) = listener.accept().await {
        let mut inner = TcpStream::connect(&hub).await.expect("a hub");
        connection += 1;
        if connection <= 2 {
            let mut asked = vec![0; 64 * 1024];
            let length = outer.read(&mut asked).await.expect("a request");
            if connection == 2 {
                let stops =
                    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                outer.write_all(stops).await.expect("the command takes it");
                continue;
            }
            inner.write_all(&asked[..length]).await.expect("the hub takes it");
            let answered = inner.read(&mut asked).await.expect("its answer");
            assert!(answered > 0, "the run was begun");
            continue;
        }
        connections.spawn(async move { copy_bidirectional(&mut outer, &mut inner).await });
    }
}

#[tokio::test]
async fn a_run_whose_first_answer_is_lost_is_begun_once_from_the_command_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let stage = Stage::with(&["--allowed-host", &address.to_string()]).await;
    let hub = stage.hub.url.trim_start_matches("http://").to_owned();
    let mut serving = JoinSet::new();
    serving.spawn(losing_an_answer(listener, hub));
    let plan = stage.hub.home.path().join("plan.json");
    std::fs::write(&plan, r#"{"steps":[{"id":"one","tool":"t.once","arguments":{"n":5}}],"output":[{"$from":"one","path":"/no"}]}"#)
        .expect("a file");
    let url = format!("http://{address}");
    let mut command = stage.command(&["batch", "run", &plan.display().to_string(), "--url", &url]);
    command.env_remove("MCP_ORCH_URL");
    let done = process::run(command, PATIENCE).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let said = text(&done.stderr);
    assert!(said.contains(r#"null in the output: step one has nothing at "/no""#), "{said}");
    assert_eq!(calls(&ledger(&stage.hub.home)).into_values().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn who_leaves_before_a_hub_has_answered_is_told_how_to_find_out_what_has_become_of_the_plan() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let stage = Stage::new().await;
    let plan = stage.hub.home.path().join("plan.json");
    std::fs::write(&plan, r#"{"steps":[{"id":"one","tool":"t.once"}]}"#).expect("a file");
    let mut command = stage.command(&["batch", "run", &plan.display().to_string(), "--url", &url]);
    let child = command.env_remove("MCP_ORCH_URL").stderr(Stdio::piped()).spawn().expect("it starts");
    let (mut asked, _) = listener.accept().await.expect("a connection");
    asked.read_exact(&mut [0; 16]).await.expect("a request");
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    let ended = child.wait_with_output().expect("an end");
    let said = text(&ended.stderr);
    assert!(!ended.status.success() && said.contains("mcp-orch batch list"), "{ended:?}");
}

/// How often each call of `once` was made.
pub(crate) fn calls(ledger: &Path) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for line in std::fs::read_to_string(ledger).unwrap_or_default().lines() {
        *calls.entry(line.to_owned()).or_default() += 1;
    }
    calls
}

#[tokio::test]
async fn runs_go_on_when_the_hub_is_killed_at_any_moment_and_nothing_is_done_twice() {
    let kills =
        std::env::var_os("ORCH_TEST_KILLS").and_then(|kills| kills.to_str()?.parse().ok()).unwrap_or(KILLS);
    let mut stage = Stage::new().await;
    let mut runs = Vec::new();
    let mut unknown = 0;
    for kill in 0..kills {
        runs.push(
            stage
                .begin(json!([
                    { "id": "first", "tool": "t.once", "arguments": { "kill": kill, "n": 0 } },
                    { "id": "each", "tool": "t.once", "for_each": { "in": [1, 2, 3, 4], "width": 2 }, "depends_on": ["first"],
                      "on_error": "continue", "arguments": { "kill": kill, "n": { "$item": "" } } },
                    { "id": "sum", "tool": "t.safe", "arguments": { "all": { "$from": "each" } } },
                ]))
                .await,
        );
        // Anywhere between the start of the server and the end of the run, and a little beyond.
        let moment = u64::from(kill.wrapping_mul(2_654_435_761) % 400);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        let key = stage.key;
        let home = stage.hub.kill();
        stage = Stage { hub: Hub::start(&home).await, key };
    }
    for (kill, run) in runs.iter().enumerate() {
        let events = stage.follow(run).await;
        let end = &events.last().expect("an end")["run"];
        let text = end.to_string();
        assert_ne!(end["status"], "running", "{text}");
        unknown += usize::from(text.contains("the outcome is unknown"));
        if !text.contains("the outcome is unknown") {
            assert_eq!(end["status"], "done", "{text}");
            let all = &end["output"]["sum"]["said"]["all"];
            let expected: Vec<Value> = (1..=4).map(|n| json!({ "said": { "kill": kill, "n": n } })).collect();
            assert_eq!(all, &Value::from(expected), "{text}");
        }
    }
    let twice: Vec<(String, usize)> =
        calls(&ledger(&stage.hub.home)).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    println!("{kills} kills, {unknown} runs with calls of which nobody knows");
}
