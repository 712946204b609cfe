//! The first words to a server: in which era it is spoken to, and its handshake where that has one.
//!
//! A server that was never seen is asked whether it speaks the stateless era (2026-07-28, versioning). Whatever it
//! answers but yes, or nothing for a while, it is greeted with `initialize`; a process that ends at the question is
//! started again and not asked any more. What came of it is kept with the server's definitions, and a no is asked again
//! after [`crate::Limits::verdict`]: a server that has learnt the new era still speaks the old one, and would never be
//! found out. One that did not get to answer, because it was not reached or let nobody in, is asked again when it is
//! started again.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::cancel::cancellation;
use super::private::has_lists;
use super::refusal::{offered, refusal};
use super::{Cx, Effect, Shard};
use crate::mcp::Revision;
use crate::ports::upstream::CloseReason;
use crate::record::{LogCategory, LogLevel, Protocol, RemoteKind, Transport};
use crate::rpc::{Envelope, Field, write};
use crate::snapshot::Entry;
use crate::upstream::{Draft, Failure, Probe, Purpose, Seat, State, Upstream, handshake_params, own_params};
use crate::{LinkId, ServerId, Timestamp, UpstreamFault};

/// How a server is approached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approach {
    /// With `initialize`.
    Greet,
    /// With `server/discover`, and `initialize` if that leads to nothing.
    Probe,
    /// With `server/discover` alone.
    Discover,
}

impl Shard {
    pub(super) fn on_link_opened(&mut self, cx: &mut Cx<'_>, link: LinkId, pid: Option<u32>) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let State::Opening { deadline, .. } = upstream.process.state else { return };
        (upstream.process.pid, upstream.strays) = (pid, 0);
        upstream.process.forget_login();
        upstream.probe = Probe { asked: 0, ..upstream.probe };
        let approach = approach(cx, upstream);
        upstream.process.state = State::Handshaking { link, deadline, probe: None };
        match approach {
            Approach::Greet => self.greet(cx, link, deadline),
            Approach::Probe => self.probe(cx, link, deadline, Some(cx.now.after(cx.limits().probe))),
            Approach::Discover => self.probe(cx, link, deadline, None),
        }
    }

    /// Begins the handshake of the 2025 eras.
    pub(super) fn greet(&mut self, cx: &mut Cx<'_>, link: LinkId, deadline: Timestamp) {
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.process.state = State::Handshaking { link, deadline, probe: None };
        let params = handshake_params(upstream.abilities, &upstream.extensions);
        self.send_own(cx, link, Purpose::Handshake, "initialize", Some(&params), deadline.since(cx.now));
    }

    fn probe(&mut self, cx: &mut Cx<'_>, link: LinkId, deadline: Timestamp, until: Option<Timestamp>) {
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.process.state = State::Handshaking { link, deadline, probe: until };
        upstream.probe =
            Probe { asked: upstream.probe.asked.saturating_add(1), unclear: false, ..upstream.probe };
        let params = own_params(Revision::V2026_07_28, None);
        // An answer that comes late is as good, whatever else was said in the meantime.
        let patience = deadline.since(cx.now);
        self.send_own(cx, link, Purpose::Probe, "server/discover", params.as_deref(), patience);
    }

    /// A server says whether it speaks the stateless era.
    pub(super) fn on_discovered(&mut self, cx: &mut Cx<'_>, link: LinkId, response: &Envelope) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let State::Handshaking { deadline, probe, .. } = upstream.process.state else { return };
        let server = upstream.id;
        if speaks_modern(response) {
            upstream.calls.remove_own(|purpose| matches!(purpose, Purpose::Handshake));
            return self.begin(cx, link, Revision::V2026_07_28, response);
        }
        // It refuses the revision that it says it speaks: once more, it may not have been ready.
        if offers_modern(response) && upstream.probe.asked < 2 {
            return self.probe(cx, link, deadline, probe);
        }
        upstream.probe.unclear = UpstreamFault::is_silence(response);
        if probe.is_some() {
            return self.greet(cx, link, deadline);
        }
        if !upstream.calls.has_own(|purpose| matches!(purpose, Purpose::Handshake)) {
            let protocol = protocol(cx, server);
            let what = match protocol {
                Protocol::Modern => "it did not accept server/discover",
                Protocol::Auto | Protocol::Legacy => "it accepted neither initialize nor server/discover",
            };
            let failure = refusal(upstream, protocol, what, response);
            self.break_link(cx, link, &failure);
        }
    }

