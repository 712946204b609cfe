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

/// What plans have.
const STEPS: &str = "\"steps\"";
/// How models mark what they only think: how that begins and ends, in whatever case.
const THOUGHTS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("◁think▷", "◁/think▷"),
];

/// Finds the plan in a text. Of several it is the last one: models that think aloud end with what they mean. What is marked as
/// a thought is none, and neither is what comes after the words that the tools cannot do it.
pub fn extract<'a>(text: &'a str, limits: &Limits) -> Extract<'a> {
    let read = limits.plan_bytes.saturating_mul(PLANS);
    let skipped = text.ceil_char_boundary(text.len().saturating_sub(read));
    let (skipped, end) = text.split_at_checked(skipped).unwrap_or(("", text));
    let found = plan_in(end, limits);
    if found != Extract::Nothing || !skipped.contains(STEPS) {
        return found;
    }
    let words = format!(
        "the last {read} bytes of the answer hold no plan, and no more of it is read (twice plan_bytes)"
    );
    Extract::Broken(words)
}

fn plan_in<'a>(text: &'a str, limits: &Limits) -> Extract<'a> {
    let mut found = Extract::Nothing;
    let mut work = text.len().saturating_mul(READINGS);
    let mut from = 0_usize;
    while work > 0
        && let Some(start) =
            text.get(from..).and_then(|rest| rest.find(['{', '<', '◁'])).map(|at| from.saturating_add(at))
    {
        let rest = text.get(start..).unwrap_or_default();
        if !rest.starts_with('{') {
            if THOUGHTS.iter().any(|(_, end)| begins(rest, end)) {
                // Some models begin within their thoughts.
                found = Extract::Nothing;
            }
            let mark = rest.chars().next().map_or(1, char::len_utf8);
            from = start.saturating_add(thought(rest).unwrap_or(mark));
            continue;
        }
        let length = object_length(rest);
        work = work.saturating_sub(length.unwrap_or(rest.len()));
        let object = length.and_then(|length| rest.get(..length));
        let endless = || rest.contains(STEPS).then(|| Extract::Broken("it has no end".into()));
        match object.map_or_else(endless, |object| meant(object, limits)) {
            Some(broken @ Extract::Broken(_)) => {
                // Within it there may be a plan; one before it is not what the model ends with.
                if !matches!(found, Extract::Impossible(_)) {
                    found = broken;
                }
                from = start.saturating_add(1);
            }
            Some(meant) => {
                // What comes after a no is an example.
                if !matches!(found, Extract::Impossible(_)) {
                    found = meant;
                }
                from = start.saturating_add(length.unwrap_or(1));
            }
            // The object may hold one that is a plan.
            None => from = start.saturating_add(1),
        }
    }
    found
}

/// Whether a text begins like this.
fn begins(text: &str, mark: &str) -> bool {
    text.get(..mark.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(mark))
}

/// The bytes of the thought that a text begins with.
fn thought(text: &str) -> Option<usize> {
    let (_, end) = THOUGHTS.iter().find(|(beginning, _)| begins(text, beginning))?;
    let mut rest = text.char_indices().filter(|(_, letter)| matches!(letter, '<' | '◁'));
    let ended = rest.find(|(at, _)| text.get(*at..).is_some_and(|rest| begins(rest, end)));
    Some(ended.map_or(text.len(), |(at, _)| at.saturating_add(end.len())))
}

/// What an object is, if it is something.
fn meant<'a>(object: &'a str, limits: &Limits) -> Option<Extract<'a>> {
    if !object.contains(STEPS) && !object.contains("\"impossible\"") {
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
        for text in ["", "I cannot do that.", "{}", "{\"steps\":3}", "[{\"id\":\"a\"}]"] {
            assert_eq!(extract(text, &Limits::default()), Extract::Nothing, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_json_of_a_plan_is_said_unless_there_is_another_after_it() {
        let broken = r#"{"steps":[{"id":"a"},]}"#;
        let Extract::Broken(why) = extract(broken, &Limits::default()) else { panic!("it is no JSON") };
        assert!(why.contains("not valid JSON"), "{why}");
        assert_eq!(found(&format!("{broken} {PLAN}")), Some(PLAN));
    }

    #[test]
    fn a_draft_is_no_plan_where_what_the_model_ends_with_cannot_be_read() {
        for end in [r#"{"steps":[{"id":"a"},]}"#, r#"{"steps":["#, r#"{"steps":[{"id":"b","tool":"t"}"#] {
            let text = format!("First idea: {PLAN} No. The right plan is: {end}");
            assert!(matches!(extract(&text, &Limits::default()), Extract::Broken(_)), "{text}");
        }
    }

    #[test]
    fn only_the_end_of_a_long_answer_is_read() {
        let limits = Limits::default();
        let thoughts = "\u{e9}{".repeat(limits.plan_bytes);
        let Extract::Broken(why) = extract(&format!("{PLAN}{thoughts}"), &limits) else {
            panic!("it is not read")
        };
        assert!(why.contains("plan_bytes"), "{why}");
        let thoughts = "\u{e9} { thought } ".repeat(limits.plan_bytes);
        assert_eq!(found(&format!("{thoughts}{PLAN}")), Some(PLAN));
    }

    #[test]
    fn a_model_may_say_that_it_cannot_be_done() {
        let text = "```json\n{\"impossible\": \"no tool sends mail\"}\n```";
        assert_eq!(extract(text, &Limits::default()), Extract::Impossible("no tool sends mail".into()));
    }

    #[test]
    fn what_a_model_only_thinks_is_no_plan() {
        for text in [
            format!("<think>{PLAN}</think> There is no plan."),
            format!("<think>{PLAN} but then"),
            format!("{PLAN}\n</think>\nThere is no plan."),
            format!("Well. <think>{{</think><think>{PLAN}</think>"),
            format!("<THINK>{PLAN}</Think> No."),
            format!("<thinking>a < b {PLAN}</thinking> No."),
            format!("<reasoning>{PLAN}</reasoning> No."),
            format!("\u{25c1}think\u{25b7}{PLAN}\u{25c1}/think\u{25b7} No."),
        ] {
            assert_eq!(extract(&text, &Limits::default()), Extract::Nothing, "{text}");
        }
        let tags = PLAN.replace("{{b#/x}}", "<think>");
        assert_eq!(found(&tags), Some(&*tags), "a plan may speak of thoughts");
    }

    #[test]
    fn a_no_is_a_no_whatever_example_follows() {
        let no = r#"{"impossible":"no tool sends mail"}"#;
        let expected = Extract::Impossible("no tool sends mail".into());
        for text in [format!("{no} For example this would be wrong: {PLAN}"), format!("{PLAN} No: {no}")] {
            assert_eq!(extract(&text, &Limits::default()), expected, "{text}");
        }
        assert_eq!(found(&format!("<think>{no}</think>{PLAN}")), Some(PLAN), "a thought is no answer");
    }

    #[test]
    fn braces_without_end_cost_no_more_than_some_readings() {
        let text = "{".repeat(200_000);
        assert_eq!(extract(&text, &Limits::default()), Extract::Nothing);
        let text = format!("{{{{{{ {PLAN}");
        assert_eq!(found(&text), Some(PLAN));
    }
}
