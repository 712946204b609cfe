//! From a store to a running instance.

use std::sync::Arc;
use std::time::Duration;

use orch_core::key::{Pepper, derive};
use orch_core::ports::planner::Planner;
use orch_core::ports::store::{Change, Expect, Store, StoreError, Versioned};
use orch_core::ports::upstream::Upstreams;
use orch_core::ports::variables::Variables;
use orch_core::record::{Definitions, Lease, Mode, Premises, Project, Record, RecordId, RecordKind, Server};
use orch_core::shard::{Input, Shard};
use orch_core::snapshot::{Directory, Instance};
use orch_core::{Entropy, Limits, ProjectId};
use tokio_util::task::TaskTracker;

use crate::cell::{Cell, Records, World};
use crate::clock::Clock;
use crate::held::Account;
use crate::registry::{Driver, Registry};

/// What an instance is made of: the adapters behind its ports.
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// Child processes.
    pub stdio: Arc<dyn Upstreams>,
    /// Remote servers.
    pub remote: Arc<dyn Upstreams>,
    /// Values of `${NAME}`.
    pub variables: Arc<dyn Variables>,
    /// Language models that make plans.
    pub planner: Arc<dyn Planner>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts(..)")
    }
}

/// What an instance is told.
pub struct Options {
    /// The bounds.
    pub limits: Limits,
    /// The 32 secret bytes that all keys of the instance come from.
    pub instance_key: [u8; 32],
    /// Where clients reach it: scheme, host and port.
    pub base_url: String,
    /// The configuration file, as people know it.
    pub config_file: String,
    /// Where its servers run.
    pub premises: Premises,
    /// Whether `batch_execute` is listed in a project that is made now.
    pub mode: Mode,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Why an instance did not start.
#[derive(Debug)]
pub enum BootError {
    /// The operating system gave no entropy.
    Entropy,
    /// The store did not do its part.
    Store(StoreError),
}

impl std::fmt::Display for BootError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entropy => f.write_str("the operating system gives no random bytes"),
            Self::Store(error) => write!(f, "the data directory cannot be used: {error}"),
        }
    }
}

impl std::error::Error for BootError {}

impl From<StoreError> for BootError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Driver {
    /// Loads an instance from its store and starts its timers. The first time it makes the default project.
    pub async fn start(parts: Parts, options: Options) -> Result<Self, BootError> {
        let mut entropy = Entropy::from_seed(seed()?);
        let pepper = Pepper::derive(&options.instance_key);
        let world = Arc::new(World {
            held: Account::of_hub(&options.limits),
            store: parts.store,
            stdio: parts.stdio,
            remote: parts.remote,
            variables: parts.variables,
            planner: parts.planner,
            instance: Arc::new(Instance {
                limits: options.limits,
                cursor_key: derive(&options.instance_key, b"cursor/v1"),
                base_url: options.base_url,
                config_file: options.config_file,
                premises: options.premises,
            }),
            clock: Clock::start(),
            tasks: TaskTracker::new(),
        });
        let mut registry = Registry::default();
        for project in load_projects(&world, &mut entropy, options.mode).await? {
            for record in list(&world, RecordKind::Key, project.id).await? {
                if let Record::Key(key) = record {
                    registry.keys.insert(key.id.clone(), key);
                }
            }
            registry.projects.insert(project.id, project);
        }
        reclaim(&world, registry.projects.keys().copied()).await?;
        let mut cells = Vec::new();
        for project in registry.projects.values() {
            let cell = load_cell(&world, project.clone()).await?;
            let now = world.clock.now();
            // A run goes on with the rights of its key, as they are now.
            let dead = registry.keys.values().filter(|key| key.project == cell.id && !key.opens_at(now));
            dead.for_each(|key| cell.feed(Input::KeyRevoked(key.id.clone())));
            cells.push(cell);
        }
        Ok(Self::assemble(world, pepper, registry, cells, entropy))
    }

    /// To be called when what is configured is known: starts every server once that was never seen, so that lists need no process from
    /// then on, and goes on with the runs of an earlier life.
    pub fn survey(&self) {
        for cell in self.cells().values() {
            cell.feed(Input::SurveyAsked);
        }
    }

    /// Ends the streams that have no end of their own, so that faces can drain.
    pub fn drain(&self) {
        for cell in self.cells().values() {
            cell.feed(Input::Draining);
        }
    }

