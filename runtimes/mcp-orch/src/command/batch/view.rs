//! How the steps of a run are shown while it goes on: in place on a terminal, else a line for each change.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};

use orch_config::environment;
use serde_json::value::RawValue;

use crate::json::Look;
use crate::terminal;

/// Rows of a terminal that show no step: one for what there is no room for, and one for the cursor.
const OTHER_ROWS: usize = 2;

/// The steps as they are known.
pub(crate) struct View {
    /// In the order of the plan.
    steps: Vec<Step>,
    places: BTreeMap<String, usize>,
    /// The rows that stand on the terminal; none where lines are written one after the other.
    drawn: Option<usize>,
    silent: bool,
}

struct Step {
    status: String,
    line: String,
}

impl View {
    pub(crate) fn new(silent: bool) -> Self {
        let can_draw = || environment::lookup("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let drawn = (!silent && std::io::stderr().is_terminal() && can_draw()).then_some(0);
        Self { steps: Vec::new(), places: BTreeMap::new(), drawn, silent }
    }

    /// Whether it shows nothing: all that is said is JSON.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Shows steps while they go on, as far as they have changed and there is room.
    pub(crate) fn show(&mut self, changed: &[&RawValue]) {
        self.take(changed);
        let (rows, columns) = terminal::size();
        let lines = live(&self.steps, rows.saturating_sub(OTHER_ROWS).max(1));
        self.draw(&lines.iter().map(|line| in_one_row(line, columns)).collect::<Vec<_>>());
    }

    /// Shows them as they are in the end, all and whole: nothing is drawn over them any more.
    pub(crate) fn close(&mut self, changed: &[&RawValue]) {
        self.take(changed);
        self.draw(&self.steps.iter().map(|step| step.line.clone()).collect::<Vec<_>>());
    }

    /// Takes what is new. Where nothing is drawn, it is written.
    fn take(&mut self, changed: &[&RawValue]) {
        for step in changed {
            let id = terminal::harmless(&step.text_of("id"));
            let status = step.text_of("status").into_owned();
            let line = line_of(&id, step, &status, &step.text_of("why"));
            let step = Step { status, line };
            let at = *self.places.entry(id).or_insert(self.steps.len());
            if self.steps.get(at).is_some_and(|known| known.line == step.line) {
                continue;
            }
            if self.drawn.is_none() && !self.silent && step.status != "waiting" {
                terminal::note(&step.line);
            }
            match self.steps.get_mut(at) {
                Some(known) => *known = step,
                None => self.steps.push(step),
            }
        }
    }

    fn draw(&mut self, lines: &[String]) {
        let Some(drawn) = &mut self.drawn else { return };
        let up = if *drawn > 0 { format!("\x1b[{drawn}A") } else { String::new() };
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        *drawn = lines.len();
        drop(write!(std::io::stderr(), "{up}\x1b[J{}", lines.concat()));
    }
}

/// The lines that there is room for: before all others what runs and what has failed, then what was done last, then what comes next.
fn live(steps: &[Step], most: usize) -> Vec<String> {
    if steps.len() <= most {
        return steps.iter().map(|step| step.line.clone()).collect();
    }
    let rank = |at: usize, step: &Step| match &*step.status {
        "running" => (0, at),
        "failed" | "unknown" => (1, at),
        "done" | "skipped" => (2, usize::MAX - at),
        _ => (3, at),
    };
    let mut ranked: Vec<_> = steps.iter().enumerate().map(|(at, step)| (rank(at, step), at)).collect();
    ranked.sort_unstable();
    let shown: BTreeSet<usize> = ranked.iter().take(most).map(|(_, at)| *at).collect();
    let (mut lines, mut hidden) = (Vec::new(), BTreeMap::new());
    for (at, step) in steps.iter().enumerate() {
        if shown.contains(&at) {
            lines.push(step.line.clone());
        } else {
            *hidden.entry(&*step.status).or_insert(0_usize) += 1;
        }
    }
    let hidden: Vec<String> = hidden.iter().map(|(status, count)| format!("{count} {status}")).collect();
    lines.push(format!("  and {}", hidden.join(", ")));
    lines
}

/// A line that takes one row: cut, and not continued on the next by a terminal for which some characters are wider.
fn in_one_row(line: &str, columns: usize) -> String {
    let cut = match line.char_indices().nth(columns) {
        None => line.to_owned(),
        Some(_) => line.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
    };
    format!("\x1b[?7l{cut}\x1b[?7h")
}

fn line_of(id: &str, step: &RawValue, status: &str, why: &str) -> String {
    let mark = match status {
        "done" => "+",
        "failed" | "unknown" => "!",
        "running" => ">",
        "skipped" => "-",
        _ => " ",
    };
    let ms =
        step.member("ms").and_then(Look::whole).filter(|_| matches!(status, "done" | "failed" | "unknown"));
    let ms = ms.map_or_else(String::new, |ms| format!("  {ms} ms"));
    let why = if why.is_empty() { String::new() } else { format!("  {}", terminal::harmless(why)) };
    format!("{mark} {id:<24} {status:<8}{ms}{why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(statuses: &[&str]) -> Vec<Step> {
        let step = |(at, status): (usize, &&str)| Step { status: (*status).into(), line: format!("s{at}") };
        statuses.iter().enumerate().map(step).collect()
    }

    #[test]
    fn of_more_steps_than_there_are_rows_those_that_run_and_have_failed_are_shown_and_the_rest_is_counted() {
        let few = steps(&["done", "waiting"]);
        assert_eq!(live(&few, 2), ["s0", "s1"]);
        let many = steps(&["failed", "done", "done", "running", "skipped", "running", "waiting", "waiting"]);
        assert_eq!(live(&many, 2), ["s3", "s5", "  and 2 done, 1 failed, 1 skipped, 2 waiting"]);
        assert_eq!(live(&many, 5), ["s0", "s2", "s3", "s4", "s5", "  and 1 done, 2 waiting"]);
        assert_eq!(live(&many, 7).len(), 8);
        assert_eq!(live(&many, 7)[7], "  and 1 waiting");
    }

    #[test]
    fn a_line_takes_one_row() {
        let shown = |line| in_one_row(line, 5).replace("\x1b[?7l", "").replace("\x1b[?7h", "");
        assert_eq!(shown("12345"), "12345");
        assert_eq!(shown("123456"), "1234…");
        assert_eq!(shown("ÄÖÜäöü"), "ÄÖÜä…");
    }
}
