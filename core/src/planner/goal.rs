//! What `batch_execute` is asked for with `goal` instead of `steps`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::plan::{Kind, PlanFault, Pointer, Raw};
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
/// What a model says. Whatever else it adds to its plan means nothing.
const OF_PLAN: [&str; 2] = ["steps", "output"];

impl<'a> Goal<'a> {
    /// Whether arguments are those of a goal.
    pub fn is_in(arguments: &[u8]) -> bool {
        Raw::of(arguments).member("goal").is_some()
    }

    /// Reads the arguments; JSON that was validated before.
    pub fn read(arguments: &'a [u8], limits: &Limits) -> Result<Self, Vec<PlanFault>> {
        let (arguments, whole) = (Raw::of(arguments), Pointer::default());
        let mut faults = Vec::new();
        let mut fault = |at: &str, problem: String| faults.push(PlanFault { at: whole.member(at), problem });
        let (mut text, mut options) = (Cow::Borrowed(""), Vec::new());
        for (name, value) in arguments.members() {
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
        if faults.is_empty() { Ok(Self { text, options }) } else { Err(faults) }
    }

    /// A plan that a model has written, as its caller would have sent it.
    pub fn plan(&self, written: &str) -> Vec<u8> {
        let written = Raw::of(written.as_bytes());
        let own = OF_PLAN.into_iter().filter_map(|name| Some((name, written.member(name)?)));
        object(own.chain(self.options.iter().copied()))
    }

    /// What of it a model has written: to be kept, or to be shown.
    pub fn kept(written: &str) -> String {
        let written = Raw::of(written.as_bytes());
        let own = OF_PLAN.into_iter().filter_map(|name| Some((name, written.member(name)?)));
        String::from_utf8(object(own)).unwrap_or_default()
    }
}

fn object<'a>(members: impl Iterator<Item = (&'static str, Raw<'a>)>) -> Vec<u8> {
    let mut out = Vec::from(b"{");
    for (name, value) in members {
        if out.len() > 1 {
            out.push(b',');
        }
        write::string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value.0);
    }
    out.push(b'}');
    out
}

/// The text of a result of `sampling/createMessage`: its content is one block, or an array of them (2025-11-25).
pub(crate) fn sampled_text(result: &[u8]) -> Option<String> {
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

    #[test]
    fn what_the_caller_says_about_the_run_goes_before_what_a_model_writes() {
        let limits = Limits::default();
        let goal = Goal::read(br#"{"goal":"do \"it\"","dry_run":true,"max_parallel":2}"#, &limits).unwrap();
        assert_eq!(goal.text, "do \"it\"");
        let plan = goal.plan(
            r#"{"why":"because","max_parallel":99,"output":[1],"steps":[{"id":"a"}],"background":true}"#,
        );
        let expected = r#"{"steps":[{"id":"a"}],"output":[1],"dry_run":true,"max_parallel":2}"#;
        assert_eq!(core::str::from_utf8(&plan), Ok(expected));
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
    }
}
