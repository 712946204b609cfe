//! An instance in a data directory: its key, its store, its children and remote servers, its driver.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use orch_config::cli::{PidNamespaces, UpstreamArgs};
use orch_config::environment::{self, ProcessVariables};
use orch_core::Limits;
use orch_core::ports::store::{StoreError, StoreErrorKind};
use orch_core::record::{Mode, Premises};
use orch_driver::{Clock, Driver, Options, Parts};
use orch_oauth::Logins;
use orch_planner::HttpPlanner;
use orch_stdio::{StdioUpstreams, shim};
use orch_store_redb::RedbStore;
use orch_upstream_http::{Allowed, HttpUpstreams};
use rustix::process::{Resource, getrlimit};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::admin::Office;

/// Descriptors that the hub has without a connection or a server: the store, listeners, the runtime.
const OWN_FILES: usize = 32;

/// What an instance is opened with.
pub(crate) struct Settings<'a> {
    pub data_dir: &'a Path,
    pub base_url: String,
    pub config_file: &'a Path,
    pub mode: Mode,
    pub upstream: &'a UpstreamArgs,
    pub limits: Limits,
    /// How long another process may still have the store.
    pub patience: Duration,
}

/// An open instance.
pub(crate) struct Instance {
    pub driver: Driver,
    pub logins: Arc<Logins>,
    children: Arc<StdioUpstreams>,
    remote: Arc<HttpUpstreams>,
}

impl Instance {
    /// Opens the instance of a data directory, making both when they are not there. Fails when another process has
    /// it open, and has not let go of it in time.
    pub(crate) async fn open(settings: Settings<'_>) -> anyhow::Result<Self> {
        let Settings { data_dir, base_url, config_file, mode, upstream, limits, patience } = settings;
        let limits = Limits { starting: starting(), connections: connections(limits.connections), ..limits };
        let remote = remote(upstream, limits.clone())?;
        let logins = Arc::new(logins(data_dir, &remote, limits.clone()));
        let remote = Arc::new(remote.with_passes(Arc::clone(&logins) as _));
        let planner = planner(upstream.own_roots.as_deref(), limits.clone())?;
        make_dir(data_dir)?;
        let store = store(&data_dir.join("store.redb"), patience.max(limits.succession)).await?;
        let instance_key = instance_key(&data_dir.join("instance.key"))?;
        let children = StdioUpstreams::new(shim::THIS_PROGRAM, environment::all(), Handle::current());
        let children = Arc::new(match upstream.pid_namespaces {
            PidNamespaces::Auto => children,
            PidNamespaces::Never => children.without_namespaces(),
        });
        let homes = std::path::absolute(data_dir).context("the data directory")?.join("servers");
        let premises = Premises {
            isolation: upstream.isolation.into(),
            allow_degraded: upstream.allow_degraded,
            walls: children.house(homes).await,
        };
        children.take_over(&name(&data_dir.join("store.redb"))?).await;
        let parts = Parts {
            store: Arc::new(store),
            stdio: Arc::clone(&children) as _,
            remote: Arc::clone(&remote) as _,
            variables: Arc::new(ProcessVariables),
            planner: Arc::new(planner),
        };
        let config_file = std::path::absolute(config_file).unwrap_or_else(|_| config_file.into());
        let config_file = config_file.display().to_string();
        let options = Options { limits, instance_key, base_url, config_file, premises, mode };
        Ok(Self { driver: Driver::start(parts, options).await?, logins, children, remote })
    }

    /// Whoever administers it.
    pub(crate) fn office(&self) -> Office {
        Office { driver: self.driver.clone(), logins: Arc::clone(&self.logins) }
    }

    /// Ends all servers; calls that wait for them are answered.
    pub(crate) async fn stop_servers(&self) {
        let limits = &self.driver.instance().limits;
        let patience = limits.stop_stdin + limits.stop_term + Duration::from_secs(1);
        self.driver.stop(patience).await;
    }

    /// Ends everything: streams, links, children.
    pub(crate) async fn close(self) {
        self.stop_servers().await;
        drop(self.driver);
        let ended = async { tokio::join!(self.children.drained(), self.remote.drained()) };
        if tokio::time::timeout(Duration::from_secs(1), ended).await.is_err() {
            tracing::warn!("some children or connections did not end in time");
        }
    }
}

/// The store, as soon as nobody else has it.
async fn store(path: &Path, patience: Duration) -> Result<RedbStore, StoreError> {
    let end = Instant::now() + patience;
    loop {
        match RedbStore::open(path) {
            Err(error) if error.kind() == StoreErrorKind::Unavailable && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            done => return done,
        }
    }
}

/// How many servers may be starting at the same time: a start is work for a core, and mostly waiting.
fn starting() -> usize {
    std::thread::available_parallelism().map_or(4, |cores| cores.get().saturating_mul(2).min(8))
}

/// How many connections there may be at the same time: as many as are allowed, and no more than leave descriptors for servers
/// and for the store. What comes beyond that is told so; out of descriptors, it could not even be accepted.
fn connections(allowed: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let most = files.map_or(allowed, |files| files.saturating_sub(OWN_FILES).saturating_mul(3) / 4);
    if most < allowed {
        tracing::info!(
            connections = most,
            "the limit on open files allows no more connections: see ulimit -n"
        );
    }
    most.clamp(1, allowed.max(1))
}

/// The way to remote servers that the operator has opened.
pub(crate) fn remote(args: &UpstreamArgs, limits: Limits) -> anyhow::Result<HttpUpstreams> {
    let allowed = Allowed::parse(args.allowed.iter().map(String::as_str)).context("--allow-upstream")?;
    let own_roots = own_roots(args.own_roots.as_deref())?;
    HttpUpstreams::new(allowed, own_roots.as_deref(), limits, Handle::current()).context("--upstream-ca")
}

/// What lets the hub in at servers that ask who it is.
fn logins(data_dir: &Path, remote: &HttpUpstreams, limits: Limits) -> Logins {
    let clock = Clock::start();
    let now = Arc::new(move || clock.now());
    Logins::new(data_dir.join("logins"), Arc::new(remote.web()), limits, now)
}

/// The way to the providers of language models.
pub(crate) fn planner(own: Option<&Path>, limits: Limits) -> anyhow::Result<HttpPlanner> {
    HttpPlanner::new(own_roots(own)?.as_deref(), limits).context("--upstream-ca")
}

fn own_roots(file: Option<&Path>) -> anyhow::Result<Option<Vec<u8>>> {
    let read = |path: &Path| {
        fs::read(path).with_context(|| format!("--upstream-ca: {} cannot be read", path.display()))
    };
    file.map(read).transpose()
}

/// Where the admin socket of a data directory is.
pub(crate) fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}

/// What no other instance of this machine is called: it goes with the open file of the store, so no instance has it
/// before this one has ended.
fn name(store: &Path) -> anyhow::Result<String> {
    let file = fs::metadata(store).with_context(|| format!("{} cannot be read", store.display()))?;
    Ok(format!("{:x}-{:x}", file.dev(), file.ino()))
}

fn make_dir(data_dir: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .with_context(|| format!("the data directory {} cannot be made", data_dir.display()))
}

/// The secret that the keys of an instance come from. A file of its own, so that a copy of the database alone opens
/// nothing.
fn instance_key(path: &Path) -> anyhow::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => match <[u8; 32]>::try_from(bytes) {
            Ok(key) => Ok(key),
            Err(bytes) => {
                bail!("{} has {} bytes, not 32: put the right file back", path.display(), bytes.len())
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_instance_key(path),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn make_instance_key(path: &Path) -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&key)?;
        file.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(key)
}
