//! A running hub. It is stopped when it goes out of scope, and has to leave nothing behind.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::peers::Server;
use crate::process::{self, command_line, eventually, eventually_told};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);

pub(crate) struct Hub {
    pub(crate) home: Arc<Home>,
    /// `http://127.0.0.1:<port>`
    pub(crate) url: String,
    process: Child,
    killed: bool,
    output: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    /// A fresh hub with these servers, and a key for it.
    pub(crate) async fn with(servers: &[(&str, Server)]) -> (Self, String) {
        let hub = Self::start(&Home::with(servers)).await;
        let key = hub.create_key().await;
        (hub, key)
    }

    /// Starts a hub and waits until it serves.
    pub(crate) async fn start(home: &Arc<Home>) -> Self {
        Self::start_with(home, |command| command).await
    }

    /// Starts a hub with more flags or variables.
    pub(crate) async fn start_with(home: &Arc<Home>, more: impl Fn(&mut Command) -> &mut Command) -> Self {
        Self::serve(home, "0", more).await
    }

    /// Starts a hub at a port that one before it has had.
    pub(crate) async fn start_at(home: &Arc<Home>, port: &str) -> Self {
        Self::start_at_with(home, port, |command| command).await
    }

    /// The same with more flags or variables.
    pub(crate) async fn start_at_with(
        home: &Arc<Home>,
        port: &str,
        more: impl Fn(&mut Command) -> &mut Command,
    ) -> Self {
        Self::serve(home, port, more).await
    }

    async fn serve(home: &Arc<Home>, port: &str, more: impl Fn(&mut Command) -> &mut Command) -> Self {
        let mut command = home.program(&["serve", "--port", port]);
        more(&mut command);
        if home.config().exists() {
            command.arg("--config").arg(home.config());
        }
        let complaints = std::fs::File::create(home.path().join("hub.log")).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints);
        let mut process = command.spawn().expect("the hub starts");
        let output = follow(&mut process);
        let mut hub = Self { home: Arc::clone(home), url: String::new(), process, killed: false, output };
        eventually("the hub prints its address", START, || {
            hub.url = hub.output().iter().find_map(|line| address(line)).unwrap_or_default();
            assert!(hub.process.try_wait().expect("its state").is_none(), "the hub ended: {}", hub.log());
            !hub.url.is_empty()
        })
        .await;
        let ready = hub.at("/readyz");
        eventually_told("the hub is ready", START, async || {
            reqwest::get(&ready).await.is_ok_and(|response| response.status() == 200)
        })
        .await;
        hub
    }

    /// The address of an endpoint.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The process of the hub.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether somebody has ended it.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|status| status.is_some())
    }

    /// The lines that the hub has printed so far.
    pub(crate) fn output(&self) -> Vec<String> {
        self.output.lock().expect("the output").clone()
    }

    /// What the hub has printed and logged, for a message.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read_to_string(self.home.path().join("hub.log")).unwrap_or_default();
        format!("{}\n{log}", self.output().join("\n"))
    }

    /// Waits for a line that the hub prints.
    pub(crate) async fn line(&self, wanted: impl Fn(&str) -> bool + Send + Sync) -> String {
        let find = || self.output().into_iter().find(|line| wanted(line));
        eventually("the line is printed", START, || find().is_some()).await;
        find().expect("it was there")
    }

    pub(crate) async fn create_key(&self) -> String {
        let command = self.home.program(&["keys", "create", "--project", "default", "--name", "e2e"]);
        let output = process::succeed(command, START).await;
        output.lines().last().expect("a key on the last line").trim().to_owned()
    }

    /// Asks the hub to end, and does not wait for that.
    pub(crate) fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("a signal");
    }

    /// Ends the hub without a word, and waits until it is gone. What it leaves behind is the caller's to look at.
    pub(crate) fn kill(mut self) -> Arc<Home> {
        self.killed = true;
        self.process.kill().expect("a signal");
        self.process.wait().expect("the end of the hub");
        Arc::clone(&self.home)
    }

    fn stop(&mut self) -> Result<(), String> {
        if self.process.try_wait().is_ok_and(|status| status.is_some()) {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.process), Signal::TERM).map_err(|error| error.to_string())?;
        let ended = || self.process.try_wait().is_ok_and(|status| status.is_some());
        if !within(STOP, ended) {
            return Err(format!("the hub does not end within {STOP:?} of SIGTERM\n{}", self.log()));
        }
        let gone = || self.home.processes().is_empty();
        if !within(Duration::from_secs(1), gone) {
            let left: Vec<String> = self.home.processes().into_iter().map(command_line).collect();
            return Err(format!("the hub left these behind: {left:#?}\n{}", self.log()));
        }
        Ok(())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if self.killed {
            return;
        }
        let stopped = self.stop();
        let _already_gone = self.process.kill();
        let _status = self.process.wait();
        self.home.processes().into_iter().for_each(process::kill);
        match stopped {
            // What a failed test has to say matters more, and a second panic would hide it.
            Err(complaint) if !std::thread::panicking() => panic!("{complaint}"),
            Err(_) | Ok(()) => {}
        }
    }
}

/// Collects the lines that a process prints, for as long as it does.
fn follow(process: &mut Child) -> Arc<Mutex<Vec<String>>> {
    let stdout = process.stdout.take().expect("it is piped");
    let lines = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            collected.lock().expect("the output").push(line);
        }
    });
    lines
}

/// The address that a line of the welcome holds.
fn address(line: &str) -> Option<String> {
    const SCHEME: &str = "http://127.0.0.1:";
    let (_, rest) = line.split_once(SCHEME)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("{SCHEME}{digits}"))
}

/// Whether a condition comes true in time. A destructor cannot wait in any better way.
fn within(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let turns = deadline.as_millis() / 20;
    (0..turns).any(|_| {
        let holds = condition();
        if !holds {
            std::thread::sleep(Duration::from_millis(20));
        }
        holds
    })
}
