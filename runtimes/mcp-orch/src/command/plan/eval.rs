//! `mcp-orch plan eval`: plans of the configured model for goals whose plans are known. Nothing of them runs.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use orch_config::cli::PlanEval;
use orch_config::environment;
use orch_config::file::ConfigFile;
use orch_core::Limits;
use orch_core::planner::{Answer, Goal, PlannerSpec, Prompt, Provider, Spent};
use orch_core::ports::planner::{Planner, PlannerFaultKind, Question};
use orch_driver::Clock;
use orch_planner::HttpPlanner;
use serde::Serialize;

use super::score::{Case, Reference, Score, cases};
use crate::{instance, terminal};

/// Who does not answer any of so many goals would not answer the others either.
const FIRST: usize = 3;

/// What came of one goal.
#[derive(Serialize)]
struct Row {
    id: String,
    planned: bool,
    #[serde(flatten)]
    score: Score,
    #[serde(flatten)]
    spent: Spent,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Whether the model could not be asked.
    #[serde(skip)]
    unanswered: bool,
}

#[derive(Serialize)]
struct Total {
    goals: usize,
    planned: usize,
    percent: usize,
    valid: usize,
    tools: usize,
    edges: usize,
    questions: u32,
    input_tokens: u64,
    output_tokens: u64,
    ms: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    provider: &'a str,
    model: &'a str,
    goals: &'a [Row],
    total: &'a Total,
}

/// What all goals share.
struct Bench {
    spec: Arc<PlannerSpec>,
    planner: HttpPlanner,
    reference: Reference,
    limits: Limits,
    clock: Clock,
}

pub(crate) async fn run(args: PlanEval) -> anyhow::Result<ExitCode> {
    let cases = chosen(args.only.as_deref())?;
    let limits = Limits::default();
    let file = match ConfigFile::load(&args.file, &limits) {
        Ok(file) => file,
        Err(findings) => {
            for finding in &findings {
                terminal::error(&finding.to_string());
            }
            bail!("{} has errors", args.file.display());
        }
    };
    let spec = file.planner.with_context(|| format!("{} has no \"planner\"", args.file.display()))?;
    if spec.provider == Provider::Client {
        bail!("the model of a client is asked by its client alone: configure another provider to measure it");
    }
    let spec = spec.resolved(environment::lookup).map_err(|missing| {
        anyhow::anyhow!("the planner needs variables that are not set: {}", missing.join(", "))
    })?;
    let planner = instance::planner(args.own_roots.as_deref(), limits.clone())?;
    let (spec, reference) = (Arc::new(spec), Reference::read()?);
    let bench = Bench { spec, planner, reference, limits, clock: Clock::start() };
    let mut rows = Vec::new();
    for case in &cases {
        rows.push(bench.plan(case).await?);
        if let [first, .., last] = &*rows
            && rows.len() == FIRST
            && rows.iter().all(|row| row.unanswered)
        {
            let (id, why) = (&first.id, last.problem.as_deref().unwrap_or_default());
            bail!("none of the first {FIRST} goals, from {id} on, has an answer: {why}");
        }
    }
    let total = Total::of(&rows);
    if args.json {
        let (provider, model) = (bench.spec.provider.name(), &*bench.spec.model);
        let report = Report { provider, model, goals: &rows, total: &total };
        terminal::line(&serde_json::to_string_pretty(&report)?);
    } else {
        print(&rows, &total);
    }
    if rows.iter().all(|row| row.unanswered) {
        bail!("no goal has an answer: nothing was measured");
    }
    Ok(ExitCode::SUCCESS)
}

/// The goals with a word in their names or texts; all of them without one.
fn chosen(word: Option<&str>) -> anyhow::Result<Vec<Case>> {
    let Some(word) = word else { return Ok(cases()?) };
    let (chosen, others): (Vec<Case>, Vec<Case>) =
        cases()?.into_iter().partition(|case| case.id.contains(word) || case.goal.contains(word));
    if chosen.is_empty() {
        let names: Vec<&str> = others.iter().map(|case| &*case.id).collect();
        bail!("no goal has {word:?} in its name or text; the names are {}", names.join(", "));
    }
    Ok(chosen)
}

