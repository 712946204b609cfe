//! What servers say unasked, and who hears it.

use std::time::Duration;

use orch_core::mcp::{ListKind, Revision};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::answers::Manner;
use crate::client::Client;
use crate::feature::News;
use crate::fixture::Face;
use crate::line::{Line, Talk, WATCHED};
use crate::stage::{Outcome, Stage, ensure};

const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// The member that says which stream a notification is of.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

pub(crate) async fn check(stage: &Stage, news: News) -> Outcome {
    match news {
        News::Cancelled => cancelled(stage).await,
        News::ElicitationComplete => elicitation_complete(stage).await,
        News::ListChanged(kind) => list_changed(stage, kind).await,
        News::Log => log(stage).await,
        News::Progress => progress(stage).await,
        News::ResourceUpdated => resource_updated(stage).await,
        News::Unknown => unknown(stage).await,
    }
}

/// A server that has withdrawn its question answers without it. A client of the older eras is told so; of the stateless
/// era it is not, since it was asked by an answer; and a server of that era has no questions to withdraw.
async fn cancelled(stage: &Stage) -> Outcome {
    let params = json!({ "name": "extra_withdraw", "arguments": {} });
    let talk = stage.line.ask_as(&json!("withdrawn"), "tools/call", params, Manner::Waits).await?;
    let told = talk.told.iter().find(|told| told["method"] == "notifications/cancelled");
    if stage.server.is_modern() {
        return ensure(talk.asked.is_empty() && told.is_none() && talk.failed(), || format!("{talk:?}"));
    }
    ensure(talk.text().contains("taken back"), || format!("the server did not take it back: {talk:?}"))?;
    if stage.is_modern() {
        return ensure(told.is_none(), || format!("{talk:?}"));
    }
    ensure(told.is_some_and(|told| told["params"]["requestId"] == talk.asked[0]["id"]), || {
        format!("the question was not withdrawn under its id: {talk:?}")
    })
}

/// 2025-11-25 alone has it.
async fn elicitation_complete(stage: &Stage) -> Outcome {
    let has = |revision: Revision| revision == Revision::V2025_11_25;
    let is_it = |said: &Value| said["method"] == "notifications/elicitation/complete";
    let mark = stage.line.mark();
    let talk = stage.line.call("extra_finish", json!({})).await?;
    if has(stage.client.revision()) && has(stage.server) {
        let said = said(stage, &talk, mark, is_it).await?;
        return ensure(said["params"]["elicitationId"] == "matrix", || said.to_string());
    }
    ensure(talk.failed() == stage.server.is_modern(), || format!("{talk:?}"))?;
    quiet(stage, &talk, mark, is_it).await
}

/// By when the news of a change that were not waited for have come.
const SETTLING: Duration = Duration::from_millis(300);

async fn list_changed(stage: &Stage, kind: ListKind) -> Outcome {
    let tool = match kind {
        ListKind::Prompts => "test_trigger_prompt_change",
        ListKind::Resources | ListKind::Templates => "extra_change_resources",
        ListKind::Tools => "test_trigger_tool_change",
    };
    let list = async || {
        let talk = stage.line.ask(kind.method(), json!({})).await?;
        Ok::<_, String>(talk.answer["result"][kind.member()].as_array().map_or(0, Vec::len))
    };
    let mut seen = Vec::from([list().await?]);
    // After a question the first of these calls starts a process of one's own, in which nothing was changed yet. That its list is
    // another than the one of before is news too, and true: if these are what was heard, the change itself is told of while
    // nobody looks, and the next change is another chance.
    for _ in 0..3 {
        let mark = stage.line.mark();
        let talk = stage.line.call(tool, json!({})).await?;
        let said = said(stage, &talk, mark, |said| said["method"] == kind.changed()).await?;
        tagged(stage, &said)?;
        let (before, after) = (seen[seen.len() - 1], list().await?);
        if before.abs_diff(after) == 1 {
            return Ok(());
        }
        seen.push(after);
        sleep(SETTLING).await;
    }
    Err(format!("one is to come or go: {seen:?}"))
}

async fn log(stage: &Stage) -> Outcome {
    let is_it = |said: &Value| said["method"] == "notifications/message";
    let mark = stage.line.mark();
    let mut params = json!({ "name": "test_logging_tool", "arguments": {} });
    if stage.is_modern() {
        let talk = stage.line.ask("tools/call", params.clone()).await?;
        quiet(stage, &talk, mark, is_it).await?;
        params["_meta"] = json!({ "io.modelcontextprotocol/logLevel": "info" });
    }
    let said = log_once(stage, mark, &params).await?;
    ensure(said["params"]["level"] == "info" && said["params"]["data"] == "Called", || said.to_string())
}

