//! Requests for one server: found by name, given an id of our own, and sent or queued.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::locate::locate;
use super::wait::Patience;
use super::{Cx, Effect, Exchange, Shard};
use crate::hub;
use crate::mcp::{Lifetime, Method, Route, Row, is_envelope_key};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, write};
use crate::snapshot::Entry;
use crate::upstream::{Call, Caller, Purpose, State, Upstream};
use crate::{CallId, Exceeded, Fault, Limit, Rejection, ServerId, UpstreamFault};

/// A server that fails is not started again at once; a call waits for it if that is soon.
const WORTH_WAITING: Duration = Duration::from_secs(2);

/// Members of a request that are replaced on the way.
type Edits<'a> = [(Field, Cow<'a, [u8]>)];

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
        let Some((entry, name)) = locate(cx.snapshot, &caller.target, row.route, &body) else {
            if patience == Patience::Waits && self.is_missing(cx, &caller.target) {
                return self.wait(cx, caller, body);
            }
            let fault = self.of_unseen(cx, &body).unwrap_or_else(|| unknown(row.route, &body));
            return self.fail(cx, &caller, &fault);
        };
        let field = match row.route {
            Route::ByUri => Field::Uri,
            Route::ByReference if body.has(Field::RefName) => Field::RefName,
            Route::ByReference => Field::RefUri,
            Route::ByPrompt | Route::ByTool | Route::List(_) | Route::Own => Field::Name,
        };
        let mut edits = Vec::new();
        if let Some(name) = name {
            let mut raw = Vec::with_capacity(name.len().saturating_add(2));
            write::string(&mut raw, &name);
            edits.push((field, Cow::Owned(raw)));
        }
        self.forward(cx, caller, &entry, row.name, &body, &mut edits);
    }

    /// A name that begins with that of a server that was never seen: not unknown, but out of reach, and here is why.
    fn of_unseen(&self, cx: &Cx<'_>, body: &Envelope) -> Option<Fault> {
        let name = body.text(Field::Name)?;
        let unseen = cx.snapshot.behind(&Target::Unified).filter(|entry| entry.offer.is_none());
        let mut named = unseen.filter(|entry| {
            let rest = name.strip_prefix(&entry.name);
            rest.is_some_and(|rest| rest.starts_with(['.', '/', ':', '_']))
        });
        Some(self.upstreams.get(&named.next()?.id)?.unavailable().into())
    }

    /// Sends a request to a server, or queues it while the server starts.
    pub(super) fn forward(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        entry: &Arc<Entry>,
        method: &str,
        body: &Envelope,
        edits: &mut Edits<'_>,
    ) {
        if entry.config.is_none() {
            if method != Method::ToolsCall.name() {
                return self.fail(cx, &caller, &Rejection::UnknownMethod(method.to_owned()).into());
            }
            return self.call_hub(cx, &caller, body, edits);
        }
        if !entry.enabled() {
            return self.fail(cx, &caller, &UpstreamFault::Removed { server: entry.name.clone() }.into());
        }
        if let Err(fault) = self.admit_call(cx, entry, body.bytes().len()) {
            return self.fail(cx, &caller, &fault);
        }
        let id = self.mint_call();
        let frame = request(id, method, body, edits);
        let lifetime = match method {
            "resources/read" => Lifetime::Private(cx.limits().list_ttl),
            _ => Lifetime::Unsaid,
        };
        if caller.ends {
            self.exchanges.insert(caller.exchange, Exchange::Call(entry.id, id));
        }
        if let Some(session) = caller.session.and_then(|session| self.sessions.get_mut(session)) {
            session.in_flight = session.in_flight.saturating_add(1);
        }
        self.in_flight = self.in_flight.saturating_add(1);
        self.submit(cx, entry, id, Purpose::Client(caller, lifetime), frame);
    }

    /// Whether one more call may be made to a server; asks for the server.
    fn admit_call(&mut self, cx: &mut Cx<'_>, entry: &Arc<Entry>, bytes: usize) -> Result<(), Fault> {
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
        let upstream = self.upstreams.entry(entry.id).or_insert_with(|| Upstream::new(entry));
        if upstream.calls.bytes().saturating_add(bytes) > most {
            let hint = "the server does not keep up; try again when it has answered";
            return Err(Exceeded { limit: Limit::LinkInFlightBytes, value: most as u64, hint }.into());
        }
        if let State::BackingOff { until } = upstream.process.state
            && until.since(cx.now) > WORTH_WAITING
        {
            return Err(upstream.unavailable().into());
        }
        upstream.process.want(cx.now);
        Ok(())
    }

    /// Registers a call and sends it, now or when the server is ready.
    pub(super) fn submit(
        &mut self,
        cx: &mut Cx<'_>,
        entry: &Arc<Entry>,
        id: CallId,
        purpose: Purpose,
        frame: Bytes,
    ) {
        let Some(upstream) = self.upstreams.get_mut(&entry.id) else { return };
        let start = entry.config.as_ref().map_or(30, |server| server.spec.timeout_s);
        let link = upstream.process.ready_link();
        let spare = if link.is_some() { Duration::ZERO } else { Duration::from_secs(u64::from(start)) };
        let silence = silence(cx, entry.id);
        let call = Call {
            purpose,
            deadline: cx.now.after(silence).after(spare),
            hard_deadline: cx.now.after(cx.limits().call_hard.max(silence)).after(spare),
            bytes: frame.len(),
            since: cx.now,
            unsent: link.is_none().then(|| frame.clone()),
        };
        upstream.calls.insert(id, call);
        if let Some(link) = link {
            cx.effect(Effect::SendFrame { link, frame });
        }
    }

    fn call_hub(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope, edits: &Edits<'_>) {
        let renamed = edits.iter().find(|(field, _)| *field == Field::Name).map(|(_, raw)| &**raw);
        let name = renamed.or_else(|| body.raw(Field::Name)).and_then(crate::rpc::decode_string);
        let arguments = body.raw(Field::Arguments).unwrap_or(b"{}");
        let mut servers = self.views(cx.snapshot);
        for server in &mut servers {
            server.last_output = None;
        }
        let result = name.as_deref().and_then(|name| hub::call(cx.snapshot, name, arguments, &servers));
        match result {
            Some(result) => {
                let frame = write::result(&caller.id, &result);
                let sender = crate::rpc::Sender::Upstream;
                match Envelope::parse(frame.into(), sender, cx.limits()) {
                    Ok(response) => self.relay(cx, caller, &response, Lifetime::Unsaid, hub::SERVER_INFO),
                    Err(fault) => self.fail(cx, caller, &fault),
                }
            }
            None => {
                let name = name.unwrap_or_default().into_owned();
                self.fail(cx, caller, &Rejection::UnknownTool(name).into());
            }
        }
    }
}

