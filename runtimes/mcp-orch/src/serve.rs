//! `mcp-orch serve`: an instance with its faces, until a signal.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use orch_config::cli::Serve;
use orch_config::client_config::DEFAULT_PROJECT;
use orch_config::file::{ConfigFile, Finding};
use orch_config::watch::watch;
use orch_core::Limits;
use orch_core::record::Mode;
use orch_driver::Driver;
use orch_http::{HostPolicy, Server};
use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::handover::Estate;
use crate::instance::{Instance, Settings, socket_path};
use crate::listeners::Listeners;
use crate::{admin, listeners, logging, memory, signals, terminal, welcome};

fn bounds(args: &Serve) -> anyhow::Result<Limits> {
    let limits = orch_config::limits::limits(&args.limits).map_err(anyhow::Error::msg)?;
    Ok(Limits { drain: Duration::from_secs(args.drain_seconds), ..limits })
}

pub(crate) async fn run(args: Serve) -> anyhow::Result<ExitCode> {
    logging::start(args.log_level);
    memory::give_back_large_blocks();
    memory::give_back_what_is_spare();
    let limits = bounds(&args)?;
    let Listeners { sockets, kept, patience } = listeners::listen(&args, limits.succession).await?;
    let bound = sockets.first().context("no listener")?.local_addr()?;
    let base_url = args.public_url.clone().unwrap_or_else(|| format!("http://{bound}"));
    let settings = Settings {
        data_dir: &args.data_dir,
        base_url: base_url.clone(),
        config_file: args.config_file(),
        mode: args.mode.unwrap_or(Mode::Proxy),
        upstream: &args.upstream,
        limits,
        patience,
    };
    let instance = Instance::open(settings).await?;
    let config = configure(&args, &instance.driver).await?;
    if let Some(mode) = args.mode {
        instance.driver.set_mode(DEFAULT_PROJECT, mode).await?;
    }
    let key = first_key(&instance.driver).await?;
    instance.driver.survey();

    let limits = &instance.driver.instance().limits;
    let drain = limits.drain;
    let (taken, heir) = (CancellationToken::new(), CancellationToken::new());
    let estate =
        Estate::new(&sockets, drain + GOODBYE + limits.stop_stdin + limits.stop_term + SLACK, taken.clone())?;
    if kept {
        heir.cancel();
    }
    let serving = Arc::new(AtomicBool::new(true));
    let ready = Arc::clone(&serving);
    let server = Server {
        listeners: sockets,
        gateway: Arc::new(instance.driver.clone()),
        hosts: HostPolicy { hosts: args.allowed_hosts.clone(), origins: args.allowed_origins.clone() },
        limits: Arc::new(Limits { drain: drain + GOODBYE, ..instance.driver.instance().limits.clone() }),
        ready: Arc::new(move || ready.load(Ordering::Relaxed)),
        heir: heir.clone(),
    };
    let stop = CancellationToken::new();
    let socket = socket_path(&args.data_dir);
    let socket = admin::serve(&socket, instance.office(), estate, stop.clone())?;
    let http = server.serve(stop.clone());
    let _watching = follow(&args, config, &instance.driver)?;
    welcome::print(bound, &base_url, &instance.driver.servers(DEFAULT_PROJECT)?, key.as_deref());

    let mut signals = signals::Signals::new()?;
    tell_service_manager(NotifyState::Ready);
    let stopping = async {
        if signals.next_or(&taken).await {
            heir.cancel();
        }
        tell_service_manager(NotifyState::Stopping);
        if heir.is_cancelled() {
            instance.driver.hand_over();
        } else {
            serving.store(false, Ordering::Relaxed);
            instance.driver.drain();
        }
        stop.cancel();
        tokio::select! {
            _ = signals.next() => {}
            () = tokio::time::sleep(drain) => {}
        }
        // What still waits for a server gets an answer, and has a moment to be read.
        let patience = tokio::time::sleep(GOODBYE);
        tokio::join!(instance.stop_servers(), patience);
    };
    // Whoever has not read his answer by then is cut, and so is what runs do that nobody waits for.
    let faces = async {
        tokio::select! {
            () = drained(http, &instance.driver) => {}
            () = stopping => {}
        }
    };
    tokio::join!(faces, socket);
    instance.close().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Returns when everybody is answered, and no call of a run is under way.
async fn drained<T>(http: impl Future<Output = T>, driver: &Driver) {
    drop(http.await);
    driver.runs_rest().await;
}

/// How long clients have to read the answers to calls that have not ended within the drain time.
const GOODBYE: Duration = Duration::from_secs(2);

/// What an end may take beside all of its steps.
const SLACK: Duration = Duration::from_secs(10);

/// A word to systemd, where it waits for one (`sd_notify(3)`).
fn tell_service_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// Reads the configuration file, if there is one, and makes it so. A broken file stops a hub that has nothing else to
/// serve; one that has served before goes on with what it knows.
async fn configure(args: &Serve, driver: &Driver) -> anyhow::Result<Option<ConfigFile>> {
    let path = args.config_file();
    if !path.exists() {
        if args.config.is_some() {
            bail!("the configuration file {} is not there", path.display());
        }
        return Ok(None);
    }
    match ConfigFile::load(path, &driver.instance().limits) {
        Ok(file) => {
            warn(&file);
            driver.apply_servers(DEFAULT_PROJECT, file.servers.clone()).await?;
            driver.set_planner(DEFAULT_PROJECT, file.planner.clone())?;
            Ok(Some(file))
        }
        Err(findings) if driver.servers(DEFAULT_PROJECT)?.len() > 1 => {
            complain(path, &findings);
            Ok(None)
        }
        Err(findings) => {
            for finding in &findings {
                terminal::error(&finding.to_string());
            }
            bail!("{} has errors; nothing was started", path.display())
        }
    }
}

/// The first start makes one key. A key that somebody has made before is as good.
async fn first_key(driver: &Driver) -> anyhow::Result<Option<String>> {
    if !driver.keys().is_empty() {
        return Ok(None);
    }
    let made = driver.create_key(DEFAULT_PROJECT, "first", None).await?;
    Ok(Some(made.token.reveal().to_owned()))
}

/// Applies every change of the configuration file while the hub runs.
fn follow(
    args: &Serve,
    seen: Option<ConfigFile>,
    driver: &Driver,
) -> anyhow::Result<orch_config::watch::Watching> {
    let path = args.config_file().to_path_buf();
    let (driver, runtime) = (driver.clone(), tokio::runtime::Handle::current());
    let limits = driver.instance().limits.clone();
    let watched = path.clone();
    let watching = watch(&watched, &limits, seen, move |change| match change {
        Ok(file) => {
            warn(&file);
            let count = file.servers.len();
            if let Err(error) = driver.set_planner(DEFAULT_PROJECT, file.planner) {
                tracing::error!(%error, "the planner could not be set");
            }
            match runtime.block_on(driver.apply_servers(DEFAULT_PROJECT, file.servers)) {
                Ok(()) => {
                    tracing::info!(servers = count, "{} was applied", path.display());
                    driver.survey();
                }
                Err(error) => tracing::error!(%error, "{} could not be applied", path.display()),
            }
        }
        Err(findings) => complain(&path, &findings),
    });
    watching.with_context(|| format!("{} cannot be watched", watched.display()))
}

fn complain(path: &Path, findings: &[Finding]) {
    tracing::error!("{} has errors; what was configured before stays in force", path.display());
    for finding in findings {
        tracing::error!("{finding}");
    }
}

fn warn(file: &ConfigFile) {
    for warning in &file.warnings {
        tracing::warn!("{warning}");
    }
}
