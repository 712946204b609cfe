//! The cases of `performance.md`, and what a run makes of them.

use std::path::PathBuf;

use crate::Run;
use crate::cores::{self, Cores};
use crate::hub::{self, Hub, SERVER};
use crate::load::{self, Era, Plan};
use crate::table;

const LARGE: usize = 256 * 1024;

/// What is the same for a name wherever it is run.
#[derive(Debug)]
struct Case {
    name: &'static str,
    era: Era,
    sessions: usize,
    in_flight: usize,
    text_bytes: usize,
    pad_bytes: usize,
}

const fn small(name: &'static str, era: Era, sessions: usize, in_flight: usize) -> Case {
    Case { name, era, sessions, in_flight, text_bytes: 64, pad_bytes: 0 }
}

/// Those with many sessions last: what they leave in memory would be counted with the others.
const CASES: [Case; 8] = [
    small("a", Era::Session, 1, 1),
    small("b", Era::Session, 1, 32),
    small("c", Era::Session, 32, 4),
    Case { pad_bytes: LARGE, ..small("d", Era::Session, 1, 4) },
    Case { text_bytes: LARGE, ..small("e", Era::Session, 1, 4) },
    small("m", Era::Stateless, 32, 4),
    small("s", Era::Sse, 8, 4),
    small("k", Era::Session, 1000, 1),
];

/// Runs the cases; `Ok(false)` if an answer was wrong or missing.
pub(crate) fn run(options: &Run) -> Result<bool, String> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| options.chooses(case.name)).collect();
    if cases.is_empty() {
        return Err(format!("there are the cases {}", CASES.map(|case| case.name).join(", ")));
    }
    cores::allow_many_files()?;
    let hub = start(options)?;
    let mut clean = true;
    table::head();
    for case in cases {
        let plan = case.plan(&hub, options.quick);
        let outcome = load::run(&plan, Some(hub.pid()))
            .map_err(|why| format!("{}: {why}\n{}", case.name, hub.log()))?;
        table::row(case.name, &plan, &outcome);
        clean &= outcome.tally.is_clean();
    }
    print!("{}", hub.log());
    Ok(clean)
}

/// Starts the hub on a core of its own. In a quick run everything stays where the system puts it.
fn start(options: &Run) -> Result<Hub, String> {
    let program: PathBuf = match &options.hub {
        Some(program) => program.clone(),
        None => hub::beside_this_program()?,
    };
    match Cores::find().filter(|_| !options.quick) {
        None => Hub::start(&program),
        Some(cores) => {
            cores::stay_on(cores.hub)?;
            let hub = Hub::start(&program)?;
            cores::stay_on(cores.load)?;
            Ok(hub)
        }
    }
}

impl Run {
    fn chooses(&self, case: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|chosen| chosen == case)
    }
}

impl Case {
    fn plan(&self, hub: &Hub, quick: bool) -> Plan {
        let &Self { era, sessions, in_flight, text_bytes, pad_bytes, .. } = self;
        let (warm_up_ms, measured_ms) = if quick { (20, 100) } else { (500, 2_500) };
        Plan {
            address: hub.address,
            key: hub.key.clone(),
            endpoint: format!("/servers/{SERVER}"),
            tool: "echo".to_owned(),
            era,
            sessions: if quick { sessions.min(20) } else { sessions },
            in_flight,
            text_bytes,
            pad_bytes,
            warm_up_ms,
            measured_ms,
        }
    }
}
