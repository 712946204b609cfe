//! What a server is given and what is taken from it, in its own process, before the program takes over.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::SigSet;
use rustix::io::FdFlags;
use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::cage::{self, Cage};
use super::order::{self, Limits, Order, Report, Step};

/// The first number that no standard stream has.
const FIRST: i32 = 3;

/// Files that somebody has left open for the hub do not reach a server.
pub(super) fn keep_files_to_itself() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|it| it.parse().ok());
        if let Some(number) = number.filter(|&it| it >= FIRST) {
            #[expect(unsafe_code, reason = "a file that was inherited has no other name than its number")]
            // SAFETY: it is open, for it was just listed and this process has no other thread that could close it.
            let file = unsafe { BorrowedFd::borrow_raw(number) };
            rustix::io::fcntl_setfd(file, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

/// Starts the server as the leader of a process group. Returns when the program has taken over.
#[expect(clippy::disallowed_methods, reason = "the shim is what starts servers")]
pub(super) fn start(order: &Order, stdin: OwnedFd, control: &OwnedFd) -> io::Result<Pid> {
    let setting = Setting {
        shim: rustix::process::getpid(),
        control: control.try_clone()?,
        limits: order.limits,
        cage: order.cage.clone(),
    };
    let program = text(&order.program)?;
    let args = [&order.called].into_iter().chain(&order.args).map(text).collect::<io::Result<Vec<_>>>()?;
    let settings = order
        .env
        .iter()
        .map(|(name, value)| text([name.as_os_str(), value.as_os_str()].join(OsStr::new("="))));
    let env = settings.collect::<io::Result<Vec<_>>>()?;
    // The program of the command never runs: the last step before it becomes the one that was ordered. The standard
    // library would hand what is no program to a shell.
    let mut command = Command::new(&order.program);
    command.stdin(Stdio::from(stdin)).process_group(0);
    if let Some(cwd) = &order.cwd {
        command.current_dir(cwd);
    }
    #[expect(unsafe_code, reason = "some settings a process can only make for itself, between fork and exec")]
    // SAFETY: the shim has one thread, so no lock can be held by another when the process is copied.
    unsafe {
        command.pre_exec(move || {
            settle(&setting)?;
            Err(nix::unistd::execve(&program, &args, &env)
                .map_or_else(io::Error::from, |never| match never {}))
        });
    }
    Ok(Pid::from_child(&command.spawn()?))
}

fn text(it: impl AsRef<OsStr>) -> io::Result<CString> {
    Ok(CString::new(it.as_ref().as_bytes())?)
}

/// What a process needs to know that becomes a server.
struct Setting {
    shim: Pid,
    control: OwnedFd,
    limits: Limits,
    cage: Option<Cage>,
}

/// In that process.
fn settle(Setting { shim, control, limits, cage }: &Setting) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(*shim) {
        // It was too late for that signal.
        return Err(rustix::io::Errno::SRCH.into());
    }
    SigSet::empty().thread_set_mask()?;
    limit(limits)?;
    rustix::thread::set_no_new_privs(true)?;
    if let Some(Err(error)) = cage.as_ref().map(cage::shut) {
        order::report(control.as_fd(), Report::Failed(Step::Cage, error.raw_os_error().unwrap_or_default()));
        return Err(error);
    }
    order::report(control.as_fd(), Report::Born);
    Ok(())
}

/// None can be raised again from within.
fn limit(limits: &Limits) -> io::Result<()> {
    // The user has processes elsewhere too, unless it is a user of this namespace alone.
    let alone = rustix::process::getppid() == Some(Pid::INIT) && !rustix::process::geteuid().is_root();
    let limits = [
        // A core file would hold the secrets of the environment.
        (Resource::Core, Some(0)),
        (Resource::Data, limits.memory),
        (Resource::Nproc, limits.processes.filter(|_| alone)),
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.file_size),
    ];
    for (resource, most) in limits {
        let Some(most) = most else { continue };
        // What the hub itself may use is the end of it.
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |hub| hub.min(most));
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}
