//! What the hub does not know, and passes on.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::begun::ask;
use super::clients::{Client, Era, HTTP, at};
use super::renewals::remote_of;
use super::script::{Discovery, Hello, Script};
use super::sharing;
use super::world::{World, read};
use crate::ports::gateway::{Target, Verb};
use crate::record::Sharing;
use crate::rpc::Field;
use crate::{CallId, Limits};

#[test]
fn what_nobody_knows_goes_between_a_client_and_its_one_server() {
    let mut world = World::running(&["a"]);
    let (single, unified) = (world.client(HTTP, at("a")), world.client(HTTP, Target::Unified));
    let streams = [world.open(&single, Verb::Listen), world.open(&unified, Verb::Listen)];
    world.call(&single, "1");
    let sent = world.requested("a");
    world.reply(&sent, r#"{"content":[]}"#);
    let link = sent.link;
    world.frames("a");
    let made_up = r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"n":1e400}}"#;
    world.post(&single, made_up);
    world.post(&unified, made_up);
    assert_eq!(world.frames("a"), [(link, made_up.to_owned())]);
    world.says(link, made_up);
    let complete =
        r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e"}}"#;
    world.says(link, complete);
    assert_eq!(world.take(&single, streams[0]), [made_up, complete]);
    assert_eq!(world.take(&unified, streams[1]), [complete]);
}

