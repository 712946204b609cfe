//! How a request is said to a server of another era than its client's.

use alloc::borrow::ToOwned;
use alloc::format;

use super::clients::{ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::record::Sharing;
use crate::shard::Effect;

fn alone(script: Script) -> World {
    World::scripted(Limits::default(), [("a", script)]).surveyed()
}

#[test]
fn a_call_of_any_client_reaches_a_server_of_the_stateless_era_in_its_words() {
    for era in ERAS {
        let mut world = alone(Script::modern());
        let client = world.able_client(era, at("a"), r#"{"elicitation":{},"roots":{}}"#);
        let call = world.call_with(&client, "7", r#""progressToken":"t","x/y":[1e400]"#);
        let sent = world.requested("a");
        for part in [
            r#""name":"echo","arguments":{"n":7}"#,
            r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#,
            r#""roots":{}"#,
            r#""elicitation":{"#,
            r#""x/y":[1e400]"#,
            &format!(r#""progressToken":{}"#, sent.id),
        ] {
            assert!(sent.params.contains(part), "{era:?}: {part} in {}", sent.params);
        }
        assert_eq!(sent.params.matches("_meta").count(), 1);
        world.says(
            sent.link,
            &format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},"progress":1}}}}"#,
                sent.id
            ),
        );
        world.reply(&sent, r#"{"resultType":"complete","content":[],"ttlMs":1,"cacheScope":"public"}"#);
        let heard = world.take(&client, call);
        assert!(heard[0].contains(r#""progressToken":"t""#), "{heard:?}");
        let modern = heard[1].contains("resultType");
        assert_eq!(modern, client.era == Era::Modern, "{heard:?}");
        assert_eq!(heard[1].contains("ttlMs") || heard[1].contains("cacheScope"), modern, "{heard:?}");
    }
}

#[test]
fn the_level_of_a_session_goes_with_each_of_its_calls() {
    let mut world = alone(Script::modern());
    let client = world.client(HTTP, at("a"));
    for (level, expected) in [(None, "info"), (Some("error"), "error")] {
        if let Some(level) = level {
            world.request(&client, "1", "logging/setLevel", &format!(r#""level":"{level}""#));
        }
        world.call(&client, "2");
        let sent = world.requested("a");
        let part = format!(r#""io.modelcontextprotocol/logLevel":"{expected}""#);
        assert!(sent.params.contains(&part), "{}", sent.params);
    }
}

#[test]
fn a_call_that_waits_for_its_server_is_said_in_the_server_s_era_when_that_is_known() {
    for (script, modern) in [(Script::default(), false), (Script::modern(), true)] {
        let held = Script { opens: false, ..script.clone() };
        let mut world = alone(script).restarted();
        world.scripts.insert("a".to_owned(), held);
        let client = world.client(HTTP, at("a"));
        world.call(&client, "1");
        assert!(world.requests("a").is_empty());
        world.scripts.get_mut("a").unwrap().opens = true;
        let link = world.link("a");
        world.feed(crate::shard::Input::LinkOpened { link, pid: None });
        let sent = world.requested("a");
        assert_eq!(sent.params.contains("protocolVersion"), modern, "{}", sent.params);
    }
}

#[test]
fn what_the_hub_does_not_act_on_of_what_a_session_s_client_can_do_is_told_where_the_server_hears_of_this_client_alone()
 {
    let ui = r#""extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["\u0061"]}},"new":[1e400],"experimental":{"e":{}}"#;
    let capabilities = r#"{"roots":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["\u0061"]}},"new":[1e400],"experimental":{"e":{}}}"#;
    for (sharing, told) in [(Sharing::PerSession, true), (Sharing::Shared, false)] {
        let mut world = World::new(&["a"]);
        world.configure(|servers| servers[0].spec.sharing = sharing);
        let mut world = world.surveyed();
        let client = world.able_client(HTTP, at("a"), capabilities);
        world.call(&client, "1");
        let says = |effect: &&Effect| matches!(effect, Effect::SendFrame { frame, .. } if core::str::from_utf8(frame).unwrap().contains(ui));
        assert_eq!(world.log.iter().filter(says).count(), usize::from(told), "{sharing:?}");
    }
    for era in [HTTP, Era::Sse] {
        let mut world = World::scripted(Limits::default(), [("a", Script::modern())]).surveyed();
        let client = world.able_client(era, at("a"), capabilities);
        world.call(&client, "1");
        let sent = world.requested("a");
        let said = format!(r#""io.modelcontextprotocol/clientCapabilities":{{"roots":{{}},{ui}}}"#);
        assert!(sent.params.contains(&said), "{}", sent.params);
    }
}
