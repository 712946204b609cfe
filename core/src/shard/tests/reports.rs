//! What is kept of the life of servers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::record::{LogCategory, LogLevel, LogSource};
use crate::shard::{Effect, Input, Order, Report};

/// What was reported since the last time.
fn reports(world: &mut World) -> Vec<Report> {
    let effects = core::mem::take(&mut world.log).into_iter();
    effects.filter_map(|it| if let Effect::Report(report) = it { Some(report) } else { None }).collect()
}

/// What was reported of calls.
fn of_calls(world: &mut World) -> Vec<(LogLevel, String, String)> {
    let mut reports = reports(world);
    reports.retain(|report| report.category == LogCategory::ToolExecution);
    let said = |report: Report| {
        assert_eq!((&*report.server, report.source), ("a", LogSource::Hub));
        (report.level, report.message, report.details.unwrap())
    };
    reports.into_iter().map(said).collect()
}

fn call(world: &mut World, client: &Client) {
    let members = format!(r#""name":"{}","arguments":{{"password":"hunter2"}}"#, client.echo());
    world.request(client, "7", "tools/call", &members);
}

#[test]
fn a_failed_call_is_reported_with_its_tool_its_outcome_and_its_time_and_never_its_arguments() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        call(&mut world, &client);
        world.advance(Duration::from_millis(250));
        let sent = world.requested("a");
        world.reply(&sent, r#"{"content":[{"type":"text","text":"no such user hunter2"}],"isError":true}"#);
        let expected = (
            LogLevel::Warning,
            "tool echo failed after 250 ms: its result says so".into(),
            r#"{"tool":"echo","outcome":"isError","ms":250}"#.into(),
        );
        assert_eq!(of_calls(&mut world), [expected], "{era:?}");

        call(&mut world, &client);
        let sent = world.requested("a");
        let words = format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32602,"message":"bad hunter2"}}}}"#,
            sent.id
        );
        world.says(sent.link, &words);
        let expected = (
            LogLevel::Error,
            "tool echo failed after 0 ms: its server answered with error -32602".into(),
            r#"{"tool":"echo","outcome":"error -32602","ms":0}"#.into(),
        );
        assert_eq!(of_calls(&mut world), [expected], "{era:?}");
    }
}

#[test]
fn a_call_that_its_server_never_answers_is_reported_with_the_hub_s_reason() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    call(&mut world, &client);
    world.advance(Limits::default().call);
    let late = of_calls(&mut world);
    assert!(late[0].1.contains("did not answer") && late.len() == 1, "{late:?}");
    call(&mut world, &client);
    world.crash("a");
    let lost = of_calls(&mut world);
    assert!(lost[0].1.contains("exit code 1; the outcome is unknown") && lost.len() == 1, "{lost:?}");
    assert!(!format!("{late:?}{lost:?}").contains("hunter2"));
}

#[test]
fn a_call_that_works_is_not_reported() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    call(&mut world, &client);
    let sent = world.requested("a");
    world.reply(&sent, r#"{"content":[]}"#);
    assert_eq!(of_calls(&mut world), []);
}

#[test]
fn starts_and_ends_are_reported_with_their_cause() {
    let mut world = World::running(&["a"]);
    let server = world.servers[0].id;
    let said = |world: &mut World| -> Vec<String> {
        let mut reports = reports(world);
        reports.retain(|report| report.category == LogCategory::Connection);
        reports.into_iter().map(|report| format!("{} {}", report.level, report.message)).collect()
    };
    assert_eq!(said(&mut world), ["INFO started: it speaks 2025-11-25, process 4711"]);
    world.feed(Input::Ordered { server, order: Order::Stop });
    assert_eq!(said(&mut world), ["INFO ends: an operator wants it so"]);
    world.feed(Input::Ordered { server, order: Order::Start });
    assert_eq!(said(&mut world), ["INFO started: it speaks 2025-11-25, process 4711"]);
    world.advance(Limits::default().idle + Duration::from_mins(1));
    assert_eq!(said(&mut world), ["INFO ends: nobody has used it for long"]);
    world.feed(Input::Ordered { server, order: Order::Start });
    world.crash("a");
    assert_eq!(said(&mut world).last().unwrap(), "ERROR stopped: its process ended with exit code 1");
}

#[test]
fn lines_of_the_error_output_and_log_messages_are_reported_as_the_server_s_own() {
    let mut world =
        World::scripted(Limits { log_entry_bytes: 8, ..Limits::default() }, [("a", Script::default())]);
    world.feed(Input::SurveyAsked);
    reports(&mut world);
    let link = world.link("a");
    world.feed(Input::LinkLogged { link, line: "ERROR: no licence".into() });
    world.feed(Input::LinkLogged { link, line: "ready".into() });
    for params in [
        r#"{"level":"notice","logger":"db","data":"Grüße an alle"}"#,
        r#"{"level":"alert","data":{"a":[1,2]}}"#,
        r#"{"level":"debug"}"#,
    ] {
        world.says(
            link,
            &format!(r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{params}}}"#),
        );
    }
    let seen: Vec<_> = reports(&mut world)
        .into_iter()
        .map(|it| (it.source, it.level, it.category, it.message, it.details))
        .collect();
    let (status, error) = (LogCategory::StatusCheck, LogCategory::Error);
    let expected = [
        (LogSource::Stderr, LogLevel::Error, error, "ERROR: no licence".into(), None),
        (LogSource::Stderr, LogLevel::Info, status, "ready".into(), None),
        (LogSource::Protocol, LogLevel::Info, status, "Grüße ".into(), Some(r#"{"logger":"db"}"#.into())),
        (LogSource::Protocol, LogLevel::Critical, error, r#"{"a":[1,"#.into(), None),
        (LogSource::Protocol, LogLevel::Debug, status, String::new(), None),
    ];
    assert_eq!(seen, expected);
}
