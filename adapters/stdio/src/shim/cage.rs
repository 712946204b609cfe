//! The walls around a server, raised by the process that becomes it: files and ports by Landlock, system calls by
//! seccomp, no capabilities. What was raised cannot be taken down again, by a program that starts next either.

use std::ffi::OsString;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, path_beneath_rules,
};
use rustix::fs::Mode;
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

use super::calls;

/// The newest Landlock that is made use of.
const NEWEST: ABI = ABI::V6;

/// What every program on a Linux machine reads: programs and libraries, and the settings that belong to no one.
const SYSTEM: [&str; 45] = [
    "/bin",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/lsb-release",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl",
    "/etc/timezone",
    "/gnu/store",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    // Other processes have walls of their own around theirs.
    "/proc",
    "/sbin",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/usr",
    "/dev/tty",
];

/// Devices that hold nothing.
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// What is left to a server within.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cage {
    /// Files and directories that it may read and run, beside the system's.
    pub(crate) read: Vec<OsString>,
    /// Files and directories with which it may do anything.
    pub(crate) write: Vec<OsString>,
    /// TCP ports that it may use; `None`: no network at all.
    pub(crate) ports: Option<Ports>,
    /// What cannot be had here is left out.
    pub(crate) degraded: bool,
}

/// TCP ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) connect: Vec<u16>,
    pub(crate) listen: Vec<u16>,
}

/// Shuts this process in. Returns the version of Landlock that the kernel has, 0 when it has none.
pub(super) fn shut(cage: &Cage) -> io::Result<i32> {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::set_no_new_privs(true)?;
    let status = landlock(cage).map_err(io::Error::other)?;
    let held = status.ruleset != RulesetStatus::NotEnforced;
    if !held && !cage.degraded {
        return Err(rustix::io::Errno::OPNOTSUPP.into());
    }
    match calls::refuse(cage.ports.is_some()) {
        Err(error) if !cage.degraded => return Err(error),
        Ok(()) | Err(_) => {}
    }
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi, .. } => {
            kernel_abi.unwrap_or(effective_abi as i32)
        }
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    })
}

/// As much of it as the kernel has: the hub knows what that is, and has decided that it will do.
fn landlock(cage: &Cage) -> Result<RestrictionStatus, RulesetError> {
    let (reads, all) = (AccessFs::from_read(NEWEST), AccessFs::from_all(NEWEST));
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let ports = cage.ports.clone().unwrap_or_default();
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let rules = grant(rules, SYSTEM, reads)?;
    let rules = grant(rules, DEVICES, device)?;
    let rules = grant(rules, &cage.read, reads)?;
    let rules = grant(rules, &cage.write, all)?;
    let connect = ports.connect.iter().map(|&port| (port, AccessNet::ConnectTcp));
    let listen = ports.listen.iter().map(|&port| (port, AccessNet::BindTcp));
    let ports = connect.chain(listen).map(|(port, access)| Ok::<_, RulesetError>(NetPort::new(port, access)));
    rules.add_rules(ports)?.restrict_self()
}

/// What is not there needs no grant.
fn grant<P: AsRef<std::path::Path>>(
    rules: RulesetCreated,
    paths: impl IntoIterator<Item = P>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    rules.add_rules(path_beneath_rules(paths, access))
}