/// The message for the server: our id, our progress token, its own names, and the rest as it came.
fn request(id: CallId, method: &str, body: &Envelope, edits: &mut Edits<'_>) -> Bytes {
    let mut all = Vec::with_capacity(edits.len().saturating_add(1));
    all.extend(edits.iter().cloned());
    all.extend(meta(id, body));
    let params = body.has(Field::Params).then(|| body.spliced(Field::Params, &mut all));
    write::one_line(write::request(Some(id.0), method, params.as_deref())).into()
}

/// What changes in `_meta`: the progress token is ours, and the envelope of the stateless era ends here.
fn meta(id: CallId, body: &Envelope) -> Option<(Field, Cow<'static, [u8]>)> {
    let token = format!("{id}").into_bytes();
    if body.has(Field::MetaVersion)
        && let Some(members) = body.raw(Field::Meta).and_then(Members::read)
    {
        let own = body.has(Field::MetaProgressToken);
        let mut kept = members.without(|key| is_envelope_key(key) || key == "progressToken");
        if own {
            kept.pop();
            let comma = if kept.len() > 1 { "," } else { "" };
            kept.extend_from_slice(format!("{comma}\"progressToken\":{id}}}").as_bytes());
        }
        return Some((Field::Meta, Cow::Owned(kept)));
    }
    body.has(Field::MetaProgressToken).then_some((Field::MetaProgressToken, Cow::Owned(token)))
}

/// How long a call to a server may take without a sign of life.
pub(super) fn silence(cx: &Cx<'_>, server: ServerId) -> Duration {
    let config = cx.snapshot.entry(server).and_then(|entry| entry.config.as_ref());
    let own = config.and_then(|config| config.spec.call_timeout_s);
    own.map_or_else(|| cx.limits().call, |seconds| Duration::from_secs(seconds.into()))
}

fn unknown(route: Route, body: &Envelope) -> Fault {
    let name = |field| -> String { body.text(field).map_or_else(|| "(none)".to_owned(), Cow::into_owned) };
    match route {
        Route::ByTool => Rejection::UnknownTool(name(Field::Name)).into(),
        Route::ByPrompt => Rejection::UnknownPrompt(name(Field::Name)).into(),
        Route::ByUri => Rejection::UnknownResource(name(Field::Uri)).into(),
        Route::ByReference | Route::List(_) | Route::Own => {
            Rejection::InvalidParams("ref names no prompt and no resource template of this endpoint".into())
                .into()
        }
    }
}
