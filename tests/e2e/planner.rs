//! Goals in words, from a client to a model and back: the real binary and a real server, with an HTTP server that plays the
//! model.

use std::convert::Infallible;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::binary;
use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{self, run, succeed, text};
use crate::wire::Wire;

const SECRET: &str = "s3cret-of-the-planner";
const QUICK: Duration = Duration::from_secs(30);

/// What the model writes for a conversation: the system's words left out.
type Mind = fn(&[Value]) -> String;

/// A model that answers until it goes out of scope.
struct Model {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Model {
    async fn with(mind: Mind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("its address"));
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&heads);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let heads = Arc::clone(&kept);
                let serve = service_fn(move |request| answer(request, mind, Arc::clone(&heads)));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
                connections.spawn(async move { drop(connection.await) });
            }
        });
        Self { url, heads, _serving: serving }
    }

    /// The lines that requests began with, and their credentials.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("the heads").clone()
    }

    fn planner(&self) -> Value {
        json!({"provider": "openai", "model": "m", "url": self.url, "apiKey": "${PLANNER_KEY}"})
    }
}

async fn answer(
    request: Request<Incoming>,
    mind: Mind,
    heads: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let bearer = request.headers().get("authorization").and_then(|it| it.to_str().ok()).unwrap_or("none");
    heads.lock().expect("the heads").push(format!("{} {bearer}", request.uri()));
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let messages = body["messages"].as_array().expect("messages");
    let written = mind(&messages[1..]);
    let completion = json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": written}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    });
    Ok(Response::new(Full::new(Bytes::from(completion.to_string()))))
}

/// The goal at the end of what the user has said first.
fn goal(conversation: &[Value]) -> &str {
    let said = conversation[0]["content"].as_str().expect("words");
    said.rsplit("\nGoal: ").next().expect("a goal")
}

impl Home {
    /// Writes a configuration with somebody who makes plans.
    pub(crate) fn configure_planner(&self, servers: &[(&str, Server)], planner: &Value) {
        let config = json!({ "mcpServers": self.entries(servers), "planner": planner });
        self.write_config(&config.to_string());
    }
}

fn with_key(command: &mut Command) -> &mut Command {
    command.env("PLANNER_KEY", SECRET)
}

async fn hub(planner: &Value) -> (Hub, Wire) {
    let home = Home::new();
    home.configure_planner(&[("everything", Server::everything())], planner);
    let hub = Hub::start_with(&home, with_key).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    // Until it was seen once, it has no tools.
    wire.tools().await;
    (hub, wire)
}

/// Plans a sum, and is told that its first plan has a fault.
fn adds(conversation: &[Value]) -> String {
    let tool = if conversation.len() == 1 { "everything.get-summ" } else { "everything.get-sum" };
    let steps = json!([
        {"id": "sum", "tool": tool, "arguments": {"a": 2, "b": 3}},
        {"id": "echo", "tool": "everything.echo", "arguments": {"message": "{{sum}}"}},
    ]);
    format!("Sure!\n```json\n{}\n```", json!({"steps": steps, "output": {"$from": "echo"}}))
}

