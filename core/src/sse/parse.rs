//! The reader: bytes in, in any pieces; events out. Its memory is bounded by the longest event it accepts.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::{Buf, BytesMut};
use core::fmt;
use core::mem;
use core::time::Duration;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Its type: `message` when it has none.
    pub event: String,
    /// The `id` that this event itself carries, if any.
    pub id: Option<String>,
    /// The data, as bytes: nobody has checked that they are UTF-8.
    pub data: Vec<u8>,
}

/// An event, or a line that is no event, is longer than the parser accepts. The stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlong {
    /// What it accepts, in bytes.
    pub limit: usize,
}

impl fmt::Display for Overlong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of more than {} bytes", self.limit)
    }
}

impl core::error::Error for Overlong {}

/// Takes a `text/event-stream` apart.
///
/// [`Parser::push`] bytes as they come, then [`Parser::pop`] events until there is none.
#[derive(Debug)]
pub struct Parser {
    /// Bytes that were pushed and not yet read.
    buffer: BytesMut,
    /// How many of them are known to hold no line end.
    scanned: usize,
    /// A byte order mark may still come.
    at_start: bool,
    /// The last line ended with a carriage return, so a line feed here belongs to it.
    skip_line_feed: bool,
    event: Vec<u8>,
    id: Option<Vec<u8>>,
    /// Lines of data, each followed by a line feed.
    data: Vec<u8>,
    retry: Option<Duration>,
    last_id: Option<String>,
    limit: usize,
}

impl Parser {
    /// A parser of events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            at_start: true,
            skip_line_feed: false,
            event: Vec::new(),
            id: None,
            data: Vec::new(),
            retry: None,
            last_id: None,
            limit,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete event of what was pushed.
    pub fn pop(&mut self) -> Result<Option<Parsed>, Overlong> {
        if self.at_start && !self.pass_byte_order_mark() {
            return Ok(None);
        }
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else {
                self.field(&line);
            }
            self.check(self.data.len())?;
        }
        self.check(self.data.len().saturating_add(self.buffer.len()))?;
        Ok(None)
    }

    /// How long the sender asks to wait before a new connection, when it said so.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The last id that an event carried, one without data among them: where a new connection can go on.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn check(&self, held: usize) -> Result<(), Overlong> {
        if held > self.limit { Err(Overlong { limit: self.limit }) } else { Ok(()) }
    }

    /// Skips a byte order mark; false while it cannot be said whether there is one.
    fn pass_byte_order_mark(&mut self) -> bool {
        if self.buffer.starts_with(BOM) {
            self.buffer.advance(BOM.len());
        } else if BOM.starts_with(&self.buffer) {
            return false;
        }
        self.at_start = false;
        true
    }

    /// The next line that is complete, without its end.
    fn next_line(&mut self) -> Option<BytesMut> {
        if self.skip_line_feed && !self.buffer.is_empty() {
            self.skip_line_feed = false;
            if self.buffer.starts_with(b"\n") {
                self.buffer.advance(1);
            }
        }
        let mut unseen = self.buffer.iter().skip(self.scanned);
        let Some(found) = unseen.position(|byte| matches!(byte, b'\r' | b'\n')) else {
            self.scanned = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(self.scanned.saturating_add(found));
        self.skip_line_feed = self.buffer.starts_with(b"\r");
        self.buffer.advance(1);
        self.scanned = 0;
        Some(line)
    }

    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, b""));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => value.clone_into(&mut self.event),
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"id" if !value.contains(&0) => self.id = Some(value.to_owned()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let digits = core::str::from_utf8(value).ok();
                self.retry =
                    digits.and_then(|digits| digits.parse().ok()).map(Duration::from_millis).or(self.retry);
            }
            // A comment has an empty name; unknown fields are ignored.
            _ => {}
        }
    }

    /// Ends an event. One without data is none.
    fn dispatch(&mut self) -> Option<Parsed> {
        let (mut data, event, id) = (mem::take(&mut self.data), mem::take(&mut self.event), self.id.take());
        let id = id.as_deref().map(text);
        if id.is_some() {
            self.last_id.clone_from(&id);
        }
        data.pop()?;
        let event = if event.is_empty() { "message".to_owned() } else { text(&event) };
        Some(Parsed { event, id, data })
    }
}

#[expect(clippy::disallowed_methods, reason = "the standard has what is no UTF-8 replaced, not refused")]
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
