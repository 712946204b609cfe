//! The plan in what a model has written: within a fence or bare, with words before and after it.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use crate::Limits;
use crate::plan::{Kind, Raw};
use crate::rpc::{JsonLimits, scan};

/// What a model's answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extract<'a> {
    /// A plan: the raw JSON of an object with `steps`, valid and within the bounds of a client's message.
    Plan(&'a str),
    /// The model says that the tools cannot do it, and why.
    Impossible(String),
    /// Something that looks like a plan and is no JSON; what is wrong with it.
    Broken(String),
    /// Nothing of that.
    Nothing,
}

/// How often the text is read at most, in its own lengths: braces that never end are looked at only so long.
const READINGS: usize = 32;
/// The end of an answer in which its plan is, in lengths of the longest plan.
const PLANS: usize = 2;

/// Finds the plan in a text. Of several it is the last one: models that think aloud end with what they mean.
pub fn extract<'a>(text: &'a str, limits: &Limits) -> Extract<'a> {
    let skipped = text.len().saturating_sub(limits.plan_bytes.saturating_mul(PLANS));
    let text = text.get(text.ceil_char_boundary(skipped)..).unwrap_or(text);
    let mut found = Extract::Nothing;
    let mut work = text.len().saturating_mul(READINGS);
    let mut from = 0_usize;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find('{')).map(|at| from.saturating_add(at))
    {
        let rest = text.get(start..).unwrap_or_default();
        let length = object_length(rest);
        work = work.saturating_sub(length.unwrap_or(rest.len()));
        let object = length.and_then(|length| rest.get(..length));
        match object.and_then(|object| meant(object, limits)) {
            Some(Extract::Broken(why)) => {
                // Within it there may be a plan; before it there may have been one.
                if found == Extract::Nothing {
                    found = Extract::Broken(why);
                }
                from = start.saturating_add(1);
            }
            Some(meant) => {
                found = meant;
                from = start.saturating_add(length.unwrap_or(1));
            }
            // The object may hold one that is a plan.
            None => from = start.saturating_add(1),
        }
        if work == 0 {
            break;
        }
    }
    found
}

/// What an object is, if it is something.
fn meant<'a>(object: &'a str, limits: &Limits) -> Option<Extract<'a>> {
    if !object.contains("\"steps\"") && !object.contains("\"impossible\"") {
        return None;
    }
    if let Err(fault) = scan(object.as_bytes(), JsonLimits::of_clients(limits), false) {
        return Some(Extract::Broken(format!("{fault}")));
    }
    let raw = Raw::of(object.as_bytes());
    if raw.member("steps").is_some_and(|steps| steps.kind() == Kind::Array) {
        return Some(Extract::Plan(object));
    }
    raw.member("impossible").and_then(Raw::text).map(|why| Extract::Impossible(Cow::into_owned(why)))
}

/// The bytes of the object that a text begins with, as far as braces and strings tell.
fn object_length(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'{') => depth = depth.saturating_add(1),
            (false, b'}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at.saturating_add(1));
                }
            }
            (_, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{"steps":[{"id":"a","tool":"t","arguments":{"s":"}{\" {{b#/x}}"}}]}"#;

    fn found(text: &str) -> Option<&str> {
        match extract(text, &Limits::default()) {
            Extract::Plan(plan) => Some(plan),
            Extract::Broken(_) | Extract::Impossible(_) | Extract::Nothing => None,
        }
    }

    #[test]
    fn a_plan_is_found_in_fences_in_prose_and_in_wrappers() {
        for text in [
            PLAN.into(),
            format!("```json\n{PLAN}\n```"),
            format!("Here {{it}} is, with {{{{item}}}}:\n\n{PLAN}\n\nIt doesn't need \"more\"."),
            format!("{{\"plan\": {PLAN}, \"confidence\": 0.9}}"),
            format!("First I thought of {{\"steps\":[]}}, but:\n```\n{PLAN}\n```\nDone."),
            format!("<think>maybe {{ \"steps\": </think>{PLAN}"),
            format!("An odd \" before: {PLAN}"),
        ] {
            assert_eq!(found(&text), Some(PLAN), "{text}");
        }
    }

    #[test]
    fn what_is_no_plan_is_none() {
        for text in ["", "I cannot do that.", "{}", "{\"steps\":3}", "[{\"id\":\"a\"}]", "{\"steps\":["] {
            assert_eq!(extract(text, &Limits::default()), Extract::Nothing, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_json_of_a_plan_is_said_unless_there_is_another() {
        let broken = r#"{"steps":[{"id":"a"},]}"#;
        let Extract::Broken(why) = extract(broken, &Limits::default()) else { panic!("it is no JSON") };
        assert!(why.contains("not valid JSON"), "{why}");
        for text in [format!("{broken} {PLAN}"), format!("{PLAN} {broken}")] {
            assert_eq!(found(&text), Some(PLAN), "{text}");
        }
    }

    #[test]
    fn only_the_end_of_a_long_answer_is_read() {
        let limits = Limits::default();
        let thoughts = "\u{e9}{".repeat(limits.plan_bytes);
        assert_eq!(found(&format!("{PLAN}{thoughts}")), None);
        let thoughts = "\u{e9} { thought } ".repeat(limits.plan_bytes);
        assert_eq!(found(&format!("{thoughts}{PLAN}")), Some(PLAN));
    }

    #[test]
    fn a_model_may_say_that_it_cannot_be_done() {
        let text = "```json\n{\"impossible\": \"no tool sends mail\"}\n```";
        assert_eq!(extract(text, &Limits::default()), Extract::Impossible("no tool sends mail".into()));
    }

    #[test]
    fn braces_without_end_cost_no_more_than_some_readings() {
        let text = "{".repeat(200_000);
        assert_eq!(extract(&text, &Limits::default()), Extract::Nothing);
        let text = format!("{{{{{{ {PLAN}");
        assert_eq!(found(&text), Some(PLAN));
    }
}
