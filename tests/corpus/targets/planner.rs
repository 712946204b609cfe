//! What language models write: whatever is taken for a plan in it stands there as it is, is valid JSON, and goes through the
//! check of all plans, which takes it or says what is wrong. No prompt, be it one that shows such an answer again, is longer
//! than it may be.
//!
//! An input is the text of an answer, and also the goal and the description of a tool.

use std::borrow::Cow;

use orch_core::Limits;
use orch_core::plan::Tools;
use orch_core::planner::{Answer, Catalogue, Extract, Goal, Prompt, Tool, extract};
use orch_core::ports::planner::Written;
use orch_core::rpc::{JsonLimits, scan};

/// The tool `t`.
struct One;

impl Tools for One {
    fn definition(&self, name: &str) -> Option<Cow<'_, str>> {
        (name == "t").then_some(Cow::Borrowed("{}"))
    }

    fn names(&self) -> Vec<String> {
        vec!["t".to_owned()]
    }
}

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let limits = Limits::default();
    let bounds = JsonLimits::of_clients(&limits);
    if let Extract::Plan(plan) = extract(text, &limits) {
        assert!(text.contains(plan) && plan.contains("\"steps\""));
        assert!(scan(plan.as_bytes(), bounds, false).is_ok(), "{plan}");
    }
    let Ok(goal) = Goal::read(br#"{"goal":"x","max_parallel":3}"#, &limits) else {
        unreachable!("it is one")
    };
    let written = Written { text: text.to_owned(), ..Written::default() };
    let faults = match Answer::read(&goal, &written, &One, &limits) {
        Answer::Plan(plan, own) => {
            assert_eq!(plan.max_parallel, 3, "what the caller says holds");
            assert!(scan(own.as_bytes(), bounds, false).is_ok(), "{own}");
            return;
        }
        Answer::Faults(faults, _) => faults,
        Answer::Impossible(_) => return,
    };
    assert!(!faults.is_empty(), "a plan is refused for nothing");
    let definition =
        serde_json::json!({"description": text, "inputSchema": {"properties": {text: {}}}}).to_string();
    let tools = vec![Tool { name: "t", definition: &definition }; 100];
    let goal = text.get(..text.floor_char_boundary(limits.planner.goal_bytes)).unwrap_or_default();
    let prompt = Prompt::new(goal, &Catalogue::new(tools), &limits);
    assert!(prompt.bytes() <= limits.planner.prompt_bytes, "{}", prompt.bytes());
    let prompt = prompt.repair(text, &faults, &limits);
    assert!(prompt.bytes() <= limits.planner.prompt_bytes, "{}", prompt.bytes());
}
