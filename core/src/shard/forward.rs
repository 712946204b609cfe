//! Requests for one server: found by name, given an id of our own, and sent or queued.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::answer::Speaker;
use super::greet::keeps_request;
use super::keyed::{Known, repeats};
use super::locate::locate;
use super::report::called_tool;
use super::run_tasks::no_task;
use super::seal::unsealed;
use super::state::check_any_input;
use super::task_asked::of_tasks;
use super::wait::{Need, Patience};
use super::{Cx, Effect, Exchange, Shard};
use crate::hub;
use crate::mcp::{
    Abilities, Lifetime, Method, Revision, Route, Row, asks_for_task, mirrored, waits_for_task, wrong_wish,
};
use crate::ports::gateway::Target;
use crate::record::ServerSpec;
use crate::rpc::{Envelope, Field, write};
use crate::snapshot::Entry;
use crate::upstream::{Call, Caller, Edits, Owner, Purpose, Request, Seat, say};
use crate::{CallId, Exceeded, Fault, Limit, LinkId, Rejection, ServerId, UpstreamFault};

/// A server that fails is not started again at once; a call waits for it if that is soon.
const WORTH_WAITING: Duration = Duration::from_secs(2);

impl Shard {
    /// Finds the server that a request is for.
    pub(super) fn route(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        body: Envelope,
        row: &'static Row,
        patience: Patience,
    ) {
        let Some((entry, name)) = locate(cx.snapshot, &mut self.shown, &caller.target, row.route, &body)
        else {
            if patience == Patience::Waits && self.is_missing(cx, &caller, &body) {
                return self.wait(cx, caller, body);
            }
            let list = Need::of(&caller, &body).list;
            let unseen = || self.upstreams.unseen(cx.snapshot, list?, &body.text(Field::Name)?);
            let fault = unseen().map_or_else(|| unknown(row.route, &body, caller.revision), Fault::from);
            return self.fail(cx, &caller, &fault);
        };
        if let Some(refusal) = no_task(cx, &caller, (&entry, name.as_deref()), &body) {
            return self.fail(cx, &caller, &refusal.into());
        }
        if asks_for_task(caller.revision, &body)
            && let Some(wrong) = wrong_wish(&body)
        {
            return self.fail(cx, &caller, &Rejection::InvalidParams(wrong.into()).into());
        }
        let field = match row.route {
            Route::ByUri => Field::Uri,
            Route::ByReference if body.has(Field::RefName) => Field::RefName,
            Route::ByReference => Field::RefUri,
            Route::ByPrompt | Route::ByTool | Route::List(_) | Route::Own => Field::Name,
        };
        let mut edits = Vec::new();
        if row.may_demand_input() && self.speaks(&entry).is_modern() {
            match input_of(cx, &caller, entry.id, &body) {
                Ok(own) => edits.extend(own.map(|own| (Field::RequestState, Cow::Owned(own)))),
                Err(rejection) => return self.fail(cx, &caller, &rejection.into()),
            }
        }
        // An SDK writes what has no arguments so; others refuse what is no object.
        if body.raw(Field::Arguments) == Some(b"null") {
            edits.push((Field::Arguments, Cow::Borrowed(b"{}".as_slice())));
        }
        if let Some(name) = name {
            let mut raw = Vec::with_capacity(name.len().saturating_add(2));
            write::string(&mut raw, &name);
            edits.push((field, Cow::Owned(raw)));
        }
        self.forward(cx, caller, &entry, Request::new(row.name.into(), body, edits));
    }

