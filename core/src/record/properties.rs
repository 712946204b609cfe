//! Records of any content survive being stored, and what is not a record is refused.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::{
    Aside, CallBlock, CallOutcome, CallRecord, Calls, Confinement, Definition, Definitions, Isolation, Key,
    Lease, LogCategory, LogEntry, LogLevel, LogSource, Mode, Origin, Outcome, Owed, Paths, ProcessLimits,
    Project, Protocol, Record, RemoteKind, Run, RunCall, RunStep, Server, ServerSpec, Serves, Session,
    Sharing, Started, Subscription, Task, Transport, Wishes, decode, encode,
};
use crate::oauth::{Grant, OauthSpec};
use crate::ports::gateway::Target;
use crate::run::{Array, End, Ended, Happened, Life, Status, Unit};
use crate::{KeyId, LaunchId, LogId, ProjectId, RunId, ServerId, SessionId, TaskId, Timestamp};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_]{0,8}", any::<String>()]
}

fn project_id() -> impl Strategy<Value = ProjectId> {
    any::<u128>().prop_map(|bits| ProjectId(Uuid::from_u128(bits)))
}

fn server_id() -> impl Strategy<Value = ServerId> {
    any::<u128>().prop_map(|bits| ServerId(Uuid::from_u128(bits)))
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp)
}

fn project() -> impl Strategy<Value = Record> {
    let mode = prop_oneof![Just(Mode::Batch), Just(Mode::Proxy)];
    (project_id(), text(), text(), text(), mode, time()).prop_map(
        |(id, slug, name, separator, mode, created_at)| {
            Record::Project(Project { id, slug, name, separator, mode, created_at })
        },
    )
}

fn transport() -> impl Strategy<Value = Transport> {
    let stdio = (text(), vec(text(), 0..4), btree_map(text(), text(), 0..4), prop::option::of(text()));
    let kind = prop_oneof![Just(RemoteKind::Http), Just(RemoteKind::Sse)];
    prop_oneof![
        stdio.prop_map(|(command, args, env, cwd)| Transport::Stdio { command, args, env, cwd }),
        (kind, text(), btree_map(text(), text(), 0..4)).prop_map(|(kind, url, headers)| Transport::Remote {
            kind,
            url,
            headers
        }),
    ]
}

fn server() -> impl Strategy<Value = Record> {
    let (protocol, sharing) = (select(&Protocol::ALL), select(&Sharing::ALL));
    let seconds = || prop::option::of(any::<u32>());
    let times = (any::<u32>(), seconds(), seconds());
    let words = (protocol, sharing, confinement(), prop::option::of(oauth().prop_map(Box::new)));
    let rest = (any::<bool>(), times, words, vec(text(), 0..4), btree_map(text(), text(), 0..4));
    (server_id(), project_id(), text(), transport(), rest).prop_map(|(id, project, name, transport, rest)| {
        let (disabled, (timeout_s, call_timeout_s, idle_s), words, auto_approve, unknown) = rest;
        let (protocol, sharing, confinement, oauth) = words;
        let spec = ServerSpec {
            transport,
            disabled,
            timeout_s,
            call_timeout_s,
            idle_s,
            protocol,
            sharing,
            confinement,
            oauth,
            auto_approve,
            unknown,
        };
        Record::Server(Server { id, project, name, origin: Origin::ConfigFile, spec })
    })
}

fn oauth() -> impl Strategy<Value = OauthSpec> {
    let word = || prop::option::of(text());
    let client = (word(), word(), word(), word(), word());
    (select(&Grant::ALL), word(), client, vec(text(), 0..3)).prop_map(|(grant, issuer, client, scopes)| {
        let (client_id, client_secret, private_key, private_key_file, client_metadata_url) = client;
        OauthSpec {
            grant,
            issuer,
            client_id,
            client_secret,
            private_key,
            private_key_file,
            client_metadata_url,
            scopes,
        }
    })
}

fn confinement() -> impl Strategy<Value = Confinement> {
    let isolation = select(&Isolation::ALL);
    let limit = || prop::option::of(any::<u32>());
    let limits = (limit(), limit(), limit(), limit());
    let limits = limits.prop_map(|(memory_mib, processes, open_files, file_size_mib)| ProcessLimits {
        memory_mib,
        processes,
        open_files,
        file_size_mib,
    });
    let words = || vec(text(), 0..3);
    let paths = (words(), words()).prop_map(|(read, write)| Paths { read, write });
    let rest = (any::<bool>(), limits, paths, vec(any::<u16>(), 0..3), words());
    (prop::option::of(isolation), rest).prop_map(
        |(isolation, (allow_degraded, limits, paths, ports, wrapper))| Confinement {
            isolation,
            allow_degraded,
            limits,
            paths,
            ports,
            wrapper,
        },
    )
}

fn key() -> impl Strategy<Value = Record> {
    let times = (time(), prop::option::of(time()), prop::option::of(time()));
    (text(), project_id(), text(), any::<[u8; 32]>(), times).prop_map(|(id, project, name, mac, times)| {
        let (created_at, expires_at, revoked_at) = times;
        Record::Key(Key { id: KeyId(id.into()), project, name, mac, created_at, expires_at, revoked_at })
    })
}

