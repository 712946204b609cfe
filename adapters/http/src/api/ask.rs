//! From a request of the REST interface to the call of a tool of the hub, in the era without sessions. Pure.

use std::fmt;

use http::Method;
use orch_core::Rejection;
use orch_core::ports::gateway::ProtocolHeaders;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::route::What;

const VERSION: &str = "2026-07-28";

/// A call of a tool.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) tool: &'static str,
    /// Raw JSON of an object.
    arguments: String,
    /// Whether each step that changes is to be told.
    follows: bool,
}

/// What a run is asked to do is in the path: a body may be there, and says nothing.
pub(crate) fn says_nothing(body: &[u8]) -> Result<(), Rejection> {
    let is_nothing = body.trim_ascii().is_empty()
        || serde_json::from_slice(body).is_ok_and(|Members(members)| members.is_empty());
    if is_nothing {
        return Ok(());
    }
    Err(Rejection::InvalidParams("this request takes no body, or the body {}".to_owned()))
}

/// What a plan says of how it is to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) dry_run: bool,
    pub(crate) background: bool,
}

impl Ask {
    /// The call that a request without a plan stands for.
    pub(crate) fn of(what: What<'_>, method: &Method, query: &str) -> Result<Self, Rejection> {
        let run = |run: &str| format!("\"run\":{}", text(run));
        // What is misspelt, or meant for the body, is not passed over: a plan would run that was only to be checked.
        let alone = |first: String| members(Some(first), query, &[]);
        let (tool, arguments, follows) = match what {
            What::Batches if method == Method::GET => {
                ("batch_status", members(None, query, &[("limit", Some(1)), ("cursor", None)])?, false)
            }
            What::Batches => ("batch_execute", members(None, query, &[])?, false),
            What::Batch(id) => ("batch_status", alone(run(id))?, false),
            What::Cancel(id) => ("batch_cancel", alone(run(id))?, false),
            What::Events(id) => ("batch_status", alone(format!("{},\"wait\":true", run(id)))?, true),
            What::Result(id, step) => {
                let step = step.map_or_else(String::new, |step| format!(",\"step\":{}", text(step)));
                let known = [("path", None), ("search", None), ("offset", Some(0)), ("length", Some(1))];
                ("read_result", members(Some(format!("{}{step}", run(id))), query, &known)?, false)
            }
            What::Retry(id) => ("batch_retry", alone(format!("{},\"background\":true", run(id)))?, false),
        };
        Ok(Self { tool, arguments: format!("{{{arguments}}}"), follows })
    }

    /// A plan is begun in the background: its run does not depend on who asks.
    pub(crate) fn execute(body: &[u8]) -> Result<(Self, Manner), Rejection> {
        let Members(plan) = serde_json::from_slice(body)
            .map_err(|_| Rejection::InvalidParams("the body is a plan: a JSON object".to_owned()))?;
        let mut manner = Manner::default();
        let mut arguments: Vec<String> = Vec::new();
        let mut is_said = false;
        for (name, value) in plan {
            let flag = value.get() == "true";
            let mut value = value.get();
            match &*name {
                "dry_run" => manner.dry_run = flag,
                "background" => {
                    manner.background = flag;
                    is_said = true;
                    // What is neither goes to the hub, which refuses it with all other faults; null says nothing.
                    value = if matches!(value, "false" | "null") { "true" } else { value };
                }
                _ => {}
            }
            arguments.push(format!("{}:{value}", text(&name)));
        }
        if !is_said {
            arguments.push("\"background\":true".to_owned());
        }
        let arguments = format!("{{{}}}", arguments.join(","));
        Ok((Self { tool: "batch_execute", arguments, follows: false }, manner))
    }

    /// Asks for the end of a run.
    pub(crate) fn end_of(run: &str) -> Self {
        let arguments = format!("{{\"run\":{},\"wait\":true}}", text(run));
        Self { tool: "batch_status", arguments, follows: false }
    }

    /// The message.
    pub(crate) fn message(&self) -> String {
        let Self { tool, arguments, follows } = self;
        let progress = if *follows { ",\"progressToken\":1" } else { "" };
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"hub.{tool}","arguments":{arguments},"_meta":{{"io.modelcontextprotocol/protocolVersion":"{VERSION}","io.modelcontextprotocol/clientCapabilities":{{}}{progress}}}}}}}"#
        )
    }

    /// The headers that go with it.
    pub(crate) fn headers(tool: &str, idempotency_key: Option<String>) -> ProtocolHeaders {
        ProtocolHeaders {
            version: Some(VERSION.to_owned()),
            method: Some("tools/call".to_owned()),
            name: Some(format!("hub.{tool}")),
            idempotency_key,
            ..ProtocolHeaders::default()
        }
    }
}