    /// A server answers `initialize`.
    pub(super) fn on_handshake(&mut self, cx: &mut Cx<'_>, link: LinkId, response: &Envelope) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let State::Handshaking { deadline, .. } = upstream.process.state else { return };
        let (server, probed) = (upstream.id, upstream.probe.asked > 0);
        let agreed = response.text(Field::ProtocolVersion);
        let revision = agreed.as_deref().and_then(Revision::answered);
        if let Some(revision) = revision {
            let open = upstream.calls.remove_own(|purpose| matches!(purpose, Purpose::Probe));
            // Over HTTP it is a request that is held open. On stdio nothing of a handshake is cancelled.
            let remote = cx.snapshot.entry(server).is_some_and(|entry| entry.is_remote());
            for probe in open.into_iter().filter(|_| remote) {
                let frame = cancellation(probe, "initialize was answered");
                cx.effect(Effect::SendFrame { link, frame });
            }
            return self.begin(cx, link, revision, response);
        }
        if let Some(agreed) = agreed.filter(|text| !text.is_empty()) {
            let cause =
                format!("it answered initialize with revision {agreed}, which the hub does not speak");
            return self.break_link(cx, link, &Failure::passing(cause));
        }
        // What was remembered of it may be out of date.
        if !probed && protocol(cx, server) == Protocol::Auto {
            return self.probe(cx, link, deadline, None);
        }
        if !upstream.calls.has_own(|purpose| matches!(purpose, Purpose::Probe)) {
            let protocol = protocol(cx, server);
            let failure = refusal(upstream, protocol, "it did not accept initialize", response);
            self.break_link(cx, link, &failure);
        }
    }

    /// The server takes requests from now on.
    fn begin(&mut self, cx: &mut Cx<'_>, link: LinkId, revision: Revision, said: &Envelope) {
        let project = cx.snapshot.project.id;
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.process.run(link, cx.now);
        upstream.used_at = cx.now;
        upstream.revision = revision;
        upstream.level = None;
        let before = cx.snapshot.entry(upstream.id).and_then(|entry| entry.offer.as_ref());
        let learns = has_lists(&upstream.owner) || before.is_none();
        let own = (&*upstream.name, upstream.digest);
        let draft =
            Draft::begin(said, revision, upstream.id, project, own, (cx.now, cx.limits().definition_bytes));
        let remote = cx.snapshot.entry(upstream.id).is_some_and(|entry| entry.is_remote());
        let draft = draft.after(before.map(|offer| offer.definitions())).remote(remote);
        let draft = draft.patient_until(cx.now.after(cx.limits().list_wait));
        upstream.draft = learns.then_some(draft);
        if !revision.is_modern() {
            let hello = write::request(None, "notifications/initialized", None);
            cx.effect(Effect::SendFrame { link, frame: hello.into() });
        }
        // What the first call logs and changes is to be heard of as well.
        self.restore_level(cx, link);
        self.restore_subscriptions(cx, link);
        self.send_waiting(cx, link);
        if learns {
            self.begin_learning(cx, link);
        }
        self.tell_missed(cx, link);
        let Some(upstream) = self.upstream_at(link) else { return };
        let process = upstream.process.pid.map_or_else(String::new, |pid| format!(", process {pid}"));
        let words = format!("started: it speaks {revision}{process}");
        cx.report(&upstream.name, LogLevel::Info, LogCategory::Connection, words);
    }

    /// Sends the calls that came before their server was ready. Those whose clients have gone are not made.
    pub(super) fn send_waiting(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(upstream) = self.upstream_of(link) else { return };
        for id in upstream.calls.unsent() {
            let Some(upstream) = self.upstream_of(link) else { return };
            if upstream.calls.get_mut(id).is_some_and(|call| call.awaits_news) {
                upstream.calls.set_off(id, cx.now, Duration::ZERO);
            } else if self.has_place(cx, link, id) {
                self.send_off(cx, link, id);
            }
        }
    }

