//! Clients of the 2025 eras in front of servers that ask for more input.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::{Client, ERAS, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::{World, read};
use crate::ExchangeId;
use crate::Limits;
use crate::rpc::Field;

const ABLE: &str = r#"{"sampling":{},"elicitation":{},"roots":{}}"#;
const ELICIT: &str = r#""e":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#;
const SAMPLE: &str = r#""s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":9}}"#;

/// A client with a call that the server works on.
fn called(era: Era, capabilities: &'static str) -> (World, Client, ExchangeId, Sent) {
    let mut world = World::scripted(Limits::default(), [("a", Script::modern())]).surveyed();
    world.frames("a");
    let client = world.able_client(era, at("a"), capabilities);
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    (world, client, call, sent)
}

fn demand(world: &mut World, sent: &Sent, questions: &str, state: &str) {
    world.reply(
        sent,
        &format!(
            r#"{{"resultType":"input_required","inputRequests":{{{questions}}},"requestState":"{state}"}}"#
        ),
    );
}

/// The questions that a client was shown: method and id.
fn shown(world: &mut World, client: &Client, call: ExchangeId) -> Vec<(String, String)> {
    let all = world.take(client, call);
    let one = |text: &String| {
        let asked = read(text);
        (
            asked.raw_str(Field::Method).unwrap().trim_matches('"').into(),
            asked.raw_str(Field::Id).unwrap().into(),
        )
    };
    all.iter().map(one).collect()
}

