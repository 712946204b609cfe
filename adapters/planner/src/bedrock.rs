//! The Converse interface of AWS Bedrock, signed.

use http::header::{AUTHORIZATION, HeaderName};
use orch_core::planner::{Provider, Secret};
use orch_core::ports::planner::{PlannerFault, PlannerFaultKind, Question, Usage, Written};
use serde::Deserialize;
use serde_json::json;

use crate::exchange::Outgoing;
use crate::fault::fault;
use crate::sigv4::{Key, Moment, Signed, encoded};
use crate::stop;

const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";

pub(crate) fn request(question: &Question) -> Result<Outgoing, PlannerFault> {
    let Provider::Bedrock { region, url, access_key, secret_key, session_token } = &question.spec.provider
    else {
        return Err(fault(PlannerFaultKind::Misconfigured, "this is no planner of Bedrock"));
    };
    let own = || format!("https://bedrock-runtime.{region}.amazonaws.com");
    let base = url.clone().unwrap_or_else(own);
    // A model may be named by an ARN, in which there are colons and a slash.
    let target = format!("{}/model/{}/converse", base.trim_end_matches('/'), encoded(&question.model));
    let turns = question.prompt.turns.iter();
    let messages: Vec<_> =
        turns.map(|turn| json!({"role": turn.role.name(), "content": [{"text": turn.text}]})).collect();
    let body = json!({
        "messages": messages,
        "system": [{"text": question.prompt.system}],
        "inferenceConfig": {"maxTokens": question.max_tokens},
    });
    let outgoing = Outgoing::new(&target, &body)?;
    sign(outgoing, region, question, (access_key, secret_key, session_token.as_ref()))
}

fn sign(
    outgoing: Outgoing,
    region: &str,
    question: &Question,
    (access_key, secret_key, token): (&Secret, &Secret, Option<&Secret>),
) -> Result<Outgoing, PlannerFault> {
    let moment = Moment::of(question.at.0);
    let host = outgoing.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default().to_owned();
    let mut headers = vec![("content-type", "application/json"), ("host", &*host), (DATE, &*moment.whole)];
    headers.extend(token.map(|token| (TOKEN, &*token.0)));
    let key = Key { id: &access_key.0, secret: &secret_key.0, region, service: "bedrock" };
    let (path, body) = (outgoing.uri.path().to_owned(), outgoing.body.clone());
    let signed = Signed { method: "POST", path: &path, query: "", headers: &headers, body: &body };
    let authorization = Secret(signed.authorization(&key, &moment));
    let mut outgoing = outgoing.with_secret(AUTHORIZATION, "", &authorization)?;
    let date = Secret(moment.whole);
    outgoing = outgoing.with_secret(HeaderName::from_static(DATE), "", &date)?;
    if let Some(token) = token {
        outgoing = outgoing.with_secret(HeaderName::from_static(TOKEN), "", token)?;
    }
    // The date is none, and would tear words apart.
    outgoing.secrets.retain(|secret| *secret != date.0);
    outgoing.secrets.push(secret_key.0.clone());
    Ok(outgoing)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    output: Output,
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Tokens,
}

#[derive(Deserialize)]
struct Output {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Vec<Block>,
}

/// Of a block that is no text (what a model thinks), nothing is read.
#[derive(Deserialize)]
struct Block {
    text: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

pub(crate) fn read(body: &[u8]) -> Option<Written> {
    let Response { output, stop_reason, usage } = serde_json::from_slice(body).ok()?;
    let text = output.message.content.into_iter().filter_map(|block| block.text).collect();
    let usage = Usage { input: usage.input_tokens, output: usage.output_tokens };
    Some(stop::written(text, usage, stop_reason.as_deref()))
}
