//! The rows of the method table: what a revision has does what it has to, and what it does not have is refused.

use orch_core::mcp::{ListKind, Method, Row, TABLE};
use serde_json::{Value, json};

use crate::answers::Manner;
use crate::crossings::refused;
use crate::line::{Line, WATCHED};
use crate::news::{log_once, quiet, touch};
use crate::stage::{Outcome, Stage, ensure};

pub(crate) async fn check(stage: &Stage, name: &str) -> Outcome {
    let row = TABLE.iter().find(|row| row.name == name).expect("a row of the table");
    match Row::find(name, stage.client.revision()) {
        Some(_) => present(stage, row).await,
        // To a server that may know it, as any unknown request.
        None if matches!(row.method, Method::Tasks(_)) => of_no_task(stage, name).await,
        None => absent(stage, row).await,
    }
}

async fn present(stage: &Stage, row: &Row) -> Outcome {
    match row.method {
        Method::Cancelled => cancelled(stage).await,
        Method::Complete => complete(stage).await,
        Method::Discover => discover(stage).await,
        Method::Initialize => initialize(stage),
        Method::Initialized => initialized(stage).await,
        Method::Listen => listen(stage),
        Method::Ping => ping(stage).await,
        Method::Progress => progress(stage).await,
        Method::PromptsGet => prompts_get(stage).await,
        Method::PromptsList => list(stage, ListKind::Prompts, "test_simple_prompt").await,
        Method::ResourcesList => list(stage, ListKind::Resources, "static-text").await,
        Method::ResourcesRead => resources_read(stage).await,
        Method::ResourcesSubscribe => subscribe(stage).await,
        Method::ResourcesUnsubscribe => unsubscribe(stage).await,
        Method::RootsChanged => roots_changed(stage).await,
        Method::SetLevel => set_level(stage).await,
        Method::Tasks(_) => of_no_task(stage, row.name).await,
        Method::TemplatesList => list(stage, ListKind::Templates, "linked").await,
        Method::ToolsCall => tools_call(stage).await,
        Method::ToolsList => list(stage, ListKind::Tools, "extra_ask").await,
    }
}

/// Within one era the name of a task is missing, or, in the stateless one, the word of the client that it knows the extension; in
/// another there are none.
async fn of_no_task(stage: &Stage, method: &str) -> Outcome {
    let talk = stage.line.ask(method, json!({})).await?;
    let code = &talk.answer["error"]["code"];
    let is_wanted = [-32_601, -32_602, -32_021].iter().any(|wanted| *code == *wanted);
    ensure(is_wanted, || format!("-32601, -32602 or -32021 is wanted: {talk:?}"))
}

/// A request is refused. A notification is taken, as all are, and nothing comes of it.
async fn absent(stage: &Stage, row: &Row) -> Outcome {
    if row.request {
        return refused(stage, row.name).await;
    }
    let before = stage.seen().await?;
    let status = stage.line.tell(row.name, json!({})).await?;
    let after = stage.seen().await?;
    ensure(status == 202 && before == after, || format!("{status}: {before}, {after}"))
}

/// Over HTTP, the stateless era cancels by closing the stream: whoever guesses an id must not cancel another's call.
async fn cancelled(stage: &Stage) -> Outcome {
    let (id, word) = (json!("given up"), json!({ "word": "given up" }));
    let params = json!({ "name": "extra_hold", "arguments": word });
    let call = stage.line.ask_as(&id, "tools/call", params, Manner::Answers);
    let begun = |seen: &Value| seen["begun"].as_array().is_some_and(|words| words.contains(&id));
    let cancel = async {
        stage.until_seen("the call", begun).await?;
        let status = stage.line.tell("notifications/cancelled", json!({ "requestId": id })).await?;
        ensure(status == 202, || format!("202 is wanted: {status}"))?;
        if stage.is_modern() {
            return stage.line.call("extra_release", word.clone()).await.map(drop);
        }
        stage.until_seen("that the call is cancelled", |seen| seen["ended"]["given up"] == "cancelled").await
    };
    if stage.is_modern() {
        let (answer, cancelled) = tokio::join!(call, cancel);
        let answer = answer?;
        cancelled?;
        return ensure(answer.text() == "given up: released", || format!("{answer:?}"));
    }
    tokio::pin!(call);
    let mut cancel = Box::pin(cancel);
    tokio::select! {
        done = &mut cancel => done,
        // Over Streamable HTTP the exchange ends without an answer.
        answer = &mut call => match answer {
            Ok(talk) => Err(format!("an answer came: {talk:?}")),
            Err(_) => cancel.await,
        },
    }
}

