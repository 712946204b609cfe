//! What servers ask of clients.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, at};
use super::world::{World, read};
use crate::mcp::Revision;
use crate::rpc::{Field, Message};
use crate::{ExchangeId, Limits, LinkId};

const ABLE: &str = r#"{"sampling":{},"elicitation":{},"roots":{}}"#;
const ERAS: [Era; 2] = [Era::Sse, HTTP];

/// A server asks while a call is in flight; returns what the client is shown: the id and the whole message.
fn ask(world: &mut World, client: &Client, call: ExchangeId, method: &str) -> (LinkId, String, String) {
    let link = world.link("a");
    let words = r#""params":{"message":"?","requestedSchema":{},"_meta":{"progressToken":"own"}}"#;
    world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":"q\u0031","method":"{method}",{words}}}"#));
    let shown = world.take(client, call);
    let [only] = shown.as_slice() else { panic!("one question is expected: {shown:?}") };
    let id = read(only).raw_str(Field::Id).unwrap().to_owned();
    (link, id, only.clone())
}

fn asked(world: &mut World, era: Era) -> (Client, ExchangeId, LinkId, String, String) {
    let client = world.able_client(era, at("a"), ABLE);
    let call = world.call(&client, "1");
    world.frames("a");
    let (link, id, shown) = ask(world, &client, call, "elicitation/create");
    (client, call, link, id, shown)
}

/// What the server was told, taken.
fn told(world: &mut World) -> String {
    let frames = world.frames("a");
    let [(_, only)] = frames.as_slice() else { panic!("one frame is expected: {frames:?}") };
    only.clone()
}