#[test]
fn what_nobody_knows_is_told_a_server_in_the_words_of_its_era() {
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    for (client_era, server) in
        [(Era::Modern, Script::default()), (Era::Modern, Script::modern()), (HTTP, Script::modern())]
    {
        let is_modern = server.discovery == Discovery::Speaks;
        let mut world = World::scripted(Limits::default(), [("a", server)]).surveyed();
        let client = world.client(client_era, at("a"));
        world.call(&client, "1");
        world.frames("a");
        for own in ["", r#""k":1"#] {
            let meta = match (client_era, own) {
                (Era::Modern, "") => format!(r#","_meta":{{{version}}}"#),
                (Era::Modern, own) => format!(r#","_meta":{{{version},{own}}}"#),
                (_, "") => String::new(),
                (_, own) => format!(r#","_meta":{{{own}}}"#),
            };
            let params = format!(r#""n":1e400{meta}"#);
            world.post(
                &client,
                &format!(r#"{{"jsonrpc":"2.0","method":"notifications/made/up","params":{{{params}}}}}"#),
            );
            let [(_, told)] = &*world.frames("a") else { panic!("it is told once") };
            assert!(told.contains(r#""n":1e400"#), "{told}");
            assert_eq!(told.contains(version), is_modern, "{told}");
            assert_eq!(told.contains(r#""k":1"#), !own.is_empty(), "{told}");
        }
        world.post(&client, r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#);
        assert_eq!(
            world.frames("a"),
            [],
            "servers of 2026-07-28 know no roots that change, and nor do its clients"
        );
    }
}

#[test]
fn what_a_server_says_beside_its_handshake_and_its_lists_is_said_at_its_endpoint_in_every_life() {
    const ASIDE: &str = r#""x-new":[1e400],"_meta":{"vendor/k":{"v":1},"mcp-orch/via":[]}"#;
    let script = Script { hello: Hello::Silent, lists: false, ..Script::default() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let hello = world.requested("a");
    let said = r#""protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}"#;
    world.reply(&hello, &format!("{{{said},{ASIDE}}}"));
    let list = world.requested("a");
    world.reply(&list, &format!(r#"{{"tools":[],"ttlMs":1,{ASIDE}}}"#));
    let check = |world: &mut World| {
        for (era, method) in
            [(HTTP, "tools/list"), (Era::Modern, "tools/list"), (Era::Modern, "server/discover")]
        {
            let client = world.client(era, at("a"));
            let exchange = world.request(&client, "1", method, "");
            let answer = world.answer(&client, exchange);
            let said = answer.raw_str(Field::Result).unwrap();
            assert!(said.contains(r#""x-new":[1e400]"#) && said.contains(r#""vendor/k":{"v":1}"#), "{said}");
            assert!(!said.contains("mcp-orch/via") && said.matches("ttlMs").count() < 2, "{said}");
        }
        let greeting = Client::new(HTTP, at("a"));
        let params =
            r#""protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}"#;
        let exchange = world.request(&greeting, "1", "initialize", params);
        let answer = world.answer(&greeting, exchange);
        let said = answer.raw_str(Field::Result).unwrap();
        assert!(
            said.contains(r#""_meta":{"vendor/k":{"v":1}}"#) && said.contains(r#""x-new":[1e400]"#),
            "{said}"
        );
        let unified = world.client(Era::Modern, Target::Unified);
        let exchange = world.request(&unified, "1", "tools/list", "");
        let all = world.take(&unified, exchange).concat();
        assert!(!all.contains("vendor/k"), "of several nobody could say which it is of: {all}");
    };
    check(&mut world);
    check(&mut world.restarted());
}

#[test]
fn a_notification_whose_headers_say_something_else_is_refused() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    let notice = client.write("1", "notifications/made/up", "", "").replace(r#""id":1,"#, "");
    for (change, status) in [(None, 202), (Some("notifications/other"), 400)] {
        let body = read(&notice);
        let mut head = client.post_head(&body);
        head.headers.method = change.map_or(head.headers.method, |method| Some(method.into()));
        let exchange = world.post_with(&client, head, body);
        assert_eq!(world.seen(exchange).status, Some(status), "{change:?}");
    }
}

#[test]
fn that_an_elicitation_is_complete_is_told_whom_it_was_asked_of_and_nobody_else() {
    let mut world = World::running(&["a"]);
    let url = r#"{"elicitation":{"url":{}}}"#;
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), url));
    let streams = clients.each_ref().map(|client| world.open(client, Verb::Listen));
    world.call(&clients[0], "1");
    let sent = world.requested("a");
    let params = r#"{"mode":"url","message":"?","url":"https://example.com/","elicitationId":"e"}"#;
    world.says(
        sent.link,
        &format!(r#"{{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{params}}}"#),
    );
    world.reply(&sent, r#"{"content":[]}"#);
    for (client, stream) in clients.iter().zip(streams) {
        world.take(client, stream);
    }
    let complete = |id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{{"elicitationId":"{id}"}}}}"#
        )
    };
    for (id, told) in [("e", [1, 0]), ("nobody knows", [1, 1])] {
        world.says(sent.link, &complete(id));
        let heard = [0, 1].map(|n: usize| world.take(&clients[n], streams[n]).len());
        assert_eq!(heard, told, "{id}");
    }
}

#[test]
fn what_nobody_knows_goes_to_the_only_call_that_its_server_works_on() {
    let made_up = r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"n":1}}"#;
    for era in [HTTP, Era::Modern] {
        let mut world = World::running(&["a"]);
        let other = world.client(HTTP, at("a"));
        let stream = world.open(&other, Verb::Listen);
        let client = world.client(era, Target::Unified);
        let call = world.call(&client, "7");
        let link = world.requested("a").link;
        world.says(link, made_up);
        assert_eq!(world.take(&client, call), [made_up], "{era:?}");
        assert!(world.take(&other, stream).is_empty());
    }
}

#[test]
fn what_nobody_knows_is_nobody_s_while_a_server_works_on_calls_of_several() {
    let made_up = r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"n":1}}"#;
    let mut world = World::running(&["a"]);
    let clients = [(); 3].map(|()| world.client(HTTP, at("a")));
    let streams = clients.each_ref().map(|client| world.open(client, Verb::Listen));
    let calls = [&clients[0], &clients[1]].map(|client| world.call(client, "7"));
    let link = world.requests("a").remove(0).link;
    world.says(link, made_up);
    for (client, exchange) in clients.iter().cycle().zip(streams.into_iter().chain(calls)) {
        assert!(world.take(client, exchange).is_empty());
    }
}

#[test]
fn what_may_be_of_a_call_that_nobody_hears_any_more_is_told_nobody() {
    let made_up = r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"n":1}}"#;
    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"x"}}"#;
    for era in [HTTP, Era::Modern] {
        for gone in ["left", "cancelled", "timed out", "parked"] {
            let mut world = World::running(&["a"]);
            let other = world.client(HTTP, at("a"));
            let stream = world.open(&other, Verb::Listen);
            let client = world.able_client(era, at("a"), r#"{"elicitation":{}}"#);
            let call = world.call(&client, "7");
            let link = world.requested("a").link;
            match gone {
                "cancelled" if era == HTTP => drop(world.delete(&client)),
                "left" | "cancelled" => world.leave(call),
                "timed out" => world.advance(Limits::default().call),
                _ => {
                    ask(&mut world, link, "");
                    world.advance(Limits::default().gather);
                }
            }
            for said in [made_up, log] {
                world.says(link, said);
            }
            assert!(world.take(&other, stream).is_empty(), "{era:?} {gone}");
            if gone != "parked" {
                world.advance(Limits::default().call * 2);
                for said in [made_up, log] {
                    world.says(link, said);
                }
                assert_eq!(world.take(&other, stream).len(), 2, "nothing of it goes on: {era:?} {gone}");
            }
        }
    }
}

#[test]
fn what_comes_on_no_stream_of_a_call_is_of_no_call_where_calls_have_streams() {
    let made_up = r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"n":1}}"#;
    let mut world = remote_of(Script::default());
    let other = world.client(HTTP, at("a"));
    let stream = world.open(&other, Verb::Listen);
    let client = world.client(HTTP, Target::Unified);
    let call = world.call(&client, "7");
    let sent = world.requested("a");
    world.says(sent.link, made_up);
    assert_eq!(world.take(&other, stream), [made_up], "it goes to who listens to this server");
    assert!(world.take(&client, call).is_empty());
    world.says_within(sent.link, sent.id.parse().ok().map(CallId), made_up);
    assert_eq!(world.take(&client, call), [made_up]);
    assert!(world.take(&other, stream).is_empty());
}

#[test]
fn a_remote_server_that_asks_for_roots_hears_of_those_of_each_session_in_one_of_its_own() {
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
    let able = r#"{"elicitation":{},"roots":{"listChanged":true}}"#;
    let mut world = remote_of(Script::default());
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), able));
    let asked = |world: &mut World, method: &str| {
        world.call(&clients[0], "1");
        let sent = world.requested("a");
        let words = alloc::format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#);
        world.says_within(sent.link, sent.id.parse().ok().map(CallId), &words);
        sent.link
    };
    let shared = asked(&mut world, "elicitation/create");
    assert_eq!(asked(&mut world, "roots/list"), shared, "a question on the stream of a call is of that call");
    let links = clients.each_ref().map(|client| {
        world.call(client, "2");
        world.requested("a").link
    });
    assert!(links[0] != links[1] && !links.contains(&shared), "roots are of a whole session");
    world.frames("a");
    for (client, link) in clients.iter().zip(links) {
        world.post(client, changed);
        assert_eq!(world.frames("a"), [(link, changed.to_owned())]);
    }
}

