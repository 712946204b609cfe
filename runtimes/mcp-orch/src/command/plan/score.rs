//! Goals with the plans that are expected of them, and how near a plan comes.

use std::borrow::Cow;
use std::collections::BTreeSet;

use orch_core::plan::{Plan, Tools};
use orch_core::planner::{Catalogue, Tool};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is expected of one goal.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Case {
    pub id: String,
    pub goal: String,
    /// The tools: each one, or one of several with `|` between them.
    pub tools: Vec<String>,
    /// Which of them waits for which, by their places: (first, then). What is not said here waits for nothing.
    pub edges: Vec<(usize, usize)>,
    /// How many calls it takes at least, where that is more than there are tools.
    #[serde(default)]
    pub calls: usize,
}

/// Whether there is a plan that passes the check, with the expected tools and no others, that wait for one another as
/// expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Score {
    pub valid: bool,
    pub tools: bool,
    pub edges: bool,
}

impl Score {
    /// Whether the goal counts as planned.
    pub(crate) fn is_full(self) -> bool {
        self.valid && self.tools && self.edges
    }

    pub(crate) fn of(case: &Case, plan: &Plan) -> Self {
        let groups: Vec<BTreeSet<usize>> = case.tools.iter().map(|tool| steps_with(plan, tool)).collect();
        let used: BTreeSet<usize> = groups.iter().flatten().copied().collect();
        let calls = plan.outline();
        let enough = calls.more_calls || calls.calls >= case.calls;
        let tools = groups.iter().all(|group| !group.is_empty()) && used.len() == plan.steps.len() && enough;
        let places = 0..case.tools.len();
        let pairs = places.clone().flat_map(|first| places.clone().map(move |then| (first, then)));
        let as_expected = |(first, then): (usize, usize)| {
            let (Some(early), Some(late)) = (groups.get(first), groups.get(then)) else { return false };
            first == then || follows(plan, early, late) == reaches(&case.edges, first, then)
        };
        Self { valid: true, tools, edges: tools && pairs.into_iter().all(as_expected) }
    }
}

/// The steps that call a tool, or one of several.
fn steps_with(plan: &Plan, tools: &str) -> BTreeSet<usize> {
    let named = |step: &&orch_core::plan::Step| tools.split('|').any(|tool| tool == step.tool);
    let all = plan.steps.iter().enumerate();
    all.filter(|(_, step)| named(step)).map(|(place, _)| place).collect()
}

/// Whether any of the late steps waits for any of the early ones, by whatever is between them.
fn follows(plan: &Plan, early: &BTreeSet<usize>, late: &BTreeSet<usize>) -> bool {
    let (mut open, mut seen) = (late.iter().copied().collect::<Vec<_>>(), BTreeSet::new());
    while let Some(place) = open.pop() {
        let after = plan.steps.get(place).map(|step| &step.after);
        for before in after.into_iter().flatten() {
            if early.contains(before) {
                return true;
            }
            if seen.insert(*before) {
                open.push(*before);
            }
        }
    }
    false
}

fn reaches(edges: &[(usize, usize)], first: usize, then: usize) -> bool {
    edges.iter().any(|&(from, to)| from == first && (to == then || reaches(edges, to, then)))
}

/// The tools that the goals are for: the definitions of the reference servers.
pub(crate) struct Reference(Vec<(String, Box<RawValue>)>);

#[derive(Deserialize)]
struct Listed {
    server: String,
    definition: Box<RawValue>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Reference {
    pub(crate) fn read() -> serde_json::Result<Self> {
        let listed: Vec<Listed> = serde_json::from_str(include_str!("../../../eval/tools.json"))?;
        let named = |Listed { server, definition }| {
            let Named { name } = serde_json::from_str(definition.get())?;
            Ok((format!("{server}.{name}"), definition))
        };
        Ok(Self(listed.into_iter().map(named).collect::<serde_json::Result<_>>()?))
    }

    pub(crate) fn catalogue(&self) -> Catalogue<'_> {
        let tools = self.0.iter().map(|(name, definition)| Tool { name, definition: definition.get() });
        Catalogue::new(tools.collect())
    }
}

