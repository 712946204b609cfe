//! A program under load: in a temporary directory, ended with its value.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    home: Rc<TempDir>,
}

impl Process {
    /// Starts a program in `home`, its errors kept for [`Process::log`].
    pub(crate) fn start(mut command: Command, home: Rc<TempDir>) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let told = |error: std::io::Error| format!("{program}: {error}");
        let log = File::create(home.path().join("errors.log")).map_err(told)?;
        let mut child = command
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(told)?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            // Read to the end, so that the program never waits for a reader.
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _nobody_listens_any_more = sender.send(line);
                }
            });
        }
        Ok(Self { child, lines, home })
    }

    /// The first line that says something, in the way that `read` understands.
    pub(crate) fn said<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let end = Instant::now() + START;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.map_err(|_| format!("it does not start: {}", self.log()))?;
            if let Some(said) = read(&line) {
                return Ok(said);
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has complained of.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("errors.log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _asked = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let end = Instant::now() + STOP;
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}