async fn complete(stage: &Stage) -> Outcome {
    let params = json!({
        "ref": { "type": "ref/prompt", "name": "test_prompt_with_arguments" },
        "argument": { "name": "arg1", "value": "par" },
    });
    let talk = stage.line.ask("completion/complete", params).await?;
    let values = &talk.answer["result"]["completion"]["values"];
    ensure(*values == json!(["paris", "park", "party"]), || format!("{talk:?}"))
}

async fn discover(stage: &Stage) -> Outcome {
    let talk = stage.line.ask("server/discover", json!({})).await?;
    let result = &talk.answer["result"];
    let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    let whole = result["supportedVersions"] == json!(["2026-07-28"])
        && result["capabilities"]["tools"].is_object()
        && result["ttlMs"].is_u64()
        && info["name"] == "conformance-fixture";
    ensure(whole, || format!("{talk:?}"))
}

fn initialize(stage: &Stage) -> Outcome {
    let hello = &stage.line.hello;
    let whole = hello["protocolVersion"] == stage.client.revision().date()
        && hello["serverInfo"]["name"] == "conformance-fixture"
        && ["completions", "logging", "prompts", "resources", "tools"]
            .iter()
            .all(|name| hello["capabilities"][name].is_object());
    ensure(whole, || hello.to_string())
}

/// Another client is let in, and works.
async fn initialized(stage: &Stage) -> Outcome {
    let line = Line::open(&stage.hub, &stage.key, stage.client).await?;
    let talk = line.ask("ping", json!({})).await?;
    ensure(talk.answer["result"].is_object(), || format!("{talk:?}"))?;
    line.close().await
}

