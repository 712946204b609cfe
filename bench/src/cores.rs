//! Which core runs what: what is measured and its children one, the load another, so that neither takes the other's time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).map_err(|error| format!("core {core} cannot be taken: {error}"))
}

/// As many open files as may be: a session is a connection, here and in what is measured.
pub(crate) fn allow_many_files() -> Result<(), String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit { current: maximum, maximum };
    setrlimit(Resource::Nofile, all)
        .map_err(|error| format!("the bound of open files cannot be raised: {error}"))
}
