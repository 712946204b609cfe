//! What a server is given and what is taken from it, in its own process, before the program takes over.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::SigSet;
use rustix::fs::Mode;
use rustix::io::FdFlags;
use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::order::{self, Order, Report};

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
    let (shim, control) = (rustix::process::getpid(), control.try_clone()?);
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
            settle(shim, &control)?;
            Err(nix::unistd::execve(&program, &args, &env)
                .map_or_else(io::Error::from, |never| match never {}))
        });
    }
    Ok(Pid::from_child(&command.spawn()?))
}

fn text(it: impl AsRef<OsStr>) -> io::Result<CString> {
    Ok(CString::new(it.as_ref().as_bytes())?)
}

/// In the process that becomes the server.
fn settle(shim: Pid, control: &OwnedFd) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(shim) {
        // It was too late for that signal.
        return Err(rustix::io::Errno::SRCH.into());
    }
    SigSet::empty().thread_set_mask()?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    // A core file would hold the secrets of the environment.
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    rustix::thread::set_no_new_privs(true)?;
    order::report(control.as_fd(), Report::Born);
    Ok(())
}
