//! Load beside what is measured, from a process of its own.

use std::process::{Child, Command, Stdio};

use crate::load::Plan;
use crate::target::this_program;

/// Load that goes on until this is dropped.
pub(super) struct Background(Child);

impl Background {
    /// Begins it; `aside` is a core that it has to itself only while nobody else wants it.
    pub(super) fn start(plan: &Plan, aside: Option<usize>) -> Result<Self, String> {
        let mut command = Command::new(this_program()?);
        let era = format!("{:?}", plan.shape.era).to_lowercase();
        command.arg("load").arg(plan.address.to_string());
        command.args(["--key", &plan.key, "--endpoint", &plan.endpoint, "--tool", &plan.tool, "--era", &era]);
        for (name, number) in [
            ("--sessions", plan.shape.sessions),
            ("--in-flight", plan.shape.in_flight),
            ("--text-bytes", plan.shape.text_bytes),
            ("--pad-bytes", plan.shape.pad_bytes),
            ("--measured-ms", 60_000),
        ] {
            command.args([name, &number.to_string()]);
        }
        if let Some(core) = aside {
            command.args(["--aside", &core.to_string()]);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.map(Self).map_err(|error| error.to_string())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _status = self.0.wait();
    }
}
