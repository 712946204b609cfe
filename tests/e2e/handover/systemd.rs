//! A service manager that opens the socket and exchanges the hub behind it, as systemd does (`sd_listen_fds(3)`,
//! `sd_notify(3)`).

use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::process::{eventually, succeed};

const PATIENCE: Duration = Duration::from_secs(40);

/// The socket becomes number 3, and the process that is told of it is the hub itself.
const EXEC: &str = "import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])";

pub(crate) struct Manager {
    home: Arc<Home>,
    socket: TcpListener,
    ears: UnixDatagram,
    hub: Option<Child>,
    told: Vec<String>,
}

impl Manager {
    pub(crate) fn new(home: &Arc<Home>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let ears = UnixDatagram::bind(home.path().join("notify.sock")).expect("a socket");
        ears.set_nonblocking(true).expect("a socket that does not wait");
        Self { home: Arc::clone(home), socket, ears, hub: None, told: Vec::new() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.socket.local_addr().expect("an address"))
    }

    /// Starts a hub, and waits until it says that it serves.
    pub(crate) async fn start(&mut self) {
        let serve = self.home.program(&["serve"]);
        let mut command = crate::process::command("python3");
        command.args(["-c", EXEC, &self.socket.as_raw_fd().to_string()]);
        command.arg(serve.get_program()).args(serve.get_args()).arg("--config").arg(self.home.config());
        command.env("NOTIFY_SOCKET", self.home.path().join("notify.sock"));
        self.home.mark(&mut command);
        rustix::io::fcntl_setfd(&self.socket, rustix::io::FdFlags::empty())
            .expect("a socket that children get");
        let log = std::fs::File::create(self.home.path().join("hub.log")).expect("a log file");
        let hub = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.hub = Some(hub.expect("the hub starts"));
        let told = self.told.iter().filter(|word| *word == "READY=1").count();
        self.hears("it serves", |words| words.iter().filter(|word| *word == "READY=1").count() > told).await;
    }

    /// Ends the hub in order, and starts the next one.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    pub(crate) async fn stop(&mut self) {
        let mut hub = self.hub.take().expect("a hub");
        kill_process(Pid::from_child(&hub), Signal::TERM).expect("a signal");
        eventually("the hub ends", PATIENCE, || hub.try_wait().expect("its state").is_some()).await;
    }

    pub(crate) async fn create_key(&self) -> String {
        let command = self.home.program(&["keys", "create", "--project", "default", "--name", "e2e"]);
        let output = succeed(command, PATIENCE).await;
        output.lines().last().expect("a key on the last line").trim().to_owned()
    }

    /// What the hubs have told so far.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.clone()
    }

    /// How many of its files are this manager's socket.
    pub(crate) fn sockets_of(&self, process: u32) -> usize {
        let own = std::fs::read_link(format!("/proc/self/fd/{}", self.socket.as_raw_fd())).expect("a link");
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        files.filter(|file| std::fs::read_link(file.path()).is_ok_and(|it| it == own)).count()
    }

    async fn hears(&mut self, what: &str, enough: impl Fn(&[String]) -> bool + Send + Sync) {
        let (ears, told) = (&self.ears, &mut self.told);
        eventually(what, PATIENCE, || {
            let mut words = [0; 256];
            while let Ok(length) = ears.recv(&mut words) {
                told.extend(crate::process::text(&words[..length]).lines().map(str::to_owned));
            }
            enough(told)
        })
        .await;
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if let Some(mut hub) = self.hub.take() {
            let _already_gone = hub.kill();
            let _status = hub.wait();
        }
    }
}