#[test]
fn a_question_goes_to_the_client_that_calls_under_an_id_of_ours_and_the_answer_back_under_the_server_s() {
    for era in ERAS {
        for (member, value) in
            [("result", r#"{"action":"accept"}"#), ("error", r#"{"code":-1,"message":"no"}"#)]
        {
            let mut world = World::running(&["a"]);
            let (client, call, _, id, shown) = asked(&mut world, era);
            assert!(shown.contains(r#""method":"elicitation/create""#) && !shown.contains("own"), "{shown}");
            assert!(shown.contains(&format!(r#""progressToken":{id}"#)), "{shown}");
            let post = world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":{value}}}"#));
            assert_eq!(world.seen(post).status, Some(202));
            assert_eq!(told(&mut world), format!(r#"{{"jsonrpc":"2.0","id":"q\u0031","{member}":{value}}}"#));
            // A second answer is nobody's.
            world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":{value}}}"#));
            assert!(world.frames("a").is_empty());
            assert!(world.take(&client, call).is_empty());
        }
    }
}

#[test]
fn a_client_is_asked_only_what_it_can_answer_in_a_revision_that_has_it() {
    for (era, capabilities, method) in [
        (HTTP, "{}", "elicitation/create"),
        (HTTP, r#"{"roots":{}}"#, "sampling/createMessage"),
        (Era::Http(Revision::V2025_03_26), ABLE, "elicitation/create"),
        (Era::Modern, "{}", "roots/list"),
        (HTTP, ABLE, "tools/call"),
    ] {
        let mut world = World::running(&["a"]);
        let client = world.able_client(era, at("a"), capabilities);
        let call = world.call(&client, "1");
        world.frames("a");
        let link = world.link("a");
        world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}"}}"#));
        assert!(
            told(&mut world).starts_with(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601"#),
            "{method}"
        );
        assert!(world.take(&client, call).is_empty());
    }
}

#[test]
fn a_server_is_told_which_part_its_client_lacks_and_by_the_code_whether_it_has_the_others() {
    let (sampling, elicitation) = ("sampling/createMessage", "elicitation/create");
    let older = Era::Http(Revision::V2025_06_18);
    for (capabilities, method, params, code, part) in [
        ("{}", "roots/list", "{}", -32_601, "roots"),
        ("{}", sampling, "{}", -32_601, "sampling"),
        (r#"{"sampling":{}}"#, sampling, r#"{"tools":[]}"#, -32_602, "sampling.tools"),
        ("{}", elicitation, "{}", -32_601, "elicitation.form"),
        ("{}", elicitation, r#"{"mode":"url"}"#, -32_601, "elicitation.url"),
        (r#"{"elicitation":{}}"#, elicitation, r#"{"mode":"url"}"#, -32_602, "elicitation.url"),
        (r#"{"elicitation":{"url":{}}}"#, elicitation, r#"{"mode":"form"}"#, -32_602, "elicitation.form"),
    ] {
        for era in [Era::Sse, HTTP, Era::Modern, older] {
            if era == older && capabilities.contains("url") {
                continue;
            }
            let mut world = World::running(&["a"]);
            let client = world.able_client(era, at("a"), capabilities);
            world.call(&client, "1");
            world.frames("a");
            let link = world.link("a");
            world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#));
            world.advance(Limits::default().gather);
            let words = format!("no client that can do this is calling: it needs the capability {part}");
            let error = format!(r#"{{"code":{code},"message":"{words}"}}"#);
            let refusal = format!(r#"{{"jsonrpc":"2.0","id":7,"error":{error}}}"#);
            assert_eq!(told(&mut world), refusal, "{era:?} {capabilities}");
        }
    }
}

#[test]
fn a_server_s_request_is_answered_under_its_id_whatever_number_that_is() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, at("a"), "{}");
    world.call(&client, "1");
    world.frames("a");
    let link = world.link("a");
    for id in ["7.5", "-70e-2", "7.0"] {
        world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
        assert_eq!(told(&mut world), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#));
        assert!(told(&mut world).starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error""#)));
    }
}

#[test]
fn a_request_that_cannot_be_read_is_refused_under_its_id() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, at("a"), ABLE);
    let call = world.call(&client, "1");
    world.frames("a");
    let link = world.link("a");
    for (wrong, code) in [
        (r#"{"jsonrpc":"2.0","id":7,"method":"roots/list","params":[1]}"#, "-32600"),
        (r#"{"jsonrpc":"2.0","method":"roots/list","id":7,"params":"x"}"#, "-32600"),
        (r#"{"jsonrpc":"2.0","id":7,"method":7}"#, "-32600"),
        (r#"{"id":7,"method":"ping"}"#, "-32600"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":tru}}"#, "-32700"),
    ] {
        world.says(link, wrong);
        let told = told(&mut world);
        assert!(
            told.starts_with(r#"{"jsonrpc":"2.0","id":7,"error":"#) && told.contains(code),
            "{wrong}: {told}"
        );
    }
    for nobodys in
        [r#"{"jsonrpc":"2.0","method":"notifications/x","params":[1]}"#, "nonsense", "7", "{}", "[]"]
    {
        world.says(link, nobodys);
        assert!(world.frames("a").is_empty(), "{nobodys}");
    }
    assert!(world.take(&client, call).is_empty(), "the call goes on");
}

#[test]
fn a_byte_order_mark_before_a_message_means_nothing() {
    let mut world = World::running(&["a"]);
    let link = world.link("a");
    world.frames("a");
    world.says(link, "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}");
    assert_eq!(told(&mut world), r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
}

#[test]
fn what_no_revision_has_is_asked_of_the_client_of_the_call_and_of_nobody_else() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let client = world.able_client(era, at("a"), "{}");
        let call = world.call(&client, "1");
        world.frames("a");
        let (_, id, shown) = ask(&mut world, &client, call, "x/ask");
        assert!(shown.contains(r#""method":"x/ask""#), "{shown}");
        world.post(
            &client,
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#),
        );
        assert!(told(&mut world).ends_with(r#""error":{"code":-32601,"message":"no"}}"#));
        let link = world.link("a");
        world.says(link, r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#);
        assert!(told(&mut world).contains("-32601"), "that is asked of servers");
        world.call(&client, "2");
        world.frames("a");
        world.says(link, r#"{"jsonrpc":"2.0","id":8,"method":"x/ask"}"#);
        assert!(told(&mut world).contains("-32601"), "of which of two calls, nobody can say");
    }
}

#[test]
fn an_answer_that_is_none_is_an_error_for_the_server() {
    for answer in [r#""result":7"#, r#""result":null"#, r#""result":[]"#, r#""error":7"#, r#""error":{}"#] {
        let mut world = World::running(&["a"]);
        let (client, _, _, id, _) = asked(&mut world, HTTP);
        world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#));
        let told = told(&mut world);
        assert!(
            told.contains("-32603") && told.contains("the client's answer is unusable"),
            "{answer}: {told}"
        );
    }
}

#[test]
fn with_several_calls_in_flight_nobody_is_asked() {
    let mut world = World::running(&["a"]);
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
    let calls = [0, 1].map(|n: usize| world.call(&clients[n], "1"));
    world.frames("a");
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#);
    assert!(told(&mut world).contains("-32601"));
    assert!((0..2).all(|n| world.take(&clients[n], calls[n]).is_empty()));
}

#[test]
fn a_question_ends_with_the_call_that_caused_it() {
    let refused = |frames: &[(LinkId, String)]| {
        frames.iter().any(|(_, text)| text.starts_with(r#"{"jsonrpc":"2.0","id":"q\u0031","error""#))
    };
    for era in ERAS {
        for end in ["answer", "cancel", "leave", "time"] {
            if era == HTTP && end == "leave" {
                // There a client may come back: see `resumption`.
                continue;
            }
            let mut world = World::running(&["a"]);
            let client = world.able_client(era, at("a"), ABLE);
            let call = world.call(&client, "1");
            let sent = world.requested("a");
            let (_, id, _) = ask(&mut world, &client, call, "elicitation/create");
            match end {
                "answer" => world.reply(&sent, "{}"),
                "cancel" => drop(world.post(
                    &client,
                    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
                )),
                "leave" => world.leave(client.stream.unwrap_or(call)),
                _ => world.advance(Duration::from_mins(16)),
            }
            assert!(refused(&world.frames("a")), "{era:?} {end}");
            let shown = world.take(&client, call);
            let told = shown.first().is_some_and(|text| text.contains("notifications/cancelled"));
            assert_eq!(told, end != "leave", "{era:?} {end}: {shown:?}");
            if end != "leave" {
                world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
                assert!(world.frames("a").is_empty(), "{era:?} {end}");
            }
        }
    }
}

#[test]
fn a_call_that_the_server_was_not_sent_is_not_what_it_asks_about() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, at("a"), ABLE);
    world.crash("a");
    world.scripts.insert("a".into(), super::script::Script::silent());
    let call = world.call(&client, "1");
    world.advance(Duration::from_millis(500));
    let hello = world.requested("a");
    world.says(hello.link, r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#);
    assert!(told(&mut world).contains("-32601"));
    assert!(world.take(&client, call).is_empty());
}

#[test]
fn another_session_cannot_answer_for_the_one_that_was_asked() {
    let mut world = World::running(&["a"]);
    let (_, _, _, id, _) = asked(&mut world, HTTP);
    let other = world.able_client(HTTP, at("a"), ABLE);
    world.post(&other, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    assert!(world.frames("a").is_empty());
}

#[test]
fn a_call_whose_server_waits_for_people_has_all_the_time_there_is() {
    let mut world = World::running(&["a"]);
    let (client, call, ..) = asked(&mut world, HTTP);
    world.advance(Duration::from_mins(14));
    assert!(world.take(&client, call).is_empty());
    world.advance(Duration::from_mins(2));
    let last = world.take(&client, call).pop().unwrap();
    assert_eq!(read(&last).raw_str(Field::Code), Some("-31002"));
}

#[test]
fn a_question_that_is_taken_back_is_taken_back_from_the_client() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let (client, call, link, id, _) = asked(&mut world, era);
        world.says(
            link,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q\u0031","reason":"not needed","_meta":{"x":1}}}"#,
        );
        let shown = world.take(&client, call);
        let told = format!(r#""params":{{"requestId":{id},"reason":"not needed","_meta":{{"x":1}}}}"#);
        assert!(shown.len() == 1 && shown[0].contains(&told), "{shown:?}");
        world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        assert!(world.frames("a").is_empty());
    }
}

#[test]
fn progress_on_a_question_reaches_the_server_with_its_own_token() {
    let mut world = World::running(&["a"]);
    let (client, _, _, id, _) = asked(&mut world, HTTP);
    let params = format!(r#""params":{{"progressToken":{id},"progress":1}}"#);
    world.post(&client, &format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress",{params}}}"#));
    assert!(told(&mut world).contains(r#""progressToken":"own","progress":1"#));
}

#[test]
fn a_server_whose_client_has_gone_gets_an_error_and_waits_for_nothing() {
    let mut world = World::running(&["a"]);
    let (client, ..) = asked(&mut world, HTTP);
    world.delete(&client);
    let frames = world.frames("a");
    let refused =
        frames.iter().any(|(_, text)| text.starts_with(r#"{"jsonrpc":"2.0","id":"q\u0031","error""#));
    assert!(refused, "{frames:?}");
}

#[test]
fn questions_of_a_server_that_ended_are_taken_back_before_the_call_is_answered() {
    let mut world = World::running(&["a"]);
    let (client, call, ..) = asked(&mut world, HTTP);
    world.crash("a");
    let shown = world.take(&client, call);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(matches!(read(&shown[0]).message(), Message::Notification { method: "notifications/cancelled" }));
    assert_eq!(read(&shown[1]).raw_str(Field::Code), Some("-31003"));
}

#[test]
fn what_is_neither_a_request_nor_an_answer_is_refused_under_its_id_or_ends_the_call_of_that_id() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    let both = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"sampling/createMessage","params":{{}},"result":{{}}}}"#
        )
    };
    for id in [r#""qr""#, "99999"] {
        world.says(sent.link, &both(id));
        let frames = world.frames("a");
        let [(_, refusal)] = frames.as_slice() else { panic!("one refusal is expected: {frames:?}") };
        assert!(refusal.contains(&format!(r#""id":{id},"error":{{"code":-32600"#)), "{refusal}");
    }
    world.says(sent.link, &both(&sent.id));
    assert_eq!(world.code(&client, call), "-31003");
    assert!(world.frames("a").is_empty());
}

#[test]
fn an_answer_to_what_was_asked_in_a_life_before_is_no_answer_to_another_question() {
    let mut world = World::running(&["a"]);
    let (client, _, _, before, _) = asked(&mut world, HTTP);
    let mut world = world.reborn().surveyed();
    let call = world.call(&client, "1");
    world.frames("a");
    let (.., now, _) = ask(&mut world, &client, call, "roots/list");
    assert_ne!(before, now);
    world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{before},"result":{{"action":"accept"}}}}"#));
    assert!(world.frames("a").is_empty());
}
