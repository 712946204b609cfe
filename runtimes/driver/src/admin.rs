//! Administration: what the command line asks of an instance, running or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orch_core::hub::{ServerView, ToolLine, tool_lines};
use orch_core::key::Token;
use orch_core::planner::PlannerSpec;
use orch_core::ports::gateway::{
    Admission, Event, EventStream, Head, ProtocolHeaders, ReplyBody, Target, Verb,
};
use orch_core::ports::passes::Visit;
use orch_core::ports::store::{Change, Expect, StoreError};
use orch_core::record::{Key, Mode, Origin, Record, RecordId, Server, ServerSpec, resolve};
use orch_core::rpc::write;
use orch_core::shard::{Input, Order};
use orch_core::snapshot::Snapshot;
use orch_core::{KeyId, ServerId, Unstored};
use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::registry::Driver;

/// Why an administrative request was not carried out.
#[derive(Debug)]
pub enum AdminError {
    /// What was named does not exist.
    NotFound(String),
    /// The store did not do its part.
    Store(StoreError),
    /// A tool call got no answer.
    Unanswered(String),
}

impl std::fmt::Display for AdminError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound(what) | Self::Unanswered(what) => f.write_str(what),
            Self::Store(error) => write!(f, "{} ({error})", Unstored::from(error.kind())),
        }
    }
}

impl std::error::Error for AdminError {}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A key that was just made. The only time its text can be seen.
#[derive(Debug)]
pub struct NewKey {
    /// Its public part.
    pub id: KeyId,
    /// The whole key.
    pub token: Token,
}

/// What may be shown of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Its public part.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The slug of its project.
    pub project: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at: u64,
    /// When it stops working.
    pub expires_at: Option<u64>,
    /// When it was revoked.
    pub revoked_at: Option<u64>,
}

impl Driver {
    /// Makes a key for a project; it works at once.
    pub async fn create_key(
        &self,
        project: &str,
        name: &str,
        valid_for: Option<Duration>,
    ) -> Result<NewKey, AdminError> {
        let cell = self.project(project)?;
        let token = Token::mint(&mut self.entropy());
        let now = self.now();
        let key = Key {
            id: KeyId(token.id().into()),
            project: cell.id,
            name: name.into(),
            mac: token.mac(&self.inner.pepper),
            created_at: now,
            expires_at: valid_for.map(|span| now.after(span)),
            revoked_at: None,
        };
        self.inner.world.store.commit(vec![Change::Put(Record::Key(key.clone()), Expect::Absent)]).await?;
        let id = key.id.clone();
        self.change_registry(|registry| {
            registry.keys.insert(key.id.clone(), key);
        });
        Ok(NewKey { id, token })
    }

    /// Says who makes plans in a project, from now on and until the instance ends.
    pub fn set_planner(&self, project: &str, planner: Option<PlannerSpec>) -> Result<(), AdminError> {
        let cell = self.project(project)?;
        let planner = planner.map(Arc::new);
        if cell.snapshot().planner != planner {
            cell.replace(|records| records.planner = planner);
        }
        Ok(())
    }

    /// Revokes a key: it opens nothing any more, and what it has opened ends. Doing so again changes nothing.
    pub async fn revoke_key(&self, id: &str) -> Result<(), AdminError> {
        let directory = self.directory();
        let found = directory.keys().find(|key| *key.id.0 == *id).cloned();
        let mut key = found.ok_or_else(|| AdminError::NotFound(format!("there is no key {id}")))?;
        if key.revoked_at.is_some() {
            return Ok(());
        }
        key.revoked_at = Some(self.now());
        self.inner.world.store.commit(vec![Change::Put(Record::Key(key.clone()), Expect::Anything)]).await?;
        let (id, project) = (key.id.clone(), key.project);
        self.change_registry(|registry| {
            registry.keys.insert(key.id.clone(), key);
        });
        if let Some(cell) = self.cell(project) {
            cell.feed(Input::KeyRevoked(id));
        }
        Ok(())
    }

