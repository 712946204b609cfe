//! What the parser of event streams accepts, and what it makes of it.

use super::*;
use crate::ports::gateway::Event;
use crate::sse::write_event;
use alloc::format;
use bytes::Bytes;
use proptest::prelude::*;

/// Everything that comes out of a stream which arrives in these pieces.
fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Parsed> {
    let mut parser = Parser::new(1 << 20);
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece);
        while let Some(event) = parser.pop().unwrap() {
            events.push(event);
        }
    }
    events
}

/// Each event as `type|id|data`, however the text is cut.
#[track_caller]
fn check(stream: &str, expected: &[&str]) {
    let line = |event: &Parsed| {
        let id = event.id.as_deref().unwrap_or("-");
        format!("{}|{id}|{}", event.event, core::str::from_utf8(&event.data).unwrap())
    };
    let whole: Vec<_> = parse([stream.as_bytes()]).iter().map(line).collect();
    assert_eq!(whole, expected, "{stream:?} in one piece");
    let bytes: Vec<_> = parse(stream.as_bytes().chunks(1)).iter().map(line).collect();
    assert_eq!(bytes, expected, "{stream:?} byte by byte");
}

#[test]
fn an_event_ends_with_a_blank_line_and_not_before() {
    check("data: a\n\ndata: b\n\n", &["message|-|a", "message|-|b"]);
    check("data: a\n", &[]);
    check("data: a", &[]);
}

#[test]
fn lines_end_with_lf_cr_or_both() {
    check(
        "data: a\r\rdata: b\r\n\r\ndata: c\n\r\ndata: d\r\r\n",
        &["message|-|a", "message|-|b", "message|-|c", "message|-|d"],
    );
    check("data: a\r\ndata: b\r\n\r\n", &["message|-|a\nb"]);
}

#[test]
fn one_byte_order_mark_is_skipped() {
    check("\u{feff}data: a\n\n", &["message|-|a"]);
    check("\u{feff}\u{feff}data: a\n\ndata: b\n\n", &["message|-|b"]);
}

#[test]
fn lines_of_data_are_joined_and_one_space_is_dropped() {
    check("data: a\ndata:b\ndata:  c\ndata\n\n", &["message|-|a\nb\n c\n"]);
    check("data\n\n", &["message|-|"]);
    check("data: \n\n", &["message|-|"]);
}

#[test]
fn an_event_without_data_is_none_and_leaves_nothing_behind() {
    check("event: x\nid: 1\n\ndata: a\n\n", &["message|-|a"]);
    check(": comment\n\n:\n\ndata: a\n:b\n\n", &["message|-|a"]);
}

#[test]
fn type_and_id_belong_to_their_event() {
    check("event: endpoint\nid: 7\ndata: /m\n\ndata: a\n\n", &["endpoint|7|/m", "message|-|a"]);
    check("id: a\0b\ndata: a\n\n", &["message|-|a"]);
    check("id\ndata: a\n\n", &["message||a"]);
}

#[test]
fn unknown_fields_are_ignored() {
    check("foo: bar\n data: no\nDATA: no\ndatax: no\ndata: a\n\n", &["message|-|a"]);
}

#[test]
fn retry_is_milliseconds_in_digits() {
    let retry = |stream: &str| {
        let mut parser = Parser::new(100);
        parser.push(stream.as_bytes());
        parser.pop().unwrap();
        parser.retry()
    };
    assert_eq!(retry("retry: 1500\n"), Some(Duration::from_millis(1500)));
    assert_eq!(
        retry("retry: 1500\nretry: x\nretry: -1\nretry:\nretry: 99999999999999999999\n"),
        retry("retry: 1500\n")
    );
    assert_eq!(retry("retry: +5\n"), None);
}

#[test]
fn the_last_id_stays_until_there_is_another() {
    let mut parser = Parser::new(100);
    let mut seen = Vec::new();
    for piece in ["data: a\n\n", "id: 1\ndata: a\n\n", "data: b\n\n", "id: 2\n\n", "id: 3\ndata: c"] {
        parser.push(piece.as_bytes());
        parser.pop().unwrap();
        seen.push(parser.last_id().map(ToOwned::to_owned));
    }
    let expected = [None, Some("1"), Some("1"), Some("2"), Some("2")];
    assert_eq!(seen, expected.map(|id| id.map(ToOwned::to_owned)));
}

#[test]
fn an_event_is_bounded_however_it_is_spread() {
    for stream in ["data: 0123456789".to_owned(), "data: 0\n".repeat(6), format!(":{}", "x".repeat(11))] {
        let mut parser = Parser::new(10);
        let outcome = stream.as_bytes().chunks(3).try_for_each(|piece| {
            parser.push(piece);
            parser.pop().map(drop)
        });
        assert_eq!(outcome, Err(Overlong { limit: 10 }), "{stream:?}");
    }
    let mut parser = Parser::new(10);
    for _ in 0..100 {
        parser.push(b"data: 123\n\n");
        assert!(parser.pop().unwrap().is_some(), "short events never add up");
    }
}

fn event() -> impl Strategy<Value = Event> {
    let data = prop_oneof![
        "[ -~\u{e9}\u{1f600}\r\n\u{0}:]{0,40}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let message = (proptest::option::of(any::<String>()), data)
        .prop_map(|(id, data)| Event::Message { id, data: Bytes::from(data) });
    let primed = (any::<String>(), any::<u64>()).prop_map(|(id, retry_ms)| Event::Primed { id, retry_ms });
    prop_oneof![any::<String>().prop_map(Event::Endpoint), message, primed]
}

/// What a reader is to see of an event.
fn seen(event: &Event) -> Parsed {
    let one_line = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
    };
    match event {
        Event::Endpoint(path) => {
            Parsed { event: "endpoint".into(), id: None, data: one_line(path.as_bytes()) }
        }
        Event::Message { id, data } => {
            let id = id.clone().filter(|id| !id.contains(['\r', '\n', '\0']));
            Parsed { event: "message".into(), id, data: one_line(data) }
        }
        Event::Primed { id, .. } => {
            let id = Some(id.clone()).filter(|id| !id.contains(['\r', '\n', '\0']));
            Parsed { event: "message".into(), id, data: Vec::new() }
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_whatever_pieces_it_comes(
        events in proptest::collection::vec(event(), 0..8),
        cuts in proptest::collection::vec(1_usize..9, 1..40),
    ) {
        let mut stream = BytesMut::new();
        for event in &events {
            write_event(&mut stream, event);
            stream.extend_from_slice(crate::sse::COMMENT);
        }
        let mut rest = &stream[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = events.iter().map(seen).collect();
        prop_assert_eq!(parse(pieces), expected);
    }

    #[test]
    fn any_bytes_are_read_alike_in_one_piece_and_in_many(bytes in "[a-d:\r\n \u{feff}i]{0,60}") {
        let bytes = bytes.as_bytes();
        prop_assert_eq!(parse([bytes]), parse(bytes.chunks(1)));
    }
}
