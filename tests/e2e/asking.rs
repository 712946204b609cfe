//! Servers that ask their clients, and clients that outlive their hub: each SDK, in each era that it speaks, answers
//! sampling, elicitation and roots, hears of a resource that it subscribed to, ends the hub with `kill -9`, and goes on
//! with the one that takes its place.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::home::Home;
use crate::hub::Hub;
use crate::matrix::{Client, Endpoint, Profile, Transport, Visit, expect_kept};
use crate::peers::Server;
use crate::process::eventually;

macro_rules! askable {
    ($($row:ident: $client:ident, $era:literal, $version:literal;)*) => {$(
        mod $row {
            use super::Client;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn answers_its_server_and_outlives_its_hub() {
                super::check(Client::$client, $era, $version).await;
            }
        }
    )*};
}

askable! {
    typescript_sdk_v1: TypescriptV1, "legacy", "2025-11-25";
    typescript_sdk_v2_in_sessions: TypescriptV2, "legacy", "2025-11-25";
    typescript_sdk_v2_without_sessions: TypescriptV2, "modern", "2026-07-28";
    python_sdk_v1: PythonV1, "legacy", "2025-11-25";
    python_sdk_v2_in_sessions: PythonV2, "legacy", "2025-11-25";
    python_sdk_v2_without_sessions: PythonV2, "modern", "2026-07-28";
    rmcp_in_sessions: Rmcp, "legacy", "2025-11-25";
    rmcp_without_sessions: Rmcp, "modern", "2026-07-28";
}

async fn check(client: Client, era: &'static str, version: &'static str) {
    let home = Home::with(&[("everything", Server::everything())]);
    let mut hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let (_, port) = hub.url.rsplit_once(':').expect("a port");
    let port = port.to_owned();
    let visit = Visit {
        url: hub.at("/servers/everything/mcp"),
        key,
        transport: Transport::Http,
        endpoint: Endpoint::Server,
        profile: Profile::Asking { hub: hub.pid() },
        era,
        version,
    };
    let mut visits = JoinSet::new();
    let visiting = visits.spawn(async move { visit.by(client).await });
    eventually("the client ends the hub", Duration::from_secs(45), || {
        hub.has_ended() || visiting.is_finished()
    })
    .await;
    if !hub.has_ended() {
        return expect_kept(&hub, era, &visits.join_next().await.expect("a visit").expect("a verdict"));
    }
    let home = hub.kill();
    let hub = Hub::start_at(&home, &port).await;
    expect_kept(&hub, era, &visits.join_next().await.expect("a visit").expect("a verdict"));
}
