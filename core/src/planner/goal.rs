//! What `batch_execute` is asked for with `goal` instead of `steps`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::plan::{Kind, PlanFault, Pointer, Raw, manner_faults};
use crate::ports::planner::Written;
use crate::rpc::write;
use crate::{Limit, Limits};

/// A goal in words, with what its caller says about the run.
#[derive(Clone, Debug)]
pub struct Goal<'a> {
    /// The words.
    pub text: Cow<'a, str>,
    options: Vec<(&'static str, Raw<'a>)>,
}

/// What a caller says, whatever a model writes.
const OPTIONS: [&str; 4] = ["max_parallel", "deadline_ms", "dry_run", "background"];
/// What of it says how its caller waits, and nothing of what is done.
const MANNERS: [&str; 2] = ["dry_run", "background"];
/// What a model says. Whatever else it adds to its plan means nothing.
const OF_PLAN: [&str; 2] = ["steps", "output"];

impl<'a> Goal<'a> {
    /// Whether arguments are those of a goal.
    pub fn is_in(arguments: &[u8]) -> bool {
        Raw::of(arguments).member("goal").is_some_and(is_said)
    }

    /// Reads the arguments; JSON that was validated before.
    pub fn read(arguments: &'a [u8], limits: &Limits) -> Result<Self, Vec<PlanFault>> {
        let (arguments, whole) = (Raw::of(arguments), Pointer::default());
        let mut faults = Vec::new();
        let mut fault = |at: &str, problem: String| faults.push(PlanFault { at: whole.member(at), problem });
        let (mut text, mut options) = (Cow::Borrowed(""), Vec::new());
        for (name, value) in arguments.members().into_iter().filter(|(_, value)| is_said(*value)) {
            if let Some(option) = OPTIONS.into_iter().find(|option| name == *option) {
                options.push((option, value));
            } else if name == "goal" {
                text = value.text().unwrap_or_default();
            } else if OF_PLAN.contains(&&*name) {
                fault(&name, "a planner makes it: send either \"goal\" or \"steps\"".into());
            } else {
                fault(&name, format!("there is no field {name:?} beside \"goal\""));
            }
        }
        if text.trim().is_empty() {
            fault("goal", "words are expected: what is to be achieved".into());
        }
        if text.len() > limits.planner.goal_bytes {
            fault("goal", format!("limit {} reached ({})", Limit::GoalBytes, limits.planner.goal_bytes));
        }
        faults.extend(manner_faults(Raw::of(&object(options.iter().copied())), limits));
        if faults.is_empty() { Ok(Self { text, options }) } else { Err(faults) }
    }

    /// A plan that a model has written, as its caller would have sent it.
    pub fn plan(&self, written: &str) -> Vec<u8> {
        object(self.members(written))
    }

    fn members<'b>(&'b self, written: &'b str) -> impl Iterator<Item = (&'static str, Raw<'b>)> {
        own(written).chain(self.options.iter().copied())
    }

    /// The same with the goal in it, for the store: so the request is known when it comes again.
    pub fn plan_for(&self, written: &str) -> Vec<u8> {
        let mut text = Vec::new();
        write::string(&mut text, &self.text);
        object([("goal", Raw(&text))].into_iter().chain(self.members(written)))
    }

    /// The same as it is shown: sent with its `steps` it does what the goal would have done.
    pub fn shown(&self, written: &str) -> String {
        let members = self.members(written).filter(|(name, _)| !MANNERS.contains(name));
        String::from_utf8(object(members)).unwrap_or_default()
    }

    /// What a request, or the plan that is stored of it, is to have done, however its caller waits for that: the goal and what
    /// the caller says about its plan, or the plan itself.
    pub fn request_for(request: &[u8]) -> Vec<u8> {
        let request = Raw::of(request);
        let is_planned = request.member("goal").is_some_and(is_said);
        let is_meant = |name: &str| !(MANNERS.contains(&name) || is_planned && OF_PLAN.contains(&name));
        object(request.members().into_iter().filter(|(name, value)| is_meant(name) && is_said(*value)))
    }

    /// Whether its caller wants something: `dry_run` or `background`.
    pub fn wants(&self, option: &str) -> bool {
        self.options.iter().any(|(name, value)| *name == option && value.bool() == Some(true))
    }

    /// What of it a model has written: to be kept, or to be shown.
    pub fn kept(written: &str) -> String {
        String::from_utf8(object(own(written))).unwrap_or_default()
    }
}

