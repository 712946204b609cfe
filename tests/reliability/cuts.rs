//! R17 and R18: a stream that is cut at any byte. A session misses nothing and gets nothing twice; a call of the stateless
//! revision is cancelled, and made once.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::figures::{Figures, Scale};
use crate::home::Home;
use crate::hub::Hub;
use crate::line::{Door, Line, first_chunk};
use crate::process::eventually;
use crate::stage::{door, server};

/// A call in a session goes on without its client, who comes back for the rest.
pub(crate) async fn resumed(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let (steps, stride) = scale.of((20, 61), (200, 1));
    let (hub, key) = Hub::with(&[("it", server())]).await;
    let door = door(&hub, "it", &key);
    let mut line = door.connect().await;
    let session = door.session(&mut line).await;
    let whole = begin(&door, &session, steps).await.up_to_end().await;
    let (mut cut, mut again, mut without) = (0, 0, 0);
    for offset in (0..whole).step_by(stride) {
        let mut first = begin(&door, &session, steps).await;
        let heard = events(&first.up_to(offset).await);
        drop(first);
        let Some((cursor, _)) = heard.iter().rev().find(|(id, _)| !id.is_empty()) else {
            // Its client knows of no stream yet, and asks anew.
            without += 1;
            continue;
        };
        let is_answer =
            |(_, data): &(String, Option<Value>)| data.as_ref().is_some_and(|it| it.get("result").is_some());
        let rest = if heard.iter().any(is_answer) {
            Vec::new()
        } else {
            resume(&door, &session, cursor, &mut again).await
        };
        let all: Vec<&Value> = heard.iter().chain(&rest).filter_map(|(_, data)| data.as_ref()).collect();
        assert_eq!(all.len(), steps + 1, "cut at byte {offset}: {heard:?} and then {rest:?}");
        for (index, message) in all.iter().enumerate().take(steps) {
            assert_eq!(message["params"]["progress"], index + 1, "cut at byte {offset}");
        }
        assert_eq!(all[steps]["result"]["content"][0]["text"], "done", "cut at byte {offset}");
        cut += 1;
        if cut % 2000 == 0 {
            println!("    … byte {offset} of {whole}");
        }
    }
    figures.say(format!(
        "a stream of {steps} events, {whole} bytes, cut {cut} times within, at every byte of {stride}"
    ));
    figures.say(format!(
        "events lost 0, twice 0; {without} cuts before the first id, {again} resumed more than once"
    ));
    figures
}

/// Comes back until nothing is left.
async fn resume(door: &Door, session: &str, cursor: &str, again: &mut u32) -> Vec<(String, Option<Value>)> {
    let (mut rest, mut cursor): (Vec<(String, Option<Value>)>, String) = (Vec::new(), cursor.to_owned());
    for attempt in 0..5 {
        let headers = [
            ("MCP-Protocol-Version", "2025-11-25"),
            ("Mcp-Session-Id", session),
            ("Last-Event-ID", cursor.as_str()),
        ];
        let mut line = door.connect().await;
        let answer = line.exchange(&door.request("GET", &headers, "")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        rest.extend(parse(&answer.body));
        if rest.iter().any(|(_, data)| data.as_ref().is_some_and(|data| data.get("result").is_some())) {
            *again += u32::from(attempt > 0);
            return rest;
        }
        if let Some((id, _)) = rest.last() {
            cursor.clone_from(id);
        }
    }
    panic!("no answer after five tries: {rest:?}");
}

/// A call of so many steps, just sent.
async fn begin(door: &Door, session: &str, steps: usize) -> Line {
    let message = json!({ "jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {
        "name": "steps", "arguments": { "count": steps }, "_meta": { "progressToken": "p" } } });
    let mut line = door.connect().await;
    line.send(&door.message(Some(session), &message)).await;
    line
}

impl Line {
    /// The length of all that comes until the last chunk.
    async fn up_to_end(&mut self) -> usize {
        let mut all = Vec::new();
        while !all.ends_with(b"\r\n0\r\n\r\n") {
            let more = self.up_to(1).await;
            assert!(!more.is_empty(), "it ends early");
            all.extend(more);
        }
        all.len()
    }
}

/// The whole events in what was read of a response.
fn events(read: &[u8]) -> Vec<(String, Option<Value>)> {
    let Some(head) = read.windows(4).position(|text| text == b"\r\n\r\n") else { return Vec::new() };
    let (mut rest, mut body) = (&read[head + 4..], Vec::new());
    while let Some((piece, used)) = first_chunk(rest) {
        body.extend_from_slice(piece);
        rest = &rest[used..];
    }
    // Of the last chunk a part may be there, and whole events in it.
    if let Some(start) = rest.windows(2).position(|text| text == b"\r\n") {
        body.extend_from_slice(&rest[start + 2..]);
    }
    parse(&body)
}

/// Events by their ids, with their messages. One without the empty line at its end is none.
fn parse(body: &[u8]) -> Vec<(String, Option<Value>)> {
    let text = String::from_utf8_lossy(body);
    let Some((whole, _)) = text.rsplit_once("\n\n") else { return Vec::new() };
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    let read = whole.split("\n\n").map(|event| {
        let data = field(event, "data:").filter(|data| !data.is_empty());
        let data = data.map(|data| serde_json::from_str(&data).expect("JSON"));
        (field(event, "id:").unwrap_or_default(), data)
    });
    read.filter(|(id, data)| !id.is_empty() || data.is_some()).collect()
}

/// A call of the stateless revision ends with its connection.
pub(crate) async fn cancelled(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let (steps, stride) = scale.of((5, 37), (20, 1));
    let home = Home::new();
    let journal = home.path().join("journal");
    home.configure(&[("it", server().env("JOURNAL", journal.display().to_string()))]);
    let hub = Hub::start(&home).await;
    let door = door(&hub, "it", &hub.create_key().await);
    let count = |what: &str| {
        let journal = std::fs::read_to_string(&journal).unwrap_or_default();
        journal.lines().filter(|line| *line == what).count()
    };
    let call = door.call("endless", &json!({ "count": steps }));
    let mut line = door.connect().await;
    line.send(&call).await;
    let mut read = Vec::new();
    let last = format!("\"progress\":{steps}");
    while !read.windows(last.len()).any(|text| text == last.as_bytes()) {
        read.extend(line.up_to(1).await);
    }
    drop(line);
    let whole = read.len();
    eventually("it is cancelled", Duration::from_secs(5), || count("cancelled") == 1).await;
    let (mut made, mut slowest) = (1, Duration::ZERO);
    for offset in (1..whole).step_by(stride) {
        let mut line = door.connect().await;
        line.send(&call).await;
        line.up_to(offset).await;
        drop(line);
        let cut = Instant::now();
        made += 1;
        eventually("it is cancelled", Duration::from_secs(5), || count("cancelled") == made).await;
        slowest = slowest.max(cut.elapsed());
    }
    figures.say(format!("a stream of {steps} events, {whole} bytes, cut {made} times"));
    figures.exactly("calls made:", count("call"), made);
    figures.exactly("calls cancelled:", count("cancelled"), made);
    figures.time("the slowest", slowest.as_secs_f64() * 1000.0, 100.0, " ms");
    figures
}
