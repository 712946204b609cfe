//! What a command line means, which ones are refused, and that every help teaches.

use super::*;
use crate::client_config::Client;
use clap::error::ErrorKind;
use orch_core::KeyId;
use orch_core::record::{LogCategory, LogLevel as Level, Mode, RemoteKind};
use std::path::Path;
use std::time::Duration;

fn parse(line: &[&str]) -> Result<Command, clap::Error> {
    Cli::try_parse_from(["mcp-orch"].iter().chain(line)).map(|cli| cli.command)
}

fn serve(line: &[&str]) -> Serve {
    match parse(&[&["serve"], line].concat()) {
        Ok(Command::Serve(serve)) => serve,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refuses(line: &[&str], expected: &str) {
    let error = parse(line).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line:?}");
    assert!(error.to_string().contains(expected), "{error}");
}

/// Every command and subcommand, by its words.
fn commands() -> Vec<(String, clap::Command)> {
    fn walk(name: &str, command: &clap::Command, all: &mut Vec<(String, clap::Command)>) {
        all.push((name.to_owned(), command.clone()));
        for sub in command.get_subcommands().filter(|it| it.get_name() != "help") {
            walk(&format!("{name} {}", sub.get_name()), sub, all);
        }
    }
    let (mut command, mut all) = (Cli::command(), Vec::new());
    command.build();
    walk("mcp-orch", &command, &mut all);
    all
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_help_teaches_with_an_example() {
    let parents = ["mcp-orch keys", "mcp-orch plan"];
    for (name, command) in commands().into_iter().filter(|(name, _)| !parents.contains(&name.as_str())) {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.contains("Example") && after.contains(&name), "{name}: {after}");
    }
}

#[test]
fn the_exit_status_is_documented() {
    let help = Cli::command().render_long_help().to_string();
    assert!(help.contains("Exit status: 0 when it worked, 1 when it failed, 2"), "{help}");
}

#[test]
fn a_key_never_stands_on_the_command_line_of_batch() {
    let batch = |line: &[&str]| parse(&[&["batch"], line].concat());
    let Ok(Command::Batch(args)) = batch(&["run", "-", "--dry-run", "--key-file", "key"]) else { panic!() };
    let BatchCommand::Run(run) = args.command else { panic!() };
    assert_eq!((run.plan.as_path(), run.dry_run), (Path::new("-"), true));
    assert_eq!((run.hub.key_file.as_deref(), &*run.hub.project), (Some(Path::new("key")), "default"));
    assert!(batch(&["run", "plan.json", "--key", "secret"]).is_err());
    assert!(batch(&["status"]).is_err() && batch(&["list"]).is_ok());
}

#[test]
fn every_flag_of_serve_has_its_variable() {
    let serve = Cli::command().find_subcommand("serve").unwrap().clone();
    let variables: Vec<String> = serve
        .get_arguments()
        .map(|flag| flag.get_env().unwrap_or_else(|| panic!("{flag}")).to_string_lossy().into_owned())
        .collect();
    let expected = [
        "ORCH_HOST",
        "ORCH_PORT",
        "ORCH_DATA_DIR",
        "ORCH_CONFIG",
        "ORCH_LOG_LEVEL",
        "ORCH_MODE",
        "ORCH_ALLOWED_HOSTS",
        "ORCH_ALLOWED_ORIGINS",
        "ORCH_PUBLIC_URL",
        "ORCH_DRAIN_SECONDS",
        "ORCH_TAKEOVER",
        "ORCH_LIMITS",
        "ORCH_ALLOW_UPSTREAM",
        "ORCH_UPSTREAM_CA",
        "ORCH_PID_NAMESPACES",
        "ORCH_ISOLATION",
        "ORCH_ALLOW_DEGRADED",
    ];
    assert_eq!(variables, expected);
}

#[test]
fn every_command_that_touches_state_takes_the_data_directory_and_the_project() {
    let stateless = [
        "mcp-orch",
        "mcp-orch keys",
        "mcp-orch plan",
        "mcp-orch plan eval",
        "mcp-orch serve",
        "mcp-orch check",
        "mcp-orch completions",
    ];
    // Runs are their key's, and asked for over HTTP.
    let stateless = |name: &str| stateless.contains(&name) || name.starts_with("mcp-orch batch");
    for (name, command) in commands().into_iter().filter(|(name, _)| !stateless(name)) {
        for flag in ["data_dir", "project"] {
            assert!(command.get_arguments().any(|it| it.get_id() == flag), "{name} has no {flag}");
        }
    }
}

#[test]
fn serve_alone_has_the_defaults() {
    let serve = serve(&[]);
    let expected = Serve {
        host: "127.0.0.1".parse().unwrap(),
        port: 8000,
        data_dir: "./data".into(),
        config: None,
        log_level: LogLevel::Info,
        mode: None,
        allowed_hosts: vec![],
        allowed_origins: vec![],
        public_url: None,
        drain_seconds: 30,
        takeover: false,
        limits: Vec::new(),
        upstream: UpstreamArgs::default(),
    };
    assert_eq!(serve, expected);
    assert_eq!(serve.config_file(), Path::new("mcp-config.json"));
}

#[test]
fn every_flag_of_serve_is_read() {
    let serve = serve(&[
        "--host",
        "::1",
        "--port",
        "0",
        "--data-dir",
        "/d",
        "--config",
        "c.json",
        "--log-level",
        "DEBUG",
        "--mode",
        "batch",
        "--allowed-host",
        "Hub.test",
        "--allowed-host",
        "b.test:8000",
        "--allowed-origin",
        "https://App.test/",
        "--public-url",
        "https://hub.test/mcp/",
        "--drain-seconds",
        "5",
        "--takeover",
        "--limit",
        "message_bytes=40MiB",
        "--allow-upstream",
        "localhost:3000",
        "--allow-upstream",
        "10.0.0.0/8,[::1]:80",
        "--upstream-ca",
        "/ca.pem",
        "--pid-namespaces",
        "Never",
        "--isolation",
        "Standard",
        "--allow-degraded",
    ]);
    let expected = Serve {
        host: "::1".parse().unwrap(),
        port: 0,
        data_dir: "/d".into(),
        config: Some("c.json".into()),
        log_level: LogLevel::Debug,
        mode: Some(Mode::Batch),
        allowed_hosts: vec!["hub.test".into(), "b.test:8000".into()],
        allowed_origins: vec!["https://app.test".into()],
        public_url: Some("https://hub.test/mcp".into()),
        drain_seconds: 5,
        takeover: true,
        limits: vec![crate::limits::setting("message_bytes=40MiB").unwrap()],
        upstream: UpstreamArgs {
            allowed: vec!["localhost:3000".into(), "10.0.0.0/8".into(), "[::1]:80".into()],
            own_roots: Some("/ca.pem".into()),
            pid_namespaces: PidNamespaces::Never,
            isolation: DefaultIsolation::Standard,
            allow_degraded: true,
        },
    };
    assert_eq!(serve, expected);
    assert_eq!(serve.config_file(), Path::new("c.json"));
}

#[test]
fn lists_of_serve_may_be_one_word_with_commas() {
    assert_eq!(serve(&["--allowed-host", "a.test,b.test"]).allowed_hosts, ["a.test", "b.test"]);
}

#[test]
fn log_levels_are_read_in_any_case_and_names_agree() {
    for (word, level) in [
        ("ERROR", LogLevel::Error),
        ("Warning", LogLevel::Warn),
        ("warn", LogLevel::Warn),
        ("INFO", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("Trace", LogLevel::Trace),
    ] {
        assert_eq!(serve(&["--log-level", word]).log_level, level);
        assert_eq!(serve(&["--log-level", level.name()]).log_level, level);
    }
}

#[test]
fn localhost_and_bracketed_addresses_are_addresses() {
    assert!(serve(&["--host", "localhost"]).host.is_loopback());
    assert!(serve(&["--host", "[::1]"]).host.is_loopback());
    assert_eq!(serve(&["--mode", "PROXY"]).mode, Some(Mode::Proxy));
}

#[test]
fn words_that_make_no_sense_are_refused_with_what_was_expected() {
    refuses(&["serve", "--host", "example.org"], "expected an IP address");
    refuses(&["serve", "--port", "70000"], "0..=65535");
    refuses(&["serve", "--mode", "fast"], "[possible values: proxy, batch]");
    refuses(&["serve", "--log-level", "loud"], "[possible values: error, warn, info, debug, trace]");
    refuses(&["serve", "--allowed-host", "http://x"], "expected a name such as hub.example.org");
    for bad in ["x.test", "https://x.test/path", "*", "null", "https://"] {
        refuses(&["serve", "--allowed-origin", bad], "expected an origin such as");
    }
    for bad in ["x.test", "ftp://x", "http:///x", "http://x/?a", "http://x/$(id)", "http://"] {
        refuses(&["serve", "--public-url", bad], "expected a URL such as");
    }
    for bad in ["Default", "", "a b", "a/b"] {
        refuses(&["list-servers", "--project", bad], "expected 1 to 64 of a-z 0-9 -");
    }
    for bad in ["0", "366", "-1", "soon"] {
        refuses(&["keys", "create", "--name", "n", &format!("--expires-days={bad}")], "1 to 365, or never");
    }
    refuses(&["keys", "create", "--name", " "], "expected 1 to 100 characters on one line");
    refuses(&["keys", "create"], "--name");
    refuses(&["keys", "revoke", "mcp_proj_4fK0aZq81LmX_s"], "expected the 12 letters and digits");
    for bad in ["[]", "{", "{\"a\": 1} 2", "1"] {
        refuses(&["call", "t", "--args", bad], "expected a JSON object");
    }
    refuses(&["call", "t", "--timeout", "0"], "0 is not in 1..=3600");
    refuses(
        &["client-config", "emacs"],
        "claude-code, cline, codex, cursor, gemini, generic, opencode, short, vscode",
    );
    refuses(&["list"], "unrecognized subcommand");
}

fn state(project: &str) -> StateArgs {
    StateArgs { data_dir: "./data".into(), project: project.into() }
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let keys = |line: &[&str]| match parse(&[&["keys"], line].concat()) {
        Ok(Command::Keys(keys)) => keys.command,
        other => panic!("{other:?}"),
    };
    let create =
        |expires| KeyCommand::Create(KeysCreate { state: state("web"), name: "CI 1".into(), expires });
    assert_eq!(keys(&["create", "--project", "web", "--name", "CI 1"]), create(Expiry::Days(90)));
    let line = ["create", "--project", "web", "--name", " CI 1 ", "--expires-days", "never"];
    assert_eq!(keys(&line), create(Expiry::Never));
    assert_eq!(keys(&["list", "--json"]), KeyCommand::List(KeysList { state: state("default"), json: true }));
    let id = KeyId("4fK0aZq81LmX".into());
    assert_eq!(
        keys(&["revoke", "4fK0aZq81LmX"]),
        KeyCommand::Revoke(KeysRevoke { state: state("default"), id })
    );
}

#[test]
fn a_call_keeps_its_arguments_letter_for_letter() {
    let call = |line: &[&str]| match parse(&[&["call"], line].concat()) {
        Ok(Command::Call(call)) => call,
        other => panic!("{other:?}"),
    };
    let expected = Call {
        state: state("default"),
        tool: "github.search".into(),
        arguments: "{}".into(),
        timeout_s: 60,
        json: false,
    };
    assert_eq!(call(&["github.search"]), expected);
    let arguments = "{ \"n\": 12345678901234567890123, \"é\": 1.0, \"f\": [1e400, \"\\ud83d\"] }";
    let expected = Call { arguments: arguments.into(), timeout_s: 5, json: true, ..expected };
    assert_eq!(call(&["github.search", "--args", arguments, "--timeout", "5", "--json"]), expected);
}

#[test]
fn a_client_configuration_is_asked_for() {
    let Ok(Command::ClientConfig(asked)) = parse(&[
        "client-config",
        "claude-code",
        "--server",
        "git",
        "--transport",
        "sse",
        "--url",
        "http://h:1/",
        "--key",
        "k",
    ]) else {
        panic!()
    };
    let expected = ClientConfigArgs {
        state: state("default"),
        client: Client::ClaudeCode,
        server: Some("git".into()),
        transport: RemoteKind::Sse,
        url: Some("http://h:1".into()),
        key: Some("k".into()),
    };
    assert_eq!(asked, expected);
}

#[test]
fn the_other_commands_are_read() {
    assert!(
        matches!(parse(&["check"]), Ok(Command::Check(check)) if check.file == Path::new("mcp-config.json"))
    );
    assert!(matches!(parse(&["check", "f"]), Ok(Command::Check(check)) if check.file == Path::new("f")));
    assert!(matches!(parse(&["doctor", "--json"]), Ok(Command::Doctor(Doctor { json: true, .. }))));
    assert!(matches!(
        parse(&["list-servers", "--json"]),
        Ok(Command::ListServers(ListServers { json: true, .. }))
    ));
    assert!(matches!(
        parse(&["list-tools", "--server", "git"]),
        Ok(Command::ListTools(ListTools { server: Some(server), json: false, .. })) if server == "git"
    ));
}

#[test]
fn logs_are_asked_for_in_the_words_that_people_use() {
    let logs = |line: &[&str]| match parse(&[&["logs"], line].concat()) {
        Ok(Command::Logs(logs)) => logs,
        other => panic!("{other:?}"),
    };
    assert_eq!((logs(&[]).least(), logs(&[]).limit, logs(&[]).server), (None, 200, None));
    assert_eq!(logs(&["github", "--errors"]).least(), Some(Level::Error));
    assert_eq!(logs(&["--level", "warning"]).least(), Some(Level::Warning));
    assert_eq!(logs(&["--category", "Tool_Execution"]).category, Some(LogCategory::ToolExecution));
    for (span, seconds) in [("90s", 90), ("15m", 900), ("1h", 3_600), ("7d", 604_800)] {
        assert_eq!(logs(&["--since", span]).since, Some(Duration::from_secs(seconds)));
    }
    let cleanup = logs(&["--cleanup", "--older-than", "7d"]);
    assert_eq!((cleanup.cleanup, cleanup.older_than), (true, Some(Duration::from_hours(7 * 24))));
    refuses(&["logs", "--since", "1"], "expected a span such as 90s, 15m, 1h or 7d");
    refuses(&["logs", "--level", "loud"], "possible values: DEBUG, INFO, WARNING, ERROR, CRITICAL");
    refuses(&["logs", "--cleanup"], "--older-than <SPAN>");
    refuses(&["logs", "--older-than", "7d"], "--cleanup");
    refuses(&["logs", "--cleanup", "--older-than", "7d", "--errors"], "cannot be used with");
    refuses(&["logs", "--summary", "--limit", "5"], "cannot be used with");
    refuses(&["logs", "--limit", "0"], "1..=10000");
}

#[test]
fn help_and_version_are_no_failures_and_nothing_at_all_shows_the_help() {
    for (line, kind, code) in [
        (&["--version"] as &[&str], ErrorKind::DisplayVersion, 0),
        (&["serve", "--help"], ErrorKind::DisplayHelp, 0),
        (&[], ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, 2),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (kind, code));
    }
    assert_eq!(
        parse(&["--version"]).unwrap_err().to_string(),
        format!("mcp-orch {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let Ok(Command::Completions(completions)) = parse(&["completions", shell]) else { panic!() };
        let mut script = Vec::new();
        Cli::write_completions(&completions, &mut script);
        let script = String::from_utf8(script).unwrap();
        for word in ["list-servers", "client-config", "keys"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
}
