//! Nothing outlives its hub, whoever is killed: a server that ignores every request to end, a worker of it, and a
//! daemon of it with a worker of its own.
//!
//! A hub that is killed is this very test program, started again to run one ignored test.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use orch_core::ports::upstream::{CloseReason, Grace, LaunchSpec, Launched, Upstreams as _};
use orch_core::record::{Lease, Transport};
use orch_core::{ProjectId, ServerId, Timestamp};
use rustix::process::{Pid, Signal};

use crate::stage::{Link, Stage, eventually, launch};

const ROUNDS: u32 = 20;

/// How long a tree may take to end.
const SOON: Duration = Duration::from_secs(2);

/// What the processes of a tree have in their environment.
const MARK: &str = "ORCH_TEST_TREE";

/// The same for a hub that is to be killed, so that it does not look like a part of its tree.
const HUB_MARK: &str = "ORCH_TEST_HUB";

/// Set for a hub that makes no namespaces.
const PLAIN: &str = "ORCH_TEST_PLAIN";

/// Processes that end only when they are killed: the server, a worker of it, each with a `sleep`, and a daemon in a
/// session of its own, whose parent has ended, with two more.
const TREE: &str = "trap '' HUP INT TERM\n\
    stay() { while :; do sleep 1000; done; }\n\
    stay &\n\
    (setsid sh -c \"trap '' HUP INT TERM; sleep 1000 & sleep 1000 & wait\" < /dev/null > /dev/null 2>&1 &)\n\
    echo ready\n\
    stay";

const PROCESSES: usize = 7;

/// A server that is named by its mark, which is in the command line of its shim too.
fn tree(mark: &str) -> LaunchSpec {
    let mut spec = launch("sh", &["-c", TREE]);
    mark.clone_into(&mut spec.server);
    if let Transport::Stdio { env, .. } = &mut spec.spec.transport {
        env.insert(MARK.into(), mark.into());
    }
    spec
}

/// A mark that no other round has, here or in any other run.
fn mark(case: &str, round: u32) -> String {
    format!("{case}-{}-{round}", std::process::id())
}

fn stage(plain: bool) -> Stage {
    if plain { Stage::plain() } else { Stage::new() }
}

/// The processes where one of the strings of this file is exactly this.
fn with(file: &str, wanted: &str) -> Vec<Pid> {
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let found = numbers.filter(|number| {
        let strings = std::fs::read(format!("/proc/{number}/{file}")).unwrap_or_default();
        strings.split(|&byte| byte == 0).any(|it| it == wanted.as_bytes())
    });
    found.filter_map(Pid::from_raw).collect()
}

fn members(mark: &str) -> Vec<Pid> {
    with("environ", &format!("{MARK}={mark}"))
}

fn shims(mark: &str) -> Vec<Pid> {
    with("cmdline", mark)
}

fn kill(processes: &[Pid]) {
    for process in processes {
        rustix::process::kill_process(*process, Signal::KILL).unwrap();
    }
}

/// Kills a hub and these shims, so that none can do anything about the end of another.
fn kill_with_shims(mut hub: Child, shims: &[Pid]) {
    for shim in shims {
        rustix::process::kill_process(*shim, Signal::STOP).unwrap();
    }
    hub.kill().unwrap();
    hub.wait().unwrap();
    kill(shims);
}

