//! What a server that is confined can do, and what it cannot, tried by one that means harm.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Child;

use orch_core::ports::upstream::{CloseReason, Grace, LaunchSpec};
use orch_core::record::{Confinement, Isolation, Paths, ProcessLimits, Transport, Walls};
use orch_stdio::StdioUpstreams;
use tempfile::TempDir;

use crate::stage::{SHIM, Stage, eventually, launch, lives};

const SCRIPT: &str = include_str!("escape.py");

/// What no program can do without, in either profile.
const NEEDED: [&str; 13] = [
    "read its own directory",
    "write to its own directory",
    "write to a temporary file",
    "read what is listed",
    "write what is listed",
    "see itself",
    "know its user",
    "throw away",
    "run a program",
    "start threads",
    "make a pair of sockets",
    "resolve a name",
    // A link is no more than a name.
    "make a UDP socket",
];

/// What a server with a network can do besides.
const OF_NETWORK: [&str; 2] = ["connect to a listed port", "ask for addresses"];

/// A machine that a server could do harm to.
struct Field {
    place: TempDir,
    port: TcpListener,
    listed: TcpListener,
    #[expect(dead_code, reason = "it is connected to, as long as it is there")]
    socket: UnixListener,
    sibling: Child,
}

impl Field {
    #[expect(clippy::disallowed_methods, reason = "a process that is none of the hub's")]
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        for directory in
            ["outside", "listed/readable", "listed/writable", "homes/default/other", "homes/default/it"]
        {
            fs::create_dir_all(place.path().join(directory)).unwrap();
        }
        for file in
            ["outside/secret", "outside/to-remove", "homes/default/other/secret", "listed/readable/file"]
        {
            fs::write(place.path().join(file), "secret").unwrap();
        }
        let any = || TcpListener::bind("127.0.0.1:0").unwrap();
        let sibling = std::process::Command::new("sleep").arg("1000").env("TOKEN", "s3cret").spawn().unwrap();
        let socket = UnixListener::bind(place.path().join("outside/socket")).unwrap();
        Self { port: any(), listed: any(), socket, sibling, place }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    fn homes(&self) -> PathBuf {
        self.at("homes")
    }

    fn spec(&self, isolation: Isolation, command: &str, args: &[&str]) -> LaunchSpec {
        let text = |path: &str| self.at(path).to_str().unwrap().to_owned();
        let port = |it: &TcpListener| it.local_addr().unwrap().port();
        let mut spec = launch(command, args);
        if let Transport::Stdio { env, cwd, .. } = &mut spec.spec.transport {
            *env = BTreeMap::from([
                ("OUTSIDE".into(), text("outside")),
                ("LISTED".into(), text("listed")),
                ("NEIGHBOUR".into(), text("homes/default/other")),
                ("SIBLING".into(), self.sibling.id().to_string()),
                ("PORT".into(), port(&self.port).to_string()),
                ("LISTED_PORT".into(), port(&self.listed).to_string()),
            ]);
            *cwd = (!isolation.confines()).then(|| text("homes/default/it"));
        }
        let limits = ProcessLimits {
            memory_mib: Some(256),
            processes: None,
            open_files: Some(1024),
            file_size_mib: Some(4),
        };
        spec.spec.confinement = Confinement {
            isolation: Some(isolation),
            limits: if isolation.confines() { limits } else { ProcessLimits::default() },
            paths: Paths { read: vec![text("listed/readable")], write: vec![text("listed/writable")] },
            ports: vec![port(&self.listed)],
            ..Confinement::default()
        };
        spec
    }

    /// What the hostile server could do.
    fn done(&self, stage: Stage, isolation: Isolation, only: &[&str]) -> BTreeSet<String> {
        let mut spec = self.spec(isolation, "python3", &["-c", SCRIPT]);
        if let Transport::Stdio { env, .. } = &mut spec.spec.transport {
            env.insert("ONLY".into(), only.join(","));
        }
        let mut link = stage.housed(&self.homes()).open(&spec);
        let mut done = BTreeSet::new();
        let mut attempts = 0;
        loop {
            let said = link.text();
            if said == "end" {
                break;
            }
            attempts += 1;
            done.extend(said.strip_suffix(" +").map(ToOwned::to_owned));
        }
        assert!(attempts > 45 || attempts == only.len(), "{attempts}");
        done
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let _gone = (self.sibling.kill(), self.sibling.wait());
    }
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(ToOwned::to_owned).collect()
}