    /// Sends a request to a server, or queues it while the server starts.
    pub(super) fn forward(&mut self, cx: &mut Cx<'_>, caller: Caller, entry: &Arc<Entry>, request: Request) {
        let (method, body) = (&request.method, &request.body);
        if entry.config.is_none() {
            if *method != Method::ToolsCall.name() {
                return self.fail(cx, &caller, &Rejection::UnknownMethod(method.clone().into_owned()).into());
            }
            return self.call_hub(cx, &caller, &request);
        }
        if !entry.enabled() {
            return self.fail(cx, &caller, &UpstreamFault::Removed { server: entry.name.clone() }.into());
        }
        // What an older server has asked for is in a state of the hub's own; this is none, or was altered.
        if body.has(Field::RequestState) && caller.revision.is_modern() && !self.speaks(entry).is_modern() {
            return self.fail(cx, &caller, &Rejection::BadRequestState.into());
        }
        let name = match self.known(cx, &caller, &request) {
            Ok(Known::New(name)) => name,
            Ok(Known::Answered(server, answer)) => return self.answer_again(cx, &caller, server, &answer),
            Ok(Known::Running) => return self.wait(cx, caller, request.body),
            Err(fault) => return self.fail(cx, &caller, &fault),
        };
        if let Some(lacking) = self.lacks_task(cx, &caller, entry.id, &request) {
            return self.fail(cx, &caller, &lacking.into());
        }
        let owner = self.owner_of_task(cx, &caller, entry.id, &request);
        let owner = owner.unwrap_or_else(|| self.owner(cx, entry, &caller));
        let seat = match self.admit_call(cx, entry, owner, body.bytes().len()) {
            Ok(seat) => seat,
            Err(fault) => {
                cx.report_fault(&entry.name, (called_tool(&request).as_deref(), cx.now), &fault);
                return self.fail(cx, &caller, &fault);
            }
        };
        let lifetime = match &**method {
            "resources/read" => Lifetime::Private(cx.limits().list_ttl),
            _ => Lifetime::Unsaid,
        };
        let id = self.begin_call(&caller, entry.id);
        self.await_task(cx, id, (&caller, entry.id), &request);
        let keyed = name.is_some();
        if let Some(name) = name {
            self.keyed.begin(name, request.body.clone(), caller.target.clone(), (entry.id, id));
        }
        self.submit(cx, entry, &seat, id, (caller, lifetime, keyed), request);
    }

    /// Counts a call that is about to be made for a client, and leads its exchange to it.
    pub(super) fn begin_call(&mut self, caller: &Caller, server: ServerId) -> CallId {
        let id = self.mint_call();
        self.lead_to(caller, server, id);
        if let Some(session) = caller.session.and_then(|session| self.sessions.get_mut(session)) {
            session.in_flight = session.in_flight.saturating_add(1);
        }
        self.in_flight = self.in_flight.saturating_add(1);
        id
    }

    /// From whoever waits for its answer, a call is found again.
    pub(super) fn lead_to(&mut self, caller: &Caller, server: ServerId, id: CallId) {
        if caller.ends {
            self.exchanges.insert(caller.exchange, Exchange::Call(server, id));
        }
        if let Some(step) = caller.step {
            self.step_calls.insert(step, (server, id));
        }
    }

    /// Whether one more call may be made to a server; asks for the server.
    pub(super) fn admit_call(
        &mut self,
        cx: &mut Cx<'_>,
        entry: &Arc<Entry>,
        owner: Owner,
        bytes: usize,
    ) -> Result<Seat, Fault> {
        let limits = cx.limits();
        if self.in_flight >= limits.project_in_flight {
            let (limit, value) = (Limit::ProjectInFlight, limits.project_in_flight as u64);
            return Err(Exceeded { limit, value, hint: "try again when calls have ended" }.into());
        }
        if self.stopping {
            let (server, cause) = (entry.name.clone(), "the hub stops".to_owned());
            return Err(UpstreamFault::Unavailable { server, cause }.into());
        }
        let most = limits.link_in_flight_bytes;
        let seat = self.seat(cx, entry, owner)?;
        let Some(upstream) = self.upstreams.get_mut(&seat) else { return Ok(seat) };
        if upstream.calls.bytes().saturating_add(bytes) > most {
            let hint = "the server does not keep up; try again when it has answered";
            return Err(Exceeded { limit: Limit::LinkInFlightBytes, value: most as u64, hint }.into());
        }
        let pause = upstream.process.pauses_until().map(|until| until.since(cx.now));
        // Nobody logs in within a moment.
        let worth = if upstream.process.needs_login() { Duration::ZERO } else { WORTH_WAITING };
        if pause.is_some_and(|pause| pause > worth) {
            return Err(upstream.unavailable().into());
        }
        upstream.process.want(cx.now);
        upstream.used_at = cx.now;
        Ok(seat)
    }