/// The members of an object in their order, also those that are there twice: the hub judges them.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// The members that a query stands for, after the first ones. Of those that are numbers the least is known.
fn members(first: Option<String>, query: &str, known: &[(&str, Option<u32>)]) -> Result<String, Rejection> {
    let mut members: Vec<String> = first.into_iter().collect();
    let mut said = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some((name, least)) = known.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let words = match &*known {
                [] => {
                    format!("there is no query parameter {name:?} here: a plan says such things in its body")
                }
                known => format!("there is no query parameter {name:?}; there are {}", known.join(", ")),
            };
            return Err(Rejection::InvalidParams(words));
        };
        if said.contains(name) {
            return Err(Rejection::InvalidParams(format!("the query parameter {name} is there twice")));
        }
        said.push(*name);
        let value = decoded(value).ok_or(Rejection::Malformed("percent-encoding in the query"))?;
        let value = match least {
            None => text(&value),
            Some(least) => number(name, &value, *least)?.to_string(),
        };
        members.push(format!("\"{name}\":{value}"));
    }
    Ok(members.join(","))
}

fn number(name: &str, value: &str, least: u32) -> Result<u32, Rejection> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| digits && *number >= least);
    let words = || format!("{name} is a whole number from {least} to {}, not {value:?}", u32::MAX);
    number.ok_or_else(|| Rejection::InvalidParams(words()))
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) =
                    (char::from(*rest.next()?).to_digit(16)?, char::from(*rest.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A JSON string.
fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_looked_at_says_nothing() {
        for body in ["", " ", "{}", " { }\n"] {
            assert_eq!(says_nothing(body.as_bytes()), Ok(()), "{body:?}");
        }
        for body in [r#"{"dry_run":true}"#, "[]", "x", "null"] {
            assert!(says_nothing(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_query_becomes_arguments_of_the_tool() {
        let what = What::Result("0123456789ab", Some("s"));
        let ask = Ask::of(what, &Method::GET, "path=%2Fa%20b&offset=3&search=x+y").unwrap();
        assert_eq!(ask.tool, "read_result");
        assert_eq!(
            ask.arguments,
            r#"{"run":"0123456789ab","step":"s","path":"/a b","offset":3,"search":"x y"}"#
        );
        let refused = |what, query| Ask::of(what, &Method::GET, query).unwrap_err().to_string();
        for query in ["limit=0", "limit=-1", "limit=abc", "limit=", "limit=%2B1", "limit=4294967296"] {
            let words = refused(What::Batches, query);
            assert!(words.contains("limit is a whole number from 1 to 4294967295, not"), "{words}");
        }
        assert!(refused(what, "length=0").contains("length is a whole number from 1"));
        assert!(refused(what, "offset=x").contains("offset is a whole number from 0"));
        assert!(Ask::of(what, &Method::GET, "color=red").is_err());
        assert!(Ask::of(what, &Method::GET, "path=%f").is_err());
        let run = "0123456789ab";
        for (what, method) in [
            (What::Batches, Method::POST),
            (What::Batch(run), Method::GET),
            (What::Cancel(run), Method::POST),
            (What::Events(run), Method::GET),
            (What::Retry(run), Method::POST),
        ] {
            let words = Ask::of(what, &method, "dry_run=true").unwrap_err().to_string();
            assert!(words.contains("there is no query parameter \"dry_run\" here"), "{what:?}: {words}");
            assert!(Ask::of(what, &method, "").is_ok(), "{what:?}");
        }
        let twice = Ask::of(What::Batches, &Method::GET, "limit=1&cursor=x&limit=2").unwrap_err();
        assert_eq!(twice, Rejection::InvalidParams("the query parameter limit is there twice".to_owned()));
    }

    #[test]
    fn a_plan_is_begun_in_the_background_and_cannot_say_more_than_a_plan() {
        let (ask, manner) = Ask::execute(br#"{"steps":[1],"background":false,"dry_run":true}"#).unwrap();
        assert_eq!(ask.arguments, r#"{"steps":[1],"background":true,"dry_run":true}"#);
        assert_eq!(manner, Manner { dry_run: true, background: false });
        for body in ["", "[]", "1", r#"{"steps":[]},"x":{"#, r#"{"steps":[]}}"#] {
            assert!(Ask::execute(body.as_bytes()).is_err(), "{body}");
        }
        let (ask, manner) = Ask::execute(br#"{"steps":[],"background":null}"#).unwrap();
        assert_eq!((&*ask.arguments, manner), (r#"{"steps":[],"background":true}"#, Manner::default()));
        for no_flag in [r#""yes""#, "1"] {
            let body = format!(r#"{{"steps":[],"background":{no_flag}}}"#);
            let (ask, manner) = Ask::execute(body.as_bytes()).unwrap();
            assert_eq!(ask.arguments, body, "the hub says what is wrong with it");
            assert_eq!(manner, Manner::default());
        }
        let (twice, _) = Ask::execute(br#"{"steps":[],"steps":[1]}"#).unwrap();
        assert_eq!(twice.arguments, r#"{"steps":[],"steps":[1],"background":true}"#, "the hub refuses that");
    }
}
