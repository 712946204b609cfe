//! The writer: no value can end its line, so no value can forge a field or an event.

use alloc::format;
use bytes::{BufMut, Bytes, BytesMut};

use crate::ports::gateway::Event;

/// A comment: says that the connection lives.
pub const COMMENT: &[u8] = b": keep-alive\n\n";

/// Appends an event.
///
/// A carriage return or line feed in a value becomes a space: in JSON they can only be white space between
/// tokens. An id with one of them or with NUL, which a reader would drop or misread, is left out.
pub fn write_event(out: &mut BytesMut, event: &Event) {
    match event {
        Event::Endpoint(path) => {
            out.reserve(path.len().saturating_add(32));
            out.put_slice(b"event: endpoint\ndata: ");
            put_line(out, path.as_bytes());
        }
        Event::Message { id, data } => {
            let id_bytes = id.as_deref().map_or(0, str::len);
            out.reserve(data.len().saturating_add(id_bytes).saturating_add(32));
            put_id(out, id.as_deref());
            out.put_slice(b"event: message\ndata: ");
            put_line(out, data);
        }
        Event::Primed { id, retry_ms } => {
            put_id(out, Some(id));
            out.put_slice(format!("retry: {retry_ms}\ndata: \n").as_bytes());
        }
    }
    out.put_u8(b'\n');
}

/// An event as bytes, in the order in which they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What comes before the data; all of it, where the data had to be rewritten.
    pub begin: Bytes,
    /// The data as they were given: not copied, so whoever counts them counts what is sent.
    pub data: Bytes,
    /// What ends the event.
    pub end: &'static [u8],
}

/// The same as [`write_event`], without a copy of the data of a message that stands on one line.
pub fn written(event: Event) -> Written {
    let mut begin = BytesMut::new();
    match event {
        Event::Message { id, data } if !data.iter().any(|byte| matches!(byte, b'\r' | b'\n')) => {
            put_id(&mut begin, id.as_deref());
            begin.put_slice(b"event: message\ndata: ");
            Written { begin: begin.freeze(), data, end: b"\n\n" }
        }
        event @ (Event::Endpoint(_) | Event::Message { .. } | Event::Primed { .. }) => {
            write_event(&mut begin, &event);
            Written { begin: begin.freeze(), data: Bytes::new(), end: b"" }
        }
    }
}

fn put_id(out: &mut BytesMut, id: Option<&str>) {
    if let Some(id) = id.filter(|id| !id.contains(['\r', '\n', '\0'])) {
        out.put_slice(b"id: ");
        put_line(out, id.as_bytes());
    }
}

fn put_line(out: &mut BytesMut, value: &[u8]) {
    for (index, piece) in value.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
        if index > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(piece);
    }
    out.put_u8(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[track_caller]
    fn check(event: &Event, expected: &str) {
        let mut out = BytesMut::new();
        write_event(&mut out, event);
        assert_eq!(core::str::from_utf8(&out), Ok(expected));
        let Written { begin, data, end } = written(event.clone());
        assert_eq!([&begin[..], &data, end].concat(), out);
    }

    fn message(id: Option<&str>, data: &'static str) -> Event {
        Event::Message { id: id.map(str::to_owned), data: Bytes::from_static(data.as_bytes()) }
    }

    #[test]
    fn an_event_is_its_fields_and_a_blank_line() {
        check(&Event::Endpoint("/m?sessionId=1".into()), "event: endpoint\ndata: /m?sessionId=1\n\n");
        check(&message(None, r#"{"a":1}"#), "event: message\ndata: {\"a\":1}\n\n");
        check(&message(Some("s-7"), "{}"), "id: s-7\nevent: message\ndata: {}\n\n");
        check(&message(Some(""), ""), "id: \nevent: message\ndata: \n\n");
        let primed = Event::Primed { id: "s-0".into(), retry_ms: 1_000 };
        check(&primed, "id: s-0\nretry: 1000\ndata: \n\n");
    }

    #[test]
    fn no_value_can_end_its_line() {
        check(&message(None, "{\r\n\"a\":\n1\r}"), "event: message\ndata: {  \"a\": 1 }\n\n");
        check(&message(None, "{}\n\ndata: forged\n"), "event: message\ndata: {}  data: forged \n\n");
        check(&Event::Endpoint("/m\r\nevent: x".into()), "event: endpoint\ndata: /m  event: x\n\n");
    }

    #[test]
    fn an_id_that_a_reader_would_misread_is_left_out() {
        for id in ["a\nb", "a\rb", "a\0b", "\n"] {
            check(&message(Some(id), "{}"), "event: message\ndata: {}\n\n");
        }
    }
}
