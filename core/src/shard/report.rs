//! What is kept of the life of servers, and how it is said. Arguments and results of calls are never in it.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Cx, Effect, Report, Shard};
use crate::mcp::Method;
use crate::record::{CallOutcome, CallRecord, LogCategory, LogLevel, LogSource};
use crate::rpc::{Envelope, Field, Members, decode_string, write};
use crate::upstream::{Call, Level, Request};
use crate::{Fault, ServerId, Timestamp};

/// The longest name that is kept of a tool or a logger, in bytes.
const NAME: usize = 128;

impl Shard {
    /// A call of a tool was answered by its server.
    pub(super) fn record_answer(
        &self,
        cx: &mut Cx<'_>,
        server: ServerId,
        call: &mut Call,
        response: &Envelope,
    ) {
        let outcome = match response.raw_str(Field::Code).filter(|_| response.has(Field::Error)) {
            Some(code) => CallOutcome::Error(code.parse().unwrap_or_default()),
            None if response.is_failure() => CallOutcome::Failed,
            None => CallOutcome::Done,
        };
        self.record(cx, server, call, outcome, response.bytes().len());
    }

    /// A client has given up a call.
    pub(super) fn record_cancelled(&self, cx: &mut Cx<'_>, server: ServerId, call: &mut Call) {
        self.record(cx, server, call, CallOutcome::Cancelled, 0);
    }

    /// A call of a client was answered with a fault of the hub's.
    pub(super) fn record_fault(
        &self,
        cx: &mut Cx<'_>,
        (server, name): (ServerId, &str),
        call: &mut Call,
        fault: &Fault,
    ) {
        cx.report_fault(name, (call.tool.as_deref(), call.since), fault);
        self.record(cx, server, call, CallOutcome::Error(fault.wire().code), 0);
    }

    fn record(
        &self,
        cx: &mut Cx<'_>,
        server: ServerId,
        call: &mut Call,
        outcome: CallOutcome,
        answered: usize,
    ) {
        let Some(tool) = call.tool.take() else { return };
        let caller = call.purpose.client();
        let key = caller.and_then(|caller| self.key_of(caller)).cloned();
        let revision = caller.map_or("", |caller| caller.revision.date());
        let ms = u32::try_from(cx.now.since(call.since).as_millis()).unwrap_or(u32::MAX);
        let [asked, answered] = [call.bytes, answered].map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
        let (at, revision) = (cx.now, Cow::Borrowed(revision));
        cx.effect(Effect::Record(CallRecord {
            at,
            server,
            tool,
            key,
            revision,
            ms,
            asked,
            answered,
            outcome,
        }));
    }
}

