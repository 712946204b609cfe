//! What a process has used, as the kernel counts it.

use std::fs;
use std::time::Duration;

/// CPU time and memory of one process, without its children.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
}

impl Usage {
    /// What the process has used so far; `None` when it is gone.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Self::read(&stat, &status, rustix::param::clock_ticks_per_second())
    }

    fn read(stat: &str, status: &str, ticks_per_second: u64) -> Option<Self> {
        // The name of the program is in parentheses and may hold anything; the state, field 3, follows it.
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut times = fields.split(' ').skip(11).map(|field| field.parse::<u64>().ok());
        let ticks = times.next()?? + times.next()??;
        let cpu = Duration::from_millis(ticks * 1000 / ticks_per_second.max(1));
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Self { cpu, rss_kib: kib("VmRSS")?, peak_kib: kib("VmHWM")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_past_any_name_of_a_program() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 2 0 99";
        let status = "Name:\ta) b\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let usage = Usage::read(stat, status, 100).unwrap();
        assert_eq!((usage.cpu, usage.rss_kib, usage.peak_kib), (Duration::from_secs(3), 1024, 2048));
    }
}
