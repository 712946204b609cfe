//! What the command line sends and shows is spelt as it was said: no number is rounded, no member swallowed, and a run that is done is
//! told of also where JSON can say what no text and no double is.

use std::time::Duration;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{self, found, text};

const PROGRAM: &str = include_str!("spelling.py");
const PATIENCE: Duration = Duration::from_secs(30);
/// What the server answers.
const ODD: &str = r#"{"n":100000000000000000001,"far":1e400,"half":"a\ud83d","one":1.0}"#;
const SAID: &str =
    r#"{"wei":100000000000000000001,"far":-1E+400,"half":"\ud83d","rate":0.1000000000000000055}"#;

/// Without what lays it out; there are no spaces in its strings.
fn bare(stdout: &[u8]) -> String {
    text(stdout).split_whitespace().collect()
}

#[tokio::test]
async fn the_command_line_changes_no_letter_of_what_is_sent_and_of_what_comes_back() {
    let home = Home::new();
    let (ledger, plan) = (home.path().join("ledger"), home.path().join("plan.json"));
    let server = Server::program(found("python3")).arg("-c").arg(PROGRAM);
    home.configure(&[("t", server.env("LEDGER", ledger.display().to_string()))]);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let batch = async |words: &[&str]| {
        let mut command = home.command(&[&["batch"], words].concat());
        command.env("MCP_ORCH_KEY", &key).env("MCP_ORCH_URL", &hub.url);
        process::run(command, PATIENCE).await
    };
    let told = || std::fs::read_to_string(&ledger).unwrap_or_default();
    let path = plan.display().to_string();

    let steps =
        format!(r#"{{"steps":[{{"id":"a","tool":"t.say","arguments":{SAID}}}],"output":{{"$from":"a"}}}}"#);
    std::fs::write(&plan, steps).expect("a file");
    let done = batch(&["run", &path]).await;
    assert_eq!((done.status.code(), &*bare(&done.stdout)), (Some(0), ODD), "{done:?}");
    assert!(told().contains(SAID), "{}", told());
    let done = batch(&["run", &path, "--json"]).await;
    let output = format!(r#""output":{ODD}"#);
    assert!(done.status.success() && bare(&done.stdout).contains(&output), "{done:?}");
    let shown = bare(&done.stdout);
    let (_, run) = shown.split_once(r#""run":""#).expect("its name");
    let stands = batch(&["status", &run[..12]]).await;
    assert_eq!((stands.status.code(), &*bare(&stands.stdout)), (Some(0), ODD), "{stands:?}");

    let call = |words: &[&str]| home.program(&[&["call", "t.say", "--args", SAID], words].concat());
    let called = process::run(call(&["--json"]), PATIENCE).await;
    let result = format!(r#""structuredContent":{ODD}"#);
    assert!(called.status.success() && bare(&called.stdout).contains(&result), "{called:?}");
    let called = process::run(call(&[]), PATIENCE).await;
    assert!(called.status.success() && text(&called.stdout).contains(r#""a\ud83d""#), "{called:?}");
    assert_eq!(told().matches(SAID).count(), 4, "{}", told());

    let once = r#""steps":[{"id":"a","tool":"t.say","arguments":{"to":"alice","to":"bob"}}]"#;
    for twice in [format!("{{{once}}}"), r#"{"steps":[{"id":"a","tool":"t.say"}],"steps":[]}"#.to_owned()] {
        std::fs::write(&plan, &twice).expect("a file");
        let refused = batch(&["run", &path]).await;
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains("the same key twice"), "{twice}: {refused:?}");
    }
    assert_eq!(told().lines().count(), 4, "nothing of these was run");
}
