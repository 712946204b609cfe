//! One record of each kind, the same in every run.

use std::collections::BTreeMap;
use std::time::Duration;

use orch_core::ports::gateway::Target;
use orch_core::record::{
    CallBlock, CallOutcome, CallRecord, Calls, Definition, Definitions, Key, Lease, LogCategory, LogEntry,
    LogLevel, LogSource, Mode, Origin, Outcome, Owed, Project, Record, RecordId, RemoteKind, Run, RunCall,
    RunStep, Server, ServerSpec, Serves, Session, Started, Subscription, Task, Transport, Wishes,
};
use orch_core::run::{Array, End, Ended, Happened, Life, Status, Unit};
use orch_core::{KeyId, LaunchId, LogId, ProjectId, RunId, ServerId, SessionId, TaskId, Timestamp};
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_763_700_000_123);

pub(crate) fn project_id(number: u128) -> ProjectId {
    ProjectId(Uuid::from_u128(number))
}

pub(crate) fn server_id(number: u128) -> ServerId {
    ServerId(Uuid::from_u128(number))
}

pub(crate) fn project(number: u128, name: &str) -> Record {
    Record::Project(Project {
        id: project_id(number),
        slug: format!("project-{number}"),
        name: name.into(),
        separator: "__".into(),
        mode: Mode::Proxy,
        created_at: NOW,
    })
}

pub(crate) fn server(project: u128, number: u128, name: &str) -> Record {
    let transport = Transport::Stdio {
        command: "npx".into(),
        args: vec!["-y".into(), "@modelcontextprotocol/server-everything".into()],
        env: BTreeMap::from([("TOKEN".into(), "${EVERYTHING_TOKEN}".into())]),
        cwd: Some("/srv/it".into()),
    };
    Record::Server(Server {
        id: server_id(number),
        project: project_id(project),
        name: name.into(),
        origin: Origin::ConfigFile,
        spec: spec(transport),
    })
}

pub(crate) fn remote(project: u128, number: u128) -> Record {
    let transport = Transport::Remote {
        kind: RemoteKind::Sse,
        url: "https://example.org/sse".into(),
        headers: BTreeMap::from([("Authorization".into(), "Bearer ${REMOTE}".into())]),
    };
    Record::Server(Server {
        id: server_id(number),
        project: project_id(project),
        name: "remote".into(),
        origin: Origin::ConfigFile,
        spec: ServerSpec { disabled: true, ..spec(transport) },
    })
}

fn spec(transport: Transport) -> ServerSpec {
    ServerSpec {
        auto_approve: vec!["echo".into()],
        unknown: BTreeMap::from([("icon".into(), "\"🧰\"".into())]),
        ..ServerSpec::new(transport)
    }
}

pub(crate) fn key(project: u128, id: &str) -> Record {
    Record::Key(Key {
        id: KeyId(id.into()),
        project: project_id(project),
        name: "laptop".into(),
        mac: [0xA5; 32],
        created_at: NOW,
        expires_at: None,
        revoked_at: Some(Timestamp(NOW.0 + 1)),
    })
}

