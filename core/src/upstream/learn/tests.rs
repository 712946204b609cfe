//! What becomes of the pages of a server's lists.

use super::*;
use crate::rpc::Sender;
use crate::{Entropy, Limits};
use bytes::Bytes;

fn response(result: &str) -> Envelope {
    let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}");
    Envelope::parse(Bytes::from(text), Sender::Upstream, &Limits::default()).unwrap()
}

fn draft(capabilities: &str) -> Draft {
    let mut entropy = Entropy::from_seed([0; 32]);
    let project = ProjectId::mint(Timestamp(0), &mut entropy);
    let server = ServerId::mint(Timestamp(0), &mut entropy);
    let hello = response(&format!(
        r#"{{"protocolVersion":"2025-11-25","capabilities":{capabilities},"serverInfo":{{"name":"s"}}}}"#
    ));
    Draft::begin(&hello, Revision::V2025_11_25, server, project, ("s", [0; 32]), (Timestamp(0), 1_000))
}

#[test]
fn every_page_of_every_offered_list_is_asked_for() {
    let limits = Limits::default();
    let mut draft = draft(r#"{"tools":{},"resources":{}}"#);
    assert_eq!(draft.first().unwrap().kind, ListKind::Tools);
    let next = draft.page(
        ListKind::Tools,
        &response(r#"{"tools":[{"name":"a","inputSchema":{"type":"object"}}],"nextCursor":"x\"y"}"#),
        &limits,
    );
    assert_eq!(next.unwrap().params.unwrap(), br#"{"cursor":"x\"y"}"#);
    let next =
        draft.page(ListKind::Tools, &response(r#"{"tools":[{"name":"b","inputSchema":{"type":"object"}},{"name":"a","inputSchema":{"type":"object"}}]}"#), &limits);
    assert_eq!(next.unwrap().kind, ListKind::Resources);
    let next =
        draft.page(ListKind::Resources, &response(r#"{"resources":[{"uri":"u:1","name":"n"}]}"#), &limits);
    assert_eq!(next.unwrap().kind, ListKind::Templates);
    assert_eq!(draft.page(ListKind::Templates, &response("{}"), &limits), None);
    let learnt = draft.finish();
    let names: Vec<&str> = learnt.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(learnt.resources.first().map(|it| it.name.as_str()), Some("u:1"));
}

#[test]
fn a_server_that_pages_for_ever_is_cut_off() {
    let limits = Limits { list_pages: 3, ..Limits::default() };
    let mut draft = draft(r#"{"tools":{}}"#);
    let page = response(r#"{"tools":[],"nextCursor":"again"}"#);
    let asked = (0..10).take_while(|_| draft.page(ListKind::Tools, &page, &limits).is_some()).count();
    assert_eq!(asked, 2);
}

#[test]
fn entries_without_a_name_or_over_the_bound_are_left_out() {
    let limits = Limits { definition_bytes: 50, definitions: 1, ..Limits::default() };
    let mut draft = draft(r#"{"tools":{}}"#);
    let page = response(
        r#"{"tools":[{"title":"x"},{"name":"aaaaaaaaaaaaaaaaaaaaaaa","inputSchema":{"type":"object"}},7,{"name":"a","inputSchema":{"type":"object"}},{"name":"b","inputSchema":{"type":"object"}}]}"#,
    );
    draft.page(ListKind::Tools, &page, &limits);
    assert_eq!(draft.finish().tools.len(), 1);
}
