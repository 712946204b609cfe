//! The server behind the hub: MCP of the 2025 era over stdio, pipelined, as cheap as one can be.
//!
//! It reads what there is, answers all of it, and writes the answers at once. Its one tool, `echo`, gives back its
//! `text`, longer by `pad` bytes if asked.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{cores, flood};

const CHUNK: usize = 256 * 1024;

const ECHO: &str = r#"{"name":"echo","description":"Gives its text back","inputSchema":{"type":"object","properties":{"text":{"type":"string"},"pad":{"type":"integer"}},"required":["text"]}}"#;

/// What kind of server it is.
#[derive(Debug, Default, Args)]
pub(crate) struct Manner {
    /// Tools beside `echo`, which do nothing
    #[arg(long, default_value_t = 0)]
    tools: usize,
    /// No call is ever answered
    #[arg(long)]
    mute: bool,
    /// From the first call on notifications and error output are written without end
    #[arg(long)]
    floods: bool,
    /// Runs on this core
    #[arg(long)]
    core: Option<usize>,
    /// Runs there only while nobody else wants it
    #[arg(long, requires = "core")]
    aside: bool,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: &'a RawValue,
    #[serde(default)]
    pad: usize,
}

#[derive(Deserialize)]
struct Hello<'a> {
    #[serde(borrow, rename = "protocolVersion")]
    revision: Cow<'a, str>,
}

/// What it offers: `echo`, and so many tools of about 400 bytes that do nothing.
fn list(idle_tools: usize) -> String {
    let words = "words that tell a model what the tool does ".repeat(5);
    let idle = (0..idle_tools).map(|number| {
        format!(
            r#",{{"name":"tool{number}","description":"{words}","inputSchema":{{"type":"object","properties":{{"path":{{"type":"string"}},"limit":{{"type":"integer"}}}}}}}}"#
        )
    });
    format!(r#"{{"tools":[{ECHO}{}]}}"#, idle.collect::<String>())
}

/// Serves until its input ends.
pub(crate) fn serve(manner: &Manner) -> io::Result<()> {
    if let Some(core) = manner.core {
        let taken = if manner.aside { cores::step_aside(core) } else { cores::stay_on(core) };
        taken.map_err(io::Error::other)?;
    }
    let tools = list(manner.tools);
    let (mut input, mut flooding) = (io::stdin().lock(), !manner.floods);
    let (mut chunk, mut pending, mut answers) = (vec![0; CHUNK], Vec::new(), Vec::new());
    loop {
        let count = input.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        let unseen = pending.len();
        pending.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let Some(last) = memchr::memrchr(b'\n', pending.get(unseen..).unwrap_or_default()) else { continue };
        let rest = pending.split_off(unseen + last + 1);
        for line in pending.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let called = answer(line, &tools, manner.mute, &mut answers);
            if called && !flooding {
                flooding = true;
                flood::begin();
            }
        }
        pending = rest;
        let mut output = io::stdout().lock();
        output.write_all(&answers)?;
        output.flush()?;
        answers.clear();
    }
}

/// Appends the answer to a message, if it wants one. Returns whether it was a call.
fn answer(line: &[u8], tools: &str, mute: bool, out: &mut Vec<u8>) -> bool {
    let Ok(Request { id: Some(id), method: Some(method), params }) = serde_json::from_slice(line) else {
        return false;
    };
    let (params, called) = (params.map_or("{}", RawValue::get), method == "tools/call");
    if called && mute {
        return true;
    }
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.get().as_bytes());
    match &*method {
        "initialize" => initialize(params, out),
        "ping" => out.extend_from_slice(b",\"result\":{}"),
        "tools/list" => {
            out.extend_from_slice(b",\"result\":");
            out.extend_from_slice(tools.as_bytes());
        }
        "tools/call" => echo(params, out),
        _ => out.extend_from_slice(br#","error":{"code":-32601,"message":"no such method"}"#),
    }
    out.extend_from_slice(b"}\n");
    called
}

fn initialize(params: &str, out: &mut Vec<u8>) {
    let revision = serde_json::from_str::<Hello<'_>>(params).map(|hello| hello.revision);
    out.extend_from_slice(br#","result":{"protocolVersion":""#);
    out.extend_from_slice(revision.as_deref().unwrap_or("2025-11-25").as_bytes());
    out.extend_from_slice(
        br#"","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1.0.0"}}"#,
    );
}

fn echo(params: &str, out: &mut Vec<u8>) {
    let Ok(Call { arguments: Arguments { text, pad } }) = serde_json::from_str(params) else {
        out.extend_from_slice(br#","error":{"code":-32602,"message":"text is required"}"#);
        return;
    };
    // The text is given back as it was written, its closing quote behind the padding.
    let text = text.get().strip_suffix('"').unwrap_or("\"");
    out.extend_from_slice(br#","result":{"content":[{"type":"text","text":"#);
    out.extend_from_slice(text.as_bytes());
    out.resize(out.len() + pad, b'x');
    out.extend_from_slice(b"\"}]}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let mut out = Vec::new();
        answer(line.as_bytes(), "{}", false, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_call_is_answered_with_its_text_and_the_padding() {
        check(
            r#"{"jsonrpc":"2.0","id":"7","method":"tools/call","params":{"name":"echo","arguments":{"text":"a\"b","pad":3}}}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a\\\"bxxx\"}]}}\n",
        );
    }

    #[test]
    fn a_notification_is_not_answered() {
        check(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "");
    }
}
