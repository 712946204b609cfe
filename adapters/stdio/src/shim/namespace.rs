//! A PID namespace: the kernel ends all of its processes with the first, which ends with the shim.
//!
//! The hub's own root needs nothing else for it. Any other user needs a user namespace around it, in which there is
//! that user alone: files of others keep their owners and are shown as nobody's.

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::Signal;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities,
};

/// What mounting takes.
const MOUNTING: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// The next process that this one starts is the first of a new namespace.
pub(super) fn enter() -> io::Result<()> {
    let own = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    if rustix::process::geteuid().is_root() {
        return Ok(unshare(own)?);
    }
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    unshare(own | CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    // Who is not root loses it when a program starts, unless it is told otherwise.
    let sets = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: sets.inheritable | MOUNTING, ..sets })?;
    Ok(configure_capability_in_ambient_set(MOUNTING, true)?)
}

/// In the first process: it ends with the one that has started it, and `/proc` shows the namespace.
///
/// Whether that one is still there cannot be seen from here, and need not be: the hub sees it, and ends the lifeline.
pub(super) fn settle() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    mount("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)?;
    if !rustix::process::geteuid().is_root() {
        clear_ambient_capability_set()?;
        let none = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    }
    Ok(())
}
