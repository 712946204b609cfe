//! A hub with a small server behind it, and how to speak to it badly.

use std::fmt::Write as _;
use std::time::Duration;

use orch_core::ProjectId;
use orch_core::ports::store::{Change, Expect, Store as _};
use orch_core::record::{Record, RecordKind};
use orch_store_redb::RedbStore;
use serde_json::json;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{found, succeed};
use crate::wire::Wire;

/// The endpoint that most rows go to.
pub(crate) const PATH: &str = "/servers/echo/mcp";

/// The behaviour of the small servers.
pub(crate) const PROGRAM: &str = include_str!("server.py");

pub(crate) struct Stage {
    pub(crate) hub: Hub,
    pub(crate) key: String,
    /// A key that was good once.
    pub(crate) expired: String,
    /// Where the hub listens, without a scheme.
    pub(crate) address: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let home = Home::with(&[("echo", server("good"))]);
        let expired = expired_key(&home).await;
        let hub = Hub::start(&home).await;
        let key = hub.create_key().await;
        let address = hub.url.strip_prefix("http://").expect("plain http").to_owned();
        Self { hub, key, expired, address }
    }

    /// A request by its line, with `Host`, a good key and the end of the connection, and with these lines and body.
    pub(crate) fn request(&self, line: &str, lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        let head = format!("{}{lines}Content-Length: {}\r\n\r\n", self.head(line), body.len());
        [head.as_bytes(), body].concat()
    }

    /// The beginning of a head.
    pub(crate) fn head(&self, line: &str) -> String {
        let Self { key, address, .. } = self;
        format!("{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n")
    }

    /// A message to the endpoint of one server, with these headers beside those that every client sends.
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
        self.post_to(PATH, headers, body)
    }

    /// The same to another endpoint.
    pub(crate) fn post_to(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
        let mut lines =
            "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n".to_owned();
        for (name, value) in headers {
            write!(lines, "{name}: {value}\r\n").expect("a string takes all");
        }
        self.request(&format!("POST {path}"), &lines, body)
    }

    /// A session in a revision of the 2025 era.
    pub(crate) async fn session(&self, path: &str, revision: &str) -> String {
        Wire::legacy(self.hub.at(path), &self.key, revision).await.session.expect("a session")
    }

    /// A client that does nothing wrong shakes hands and calls a tool.
    pub(crate) async fn serves_others(&self) {
        let wire = Wire::legacy(self.hub.at(PATH), &self.key, "2025-11-25").await;
        assert_eq!(wire.call_for_text("echo", json!({ "message": "well" })).await, "well");
    }
}

/// A small server that behaves in this way.
pub(crate) fn server(behaviour: &str) -> Server {
    let server = Server::program(found("python3"));
    server.arg("-c").arg(PROGRAM).arg(behaviour)
}

/// A key whose time is over, made before there is a hub.
async fn expired_key(home: &Home) -> String {
    let command = home.program(&["keys", "create", "--project", "default", "--name", "expired"]);
    let output = succeed(command, Duration::from_secs(20)).await;
    let store = RedbStore::open(home.data().join("store.redb")).expect("a store");
    let anywhere = ProjectId(orch_core::hub::ID.0);
    for project in store.list(RecordKind::Project, anywhere).await.expect("projects") {
        let Record::Project(project) = project.record else { continue };
        for key in store.list(RecordKind::Key, project.id).await.expect("keys") {
            let Record::Key(mut key) = key.record else { continue };
            key.expires_at = Some(key.created_at);
            store.commit(vec![Change::Put(Record::Key(key), Expect::Anything)]).await.expect("a change");
        }
    }
    output.lines().last().expect("a key on the last line").trim().to_owned()
}