    /// The revision that a server is spoken to in, as far as it is known.
    pub(super) fn speaks(&self, entry: &Entry) -> Revision {
        let running = self.upstreams.of(entry.id).find(|upstream| upstream.process.ready_link().is_some());
        let known = || entry.offer.as_ref().map(|offer| offer.revision());
        running.map(|upstream| upstream.revision).or_else(known).unwrap_or(Revision::LAST_WITH_HANDSHAKE)
    }

    /// Registers a call and sends it, now or when the server is ready.
    fn submit(
        &mut self,
        cx: &mut Cx<'_>,
        entry: &Arc<Entry>,
        seat: &Seat,
        id: CallId,
        (caller, lifetime, keyed): (Caller, Lifetime, bool),
        mut request: Request,
    ) {
        let running = self.upstreams.get(seat).and_then(|upstream| upstream.process.ready_link());
        match (running, caller.session, caller.log_level) {
            (Some(link), Some(session), _) => self.lift_level(cx, link, session),
            (Some(link), None, Some(level)) => self.lower_level(cx, link, level),
            (..) => {}
        }
        let tries_itself = caller.step.is_some_and(|(run, unit)| self.has_own_retry(run, unit));
        let whose = self.key_of(&caller).filter(|_| entry.is_remote()).cloned();
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        let start = entry.config.as_ref().map_or(ServerSpec::TIMEOUT_S, |server| server.spec.timeout_s);
        let ready = upstream.process.ready_link();
        let bounded = ready.filter(|_| entry.is_remote());
        let crowded = bounded.filter(|_| !upstream.calls.take_place(id, whose, cx.limits().remote_in_flight));
        let link = ready.filter(|_| crowded.is_none());
        let spare = if ready.is_some() { Duration::ZERO } else { Duration::from_secs(u64::from(start)) };
        let silence = patience(cx, entry.id, &request.method);
        let bytes = request.body.bytes().len();
        let revision = upstream.revision;
        let (tool, of_tasks) = (called_tool(&request), of_tasks(&caller, &request));
        let repeats = if tries_itself { 0 } else { repeats(cx.limits(), entry, tool.as_deref(), keyed) };
        let keeps = repeats > 0 || link.is_none() || keeps_request(entry, revision, caller.revision);
        if let Some(link) = link {
            let edits = if keeps { request.edits.clone() } else { core::mem::take(&mut request.edits) };
            let params = repeated(cx, entry.id, revision, &request, &edits);
            let frame = say(id, revision, &caller, (&request.method, &request.body), edits, Vec::new());
            send(cx, link, frame, params);
        }
        let subscribes = request.subscribes.take();
        let call = Call {
            purpose: Purpose::Client(caller, lifetime),
            patience: silence,
            deadline: cx.now.after(silence).after(spare),
            hard_deadline: cx.now.after(longest(cx, &request.method).max(silence)).after(spare),
            bytes,
            since: cx.now,
            sent: link.is_some(),
            request: keeps.then(|| Box::new(request)),
            repeats,
            repeated: false,
            renewals: 0,
            round: None,
            subscribes,
            awaits_news: false,
            of_tasks,
            lacks: Abilities::default(),
            tool,
        };
        upstream.calls.insert(id, call);
        self.crowded.extend(crowded);
    }

    fn call_hub(&mut self, cx: &mut Cx<'_>, caller: &Caller, request: &Request) {
        let Request { body, edits, .. } = request;
        let renamed = edits.iter().find(|(field, _)| *field == Field::Name).map(|(_, raw)| &**raw);
        let name = renamed.or_else(|| body.raw(Field::Name)).and_then(crate::rpc::decode_string);
        if let Some(tool) =
            name.as_deref().and_then(hub::PlanTool::find).filter(|_| caller.target == Target::Unified)
        {
            return self.call_plan_tool(cx, caller, tool, body);
        }
        let arguments = body.given(Field::Arguments).unwrap_or(b"{}");
        let mut servers = self.views(cx.snapshot);
        for server in &mut servers {
            server.last_output = None;
        }
        let result = name.as_deref().and_then(|name| hub::call(cx.snapshot, name, arguments, &servers));
        match result {
            Some(result) => self.answer_as_hub(cx, caller, &result),
            None => {
                let name = name.unwrap_or_default().into_owned();
                self.fail(cx, caller, &Rejection::UnknownTool(name).into());
            }
        }
    }

