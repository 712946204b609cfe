//! What is in no table: ids, what stands beside arguments and results, lines that are cut, and what nobody knows.

use serde_json::{Value, json};

use crate::answers::Manner;
use crate::client::Client;
use crate::feature::Crossing;
use crate::line::Line;
use crate::stage::{Outcome, Stage, ensure};

pub(crate) async fn check(stage: &Stage, crossing: Crossing) -> Outcome {
    match crossing {
        Crossing::CompletionContext => completion_context(stage).await,
        Crossing::Disconnect => disconnect(stage).await,
        Crossing::EqualIds => equal_ids(stage).await,
        Crossing::Meta => meta(stage).await,
        Crossing::ResourceLink => resource_link(stage).await,
        Crossing::StructuredContent => structured_content(stage).await,
        Crossing::Traceparent => traceparent(stage).await,
        Crossing::UnknownMethod => unknown_method(stage).await,
        Crossing::UnknownNotification => unknown_notification(stage).await,
    }
}

async fn completion_context(stage: &Stage) -> Outcome {
    let params = json!({
        "ref": { "type": "ref/prompt", "name": "test_prompt_with_arguments" },
        "argument": { "name": "arg2", "value": "par" },
        "context": { "arguments": { "arg1": "park" } },
    });
    let talk = stage.line.ask("completion/complete", params).await?;
    let values = &talk.answer["result"]["completion"]["values"];
    ensure(*values == json!(["paris", "party"]), || format!("{talk:?}"))
}

/// In the stateless era, and where the stream is the session, it is a cancellation; in a session of Streamable HTTP the
/// call goes on.
async fn disconnect(stage: &Stage) -> Outcome {
    let line = Line::open(&stage.hub, &stage.key, stage.client).await?;
    let params = json!({ "name": "extra_hold", "arguments": { "word": "cut" } });
    let begun = |seen: &Value| seen["begun"].as_array().is_some_and(|words| words.contains(&json!("cut")));
    let (id, begins) = (json!("cut"), stage.until_seen("the call", begun));
    let begins = tokio::select! {
        ended = line.ask_as(&id, "tools/call", params, Manner::Answers) => Err(format!("it was not held: {ended:?}")),
        begins = begins => begins,
    };
    begins?;
    let end = match stage.client {
        Client::Sse | Client::Stateless => {
            drop(line);
            "cancelled"
        }
        Client::Session(_) => {
            stage.line.call("extra_release", json!({ "word": "cut" })).await?;
            stage.until_seen("the end of the call", |seen| seen["ended"].get("cut").is_some()).await?;
            line.close().await?;
            "released"
        }
    };
    stage.until_seen(&format!("that the call was {end}"), |seen| seen["ended"]["cut"] == end).await
}

/// The call that was made first is answered last; both have the same id.
async fn equal_ids(stage: &Stage) -> Outcome {
    let (id, word) = (json!(7), json!({ "word": "twice" }));
    let call = |tool: &str| {
        let params = json!({ "name": tool, "arguments": word });
        stage.line.ask_as(&id, "tools/call", params, Manner::Answers)
    };
    if stage.client == Client::Sse {
        // Two answers with one id on one stream cannot be told apart, so the other call is another client's.
        let other = Line::open(&stage.hub, &stage.key, stage.client).await?;
        let params = json!({ "name": "extra_release", "arguments": word });
        let (held, let_go) =
            tokio::join!(call("extra_hold"), other.ask_as(&id, "tools/call", params, Manner::Answers));
        return both(held?.text(), let_go?.text());
    }
    let (held, let_go) = tokio::join!(call("extra_hold"), call("extra_release"));
    both(held?.text(), let_go?.text())
}

fn both(held: &str, let_go: &str) -> Outcome {
    ensure(held == "twice: released" && let_go == "twice is let go.", || format!("{held:?}, {let_go:?}"))
}

async fn meta(stage: &Stage) -> Outcome {
    let talk = with_meta(stage, json!({ "example.org/word": { "kept": [1, null] } })).await?;
    ensure(talk.1["example.org/word"] == json!({ "kept": [1, null] }), || format!("{talk:?}"))?;
    ensure(talk.0["_meta"]["example.org/answer"] == "kept", || format!("{talk:?}"))?;
    let stateless = stage.is_modern();
    let named = talk.0["_meta"].get("io.modelcontextprotocol/serverInfo").is_some();
    ensure(named || !stateless, || format!("a result names its server in the stateless era: {talk:?}"))?;
    ensure((talk.0["resultType"] == "complete") == stateless, || format!("resultType: {talk:?}"))
}

async fn traceparent(stage: &Stage) -> Outcome {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let talk = with_meta(stage, json!({ "traceparent": trace, "tracestate": "a=1" })).await?;
    ensure(talk.1["traceparent"] == trace && talk.1["tracestate"] == "a=1", || format!("{talk:?}"))
}

/// The result of a call with this beside its arguments, and what of it has reached the server.
async fn with_meta(stage: &Stage, meta: Value) -> Result<(Value, Value), String> {
    let params = json!({ "name": "extra_meta", "arguments": {}, "_meta": meta });
    let mut talk = stage.line.ask("tools/call", params).await?;
    let reached = serde_json::from_str(talk.text()).map_err(|error| format!("{error}: {talk:?}"))?;
    Ok((talk.answer["result"].take(), reached))
}

/// A resource that is in no list is read where the link to it came from.
async fn resource_link(stage: &Stage) -> Outcome {
    let talk = stage.line.call("extra_link", json!({})).await?;
    let link = &talk.answer["result"]["content"][0];
    ensure(link["type"] == "resource_link" && link["name"] == "seven", || format!("{talk:?}"))?;
    let read = stage.line.ask("resources/read", json!({ "uri": link["uri"] })).await?;
    let content = &read.answer["result"]["contents"][0];
    ensure(content["text"] == "linked: seven" && content["uri"] == link["uri"], || format!("{read:?}"))
}

async fn structured_content(stage: &Stage) -> Outcome {
    let talk = stage.line.call("extra_structured", json!({})).await?;
    let said = &talk.answer["result"]["structuredContent"];
    let wanted = json!({ "small": 1e-7, "list": [null, true, { "nested": "Zürich" }] });
    ensure(*said == wanted && talk.text().contains("Zürich"), || format!("{talk:?}"))
}

async fn unknown_method(stage: &Stage) -> Outcome {
    refused(stage, "example/none").await
}

/// That a method does not exist: in every revision the same code, in the stateless one with a status of its own.
pub(crate) async fn refused(stage: &Stage, method: &str) -> Outcome {
    let talk = stage.line.ask(method, json!({})).await?;
    ensure(talk.answer["error"]["code"] == -32_601, || format!("-32601 is wanted: {talk:?}"))?;
    let status = match stage.client {
        Client::Sse => 202,
        Client::Session(_) => 200,
        Client::Stateless => 404,
    };
    ensure(talk.status == status, || format!("{status} is wanted: {talk:?}"))
}

/// One reaches the one server of its endpoint, in whichever era either of them is.
async fn unknown_notification(stage: &Stage) -> Outcome {
    let status = stage.line.tell("notifications/example/said", json!({ "word": "passed" })).await?;
    ensure(status == 202, || format!("202 is wanted: {status}"))?;
    let said = |seen: &Value| seen["said"]["notifications/example/said"]["word"] == "passed";
    stage.until_seen("the notification", said).await
}
