//! How far the processes of a server are walled off from the machine that they run on, and how much of it they may use.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::Limits;

/// What its owner says of it. Nothing of it is for remote servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// How far it is walled off; the instance's default when absent.
    pub isolation: Option<Isolation>,
    /// It runs also where some of that cannot be had.
    pub allow_degraded: bool,
    /// What its processes may use.
    pub limits: ProcessLimits,
    /// Absolute paths that it may use beside its own directory and the system's programs.
    pub paths: Paths,
    /// TCP ports that it may connect to and listen on, beside connecting to 80 and 443.
    pub ports: Vec<u16>,
    /// Words that stand before its command: a program that confines it.
    pub wrapper: Vec<String>,
}

/// How far a server is walled off, the farthest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// Like `Standard`, and without any network.
    Strict,
    /// It reads the system's programs, writes to its own directory, and connects to the ports of the web.
    Standard,
    /// It may do what the hub's user may do.
    #[default]
    Trusted,
    /// Its `wrapper` confines it, a container for example; the hub does not.
    External,
}

/// What the processes of a server may use. Absent: no limit under `Trusted` and `External`, and the bound of the
/// instance under the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLimits {
    /// Memory of one process that it can write to and shares with no other, in MiB.
    pub memory_mib: Option<u32>,
    /// Processes and threads of the server.
    pub processes: Option<u32>,
    /// Open files of one process.
    pub open_files: Option<u32>,
    /// The longest file that it writes, in MiB.
    pub file_size_mib: Option<u32>,
}

/// Files and directories, with all that is below them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// They may be read and run.
    pub read: Vec<String>,
    /// They may be read, run, changed, made and removed.
    pub write: Vec<String>,
}

/// What a machine was seen to hold back, when it was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each tried by itself")]
pub struct Walls {
    /// Files that were not granted (Landlock).
    pub files: bool,
    /// TCP ports that were not granted (Landlock from 6.7 on).
    pub ports: bool,
    /// The environment of other processes, and signals to them (Landlock from 6.12 on, or PID namespaces).
    pub neighbours: bool,
    /// System calls that no server needs (seccomp).
    pub calls: bool,
    /// More processes and threads than `limits.processes` (a user namespace of its own). No isolation depends on it.
    pub processes: bool,
}

/// What an instance has for servers that do not say it themselves, and what its machine can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Premises {
    /// The isolation of a server that names none.
    pub isolation: Isolation,
    /// Every server runs also where some of its isolation cannot be had.
    pub allow_degraded: bool,
    /// What holds.
    pub walls: Walls,
}

impl Isolation {
    /// All of them, the closest first.
    pub const ALL: [Self; 4] = [Self::Strict, Self::Standard, Self::Trusted, Self::External];

    /// Its name, in the configuration and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Standard => "standard",
            Self::Trusted => "trusted",
            Self::External => "external",
        }
    }

    /// Whether the hub itself walls the server off.
    pub fn confines(self) -> bool {
        match self {
            Self::Strict | Self::Standard => true,
            Self::Trusted | Self::External => false,
        }
    }
}

impl Walls {
    /// What an isolation takes that is not there, in words; empty when it can be had.
    pub fn missing(self, isolation: Isolation) -> Vec<&'static str> {
        let needed = [
            (self.files, true, "files (Landlock)"),
            // Who has no network needs no wall before ports.
            (self.ports, isolation == Isolation::Standard, "TCP ports (Landlock of Linux 6.7)"),
            (self.neighbours, true, "other processes (Landlock of Linux 6.12, or PID namespaces)"),
            (self.calls, true, "system calls (seccomp)"),
        ];
        let missing = needed.into_iter().filter(|(held, needed, _)| isolation.confines() && *needed && !held);
        missing.map(|(_, _, words)| words).collect()
    }
}

impl Confinement {
    /// The same with everything said that the instance says for it.
    #[must_use]
    pub fn settled(&self, premises: &Premises, limits: &Limits) -> Self {
        let isolation = self.isolation.unwrap_or(premises.isolation);
        let own = self.limits;
        let or = |own: Option<u32>, bound| own.or_else(|| isolation.confines().then_some(bound));
        let limits = ProcessLimits {
            memory_mib: or(own.memory_mib, limits.server_memory_mib),
            processes: or(own.processes, limits.server_processes),
            open_files: or(own.open_files, limits.server_open_files),
            file_size_mib: or(own.file_size_mib, limits.server_file_size_mib),
        };
        let allow_degraded = self.allow_degraded || premises.allow_degraded;
        Self { isolation: Some(isolation), allow_degraded, limits, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Walls = Walls { files: true, ports: true, neighbours: true, calls: true, processes: true };

    #[test]
    fn what_a_server_says_goes_before_what_the_instance_says() {
        let premises = Premises { isolation: Isolation::Standard, allow_degraded: false, walls: ALL };
        let limits = Limits::default();
        let settled = Confinement::default().settled(&premises, &limits);
        assert_eq!(settled.isolation, Some(Isolation::Standard));
        assert_eq!(settled.limits.memory_mib, Some(limits.server_memory_mib));
        let own = Confinement {
            isolation: Some(Isolation::Strict),
            allow_degraded: true,
            limits: ProcessLimits { memory_mib: Some(64), ..ProcessLimits::default() },
            ..Confinement::default()
        };
        let settled = own.settled(&premises, &limits);
        assert_eq!(settled.isolation, Some(Isolation::Strict));
        assert!(settled.allow_degraded);
        assert_eq!(settled.limits.memory_mib, Some(64));
        assert_eq!(settled.limits.processes, Some(limits.server_processes));
    }

    #[test]
    fn a_server_that_is_not_confined_has_only_the_limits_that_it_names() {
        for isolation in [Isolation::Trusted, Isolation::External] {
            let limits = ProcessLimits { open_files: Some(100), ..ProcessLimits::default() };
            let own = Confinement { isolation: Some(isolation), limits, ..Confinement::default() };
            assert_eq!(own.settled(&Premises::default(), &Limits::default()).limits, limits);
        }
    }

    #[test]
    fn each_isolation_misses_what_it_needs_and_nothing_else() {
        let without_ports = Walls { ports: false, ..ALL };
        assert_eq!(without_ports.missing(Isolation::Standard), ["TCP ports (Landlock of Linux 6.7)"]);
        assert!(without_ports.missing(Isolation::Strict).is_empty());
        assert_eq!(Walls::default().missing(Isolation::Strict).len(), 3);
        assert!(Walls { processes: false, ..ALL }.missing(Isolation::Standard).is_empty());
        for free in [Isolation::Trusted, Isolation::External] {
            assert!(Walls::default().missing(free).is_empty());
        }
    }
}
