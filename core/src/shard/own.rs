//! One dispatcher for every era: what becomes of a request.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::wait::Patience;
use super::{Cx, Shard};
use crate::mcp::{Method, Revision, Route, Row, check_meta, is_of_tasks};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Message};
use crate::snapshot::Entry;
use crate::upstream::{Caller, Level, Request};
use crate::{Rejection, SessionId};

impl Shard {
    /// Answers a request, forwards it, or lets it wait: in the project as its client sees it.
    pub(super) fn dispatch(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope, patience: Patience) {
        match self.seen_by(cx, &caller) {
            Some(seen) => self.dispatch_in(&mut cx.within(&seen), caller, body, patience),
            None => self.dispatch_in(cx, caller, body, patience),
        }
    }

    fn dispatch_in(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope, patience: Patience) {
        let Message::Request { method, .. } = body.message() else { return };
        if let Err(fault) = check_meta(&body) {
            return self.fail(cx, &caller, &fault.into());
        }
        let Some(row) = Row::find(method, caller.revision) else {
            return self.unknown_method(cx, caller, body);
        };
        if let Some(fault) = lacks(row, &body) {
            return self.fail(cx, &caller, &fault.into());
        }
        match row.route {
            Route::List(kind) => self.list(cx, caller, body, kind, patience),
            Route::ByTool | Route::ByPrompt | Route::ByUri | Route::ByReference => {
                self.route(cx, caller, body, row, patience);
            }
            Route::Own => self.own(cx, caller, body, row.method, patience),
        }
    }

    fn own(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope, method: Method, patience: Patience) {
        match method {
            Method::Discover => self.discover(cx, caller, body, patience),
            Method::Initialize => self.initialize(cx, caller, body, patience),
            Method::Listen => self.listen(cx, caller, body, patience),
            Method::Ping => self.respond(cx, &caller, b"{}"),
            Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
                self.subscribe(cx, caller, body, method, patience);
            }
            Method::SetLevel => self.set_level(cx, &caller, &body),
            Method::Tasks(_) if caller.target != Target::Unified => self.unknown_method(cx, caller, body),
            Method::Tasks(asked) => self.on_task_asked(cx, &caller, &body, asked),
            Method::Cancelled
            | Method::Complete
            | Method::Initialized
            | Method::Progress
            | Method::PromptsGet
            | Method::PromptsList
            | Method::ResourcesList
            | Method::ResourcesRead
            | Method::RootsChanged
            | Method::TemplatesList
            | Method::ToolsCall
            | Method::ToolsList => self.unknown_method(cx, caller, body),
        }
    }

    /// One server may know methods that the hub does not; several servers cannot be asked at once. What is of another
    /// revision stays there, and so do the tasks of another era.
    fn unknown_method(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope) {
        let Message::Request { method, .. } = body.message() else { return };
        let method = method.to_owned();
        let named = match &caller.target {
            Target::Server(name) => cx.snapshot.named(name).filter(|entry| entry.config.is_some()).cloned(),
            Target::Unified => None,
        };
        match named {
            Some(entry) if self.passes(&caller, &entry, &method) => {
                let request = Request::new(method.into(), body, Vec::new());
                self.forward(cx, caller, &entry, request);
            }
            Some(_) | None => {
                let fault = Rejection::UnknownMethod(method).into();
                self.fail(cx, &caller, &fault);
            }
        }
    }

    fn passes(&self, caller: &Caller, entry: &Entry, method: &str) -> bool {
        if is_of_tasks(method) {
            let known = caller.revision >= Revision::V2025_11_25 || !Row::is_known(method);
            return known && caller.revision.is_modern() == self.speaks(entry).is_modern();
        }
        !Row::is_known(method)
    }

    /// Sets a session's level. The answer does not wait for the servers, of which there may be many and some that do not
    /// run: the level holds at once for what the hub passes on. A remote server of the 2025 eras, which is told in a request of
    /// its own, may take up a call that follows before that, and leave out what only a lower level would have it log.
    fn set_level(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope) {
        let level = body.text(Field::Level).and_then(|text| Level::parse(&text));
        let (Some(level), Some(session)) = (level, caller.session) else {
            let fault = Rejection::InvalidParams(format!("level must be one of {}", Level::names()));
            return self.fail(cx, caller, &fault.into());
        };
        if let Some(session) = self.sessions.get_mut(session) {
            session.level = Some(level);
        }
        self.wishes.changed.insert(session);
        self.lower_levels(cx, &caller.target, session, level);
        self.respond(cx, caller, b"{}");
    }

    /// A client's call is answered or given up.
    pub(super) fn settle(&mut self, session: Option<SessionId>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.keyed.stale = self.keyed.is_used();
        if let Some(session) = session.and_then(|id| self.sessions.get_mut(id)) {
            session.in_flight = session.in_flight.saturating_sub(1);
        }
    }
}

/// What a request of a known method must say and does not.
fn lacks(row: &Row, body: &Envelope) -> Option<Rejection> {
    let (field, name) = match (row.route, row.method) {
        (Route::ByTool | Route::ByPrompt, _) => (Field::Name, "name"),
        (Route::ByUri, _) | (_, Method::ResourcesSubscribe | Method::ResourcesUnsubscribe) => {
            (Field::Uri, "uri")
        }
        (Route::List(_), _) if body.has(Field::Cursor) => (Field::Cursor, "cursor"),
        (Route::ByReference | Route::List(_) | Route::Own, _) => return None,
    };
    if body.text(field).is_none() {
        return Some(Rejection::InvalidParams(format!("{} needs params.{name}, a string", row.name)));
    }
    let named = matches!(row.route, Route::ByTool | Route::ByPrompt);
    let arguments = body.given(Field::Arguments).filter(|raw| named && !raw.starts_with(b"{"));
    arguments.map(|_| Rejection::InvalidParams("params.arguments is to be an object".into()))
}
