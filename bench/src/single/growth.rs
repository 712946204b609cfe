//! What a call costs when there is more: more servers in the project, more projects in the store, more tools in the list.

use std::path::Path;
use std::rc::Rc;

use orch_core::ports::store::{Change, Expect, Store};
use orch_core::record::{Mode, Project, Record};
use orch_core::{ProjectId, Timestamp};
use orch_store_redb::RedbStore;
use tempfile::TempDir;

use super::{Figure, plan};
use crate::cores::{self, Cores};
use crate::load;
use crate::table::{Row, median};
use crate::target::{Running, hub, new_home};

/// How much there is.
#[derive(Clone, Copy)]
struct Size {
    servers: usize,
    /// Tools of each server, beside `echo`.
    tools: usize,
    projects: usize,
    /// Whether the call goes to the endpoint of all servers.
    unified: bool,
}

const LEAST: Size = Size { servers: 1, tools: 9, projects: 1, unified: false };

pub(super) fn measure(program: &Path, cores: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let [servers, projects, tools] = if quick { [5, 5, 20] } else { [100, 1_000, 4_999] };
    let unified = Size { unified: true, ..LEAST };
    let sizes =
        [LEAST, Size { servers, ..LEAST }, Size { projects, ..LEAST }, unified, Size { tools, ..unified }];
    let mut costs: [Vec<f64>; 5] = Default::default();
    for round in 0..if quick { 1 } else { 3 } {
        let mut order: Vec<_> = sizes.iter().zip(&mut costs).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (size, costs) in order {
            costs.push(cost(program, cores, quick, *size)?);
        }
    }
    let [alone, among_servers, among_projects, unified, among_tools] = costs.map(median);
    let shown = |cost: f64, of: f64| format!("{cost:.1} us, {:.2} of that", cost / of.max(f64::MIN_POSITIVE));
    Ok(vec![
        Figure::new("CPU of a call, 32 x 4, one server with 10 tools", format!("{alone:.1} us"), ""),
        Figure::new(format!("the same, {servers} servers"), shown(among_servers, alone), "flat"),
        Figure::new(
            format!("the same, {projects} projects in the store"),
            shown(among_projects, alone),
            "flat",
        ),
        Figure::new("CPU of a call to the endpoint of all servers, 10 tools", format!("{unified:.1} us"), ""),
        Figure::new(format!("the same, {} tools", tools + 1), shown(among_tools, unified), "flat"),
    ])
}

/// CPU time of a call in microseconds.
fn cost(program: &Path, cores: Option<Cores>, quick: bool, size: Size) -> Result<f64, String> {
    if let Some(cores) = cores {
        cores::stay_on(cores.target)?;
    }
    let running = start(program, size)?;
    if let Some(cores) = cores {
        cores::stay_on(cores.load)?;
    }
    let mut plan = plan(&running, 32, 4);
    if size.unified {
        (plan.endpoint, plan.tool) = ("/mcp".to_owned(), format!("{}__echo", hub::SERVER));
    }
    // All are seen once after a first start: that is not to be counted.
    plan.warm_up_ms = if quick { 50 } else { 500 + 30 * u64::try_from(size.servers).unwrap_or_default() };
    plan.measured_ms = if quick { 100 } else { 2_000 };
    let outcome = load::run(&plan, running.pid)?;
    let row = Row::of(std::slice::from_ref(&outcome));
    if row.is_clean() { Ok(row.cpu_us) } else { Err("an answer was wrong or missing".to_owned()) }
}

fn start(program: &Path, size: Size) -> Result<Running, String> {
    let others = (1..size.servers).map(|number| format!("other{number}"));
    let names = std::iter::once(hub::SERVER.to_owned()).chain(others);
    let args = || vec!["--tools".to_owned(), size.tools.to_string()];
    let (config, home) = (hub::servers(names.map(|name| (name, args()))), new_home()?);
    let running = hub::start(program, &config, &[], &home)?;
    if size.projects == 1 {
        return Ok(running);
    }
    drop(running);
    add_projects(&home, size.projects - 1)?;
    hub::start(program, &config, &[], &home)
}

/// Adds so many projects to the store of a hub that does not run.
fn add_projects(home: &Rc<TempDir>, count: usize) -> Result<(), String> {
    let project = |number: usize| {
        let id = ProjectId::parse(&format!("00000000-0000-7000-8000-{number:012}")).ok_or("an id")?;
        let slug = format!("project-{number}");
        let (name, separator, created_at) = (slug.clone(), "__".to_owned(), Timestamp(0));
        let project = Project { id, slug, name, separator, mode: Mode::Proxy, created_at };
        Ok(Change::Put(Record::Project(project), Expect::Absent))
    };
    let changes = (1..=count).map(project).collect::<Result<Vec<_>, String>>()?;
    let told = |error: orch_core::ports::store::StoreError| error.to_string();
    let store = RedbStore::open(home.path().join("data/store.redb")).map_err(told)?;
    super::block_on(async { store.commit(changes).await.map(drop).map_err(told) })
}
