//! Attempts of a process that is shut in as a server is, at what a server must not be able to do.
//!
//! What a kernel says of its version says little: features are taken back to old ones and left out of new ones, and
//! containers forbid what the kernel has.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use orch_core::record::Walls;
use rustix::process::{Resource, Rlimit};

use super::cage::{self, Cage, Ports};
use super::{THIS_PROGRAM, namespace};
use crate::probe::Facts;

/// What the hub calls it by, and after that what is tried, and a directory to try it in.
pub(crate) const PROBE: &str = "shim-probe";
/// The walls around a server.
pub(crate) const WALLS: &str = "walls";
/// Namespaces, and the limit on processes that goes with one for users.
pub(crate) const NAMESPACE: &str = "namespace";
/// The first process of a namespace.
const WITHIN: &str = "within";
/// Being there and nothing else.
const IDLE: &str = "idle";

/// A limit on processes that none who lives alone comes near, and everybody else is far beyond.
const FEW: u64 = 4;

/// Tries, and prints what was found: a word for each thing that holds.
pub(super) fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let what = args.next().unwrap_or_default();
    let done = match what.to_str() {
        Some(WALLS) => walls(Path::new(&args.next().unwrap_or_default())).and_then(|found| print(&found)),
        Some(NAMESPACE) => apart(),
        Some(WITHIN) => within().and_then(|found| print(&found)),
        _ => Ok(()),
    };
    done.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn print(found: &Facts) -> io::Result<()> {
    io::stdout().write_all(write(found).as_bytes())
}

fn walls(place: &Path) -> io::Result<Facts> {
    let (own, other) = (place.join("own"), place.join("other"));
    fs::create_dir(&own)?;
    fs::write(&other, "secret")?;
    let port = TcpListener::bind("127.0.0.1:0")?;
    let address = port.local_addr()?;
    let cage =
        Cage { read: vec![], write: vec![own.clone().into()], ports: Some(Ports::default()), degraded: true };
    let landlock = cage::shut(&cage)?;
    let refused = |error: io::Error| error.kind() == ErrorKind::PermissionDenied;
    let ports = TcpStream::connect(address).is_err_and(refused);
    let environment = rustix::process::getppid().map(|hub| format!("/proc/{hub}/environ"));
    let seen = environment.is_none_or(|file| fs::read(file).is_ok());
    let reached =
        rustix::process::getppid().is_none_or(|hub| rustix::process::test_kill_process(hub).is_ok());
    let walls = Walls {
        files: fs::read(&other).is_err_and(refused) && fs::write(own.join("file"), "").is_ok(),
        ports,
        neighbours: !seen && !reached,
        calls: UnixStream::pair().is_ok() && UnixStream::connect(place.join("none")).is_err_and(refused),
        processes: false,
    };
    Ok(Facts { walls, landlock: landlock.try_into().unwrap_or_default(), ..Facts::default() })
}

/// Whether namespaces can be made: all of what a shim does for one, and the first process within says that it is so.
fn apart() -> io::Result<()> {
    namespace::enter()?;
    start(WITHIN)?.wait()?;
    Ok(())
}

/// In the first process of a namespace.
fn within() -> io::Result<Facts> {
    namespace::settle()?;
    let few = Rlimit { current: Some(FEW), maximum: Some(FEW) };
    rustix::process::setrlimit(Resource::Nproc, few)?;
    // Nobody waits for them, so they stay, and end with this one.
    let mut more = (0..=FEW).map(|_| start(IDLE));
    let processes = more.next().is_some_and(|first| first.is_ok()) && more.any(|next| next.is_err());
    Ok(Facts { walls: Walls { processes, ..Walls::default() }, namespaces: true, ..Facts::default() })
}

#[expect(clippy::disallowed_methods, reason = "the shim is what starts processes")]
fn start(what: &str) -> io::Result<Child> {
    Command::new(THIS_PROGRAM).arg0("mcp-orch").args([PROBE, what]).env_clear().stdin(Stdio::null()).spawn()
}

fn write(found: &Facts) -> String {
    let Walls { files, ports, neighbours, calls, processes } = found.walls;
    let facts = [files, ports, neighbours, calls, processes, found.namespaces];
    let facts: String = facts.map(|holds| if holds { '1' } else { '0' }).iter().collect();
    format!("{facts} {}", found.landlock)
}

/// What was printed. What is not there does not hold.
pub(crate) fn read(printed: &str) -> Facts {
    let (facts, landlock) = printed.split_once(' ').unwrap_or_default();
    let mut facts = facts.chars().map(|fact| fact == '1');
    let mut next = || facts.next().unwrap_or_default();
    let [files, ports, neighbours, calls, processes] = [next(), next(), next(), next(), next()];
    let walls = Walls { files, ports, neighbours, calls, processes };
    Facts { walls, namespaces: next(), landlock: landlock.trim().parse().unwrap_or_default(), root: false }
}