impl Tools for Reference {
    fn definition(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, definition)| Cow::Borrowed(definition.get()))
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// All goals.
pub(crate) fn cases() -> serde_json::Result<Vec<Case>> {
    serde_json::from_str(include_str!("../../../eval/goals.json"))
}

#[cfg(test)]
mod tests {
    use orch_core::Limits;
    use orch_core::planner::Prompt;

    use super::*;

    fn plan(steps: &str) -> Plan {
        let text = format!("{{\"steps\":[{steps}]}}");
        Plan::read(text.as_bytes(), &Reference::read().unwrap(), &Limits::default()).unwrap()
    }

    fn case(tools: &[&str], edges: &[(usize, usize)]) -> Case {
        let tools = tools.iter().map(|&tool| tool.to_owned()).collect();
        Case { id: "x".into(), goal: "x".into(), tools, edges: edges.to_vec(), calls: 0 }
    }

    const SUM: &str = r#"{"id":"s","tool":"everything.get-sum","arguments":{"a":1,"b":2}}"#;
    const ECHO: &str = r#"{"id":"e","tool":"everything.echo","arguments":{"message":"{{s}}"}}"#;
    const ALONE: &str = r#"{"id":"a","tool":"everything.echo","arguments":{"message":"x"}}"#;

    #[test]
    fn a_plan_is_as_good_as_its_tools_and_what_flows_between_them() {
        let (chained, apart) = (plan(&[SUM, ECHO].join(",")), plan(&[SUM, ALONE].join(",")));
        let chain = case(&["everything.get-sum", "everything.echo"], &[(0, 1)]);
        assert!(Score::of(&chain, &chained).is_full());
        assert_eq!(Score::of(&chain, &apart), Score { valid: true, tools: true, edges: false });
        let apart_wanted = case(&["everything.get-sum", "everything.echo"], &[]);
        assert!(Score::of(&apart_wanted, &apart).is_full());
        assert!(!Score::of(&apart_wanted, &chained).edges, "what need not wait shall not");
        let other = case(&["everything.get-sum"], &[]);
        assert_eq!(Score::of(&other, &chained), Score { valid: true, tools: false, edges: false });
        assert!(Score::of(&case(&["time.convert_time|everything.get-sum"], &[]), &plan(SUM)).is_full());
        assert!(!Score::of(&Case { calls: 3, ..other }, &plan(SUM)).is_full(), "one call is too few");
    }

    #[test]
    fn steps_between_do_not_break_a_chain() {
        let last =
            r#"{"id":"w","tool":"filesystem.write_file","arguments":{"path":"p","content":{"$from":"e"}}}"#;
        let long = plan(&[SUM, ECHO, last].join(","));
        let wanted = ["everything.get-sum", "everything.echo", "filesystem.write_file"];
        assert!(Score::of(&case(&wanted, &[(0, 1), (1, 2)]), &long).is_full());
    }

    #[test]
    fn there_are_forty_goals_whose_tools_exist_and_are_shown_to_the_model() {
        let (cases, reference, limits) = (cases().unwrap(), Reference::read().unwrap(), Limits::default());
        assert_eq!(cases.len(), 40);
        let ids: BTreeSet<&str> = cases.iter().map(|case| &*case.id).collect();
        assert_eq!(ids.len(), 40);
        for case in &cases {
            let prompt = Prompt::new(&case.goal, &reference.catalogue(), &limits);
            let is_shown = |tool: &str| {
                let line = format!("{{\"name\":\"{tool}\"");
                prompt.turns.iter().any(|turn| turn.text.contains(&line))
            };
            for tools in &case.tools {
                assert!(tools.split('|').all(|tool| reference.definition(tool).is_some()), "{tools}");
                assert!(tools.split('|').any(is_shown), "{}: {tools}", case.id);
            }
            assert!(case.edges.iter().all(|(a, b)| *a < case.tools.len() && *b < case.tools.len()));
        }
    }
}