#[test]
fn roots_that_change_are_told_to_whom_the_session_has_for_itself() {
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
    let mut world = sharing::world(Sharing::PerSession);
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), sharing::ABLE));
    let links = clients.each_ref().map(|client| sharing::called(&mut world, client).link);
    world.frames("a");
    world.post(&clients[1], changed);
    assert_eq!(world.frames("a"), [(links[1], changed.to_owned())]);
    let mut world = sharing::world(Sharing::Shared);
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), sharing::ABLE));
    sharing::called(&mut world, &clients[0]);
    world.frames("a");
    world.post(&clients[0], changed);
    assert!(world.frames("a").is_empty(), "the roots of one client are not those of the other");
}

#[test]
fn roots_that_change_are_told_to_the_process_of_a_key_which_asks_whose_they_are() {
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
    let mut world = sharing::world(Sharing::PerUser);
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), sharing::ABLE));
    let streams = clients.each_ref().map(|client| world.open(client, Verb::Listen));
    let sent = sharing::called(&mut world, &clients[0]);
    world.reply(&sent, "{}");
    world.frames("a");
    for (client, stream) in clients.iter().zip(streams) {
        world.post(client, changed);
        assert_eq!(world.frames("a"), [(sent.link, changed.to_owned())]);
        world.says(sent.link, r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
        assert!(world.take(client, stream)[0].contains("roots/list"));
        sharing::ask(&mut world, &sent);
        assert!(sharing::refused(&mut world), "of nothing else it is clear who is asked");
    }
}

