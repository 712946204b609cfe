//! A call on its way through the hub and back: ids, progress tokens, cancellation, and clients that leave.

use alloc::borrow::ToOwned;
use alloc::format;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::{World, read};
use crate::rpc::Field;

#[test]
fn ids_come_back_exactly_as_they_were_sent() {
    let ids = [
        "0",
        "-1",
        "9007199254740993",
        "18446744073709551615",
        "-9223372036854775808",
        "340282366920938463463374607431768211456",
        r#""""#,
        r#""1""#,
        r#""a b""#,
        r#""\u0061\"\\\/\ud83d\ude00""#,
        r#""ключ é 漢""#,
        r#""\ud800""#,
    ];
    let mut world = World::running(&["a"]);
    for era in ERAS {
        let client = world.client(era, at("a"));
        for id in ids {
            let exchange = world.post(&client, &client.write(id, "tools/call", r#""name":"echo""#, ""));
            let sent = world.requested("a");
            assert_ne!(sent.id, id);
            world.reply(&sent, r#"{"isError":true}"#);
            let answer = world.answer(&client, exchange);
            assert_eq!(answer.raw_str(Field::Id), Some(id), "{era:?}");
        }
    }
}

#[test]
fn an_id_that_a_server_spells_in_its_own_way_is_known_by_its_value() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    for spelling in [".0", "0e-1", ".00E0"] {
        let call = world.call_with(&client, "1", r#""progressToken":"t""#);
        let sent = world.requested("a");
        let id = format!("{}{spelling}", sent.id);
        let progress = format!(r#""method":"notifications/progress","params":{{"progressToken":{id}}}"#);
        for rest in [progress, format!(r#""id":{id},"result":{{}}"#)] {
            world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0",{rest}}}"#));
        }
        let heard = world.take(&client, call);
        assert!(heard.len() == 2 && heard[0].contains(r#""progressToken":"t""#), "{id}: {heard:?}");
        assert!(heard[1].contains(r#""id":1,"result":{}"#), "{id}: {heard:?}");
    }
    // A request of its own is answered in its spelling.
    world.says(world.link("a"), r#"{"jsonrpc":"2.0","id":7.0,"method":"ping"}"#);
    assert_eq!(world.frames("a")[0].1, r#"{"jsonrpc":"2.0","id":7.0,"result":{}}"#);
}

#[test]
fn the_same_id_in_flight_twice_never_crosses() {
    let mut world = World::running(&["a"]);
    let clients = [HTTP, HTTP, Era::Modern, Era::Modern].map(|era| world.client(era, at("a")));
    let twice = clients.iter().chain(&clients);
    let asked: alloc::vec::Vec<_> =
        twice.map(|client| (client, world.call(client, "7"), world.requested("a"))).collect();
    let mut ids: alloc::vec::Vec<_> = asked.iter().map(|(.., sent)| sent.id.clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 8, "each has an id of its own on the way");
    for (n, (_, _, sent)) in asked.iter().enumerate().rev() {
        world.reply(sent, &format!(r#"{{"n":{n}}}"#));
    }
    for (n, (client, exchange, _)) in asked.into_iter().enumerate() {
        let answer = world.answer(client, exchange);
        assert_eq!(answer.raw_str(Field::Id), Some("7"));
        assert!(answer.raw_str(Field::Result).unwrap().contains(&format!(r#""n":{n}"#)));
    }
}

#[test]
fn a_request_is_passed_on_byte_for_byte_but_for_what_the_hub_owns() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let text = "{\"id\":1,\n \"method\":\"tools/call\",\"params\":{\"arguments\":{\"n\":1e400,\r\n\"s\":\"a\\nb\"},\"name\":\"\\u0065cho\" , \"x\":{\"_meta\":{\"progressToken\":2}},\"_meta\":{\"y\":[],\"progressToken\":\"p\"}},\"jsonrpc\":\"2.0\"}";
    world.post(&client, text);
    let sent = world.requested("a");
    let expected = format!(
        "{{\"arguments\":{{\"n\":1e400,  \"s\":\"a\\nb\"}},\"name\":\"\\u0065cho\" , \"x\":{{\"_meta\":{{\"progressToken\":2}}}},\"_meta\":{{\"y\":[],\"progressToken\":{}}}}}",
        sent.id
    );
    assert_eq!(sent.params, expected);
}

#[test]
fn params_that_are_absent_stay_absent() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.request(&client, "1", "made/up", "");
    assert_eq!(world.requested("a").params, "");
    world.request(&client, "2", "tools/call", r#""name":"echo""#);
    assert_eq!(world.requested("a").params, r#"{"name":"echo"}"#);
}

#[test]
fn the_envelope_of_the_stateless_era_ends_at_the_hub() {
    let mut world = World::running(&["a"]);
    let client = world.client(Era::Modern, at("a"));
    let meta = r#""io.modelcontextprotocol/logLevel":"debug","mine":1,"progressToken":"p""#;
    world.call_with(&client, "1", meta);
    let sent = world.requested("a");
    let expected = format!(r#""_meta":{{"mine":1,"progressToken":{}}}}}"#, sent.id);
    assert!(sent.params.ends_with(&expected), "{}", sent.params);
}

#[test]
fn progress_comes_with_the_client_s_own_token_before_the_answer() {
    for token in ["1", r#""\u0074""#, "9007199254740993"] {
        for era in ERAS {
            let mut world = World::running(&["a"]);
            let client = world.client(era, at("a"));
            let exchange = world.call_with(&client, "1", &format!(r#""progressToken":{token}"#));
            let sent = world.requested("a");
            let progress = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":0.5,"progressToken":{},"message":"half"}}}}"#,
                sent.id
            );
            world.says(sent.link, &progress);
            world.reply(&sent, "{}");
            world.says(sent.link, &progress);
            let got = world.take(&client, exchange);
            assert_eq!(got.len(), 2, "progress after the answer is dropped: {got:?}");
            let expected = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":0.5,"progressToken":{token},"message":"half"}}}}"#
            );
            assert_eq!(got[0], expected);
            assert_eq!(read(&got[1]).raw_str(Field::Id), Some("1"));
        }
    }
}

#[test]
fn progress_that_nobody_asked_for_goes_nowhere() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let exchange = world.call(&client, "1");
    let sent = world.requested("a");
    for token in [&*sent.id, "999", "\"x\"", "null"] {
        let line = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":1,"progressToken":{token}}}}}"#
        );
        world.says(sent.link, &line);
    }
    assert!(world.take(&client, exchange).is_empty());
}

#[test]
fn progress_extends_the_time_of_a_call_up_to_its_hard_bound() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let exchange = world.call_with(&client, "1", r#""progressToken":"p""#);
    let sent = world.requested("a");
    let line = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progress":1,"progressToken":{}}}}}"#,
        sent.id
    );
    for _ in 0..16 {
        world.advance(Duration::from_secs(56));
        world.says(sent.link, &line);
    }
    assert!(!world.seen(exchange).ended, "14 minutes and 56 seconds");
    world.advance(Duration::from_secs(3));
    assert!(!world.seen(exchange).ended);
    world.advance(Duration::from_secs(1));
    let last = world.take(&client, exchange).pop().unwrap();
    assert_eq!(read(&last).raw_str(Field::Code), Some("-31002"));
}

#[test]
fn a_call_that_takes_too_long_is_answered_and_its_server_told() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        let exchange = world.call(&client, "\"x\"");
        let sent = world.requested("a");
        world.advance(Duration::from_millis(59_999));
        assert!(world.take(&client, exchange).is_empty());
        world.advance(Duration::from_millis(1));
        let answer = world.answer(&client, exchange);
        assert_eq!((answer.raw_str(Field::Id), answer.raw_str(Field::Code)), (Some("\"x\""), Some("-31002")));
        assert!(answer.text(Field::ErrorMessage).unwrap().contains("within 60 s"));
        let cancelled = world.frames("a").pop().unwrap().1;
        assert!(cancelled.contains(&format!(r#""requestId":{},"#, sent.id)), "{cancelled}");
        world.reply(&sent, "{}");
        assert!(world.take(&client, exchange).is_empty(), "a late answer is dropped");
    }
}

#[test]
fn a_cancellation_reaches_the_server_under_its_own_id_and_the_late_answer_is_dropped() {
    for era in [HTTP, Era::Sse] {
        for id in ["1", r#""\u0061""#] {
            let mut world = World::running(&["a"]);
            let client = world.client(era, at("a"));
            let exchange = world.call(&client, id);
            let other = world.call(&client, "2");
            let sent = world.requests("a").remove(0);
            let cancel = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"r"}}}}"#
            );
            let posted = world.post(&client, &cancel);
            assert_eq!(world.seen(posted).status, Some(202));
            let frames = world.frames("a");
            assert_eq!(frames.len(), 1);
            assert_eq!(read(&frames[0].1).raw_str(Field::RequestId), Some(&*sent.id));
            world.reply(&sent, "{}");
            assert!(world.take(&client, exchange).is_empty());
            assert!(world.seen(exchange).ended);
            assert_eq!(world.seen(other).ended, era == Era::Sse, "only that one ends");
        }
    }
}

#[test]
fn a_cancellation_of_what_is_unknown_or_another_s_changes_nothing() {
    let mut world = World::running(&["a"]);
    let (one, two) = (world.client(HTTP, at("a")), world.client(HTTP, at("a")));
    world.call(&one, "1");
    world.requests("a");
    for (client, id) in [(&two, "1"), (&one, "\"1\""), (&one, "2"), (&one, "1.0")] {
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        world.post(client, &text);
        assert!(world.frames("a").is_empty(), "{id}");
    }
}

#[test]
fn a_client_that_leaves_cancels_in_the_stateless_era_and_not_in_those_before() {
    for (era, cancels) in [(HTTP, false), (Era::Modern, true)] {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        let exchange = world.call(&client, "1");
        let sent = world.requested("a");
        world.leave(exchange);
        let told = world.frames("a").iter().any(|(_, text)| text.contains("notifications/cancelled"));
        assert_eq!(told, cancels, "{era:?}");
        world.reply(&sent, "{}");
    }
}

#[test]
fn a_call_that_was_left_makes_room_for_another() {
    for era in [HTTP, Era::Modern] {
        let limits = crate::Limits { project_in_flight: 1, session_in_flight: 1, ..crate::Limits::default() };
        let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
        let client = world.client(era, at("a"));
        for n in 0..3 {
            let exchange = world.call(&client, &format!("{n}"));
            assert_eq!(world.requests("a").len(), 1, "{era:?}");
            world.leave(exchange);
        }
    }
}

#[test]
fn an_answer_that_a_server_invents_is_dropped() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let exchange = world.call(&client, "1");
    let sent = world.requested("a");
    for id in ["0", "999999", "\"1\"", "-1", &format!("\"{}\"", sent.id)] {
        world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
    assert!(world.take(&client, exchange).is_empty());
}

#[test]
fn an_answer_to_a_call_that_its_server_was_not_sent_yet_is_dropped() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    world.scripts.insert("a".into(), Script::silent());
    let exchange = world.call(&client, "1");
    world.advance(crate::Limits::default().backoff_first);
    let greeted = world.requested("a");
    let before: u64 = greeted.id.parse().unwrap();
    for id in 0..before {
        world.says(greeted.link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
    assert!(world.take(&client, exchange).is_empty() && !world.seen(exchange).ended);
}

#[test]
fn an_answer_given_twice_is_given_once() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        let exchange = world.call(&client, "1");
        let sent = world.requested("a");
        world.reply(&sent, "{}");
        world.reply(&sent, "{}");
        assert_eq!(world.take(&client, exchange).len(), 1);
    }
}

#[test]
fn an_answer_over_another_server_s_link_is_dropped() {
    let mut world = World::running(&["a", "b"]);
    let client = world.client(HTTP, at("a"));
    let exchange = world.call(&client, "1");
    let sent = world.requested("a");
    let foreign = super::clients::Sent { link: world.link("b"), ..sent.clone() };
    world.reply(&foreign, "{}");
    assert!(world.take(&client, exchange).is_empty());
    world.reply(&sent, "{}");
    assert_eq!(world.take(&client, exchange).len(), 1);
}

#[test]
fn calls_of_one_client_are_sent_in_order() {
    let mut world = World::new(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    for id in ["1", "2", "3"] {
        world.call(&client, id);
    }
    let order = world.requests("a").into_iter().map(|sent| sent.params);
    let order: alloc::vec::Vec<_> =
        order.map(|params| params.split(r#""n":"#).nth(1).map(|rest| rest[..1].to_owned())).collect();
    assert_eq!(order, ["1", "2", "3"].map(|id| Some(id.to_owned())), "also those that waited for its start");
}