    /// The keys of all projects, oldest first.
    pub fn keys(&self) -> Vec<KeyView> {
        let directory = self.directory();
        let mut keys: Vec<KeyView> = directory
            .keys()
            .map(|key| KeyView {
                id: key.id.to_string(),
                name: key.name.clone(),
                project: self
                    .cell(key.project)
                    .map_or_else(String::new, |cell| cell.snapshot().project.slug.clone()),
                created_at: key.created_at.0,
                expires_at: key.expires_at.map(|at| at.0),
                revoked_at: key.revoked_at.map(|at| at.0),
            })
            .collect();
        keys.sort_by_key(|key| key.created_at);
        keys
    }

    /// The servers of a project.
    pub fn servers(&self, project: &str) -> Result<Vec<ServerView>, AdminError> {
        let cell = self.project(project)?;
        let snapshot = cell.snapshot();
        let views = cell.live().shard.views(&snapshot);
        Ok(views)
    }

    /// The tools of a project, or of one server of it.
    pub fn tools(&self, project: &str, server: Option<&str>) -> Result<Vec<ToolLine>, AdminError> {
        let cell = self.project(project)?;
        if let Some(name) = server {
            cell.known(name)?;
        }
        Ok(tool_lines(&cell.snapshot(), server))
    }

    /// Starts or ends a server, and waits until it has started or failed.
    pub async fn order(&self, project: &str, server: &str, order: Order) -> Result<ServerView, AdminError> {
        let cell = self.project(project)?;
        let snapshot = cell.snapshot();
        let entry = snapshot.named(server).filter(|entry| entry.config.is_some()).ok_or_else(|| {
            let built_in = snapshot.named(server).is_some();
            let why = if built_in { "is built in and has no process" } else { "is not there" };
            AdminError::NotFound(format!("server {server} {why}; {}", names(&snapshot)))
        })?;
        if !entry.enabled() {
            let words = format!("{server} is disabled; set \"disabled\": false in the configuration first");
            return Err(AdminError::NotFound(words));
        }
        cell.feed(Input::Ordered { server: entry.id, order });
        loop {
            let mut views = self.servers(project)?.into_iter();
            let gone = || AdminError::NotFound(format!("{server} was removed"));
            let view = views.find(|view| view.name == server).ok_or_else(gone)?;
            if !matches!(&*view.state, "queued" | "starting") {
                return Ok(view);
            }
            // A start has a time limit of its own.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A remote server, as whoever logs in there has to know it.
    pub fn visit(&self, project: &str, server: &str) -> Result<Visit, AdminError> {
        let cell = self.project(project)?;
        cell.known(server)?;
        let snapshot = cell.snapshot();
        let config = snapshot.named(server).and_then(|entry| entry.config.as_ref());
        let none = || {
            let why =
                "wants no login of the hub's: it is a program, or has an Authorization header in `headers`";
            AdminError::NotFound(format!("server {server} {why}"))
        };
        let spec = &config.ok_or_else(none)?.spec;
        let spec = resolve(spec, |name| self.inner.world.variables.lookup(name)).map_err(|missing| {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            AdminError::NotFound(missing.join("; "))
        })?;
        Visit::of(&snapshot.project.slug, server, &spec).ok_or_else(none)
    }

    /// Waits until every enabled server of a project was seen or has failed, at most `patience`.
    pub async fn seen(&self, project: &str, patience: Duration) -> Result<(), AdminError> {
        let cell = self.project(project)?;
        cell.feed(Input::SurveyAsked);
        let settled = async {
            while cell.is_learning() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Whoever is not there by then is shown as not there.
        drop(tokio::time::timeout(patience, settled).await);
        Ok(())
    }

    /// Makes the configuration file's servers be those of a project. Only what differs is touched.
    pub async fn apply_servers(
        &self,
        project: &str,
        wanted: BTreeMap<String, ServerSpec>,
    ) -> Result<(), AdminError> {
        let cell = self.project(project)?;
        let present: Vec<Server> = cell.records().servers.clone();
        let mut servers = Vec::new();
        let mut changes = Vec::new();
        for (name, spec) in wanted {
            let known = present.iter().find(|server| server.name == name);
            let id =
                known.map_or_else(|| ServerId::mint(self.now(), &mut self.entropy()), |server| server.id);
            let server = Server { id, project: cell.id, name, origin: Origin::ConfigFile, spec };
            if known != Some(&server) {
                changes.push(Change::Put(Record::Server(server.clone()), Expect::Anything));
            }
            servers.push(server);
        }
        let kept: BTreeSet<ServerId> = servers.iter().map(|server| server.id).collect();
        for gone in present.iter().filter(|server| !kept.contains(&server.id)) {
            changes.push(Change::Remove(RecordId::Server(cell.id, gone.id)));
            changes.push(Change::Remove(RecordId::Definitions(cell.id, gone.id)));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.inner.world.store.commit(changes).await?;
        cell.replace(|records| {
            records.servers = servers;
            records.definitions.retain(|known| kept.contains(&known.server));
        });
        Ok(())
    }

    /// Says whether `batch_execute` is listed on a project's unified endpoint.
    pub async fn set_mode(&self, project: &str, mode: Mode) -> Result<(), AdminError> {
        let cell = self.project(project)?;
        let mut record = cell.records().project.clone();
        if record.mode == mode {
            return Ok(());
        }
        record.mode = mode;
        self.inner
            .world
            .store
            .commit(vec![Change::Put(Record::Project(record.clone()), Expect::Anything)])
            .await?;
        cell.replace(|records| records.project = record);
        Ok(())
    }

    /// Calls a tool of a project by any of its names. The answer is the raw JSON-RPC response.
    pub async fn call(&self, project: &str, tool: &str, arguments: &str) -> Result<Bytes, AdminError> {
        let cell = self.project(project)?;
        let (head, body) = tool_call(tool, arguments);
        let admission = Admission::of_operator(cell.id, Target::Unified);
        let reply = orch_core::ports::gateway::Gateway::submit(self, admission, head, body).await;
        match reply.body {
            ReplyBody::Json(body) => Ok(body),
            ReplyBody::Events(stream) => last_message(stream).await,
            ReplyBody::Empty => Err(AdminError::Unanswered("the call got no answer".into())),
        }
    }

    pub(crate) fn project(&self, name: &str) -> Result<Arc<Cell>, AdminError> {
        let id = self.directory().project(Some(name));
        id.and_then(|id| self.cell(id))
            .ok_or_else(|| AdminError::NotFound(format!("there is no project {name}")))
    }
}

impl Cell {
    /// Whether there is a server of that name; the names of those that there are, otherwise.
    pub(crate) fn known(&self, server: &str) -> Result<(), AdminError> {
        let snapshot = self.snapshot();
        match snapshot.named(server) {
            Some(_) => Ok(()),
            None => Err(AdminError::NotFound(format!("there is no server {server}; {}", names(&snapshot)))),
        }
    }
}

fn names(snapshot: &Snapshot) -> String {
    let names: Vec<&str> = snapshot.servers().map(|entry| entry.name.as_str()).collect();
    format!("the servers are: {}", names.join(", "))
}

fn tool_call(tool: &str, arguments: &str) -> (Head, Bytes) {
    let mut params = Vec::from(b"{\"name\":");
    write::string(&mut params, tool);
    params.extend_from_slice(b",\"arguments\":");
    params.extend_from_slice(arguments.as_bytes());
    params.extend_from_slice(
        b",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
          \"io.modelcontextprotocol/clientCapabilities\":{}}}",
    );
    let head = Head {
        verb: Verb::Post,
        project: None,
        target: Target::Unified,
        bearer: None,
        session: None,
        headers: ProtocolHeaders {
            version: Some("2026-07-28".into()),
            method: Some("tools/call".into()),
            name: Some(tool.into()),
            ..ProtocolHeaders::default()
        },
        messages_path: String::new(),
    };
    (head, write::request(Some(1), "tools/call", Some(&params)).into())
}

async fn last_message(mut stream: Box<dyn EventStream>) -> Result<Bytes, AdminError> {
    let mut last = None;
    while let Some(event) = std::future::poll_fn(|cx| stream.poll_event(cx)).await {
        if let Event::Message { data, .. } = event {
            last = Some(data);
        }
    }
    last.ok_or_else(|| AdminError::Unanswered("the call ended without an answer".into()))
}