fn definitions() -> impl Strategy<Value = Record> {
    let one = (text(), text()).prop_map(|(name, json)| Definition { name, json });
    let list = vec(one, 0..4).boxed();
    let ids = (server_id(), project_id(), any::<[u8; 32]>(), time());
    let said = (text(), text(), text(), prop::option::of(text()));
    let lists = [list.clone(), list.clone(), list.clone(), list];
    let aside = (text(), text()).prop_map(|(members, meta)| Aside { members, meta });
    let aside = btree_map(text(), aside, 0..3);
    let untold = btree_map(text(), text(), 0..3);
    (ids, said, lists, any::<bool>(), aside, untold).prop_map(
        |(ids, said, [tools, prompts, resources, templates], interactive, aside, untold)| {
            let (server, project, spec_digest, fetched_at) = ids;
            let (revision, server_info, capabilities, instructions) = said;
            Record::Definitions(Definitions {
                server,
                project,
                spec_digest,
                fetched_at,
                revision,
                server_info,
                capabilities,
                instructions,
                tools,
                prompts,
                resources,
                templates,
                interactive,
                aside,
                untold,
            })
        },
    )
}

fn session() -> impl Strategy<Value = Record> {
    let target = prop_oneof![Just(Target::Unified), text().prop_map(|name| Target::Server(name.into()))];
    let ids = (any::<[u8; 32]>(), project_id(), target, text(), time());
    (ids, text(), text(), text()).prop_map(|(ids, revision, client_info, capabilities)| {
        let (id, project, target, key, created_at) = ids;
        Record::Session(Session {
            id: SessionId(id),
            project,
            target,
            key: KeyId(key.into()),
            revision,
            client_info,
            capabilities,
            created_at,
        })
    })
}

fn wishes() -> impl Strategy<Value = Record> {
    let serves = prop_oneof![Just(Serves::Everybody), Just(Serves::Key), Just(Serves::Session)];
    let subscription = (server_id(), serves, text(), text())
        .prop_map(|(server, serves, uri, known_as)| Subscription { server, serves, uri, known_as });
    let level = prop::option::of(text());
    (any::<[u8; 32]>(), project_id(), level, vec(subscription, 0..4)).prop_map(|(id, project, level, all)| {
        Record::Wishes(Wishes { session: SessionId(id), project, level, subscriptions: all })
    })
}

fn owed() -> impl Strategy<Value = Record> {
    let said = prop::option::of(vec((any::<u64>(), vec(any::<u8>(), 0..9)), 0..4));
    let ids = (any::<[u8; 32]>(), project_id(), any::<u64>());
    (ids, text(), vec(text(), 0..4), said).prop_map(|((session, project, stream), server, ids, said)| {
        Record::Owed(Owed { session: SessionId(session), project, stream, server, ids, said })
    })
}

fn log() -> impl Strategy<Value = Record> {
    let ids = (any::<u128>(), project_id(), prop::option::of(server_id()), time());
    let kinds = (select(LogLevel::ALL), select(LogCategory::ALL), select(LogSource::ALL));
    (ids, kinds, text(), text(), prop::option::of(text())).prop_map(
        |(ids, kinds, server, message, details)| {
            let ((id, project, server_id, timestamp), (level, category, source)) = (ids, kinds);
            let id = LogId(Uuid::from_u128(id));
            Record::Log(LogEntry {
                id,
                project,
                server_id,
                server,
                timestamp,
                level,
                category,
                source,
                message,
                details,
            })
        },
    )
}

fn lease() -> impl Strategy<Value = Record> {
    let started = || (any::<u32>(), any::<u64>()).prop_map(|(pid, ticks)| Started { pid, ticks });
    let ids = (text(), project_id(), server_id(), time());
    (ids, text(), started(), prop::option::of(started())).prop_map(|(ids, boot, shim, process)| {
        let (launch, project, server, at) = ids;
        Record::Lease(Lease { launch: LaunchId(launch), project, server, boot, shim, process, at })
    })
}

fn call() -> impl Strategy<Value = CallRecord> {
    let outcome = prop_oneof![
        Just(CallOutcome::Done),
        Just(CallOutcome::Failed),
        any::<i32>().prop_map(CallOutcome::Error),
        Just(CallOutcome::Cancelled)
    ];
    let whose = (server_id(), text(), prop::option::of(text()), text());
    (time(), whose, any::<[u32; 3]>(), outcome).prop_map(|(at, whose, [ms, asked, answered], outcome)| {
        let (server, tool, key, revision) = whose;
        let (tool, key, revision) = (tool.into(), key.map(|key| KeyId(key.into())), revision.into());
        CallRecord { at, server, tool, key, revision, ms, asked, answered, outcome }
    })
}

fn calls() -> impl Strategy<Value = Record> {
    (any::<u128>(), project_id(), vec((call(), text()), 0..4)).prop_map(|(id, project, calls)| {
        let mut block = CallBlock::default();
        for (call, name) in calls {
            block.push(call, || name).expect("there is room");
        }
        Record::Calls(Calls { id: LogId(Uuid::from_u128(id)), project, block })
    })
}

