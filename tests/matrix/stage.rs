//! One server behind a hub, one client in front of it, and all features between them.

use std::fmt::Write as _;

use orch_core::mcp::Revision;
use serde_json::{Value, json};

use crate::client::Client;
use crate::feature::Feature;
use crate::fixture::{Face, Fixture};
use crate::home::Home;
use crate::hub::Hub;
use crate::line::Line;
use crate::{crossings, methods, news, questions};

/// What is wrong with a cell, in words.
pub(crate) type Outcome = Result<(), String>;

pub(crate) struct Stage {
    // The hub ends before its server.
    pub(crate) hub: Hub,
    pub(crate) key: String,
    pub(crate) client: Client,
    pub(crate) face: Face,
    /// The revision between the hub and the server.
    pub(crate) server: Revision,
    pub(crate) line: Line,
    _fixture: Fixture,
}

impl Stage {
    async fn set(client: Client, face: Face) -> Self {
        let fixture = Fixture::new(face);
        let home = Home::new();
        match &fixture {
            // A server that the hub starts is to be marked as the test's.
            Fixture::Local(server) => home.configure(&[("fixture", server.clone())]),
            Fixture::Remote { .. } => {
                home.write_config(&json!({ "mcpServers": { "fixture": fixture.entry() } }).to_string());
            }
        }
        let hub = Hub::start_with(&home, |serve| serve.args(["--allow-upstream", "127.0.0.1"])).await;
        let key = hub.create_key().await;
        let line = match Line::open(&hub, &key, client).await {
            Ok(line) => line,
            Err(error) => panic!("{client:?} does not get in: {error}\n{}", hub.log()),
        };
        let said = line.call("extra_revision", json!({})).await.expect("the server's revision");
        let server = Revision::parse(said.text()).unwrap_or_else(|| panic!("no revision: {said:?}"));
        assert_eq!(server, newest(face), "the hub speaks the newest revision that {} has", face.name());
        Self { hub, key, client, face, server, line, _fixture: fixture }
    }

    /// Whether the client asks with a session, and gets what a server of the older eras says in one.
    pub(crate) fn is_modern(&self) -> bool {
        self.client.revision().is_modern()
    }

    /// What has reached the server.
    pub(crate) async fn seen(&self) -> Result<Value, String> {
        let talk = self.line.call("extra_seen", json!({})).await?;
        serde_json::from_str(talk.text()).map_err(|error| format!("{error}: {talk:?}"))
    }

    /// Waits until the server has seen something.
    pub(crate) async fn until_seen(
        &self,
        what: &str,
        there: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Outcome {
        for _ in 0..100 {
            if there(&self.seen().await?) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Err(format!("the server has not seen {what}: {}", self.seen().await?))
    }

    async fn check(&self, feature: Feature) -> Outcome {
        match feature {
            Feature::Method(name) => methods::check(self, name).await,
            Feature::Question(asking) => questions::check(self, asking).await,
            Feature::News(news) | Feature::NewsAfterQuestion(news) => news::check(self, news).await,
            Feature::Crossing(crossing) => crossings::check(self, crossing).await,
        }
    }
}

/// The newest revision that a face has.
fn newest(face: Face) -> Revision {
    match face {
        Face::Http | Face::Stdio => Revision::V2026_07_28,
        Face::HttpLegacy | Face::Sse | Face::StdioLegacy => Revision::LAST_WITH_HANDSHAKE,
    }
}

/// An expectation, and what there was instead.
pub(crate) fn ensure(holds: bool, instead: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(instead()) }
}

/// Plays all features, and fails with a table of those that are not as they have to be.
pub(crate) async fn play(client: Client, face: Face) {
    let stage = Stage::set(client, face).await;
    let mut broken = String::new();
    for feature in Feature::all() {
        if let Err(wrong) = stage.check(feature).await {
            write!(broken, "\n  {feature:<40} {wrong}").expect("a text");
        }
    }
    assert!(broken.is_empty(), "{client:?} before {}:{broken}\n{}", face.name(), stage.hub.log());
}
