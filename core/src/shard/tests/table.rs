//! The table of sessions against a plain list.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use proptest::prelude::*;

use crate::ports::gateway::{Admission, Target, Verb};
use crate::shard::session::{Session, Sessions, Transport};
use crate::{ExchangeId, KeyId, Limits, ProjectId, SessionId, Timestamp};

#[derive(Clone, Copy, Debug)]
enum Op {
    Idle,
    Insert { id: u8, key: u8, target: bool, sse: bool },
    Look { id: u8, key: u8, target: bool, sse: bool },
    Quietest,
    Remove { id: u8 },
    Stream { id: u8 },
    Touch { id: u8 },
    Wait,
}

fn op() -> impl Strategy<Value = Op> {
    let id = 0..6_u8;
    let who = (id.clone(), 0..2_u8, any::<bool>(), any::<bool>());
    prop_oneof![
        Just(Op::Idle),
        Just(Op::Quietest),
        Just(Op::Wait),
        who.clone().prop_map(|(id, key, target, sse)| Op::Insert { id, key, target, sse }),
        who.prop_map(|(id, key, target, sse)| Op::Look { id, key, target, sse }),
        id.clone().prop_map(|id| Op::Remove { id }),
        id.clone().prop_map(|id| Op::Stream { id }),
        id.prop_map(|id| Op::Touch { id }),
    ]
}

/// What the list knows of a session.
struct Known {
    id: SessionId,
    key: u8,
    target: bool,
    sse: bool,
    streams: bool,
    active: Timestamp,
}

fn session_id(id: u8) -> SessionId {
    SessionId([id; 32])
}

fn admission(key: u8, target: bool) -> Admission {
    let target = if target { Target::Unified } else { Target::Server("a".into()) };
    Admission { project: ProjectId(uuid::Uuid::nil()), key: KeyId(key.to_string().into()), target }
}

fn agree(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let limits = Limits { session_idle: Duration::from_millis(3), ..Limits::default() };
    let (mut table, mut list, mut now) = (Sessions::default(), Vec::<Known>::new(), Timestamp(0));
    for op in ops {
        match op {
            Op::Idle => {
                let free =
                    list.iter().filter(|it| !it.streams && now.since(it.active) >= limits.session_idle);
                let mut free: Vec<SessionId> = free.map(|it| it.id).collect();
                free.sort();
                prop_assert_eq!(table.idle(now, &limits), free);
            }
            Op::Insert { id, key, target, sse } => {
                let transport = if sse { Transport::Sse(ExchangeId(1)) } else { Transport::Http };
                table.insert(Session::new(session_id(id), &admission(key, target), transport, now));
                list.retain(|it| it.id != session_id(id));
                list.push(Known { id: session_id(id), key, target, sse, streams: sse, active: now });
            }
            Op::Look { id, key, target, sse } => {
                let verb = if sse { Verb::PostMessage } else { Verb::Post };
                let text = session_id(id).to_string();
                let found = table.of(&text, &admission(key, target), verb).map(|session| session.id);
                let same =
                    |it: &&Known| (it.id, it.key, it.target, it.sse) == (session_id(id), key, target, sse);
                prop_assert_eq!(found, list.iter().find(same).map(|it| it.id));
                prop_assert!(table.of(&String::from("x"), &admission(key, target), verb).is_none());
            }
            Op::Quietest => {
                let has = |it: &Known| list.iter().filter(|other| other.key == it.key).count();
                let free: Vec<&Known> = list.iter().filter(|it| !it.streams).collect();
                let found = table.quietest().and_then(|id| free.iter().find(|it| it.id == id));
                let most = free.iter().map(|it| has(it)).max();
                prop_assert_eq!(found.map(|it| has(it)), most);
                let own = |found: &&Known| {
                    let own = free.iter().filter(|it| it.key == found.key);
                    own.map(|it| it.active).min()
                };
                prop_assert_eq!(found.map(|it| it.active), found.and_then(own));
            }
            Op::Remove { id } => {
                let known = list.iter().any(|it| it.id == session_id(id));
                prop_assert_eq!(table.remove(session_id(id)).is_some(), known);
                list.retain(|it| it.id != session_id(id));
            }
            Op::Stream { id } => {
                if let Some(session) = table.get_mut(session_id(id)) {
                    session.streams.push(ExchangeId(2));
                }
                list.iter_mut().filter(|it| it.id == session_id(id)).for_each(|it| it.streams = true);
            }
            Op::Touch { id } => {
                if let Some(session) = table.get_mut(session_id(id)) {
                    session.last_active = now;
                }
                list.iter_mut().filter(|it| it.id == session_id(id)).for_each(|it| it.active = now);
            }
            Op::Wait => now = now.after(Duration::from_millis(1)),
        }
        prop_assert_eq!(table.len(), list.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_of_sessions_knows_what_a_plain_list_knows(ops in prop::collection::vec(op(), 1..60)) {
        agree(ops)?;
    }
}
