//! From bodies to messages.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use orch_core::Limits;
use orch_core::rpc::{split, write};
use orch_core::sse::{Parsed, Parser};
use tokio::time::timeout;

use crate::exchange::Ending;

/// How long a body may take that says nothing.
const SHORT: Duration = Duration::from_secs(1);
/// What an event may have beside its data.
const FIELDS: usize = 4096;

/// A body has ended, or will not be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Broken,
    Ended,
    TooLong,
}

/// The whole body, if it is no longer than `limit`.
pub(crate) async fn whole(mut body: Incoming, limit: usize) -> Result<Bytes, Cut> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Cut::Broken)?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if read.len() + data.len() > limit {
            return Err(Cut::TooLong);
        }
        read.extend_from_slice(data);
    }
    Ok(read.into())
}

/// Reads a short body that says nothing, so that its connection can be used again.
pub(crate) async fn pass_over(body: Incoming) -> Ending {
    let _nothing = timeout(SHORT, whole(body, FIELDS)).await;
    Ending::Done
}

/// The messages of a text, each on one line: one, or those of a batch.
pub(crate) fn messages(text: &[u8], limits: &Limits) -> Vec<Bytes> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Vec::new();
    }
    split(write::one_line(text.to_vec()).into(), limits).collect()
}

/// An event stream, as it comes.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    parser: Parser,
    limit: usize,
    end: Option<Cut>,
}

impl Events {
    /// The stream of `body`, with messages of at most `limit` bytes.
    pub(crate) fn new(body: Incoming, limit: usize) -> Self {
        Self { body, parser: Parser::new(limit.saturating_add(FIELDS)), limit, end: None }
    }

    /// The events that come next, at least one, or the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<Parsed>, Cut> {
        loop {
            if let Some(end) = self.end {
                return Err(end);
            }
            match self.body.frame().await {
                None => self.end = Some(Cut::Ended),
                Some(Err(_)) => self.end = Some(Cut::Broken),
                Some(Ok(frame)) => self.parser.push(frame.data_ref().map_or(&[][..], |data| data)),
            }
            let events = self.pop();
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    /// The events that are complete. One that is too long ends the stream, after those before it.
    fn pop(&mut self) -> Vec<Parsed> {
        let mut events = Vec::new();
        loop {
            match self.parser.pop() {
                Ok(Some(event)) if event.data.len() <= self.limit => events.push(event),
                Ok(None) => return events,
                Ok(Some(_)) | Err(_) => {
                    self.end = Some(Cut::TooLong);
                    return events;
                }
            }
        }
    }

    /// Why there is no next one.
    pub(crate) fn end(&self) -> Option<Cut> {
        self.end
    }

    /// Where a new connection can go on, and how long to wait before it.
    pub(crate) fn parser(&self) -> &Parser {
        &self.parser
    }
}

/// The messages of events, in order. Events without data only carry an id.
pub(crate) fn of_events(events: &[Parsed], limits: &Limits) -> Vec<Bytes> {
    let messages = |event: &Parsed| messages(&event.data, limits);
    events.iter().filter(|event| event.event == "message").flat_map(messages).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(messages(text.as_bytes(), &Limits::default()), expected);
    }

    #[test]
    fn a_text_is_one_message_on_one_line() {
        check("{\"a\":1}", &["{\"a\":1}"]);
        check("\r\n{\n  \"a\": 1\r\n}\n", &["{   \"a\": 1  }"]);
        check("no json", &["no json"]);
        check(" \n ", &[]);
    }

    #[test]
    fn a_batch_is_its_messages() {
        check("[{\"a\":1},\n{\"b\":[2]}]", &["{\"a\":1}", "{\"b\":[2]}"]);
        check("[]", &["[]"]);
        check("[{\"a\":1}", &["[{\"a\":1}"]);
    }
}
