//! The hub as the client of a server of the suite's: what it says to servers, whoever asks it to.
//!
//! The scenarios about authorization are in `logins`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binary;
use crate::fixture::LINKS;
use crate::home::Home;
use crate::peers::{installed, newer_node};
use crate::process::{kill, run, text};
use crate::suite::{failures, program};

/// A scenario takes about a second when all is well.
const SCENARIO_DEADLINE_MS: &str = "15000";
const DEADLINE: Duration = Duration::from_secs(30);

/// Lets the hub play the client in a scenario.
pub(crate) async fn play(scenario: &str, revision: &str) {
    let home = Home::new();
    let results = home.path().join("results");
    let client = installed().join("conformance/client/main.mjs");
    let client = [newer_node(), client, binary::hub().to_owned()].map(|word| word.display().to_string());
    let mut suite = program();
    home.mark(&mut suite);
    suite.env(LINKS.0, LINKS.1).args(["client", "--command", &client.join(" ")]);
    suite.args(["--scenario", scenario, "--spec-version", revision, "--timeout", SCENARIO_DEADLINE_MS]);
    // Extensions are of no revision.
    suite.arg("--force");
    suite.arg("--output-dir").arg(&results);
    let output = run(suite, DEADLINE).await;
    let left = home.processes();
    left.iter().copied().for_each(kill);
    let failed = folder(&results.join(scenario)).and_then(|folder| failures(&folder));
    let failed = failed.unwrap_or_else(|| panic!("nothing was run: {}", text(&output.stderr)));
    let lines: Vec<String> = failed.into_iter().map(|it| format!("{}: {}", it.check, it.message)).collect();
    let said = text(&output.stderr);
    assert!(lines.is_empty() && output.status.success(), "{scenario}:\n    {}\n{said}", lines.join("\n    "));
    assert!(left.is_empty(), "the hub left {} processes behind", left.len());
}

/// The folder with the results of the scenario of that name, behind which the time stands.
fn folder(named: &Path) -> Option<PathBuf> {
    let beside = std::fs::read_dir(named.parent()?).ok()?.flatten().map(|folder| folder.path());
    let name = named.file_name()?.to_str()?;
    beside
        .into_iter()
        .find(|folder| folder.file_name().is_some_and(|it| it.to_string_lossy().starts_with(name)))
}

macro_rules! scenarios {
    ($($name:ident: $scenario:literal, $revision:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            play($scenario, $revision).await;
        }
    )*};
}

scenarios! {
    initialize_is_said: "initialize", "2025-11-25";
    a_tool_is_called: "tools_call", "2025-11-25";
    a_form_reaches_the_client_with_its_defaults: "elicitation-sep1034-client-defaults", "2025-11-25";
    a_stream_is_taken_up_again_when_it_is_time: "sse-retry", "2025-11-25";
    schemas_are_kept: "json-schema-2020-12-preservation", "2025-11-25";
    a_tool_is_called_without_a_session: "tools_call", "2026-07-28";
    schemas_are_kept_without_a_session: "json-schema-2020-12-preservation", "2026-07-28";
    requests_say_what_they_have_to: "request-metadata", "2026-07-28";
    state_is_brought_back_as_it_was: "sep-2322-client-request-state", "2026-07-28";
    headers_say_what_the_body_says: "http-standard-headers", "2026-07-28";
    arguments_are_repeated_in_headers: "http-custom-headers", "2026-07-28";
    tools_with_impossible_headers_are_left_out: "http-invalid-tool-headers", "2026-07-28";
    nothing_is_fetched_for_a_schema: "json-schema-ref-no-deref", "2026-07-28";
}