#[test]
fn what_nobody_knows_goes_once_to_the_process_that_calls_of_its_session_go_to() {
    let made_up = r#"{"jsonrpc":"2.0","method":"notifications/made/up","params":{"n":1}}"#;
    for policy in [Sharing::Auto, Sharing::PerSession, Sharing::PerUser, Sharing::Shared] {
        let mut world = sharing::world(policy);
        let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), sharing::ABLE));
        let unified = world.able_client(HTTP, Target::Unified, sharing::ABLE);
        for client in clients.iter().chain([&unified, &clients[0]]) {
            let sent = sharing::called(&mut world, client);
            sharing::ask(&mut world, &sent);
            world.reply(&sent, "{}");
        }
        for client in &clients {
            let link = sharing::called(&mut world, client).link;
            world.frames("a");
            world.post(client, made_up);
            assert_eq!(world.frames("a"), [(link, made_up.to_owned())], "{policy:?}");
        }
        world.post(&unified, made_up);
        assert!(world.frames("a").is_empty(), "of several servers nobody could say which is meant");
    }
}

#[test]
fn what_nobody_knows_and_is_said_to_whoever_listens_is_heard_by_all_who_listen_to_this_server_each_with_its_own_tag()
 {
    let script = || Script { news: false, ..Script::modern() };
    for (mut world, is_remote) in [
        (remote_of(script()), true),
        (World::scripted(Limits::default(), [("a", script())]).surveyed(), false),
    ] {
        let news = world.requested("a");
        let tag = |id: &str| format!(r#""io.modelcontextprotocol/subscriptionId":{id}"#);
        let opened = "notifications/subscriptions/acknowledged";
        let within = is_remote.then(|| CallId(news.id.parse().unwrap()));
        let meta = tag(&news.id);
        world.says_within(
            news.link,
            within,
            &format!(r#"{{"jsonrpc":"2.0","method":"{opened}","params":{{"_meta":{{{meta}}}}}}}"#),
        );
        let session = world.client(HTTP, at("a"));
        let stream = world.open(&session, Verb::Listen);
        let filter = r#""notifications":{"toolsListChanged":true}"#;
        let listeners = [at("a"), Target::Unified].map(|target| {
            let client = Client::new(Era::Modern, target);
            let stream = world.request(&client, "7", "subscriptions/listen", filter);
            world.take(&client, stream);
            (client, stream)
        });
        // A call that is under way is not what this is because of.
        let call = world.call(&session, "1");
        let made_up =
            |params: &str| format!(r#"{{"jsonrpc":"2.0","method":"notifications/made/up"{params}}}"#);
        world.says_within(
            news.link,
            within,
            &made_up(&format!(r#","params":{{"n":1e400,"_meta":{{{meta},"k":1}}}}"#)),
        );
        let plain = made_up(r#","params":{"n":1e400,"_meta":{"k":1}}"#);
        assert_eq!(world.take(&session, stream), [plain]);
        assert!(world.take(&session, call).is_empty());
        let heard = listeners.each_ref().map(|(client, stream)| world.take(client, *stream).concat());
        assert!(heard[0].contains("1e400") && heard[0].contains(r#""k":1"#), "{heard:?}");
        assert!(heard[0].contains(&tag("7")) && !heard[0].contains(&tag(&news.id)), "{heard:?}");
        assert_eq!(heard[1], "", "of several nobody could say which it is of");
        if is_remote {
            world.says_within(news.link, within, &made_up(""));
            assert_eq!(world.take(&session, stream), [made_up("")]);
            let bare = made_up(&format!(r#","params":{{"_meta":{{{}}}}}"#, tag("7")));
            assert_eq!(world.take(&listeners[0].0, listeners[0].1), [bare]);
        }
    }
}
