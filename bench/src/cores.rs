//! Which core runs what: what is measured and its children one, the load another, so that neither takes the other's time.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Two cores, if there are two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) target: usize,
    pub(crate) load: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(crate) fn find() -> Option<Self> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Self { target: cores.next()?, load: cores.next()? })
    }
}

/// Keeps this thread, and every process that it starts from now on, on one core.
pub(crate) fn stay_on(core: usize) -> Result<(), String> {
    stay_on_all(&[core])
}

/// Keeps this thread, and every process that it starts from now on, on these cores.
pub(crate) fn stay_on_all(cores: &[usize]) -> Result<(), String> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(|error| format!("cores {cores:?} cannot be taken: {error}"))
}

/// Keeps this process on a core where everybody else goes before it: what it does to others it does by what it sends them, not
/// by the time that it takes from them.
pub(crate) fn step_aside(core: usize) -> Result<(), String> {
    stay_on(core)?;
    if is_real_time() {
        // As whoever measures may be, and its children with it: a nice value means nothing to them.
        let this = std::process::id().to_string();
        let _without_the_tool_as_before = Command::new("chrt").args(["--rr", "--pid", "1", &this]).status();
    }
    nice(19).map(drop).map_err(|error| format!("it cannot step aside: {error}"))
}

/// Whether this process goes before all ordinary ones: field 41 of `/proc/PID/stat`, the 39th behind the name.
fn is_real_time() -> bool {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let policy = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(38));
    policy.is_some_and(|policy| policy != "0")
}

/// As many open files as may be: a session is a connection, here and in what is measured.
pub(crate) fn allow_many_files() -> Result<(), String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit { current: maximum, maximum };
    setrlimit(Resource::Nofile, all)
        .map_err(|error| format!("the bound of open files cannot be raised: {error}"))
}
