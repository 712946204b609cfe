//! What is measured: 20 calls of real servers in 5 chains. A call uses values of the one before it, or waits for its effect.
//!
//! The operation that takes its time stands for what lies behind a network; the rest are servers on this machine.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::peers::Server;

/// Calls of each load.
pub(crate) const CALLS: usize = 20;
const CUSTOMERS: usize = 12;
const MINUTES: &str = "- The figures of the quarter were read, and nobody had a question about them.\n";

/// What the servers work on: a directory, and the file of a memory.
#[derive(Debug)]
pub(crate) struct Ground {
    root: PathBuf,
}

impl Ground {
    /// Lays out what the chains begin with below an empty directory.
    pub(crate) fn new(directory: &Path) -> Self {
        let ground = Self { root: directory.canonicalize().expect("its real path") };
        for folder in ["docs", "out"] {
            std::fs::create_dir(ground.root.join(folder)).expect("a directory");
        }
        std::fs::write(ground.root.join("docs/minutes.md"), MINUTES.repeat(30)).expect("a file");
        ground.clear();
        ground
    }

    /// Puts everything back to where it began, so that the same calls give the same values again.
    pub(crate) fn clear(&self) {
        let out = self.root.join("out");
        std::fs::remove_dir_all(&out).expect("a directory");
        std::fs::create_dir(&out).expect("a directory");
        let customer = |n| {
            let seen = [format!("customer since {}", 2000 + n), format!("{} orders", n * 7)];
            json!({ "type": "entity", "name": format!("Customer {n}"), "entityType": "customer", "observations": seen })
        };
        let customers: Vec<String> = (0..CUSTOMERS).map(|n| customer(n).to_string()).collect();
        std::fs::write(self.root.join("memory.jsonl"), customers.join("\n")).expect("a file");
    }

    pub(crate) fn servers(&self) -> [(&'static str, Server); 3] {
        let memory = self.path("memory.jsonl");
        [
            ("everything", Server::everything()),
            ("files", Server::node("server-filesystem").arg(self.path(""))),
            ("memory", Server::node("server-memory").env("MEMORY_FILE_PATH", memory)),
        ]
    }

    fn path(&self, below: &str) -> String {
        self.root.join(below).display().to_string().trim_end_matches('/').to_owned()
    }

    /// The load: a plan. Each of its chains has one operation that takes `slow_ms`.
    pub(crate) fn plan(&self, slow_ms: u32) -> Value {
        let slow = |id, after| {
            json!({ "id": id, "tool": "everything.trigger-long-running-operation", "depends_on": [after],
                "arguments": { "duration": f64::from(slow_ms) / 1000.0, "steps": 1 } })
        };
        let (minutes, customers, list) =
            (self.path("out/minutes.md"), self.path("out/customers.json"), self.path("docs"));
        let steps = json!([
            // A document is found, gets a heading, and is filed.
            { "id": "find", "tool": "files.search_files", "arguments": { "path": list, "pattern": "*minutes*" } },
            { "id": "minutes", "tool": "files.read_text_file", "arguments": { "path": { "$from": "find", "path": "/content" } } },
            slow("approve", "minutes"),
            { "id": "file", "tool": "files.write_file",
              "arguments": { "path": minutes, "content": "# Minutes\n{{approve}}\n\n{{minutes#/content}}" } },
            // The customers are taken from a memory and exported.
            { "id": "customers", "tool": "memory.search_nodes", "arguments": { "query": "customer" } },
            slow("lock", "customers"),
            { "id": "export", "tool": "files.write_file", "depends_on": ["lock"],
              "arguments": { "path": customers, "content": "{{customers#/entities}}" } },
            { "id": "first", "tool": "files.read_text_file", "depends_on": ["export"],
              "arguments": { "path": customers, "head": 1 } },
            // What the weather is like is remembered.
            { "id": "weather", "tool": "everything.get-structured-content", "arguments": { "location": "New York" } },
            slow("forecast", "weather"),
            { "id": "remember", "tool": "memory.create_entities", "arguments": { "entities": [{ "name": "New York",
              "entityType": "city", "observations": ["{{weather#/temperature}} degrees, {{weather#/conditions}}", "{{forecast}}"] }] } },
            { "id": "city", "tool": "memory.open_nodes", "arguments": { "names": [{ "$from": "remember", "path": "/entities/0/name" }] } },
            // Two numbers, and words about them.
            { "id": "sum", "tool": "everything.get-sum", "arguments": { "a": 2, "b": 3 } },
            { "id": "said", "tool": "everything.echo", "arguments": { "message": "{{sum}}" } },
            slow("check", "said"),
            { "id": "checked", "tool": "everything.echo", "arguments": { "message": "{{said}} {{check}}" } },
            // A temperature is carried on into a sum.
            { "id": "chicago", "tool": "everything.get-structured-content", "arguments": { "location": "Chicago" } },
            slow("station", "chicago"),
            { "id": "warmer", "tool": "everything.get-sum", "depends_on": ["station"],
              "arguments": { "a": { "$from": "chicago", "path": "/temperature" }, "b": 1 } },
            { "id": "told", "tool": "everything.echo", "arguments": { "message": "{{warmer}}" } },
        ]);
        let output =
            ["file", "first", "city", "checked", "told"].map(|id| (id.to_owned(), json!({ "$from": id })));
        json!({ "steps": steps, "output": Value::Object(output.into_iter().collect()) })
    }
}

/// One chain of calls that do next to nothing.
pub(crate) fn trivial(tool: &str, arguments: &Value) -> Value {
    let step = |n: usize| {
        let before: Vec<String> = n.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect();
        json!({ "id": format!("s{n}"), "tool": tool, "arguments": arguments, "depends_on": before })
    };
    json!({ "steps": (0..CALLS).map(step).collect::<Vec<_>>() })
}