impl Bench {
    /// Plans one goal as a hub does: a question, and one more where the plan has faults.
    async fn plan(&self, case: &Case) -> anyhow::Result<Row> {
        let arguments = serde_json::json!({ "goal": case.goal }).to_string();
        let Ok(goal) = Goal::read(arguments.as_bytes(), &self.limits) else {
            bail!("{} is no goal", case.id)
        };
        let began = self.clock.now();
        let mut prompt = Prompt::new(&goal.text, &self.reference.catalogue(), &self.limits);
        let mut row = Row {
            id: case.id.clone(),
            planned: false,
            score: Score::default(),
            spent: Spent::default(),
            ms: 0,
            problem: None,
            unanswered: false,
        };
        for model in self.spec.models(&goal.text, &self.limits) {
            row.spent.questions += 1;
            let written = match self.planner.ask(self.question(model, prompt.clone())).await {
                Ok(written) => written,
                Err(fault) => {
                    if fault.kind == PlannerFaultKind::Misconfigured {
                        return Err(fault.into());
                    }
                    row.problem = Some(fault.to_string());
                    row.unanswered = row.spent.questions == 1;
                    break;
                }
            };
            row.spent.input_tokens += written.usage.input;
            row.spent.output_tokens += written.usage.output;
            match Answer::read(&goal, &written, &self.reference, &self.limits) {
                Answer::Plan(plan, _) => {
                    row.score = Score::of(case, &plan);
                    let tools: Vec<&str> = plan.steps.iter().map(|step| &*step.tool).collect();
                    row.problem = (!row.score.is_full()).then(|| format!("planned {}", tools.join(", ")));
                    break;
                }
                Answer::Impossible(why) => {
                    row.problem = Some(format!("impossible: {why}"));
                    break;
                }
                Answer::Faults(faults, _) => {
                    row.problem = faults.first().map(|fault| format!("{}: {}", fault.at, fault.problem));
                    prompt = prompt.repair(&written.text, &faults, &self.limits);
                }
            }
        }
        row.planned = row.score.is_full();
        row.ms = u64::try_from(self.clock.now().since(began).as_millis()).unwrap_or(u64::MAX);
        Ok(row)
    }

    fn question(&self, model: &str, prompt: Prompt) -> Question {
        let (spec, limits) = (Arc::clone(&self.spec), &self.limits);
        let (max_tokens, timeout): (u32, Duration) = (spec.max_tokens(limits), spec.timeout(limits));
        Question { spec, model: model.to_owned(), prompt, max_tokens, timeout, at: self.clock.now() }
    }
}

impl Total {
    fn of(rows: &[Row]) -> Self {
        let count = |which: fn(&Row) -> bool| rows.iter().filter(|row| which(row)).count();
        let planned = count(|row| row.planned);
        Self {
            goals: rows.len(),
            planned,
            percent: (planned * 100).checked_div(rows.len()).unwrap_or_default(),
            valid: count(|row| row.score.valid),
            tools: count(|row| row.score.tools),
            edges: count(|row| row.score.edges),
            questions: rows.iter().map(|row| row.spent.questions).sum(),
            input_tokens: rows.iter().map(|row| row.spent.input_tokens).sum(),
            output_tokens: rows.iter().map(|row| row.spent.output_tokens).sum(),
            ms: rows.iter().map(|row| row.ms).sum(),
        }
    }
}

fn print(rows: &[Row], total: &Total) {
    let head = ["GOAL", "PLAN", "TOOLS", "EDGES", "ASKED", "TOKENS", "MS", "PROBLEM"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    let mark = |good: bool| if good { "yes" } else { "no" }.to_owned();
    for Row { id, score, spent, ms, problem, .. } in rows {
        let tokens = spent.input_tokens + spent.output_tokens;
        table.push(vec![
            id.clone(),
            mark(score.valid),
            mark(score.tools),
            mark(score.edges),
            spent.questions.to_string(),
            tokens.to_string(),
            ms.to_string(),
            terminal::harmless(problem.as_deref().unwrap_or_default()),
        ]);
    }
    terminal::table(&table);
    let Total { goals, planned, percent, valid, tools, edges, .. } = total;
    terminal::line(&format!(
        "{planned} of {goals} planned ({percent} %): {valid} valid, {tools} with the expected tools, {edges} with the expected edges"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_chosen_by_a_word_and_one_that_none_has_is_refused_with_their_names() {
        let all = chosen(None).unwrap();
        let some = chosen(Some("git")).unwrap();
        assert!(!some.is_empty() && some.len() < all.len());
        let Err(refusal) = chosen(Some("zzzz")) else { panic!("no goal has such a word") };
        let words = refusal.to_string();
        assert!(all.iter().all(|case| words.contains(&case.id)), "{words}");
    }
}
