//! Remote servers that want a login: the real binary, its command line, and an authorization server as strict as any.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::home::Home;
use crate::hub::Hub;
use crate::issuer::Issuer;
use crate::process::{run, succeed, text};
use crate::wire::Wire;

const QUICK: Duration = Duration::from_secs(30);
const STEP: &str = "run: mcp-orch login guarded";

/// A hub with the server behind it, and a client of it.
async fn hub(home: &Arc<Home>, issuer: &Issuer) -> (Hub, Wire) {
    home.write_config(&json!({ "mcpServers": { "guarded": { "url": issuer.url() } } }).to_string());
    let allowed = format!("127.0.0.1:{}", issuer.port);
    let hub = Hub::start_with(home, |serve| serve.args(["--allow-upstream", &allowed])).await;
    let key = hub.create_key().await;
    let wire = Wire::modern(hub.at("/servers/guarded/mcp"), &key);
    (hub, wire)
}

async fn server(home: &Home) -> Value {
    let listed = succeed(home.program(&["list-servers", "--json"]), QUICK).await;
    let servers: Vec<Value> = serde_json::from_str(&listed).expect("a list");
    servers.into_iter().find(|server| server["name"] == "guarded").expect("the server")
}

/// `mcp-orch login`, and the address that it prints.
fn begin(home: &Home, flags: &[&str]) -> (Child, String) {
    let mut login = home.program(&["login", "guarded"]);
    login.args(flags).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut login = login.spawn().expect("the command starts");
    let mut page = String::new();
    BufReader::new(login.stdout.as_mut().expect("it is piped")).read_line(&mut page).expect("an address");
    (login, page.trim().to_owned())
}

/// Where a browser is sent by somebody who logs in.
async fn log_in(page: &str) -> String {
    let browser =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let answer = browser.get(page).send().await.expect("a page");
    answer.headers()["location"].to_str().expect("an address").to_owned()
}

/// Somebody logs in at this machine.
async fn login(home: &Arc<Home>) {
    let home = Arc::clone(home);
    let (login, page) = tokio::task::spawn_blocking(move || begin(&home, &[])).await.expect("an address");
    let answer = reqwest::get(log_in(&page).await).await.expect("the command listens");
    assert_eq!(answer.status(), 200);
    end(login).await;
}

async fn end(login: Child) {
    let output = tokio::task::spawn_blocking(move || login.wait_with_output()).await.expect("an end");
    let output = output.expect("an end");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

async fn refused(wire: &Wire, tool: &str) -> String {
    let params = json!({ "name": tool, "arguments": {} });
    let answer = wire.ask(&json!(1), "tools/call", params).await;
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_a_login_is_used_from_then_on_until_it_is_revoked() {
    let (home, issuer) = (Home::new(), Issuer::start().await);
    let (hub, wire) = hub(&home, &issuer).await;
    assert!(refused(&wire, "read").await.contains(STEP));
    let seen = server(&home).await;
    assert_eq!((&seen["state"], &seen["health"]), (&json!("needs-login"), &json!("failed")), "{seen}");
    assert!(seen["next_step"].as_str().is_some_and(|step| step.contains("mcp-orch login guarded")), "{seen}");

    login(&home).await;
    assert_eq!(wire.call_for_text("read", json!({})).await, "read: done");
    assert_eq!(server(&home).await["state"], "running");
    let file = home.data().join("logins/default/guarded.json");
    assert_eq!(std::fs::metadata(&file).expect("the tokens").permissions().mode() & 0o777, 0o600);

    // However many calls meet the end of a token, it is renewed once.
    issuer.expire();
    let call = || wire.call_for_text("read", json!({}));
    let said: [String; 4] = tokio::join!(call(), call(), call(), call()).into();
    assert!(said.iter().all(|said| said == "read: done"), "{said:?}");
    assert_eq!(issuer.grants(), ["authorization_code", "refresh_token"]);

    // What was kept is used by the next life of the hub.
    let key = hub.create_key().await;
    drop(hub);
    let allowed = format!("127.0.0.1:{}", issuer.port);
    let hub = Hub::start_with(&home, |serve| serve.args(["--allow-upstream", &allowed])).await;
    let wire = Wire::modern(hub.at("/servers/guarded/mcp"), &key);
    assert_eq!(wire.call_for_text("read", json!({})).await, "read: done");

    // More rights are asked for beside those that there are.
    let said = refused(&wire, "write").await;
    assert!(said.contains(STEP) && said.contains("more rights"), "{said}");
    login(&home).await;
    assert_eq!(issuer.scopes(), ["read", "read write"]);
    assert_eq!(wire.call_for_text("write", json!({})).await, "write: done");

    let known = issuer.tokens();
    issuer.revoke();
    for _ in 0..3 {
        let said = refused(&wire, "read").await;
        assert!(said.contains(STEP), "{said}");
    }
    assert_eq!(server(&home).await["state"], "needs-login");
    let renewals = issuer.grants().iter().filter(|grant| *grant == "refresh_token").count();
    assert_eq!(renewals, 2, "what has ended is not asked for again");
    let shown = format!("{}{}", hub.log(), server(&home).await);
    assert!(known.iter().all(|token| !shown.contains(token)), "no token is in what people read");

    succeed(home.program(&["logout", "guarded"]), QUICK).await;
    // What the server asks for is known again as soon as it was asked.
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(!kept.contains("s3cret"), "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_without_a_browser_here_pastes_where_theirs_ended() {
    let (home, issuer) = (Home::new(), Issuer::start().await);
    let (_hub, wire) = hub(&home, &issuer).await;
    let at = Arc::clone(&home);
    let begun = tokio::task::spawn_blocking(move || begin(&at, &["--paste"])).await;
    let (mut login, page) = begun.expect("an address");
    let mut redirected = log_in(&page).await;
    redirected.push('\n');
    login.stdin.take().expect("it is piped").write_all(redirected.as_bytes()).expect("it listens");
    end(login).await;
    assert_eq!(wire.call_for_text("read", json!({})).await, "read: done");
    // A code is good once, and so is the login that it ends.
    let mut again = home.program(&["login", "guarded", "--paste"]);
    let file = home.path().join("pasted");
    std::fs::write(&file, &redirected).expect("a file");
    again.stdin(std::fs::File::open(&file).expect("the file"));
    let output = run(again, QUICK).await;
    assert!(
        !output.status.success() && text(&output.stderr).contains("another login"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorization_server_is_reached_only_where_servers_may_be() {
    let home = Home::new();
    for (issuer, why) in
        [("http://127.0.0.1:1", "is a loopback address"), ("http://169.254.169.254", "no list allows that")]
    {
        let issuer = Issuer::trusting(Some(issuer)).await;
        let (_hub, wire) = hub(&home, &issuer).await;
        assert!(refused(&wire, "read").await.contains(STEP));
        let output = run(home.program(&["login", "guarded"]), QUICK).await;
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains("is not reached") && said.contains(why), "{said}");
    }
}
