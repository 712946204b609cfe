//! The messages of a response, one after the other as they come.

use reqwest::Response;
use serde_json::Value;

/// A response that is read, be it one JSON text or a stream of events.
pub(crate) struct Events {
    response: Response,
    unread: Vec<u8>,
    streams: bool,
}

impl Events {
    pub(crate) fn of(response: Response) -> Self {
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let streams = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        Self { response, unread: Vec::new(), streams }
    }

    /// The next message; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, String> {
        while let Some((name, data)) = self.next_event().await? {
            if name == "message" {
                return parse(&data).map(Some);
            }
        }
        Ok(None)
    }

    /// The next event that has data, by its name.
    pub(crate) async fn next_event(&mut self) -> Result<Option<(String, String)>, String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n").filter(|_| self.streams)
            {
                let rest = self.unread.split_off(end + 2);
                let event = text(std::mem::replace(&mut self.unread, rest))?;
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let Some(data) = field("data:").filter(|data| !data.is_empty()) {
                    let name = field("event:").unwrap_or("message");
                    return Ok(Some((name.to_owned(), data.to_owned())));
                }
                continue;
            }
            match self.response.chunk().await.map_err(|error| format!("the stream broke: {error}"))? {
                Some(chunk) => self.unread.extend_from_slice(&chunk),
                None if self.streams || self.unread.is_empty() => return Ok(None),
                None => return Ok(Some(("message".to_owned(), text(std::mem::take(&mut self.unread))?))),
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}
