//! Asking an instance: over its socket when a hub runs, by opening it when none does.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use orch_config::cli::{DEFAULT_CONFIG, UpstreamArgs};
use orch_config::file::ConfigFile;
use orch_core::Limits;
use orch_core::record::Mode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Answer, Request, answer, socket};
use crate::instance::{Instance, Settings};

/// Where a hub listens that nobody has told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8000";

/// Asks the instance of a data directory. `Err` also when the instance says no.
pub(crate) async fn ask(data_dir: &Path, request: Request) -> anyhow::Result<Answer> {
    let answer = match connect(data_dir).await {
        Some(stream) => converse(stream, &request).await?,
        None => open_and_answer(data_dir, request).await?,
    };
    if let Answer::Failed(why) = answer {
        bail!(why)
    }
    Ok(answer)
}

/// Whether a hub runs on the data directory.
pub(crate) async fn is_running(data_dir: &Path) -> bool {
    connect(data_dir).await.is_some()
}

async fn connect(data_dir: &Path) -> Option<UnixStream> {
    UnixStream::connect(socket(data_dir)).await.ok()
}

async fn converse(mut stream: UnixStream, request: &Request) -> anyhow::Result<Answer> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await?;
    serde_json::from_slice(&text)
        .context("the running hub answered something else than this command understands")
}

async fn open_and_answer(data_dir: &Path, request: Request) -> anyhow::Result<Answer> {
    let settings = Settings {
        data_dir,
        base_url: DEFAULT_URL.to_owned(),
        config_file: Path::new(DEFAULT_CONFIG),
        mode: Mode::Proxy,
        upstream: &UpstreamArgs::of_environment(),
        limits: Limits::default(),
        patience: Duration::ZERO,
    };
    let instance = Instance::open(settings).await?;
    import_once(&instance).await?;
    let answered = answer(&instance.office(), request).await;
    instance.close().await;
    Ok(answered)
}

/// Before a hub has ever run, the configuration file in this directory is what it would serve.
async fn import_once(instance: &Instance) -> anyhow::Result<()> {
    let project = orch_config::client_config::DEFAULT_PROJECT;
    let configured = instance.driver.servers(project)?.len() > 1;
    let path = Path::new(DEFAULT_CONFIG);
    if configured || !path.exists() {
        return Ok(());
    }
    match ConfigFile::load(path, &Limits::default()) {
        Ok(file) => Ok(instance.driver.apply_servers(project, file.servers).await?),
        Err(findings) => {
            let text: Vec<String> = findings.iter().map(ToString::to_string).collect();
            bail!("{}", text.join("\n"))
        }
    }
}
