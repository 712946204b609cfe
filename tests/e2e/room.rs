//! A place for a hub's data that runs out of room, and gets it back.

use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::home::Home;
use crate::hub::Hub;
use crate::process;

/// What a place has room for, in bytes.
const ROOM: u64 = 8 * 1024 * 1024;

/// The disk is small: mounts it over the data directory, where nobody else sees it.
const MOUNT: &str = r#"mkdir -p "$0" && mount -t tmpfs -o size=8m,mode=700 none "$0" && exec "$@""#;

/// The file may not grow, which is `EFBIG` in place of `ENOSPC`, and of any user everywhere.
const LIMIT: &str = r#"trap '' XFSZ && ulimit -S -f "$0" && exec "$@""#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// A disk of its own.
    Disk,
    /// A size that no file may exceed.
    Files,
}

impl Room {
    /// A disk of its own where this machine lets a user make one, and else what is possible everywhere.
    pub(crate) fn best() -> Self {
        let mut probe = process::command(process::found("unshare"));
        probe.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
        let permitted = probe.output().is_ok_and(|output| output.status.success());
        if permitted { Self::Disk } else { Self::Files }
    }

    /// The command of a hub, with its data here.
    pub(crate) fn around(self, home: &Home, hub: &Command) -> Command {
        let mut command = match self {
            Self::Disk => {
                let mut command = process::command(process::found("unshare"));
                command.args(["--user", "--map-root-user", "--mount", "sh", "-c", MOUNT]).arg(home.data());
                command
            }
            Self::Files => {
                let mut command = process::command(process::found("sh"));
                // In units of 512 bytes, as POSIX has it.
                command.args(["-c", LIMIT, &(ROOM / 512).to_string()]);
                command
            }
        };
        command.arg(hub.get_program()).args(hub.get_args());
        home.mark(&mut command);
        command
    }

    /// The data directory, as everybody else sees it.
    pub(crate) fn data(self, hub: &Hub) -> PathBuf {
        match self {
            Self::Disk => {
                let inside = hub.home.data();
                let inside = inside.strip_prefix("/").expect("an absolute path");
                PathBuf::from(format!("/proc/{}/root", hub.pid())).join(inside)
            }
            Self::Files => hub.home.data(),
        }
    }

    /// Takes some of the room away, so that the rest is soon used up.
    pub(crate) fn crowd(self, hub: &Hub) {
        if self == Self::Disk {
            let used = std::fs::metadata(self.data(hub).join("store.redb")).expect("a store").len();
            let ballast = ROOM.saturating_sub(used) / 2;
            let ballast = vec![1; usize::try_from(ballast).expect("a size")];
            std::fs::write(self.data(hub).join("ballast"), ballast).expect("the ballast");
        }
    }

    /// Gives room back.
    pub(crate) fn clear(self, hub: &Hub) {
        match self {
            Self::Disk => std::fs::remove_file(self.data(hub).join("ballast")).expect("the ballast"),
            Self::Files => {
                let pid = i32::try_from(hub.pid()).ok().and_then(Pid::from_raw);
                let more = Rlimit { current: Some(4 * ROOM), maximum: None };
                prlimit(pid, Resource::Fsize, more).expect("a higher limit");
            }
        }
    }
}
