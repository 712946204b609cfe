//! How the steps of a run are shown while it goes on: in place on a terminal, else a line for each change.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use serde_json::value::RawValue;

use crate::json::Look;
use crate::terminal;

/// The steps as they were shown last.
pub(crate) struct View {
    /// In the order of the plan.
    steps: Vec<(String, String)>,
    places: BTreeMap<String, usize>,
    in_place: bool,
    silent: bool,
}

impl View {
    pub(crate) fn new(silent: bool) -> Self {
        let in_place = std::io::stderr().is_terminal();
        Self { steps: Vec::new(), places: BTreeMap::new(), in_place, silent }
    }

    /// Whether it shows nothing: all that is said is JSON.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Shows steps, as far as they have changed.
    pub(crate) fn show(&mut self, changed: &[&RawValue]) {
        let before = self.steps.len();
        for step in changed {
            let id = terminal::harmless(&step.text_of("id"));
            let status = step.text_of("status");
            let line = line_of(&id, step, &status, &step.text_of("why"));
            match self.places.get(&id).and_then(|at| self.steps.get_mut(*at)) {
                Some(shown) if shown.1 == line => continue,
                Some(shown) => shown.1.clone_from(&line),
                None => {
                    self.places.insert(id.clone(), self.steps.len());
                    self.steps.push((id, line.clone()));
                }
            }
            if !self.in_place && !self.silent && status != "waiting" {
                terminal::note(&line);
            }
        }
        if self.in_place && !self.silent {
            self.draw(before);
        }
    }

    fn draw(&self, before: usize) {
        let up = if before > 0 { format!("\x1b[{before}A") } else { String::new() };
        let lines: Vec<String> = self.steps.iter().map(|(_, line)| format!("\x1b[2K{line}\n")).collect();
        drop(write!(std::io::stderr(), "{up}{}", lines.concat()));
    }
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
    let why: String = terminal::harmless(why).chars().take(100).collect();
    let why = if why.is_empty() { why } else { format!("  {why}") };
    format!("{mark} {id:<24} {status:<8}{ms}{why}")
}
