//! What each provider is sent, and what is read from its answers.

use orch_core::planner::{Provider, Secret};
use orch_core::ports::planner::{Usage, Written};
use serde_json::json;

use crate::server::{Peer, Seen, ask, question, say};
use crate::signature;

const CHAT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
    "message":{"role":"assistant","content":"{\"steps\":[]}","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],
    "usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0}},"service_tier":"default"}"#;
const ANTHROPIC: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m",
    "content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"{\"steps\""},{"type":"text","text":":[]}"}],
    "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":19,"output_tokens":10,"cache_read_input_tokens":0}}"#;
const CONVERSE: &str = r#"{"metrics":{"latencyMs":1275},"output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"text":"hm"}}},
    {"text":"{\"steps\":[]}"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":19,"outputTokens":10,"totalTokens":29}}"#;

fn secret(text: &str) -> Secret {
    Secret(text.to_owned())
}

fn written() -> Written {
    Written { text: r#"{"steps":[]}"#.to_owned(), usage: Usage { input: 19, output: 10 }, cut: false }
}

fn messages() -> serde_json::Value {
    json!([
        {"role": "user", "content": "Goal: \"x\" – é"},
        {"role": "assistant", "content": "{}"},
        {"role": "user", "content": "mend it"},
    ])
}

fn with_system() -> serde_json::Value {
    let mut all = vec![json!({"role": "system", "content": "rules"})];
    all.extend(messages().as_array().unwrap().iter().cloned());
    all.into()
}

fn is_json_post(seen: &Seen) {
    assert_eq!((&*seen.verb, seen.header("content-type")), ("POST", "application/json"));
}

#[tokio::test]
async fn a_chat_completion_may_be_in_parts_and_what_is_refused_is_told_in_the_words_of_the_model() {
    let parts = r#"[{"type":"text","text":"{\"steps\""},{"type":"image_url"},{"type":"text","text":":[]}"}]"#;
    let refusal =
        r#"null,"refusal":"I can't help with that","annotations":[]},"logprobs":null,"finish_reason":"stop""#;
    let text = r#""{\"steps\":[]}""#;
    let refused = Written { text: r#"{"impossible":"I can't help with that"}"#.to_owned(), ..written() };
    let whole = format!(r#"{text},"refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop""#);
    for (answer, expected) in
        [(CHAT.replace(text, parts), written()), (CHAT.replace(&whole, refusal), refused)]
    {
        let peer = Peer::acting([say(200, &answer)]).await;
        let provider = Provider::OpenAi { url: Some(peer.url.clone()), key: None };
        assert_eq!(ask(question(provider)).await, Ok(expected), "{answer}");
    }
}

#[tokio::test]
async fn chat_completions_are_asked_for_with_a_bearer_token_or_none() {
    for key in [Some("s3cret"), None] {
        let peer = Peer::acting([say(200, CHAT)]).await;
        let url = Some(format!("{}/v1/", peer.url));
        let provider = Provider::OpenAi { url, key: key.map(secret) };
        assert_eq!(ask(question(provider)).await, Ok(written()));
        let seen = peer.only();
        is_json_post(&seen);
        assert_eq!(seen.target, "/v1/chat/completions");
        let expected = key.map(|key| format!("Bearer {key}"));
        assert_eq!(seen.headers.get("authorization").map(|it| it.to_str().unwrap().to_owned()), expected);
        let body =
            json!({"model": "the-model", "messages": with_system(), "max_tokens": 300, "stream": false});
        assert_eq!(seen.json(), body);
    }
}

#[tokio::test]
async fn azure_wants_its_own_header_and_a_version_where_its_address_has_one() {
    for (path, version, target, bound) in [
        ("/models", None, "/models/chat/completions?api-version=2024-05-01-preview", "max_tokens"),
        ("/models/", Some("2026-01-01"), "/models/chat/completions?api-version=2026-01-01", "max_tokens"),
        ("/openai/v1", None, "/openai/v1/chat/completions", "max_completion_tokens"),
    ] {
        let peer = Peer::acting([say(200, CHAT)]).await;
        let (url, api_version) = (format!("{}{path}", peer.url), version.map(str::to_owned));
        let provider = Provider::Azure { url, api_version, key: secret("s3cret") };
        assert_eq!(ask(question(provider)).await, Ok(written()));
        let seen = peer.only();
        is_json_post(&seen);
        assert_eq!((&*seen.target, seen.header("api-key")), (target, "s3cret"));
        assert!(!seen.headers.contains_key("authorization"));
        let body = json!({"model": "the-model", "messages": with_system(), bound: 300, "stream": false});
        assert_eq!(seen.json(), body);
    }
}

#[tokio::test]
async fn a_model_of_openai_that_thinks_gets_its_bound_by_its_new_name_wherever_azure_has_it() {
    for (path, model, bound, extra) in [
        ("/models", "gpt-5-mini", "max_completion_tokens", Some("pass-through")),
        ("/models/", "o3", "max_completion_tokens", Some("pass-through")),
        ("/models", "gpt-4o", "max_tokens", None),
        ("/openai/deployments/x", "o3", "max_completion_tokens", None),
        ("/openai/v1", "mistral-large-2411", "max_completion_tokens", None),
    ] {
        let peer = Peer::acting([say(200, CHAT)]).await;
        let provider =
            Provider::Azure { url: format!("{}{path}", peer.url), api_version: None, key: secret("s3cret") };
        let question = orch_core::ports::planner::Question { model: model.to_owned(), ..question(provider) };
        assert_eq!(ask(question).await, Ok(written()));
        let seen = peer.only();
        let body = json!({"model": model, "messages": with_system(), bound: 300, "stream": false});
        assert_eq!(seen.json(), body, "{path} {model}");
        let sent = seen.headers.get("extra-parameters").map(|it| it.to_str().unwrap());
        assert_eq!(sent, extra, "{path} {model}");
    }
}

#[tokio::test]
async fn anthropic_wants_a_version_and_the_rules_beside_the_messages() {
    let peer = Peer::acting([say(200, ANTHROPIC)]).await;
    let provider = Provider::Anthropic { url: Some(peer.url.clone()), key: secret("s3cret") };
    assert_eq!(ask(question(provider)).await, Ok(written()));
    let seen = peer.only();
    is_json_post(&seen);
    assert_eq!(seen.target, "/v1/messages");
    assert_eq!((seen.header("x-api-key"), seen.header("anthropic-version")), ("s3cret", "2023-06-01"));
    let body = json!({"model": "the-model", "max_tokens": 300, "system": "rules", "messages": messages()});
    assert_eq!(seen.json(), body);
}

#[tokio::test]
async fn bedrock_is_asked_with_a_good_signature_also_with_temporary_credentials() {
    for (model, target, token) in [
        ("anthropic.claude-v2:1", "/model/anthropic.claude-v2%3A1/converse", None),
        (
            "arn:aws:bedrock:eu-1:1:inference-profile/p",
            "/model/arn%3Aaws%3Abedrock%3Aeu-1%3A1%3Ainference-profile%2Fp/converse",
            Some("t0ken/+="),
        ),
    ] {
        let peer = Peer::acting([say(200, CONVERSE)]).await;
        let provider = Provider::Bedrock {
            region: "eu-central-1".to_owned(),
            url: Some(peer.url.clone()),
            access_key: secret("AKID"),
            secret_key: secret("s3cret/key"),
            session_token: token.map(secret),
        };
        let question = orch_core::ports::planner::Question { model: model.to_owned(), ..question(provider) };
        assert_eq!(ask(question).await, Ok(written()));
        let seen = peer.only();
        is_json_post(&seen);
        assert_eq!(seen.target, target);
        assert!(signature::is_good(&seen, "s3cret/key"), "{seen:?}");
        assert!(!signature::is_good(&seen, "another"));
        let scope = "Credential=AKID/20260728/eu-central-1/bedrock/aws4_request";
        assert!(seen.header("authorization").contains(scope), "{seen:?}");
        assert_eq!(seen.headers.get("x-amz-security-token").map(|it| it.to_str().unwrap()), token);
        let block = |role: &str, text: &str| json!({"role": role, "content": [{"text": text}]});
        let body = json!({
            "messages": [block("user", "Goal: \"x\" – é"), block("assistant", "{}"), block("user", "mend it")],
            "system": [{"text": "rules"}],
            "inferenceConfig": {"maxTokens": 300},
        });
        assert_eq!(seen.json(), body);
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_off_says_so() {
    let anthropic = |url| Provider::Anthropic { url: Some(url), key: secret("k") };
    let openai = |url| Provider::OpenAi { url: Some(url), key: None };
    let peer = Peer::acting([say(200, &ANTHROPIC.replace("end_turn", "max_tokens"))]).await;
    assert!(ask(question(anthropic(peer.url))).await.unwrap().cut);
    let peer = Peer::acting([say(200, &CHAT.replace(r#""stop""#, r#""length""#))]).await;
    assert!(ask(question(openai(peer.url))).await.unwrap().cut);
}

#[tokio::test]
async fn a_model_that_was_stopped_for_what_it_said_makes_no_plan_and_the_reason_is_told() {
    let anthropic = |url| Provider::Anthropic { url: Some(url), key: secret("k") };
    let openai = |url| Provider::OpenAi { url: Some(url), key: None };
    let peer = Peer::acting([say(200, &ANTHROPIC.replace("end_turn", "refusal"))]).await;
    let said = ask(question(anthropic(peer.url))).await.unwrap();
    assert_eq!(said.text, r#"{"impossible":"the model was stopped (refusal): {\"steps\":[]}"}"#);
    let filtered = CHAT.replace(r#""stop""#, r#""content_filter""#).replace(r#""{\"steps\":[]}""#, "null");
    let peer = Peer::acting([say(200, &filtered)]).await;
    let said = ask(question(openai(peer.url))).await.unwrap();
    assert_eq!(said.text, r#"{"impossible":"the model was stopped (content_filter)"}"#);
}