async fn progress(stage: &Stage) -> Outcome {
    for token in [json!("Zürich"), json!(u64::MAX)] {
        let params = json!({
            "name": "test_tool_with_progress", "arguments": {}, "_meta": { "progressToken": token },
        });
        let talk = stage.line.ask("tools/call", params).await?;
        let steps: Vec<&Value> = talk.told.iter().map(|told| &told["params"]["progress"]).collect();
        let own = talk.told.iter().all(|told| told["params"]["progressToken"] == token);
        ensure(own && steps == [0, 50, 100], || format!("{talk:?}"))?;
    }
    Ok(())
}

/// Sessions subscribe. A stateless client listens for it, which it does anew: the first that it listened for was asked
/// for before the hub knew the server.
async fn resource_updated(stage: &Stage) -> Outcome {
    let uri = WATCHED[0];
    let anew;
    let line = if stage.is_modern() {
        anew = Line::open(&stage.hub, &stage.key, stage.client).await?;
        &anew
    } else {
        let talk = stage.line.ask("resources/subscribe", json!({ "uri": uri })).await?;
        ensure(!talk.failed(), || format!("{talk:?}"))?;
        &stage.line
    };
    let said = touch(stage, line, uri, line.mark()).await?;
    ensure(said["params"]["uri"] == uri, || said.to_string())?;
    tagged(stage, &said)
}

/// Sessions hear it. The stateless era has no place for it but the stream of the call that it came with.
async fn unknown(stage: &Stage) -> Outcome {
    let is_it = |said: &Value| said["method"] == "notifications/example/said";
    let mark = stage.line.mark();
    let talk = stage.line.call("extra_say", json!({})).await?;
    ensure(!talk.failed(), || format!("{talk:?}"))?;
    if stage.is_modern() {
        // What other features have caused may still be on its way.
        let elsewhere = stage.line.since(mark).iter().any(is_it);
        return ensure(talk.told.iter().all(is_it) && !elsewhere, || format!("{talk:?}"));
    }
    let said = said(stage, &talk, mark, is_it).await?;
    ensure(said["params"]["word"] == "heard", || said.to_string())
}

/// Changes a resource, and waits until the client hears of it.
pub(crate) async fn touch(stage: &Stage, line: &Line, uri: &str, mark: usize) -> Result<Value, String> {
    let is_it =
        |said: &Value| said["method"] == "notifications/resources/updated" && said["params"]["uri"] == uri;
    let call = json!({ "name": "extra_touch", "arguments": { "uri": uri } });
    effect(stage, line, mark, &call, is_it).await
}

/// Makes the server log, and waits until the client hears of it.
pub(crate) async fn log_once(stage: &Stage, mark: usize, call: &Value) -> Result<Value, String> {
    effect(stage, &stage.line, mark, call, |said| said["method"] == "notifications/message").await
}

/// What a client hears because of a call. Requests to a server over HTTP overtake each other, so what it was told before
/// the call may reach it after; there the call is made until there is something to hear.
async fn effect(
    stage: &Stage,
    line: &Line,
    mark: usize,
    call: &Value,
    wanted: impl Fn(&Value) -> bool + Send + Sync,
) -> Result<Value, String> {
    let in_order = match stage.face {
        Face::Http | Face::HttpLegacy | Face::Sse => false,
        Face::Stdio | Face::StdioLegacy => true,
    };
    for _ in 0..TRIES {
        let talk = line.ask("tools/call", call.clone()).await?;
        let heard = line.since(mark);
        if let Some(said) = talk.told.iter().chain(&heard).find(|said| wanted(said)) {
            return Ok(said.clone());
        }
        if in_order {
            return line.hear_from(mark, wanted).await;
        }
        sleep(PAUSE).await;
    }
    Err(format!("not heard, however often it was said: {:?}", line.since(mark)))
}

/// What the server said: before the answer of the call, or on the standing stream.
pub(crate) async fn said(
    stage: &Stage,
    talk: &Talk,
    mark: usize,
    wanted: impl Fn(&Value) -> bool + Send + Sync,
) -> Result<Value, String> {
    match talk.told.iter().find(|told| wanted(told)) {
        Some(told) => Ok(told.clone()),
        None => stage.line.hear_from(mark, wanted).await,
    }
}

/// That a client does not hear something: it would have, by the time that it hears what was said later.
pub(crate) async fn quiet(
    stage: &Stage,
    talk: &Talk,
    mark: usize,
    unwanted: impl Fn(&Value) -> bool,
) -> Outcome {
    let later = stage.line.call("test_simple_text", json!({})).await?;
    let heard = stage.line.since(mark);
    let mut all = talk.told.iter().chain(&later.told).chain(&heard);
    ensure(!all.any(unwanted), || format!("not to be heard: {talk:?}, {heard:?}"))
}

/// A notification of a stateless client's stream names the stream, and no other does.
fn tagged(stage: &Stage, said: &Value) -> Outcome {
    let tag = said["params"]["_meta"].get(SUBSCRIPTION);
    let wanted = json!("listen");
    ensure(tag == (stage.client == Client::Stateless).then_some(&wanted), || format!("its stream: {said}"))
}