    /// A process that ended at the question for its era is no failure. One that has said no and then ended is, and may have ended because
    /// of the question: neither is asked again.
    pub(super) fn is_shy(&mut self, cx: &mut Cx<'_>, link: LinkId, reason: &CloseReason) -> bool {
        let ended = matches!(reason, CloseReason::Exited(_) | CloseReason::Signalled(_)) && !self.stopping;
        let Some(upstream) = self.upstream_of(link).filter(|_| ended) else { return false };
        let State::Handshaking { probe, .. } = upstream.process.state else { return false };
        upstream.probe.shy |= upstream.probe.asked > 0;
        let asked = probe.is_some();
        if asked {
            upstream.calls.remove_own(|purpose| matches!(purpose, Purpose::Probe));
            upstream.process.state = State::Queued;
            upstream.process.pid = None;
            let (name, words) = (
                upstream.name.clone(),
                "ended when it was asked for 2026-07-28; started again for 2025-11-25",
            );
            cx.report(&name, LogLevel::Info, LogCategory::StatusCheck, words.to_owned());
        }
        asked
    }

    /// The question for its era was not answered in time.
    pub(super) fn end_probe(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        let Some(upstream) = self.upstreams.get(seat) else { return };
        if let State::Handshaking { link, deadline, probe: Some(until) } = upstream.process.state
            && until <= cx.now
        {
            self.greet(cx, link, deadline);
        }
    }

    /// Sends a request of the hub's own.
    pub(super) fn send_own(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        purpose: Purpose,
        method: &str,
        params: Option<&[u8]>,
        patience: Duration,
    ) -> Option<crate::CallId> {
        let id = self.mint_call();
        let upstream = self.upstream_of(link)?;
        upstream.calls.insert(id, super::link::internal_call(cx, purpose, patience));
        let frame = write::request(Some(id.0), method, params);
        cx.effect(Effect::SendFrame { link, frame: frame.into() });
        Some(id)
    }
}

/// Whether a client's request is still needed after it was sent: its server may ask for input, in a way that its client
/// does not know or with a state that is of this request alone, or refuse it because it has forgotten the session.
pub(super) fn keeps_request(entry: &Entry, server: Revision, client: Revision) -> bool {
    entry.is_remote() || server.is_modern() || client.is_modern()
}

/// In which eras a server may be spoken to.
pub(super) fn protocol(cx: &Cx<'_>, server: ServerId) -> Protocol {
    let config = cx.snapshot.entry(server).and_then(|entry| entry.config.as_ref());
    config.map_or(Protocol::Auto, |config| config.spec.protocol)
}

fn approach(cx: &Cx<'_>, upstream: &Upstream) -> Approach {
    let entry = cx.snapshot.entry(upstream.id);
    let config = entry.and_then(|entry| entry.config.as_ref());
    let stream_of_old = config.is_some_and(|config| {
        matches!(config.spec.transport, Transport::Remote { kind: RemoteKind::Sse, .. })
    });
    match protocol(cx, upstream.id) {
        Protocol::Legacy => Approach::Greet,
        Protocol::Modern => Approach::Discover,
        // The stateless era is not defined over HTTP+SSE.
        Protocol::Auto if stream_of_old || upstream.probe.shy => Approach::Greet,
        Protocol::Auto => match entry.and_then(|entry| entry.offer.as_ref()) {
            Some(offer) if !offer.revision().is_modern() => {
                let age = cx.now.since(offer.definitions().fetched_at);
                let holds = age < cx.limits().verdict && !upstream.probe.unclear;
                if holds { Approach::Greet } else { Approach::Probe }
            }
            Some(_) | None => Approach::Probe,
        },
    }
}

/// Whether an error names the revision that the hub speaks among those that its server does (2026-07-28, -32022).
fn offers_modern(response: &Envelope) -> bool {
    response.has(Field::Error) && offered(response).iter().any(|text| text == Revision::V2026_07_28.date())
}

/// Whether an answer to `server/discover` names the revision that the hub speaks.
fn speaks_modern(response: &Envelope) -> bool {
    let versions = response.raw(Field::SupportedVersions);
    let versions = versions.and_then(|raw| serde_json::from_slice::<Vec<String>>(raw).ok());
    versions.is_some_and(|versions| versions.iter().any(|text| text == Revision::V2026_07_28.date()))
}
