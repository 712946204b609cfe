//! Every client before every server, for every feature: the real hub, real servers, and clients that are ours.
//!
//! The features are generated from the hub's own tables, and so is what is expected of a cell: where a revision has the
//! feature it works from end to end, and where it has not it is refused as the revision says. There is no other cell.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read on may panic anywhere"
)]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../conformance/fixture.rs"]
mod fixture;
#[path = "../e2e/home.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod home;
#[path = "../e2e/hub.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod hub;
#[path = "../e2e/peers.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod peers;
#[path = "../e2e/process.rs"]
mod process;

mod answers;
mod client;
mod crossings;
mod events;
mod feature;
mod line;
mod methods;
mod news;
mod questions;
mod stage;

use client::Client;
use fixture::Face;

macro_rules! matrix {
    ($($row:ident: $client:expr;)*) => {
        $(mod $row {
            use super::{Client, Face};

            matrix! { @faces $client;
                before_http: Http;
                before_http_with_sessions: HttpLegacy;
                before_http_and_sse: Sse;
                before_stdio: Stdio;
                before_stdio_with_a_handshake: StdioLegacy;
            }
        })*

        /// The clients that have tests.
        const PLAYED: &[Client] = &[$($client),*];
    };
    (@faces $client:expr; $($name:ident: $face:ident;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            super::stage::play($client, Face::$face).await;
        })*

        /// A face that is missing above does not compile here.
        const fn _all(face: Face) {
            match face {
                $(Face::$face => {})*
            }
        }
    };
}

matrix! {
    client_of_2024_11_05_over_http_and_sse: Client::Sse;
    client_of_2024_11_05: Client::Session(orch_core::mcp::Revision::V2024_11_05);
    client_of_2025_03_26: Client::Session(orch_core::mcp::Revision::V2025_03_26);
    client_of_2025_06_18: Client::Session(orch_core::mcp::Revision::V2025_06_18);
    client_of_2025_11_25: Client::Session(orch_core::mcp::Revision::V2025_11_25);
    client_of_2026_07_28: Client::Stateless;
}

#[test]
fn every_client_is_played() {
    let missing: Vec<Client> = Client::all().filter(|client| !PLAYED.contains(client)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
