//! Servers that want an address to be visited first, and clients of an era that has no such error.

use alloc::format;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::world::World;
use crate::ports::gateway::Target;
use crate::rpc::Field;

const ABLE: &str = r#"{"elicitation":{"url":{}}}"#;
const ENTRIES: [&str; 2] = [
    r#"{"mode":"url","message":"\u0061","url":"https://example.com/1","elicitationId":"e1","x":1e400}"#,
    r#"{"mode":"url","message":"b","url":"https://example.com/2","elicitationId":"e2"}"#,
];

fn refuse(world: &mut World, sent: &Sent, data: &str) {
    let error = format!(r#"{{"code":-32042,"message":"visit first"{data}}}"#);
    world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
}

fn listed() -> alloc::string::String {
    format!(r#","data":{{"elicitations":[{}]}}"#, ENTRIES.join(","))
}

#[test]
fn a_client_that_can_be_asked_is_asked_for_every_visit_and_its_next_try_reaches_the_server_as_the_first_did()
{
    let mut world = World::running(&["a"]);
    let client = world.able_client(Era::Modern, at("a"), ABLE);
    let call = world.call(&client, "1");
    let first = world.requested("a");
    refuse(&mut world, &first, &listed());
    assert_eq!(world.seen(call).status, Some(200));
    let info = r#""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}}"#;
    let question = |entry: &str| format!(r#"{{"method":"elicitation/create","params":{entry}}}"#);
    let questions = format!(r#"{{"url0":{},"url1":{}}}"#, question(ENTRIES[0]), question(ENTRIES[1]));
    let expected = format!(r#"{{"resultType":"input_required","inputRequests":{questions},{info}}}"#);
    assert_eq!(world.answer(&client, call).raw_str(Field::Result), Some(&*expected));
    let again = r#""inputResponses":{"url0":{"action":"accept"},"url1":{"action":"accept"}},"name":"echo","arguments":{"n":1}"#;
    let next = world.request(&client, "2", "tools/call", again);
    let second = world.requested("a");
    assert_eq!(second.params, first.params);
    world.reply(&second, r#"{"content":[]}"#);
    assert!(world.answer(&client, next).has(Field::Result));
}

#[test]
fn a_client_that_cannot_be_asked_is_told_what_it_lacks() {
    let mut world = World::running(&["a"]);
    for capabilities in ["{}", r#"{"elicitation":{}}"#, r#"{"elicitation":{"form":{}}}"#] {
        let client = world.able_client(Era::Modern, at("a"), capabilities);
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        refuse(&mut world, &sent, &listed());
        assert_eq!(world.seen(call).status, Some(400));
        let answer = world.answer(&client, call);
        assert_eq!(answer.raw_str(Field::Code), Some("-32021"));
        let data = r#""data":{"requiredCapabilities":{"elicitation":{"url":{}}}}"#;
        assert!(answer.raw_str(Field::Error).unwrap().contains(data), "{answer:?}");
    }
}

#[test]
fn an_error_that_names_no_address_is_an_error_of_the_server_s() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(Era::Modern, at("a"), ABLE);
    for data in ["", r#","data":7"#, r#","data":{"elicitations":[]}"#] {
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        refuse(&mut world, &sent, data);
        let error = format!(r#"{{"code":-32603,"message":"visit first"{data}}}"#);
        assert_eq!(world.answer(&client, call).raw_str(Field::Error), Some(&*error));
    }
}

#[test]
fn a_client_of_the_server_s_own_era_gets_the_error_as_it_came() {
    let mut world = World::running(&["a"]);
    let client: Client = world.able_client(HTTP, at("a"), ABLE);
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    refuse(&mut world, &sent, &listed());
    let error = format!(r#"{{"code":-32042,"message":"visit first"{}}}"#, listed());
    assert_eq!(world.answer(&client, call).raw_str(Field::Error), Some(&*error));
}

#[test]
fn whoever_runs_a_plan_is_told_the_addresses_that_a_step_wants_to_be_visited() {
    for era in [HTTP, Era::Modern] {
        let mut world = World::running(&["a"]);
        let client = world.able_client(era, Target::Unified, ABLE);
        let plan = r#""steps":[{"id":"x","tool":"a.echo"}]"#;
        let members = format!(r#""name":"batch_execute","arguments":{{{plan}}}"#);
        let exchange = world.request(&client, "1", "tools/call", &members);
        let sent = world.requested("a");
        refuse(&mut world, &sent, &listed());
        let told = world.answer(&client, exchange);
        let told = told.raw_str(Field::Result).unwrap();
        assert!(
            told.contains("visit first (open https://example.com/1 and https://example.com/2, and"),
            "{told}"
        );
    }
}