fn respond(world: &mut World, client: &Client, id: &str, result: &str) {
    world.post(client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
}

#[test]
fn the_questions_of_a_server_are_put_as_requests_and_the_call_is_made_again_with_the_answers() {
    for era in [Era::Sse, HTTP] {
        let (mut world, client, call, first) = called(era, ABLE);
        demand(&mut world, &first, &format!("{ELICIT},{SAMPLE}"), r"a\u0041/=");
        let asked = shown(&mut world, &client, call);
        assert_eq!((&*asked[0].0, &*asked[1].0), ("elicitation/create", "sampling/createMessage"));
        // It has answered, and cannot once more.
        world.reply(&first, "{}");
        assert!(world.take(&client, call).is_empty());
        respond(
            &mut world,
            &client,
            &asked[1].1,
            r#"{"role":"assistant","content":[],"model":"m","n":1e400}"#,
        );
        assert!(world.requests("a").is_empty());
        respond(&mut world, &client, &asked[0].1, r#"{"action":"accept"}"#);
        let second = world.requested("a");
        assert_eq!(second.method, "tools/call");
        assert_ne!(second.id, first.id);
        for part in [
            r#""inputResponses":{"e":{"action":"accept"},"s":{"role":"assistant","content":[],"model":"m","n":1e400}}"#,
            r#""requestState":"a\u0041/=""#,
            r#""name":"echo","arguments":{"n":1}"#,
        ] {
            assert!(second.params.contains(part), "{part} in {}", second.params);
        }
        // And once more, for roots.
        demand(&mut world, &second, r#""r":{"method":"roots/list"}"#, "2");
        let asked = shown(&mut world, &client, call);
        respond(&mut world, &client, &asked[0].1, r#"{"roots":[]}"#);
        let third = world.requested("a");
        assert!(
            third.params.contains(r#""inputResponses":{"r":{"roots":[]}},"requestState":"2""#),
            "{}",
            third.params
        );
        assert!(!third.params.contains("accept"));
        world.reply(&third, r#"{"resultType":"complete","content":[]}"#);
        let answer = world.answer(&client, call);
        assert_eq!(answer.raw(Field::Result), Some(br#"{"content":[]}"#.as_slice()));
    }
}

#[test]
fn a_demand_with_a_state_alone_is_met_at_once() {
    for requests in ["", r#","inputRequests":{}"#] {
        let (mut world, client, call, first) = called(HTTP, "{}");
        world
            .reply(&first, &format!(r#"{{"resultType":"input_required","requestState":"later"{requests}}}"#));
        let second = world.requested("a");
        assert!(second.params.contains(r#""requestState":"later""#));
        assert!(!second.params.contains("inputResponses"));
        world.reply(&second, r#"{"resultType":"complete"}"#);
        assert!(world.answer(&client, call).has(Field::Result));
    }
}

#[test]
fn a_server_that_asks_for_ever_gets_its_call_ended_at_the_limit() {
    let (mut world, client, call, mut sent) = called(HTTP, "{}");
    for _ in 0..Limits::default().input_rounds {
        world.reply(&sent, r#"{"resultType":"input_required","requestState":"x"}"#);
        sent = world.requested("a");
    }
    world.reply(&sent, r#"{"resultType":"input_required","requestState":"x"}"#);
    let answer = world.answer(&client, call);
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("input_rounds"));
}

#[test]
fn what_a_client_cannot_do_or_the_protocol_does_not_have_ends_the_call_with_words() {
    for (capabilities, questions, words) in [
        (r#"{"roots":{}}"#, SAMPLE, "needs the client's sampling, which"),
        (
            ABLE,
            r#""u":{"method":"elicitation/create","params":{"mode":"url","message":"?","url":"u:1"}}"#,
            "needs the client's elicitation.url, which",
        ),
        (
            ABLE,
            r#""t":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":9,"tools":[]}}"#,
            "needs the client's sampling.tools, which",
        ),
        (ABLE, r#""x":{"method":"tools/list"}"#, "for tools/list, which the protocol does not have"),
        (ABLE, r#""x":7"#, "a form that the protocol does not have"),
    ] {
        let (mut world, client, call, sent) = called(HTTP, capabilities);
        demand(&mut world, &sent, questions, "x");
        let answer = world.answer(&client, call);
        let said = answer.text(Field::ErrorMessage).unwrap();
        assert!(said.contains(words), "{said}");
        assert!(world.requests("a").is_empty());
    }
}

#[test]
fn a_client_that_lacks_something_is_told_all_of_it_in_the_words_of_its_capabilities() {
    let (mut world, client, call, sent) = called(HTTP, r#"{"elicitation":{}}"#);
    let roots = r#""r":{"method":"roots/list"}"#;
    demand(&mut world, &sent, &format!("{ELICIT},{SAMPLE},{roots}"), "x");
    let answer = world.answer(&client, call);
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("needs the client's roots, sampling, which"));
    let data = r#""data":{"requiredCapabilities":{"roots":{},"sampling":{}}}"#;
    assert!(answer.raw_str(Field::Error).unwrap().contains(data), "{answer:?}");
}

#[test]
fn a_demand_for_nothing_without_a_state_ends_the_call_at_once_in_every_era() {
    for era in ERAS {
        for demand in ["", r#","inputRequests":{}"#, r#","inputRequests":{},"requestState":null"#] {
            let (mut world, client, call, sent) = called(era, ABLE);
            world.reply(&sent, &format!(r#"{{"resultType":"input_required"{demand}}}"#));
            assert!(world.requests("a").is_empty(), "it would say the same again");
            let answer = world.answer(&client, call);
            assert_eq!(answer.raw_str(Field::Code), Some("-31003"), "{era:?}");
            let words = answer.text(Field::ErrorMessage).unwrap();
            assert!(words.contains("says neither for which nor with which state"), "{words}");
        }
    }
}

#[test]
fn a_malformed_demand_ends_the_call_with_words_in_every_era() {
    for era in ERAS {
        for requests in
            ["7", "[]", r#"{"k":7}"#, r#"{"k":{}}"#, r#"{"k":{"method":"roots/list","params":[]}}"#]
        {
            let (mut world, client, call, sent) = called(era, ABLE);
            world.reply(
                &sent,
                &format!(
                    r#"{{"resultType":"input_required","requestState":"x","inputRequests":{requests}}}"#
                ),
            );
            let words = world.answer(&client, call).text(Field::ErrorMessage).unwrap().into_owned();
            assert!(words.contains("a form that the protocol does not have"), "{era:?} {requests}: {words}");
            assert!(world.requests("a").is_empty());
        }
    }
}

#[test]
fn a_server_of_before_cannot_demand_input_in_the_way_of_today() {
    let demand = r#"{"content":[],"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}},"requestState":"S"}"#;
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let client = world.able_client(era, at("a"), ABLE);
        let call = world.call(&client, "7");
        let sent = world.requested("a");
        world.reply(&sent, demand);
        assert!(world.requests("a").is_empty());
        let answer = world.answer(&client, call);
        match era {
            // It is told that nobody would come back; to the others the words mean nothing.
            Era::Modern => {
                assert_eq!(answer.raw_str(Field::Code), Some("-31003"));
                let words = answer.text(Field::ErrorMessage).unwrap();
                assert!(words.contains("speaks 2025-11-25"), "{words}");
            }
            Era::Http(_) | Era::Sse => assert_eq!(answer.raw_str(Field::Result), Some(demand)),
        }
    }
}

#[test]
fn what_a_server_of_before_calls_a_type_is_none_to_a_client_of_today() {
    for kind in ["7", "null", r#""bogus""#, r#""complete""#] {
        let mut world = World::running(&["a"]);
        let client = world.able_client(Era::Modern, at("a"), ABLE);
        let call = world.call(&client, "7");
        let sent = world.requested("a");
        world.reply(&sent, &format!(r#"{{"content":[],"resultType":{kind}}}"#));
        assert_eq!(world.answer(&client, call).text(Field::ResultType).as_deref(), Some("complete"));
    }
}

#[test]
fn what_a_server_of_today_says_without_a_type_is_translated_as_well() {
    let (mut world, client, call, sent) = called(HTTP, ABLE);
    world.reply(&sent, r#"{"content":[],"structuredContent":[1]}"#);
    let answer = world.answer(&client, call);
    let result = answer.raw_str(Field::Result).unwrap();
    assert_eq!(result, r#"{"content":[{"type":"text","text":"[1]"}]}"#);
}

#[test]
fn what_a_server_demands_at_once_is_bounded() {
    let limits = Limits { session_questions: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::modern())]).surveyed();
    world.frames("a");
    let client = world.able_client(HTTP, at("a"), ABLE);
    // One question waits already.
    world.call(&client, "1");
    let sent = world.requested("a");
    demand(&mut world, &sent, ELICIT, "x");
    let call = world.call(&client, "2");
    let sent = world.requested("a");
    demand(&mut world, &sent, &format!("{ELICIT},{SAMPLE}"), "x");
    let answer = world.answer(&client, call);
    assert!(answer.raw_str(Field::Error).unwrap().contains(r#""limit":"session_questions","value":2"#));
    // As many as there is room for are put.
    let call = world.call(&client, "3");
    let sent = world.requested("a");
    demand(&mut world, &sent, SAMPLE, "x");
    assert_eq!(shown(&mut world, &client, call).len(), 1);
}

#[test]
fn a_client_that_answers_with_an_error_ends_the_call_and_need_not_answer_the_rest() {
    let (mut world, client, call, sent) = called(HTTP, ABLE);
    demand(&mut world, &sent, &format!("{ELICIT},{SAMPLE}"), "x");
    let asked = shown(&mut world, &client, call);
    let (refused, open) = (&asked[0].1, &asked[1].1);
    world.post(
        &client,
        &format!(r#"{{"jsonrpc":"2.0","id":{refused},"error":{{"code":-1,"message":"not now"}}}}"#),
    );
    let heard = world.take(&client, call);
    assert!(heard[0].contains("notifications/cancelled") && heard[0].contains(open), "{heard:?}");
    assert!(heard[1].contains("not now"), "{heard:?}");
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_call_that_is_cancelled_in_a_round_is_not_made_again() {
    let (mut world, client, call, sent) = called(HTTP, ABLE);
    demand(&mut world, &sent, ELICIT, "x");
    let asked = shown(&mut world, &client, call);
    world.post(&client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    respond(&mut world, &client, &asked[0].1, "{}");
    assert!(world.requests("a").is_empty());
    assert!(world.seen(call).ended);
}

#[test]
fn a_server_that_ends_in_a_round_leaves_a_call_whose_outcome_is_unknown() {
    let (mut world, client, call, sent) = called(HTTP, ABLE);
    demand(&mut world, &sent, ELICIT, "x");
    let asked = shown(&mut world, &client, call);
    world.crash("a");
    let heard = world.take(&client, call);
    assert!(heard.iter().any(|text| text.contains("notifications/cancelled")), "{heard:?}");
    assert!(heard.iter().any(|text| text.contains("outcome is unknown")), "{heard:?}");
    respond(&mut world, &client, &asked[0].1, "{}");
}

#[test]
fn an_address_to_open_has_an_id_for_clients_that_expect_one() {
    let (mut world, client, call, sent) = called(HTTP, r#"{"elicitation":{"url":{}}}"#);
    let url = r#""u":{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example/","message":"?"}}"#;
    demand(&mut world, &sent, url, "x");
    let asked = world.take(&client, call);
    assert!(asked[0].contains(r#""elicitationId":""#), "{asked:?}");
    assert!(asked[0].contains(r#""mode":"url","url":"https://a.example/","message":"?""#), "{asked:?}");
}

#[test]
fn a_demand_for_input_in_answer_to_what_is_not_answered_so_is_the_server_s_error_to_clients_of_every_era() {
    let script = Script { prompts: [String::from("greet")].into(), ..Script::modern() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let params = r#"{"message":"?","requestedSchema":{"type":"object","properties":{}}}"#;
    let question = format!(r#"{{"q":{{"method":"elicitation/create","params":{params}}}}}"#);
    for era in ERAS {
        let client = world.able_client(era, at("a"), r#"{"elicitation":{}}"#);
        let members = r#""ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"n","value":""}"#;
        let asked = world.request(&client, "1", "completion/complete", members);
        let sent = world.requested("a");
        let demand = format!(r#"{{"resultType":"input_required","inputRequests":{question}}}"#);
        world.reply(&sent, &demand);
        let answer = world.answer(&client, asked);
        let words = answer.text(Field::ErrorMessage).expect("an error");
        assert!(words.contains("in answer to completion/complete"), "{era:?} {words}");
        assert!(world.requests("a").is_empty());
    }
}
