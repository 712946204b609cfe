//! What a call costs when there is more: more servers in the project, more tools in the list.

use std::path::Path;

use super::{Figure, plan};
use crate::cores::{self, Cores};
use crate::load;
use crate::table::Row;
use crate::target::{hub, new_home};

pub(super) fn measure(program: &Path, cores: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let [few, servers, tools] = if quick { [1, 5, 20] } else { [1, 100, 5_000] };
    let alone = cost(program, cores, quick, few, 9)?;
    let among_servers = cost(program, cores, quick, servers, 9)?;
    let among_tools = cost(program, cores, quick, few, tools)?;
    let shown = |cost: f64| format!("{cost:.1} us, {:.2} of the first", cost / alone.max(f64::MIN_POSITIVE));
    Ok(vec![
        Figure::new("CPU of a call, 32 x 4, one server with 10 tools", format!("{alone:.1} us"), ""),
        Figure::new(format!("the same, {servers} servers"), shown(among_servers), "flat"),
        Figure::new(format!("the same, one server with {tools} tools"), shown(among_tools), "flat"),
    ])
}

/// CPU time of a call in microseconds: of the tool of one server among so many, with so many tools beside it in each.
fn cost(
    program: &Path,
    cores: Option<Cores>,
    quick: bool,
    servers: usize,
    tools: usize,
) -> Result<f64, String> {
    if let Some(cores) = cores {
        cores::stay_on(cores.target)?;
    }
    let others = (1..servers).map(|number| format!("other{number}"));
    let names = std::iter::once(hub::SERVER.to_owned()).chain(others);
    let config = hub::servers(names.map(|name| (name, vec!["--tools".to_owned(), tools.to_string()])));
    let running = hub::start(program, &config, &[], &new_home()?)?;
    if let Some(cores) = cores {
        cores::stay_on(cores.load)?;
    }
    let mut plan = plan(&running, 32, 4);
    // All are seen once after a first start: that is not to be counted.
    plan.warm_up_ms = if quick { 50 } else { 500 + 30 * u64::try_from(servers).unwrap_or_default() };
    plan.measured_ms = if quick { 100 } else { 2_000 };
    let outcome = load::run(&plan, running.pid)?;
    let row = Row::of(std::slice::from_ref(&outcome));
    if row.is_clean() { Ok(row.cpu_us) } else { Err("an answer was wrong or missing".to_owned()) }
}