pub(crate) fn definitions(project: u128, server: u128) -> Record {
    let definition = |name: &str, json: &str| Definition { name: name.into(), json: json.into() };
    Record::Definitions(Definitions {
        server: server_id(server),
        project: project_id(project),
        spec_digest: [0x5A; 32],
        fetched_at: NOW,
        revision: "2025-11-25".into(),
        server_info: r#"{"name":"everything","version":"1.0.0"}"#.into(),
        capabilities: r#"{"tools":{"listChanged":true}}"#.into(),
        instructions: Some(r#""Use with care.""#.into()),
        tools: vec![definition("echo", r#"{"name":"echo","inputSchema":{"type":"object"}}"#)],
        prompts: vec![definition("greet", r#"{"name":"greet"}"#)],
        resources: vec![definition("file:///a", r#"{"uri":"file:///a","name":"a"}"#)],
        templates: vec![definition("file:///{name}", r#"{"uriTemplate":"file:///{name}","name":"any"}"#)],
        interactive: true,
        aside: BTreeMap::new(),
        untold: BTreeMap::new(),
    })
}

pub(crate) fn session(project: u128, byte: u8) -> Record {
    Record::Session(Session {
        id: SessionId([byte; 32]),
        project: project_id(project),
        target: Target::Unified,
        key: KeyId("0123456789ab".into()),
        revision: "2025-06-18".into(),
        client_info: r#"{"name":"inspector","version":"0.1"}"#.into(),
        capabilities: r#"{"sampling":{}}"#.into(),
        created_at: NOW,
    })
}

pub(crate) fn wishes(project: u128, byte: u8) -> Record {
    Record::Wishes(Wishes {
        session: SessionId([byte; 32]),
        project: project_id(project),
        level: Some("warning".into()),
        subscriptions: vec![Subscription {
            server: server_id(2),
            serves: Serves::Session,
            uri: "file:///a".into(),
            known_as: "mcp-orch://everything/file:///a".into(),
        }],
    })
}

pub(crate) fn owed(project: u128, byte: u8) -> Record {
    Record::Owed(Owed {
        session: SessionId([byte; 32]),
        project: project_id(project),
        stream: NOW.0,
        server: "everything".into(),
        ids: vec!["7".into(), r#""seven""#.into()],
        said: Some(vec![(3, br#"{"jsonrpc":"2.0"}"#.to_vec())]),
    })
}

pub(crate) fn log(project: u128, number: u128) -> Record {
    Record::Log(LogEntry {
        id: LogId(Uuid::from_u128(number)),
        project: project_id(project),
        server_id: Some(server_id(2)),
        server: "everything".into(),
        timestamp: NOW,
        level: LogLevel::Warning,
        category: LogCategory::ToolExecution,
        source: LogSource::Hub,
        message: "tool echo failed after 12 ms: it said so itself".into(),
        details: Some(r#"{"tool":"echo","outcome":"isError","ms":12}"#.into()),
    })
}

pub(crate) fn lease(project: u128, server: u128) -> Record {
    Record::Lease(Lease {
        launch: LaunchId("fe01-2a.00112233445566778899aabbccddeeff".into()),
        project: project_id(project),
        server: server_id(server),
        boot: "7e3b5a4c-0f6e-4b0e-8f0b-1d2c3b4a5968".into(),
        shim: Started { pid: 4711, ticks: 1_234_567 },
        process: Some(Started { pid: 4713, ticks: 1_234_568 }),
        at: NOW,
    })
}

pub(crate) fn calls(project: u128, server: u128) -> Record {
    let call = |outcome| CallRecord {
        at: NOW,
        server: server_id(server),
        tool: "echo".into(),
        key: Some(KeyId("0123456789ab".into())),
        revision: "2025-11-25".into(),
        ms: 12,
        asked: 140,
        answered: 4_000,
        outcome,
    };
    let outcomes =
        [CallOutcome::Done, CallOutcome::Failed, CallOutcome::Error(-31003), CallOutcome::Cancelled];
    let mut block = CallBlock::default();
    for outcome in outcomes {
        block.push(call(outcome), || "everything".into()).unwrap();
    }
    Record::Calls(Calls { id: LogId(Uuid::from_u128(9)), project: project_id(project), block })
}

pub(crate) fn run(project: u128, id: u64) -> Record {
    Record::Run(Run {
        id: RunId(id),
        project: project_id(project),
        key: KeyId("0123456789ab".into()),
        idempotency: Some("8e03978e-40d5-43dd-bc93-6894a57f9324".into()),
        plan: r#"{"steps":[{"id":"one","tool":"everything.echo"}]}"#.into(),
        repeatable: vec![false],
        life: Life {
            began: NOW,
            until: NOW.after(Duration::from_mins(15)),
            stopped: Some(Status::Failed),
            ended: Some(NOW),
        },
    })
}

pub(crate) fn run_call(project: u128, run: u64) -> Record {
    Record::RunCall(RunCall {
        run: RunId(run),
        project: project_id(project),
        unit: Unit { step: 0, element: 2 },
        tries: 1,
        since: NOW,
        at: NOW,
        outcome: Outcome::Failed(r#"{"content":[],"isError":true}"#.into(), Happened::Unknown),
    })
}

pub(crate) fn task(project: u128, server: u128) -> Record {
    Record::Task(Task {
        id: TaskId(Uuid::from_u128(11)),
        project: project_id(project),
        server: server_id(server),
        name: "786512e2-9e0d-44bd-8f29-789f320fe840".into(),
        serves: Serves::Everybody,
        session: Some(SessionId([0xC3; 32])),
        key: KeyId("0123456789ab".into()),
        until: NOW,
    })
}

pub(crate) fn run_element(project: u128, run: u64) -> Record {
    let call = RunCall {
        run: RunId(run),
        project: project_id(project),
        unit: Unit { step: 1, element: 2 },
        tries: 1,
        since: NOW,
        at: NOW,
        outcome: Outcome::Answered(r#"{"content":[]}"#.into()),
    };
    Record::RunElement(call, Array { elements: 3, digest: 0x0123_4567_89AB_CDEF })
}

pub(crate) fn run_step(project: u128, run: u64) -> Record {
    let array = Some(Array { elements: 3, digest: 0x0123_4567_89AB_CDEF });
    let end = End { step: 1, elements: 3, array, ended: Ended::Stopped(Status::TimedOut) };
    Record::RunStep(RunStep { run: RunId(run), project: project_id(project), end })
}

pub(crate) fn log_id(project: u128, number: u128) -> RecordId {
    log(project, number).id()
}