    /// Answers with the result of a tool of the hub's own.
    pub(super) fn answer_as_hub(&mut self, cx: &mut Cx<'_>, caller: &Caller, result: &[u8]) {
        let frame = write::result(&caller.id, result);
        match Envelope::parse(frame.into(), crate::rpc::Sender::Upstream, cx.limits()) {
            Ok(response) => {
                let speaker = Speaker { revision: caller.revision, ..Speaker::HUB };
                self.relay(cx, caller, &response, speaker);
            }
            Err(fault) => self.fail(cx, caller, &fault),
        }
    }
}

/// Sends a call, with arguments of it repeated in headers where its tool wants that.
pub(super) fn send(cx: &mut Cx<'_>, link: LinkId, frame: Bytes, params: Vec<(String, String)>) {
    cx.effect(if params.is_empty() {
        Effect::SendFrame { link, frame }
    } else {
        Effect::SendMirrored { link, frame, params }
    });
}

/// The headers that repeat arguments of a request to a server of the stateless era. `edits` are those of the request.
pub(super) fn repeated(
    cx: &Cx<'_>,
    server: ServerId,
    revision: Revision,
    request: &Request,
    edits: &Edits<'_>,
) -> Vec<(String, String)> {
    if !revision.is_modern() || request.method != Method::ToolsCall.name() {
        return Vec::new();
    }
    let entry = cx.snapshot.entry(server).filter(|entry| entry.is_remote());
    let Some(offer) = entry.and_then(|entry| entry.offer.as_ref()) else { return Vec::new() };
    let own = edits.iter().find(|(field, _)| *field == Field::Name).map(|(_, raw)| &**raw);
    let name = own.or_else(|| request.body.raw(Field::Name)).and_then(crate::rpc::decode_string);
    name.map_or_else(Vec::new, |name| mirrored(offer.mirrors(&name), request.body.raw(Field::Arguments)))
}

/// How long a request to a server may take without a sign of life. What is answered when a task ends takes as long as the
/// task.
pub(super) fn patience(cx: &Cx<'_>, server: ServerId, method: &str) -> Duration {
    let silence = silence(cx, server);
    if waits_for_task(method) { silence.max(cx.limits().task_result) } else { silence }
}

/// How long a request to a server may take with signs of life.
pub(super) fn longest(cx: &Cx<'_>, method: &str) -> Duration {
    if waits_for_task(method) { cx.limits().begun_task_age } else { cx.limits().call_hard }
}

/// How long a call to a server may take without a sign of life.
pub(super) fn silence(cx: &Cx<'_>, server: ServerId) -> Duration {
    let config = cx.snapshot.entry(server).and_then(|entry| entry.config.as_ref());
    let own = config.and_then(|config| config.spec.call_timeout_s);
    own.map_or_else(|| cx.limits().call, |seconds| Duration::from_secs(seconds.into()))
}

/// What a client brings back to a server that has asked for more input: the server's own state.
fn input_of(
    cx: &Cx<'_>,
    caller: &Caller,
    server: ServerId,
    body: &Envelope,
) -> Result<Option<Vec<u8>>, Rejection> {
    let own = unsealed(cx, caller, server, body)?;
    if caller.revision.is_modern() {
        check_any_input(body)?;
    }
    Ok(own)
}

fn unknown(route: Route, body: &Envelope, revision: Revision) -> Fault {
    let name = |field| -> String { body.text(field).map_or_else(|| "(none)".to_owned(), Cow::into_owned) };
    match route {
        Route::ByTool => Rejection::UnknownTool(name(Field::Name)).into(),
        Route::ByPrompt => Rejection::UnknownPrompt(name(Field::Name)).into(),
        Route::ByUri => Rejection::UnknownResource { uri: name(Field::Uri), revision }.into(),
        Route::ByReference | Route::List(_) | Route::Own => {
            Rejection::InvalidParams("ref names no prompt and no resource template of this endpoint".into())
                .into()
        }
    }
}