    /// The same where another process is about to take the place of this one: until it does, calls may begin.
    pub fn hand_over(&self) {
        for cell in self.cells().values() {
            cell.feed(Input::HandingOver);
        }
    }

    /// Waits until no call of a run is under way: those that nobody waits for have begun no more since [`Driver::drain`].
    pub async fn runs_rest(&self) {
        while !self.cells().values().all(|cell| cell.live().shard.runs_rest()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends links in order. Returns when all is done, or after `patience`.
    pub async fn stop(&self, patience: Duration) {
        for cell in self.cells().values() {
            cell.feed(Input::Stopping);
        }
        let quiet = async {
            while !self.cells().values().all(|cell| cell.live().shard.is_quiet()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(patience, quiet).await.is_err() {
            tracing::warn!("some servers did not end in time");
        }
        for cell in self.cells().values() {
            cell.logs.written(true).await;
            cell.calls.written().await;
        }
    }
}

/// Ends what dead hubs of this instance have left running, and forgets it.
async fn reclaim(world: &World, projects: impl Iterator<Item = ProjectId>) -> Result<(), StoreError> {
    let mut leases = Vec::new();
    for project in projects {
        let found = list(world, RecordKind::Lease, project).await?;
        leases.extend(
            found.into_iter().filter_map(
                |record| {
                    if let Record::Lease(lease) = record { Some(lease) } else { None }
                },
            ),
        );
    }
    if leases.is_empty() {
        return Ok(());
    }
    let known = leases.len();
    let removed = |lease: &Lease| Change::Remove(RecordId::Lease(lease.project, lease.launch.clone()));
    let changes = leases.iter().map(removed).collect();
    let ended = world.stdio.reclaim(leases).await;
    tracing::info!(launches = known, "{ended} processes of a dead instance ended by their leases");
    // A full disk keeps nobody from starting: they are dead the next time, too.
    if let Err(error) = world.store.commit(changes).await {
        tracing::warn!(%error, "leases of a dead instance stay in the store");
    }
    Ok(())
}

async fn load_projects(world: &World, entropy: &mut Entropy, mode: Mode) -> Result<Vec<Project>, StoreError> {
    // Projects are listed across the instance: the id says nothing here.
    let anywhere = ProjectId(orch_core::hub::ID.0);
    let mut projects: Vec<Project> = list(world, RecordKind::Project, anywhere)
        .await?
        .into_iter()
        .filter_map(|record| if let Record::Project(project) = record { Some(project) } else { None })
        .collect();
    if !projects.iter().any(|project| project.slug == Directory::DEFAULT_SLUG) {
        let now = world.clock.now();
        let project = Project {
            id: ProjectId::mint(now, entropy),
            slug: Directory::DEFAULT_SLUG.into(),
            name: "Default".into(),
            separator: "__".into(),
            mode,
            created_at: now,
        };
        world.store.commit(vec![Change::Put(Record::Project(project.clone()), Expect::Absent)]).await?;
        projects.push(project);
    }
    Ok(projects)
}

async fn load_cell(world: &Arc<World>, project: Project) -> Result<Arc<Cell>, BootError> {
    let id = project.id;
    let mut servers: Vec<Server> = Vec::new();
    for record in list(world, RecordKind::Server, id).await? {
        if let Record::Server(server) = record {
            servers.push(server);
        }
    }
    let mut definitions: Vec<Arc<Definitions>> = Vec::new();
    for record in list(world, RecordKind::Definitions, id).await? {
        if let Record::Definitions(known) = record {
            definitions.push(Arc::new(known));
        }
    }
    let mut records = Vec::new();
    let lives = [
        RecordKind::Session,
        RecordKind::Wishes,
        RecordKind::Owed,
        RecordKind::Run,
        RecordKind::RunCall,
        RecordKind::Task,
        RecordKind::RunStep,
    ];
    for kind in lives {
        records.extend(list(world, kind, id).await?);
    }
    let shard = Shard::restore(records, world.clock.now());
    let entropy = Entropy::from_seed(seed()?);
    Ok(Cell::start(world, Records { project, servers, definitions, planner: None }, shard, entropy))
}

async fn list(world: &World, kind: RecordKind, project: ProjectId) -> Result<Vec<Record>, StoreError> {
    let found = world.store.list(kind, project).await?;
    Ok(found.into_iter().map(|Versioned { record, .. }| record).collect())
}

fn seed() -> Result<[u8; 32], BootError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| BootError::Entropy)?;
    Ok(seed)
}