/// How long it took until nothing was left.
#[expect(clippy::disallowed_methods, reason = "what is measured is the world outside")]
fn time_to_end(mark: &str, case: &str) -> Duration {
    let start = Instant::now();
    loop {
        let left = [members(mark), shims(mark)].concat();
        let took = start.elapsed();
        if left.is_empty() {
            return took;
        }
        if took > SOON {
            kill(&left);
            panic!("{case}: {} processes are left after {SOON:?}", left.len());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a case with namespaces and without, and prints the longest time that a tree took to end.
#[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
fn each_way(case: &str, round: impl Fn(bool, &str)) {
    for plain in [false, true] {
        let way = if plain { "plain" } else { "namespace" };
        let times = (0..ROUNDS).map(|number| {
            let mark = mark(&format!("{case}-{way}"), number);
            round(plain, &mark);
            time_to_end(&mark, case)
        });
        println!("{case}, {way}: nothing left after {:?} at most", times.max().unwrap());
    }
}

/// A tree that stands.
fn grown(stage: &Stage, mark: &str) -> Link {
    let mut link = stage.open(&tree(mark));
    assert_eq!(link.text(), "ready");
    eventually("the tree stands", || members(mark).len() == PROCESSES);
    link
}

#[test]
fn a_tree_ends_with_its_server() {
    each_way("server-killed", |plain, mark| {
        let stage = stage(plain);
        let link = grown(&stage, mark);
        // The first process of all: the numbers of a tree grow, but for an overflow.
        kill(&members(mark)[..1]);
        assert_eq!(link.end(), CloseReason::Signalled(9));
        assert!(members(mark).is_empty() && shims(mark).is_empty(), "closed is said when nothing is left");
    });
}

#[test]
fn a_tree_that_heeds_nothing_ends_with_a_stop() {
    let short = Duration::from_millis(20);
    each_way("stopped", |plain, mark| {
        let stage = stage(plain);
        let link = grown(&stage, mark);
        link.close(Grace { stdin: short, term: short });
        assert_eq!(link.end(), CloseReason::Stopped);
        assert!(members(mark).is_empty() && shims(mark).is_empty(), "closed is said when nothing is left");
    });
}

#[test]
fn a_tree_ends_with_its_shim() {
    each_way("shim-killed", |plain, mark| {
        let stage = stage(plain);
        let link = grown(&stage, mark);
        kill(&shims(mark)[..1]);
        assert_eq!(link.end(), CloseReason::Signalled(9));
        assert!(members(mark).is_empty() && shims(mark).is_empty(), "closed is said when nothing is left");
    });
}

#[test]
fn a_tree_ends_with_its_hub() {
    each_way("hub-killed", |plain, mark| {
        kill_with_shims(start(plain, mark), &[]);
    });
}

#[test]
fn in_a_namespace_a_tree_ends_with_hub_and_shim() {
    let mut slowest = Duration::ZERO;
    for number in 0..ROUNDS {
        let mark = mark("both-killed", number);
        let hub = start(false, &mark);
        let shims = shims(&mark);
        if shims.len() < 2 {
            println!("there are no PID namespaces on this machine");
            kill_with_shims(hub, &[]);
            return;
        }
        // The one inside can do nothing either: it is for the kernel to end all.
        rustix::process::kill_process(shims[1], Signal::STOP).unwrap();
        kill_with_shims(hub, &shims[..1]);
        slowest = slowest.max(time_to_end(&mark, "both killed"));
    }
    println!("both killed: nothing left after {slowest:?} at most");
}

#[test]
fn what_a_hub_and_its_shim_have_left_ends_with_the_next_start_of_the_instance() {
    let (mark, other) = (mark("left", 0), mark("left-to-another", 0));
    for mark in [&mark, &other] {
        kill_with_shims(start(true, mark), &shims(mark));
        eventually("the server ends with the shim", || members(mark).len() < PROCESSES);
    }
    assert!(!members(&mark).is_empty() && !members(&other).is_empty(), "nothing else would end the rest");
    let stage = Stage::new();
    stage.runtime.block_on(stage.upstreams.take_over(&mark));
    assert!(members(&mark).is_empty());
    let left = members(&other);
    assert!(!left.is_empty(), "what is another instance's is not touched");
    kill(&left);
}

#[test]
fn what_is_below_a_shim_that_is_held_up_ends_by_its_lease_and_by_no_other() {
    for plain in [false, true] {
        let mark = mark("held-up", u32::from(plain));
        let stage = stage(plain);
        let link = grown(&stage, &mark);
        let shims = shims(&mark);
        rustix::process::kill_process(shims[0], Signal::STOP).unwrap();
        let Launched { launch, boot, shim, process } = link.launched();
        assert_eq!(i32::try_from(shim.pid).unwrap(), shims[0].as_raw_nonzero().get());
        assert_eq!(i32::try_from(process.unwrap().pid).unwrap(), members(&mark)[0].as_raw_nonzero().get());
        let nobody = "00000000-0000-0000-0000-000000000000";
        let (project, server) = (ProjectId::parse(nobody).unwrap(), ServerId::parse(nobody).unwrap());
        let lease = Lease { launch, project, server, boot, shim, process, at: Timestamp(0) };
        let another = Stage::new();
        let reclaim =
            |lease: &Lease| another.runtime.block_on(another.upstreams.reclaim(vec![lease.clone()]));
        assert_eq!(
            reclaim(&Lease { boot: "another".into(), ..lease.clone() }),
            0,
            "of another life of the machine"
        );
        assert_eq!(members(&mark).len(), PROCESSES);
        let ended = reclaim(&lease);
        assert_eq!(ended, PROCESSES + shims.len(), "the tree and its shims");
        // Who is killed is gone as soon as the system gets to it.
        eventually("nothing is left", || members(&mark).is_empty());
        assert_eq!(link.end(), CloseReason::Signalled(9));
        assert_eq!(reclaim(&lease), 0);
    }
}

/// A hub with a tree that stands.
#[expect(clippy::disallowed_methods, reason = "the process that is killed is not a server")]
fn start(plain: bool, mark: &str) -> Child {
    let mut hub = std::process::Command::new(std::env::current_exe().unwrap());
    hub.args(["--ignored", "--exact", "orphans::hub", "--nocapture"]).env(HUB_MARK, mark);
    if plain {
        hub.env(PLAIN, "1");
    }
    let mut hub = hub.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(hub.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(output.any(|line| line == "the tree stands"));
    hub
}

#[test]
#[ignore = "the process that other tests kill"]
fn hub() {
    let Some(mark) = std::env::var_os(HUB_MARK) else { return };
    let mark = mark.to_str().unwrap();
    let stage = stage(std::env::var_os(PLAIN).is_some());
    stage.runtime.block_on(stage.upstreams.take_over(mark));
    let _link = grown(&stage, mark);
    println!("\nthe tree stands");
    std::thread::sleep(Duration::from_secs(1000));
}