/// Models write `null` for what they leave out.
fn is_said(value: Raw<'_>) -> bool {
    value.kind() != Kind::Null
}

/// What of a plan is its model's.
fn own(written: &str) -> impl Iterator<Item = (&'static str, Raw<'_>)> {
    let written = Raw::of(written.as_bytes());
    OF_PLAN.into_iter().filter_map(move |name| Some((name, written.member(name)?)))
}

fn object<'a>(members: impl Iterator<Item = (impl AsRef<str>, Raw<'a>)>) -> Vec<u8> {
    let mut out = Vec::from(b"{");
    for (name, value) in members {
        if out.len() > 1 {
            out.push(b',');
        }
        write::string(&mut out, name.as_ref());
        out.push(b':');
        out.extend_from_slice(value.0);
    }
    out.push(b'}');
    out
}

/// What a client's model has written, by a result of `sampling/createMessage`.
pub(crate) fn sampled(result: &[u8]) -> Written {
    let reason = Raw::of(result).member("stopReason").and_then(Raw::text);
    let (cut, refuses) = (reason.as_deref() == Some("maxTokens"), reason.as_deref() == Some("refusal"));
    let text = sampled_text(result).unwrap_or_default();
    let text = if refuses { impossible(&text) } else { text };
    Written { text, cut, ..Written::default() }
}

/// What a model that refuses has written, in the way of those that say why they make no plan.
fn impossible(words: &str) -> String {
    let mut why = Vec::new();
    write::string(&mut why, if words.is_empty() { "the model refuses, and does not say why" } else { words });
    String::from_utf8(object([("impossible", Raw(&why))].into_iter())).unwrap_or_default()
}

