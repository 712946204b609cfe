//! Whether two cores carry more than one.

use std::path::Path;

use super::{Figure, plan};
use crate::cores::{self, Cores};
use crate::load;
use crate::table::{Row, median};
use crate::target::{hub, new_home};

/// Servers, each with a load of its own.
const SERVERS: usize = 4;

/// Sessions of each, and calls in flight of each of them.
const LOAD: (usize, usize) = (8, 4);

pub(super) fn measure(program: &Path, cores: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let Some(Cores { target, load }) = cores.or_else(Cores::find) else { return Ok(Vec::new()) };
    let rounds = if quick { 1 } else { 3 };
    let (mut ones, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let one = throughput(program, &[target], quick)?;
        let both = throughput(program, &[target, load], quick)?;
        ones.push(one);
        ratios.push(both / one.max(f64::MIN_POSITIVE));
    }
    if cores.is_some() {
        cores::stay_on(load)?;
    }
    let (sessions, in_flight) = LOAD;
    let what = format!(
        "calls/s of hub, {SERVERS} servers of a project and {SERVERS} loads ({sessions} x {in_flight} each), all on two cores"
    );
    let found = format!("{:.2} of those on one, {:.0}", median(ratios), median(ones));
    Ok(vec![Figure::new(what, found, "at least 1.6 times")])
}

/// Calls a second of everything together on these cores: the hub has as many workers as it finds cores.
fn throughput(program: &Path, on: &[usize], quick: bool) -> Result<f64, String> {
    cores::stay_on_all(on)?;
    let names = (0..SERVERS).map(|number| format!("echo{number}"));
    let config = hub::servers(names.clone().map(|name| (name, Vec::new())));
    let running = hub::start(program, &config, &[], &new_home()?)?;
    let plans = names.map(|name| {
        let mut plan = plan(&running, LOAD.0, LOAD.1);
        plan.endpoint = format!("/servers/{name}/mcp");
        (plan.warm_up_ms, plan.measured_ms) = if quick { (50, 100) } else { (1_000, 2_500) };
        plan
    });
    let loads: Vec<_> = plans.map(|plan| std::thread::spawn(move || load::run(&plan, None))).collect();
    let mut sum = 0.0;
    for load in loads {
        let row = Row::of(&[load.join().map_err(|_| "a load has ended")??]);
        if !row.is_clean() {
            return Err("an answer was wrong or missing".to_owned());
        }
        sum += row.per_second;
    }
    Ok(sum)
}
