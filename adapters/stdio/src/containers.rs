//! Containers that a server's command starts with `docker run` or `podman run`. They are children of the engine and not
//! of the command, so no shim ends them: they get a label, and are removed by it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::Ground;
use crate::shim::order::Order;
use crate::spawn;

/// The label of one launch, and of all launches of an instance.
const LAUNCH: &str = "mcp-orch.launch";
const INSTANCE: &str = "mcp-orch.instance";

/// Programs that run containers and know the options used here.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// Options before the subcommand whose value is a word of its own.
const WITH_VALUE: [&str; 14] = [
    "--config",
    "--connection",
    "--context",
    "--host",
    "--identity",
    "--log-level",
    "--root",
    "--runroot",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--url",
    "-H",
    "-c",
];

/// How long an engine may take over a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Engines, by their program and the options that say which: ready when the hub has taken over.
pub(crate) type Engines = BTreeMap<(PathBuf, Vec<OsString>), Arc<OnceCell<()>>>;

/// The engine of a launch.
#[derive(Debug)]
pub(crate) struct Engine {
    program: PathBuf,
    /// What stands before the subcommand: which engine it is.
    options: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    label: String,
}

/// Labels the containers of an order, if it makes any: its engine.
pub(crate) fn label(order: &mut Order, ground: &Ground) -> Option<Engine> {
    let name = Path::new(&order.called).file_name()?.to_str()?;
    let at = ENGINES.contains(&name).then(|| subcommand(&order.args)).flatten()?;
    let label = format!("{LAUNCH}={}", spawn::mark_of(order)?);
    let of_instance = ground.instance.get().map(|instance| format!("{INSTANCE}={instance}"));
    let labels = [Some(label.clone()), of_instance].into_iter().flatten();
    let options = order.args.iter().take(at).filter(|word| *word != "container").cloned().collect();
    let words: Vec<OsString> =
        labels.flat_map(|label| ["--label".to_owned(), label]).map(Into::into).collect();
    order.args.splice(at + 1..=at, words);
    Some(Engine { program: order.program.clone().into(), options, env: order.env.clone(), label })
}

/// Where the word `run` stands, if that is the subcommand.
fn subcommand(args: &[OsString]) -> Option<usize> {
    let mut words = args.iter().enumerate();
    while let Some((at, word)) = words.next() {
        match word.to_str()? {
            "run" => return Some(at),
            "container" => {}
            option if WITH_VALUE.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            _ => return None,
        }
    }
    None
}

impl Engine {
    /// Removes the containers of this launch.
    pub(crate) async fn clear(&self) {
        self.remove_all(&self.label).await;
    }

    /// The first time that this hub uses the engine: removes what an earlier hub of the instance has left in it.
    pub(crate) async fn take_over(&self, ground: &Ground) {
        let Some(instance) = ground.instance.get() else { return };
        // Whoever comes second waits until it is done: else a container of this hub would be taken for one of those.
        if let Some(once) = self.first_use(ground) {
            once.get_or_init(|| async { self.remove_all(&format!("{INSTANCE}={instance}")).await }).await;
        }
    }

    fn first_use(&self, ground: &Ground) -> Option<Arc<OnceCell<()>>> {
        let mut engines = ground.engines.lock().ok()?;
        Some(Arc::clone(engines.entry((self.program.clone(), self.options.clone())).or_default()))
    }

    async fn remove_all(&self, label: &str) {
        let filter = format!("label={label}");
        let Some(found) = self.ask(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]).await
        else {
            return;
        };
        let ids: BTreeSet<&str> = found.split_whitespace().collect();
        if !ids.is_empty() {
            let words: Vec<&str> = ["rm", "--force", "--volumes"].into_iter().chain(ids).collect();
            let _it_has_warned = self.ask(&words).await;
        }
    }

    /// What the engine answers; `None` when it does not do what it is asked for.
    async fn ask(&self, words: &[&str]) -> Option<String> {
        let mut command = Command::new(&self.program);
        command.args(&self.options).args(words).env_clear().envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let shown = self.program.display();
        match tokio::time::timeout(PATIENCE, command.output()).await {
            Ok(Ok(answer)) if answer.status.success() => {
                return Some(String::from_utf8_lossy(&answer.stdout).into_owned());
            }
            Ok(Ok(answer)) => {
                let words = String::from_utf8_lossy(&answer.stderr);
                tracing::warn!("containers may be left: {shown} says {}", words.trim());
            }
            Ok(Err(error)) => tracing::warn!("containers may be left: {shown} does not run: {error}"),
            Err(_late) => tracing::warn!("containers may be left: {shown} does not answer"),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_is_found_behind_the_options_of_the_engine_and_nowhere_else() {
        let at = |words: &str| subcommand(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(at("run -i --rm mcp/fetch"), Some(0));
        assert_eq!(at("--context far -D container run -i mcp/fetch"), Some(4));
        assert_eq!(at("--host=tcp://far run image"), Some(1));
        assert_eq!(at("mcp gateway run"), None);
        assert_eq!(at("exec -i it run"), None);
        assert_eq!(at("--context run"), None);
    }
}