#[test]
fn a_standard_server_can_do_what_servers_need_and_nothing_else() {
    for stage in [Stage::new(), Stage::plain()] {
        let field = Field::new();
        assert_eq!(field.done(stage, Isolation::Standard, &[]), set(NEEDED.into_iter().chain(OF_NETWORK)));
        assert!(!field.at("outside/made").exists());
        assert!(field.at("outside/to-remove").exists());
    }
}

#[test]
fn a_strict_server_has_no_network_at_all() {
    for stage in [Stage::new(), Stage::plain()] {
        let mut needed = set(NEEDED);
        needed.remove("make a UDP socket");
        assert_eq!(Field::new().done(stage, Isolation::Strict, &[]), needed);
    }
}

#[test]
fn a_trusted_server_can_do_what_the_hub_can_which_shows_that_the_attempts_are_real() {
    let harmless = [
        "read a file",
        "read a file through a link",
        "read a file by a name of its own",
        "list a directory",
        "write a file",
        "remove a file",
        "move into a directory",
        "write to what may be read",
        "read another server's directory",
        "read another's environment",
        "signal another",
        "connect to a local socket",
        "connect to a port",
        "listen on a port",
        "make a UDP socket",
        "use the kernel's keys",
        "write a long file",
        "take much memory",
    ];
    let done = Field::new().done(Stage::plain(), Isolation::Trusted, &harmless);
    assert_eq!(done, set(harmless));
}

#[test]
fn what_a_confined_server_makes_is_its_own_and_what_a_trusted_one_makes_is_as_the_hub_makes_it() {
    let hub = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(hub);
    let field = Field::new();
    for (isolation, expected) in [(Isolation::Trusted, hub.bits()), (Isolation::Standard, 0o77)] {
        let spec = field.spec(isolation, "sh", &["-c", "umask"]);
        let said = Stage::new().housed(&field.homes()).open(&spec).text();
        assert_eq!(u32::from_str_radix(&said, 8).unwrap(), expected, "{isolation:?}");
    }
}

#[test]
fn a_confined_server_has_its_own_home_and_starts_there_whatever_its_name() {
    let field = Field::new();
    for (name, directory) in [("it", "it"), ("..", "__"), (".hidden", "_hidden")] {
        let mut spec = field.spec(Isolation::Standard, "sh", &["-c", "pwd; echo $HOME; echo $TMPDIR"]);
        spec.server = name.into();
        let mut link = Stage::new().housed(&field.homes()).open(&spec);
        let own = field.homes().join("default").join(directory).to_str().unwrap().to_owned();
        assert_eq!([link.text(), link.text(), link.text()], [own.clone(), own.clone(), format!("{own}/tmp")]);
    }
}

#[test]
fn a_confined_server_that_hides_its_daemons_and_ignores_signals_ends_all_the_same() {
    let field = Field::new();
    let script = "import os, signal, sys\n\
         signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         if os.fork() == 0:\n\
         \x20   os.setsid()\n\
         \x20   if os.fork() == 0:\n\
         \x20       os.environ.clear()\n\
         \x20       print(os.getpid(), flush=True)\n\
         \x20       signal.pause()\n\
         \x20   os._exit(0)\n\
         while True: signal.pause()";
    let spec = field.spec(Isolation::Standard, "python3", &["-c", script]);
    let mut link = Stage::plain().housed(&field.homes()).open(&spec);
    let daemon: u32 = link.text().parse().unwrap();
    assert!(lives(daemon));
    link.close(Grace { stdin: std::time::Duration::ZERO, term: std::time::Duration::from_millis(100) });
    assert_eq!(link.end(), CloseReason::Stopped);
    eventually("the daemon has ended", || !lives(daemon));
}

#[test]
fn a_listed_path_that_is_not_there_is_named() {
    let field = Field::new();
    let mut spec = field.spec(Isolation::Standard, "cat", &[]);
    spec.spec.confinement.paths.read.push("/no/such/place".into());
    let end = Stage::new().housed(&field.homes()).open(&spec).end();
    assert_eq!(end, CloseReason::NotStarted("/no/such/place of its `paths` is not there".into()));
}