impl Cx<'_> {
    /// The hub has something to say of a server.
    pub(crate) fn report(&mut self, server: &str, level: LogLevel, category: LogCategory, message: String) {
        let (server, source) = (server.into(), LogSource::Hub);
        self.effect(Effect::Report(Report { server, level, category, source, message, details: None }));
    }

    /// A line of a server's error output.
    pub(super) fn report_output(&mut self, server: &str, message: String) {
        let level = LogLevel::guess(&message);
        let (category, source) = (category(level), LogSource::Stderr);
        let server = server.into();
        self.effect(Effect::Report(Report { server, level, category, source, message, details: None }));
    }

    /// `notifications/message` of a server.
    pub(super) fn report_message(&mut self, server: &str, level: Level, frame: &Envelope) {
        let Some(params) = frame.raw(Field::Params).and_then(Members::read) else { return };
        let member = |name: &str| params.0.iter().find(|(known, _)| known == name).map(|(_, raw)| raw.get());
        let data = member("data").unwrap_or_default();
        let text = decode_string(data.as_bytes()).unwrap_or(Cow::Borrowed(data));
        // What is cut here by half is cut off by whoever takes the secrets out.
        let message = begin_of(&text, self.limits().log_entry_bytes).to_owned();
        let logger = member("logger").and_then(|raw| decode_string(raw.as_bytes()));
        let details = logger.map(|logger| object(&[("logger", begin_of(&logger, NAME))], ""));
        let level = kept(level);
        let (category, source) = (category(level), LogSource::Protocol);
        let server = server.into();
        self.effect(Effect::Report(Report { server, level, category, source, message, details }));
    }

    /// A call of a tool was answered with a fault of the hub's.
    pub(super) fn report_fault(
        &mut self,
        server: &str,
        (tool, since): (Option<&str>, Timestamp),
        fault: &Fault,
    ) {
        let Some(tool) = tool else { return };
        let outcome = format!("error {}", fault.wire().code);
        self.report_call(server, (tool, since), LogLevel::Error, (&outcome, &fault.to_string()));
    }

    /// A call of a tool was answered by its server; it did not work, or there is nothing to say.
    pub(super) fn report_answer(&mut self, server: &str, call: &Call, response: &Envelope) {
        let Some(tool) = call.tool.as_deref().filter(|_| response.is_failure()) else { return };
        let call = (tool, call.since);
        match response.raw_str(Field::Code).filter(|_| response.has(Field::Error)) {
            // The server's own words may repeat what it was called with.
            Some(code) => {
                let outcome = format!("error {code}");
                let words = format!("its server answered with {outcome}");
                self.report_call(server, call, LogLevel::Error, (&outcome, &words));
            }
            None => self.report_call(server, call, LogLevel::Warning, ("isError", "its result says so")),
        }
    }

    /// Calls of tools are sent again, to another process of their server.
    pub(super) fn report_repeats(&mut self, server: &str, tools: &[Box<str>]) {
        for tool in tools {
            let message = format!(
                "tool {tool} is called again: its server ended before it answered, and the call may be repeated"
            );
            let details = Some(object(&[("tool", tool), ("outcome", "repeated")], ""));
            let (level, category, source) = (LogLevel::Warning, LogCategory::ToolExecution, LogSource::Hub);
            let server = server.into();
            self.effect(Effect::Report(Report { server, level, category, source, message, details }));
        }
    }

    fn report_call(
        &mut self,
        server: &str,
        (tool, since): (&str, Timestamp),
        level: LogLevel,
        (outcome, words): (&str, &str),
    ) {
        let ms = self.now.since(since).as_millis();
        let message = format!("tool {tool} failed after {ms} ms: {words}");
        let details = Some(object(&[("tool", tool), ("outcome", outcome)], &format!(",\"ms\":{ms}")));
        let (category, source) = (LogCategory::ToolExecution, LogSource::Hub);
        self.effect(Effect::Report(Report {
            server: server.into(),
            level,
            category,
            source,
            message,
            details,
        }));
    }
}

/// The tool that a request calls, by its server's name for it.
pub(super) fn called_tool(request: &Request) -> Option<Box<str>> {
    if request.method != Method::ToolsCall.name() {
        return None;
    }
    let own = request.edits.iter().find(|(field, _)| *field == Field::Name).map(|(_, raw)| &**raw);
    let name = own.or_else(|| request.body.raw(Field::Name)).and_then(decode_string)?;
    Some(begin_of(&name, NAME).into())
}

/// A JSON object of texts, and of what else is there as JSON.
fn object(members: &[(&str, &str)], rest: &str) -> String {
    let mut out = Vec::from(b"{");
    for (name, value) in members {
        if out.len() > 1 {
            out.push(b',');
        }
        write::string(&mut out, name);
        out.push(b':');
        write::string(&mut out, value);
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// At most so many bytes of a text, and no half character.
fn begin_of(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

fn category(level: LogLevel) -> LogCategory {
    if level >= LogLevel::Error { LogCategory::Error } else { LogCategory::StatusCheck }
}

fn kept(level: Level) -> LogLevel {
    match level {
        Level::Debug => LogLevel::Debug,
        Level::Info | Level::Notice => LogLevel::Info,
        Level::Warning => LogLevel::Warning,
        Level::Error => LogLevel::Error,
        Level::Critical | Level::Alert | Level::Emergency => LogLevel::Critical,
    }
}
