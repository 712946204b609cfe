//! What a hub leaves on disk and finds again: its data, its configuration. It outlives the hubs that use it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::binary;
use crate::peers::Server;
use crate::process::{self, MARK, SERVER};

#[derive(Debug)]
pub(crate) struct Home {
    directory: TempDir,
    /// Unlike that of any other test on this machine.
    mark: String,
}

impl Drop for Home {
    fn drop(&mut self) {
        // Of hubs that were killed.
        self.processes().into_iter().for_each(process::kill);
    }
}

impl Home {
    pub(crate) fn new() -> Arc<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = TempDir::with_prefix("orch-e2e-").expect("a temporary directory");
        Arc::new(Self { directory, mark })
    }

    /// A home whose configuration has these servers.
    pub(crate) fn with(servers: &[(&str, Server)]) -> Arc<Self> {
        let home = Self::new();
        home.configure(servers);
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("mcp-config.json")
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, servers: &[(&str, Server)]) {
        self.write_config(&json!({ "mcpServers": self.entries(servers) }).to_string());
    }

    /// Servers as they stand in the configuration.
    pub(crate) fn entries(&self, servers: &[(&str, Server)]) -> Map<String, Value> {
        let entry = |(name, server): &(&str, Server)| {
            // A hub need not hand its own environment to its servers, so each is marked by itself.
            let marked = server.clone().env(MARK, &self.mark).env(SERVER, *name);
            ((*name).to_owned(), marked.entry())
        };
        servers.iter().map(entry).collect()
    }

    /// Replaces the configuration in one step, as an editor does.
    pub(crate) fn write_config(&self, text: &str) {
        let draft = self.path().join("mcp-config.json.draft");
        std::fs::write(&draft, text).expect("the draft of the configuration");
        std::fs::rename(draft, self.config()).expect("the configuration");
    }

    /// The hub's program, marked, with a command of its own and the data of this home.
    pub(crate) fn program(&self, words: &[&str]) -> Command {
        let mut command = self.command(words);
        command.arg("--data-dir").arg(self.data());
        command
    }

    /// The same with a command that needs no data.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = process::command(binary::hub());
        command.args(words);
        self.mark(&mut command);
        command
    }

    /// Lets a command run here, and marks it and all that it starts.
    pub(crate) fn mark(&self, command: &mut Command) {
        command.env(MARK, &self.mark).env("HOME", self.path()).current_dir(self.path());
    }

    /// The processes that were started from here.
    pub(crate) fn processes(&self) -> Vec<u32> {
        process::processes(&[(MARK, &self.mark)])
    }

    /// The processes of one server.
    pub(crate) fn processes_of(&self, server: &str) -> Vec<u32> {
        process::processes(&[(MARK, &self.mark), (SERVER, server)])
    }

    /// Kills the processes of one server, as a crash would.
    pub(crate) fn kill_processes_of(&self, server: &str) {
        self.processes_of(server).into_iter().for_each(process::kill);
    }
}