/// The text of a result of `sampling/createMessage`: its content is one block, or an array of them (2025-11-25).
fn sampled_text(result: &[u8]) -> Option<String> {
    let content = Raw::of(result).member("content")?;
    let blocks = match content.kind() {
        Kind::Array => content.elements(),
        Kind::Object => Vec::from([content]),
        Kind::Bool | Kind::Null | Kind::Number | Kind::String => return None,
    };
    let texts: Vec<_> = blocks.into_iter().filter_map(|block| block.member("text")?.text()).collect();
    if texts.is_empty() { None } else { Some(texts.concat()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn what_the_caller_says_about_the_run_goes_before_what_a_model_writes() {
        let limits = Limits::default();
        let goal = Goal::read(br#"{"goal":"do \"it\"","dry_run":true,"max_parallel":2}"#, &limits).unwrap();
        assert_eq!(goal.text, "do \"it\"");
        let written =
            r#"{"why":"because","max_parallel":99,"output":[1],"steps":[{"id":"a"}],"background":true}"#;
        let plan = goal.plan(written);
        let expected = r#"{"steps":[{"id":"a"}],"output":[1],"dry_run":true,"max_parallel":2}"#;
        assert_eq!(core::str::from_utf8(&plan), Ok(expected));
        let shown = r#"{"steps":[{"id":"a"}],"output":[1],"max_parallel":2}"#;
        assert_eq!(goal.shown(written), shown, "how its caller waits is not of the plan");
    }

    #[test]
    fn what_is_stored_of_a_planned_goal_is_its_plan_and_says_what_was_asked_for() {
        let limits = Limits::default();
        let asked = br#"{"goal":"do \"it\"","max_parallel":2}"#;
        let goal = Goal::read(asked, &limits).unwrap();
        let stored = goal.plan_for(r#"{"steps":[{"id":"a"}],"max_parallel":99}"#);
        let expected = r#"{"goal":"do \"it\"","steps":[{"id":"a"}],"max_parallel":2}"#;
        assert_eq!(core::str::from_utf8(&stored), Ok(expected));
        assert_eq!(Goal::request_for(&stored), asked);
        let plan = br#"{"steps":[{"id":"a"}]}"#;
        assert_eq!(Goal::request_for(plan), plan, "nobody planned it");
        let aside = br#"{"steps":[{"id":"a"}],"background":true,"dry_run":false}"#;
        assert_eq!(Goal::request_for(aside), plan, "it is the same plan, whoever waits for it");
    }

    #[test]
    fn what_is_wrong_is_said_at_once() {
        let limits = Limits::default();
        let faults = Goal::read(br#"{"goal":" ","steps":[],"gaol":1}"#, &limits).unwrap_err();
        let places: Vec<String> = faults.iter().map(|fault| format!("{}", fault.at)).collect();
        assert_eq!(places, ["/steps", "/gaol", "/goal"]);
        let long = format!("{{\"goal\":\"{}\"}}", "x".repeat(limits.planner.goal_bytes + 1));
        let faults = Goal::read(long.as_bytes(), &limits).unwrap_err();
        assert!(faults[0].problem.contains("planner.goal_bytes"), "{faults:?}");
        let options = br#"{"goal":"x","max_parallel":0,"deadline_ms":"1s","dry_run":"yes","background":1}"#;
        let faults = Goal::read(options, &limits).unwrap_err();
        let places: Vec<String> = faults.iter().map(|fault| format!("{}", fault.at)).collect();
        assert_eq!(places, ["/max_parallel", "/deadline_ms", "/dry_run", "/background"]);
    }

    #[test]
    fn a_plan_as_long_as_plans_may_be_is_known_again_with_its_goal() {
        let goal = Goal::read(br#"{"goal":"do \"it\"","max_parallel":2}"#, &Limits::default()).unwrap();
        let written = r#"{"steps":[{"id":"a","tool":"t"}]}"#;
        let limits = Limits { plan_bytes: goal.plan(written).len(), ..Limits::default() };
        let stored = String::from_utf8(goal.plan_for(written)).unwrap();
        assert!(Plan::recall(&stored, &[false], &limits).is_some());
        let limits = Limits { plan_bytes: limits.plan_bytes - 1, ..limits };
        assert!(Plan::recall(&stored, &[false], &limits).is_none());
    }

    #[test]
    fn what_is_null_is_not_said() {
        let asked = br#"{"goal":"x","steps":null,"output":null,"max_parallel":null}"#;
        assert!(Goal::is_in(asked) && !Goal::is_in(br#"{"goal":null,"steps":[]}"#));
        let goal = Goal::read(asked, &Limits::default()).unwrap();
        assert_eq!(goal.plan(r#"{"steps":[]}"#), br#"{"steps":[]}"#);
        assert_eq!(Goal::request_for(asked), br#"{"goal":"x"}"#);
    }

    #[test]
    fn a_sampled_message_has_one_block_or_several() {
        let one = br#"{"role":"assistant","content":{"type":"text","text":"a\nb"}}"#;
        assert_eq!(sampled_text(one).as_deref(), Some("a\nb"));
        let several =
            br#"{"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}"#;
        assert_eq!(sampled_text(several).as_deref(), Some("ab"));
        assert_eq!(sampled_text(br#"{"content":{"type":"image"}}"#), None);
        assert_eq!(sampled_text(b"{}"), None);
        let refused = br#"{"stopReason":"refusal","content":{"type":"text","text":"not \"that\""}}"#;
        assert_eq!(sampled(refused).text, r#"{"impossible":"not \"that\""}"#);
        assert!(
            sampled(br#"{"stopReason":"maxTokens"}"#).cut && !sampled(br#"{"stopReason":"endTurn"}"#).cut
        );
    }
}
