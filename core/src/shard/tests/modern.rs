//! The stateless era: headers that say what the body says, results with what the revision asks for, and listens.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, at};
use super::script::Script;
use super::world::{World, read};
use crate::Limits;
use crate::ports::gateway::{Head, Target, Verb};
use crate::rpc::Field;
use crate::shard::Input;

const META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#;

fn client() -> Client {
    Client::new(Era::Modern, at("a"))
}

fn body(method: &str, members: &str, meta: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!("{members},") };
    format!(
        r#"{{"jsonrpc":"2.0","id":"i\u0064","method":"{method}","params":{{{members}"_meta":{{{meta}}}}}}}"#
    )
}

fn head(version: Option<&str>, method: Option<&str>, name: Option<&str>) -> Head {
    let mut head = client().head(Verb::Post);
    head.headers.version = version.map(ToOwned::to_owned);
    head.headers.method = method.map(ToOwned::to_owned);
    head.headers.name = name.map(ToOwned::to_owned);
    head
}

/// The status and the code of an error, which has the request's id.
fn refusal(world: &mut World, head: Head, body: &str) -> (u16, String) {
    let exchange = world.post_with(&client(), head, read(body));
    let status = world.seen(exchange).status.unwrap();
    let answer = world.answer(&client(), exchange);
    assert_eq!(answer.raw_str(Field::Id), Some(r#""i\u0064""#));
    (status, answer.raw_str(Field::Code).unwrap_or("none").to_owned())
}

#[test]
fn headers_that_say_something_else_than_the_body_are_refused() {
    let mut world = World::running(&["a"]);
    let (new, call) = (Some("2026-07-28"), Some("tools/call"));
    let echo = body("tools/call", r#""name":"echo""#, META);
    let read = body("resources/read", r#""uri":"u:1""#, META);
    for (head, body) in [
        (head(None, call, Some("echo")), &echo),
        (head(Some("2025-11-25"), call, Some("echo")), &echo),
        (head(new, None, Some("echo")), &echo),
        (head(new, Some("tools/list"), Some("echo")), &echo),
        (head(new, call, None), &echo),
        (head(new, call, Some("Echo")), &echo),
        (head(new, call, Some("=?base64?####?=")), &echo),
        (head(new, Some("resources/read"), Some("u:2")), &read),
        (head(new, Some("resources/read"), None), &read),
    ] {
        let words = format!("{:?}", head.headers);
        assert_eq!(refusal(&mut world, head, body), (400, "-32020".to_owned()), "{words}");
    }
    world.post_with(&client(), head(new, call, Some("=?base64?ZWNobw==?=")), super::world::read(&echo));
    assert_eq!(world.requests("a").len(), 1, "the coded form is the same text");
}

#[test]
fn a_request_that_does_not_say_what_every_request_must_is_invalid() {
    let mut world = World::running(&["a"]);
    let whole = |meta: &str| body("tools/list", "", meta);
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    for body in [
        whole(""),
        whole(version),
        whole(&format!(r#"{version},"io.modelcontextprotocol/clientCapabilities":[]"#)),
        whole(
            r#""io.modelcontextprotocol/protocolVersion":7,"io.modelcontextprotocol/clientCapabilities":{}"#,
        ),
        r#"{"jsonrpc":"2.0","id":"i\u0064","method":"tools/list"}"#.to_owned(),
    ] {
        let head = head(Some("2026-07-28"), Some("tools/list"), None);
        assert_eq!(refusal(&mut world, head, &body), (400, "-32602".to_owned()), "{body}");
    }
}

#[test]
fn a_version_that_is_not_spoken_is_answered_with_those_that_are() {
    let mut world = World::running(&["a"]);
    for version in ["2099-01-01", "2026-07-29", "2025-11-25"] {
        let meta = META.replace("2026-07-28", version);
        let head = head(Some(version), Some("tools/list"), None);
        let exchange = world.post_with(&client(), head, read(&body("tools/list", "", &meta)));
        assert_eq!(world.seen(exchange).status, Some(400));
        let answer = world.answer(&client(), exchange);
        assert_eq!(answer.raw_str(Field::Code), Some("-32022"));
        let data = format!(r#""data":{{"supported":["2026-07-28"],"requested":"{version}"}}"#);
        assert!(answer.raw_str(Field::Error).unwrap().contains(&data), "{answer:?}");
    }
}

#[test]
fn methods_that_the_revision_does_not_have_are_not_found() {
    let mut world = World::running(&["a"]);
    for method in ["ping", "logging/setLevel", "resources/subscribe", "notifications/initialized"] {
        let head = head(Some("2026-07-28"), Some(method), None);
        assert_eq!(
            refusal(&mut world, head, &body(method, "", META)),
            (404, "-32601".to_owned()),
            "{method}"
        );
    }
}

#[test]
fn a_stray_session_changes_nothing() {
    let mut world = World::running(&["a"]);
    for session in ["0".repeat(64), "x".to_owned()] {
        let client = Client { session: Some(session), ..client() };
        let exchange = world.request(&client, "1", "tools/list", "");
        assert_eq!((world.seen(exchange).status, world.seen(exchange).session.clone()), (Some(200), None));
        assert!(world.answer(&client, exchange).has(Field::Result));
    }
}

#[test]
fn notifications_are_accepted_and_responses_are_refused() {
    let mut world = World::running(&["a"]);
    let note = format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{"_meta":{{{META}}}}}}}"#);
    let exchange = world.post(&client(), &note);
    assert_eq!(world.seen(exchange).status, Some(202));
    let head = head(Some("2026-07-28"), None, None);
    let exchange = world.post_with(&client(), head, read(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    assert_eq!(world.seen(exchange).status, Some(400));
}

#[test]
fn results_get_what_the_revision_asks_for_and_stay_untouched_in_the_eras_before() {
    let mut world = World::scripted(Limits::default(), [("a", Script::full(&["u:1"], &[]))]).surveyed();
    let info = r#""io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}"#;
    let raw = r#"{"content" : [ ],"x":1e400,"_meta":{"k":"\u0061"}}"#;
    for (method, members, ttl) in [
        ("tools/call", r#""name":"echo""#, ""),
        ("prompts/get", r#""name":"greet""#, ""),
        ("resources/read", r#""uri":"u:1""#, r#""ttlMs":5000,"cacheScope":"private","#),
    ] {
        let modern = client();
        let exchange = world.request(&modern, "1", method, members);
        let sent = world.requested("a");
        world.reply(&sent, raw);
        let expected = format!(
            r#"{{"resultType":"complete",{ttl}"content" : [ ],"x":1e400,"_meta":{{{info},"k":"\u0061"}}}}"#
        );
        assert_eq!(world.answer(&modern, exchange).raw_str(Field::Result), Some(&*expected));
        for era in [HTTP, Era::Sse] {
            let legacy = world.client(era, at("a"));
            let exchange = world.request(&legacy, "1", method, members);
            let sent = world.requested("a");
            world.reply(&sent, raw);
            assert_eq!(world.answer(&legacy, exchange).raw_str(Field::Result), Some(raw));
        }
    }
}

#[test]
fn errors_of_servers_are_passed_on_in_the_codes_of_the_revision() {
    let mut world = World::running(&["a"]);
    for (raw, modern, status) in [
        (
            r#"{"code":-32002,"message":"m","data":{"uri":"x"}}"#,
            r#"{"code":-32602,"message":"m","data":{"uri":"x"}}"#,
            200,
        ),
        (r#"{"code":-32601,"message":"m"}"#, r#"{"code":-32601,"message":"m"}"#, 404),
        (r#"{"code":7, "message":"\u006d"}"#, r#"{"code":7, "message":"\u006d"}"#, 200),
    ] {
        for (client, expected, status) in
            [(client(), modern, status), (world.client(HTTP, at("a")), raw, 200)]
        {
            let exchange = world.call(&client, "1");
            let sent = world.requested("a");
            world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{raw}}}"#, sent.id));
            assert_eq!(world.seen(exchange).status, Some(status), "{raw}");
            assert_eq!(world.answer(&client, exchange).raw_str(Field::Error), Some(expected));
        }
    }
}

#[test]
fn codes_that_2026_gives_a_meaning_to_are_not_passed_on_from_servers_that_cannot_mean_it() {
    let modern = || World::scripted(Limits::default(), [("a", Script::modern())]).surveyed();
    for (mut world, codes) in [
        (World::running(&["a"]), &["-32020", "-32022", "-32077"] as &[&str]),
        (modern(), &["-32020", "-32022"]),
    ] {
        for code in codes {
            let raw = format!(r#"{{"code":{code},"message":"m","data":{{"supported":[]}}}}"#);
            let neutral = format!(
                r#"{{"code":-32603,"message":"m (the server's code: {code})","data":{{"supported":[]}}}}"#
            );
            for (client, expected) in [(client(), &neutral), (world.client(HTTP, at("a")), &raw)] {
                let exchange = world.call(&client, "1");
                let sent = world.requested("a");
                world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{raw}}}"#, sent.id));
                assert_eq!(world.seen(exchange).status, Some(200), "{raw}");
                assert_eq!(world.answer(&client, exchange).raw_str(Field::Error), Some(&**expected));
            }
        }
    }
}

#[test]
fn an_initialize_is_of_the_eras_before_whatever_its_headers_say() {
    let mut world = World::running(&["a"]);
    let client = Client::new(HTTP, at("a"));
    let text = client.write("1", "initialize", r#""protocolVersion":"2026-07-28","capabilities":{}"#, "");
    let exchange = world.post_with(&client, head(Some("2026-07-28"), Some("initialize"), None), read(&text));
    assert_eq!(world.answer(&client, exchange).text(Field::ProtocolVersion).as_deref(), Some("2025-11-25"));
}

#[test]
fn a_listen_says_what_it_will_tell_and_tells_no_more() {
    let mut world = World::scripted(Limits::default(), [("a", Script::full(&[], &[]))]).surveyed();
    let listen = |world: &mut World, id: &str, target: Target, filter: &str| {
        let client = Client::new(Era::Modern, target);
        let members = format!(r#""notifications":{{{filter}}}"#);
        world.request(&client, id, "subscriptions/listen", &members)
    };
    let tools = listen(&mut world, "\"t\\u0031\"", at("a"), r#""toolsListChanged":true,"x":1"#);
    let all = r#""toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["u:1"]"#;
    let unified = listen(&mut world, "2", Target::Unified, all);
    let none = listen(&mut world, "3", at("a"), "");
    let other = listen(&mut world, "4", at("hub"), all);
    let ack = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":"t\u0031"}}}"#;
    assert_eq!(world.take(&client(), tools), [ack]);
    for exchange in [unified, none, other] {
        assert_eq!(world.take(&client(), exchange).len(), 1);
    }
    world.scripts.get_mut("a").unwrap().tools.push("more".into());
    world.scripts.get_mut("a").unwrap().prompts.push("more".into());
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.advance(Duration::from_secs(1));
    let told = |kind: &str, id: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/{kind}/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        )
    };
    assert_eq!(world.take(&client(), tools), [told("tools", "\"t\\u0031\"")]);
    assert_eq!(world.take(&client(), unified), [told("prompts", "2"), told("tools", "2")]);
    assert!(world.take(&client(), none).is_empty() && world.take(&client(), other).is_empty());
}

#[test]
fn a_listen_without_a_filter_is_invalid_and_one_that_was_left_hears_nothing() {
    let mut world = World::running(&["a"]);
    for members in ["", r#""notifications":7"#] {
        let exchange = world.request(&client(), "1", "subscriptions/listen", members);
        assert_eq!(world.code(&client(), exchange), "-32602");
    }
    let filter = r#""notifications":{"toolsListChanged":true}"#;
    let exchange = world.request(&client(), "1", "subscriptions/listen", filter);
    world.leave(exchange);
    world.configure(|servers| servers[0].spec.disabled = true);
}

#[test]
fn a_listen_at_an_endpoint_that_goes_away_gets_its_result() {
    let mut world = World::running(&["a"]);
    let filter = r#""notifications":{"toolsListChanged":true}"#;
    let exchange = world.request(&client(), "9", "subscriptions/listen", filter);
    world.configure(Vec::clear);
    let last = world.take(&client(), exchange).pop().unwrap();
    let expected = r#"{"jsonrpc":"2.0","id":9,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":9}}}"#;
    assert_eq!(last, expected);
    assert!(world.seen(exchange).ended);
    world.feed(Input::TimerFired);
}

#[test]
fn arguments_that_a_tool_wants_in_headers_are_checked_at_every_endpoint_as_soon_as_that_is_known() {
    let own = Client::new(Era::Modern, at("a"));
    let unified = Client::new(Era::Modern, Target::Unified);
    let mut world =
        World::scripted(Limits::default(), [("a", Script { lists: false, ..Script::default() })]).surveyed();
    let listed = world.requested("a");
    assert!(!world.snapshot.mirrors);
    world.reply(
        &listed,
        r#"{"tools":[{"name":"plain","inputSchema":{"type":"object"}},{"name":"echo","inputSchema":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}]}"#,
    );
    assert!(world.snapshot.mirrors);
    for client in [own, unified] {
        for (said, good) in [(None, false), (Some("2"), false), (Some("1"), true)] {
            let members = format!(r#""name":"{}","arguments":{{"n":1}}"#, client.echo());
            let body = read(&client.write("1", "tools/call", &members, ""));
            let mut head = client.post_head(&body);
            head.headers.params.extend(said.map(|said| ("N".to_owned(), said.to_owned())));
            let exchange = world.post_with(&client, head, body);
            assert_eq!(world.requests("a").len(), usize::from(good), "{client:?} {said:?}");
            if !good {
                assert_eq!(world.code(&client, exchange), "-32020");
            }
        }
    }
}

#[test]
fn a_filter_with_a_member_of_another_type_is_refused_by_its_name() {
    let mut world = World::running(&["a"]);
    for (filter, words) in [
        ("", "notifications, the filter, is required"),
        (r#""notifications":7"#, "notifications, the filter, is to be an object"),
        (
            r#""notifications":{"toolsListChanged":"yes"}"#,
            "notifications.toolsListChanged is to be a boolean",
        ),
        (
            r#""notifications":{"promptsListChanged":true,"resourceSubscriptions":"u:1"}"#,
            "notifications.resourceSubscriptions is to be an array of strings",
        ),
        (r#""notifications":{"taskIds":[1]}"#, "notifications.taskIds is to be an array of strings"),
    ] {
        let exchange = world.request(&client(), "1", "subscriptions/listen", filter);
        let answer = world.answer(&client(), exchange);
        assert_eq!(answer.raw_str(Field::Code), Some("-32602"));
        assert!(answer.text(Field::ErrorMessage).unwrap().contains(words), "{answer:?}");
    }
    let unknown = r#""notifications":{"somethingNew":7}"#;
    let exchange = world.request(&client(), "1", "subscriptions/listen", unknown);
    assert!(world.take(&client(), exchange)[0].contains("notifications/subscriptions/acknowledged"));
}