#[test]
fn a_program_of_the_user_is_readable_with_its_installation_and_the_user_s_home_is_not() {
    let field = Field::new();
    for (file, text) in [
        ("tool/bin/tool", "#!/usr/bin/env sh\ncat \"${0%/*}/../lib/part\"; cat \"$OUTSIDE/secret\""),
        ("tool/lib/part", "part\n"),
    ] {
        let file = field.at(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let tool = field.at("tool/bin/tool");
    let mut link = Stage::new().housed(&field.homes()).open(&field.spec(
        Isolation::Standard,
        tool.to_str().unwrap(),
        &[],
    ));
    assert_eq!(link.text(), "part");
    assert_eq!(link.end(), CloseReason::Exited(1));
}

#[test]
fn a_program_that_the_server_can_change_opens_nothing_to_it() {
    let field = Field::new();
    let interpreter = field.at("outside/bin/interpreter");
    fs::create_dir(interpreter.parent().unwrap()).unwrap();
    fs::copy("/bin/cat", &interpreter).unwrap();
    let program = field.at("listed/writable/program");
    fs::write(&program, format!("#!{}\n", interpreter.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let spec = field.spec(Isolation::Standard, program.to_str().unwrap(), &[]);
    let end = Stage::new().housed(&field.homes()).open(&spec).end();
    assert!(matches!(end, CloseReason::NotStarted(_)), "{end:?}");
}

#[test]
fn what_confines_an_external_server_stands_before_its_command() {
    let field = Field::new();
    let mut spec = field.spec(Isolation::External, "cat", &["outside/secret"]);
    spec.spec.confinement.wrapper =
        ["sh", "-c", "cd $OUTSIDE/..; \"$@\"; echo", "box"].map(Into::into).to_vec();
    assert_eq!(Stage::new().housed(&field.homes()).open(&spec).text(), "secret");
}

/// A machine without some system calls.
fn without(place: &Path, calls: &str) -> Stage {
    let mut stage = Stage::plain();
    let script = include_str!("without.py").replace("@CALLS@", calls).replace("@SHIM@", SHIM);
    let file = place.join("without.py");
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    stage.upstreams =
        StdioUpstreams::new(file, std::env::vars_os(), stage.runtime.handle().clone()).without_namespaces();
    stage
}

/// `landlock_create_ruleset`, everywhere.
const LANDLOCK: &str = "444";
/// `seccomp`, on `x86_64` and on aarch64.
const SECCOMP: &str = if cfg!(target_arch = "x86_64") { "317" } else { "277" };

fn found(stage: &Stage, field: &Field) -> Walls {
    stage.runtime.block_on(stage.upstreams.house(field.homes()))
}

#[test]
fn what_holds_is_found_out_by_trying_and_what_does_not_hold_is_found_missing() {
    let field = Field::new();
    let all = found(&Stage::plain(), &field);
    assert_eq!(all, Walls { files: true, ports: true, neighbours: true, calls: true, processes: false });
    let none = found(&without(&field.at("outside"), LANDLOCK), &field);
    assert_eq!(none, Walls { files: false, ports: false, neighbours: false, ..all });
    let none = found(&without(&field.at("outside"), SECCOMP), &field);
    assert_eq!(none, Walls { calls: false, ..all });
}

#[test]
fn a_server_whose_isolation_cannot_be_had_is_not_started_and_told_what_is_missing() {
    let field = Field::new();
    let stage = without(&field.at("outside"), LANDLOCK).housed(&field.homes());
    for (isolation, ports) in
        [(Isolation::Standard, ", nor TCP ports (Landlock of Linux 6.7)"), (Isolation::Strict, "")]
    {
        let end = stage.open(&field.spec(isolation, "cat", &[])).end();
        let name = isolation.name();
        let words = format!(
            "isolation `{name}` cannot be had: nothing here holds files (Landlock){ports}, nor other processes \
             (Landlock of Linux 6.12, or PID namespaces). `mcp-orch doctor` says what to do; \"allowDegraded\": true \
             of the server, or --allow-degraded for all, does without"
        );
        assert_eq!(end, CloseReason::Misconfigured(words));
    }
}

#[test]
fn a_server_that_may_be_degraded_has_the_walls_that_there_are() {
    let field = Field::new();
    let stage = without(&field.at("outside"), LANDLOCK).housed(&field.homes());
    let script = "cat $OUTSIDE/secret; echo; python3 -c 'import socket; socket.socket(socket.AF_UNIX)' || echo refused";
    let mut spec = field.spec(Isolation::Standard, "sh", &["-c", script]);
    spec.spec.confinement.allow_degraded = true;
    let mut link = stage.open(&spec);
    assert_eq!([link.text(), link.text()], ["secret", "refused"]);
}
