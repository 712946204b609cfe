//! The process between the hub and a server: the hub started once more, with one thread and nothing else in it.
//!
//! It leads a session, adopts every orphan of its tree, and ends the tree when the server ends, when the hub asks for
//! it, and when the hub is gone, however that came about: its control socket is the lifeline too. In a namespace of
//! its own there are two of it, one outside that waits and one inside, the first process there, whose end the kernel
//! makes the end of all. The streams of the server go through neither.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{Pid, WaitOptions};

mod confine;
mod keep;
mod namespace;
pub(crate) mod order;
mod signals;
mod tree;

use order::{Report, Step, Way};
use signals::Signals;

/// What the hub calls the shim by. It is not for people, and no help names it.
pub(crate) const COMMAND: &str = "shim";

/// The program that runs, whatever has become of its file.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Why a server does not run: the step, and what was in the way.
struct Fault(Step, io::Error);

/// Is the shim, if that is what this process was started for, until it has nothing left to do. To be called first of
/// all in `main`: it needs a process without threads.
pub fn entered(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    (args.next()? == COMMAND).then(|| run(args.next().unwrap_or_default()))
}

/// A shim for the server of this name, whose control socket is the standard input.
fn run(server: OsString) -> ExitCode {
    let Ok(control) = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3) else {
        return ExitCode::FAILURE;
    };
    // What `ps` shows instead of the name of a link in /proc; without it nothing is worse.
    let _unnamed = rustix::thread::set_name(c"mcp-orch-shim");
    let inside = rustix::process::getpid() == Pid::INIT;
    let done = if inside { within(&control) } else { outside(&control, server) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault(step, error)) => {
            order::report(&control, Report::Failed(step, error.raw_os_error().unwrap_or_default()));
            ExitCode::FAILURE
        }
    }
}

/// What the hub has started.
fn outside(control: &OwnedFd, server: OsString) -> Result<(), Fault> {
    let way = order::way(control).map_err(at(Step::Setup))?;
    confine::keep_files_to_itself().map_err(at(Step::Setup))?;
    rustix::process::setsid().map_err(at(Step::Setup))?;
    let signals = Signals::take().map_err(at(Step::Setup))?;
    match way {
        Way::Namespace => {
            let first = namespace::enter().and_then(|()| again(control, server));
            watch(first.map_err(at(Step::Namespace))?, &signals).map_err(at(Step::Setup))
        }
        Way::Plain => serve(control, &signals),
    }
}

/// The first process of a namespace.
fn within(control: &OwnedFd) -> Result<(), Fault> {
    let signals = Signals::take().map_err(at(Step::Setup))?;
    namespace::settle().map_err(at(Step::Namespace))?;
    serve(control, &signals)
}

/// Starts the server and stays until nothing is left of it.
fn serve(control: &OwnedFd, signals: &Signals) -> Result<(), Fault> {
    let (order, stdin) = order::take(control).map_err(at(Step::Setup))?;
    rustix::process::set_child_subreaper(Some(Pid::INIT)).map_err(at(Step::Setup))?;
    let server = confine::start(&order, stdin, control).map_err(at(Step::Program))?;
    drop(order);
    // From here on the server alone holds its streams, and their end is its own.
    silence().map_err(at(Step::Setup))?;
    order::report(control, Report::Running);
    keep::until_all_have_ended(control, signals, server).map_err(at(Step::Setup))
}

/// The same once more, as the first process of the namespace that was entered.
#[expect(clippy::disallowed_methods, reason = "the shim is what starts servers")]
fn again(control: &OwnedFd, server: OsString) -> io::Result<Pid> {
    let child = Command::new(THIS_PROGRAM)
        .arg0("mcp-orch")
        .arg(COMMAND)
        .arg(server)
        .env_clear()
        .stdin(Stdio::from(control.try_clone()?))
        .spawn()?;
    Ok(Pid::from_child(&child))
}

/// Waits for the first process of the namespace, with which all others end, and passes signals on to it.
fn watch(first: Pid, signals: &Signals) -> io::Result<()> {
    silence()?;
    loop {
        for signal in signals.caught() {
            let _gone = rustix::process::kill_process(first, signal);
        }
        if rustix::process::waitpid(Some(first), WaitOptions::NOHANG)?.is_some() {
            return Ok(());
        }
        signals.wait(&[], None)?;
    }
}

/// Lets go of the standard streams, which are the server's and the control socket's.
fn silence() -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(nothing.as_fd())?;
    rustix::stdio::dup2_stdout(nothing.as_fd())?;
    rustix::stdio::dup2_stderr(nothing.as_fd())?;
    Ok(())
}

fn at<E: Into<io::Error>>(step: Step) -> impl Fn(E) -> Fault {
    move |error| Fault(step, error.into())
}
