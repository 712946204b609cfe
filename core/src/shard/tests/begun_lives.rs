//! How long tasks of servers are there, and for whom.

use alloc::borrow::ToOwned;
use alloc::format;
use core::time::Duration;

use super::begun::{ABLE, MINUTE, T1, ask, begin, begun, status, stranger, wish, world, world_of};
use super::clients::{Client, Era, HTTP, at};
use super::renewals::remote_of;
use super::script::Script;
use super::world::{Store, World};
use crate::ports::gateway::Verb;
use crate::record::{Record, Sharing};
use crate::rpc::Field;
use crate::shard::Input;
use crate::shard::timers::SWEEP;
use crate::{KeyId, Limits};

#[test]
fn a_process_with_a_task_does_not_rest_until_its_result_was_taken_or_its_time_is_over() {
    for end in ["taken", "cancelled", "ttl"] {
        let mut world = world();
        let client = world.client(HTTP, at("a"));
        let link = begin(&mut world, &client, "t1", Duration::from_hours(2)).link;
        world.open(&client, Verb::Listen);
        world.advance(Limits::default().idle * 2);
        status(&mut world, link, if end == "cancelled" { end } else { "completed" });
        if end != "cancelled" {
            world.advance(Limits::default().idle + SWEEP);
            assert!(!world.links[&link].closing, "{end}");
        }
        if end == "taken" {
            world.request(&client, "2", "tasks/result", T1);
            let asked = world.requested("a");
            world.reply(&asked, r#"{"content":[]}"#);
        }
        world.advance(if end == "ttl" { Duration::from_hours(2) } else { Limits::default().idle + SWEEP });
        assert!(world.links[&link].closing, "{end}");
    }
}

#[test]
fn in_a_process_that_serves_several_a_task_of_which_nothing_is_known_does_not_exist() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    begin(&mut world, &client, "t1", MINUTE);
    world.advance(MINUTE);
    for task in ["t1", "t9"] {
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            let refused = world.request(&client, "2", method, &format!(r#""taskId":"{task}""#));
            assert_eq!(world.code(&client, refused), "-32602", "{method} {task}");
        }
    }
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_task_ends_with_its_process_and_the_next_process_may_give_its_name_to_another() {
    let mut world = world();
    let [own, stranger] = [world.client(HTTP, at("a")), stranger(&mut world)];
    begin(&mut world, &own, "t1", MINUTE * 60);
    world.crash("a");
    world.advance(MINUTE);
    let gone = world.request(&own, "2", "tasks/get", T1);
    assert_eq!(world.code(&own, gone), "-32602");
    begin(&mut world, &stranger, "t1", MINUTE * 60);
    let refused = world.request(&own, "3", "tasks/get", T1);
    assert_eq!(world.code(&own, refused), "-32602", "it is another's");
    world.request(&stranger, "4", "tasks/get", T1);
    assert_eq!(world.requested("a").method, "tasks/get");
}

#[test]
fn a_name_that_a_server_gives_once_more_is_that_of_the_newest_task() {
    let mut world = world();
    let [own, stranger] = [world.client(HTTP, at("a")), stranger(&mut world)];
    begin(&mut world, &own, "t1", MINUTE * 60);
    begin(&mut world, &stranger, "t1", MINUTE * 60);
    let refused = world.request(&own, "2", "tasks/get", T1);
    assert_eq!(world.code(&own, refused), "-32602");
}

#[test]
fn tasks_of_two_processes_may_have_one_name() {
    let mut world = world();
    let [own, other] = [world.able_client(HTTP, at("a"), ABLE), stranger(&mut world)];
    world.call(&own, "1");
    let shared = world.requested("a").link;
    ask(&mut world, shared, "");
    world.frames("a");
    let links = [&own, &other].map(|client| begin(&mut world, client, "t1", MINUTE).link);
    assert_ne!(links[0], links[1], "each has a process of its own");
    for (client, link) in [(&own, links[0]), (&other, links[1])] {
        world.request(client, "3", "tasks/get", T1);
        assert_eq!(world.requested("a").link, link);
    }
}

#[test]
fn of_two_tasks_of_one_name_a_session_asks_for_its_own() {
    let mut world = world();
    let [own, other] = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
    world.call(&own, "1");
    let shared = world.requested("a").link;
    ask(&mut world, shared, "");
    world.frames("a");
    let links = [&own, &other].map(|client| begin(&mut world, client, "t1", MINUTE).link);
    for (client, link) in [(&own, links[0]), (&other, links[1])] {
        world.request(client, "3", "tasks/get", T1);
        assert_eq!(world.requested("a").link, link);
    }
}

#[test]
fn a_process_outlives_its_session_for_a_task_that_its_key_may_still_ask_for() {
    for revoked in [false, true] {
        let mut world = world();
        let [own, other] = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
        world.call(&own, "1");
        let shared = world.requested("a").link;
        ask(&mut world, shared, "");
        world.frames("a");
        let link = begin(&mut world, &own, "t1", MINUTE * 60).link;
        assert_ne!(link, shared);
        world.delete(&own);
        assert!(!world.links[&link].closing);
        if revoked {
            world.feed(Input::KeyRevoked(KeyId(own.key.into())));
            assert!(world.links[&link].closing);
            continue;
        }
        world.request(&other, "2", "tasks/result", T1);
        let asked = world.requested("a");
        assert_eq!(asked.link, link);
        world.reply(&asked, r#"{"content":[]}"#);
        world.advance(SWEEP);
        assert!(world.links[&link].closing, "nobody has anything to ask of it any more");
    }
}

#[test]
fn a_task_of_the_stateless_era_does_not_exist_for_other_keys_and_keeps_its_process() {
    const TASKS: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    let capabilities = r#"{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#.to_owned();
    let script = Script { capabilities, news: false, ..Script::modern() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    world.frames("a");
    let own = Client { capabilities: TASKS, ..Client::new(Era::Modern, at("a")) };
    let stranger = Client { key: "other", ..own.clone() };
    let call = world.call(&own, "1");
    let sent = world.requested("a");
    let ttl = MINUTE.as_millis() * 60;
    world.reply(&sent, &format!(r#"{{"resultType":"task",{T1},"status":"working","ttlMs":{ttl}}}"#));
    world.take(&own, call);
    world.advance(Limits::default().idle * 2);
    assert!(!world.links[&sent.link].closing, "it would end with its process");
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let refused = world.request(&stranger, "2", method, T1);
        assert_eq!(world.code(&stranger, refused), "-32602");
        assert!(world.requests("a").is_empty());
        world.request(&own, "3", method, T1);
        assert_eq!(world.requested("a").method, method);
    }
    begun(&mut world, &stranger, "t9");
    let filter = r#""notifications":{"taskIds":["t1","t9","t0"]}"#;
    world.request(&stranger, "4", "subscriptions/listen", filter);
    assert!(world.requested("a").params.contains(r#""taskIds":["t9"]"#));
    for (client, task) in [(&own, "t1"), (&stranger, "t9")] {
        let named = format!(r#""taskId":"{task}""#);
        let got = world.request(client, "5", "tasks/get", &named);
        let asked = world.requested("a");
        let ended = format!(r#"{{"resultType":"complete",{named},"status":"completed","ttlMs":null}}"#);
        world.reply(&asked, &ended);
        world.take(client, got);
    }
    world.advance(Limits::default().idle + SWEEP);
    assert!(world.links[&sent.link].closing);
}

fn stored(world: &World) -> usize {
    world.records.values().filter(|record| matches!(record, Record::Task(_))).count()
}

#[test]
fn the_tasks_of_a_remote_server_outlive_the_hub_and_are_still_those_of_their_keys() {
    let mut world = remote_of(Script { capabilities: TASKS_OF_2025.to_owned(), ..Script::default() });
    let [own, stranger] = [world.client(HTTP, at("a")), stranger(&mut world)];
    begin(&mut world, &own, "t1", MINUTE * 60);
    let mut world = world.restarted();
    let refused = world.request(&stranger, "3", "tasks/get", T1);
    assert_eq!(world.code(&stranger, refused), "-32602");
    world.request(&own, "4", "tasks/get", T1);
    assert_eq!(world.requested("a").method, "tasks/get");
    begin(&mut world, &stranger, "t2", MINUTE * 60);
    assert_eq!(stored(&world), 2);
    world.feed(Input::KeyRevoked(KeyId(stranger.key.into())));
    assert_eq!(stored(&world), 1);
    world.advance(MINUTE * 60);
    assert_eq!(stored(&world), 0, "its server may have forgotten it");
}

#[test]
fn a_client_is_told_of_a_task_of_a_remote_server_when_the_store_knows_it() {
    let mut world = remote_of(Script { capabilities: TASKS_OF_2025.to_owned(), ..Script::default() });
    let client = world.client(HTTP, at("a"));
    world.store = Store::Holds;
    let (call, sent) = wish(&mut world, &client);
    world.reply(&sent, &format!(r#"{{"task":{{{T1},"status":"working","ttl":null}}}}"#));
    assert!(world.take(&client, call).is_empty());
    for token in core::mem::take(&mut world.held) {
        world.feed(Input::Stored { token, outcome: Ok(()) });
    }
    assert_eq!(world.take(&client, call).len(), 1);
}

#[test]
fn a_remote_server_may_list_over_a_link_of_one_what_others_have_begun_and_it_is_not_shown() {
    let mut world = remote_of(Script { capabilities: TASKS_OF_2025.to_owned(), ..Script::default() });
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerUser);
    let [own, stranger] = [world.client(HTTP, at("a")), stranger(&mut world)];
    begin(&mut world, &own, "t1", MINUTE);
    begin(&mut world, &stranger, "t2", MINUTE);
    let listed = ["t1", "t2", "t3"].map(|task| format!(r#"{{"taskId":"{task}","status":"working"}}"#));
    let exchange = world.request(&own, "2", "tasks/list", "");
    let asked = world.requested("a");
    world.reply(&asked, &format!(r#"{{"tasks":[{}]}}"#, listed.join(",")));
    let expected = format!(r#"{{"tasks":[{}]}}"#, listed[0]);
    assert_eq!(world.answer(&own, exchange).raw_str(Field::Result), Some(&*expected));
    for task in ["t2", "t3"] {
        let refused = world.request(&own, "3", "tasks/get", &format!(r#""taskId":"{task}""#));
        assert_eq!(world.code(&own, refused), "-32602", "others', or nobody knows whose");
    }
}

#[test]
fn a_remote_server_that_gives_a_name_once_more_has_forgotten_the_task_over_whatever_link() {
    for answered in [true, false] {
        let mut world = remote_of(Script { capabilities: TASKS_OF_2025.to_owned(), ..Script::default() });
        world.configure(|servers| servers[0].spec.sharing = Sharing::PerUser);
        let [own, stranger] = [world.client(HTTP, at("a")), stranger(&mut world)];
        begin(&mut world, &own, "t1", MINUTE);
        let (call, sent) = wish(&mut world, &stranger);
        if !answered {
            let cancelled =
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
            world.post(&stranger, cancelled);
            world.frames("a");
        }
        world.reply(&sent, &format!(r#"{{"task":{{{T1},"status":"working"}}}}"#));
        world.take(&stranger, call);
        let refused = world.request(&own, "2", "tasks/result", T1);
        assert_eq!(world.code(&own, refused), "-32602");
        let theirs = world.request(&stranger, "3", "tasks/get", T1);
        assert_eq!(world.requests("a").len(), usize::from(answered), "{answered}");
        drop(world.take(&stranger, theirs));
    }
}

#[test]
fn a_task_whose_beginning_its_client_did_not_hear_of_is_still_its_own() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let (call, sent) = wish(&mut world, &client);
    world.leave(call);
    world.reply(&sent, &format!(r#"{{"task":{{{T1},"status":"working"}}}}"#));
    world.request(&client, "2", "tasks/get", T1);
    assert_eq!(world.requested("a").method, "tasks/get");
}

#[test]
fn a_task_does_not_pass_to_the_process_that_takes_the_place_of_its_own() {
    let mut world = world();
    let [own, stranger] = [world.client(HTTP, at("a")), stranger(&mut world)];
    begin(&mut world, &own, "t1", MINUTE * 60);
    world.call(&own, "7");
    let before = world.requested("a").link;
    world.configure(|servers| servers[0].spec.timeout_s += 1);
    let gone = world.request(&own, "2", "tasks/get", T1);
    assert_eq!(world.code(&own, gone), "-32602", "it ends with the process that was changed");
    begin(&mut world, &stranger, "t1", MINUTE * 60);
    assert_ne!(world.link("a"), before);
    for method in ["tasks/get", "tasks/result"] {
        let refused = world.request(&own, "3", method, T1);
        assert_eq!(world.code(&own, refused), "-32602", "{method}");
    }
}

#[test]
fn a_request_about_a_task_says_which_by_a_string() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    begin(&mut world, &client, "t1", MINUTE);
    for name in [r#""taskId":["t1"]"#, r#""taskId":5"#, r#""taskId":null"#, r#""x":1"#] {
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            let refused = world.request(&client, "2", method, name);
            assert_eq!(world.code(&client, refused), "-32602", "{method} {name}");
        }
    }
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_result_that_nobody_comes_for_makes_room_for_others() {
    let limits = Limits { private_processes: 1, ..Limits::default() };
    let mut world = world_of(limits);
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerSession);
    let [own, other] = [world.client(HTTP, at("a")), stranger(&mut world)];
    let link = begin(&mut world, &own, "t1", MINUTE * 60).link;
    world.advance(Limits::default().private_spare);
    let refused = world.call(&other, "1");
    assert_eq!(world.code(&other, refused), "-31004", "the task goes on");
    status(&mut world, link, "completed");
    world.call(&other, "2");
    assert_ne!(world.requested("a").link, link);
}

const TASKS_OF_2025: &str = r#"{"tools":{},"tasks":{"list":{},"requests":{"tools":{"call":{}}}}}"#;
