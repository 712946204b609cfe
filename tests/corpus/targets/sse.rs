//! Server-sent events: the parser reads the same events however a stream is cut, reads back what the writer wrote,
//! and no value can forge a field or an event.
//!
//! An input is a seed for the cuts (one byte) and bytes that are taken twice: as a stream, and as the values of
//! events to write, separated by 0xFF.

use bytes::{Bytes, BytesMut};
use orch_core::ports::gateway::Event;
use orch_core::sse::{COMMENT, Overlong, Parsed, Parser, write_event};

use super::choices::{Choices, pieces};

/// Longer than any event that is written here.
const ROOMY: usize = 1 << 20;

pub fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let seed = choices.byte();
    let bytes = choices.rest();
    for limit in [ROOMY, 24] {
        agrees_on_cuts(bytes, seed, limit);
    }
    reads_back(bytes, seed);
}

/// However a stream is cut, its events are the same. Where the parser gives up, it depends on the cuts which events
/// it has seen before: they are a prefix of all.
fn agrees_on_cuts(stream: &[u8], seed: u8, limit: usize) {
    let whole = parse(std::iter::once(stream), ROOMY);
    assert_eq!(whole.1, Ok(()), "{ROOMY} bytes are enough");
    for seed in [0, seed] {
        let (events, outcome) = parse(pieces(stream, seed), limit);
        assert!(whole.0.starts_with(&events), "{events:?} is no beginning of {:?}", whole.0);
        assert!(outcome.is_err() || events == whole.0, "events are missing");
        let most = events.iter().map(|event| event.data.len()).max();
        assert!(most.is_none_or(|most| most <= limit), "an event over the bound");
    }
}

fn reads_back(bytes: &[u8], seed: u8) {
    let events = events(bytes);
    let mut stream = BytesMut::new();
    for event in &events {
        write_event(&mut stream, event);
        stream.extend_from_slice(COMMENT);
    }
    let expected: Vec<Parsed> = events.iter().map(seen).collect();
    for seed in [0, seed] {
        assert_eq!(parse(pieces(&stream, seed), ROOMY), (expected.clone(), Ok(())));
    }
}

fn parse<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: usize) -> (Vec<Parsed>, Result<(), Overlong>) {
    let (mut parser, mut events) = (Parser::new(limit), Vec::new());
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.pop() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(overlong) => return (events, Err(overlong)),
            }
        }
    }
    (events, Ok(()))
}

/// The values of the input, by turns a message, a path, the data and the id of a message, and an id alone.
fn events(bytes: &[u8]) -> Vec<Event> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut values = bytes.split(|byte| *byte == 0xff);
    let mut events = Vec::new();
    while let Some(value) = values.next() {
        let data = Bytes::copy_from_slice(value);
        events.push(match events.len() % 4 {
            0 => Event::Message { id: None, data },
            1 => Event::Endpoint(text(value)),
            2 => Event::Message { id: values.next().map(text), data },
            _ => Event::Primed { id: text(value), retry_ms: 1_000 },
        });
    }
    events
}

/// What a reader is to see of an event.
fn seen(event: &Event) -> Parsed {
    let one_line = |value: &[u8]| -> Vec<u8> {
        value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
    };
    match event {
        Event::Endpoint(path) => {
            Parsed { event: "endpoint".to_owned(), id: None, data: one_line(path.as_bytes()) }
        }
        Event::Message { id, data } => {
            let id = id.clone().filter(|id| !id.contains(['\r', '\n', '\0']));
            Parsed { event: "message".to_owned(), id, data: one_line(data) }
        }
        Event::Primed { id, .. } => {
            let id = Some(id.clone()).filter(|id| !id.contains(['\r', '\n', '\0']));
            Parsed { event: "message".to_owned(), id, data: Vec::new() }
        }
    }
}
