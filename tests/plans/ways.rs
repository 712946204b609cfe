//! The two ways of making the calls of a plan: one after the other, as an agent does, and all at once with
//! `batch_execute`.
//!
//! Tokens are a quarter of the bytes of what a model writes (name and arguments of each call, as JSON) and reads (the
//! `content` of each result). What both ways have in common is not counted: the question, the list of tools, and that an
//! agent reads all that went before again with every further turn.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::wire::Wire;

/// Bytes of text that make a token, roughly: what the hub reckons with as well.
const TOKEN_BYTES: usize = 4;

/// What came of one way, and what it took.
#[derive(Debug)]
pub(crate) struct Way {
    /// What the plan wants to have back.
    pub(crate) output: Value,
    pub(crate) wall: Duration,
    pub(crate) tokens: usize,
    /// The report of the run, if there was one.
    pub(crate) report: Value,
}

/// Makes the calls as an agent does: each when the answer of the one before has been read.
pub(crate) async fn one_by_one(wire: &Wire, plan: &Value) -> Way {
    let (mut values, mut bytes, began) = (BTreeMap::new(), 0, Instant::now());
    for step in plan["steps"].as_array().expect("steps") {
        let tool = step["tool"].as_str().expect("a name");
        let arguments = filled(&step["arguments"], &values);
        let result = call(wire, tool, arguments, &mut bytes).await;
        values.insert(step["id"].as_str().expect("an id").to_owned(), value(&result));
    }
    let wall = began.elapsed();
    Way { output: filled(&plan["output"], &values), wall, tokens: bytes / TOKEN_BYTES, report: Value::Null }
}

/// Makes them as one plan.
pub(crate) async fn planned(wire: &Wire, plan: &Value) -> Way {
    let (mut bytes, began) = (0, Instant::now());
    let mut result = call(wire, "batch_execute", plan.clone(), &mut bytes).await;
    let wall = began.elapsed();
    let mut report = result["structuredContent"].take();
    assert_eq!(report["status"], "done", "{report}");
    Way { output: report["output"].take(), wall, tokens: bytes / TOKEN_BYTES, report }
}

/// What a list of tools costs.
pub(crate) fn tokens_of<'a>(tools: impl IntoIterator<Item = &'a Value>) -> usize {
    tools.into_iter().map(|tool| tool.to_string().len()).sum::<usize>() / TOKEN_BYTES
}

async fn call(wire: &Wire, tool: &str, arguments: Value, bytes: &mut usize) -> Value {
    *bytes += json!({ "name": tool, "arguments": arguments }).to_string().len();
    let result = wire.call(&json!(1), tool, arguments).await;
    assert_ne!(result["isError"], true, "{tool}: {result}");
    *bytes += texts(&result).map(str::len).sum::<usize>();
    result
}

fn texts(result: &Value) -> impl Iterator<Item = &str> {
    result["content"].as_array().into_iter().flatten().filter_map(|item| item["text"].as_str())
}

fn value(result: &Value) -> Value {
    match result.get("structuredContent") {
        Some(structured) => structured.clone(),
        None => json!(texts(result).next().expect("a text")),
    }
}

/// Arguments as an agent would write them, who has read the values: no more of references than these plans use.
fn filled(arguments: &Value, values: &BTreeMap<String, Value>) -> Value {
    match arguments {
        Value::Object(members) if members.contains_key("$from") => {
            let value = &values[members["$from"].as_str().expect("an id")];
            let path = members.get("path").and_then(Value::as_str).unwrap_or_default();
            value.pointer(path).expect("a value").clone()
        }
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, member)| (name.clone(), filled(member, values))).collect(),
        ),
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::String(text) => json!(written(text, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => arguments.clone(),
    }
}

fn written(text: &str, values: &BTreeMap<String, Value>) -> String {
    let mut parts = text.split("{{");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once("}}").expect("its end");
        let (id, path) = reference.split_once('#').unwrap_or((reference, ""));
        let value = values[id].pointer(path).expect("a value");
        written.push_str(&value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
        written.push_str(rest);
    }
    written
}