fn listen(stage: &Stage) -> Outcome {
    let hello = &stage.line.hello;
    let honoured = &hello["params"]["notifications"];
    let whole = hello["method"] == "notifications/subscriptions/acknowledged"
        && hello["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "listen"
        && honoured["toolsListChanged"] == true
        && honoured["promptsListChanged"] == true
        && honoured["resourcesListChanged"] == true
        && honoured["resourceSubscriptions"] == json!(WATCHED);
    ensure(whole, || hello.to_string())
}

async fn ping(stage: &Stage) -> Outcome {
    let talk = stage.line.ask("ping", json!({})).await?;
    ensure(talk.answer["result"] == json!({}), || format!("{talk:?}"))
}

/// A client reports progress on what a server has asked, where servers ask by requests.
async fn progress(stage: &Stage) -> Outcome {
    if stage.is_modern() || stage.server.is_modern() {
        let note = json!({ "progressToken": 1, "progress": 1 });
        let status = stage.line.tell("notifications/progress", note).await?;
        let seen = stage.seen().await?;
        return ensure(status == 202 && seen["progress"] == json!([]), || format!("{status}: {seen}"));
    }
    let params = json!({ "name": "extra_think", "arguments": {} });
    let talk = stage.line.ask_as(&json!("think"), "tools/call", params, Manner::Reports).await?;
    ensure(talk.text() == "It is at 1.", || format!("{talk:?}"))
}

async fn prompts_get(stage: &Stage) -> Outcome {
    let arguments = json!({ "arg1": "a", "arg2": "b" });
    let params = json!({ "name": "test_prompt_with_arguments", "arguments": arguments });
    let talk = stage.line.ask("prompts/get", params).await?;
    let text = &talk.answer["result"]["messages"][0]["content"]["text"];
    ensure(*text == "Prompt with arguments: arg1='a', arg2='b'", || format!("{talk:?}"))
}

async fn list(stage: &Stage, kind: ListKind, wanted: &str) -> Outcome {
    let talk = stage.line.ask(kind.method(), json!({})).await?;
    let result = &talk.answer["result"];
    let items = result[kind.member()].as_array();
    let there = items.is_some_and(|items| items.iter().any(|item| item["name"] == wanted));
    ensure(there, || format!("no {wanted} in {talk:?}"))?;
    ensure(result["ttlMs"].is_u64() == stage.is_modern(), || format!("ttlMs: {talk:?}"))
}

async fn resources_read(stage: &Stage) -> Outcome {
    let talk = stage.line.ask("resources/read", json!({ "uri": "test://template/9/data" })).await?;
    let content = &talk.answer["result"]["contents"][0];
    let whole = content["uri"] == "test://template/9/data"
        && content["text"].as_str().is_some_and(|text| text.contains("Data for ID: 9"));
    ensure(whole, || format!("{talk:?}"))
}

async fn subscribe(stage: &Stage) -> Outcome {
    let (mark, uri) = (stage.line.mark(), WATCHED[0]);
    let talk = stage.line.ask("resources/subscribe", json!({ "uri": uri })).await?;
    ensure(talk.answer["result"] == json!({}), || format!("{talk:?}"))?;
    touch(stage, &stage.line, uri, mark).await.map(drop)
}

/// After it nothing is heard of the one resource, while another one is.
async fn unsubscribe(stage: &Stage) -> Outcome {
    for (method, uri) in [
        ("resources/subscribe", WATCHED[0]),
        ("resources/subscribe", WATCHED[1]),
        ("resources/unsubscribe", WATCHED[0]),
    ] {
        let talk = stage.line.ask(method, json!({ "uri": uri })).await?;
        ensure(talk.answer["result"] == json!({}), || format!("{method}: {talk:?}"))?;
    }
    let mark = stage.line.mark();
    stage.line.call("extra_touch", json!({ "uri": WATCHED[0] })).await?;
    touch(stage, &stage.line, WATCHED[1], mark).await?;
    let heard = stage.line.since(mark);
    ensure(!heard.iter().any(|said| said["params"]["uri"] == WATCHED[0]), || format!("{heard:?}"))
}

/// It reaches the servers of the eras that have it.
async fn roots_changed(stage: &Stage) -> Outcome {
    let before = stage.seen().await?["rootsChanged"].as_u64().unwrap_or_default();
    let status = stage.line.tell("notifications/roots/list_changed", json!({})).await?;
    ensure(status == 202, || format!("202 is wanted: {status}"))?;
    let wanted = before + u64::from(!stage.server.is_modern());
    stage.until_seen(&format!("{wanted} changes of roots"), |seen| seen["rootsChanged"] == wanted).await
}

async fn set_level(stage: &Stage) -> Outcome {
    let is_log = |said: &Value| said["method"] == "notifications/message";
    let mark = stage.line.mark();
    for (level, heard) in [("error", false), ("debug", true)] {
        let talk = stage.line.ask("logging/setLevel", json!({ "level": level })).await?;
        ensure(talk.answer["result"] == json!({}), || format!("{talk:?}"))?;
        if heard {
            log_once(stage, mark, &json!({ "name": "test_logging_tool", "arguments": {} })).await?;
        } else {
            let talk = stage.line.call("test_logging_tool", json!({})).await?;
            quiet(stage, &talk, mark, is_log).await?;
        }
    }
    let talk = stage.line.ask("logging/setLevel", json!({ "level": "loud" })).await?;
    ensure(talk.answer["error"]["code"] == -32_602, || format!("-32602 is wanted: {talk:?}"))
}

async fn tools_call(stage: &Stage) -> Outcome {
    let talk = stage.line.call("test_multiple_content_types", json!({})).await?;
    let content = talk.answer["result"]["content"].as_array();
    let kinds: Vec<&Value> =
        content.iter().flat_map(|items| items.iter().map(|item| &item["type"])).collect();
    ensure(kinds == ["text", "image", "resource"], || format!("{talk:?}"))?;
    let failed = stage.line.call("test_error_handling", json!({})).await?;
    ensure(failed.answer["result"]["isError"] == true, || format!("{failed:?}"))?;
    let unknown = stage.line.call("no_such_tool", json!({})).await?;
    ensure(unknown.answer["error"]["code"] == -32_602, || format!("-32602 is wanted: {unknown:?}"))
}