#[tokio::test]
async fn a_goal_is_planned_mended_run_and_kept() {
    let model = Model::with(adds).await;
    let (hub, wire) = hub(&model.planner()).await;
    let goal = json!({"goal": "Add 2 and 3 and echo the answer."});
    for asked in [2, 2] {
        let result = wire.call(&json!(7), "batch_execute", goal.clone()).await;
        assert_eq!(result["structuredContent"]["status"], "done", "{result}");
        let output = result["structuredContent"]["output"].as_str().expect("a text");
        assert!(output.contains("sum of 2 and 3 is 5"), "{output}");
        let expected = format!("/v1/chat/completions Bearer {SECRET}");
        assert_eq!(model.heads(), vec![expected; asked]);
    }
    let said = hub.log();
    assert!(said.contains("tokens for a plan"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}

#[tokio::test]
async fn a_planner_is_changed_in_the_file_while_the_hub_runs() {
    let model = Model::with(adds).await;
    let (hub, wire) = hub(&json!({"provider": "client"})).await;
    let goal = json!({"goal": "Add 2 and 3 and echo the answer.", "dry_run": true});
    let result = wire.call(&json!(7), "batch_execute", goal.clone()).await;
    assert!(result["content"][0]["text"].to_string().contains("no planner is configured"), "{result}");
    hub.home.configure_planner(&[("everything", Server::everything())], &model.planner());
    let mut planned = Value::Null;
    for _ in 0..50 {
        planned = wire.call(&json!(8), "batch_execute", goal.clone()).await;
        if planned["isError"] != true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(planned["structuredContent"]["planned"]["steps"][1]["tool"], "everything.echo", "{planned}");
}

#[tokio::test]
async fn on_the_command_line_a_goal_that_nobody_agreed_to_was_not_begun() {
    let model = Model::with(adds).await;
    let mut planner = model.planner();
    planner["confirm"] = true.into();
    let (hub, _) = hub(&planner).await;
    let key = hub.create_key().await;
    let path = hub.home.path().join("goal.json");
    for (dry_run, status) in [(false, 1), (true, 0)] {
        let goal = json!({"goal": "Add 2 and 3 and echo the answer.", "dry_run": dry_run});
        std::fs::write(&path, goal.to_string()).expect("a file");
        let mut command = process::command(binary::hub());
        hub.home.mark(&mut command);
        command.args(["batch", "run"]).arg(&path).env("MCP_ORCH_KEY", &key).env("MCP_ORCH_URL", &hub.url);
        let ended =
            tokio::task::spawn_blocking(move || command.output()).await.expect("an end").expect("it runs");
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        assert!(text(&ended.stdout).contains("everything.get-sum"), "the plan is shown: {ended:?}");
    }
}

/// Plans the goals about time: three well, one never, and one with needless order.
fn knows_the_time(conversation: &[Value]) -> String {
    let now = |id: &str, zone: &str| json!({"id": id, "tool": "time.get_current_time", "arguments": {"timezone": zone}});
    let steps = match goal(conversation) {
        it if it.starts_with("What time is it in Tokyo") => json!([now("t", "Asia/Tokyo")]),
        it if it.starts_with("It is 14:30") => return "I do not plan such things.".to_owned(),
        it if it.starts_with("Give me the current time") => {
            json!([now("a", "Asia/Tokyo"), now("b", "Europe/London"), now("c", "America/New_York")])
        }
        it if it.starts_with("Take the current time") => {
            let to = json!({"source_timezone": "Asia/Tokyo", "time": {"$from": "t", "path": "/datetime"}, "target_timezone": "Europe/Paris"});
            let convert = json!({"id": "c", "tool": "time.convert_time", "arguments": to});
            if conversation.len() == 1 { json!([convert]) } else { json!([now("t", "Asia/Tokyo"), convert]) }
        }
        it if it.starts_with("Write the current time") => {
            let write = json!({"path": "/data/now.txt", "content": "12:00"});
            json!([now("t", "UTC"), {"id": "w", "tool": "filesystem.write_file", "arguments": write}])
        }
        other => panic!("{other}"),
    };
    json!({"steps": steps}).to_string()
}

#[tokio::test]
async fn plan_eval_measures_the_configured_model() {
    let model = Model::with(knows_the_time).await;
    let home = Home::new();
    home.configure_planner(&[], &model.planner());
    let eval = |words: &[&str]| {
        let mut command = home.command(&[&["plan", "eval"], words].concat());
        with_key(&mut command);
        command
    };
    let report = succeed(eval(&["--only", "time-", "--json"]), QUICK).await;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["model"], "m");
    let rows = report["goals"].as_array().expect("rows");
    let seen: Vec<(&str, bool, bool, bool, u64)> = rows
        .iter()
        .map(|row| {
            let flag = |name: &str| row[name].as_bool().expect("a flag");
            let id = row["id"].as_str().expect("an id");
            (id, flag("valid"), flag("tools"), flag("edges"), row["questions"].as_u64().expect("a number"))
        })
        .collect();
    let expected = [
        ("time-now", true, true, true, 1),
        ("time-convert", false, false, false, 2),
        ("time-three", true, true, true, 1),
        ("time-chain", true, true, true, 2),
        ("time-note", true, true, false, 1),
    ];
    assert_eq!(seen, expected, "{report:#}");
    let total = &report["total"];
    assert_eq!((&total["planned"], &total["percent"]), (&json!(3), &json!(60)));
    assert_eq!((&total["questions"], &total["input_tokens"]), (&json!(7), &json!(7000)));
    let table = succeed(eval(&["--only", "time-now"]), QUICK).await;
    assert!(table.starts_with("GOAL") && table.contains("1 of 1 planned (100 %)"), "{table}");
    let mut doctor = home.program(&["doctor"]);
    with_key(&mut doctor);
    let healthy = text(&run(doctor, QUICK).await.stdout);
    assert!(healthy.contains("ok   planner: openai m"), "{healthy}");
    let ill = text(&run(home.program(&["doctor"]), QUICK).await.stdout);
    assert!(ill.contains("FAIL planner: no such variable is set: PLANNER_KEY"), "{ill}");
    let mut keyless = eval(&[]);
    keyless.env_remove("PLANNER_KEY");
    let failed = run(keyless, QUICK).await;
    assert!(!failed.status.success());
    let said = text(&failed.stderr);
    assert!(said.contains("PLANNER_KEY"), "{said}");
}
