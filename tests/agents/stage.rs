//! Where an agent takes its turn: a hub with a server behind it, a model, and a home of the agent's own.

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::hub::Hub;
use crate::model::Model;
use crate::peers::{self, Server};
use crate::process::{self, SERVER, eventually, found};

const TURN: Duration = Duration::from_secs(50);
const LEAVE: Duration = Duration::from_secs(5);

/// What an agent is asked. The model has made up its mind already.
pub(crate) const REQUEST: &str = "Call the echo tool.";

/// Marks the agent's processes as a server's are.
const AGENT: &str = "agent";

pub(crate) struct Stage {
    hub: Hub,
    key: String,
    pub(crate) model: Model,
    /// In no other turn, on this machine or any other.
    message: String,
}

impl Stage {
    /// A hub that has the server `everything`, and a model that wants its tool `echo`.
    pub(crate) async fn set() -> Self {
        Self::with("proxy", |message| ("echo", json!({ "message": message }))).await
    }

    /// The same with a model that wants a plan carried out, whose second step says the result of the first beside the message.
    pub(crate) async fn for_plans() -> Self {
        let plan = |message: &str| {
            json!({ "steps": [
                { "id": "sum", "tool": "everything.get-sum", "arguments": { "a": 2, "b": 3 } },
                { "id": "say", "tool": "everything.echo", "arguments": { "message": format!("{message} {{{{sum}}}}") } },
            ] })
        };
        Self::with("batch", |message| ("batch_execute", plan(message))).await
    }

    async fn with(mode: &str, wish: impl FnOnce(&str) -> (&'static str, Value)) -> Self {
        let message = format!("{:016x}", RandomState::new().build_hasher().finish());
        let home = crate::home::Home::new();
        home.configure(&[("everything", overheard(Server::everything(), &home.path().join("frames")))]);
        let hub = Hub::start_with(&home, |command| command.args(["--mode", mode])).await;
        let key = hub.create_key().await;
        let (tool, arguments) = wish(&message);
        let model = Model::that_calls(tool, arguments).await;
        let stage = Self { hub, key, model, message };
        std::fs::create_dir_all(stage.home().join("work")).expect("a home for the agent");
        stage
    }

    /// The agent's home. It works in the directory `work` in it.
    pub(crate) fn home(&self) -> PathBuf {
        self.hub.home.path().join("agent")
    }

    /// A command in the agent's home, that reaches this machine and nothing beyond it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = process::command(program);
        self.hub.home.mark(&mut command);
        command.env(SERVER, AGENT).env("HOME", self.home()).current_dir(self.home().join("work"));
        // Nobody listens there. Updates, statistics and the like fail at once.
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(proxy, "http://127.0.0.1:9");
        }
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command
    }

    /// Writes a file of the agent's home.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    /// What `mcp-orch client-config` prints.
    pub(crate) async fn client_config(&self, client: &str, words: &[&str]) -> String {
        let mut command = self.hub.home.program(&["client-config", client, "--key", &self.key]);
        command.args(words);
        process::succeed(command, LEAVE).await
    }

    /// The same, where that is JSON.
    pub(crate) async fn client_config_json(&self, client: &str, words: &[&str]) -> Value {
        let text = self.client_config(client, words).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Has the agent take its turn. It has to say what the tool answered, to have called it once, and to leave
    /// nobody behind.
    pub(crate) async fn play(&self, mut agent: Command) {
        let shown = format!("{agent:?}");
        let (said, complained) = (self.hub.home.path().join("said"), self.hub.home.path().join("complained"));
        agent.stdin(Stdio::null());
        agent.stdout(File::create(&said).expect("a file")).stderr(File::create(&complained).expect("a file"));
        let mut turn = tokio::process::Command::from(agent);
        let mut turn = turn.kill_on_drop(true).spawn().unwrap_or_else(|error| panic!("{error}: {shown}"));
        let end = timeout(TURN, turn.wait()).await;
        let report = || {
            let (said, complained, frames) = (read(&said), read(&complained), self.frames().join("\n"));
            format!(
                "{shown}\n--- end\n{end:?}\n--- standard output\n{said}\n--- standard error\n{complained}\n\
                 --- the model\n{}\n--- frames to the server\n{frames}\n--- the hub\n{}",
                self.model.memory(),
                self.hub.log()
            )
        };
        assert!(matches!(&end, Ok(Ok(status)) if status.success()), "the agent fails\n{}", report());
        let answer = format!("Echo: {}", self.message);
        assert!(read(&said).contains(&answer), "the agent does not say {answer:?}\n{}", report());
        let calls = self.frames().iter().filter(|frame| frame.contains(&self.message)).count();
        assert_eq!(calls, 1, "calls that reached the server\n{}", report());
        eventually("the agent leaves nobody behind", LEAVE, || self.hub.home.processes_of(AGENT).is_empty())
            .await;
    }

    /// What the hub has written to the server so far.
    fn frames(&self) -> Vec<String> {
        read(&self.hub.home.path().join("frames")).lines().map(str::to_owned).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.hub.home.kill_processes_of(AGENT);
    }
}

/// A package of the agents that are installed.
pub(crate) fn package(name: &str) -> PathBuf {
    peers::installed().join("agents/node_modules").join(name)
}

/// A server whose frames are also written to a file.
fn overheard(server: Server, frames: &Path) -> Server {
    const SCRIPT: &str = r#"frames=$1; shift; tee "$frames" | "$@""#;
    let mut words = vec!["-c".to_owned(), SCRIPT.to_owned(), "sh".to_owned()];
    words.extend([frames.display().to_string(), server.command.display().to_string()]);
    words.extend(server.args.clone());
    Server { command: found("sh"), args: words, ..server }
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| process::text(&bytes)).unwrap_or_default()
}
