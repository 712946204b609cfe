//! Every kind of server behind the hub, asked for what each revision requires; and the server without the hub.

use serde_json::json;

use crate::expected::compare;
use crate::fixture::{Face, Fixture, Remote};
use crate::home::Home;
use crate::hub::Hub;
use crate::shim::Shim;
use crate::suite::run_against;

/// Runs the suite against a server behind a hub.
async fn through_the_hub(face: Face, revision: &str) {
    let fixture = Fixture::new(face);
    let home = Home::new();
    match &fixture {
        // A server that the hub starts is to be marked as the test's.
        Fixture::Local(server) => home.configure(&[("fixture", server.clone())]),
        Fixture::Remote { .. } => {
            home.write_config(&json!({ "mcpServers": { "fixture": fixture.entry() } }).to_string());
        }
    }
    let mut shim = Shim::bind().await;
    let host = shim.address.to_string();
    let flags = ["--allowed-host", &host, "--allow-upstream", "127.0.0.1"];
    let hub = Hub::start_with(&home, |serve| serve.args(flags)).await;
    shim.relay_to(&hub.url, &hub.create_key().await);
    let outcome = run_against(&shim.at("/servers/fixture/mcp"), revision).await;
    compare(&format!("{}-{revision}", face.name()), &outcome);
}

/// Runs the suite against a server by itself.
async fn directly(face: Face, revision: &str) {
    let server = Remote::start(face);
    let outcome = run_against(&server.url, revision).await;
    compare(&format!("direct-{}-{revision}", face.name()), &outcome);
}

macro_rules! cells {
    ($run:ident: $($name:ident: $face:ident, $revision:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $run(Face::$face, $revision).await;
        }
    )*};
}

cells! { directly:
    the_server_alone_conforms_to_2025_11_25: Http, "2025-11-25";
    the_server_alone_conforms_to_2026_07_28: Http, "2026-07-28";
    the_server_alone_with_sessions_conforms_to_2025_11_25: HttpLegacy, "2025-11-25";
}

cells! { through_the_hub:
    http_conforms_to_2025_11_25: Http, "2025-11-25";
    http_legacy_conforms_to_2025_11_25: HttpLegacy, "2025-11-25";
    sse_conforms_to_2025_11_25: Sse, "2025-11-25";
    stdio_conforms_to_2025_11_25: Stdio, "2025-11-25";
    stdio_legacy_conforms_to_2025_11_25: StdioLegacy, "2025-11-25";
    http_conforms_to_2026_07_28: Http, "2026-07-28";
    http_legacy_conforms_to_2026_07_28: HttpLegacy, "2026-07-28";
    sse_conforms_to_2026_07_28: Sse, "2026-07-28";
    stdio_conforms_to_2026_07_28: Stdio, "2026-07-28";
    stdio_legacy_conforms_to_2026_07_28: StdioLegacy, "2026-07-28";
}