fn run() -> impl Strategy<Value = Record> {
    let status = select(&[Status::Cancelled, Status::Failed, Status::TimedOut]);
    let life = (time(), time(), prop::option::of(status), prop::option::of(time()))
        .prop_map(|(began, until, stopped, ended)| Life { began, until, stopped, ended });
    let ids = (any::<u64>(), project_id(), text(), prop::option::of(text()));
    (ids, text(), vec(any::<bool>(), 0..4), life).prop_map(|(ids, plan, repeatable, life)| {
        let (id, project, key, idempotency) = ids;
        Record::Run(Run {
            id: RunId(id),
            project,
            key: KeyId(key.into()),
            idempotency,
            plan,
            repeatable,
            life,
        })
    })
}

fn run_call() -> impl Strategy<Value = Record> {
    let happened = select(&[Happened::Failed, Happened::Nothing, Happened::Unknown]);
    let outcome = prop_oneof![
        text().prop_map(Outcome::Answered),
        Just(Outcome::Begun),
        Just(Outcome::Overlong),
        Just(Outcome::LeftOut),
        (text(), happened.clone()).prop_map(|(result, happened)| Outcome::Cut(result, happened)),
        (text(), happened).prop_map(|(result, happened)| Outcome::Failed(result, happened)),
    ];
    let ids = (any::<u64>(), project_id(), any::<u32>(), any::<u32>());
    let array = prop::option::of((any::<u32>(), any::<u64>()));
    (ids, any::<u32>(), time(), time(), outcome, array).prop_map(|(ids, tries, since, at, outcome, array)| {
        let (run, project, step, element) = ids;
        let unit = Unit { step: step as usize, element: element as usize };
        let call = RunCall { run: RunId(run), project, unit, tries, since, at, outcome };
        let of = |(elements, digest)| Array { elements: elements as usize, digest };
        match array.map(of) {
            Some(array) => Record::RunElement(call, array),
            None => Record::RunCall(call),
        }
    })
}

fn run_step() -> impl Strategy<Value = Record> {
    let ended = prop_oneof![
        Just(Ended::Done),
        Just(Ended::FailedButGoesOn),
        Just(Ended::Failed),
        text().prop_map(Ended::Skipped),
        text().prop_map(Ended::SkippedWithRest),
        select(&[Status::Cancelled, Status::Done, Status::Failed, Status::TimedOut]).prop_map(Ended::Stopped),
    ];
    let ids = (any::<u64>(), project_id(), any::<u32>(), any::<u32>());
    (ids, prop::option::of((any::<u32>(), any::<u64>())), ended).prop_map(|(ids, array, ended)| {
        let (run, project, step, elements) = ids;
        let of = |(elements, digest)| Array { elements: elements as usize, digest };
        let end = End { step: step as usize, elements: elements as usize, array: array.map(of), ended };
        Record::RunStep(RunStep { run: RunId(run), project, end })
    })
}

fn task() -> impl Strategy<Value = Record> {
    let serves = select(&[Serves::Everybody, Serves::Key, Serves::Session]);
    let began = (prop::option::of(any::<[u8; 32]>()), text());
    let ids = (any::<u128>(), project_id(), server_id(), text());
    (ids, serves, began, time()).prop_map(|((id, project, server, name), serves, (session, key), until)| {
        let (id, session, key) = (TaskId(Uuid::from_u128(id)), session.map(SessionId), KeyId(key.into()));
        Record::Task(Task { id, project, server, name, serves, session, key, until })
    })
}

fn record() -> impl Strategy<Value = Record> {
    let settings = prop_oneof![project(), server(), key(), definitions()];
    let lives = prop_oneof![
        session(),
        wishes(),
        owed(),
        log(),
        lease(),
        calls(),
        run(),
        run_call(),
        run_step(),
        task()
    ];
    prop_oneof![settings, lives]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_is_read_as_it_was_written(record in record()) {
        let read = decode(&encode(&record)).unwrap();
        prop_assert_eq!(read.id(), record.id());
        prop_assert_eq!(read.id().kind(), record.id().kind());
        prop_assert_eq!(read, record);
    }

    #[test]
    fn a_part_of_a_record_is_none(record in record(), at in any::<prop::sample::Index>()) {
        let bytes = encode(&record);
        prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn bytes_that_are_no_record_are_refused_or_are_one_that_is_written_again(bytes in vec(any::<u8>(), 0..80)) {
        let bytes = [&[1], bytes.as_slice()].concat();
        if let Ok(record) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&record)), Ok(record));
        }
    }

    #[test]
    fn ids_sort_by_project_first(records in vec(record(), 2)) {
        let keys: Vec<Vec<u8>> = records.iter().map(|record| record.id().sort_key()).collect();
        prop_assert!(keys.iter().all(|key| key.len() >= 16));
        prop_assert_eq!(keys[0] == keys[1] && records[0].id().kind() == records[1].id().kind(), records[0].id() == records[1].id());
    }
}
