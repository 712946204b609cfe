//! Hub, floor and peers under the same load, in the same run: each started anew in every round, in the order of the round
//! before turned round, so that what the machine does meanwhile is done to all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::cases::{CASES, Case};
use crate::cores::{self, Cores};
use crate::load::{self, Outcome};
use crate::report::{self, Line};
use crate::single;
use crate::table::{self, Row};
use crate::target::peer::Peer;
use crate::target::{Target, hub};

/// Without a command: the hub and the floor, in all cases.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Tenths of a second and few sessions: shows that it works, measures nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these cases, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    only: Vec<String>,
    /// How often everything is started and loaded; figures are medians
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// The hub; without this, the `mcp-orch` beside this program
    #[arg(long, value_name = "FILE")]
    hub: Option<PathBuf>,
    /// Another gateway, `NAME=http://ADDRESS:PORT/PATH#TOOL`; its key is read from `BENCH_KEY_<NAME>`
    #[arg(long = "peer", value_name = "NAME=URL")]
    peers: Vec<Peer>,
    /// How a peer is started in each round: `NAME=COMMAND LINE`; without this, it runs already
    #[arg(long = "start", value_name = "NAME=COMMAND")]
    starts: Vec<String>,
    /// Nothing but these of the hub alone, separated by commas: memory, lives, starts, growth, scale, neighbours, large
    #[arg(long, value_delimiter = ',', value_name = "WHAT", conflicts_with_all = ["write", "only"])]
    alone: Vec<String>,
    /// Measures the hub alone too, and writes all of it between the marks of this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// What the rounds of one case against one target came to.
type Results = BTreeMap<(usize, usize), Vec<Outcome>>;

impl Compare {
    /// Runs the cases; `Ok(false)` if an answer of the hub or the floor was wrong or missing.
    pub(crate) fn run(&self) -> Result<bool, String> {
        let cases: Vec<&Case> = CASES.iter().filter(|case| self.chooses(case.name)).collect();
        if cases.is_empty() {
            return Err(format!("there are the cases {}", CASES.map(|case| case.name).join(", ")));
        }
        cores::allow_many_files()?;
        let cores = Cores::find().filter(|_| !self.quick);
        if !self.alone.is_empty() {
            single::show(&single::measure(&self.alone, &self.program()?, cores, self.quick)?);
            return Ok(true);
        }
        let targets = self.targets()?;
        let mut results = Results::new();
        for round in 0..self.rounds.max(1) {
            let mut order: Vec<usize> = (0..targets.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let target = targets.get(index).ok_or("a target")?;
                eprintln!("round {}: {}", round + 1, target.name());
                self.visit(target, index, &cases, cores, &mut results)?;
            }
        }
        let rows: Vec<(usize, usize, Row)> =
            results.iter().map(|((case, target), outcomes)| (*case, *target, Row::of(outcomes))).collect();
        let lines = lines(&targets, &cases, &rows);
        if let Some(file) = &self.write {
            let figures = single::measure(&[], &self.program()?, cores, self.quick)?;
            report::write(file, self.rounds.max(1), &lines, &figures)?;
            single::show(&figures);
        }
        Ok(show(&lines))
    }

    fn program(&self) -> Result<PathBuf, String> {
        self.hub.clone().map_or_else(hub::beside_this_program, Ok)
    }

    fn visit(
        &self,
        target: &Target,
        index: usize,
        cases: &[&Case],
        cores: Option<Cores>,
        results: &mut Results,
    ) -> Result<(), String> {
        let mut running = target.start(cores)?;
        for (number, case) in cases.iter().enumerate() {
            let Some(plan) = case.plan(&running, self.quick) else { continue };
            match load::run(&plan, running.pid) {
                Ok(outcome) => {
                    let is_clean = outcome.tally.is_clean();
                    results.entry((number, index)).or_default().push(outcome);
                    if is_clean {
                        continue;
                    }
                }
                Err(why) if matches!(target, Target::Peer(_)) => {
                    eprintln!("{} in case {}: {why}", target.name(), case.name);
                }
                Err(why) => return Err(format!("{}: {why}\n{}", case.name, running.log())),
            }
            // What has lost an answer may hang: the next case gets one that does not.
            drop(running);
            running = target.start(cores)?;
        }
        eprint!("{}", running.log());
        Ok(())
    }

    fn targets(&self) -> Result<Vec<Target>, String> {
        let mut targets = vec![Target::Floor, Target::Hub(self.program()?)];
        let mut peers = self.peers.clone();
        for start in &self.starts {
            let (name, command) = start.split_once('=').ok_or("--start wants NAME=COMMAND")?;
            let peer = peers.iter_mut().find(|peer| peer.name == name);
            peer.ok_or_else(|| format!("no --peer is called {name}"))?.command = Some(command.to_owned());
        }
        targets.extend(peers.into_iter().map(Target::Peer));
        Ok(targets)
    }

    fn chooses(&self, case: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|chosen| chosen == case)
    }
}

/// A line for each case and target; the floor is the first target.
fn lines<'a>(targets: &'a [Target], cases: &'a [&Case], rows: &'a [(usize, usize, Row)]) -> Vec<Line<'a>> {
    let floor_of = |case: usize| rows.iter().find(|row| (row.0, row.1) == (case, 0)).map(|(.., row)| row);
    let line = |(case, target, row): &'a (usize, usize, Row)| {
        let floor = floor_of(*case).filter(|_| *target != 0);
        let (case, target) = (cases.get(*case)?, targets.get(*target)?.name());
        Some(Line { case: case.name, shape: &case.shape, target, row, floor })
    };
    rows.iter().filter_map(line).collect()
}

/// Prints the table; false if an answer of hub or floor was wrong or missing.
fn show(lines: &[Line<'_>]) -> bool {
    table::head();
    for Line { case, shape, target, row, floor } in lines {
        table::row((case, shape), target, row, *floor);
    }
    lines.iter().all(|line| line.row.is_clean() || !matches!(line.target, "hub" | "floor"))
}
