//! From what a server says to what its clients see.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::private::has_lists;
use super::refusal::why_untold;
use super::{Cx, Effect, Shard};
use crate::mcp::ListKind;
use crate::ports::gateway::Target;
use crate::record::{Definitions, LogCategory, LogLevel};
use crate::rpc::{Envelope, Unread, number_of};
use crate::snapshot::{Entry, Offer, Snapshot};
use crate::upstream::{Draft, NextPage, Owner, Purpose, Seat, Upstream};
use crate::{CallId, LinkId, ServerId, Timestamp};

/// What was learnt of a server and is on its way into a snapshot. There is one at a time: an older list never comes
/// after a newer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publication {
    digest: [u8; 32],
    learnt_at: Timestamp,
}

impl Publication {
    /// Whether it may still come: not when it is here, nor when its server is another one.
    pub(super) fn may_come(&self, snapshot: &Snapshot, server: ServerId) -> bool {
        let is_it = |offer: &Arc<Offer>| offer.definitions().fetched_at == self.learnt_at;
        snapshot
            .entry(server)
            .is_some_and(|entry| entry.digest == self.digest && !entry.offer.as_ref().is_some_and(is_it))
    }
}

impl Shard {
    /// Whether a server's offer may still come, or is on its way into the snapshot.
    pub(super) fn learns(&self, upstream: &Upstream) -> bool {
        upstream.is_learning() || self.publishes(upstream.id)
    }

    /// Asks for the first page of what is to be learnt.
    pub(super) fn begin_learning(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let first = self.upstream_of(link).and_then(|upstream| upstream.draft.as_ref()?.first());
        self.learn_next(cx, link, first);
    }

    /// A page of a list came, or will not come.
    pub(super) fn on_page(&mut self, cx: &mut Cx<'_>, link: LinkId, kind: ListKind, page: Option<&Envelope>) {
        let limits = cx.snapshot.limits();
        if page.is_some_and(|page| self.leads_back(cx, link, page)) {
            return;
        }
        let Some(upstream) = self.upstream_of(link) else { return };
        let failed = why_untold(&upstream.name, kind, page);
        let Some(draft) = &mut upstream.draft else { return };
        upstream.news.on_page(cx.now);
        let next = match (failed, page) {
            (None, Some(page)) => draft.page(kind, page, limits),
            (Some(why), _) => draft.fail(kind, why),
            (None, None) => return,
        };
        self.learn_next(cx, link, next);
    }

    /// Asks for a page, or publishes what was learnt, if that is all.
    fn learn_next(&mut self, cx: &mut Cx<'_>, link: LinkId, page: Option<NextPage>) {
        match page {
            Some(NextPage { kind, params }) => {
                self.send_internal(cx, link, Purpose::Learn(kind), kind.method(), params.as_deref());
            }
            None => {
                let upstream = self.upstream_of(link);
                if upstream.is_some_and(|it| it.draft.as_ref().is_some_and(Draft::is_complete)) {
                    self.publish(cx, link);
                }
            }
        }
    }

    /// A list has not come in time: no other waits for it.
    pub(super) fn hurry_lists(&mut self, cx: &mut Cx<'_>, seat: &Seat, link: LinkId) {
        let again_at = cx.now.after(cx.limits().list_wait);
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        let draft = upstream.draft.as_mut();
        let Some(late) = draft.filter(|draft| draft.deadline().is_some_and(|at| at <= cx.now)) else {
            return;
        };
        match late.hurry(again_at) {
            Some(others) => {
                for page in others {
                    self.learn_next(cx, link, Some(page));
                }
            }
            None if seat.owner == Owner::Project && !self.publishes(seat.server) => {
                self.publish_so_far(cx, seat);
            }
            None => {}
        }
    }

    fn publish_so_far(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        let known = cx.snapshot.entry(seat.server).and_then(|entry| entry.offer.as_ref());
        let date = dated(known, cx.now);
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        let (name, interactive) = (upstream.name.clone(), upstream.interactive);
        let Some(draft) = &mut upstream.draft else { return };
        let mut learnt = draft.so_far(date);
        learnt.interactive |= interactive;
        upstream.via.clone_from(&draft.via);
        let silent: Vec<&str> = draft.pending().iter().map(|kind| kind.method()).collect();
        let words = format!("it has not answered {} yet", silent.join(", "));
        if upstream.listless == 0 {
            cx.report(&name, LogLevel::Warning, LogCategory::Configuration, words);
        }
        if !known.is_some_and(|known| only_the_date_differs(known.definitions(), &learnt)) {
            self.publish_as(cx, learnt);
        }
    }

    /// Publishes what was learnt, unless it is what was known.
    pub(super) fn publish(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let retired = self.retired.contains_key(&link);
        let Some(upstream) = self.upstream_of(link) else { return };
        let Some(mut draft) = upstream.draft.take() else { return };
        upstream.via = core::mem::take(&mut draft.via);
        upstream.listed_at = cx.now;
        let (id, name, interactive) = (upstream.id, upstream.name.clone(), upstream.interactive);
        let shared = upstream.owner == Owner::Project;
        // What does not come is said once, however often it is asked for.
        if upstream.listless == 0 || draft.failed().is_empty() {
            if let Some(why) = draft.failed().values().next() {
                cx.report(&name, LogLevel::Warning, LogCategory::Configuration, why.clone());
            }
            report_left_out(cx, &name, &draft);
        }
        if draft.failed().is_empty() {
            upstream.listless = 0;
        } else {
            upstream.ask_lists_at(cx.now.after(cx.limits().backoff(upstream.listless)));
            upstream.listless = upstream.listless.saturating_add(1);
        }
        if !shared && cx.snapshot.entry(id).is_some_and(|entry| entry.offer.is_some()) {
            if !retired {
                self.keep_offer(cx, link, draft.finish());
            }
            return;
        }
        if self.publishes(id) && !retired {
            let later = cx.now.after(cx.limits().debounce);
            return self.upstream_of(link).into_iter().for_each(|up| up.ask_lists_at(later));
        }
        let mut learnt = draft.finish();
        learnt.interactive |= interactive;
        let known =
            cx.snapshot.entry(id).and_then(|entry| entry.offer.as_ref()).map(|offer| offer.definitions());
        // A date that is out of date is worth to be stored: it says when the server was last asked for its era.
        let is_recent = |known: &Definitions| cx.now.since(known.fetched_at) < cx.limits().verdict;
        // Another process of the server may have been asked later and have told its lists before. A date that is still
        // to come is of another life of the hub, whose clock went ahead of this one.
        let is_old =
            known.is_some_and(|known| known.fetched_at > learnt.fetched_at && known.fetched_at <= cx.now);
        if retired
            || is_old
            || known.is_some_and(|known| only_the_date_differs(known, &learnt) && is_recent(known))
        {
            return self.retry_waiters(cx);
        }
        let counts = format!(
            "offers {} tools, {} prompts, {} resources, {} templates",
            learnt.tools.len(),
            learnt.prompts.len(),
            learnt.resources.len(),
            learnt.templates.len()
        );
        cx.report(&name, LogLevel::Info, LogCategory::Configuration, counts);
        self.publish_as(cx, learnt);
    }

    /// Whether something of a server is on its way into the snapshot.
    pub(super) fn publishes(&self, server: ServerId) -> bool {
        self.publications.contains_key(&server)
    }

    /// Puts it on its way. Until the new snapshot is here, requests that wait for this server go on waiting.
    pub(super) fn publish_as(&mut self, cx: &mut Cx<'_>, mut learnt: Definitions) {
        let known = cx.snapshot.entry(learnt.server).and_then(|entry| entry.offer.as_ref());
        learnt.fetched_at = dated(known, learnt.fetched_at);
        let publication = Publication { digest: learnt.spec_digest, learnt_at: learnt.fetched_at };
        self.publications.insert(learnt.server, publication);
        cx.effect(Effect::Publish { definitions: Box::new(learnt) });
    }

    /// A server says that its lists have changed. It is asked again through the process that says so.
    pub(super) fn on_lists_changed(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let at = cx.now.after(cx.limits().debounce);
        let upstream = self.upstream_of(link).filter(|upstream| has_lists(&upstream.owner));
        if let Some(upstream) = upstream {
            upstream.ask_lists_at(at);
        }
    }

    /// Whoever wants lists gets what is known. Of a server that does not tell when that changes, it is asked for them again where what
    /// is known is old.
    pub(super) fn look_again(&mut self, cx: &mut Cx<'_>, target: &Target) {
        let is_silent = |entry: &Entry| entry.offer.as_ref().is_some_and(|offer| !offer.tells_changes);
        let is_old = |upstream: &Upstream| {
            let may_ask = upstream.process.ready_link().is_some() && upstream.draft.is_none();
            may_ask && cx.now.since(upstream.listed_at) >= cx.limits().list_age
        };
        let silent = cx.snapshot.behind(target).filter(|entry| is_silent(entry));
        let old = silent.filter(|entry| self.upstreams.shared(entry.id).is_some_and(is_old));
        let old: Vec<Seat> = old.map(|entry| Seat::shared(entry.id)).collect();
        for seat in old {
            if let Some(upstream) = self.upstreams.get_mut(&seat) {
                upstream.ask_lists_at(cx.now);
            }
            self.check_lists(cx, &seat);
        }
    }

    /// Asks a server for its lists again when it is time, and starts it for that if everybody sees them.
    pub(super) fn check_lists(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        let learns = self.upstreams.get(seat).is_some_and(|upstream| self.learns(upstream));
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        if upstream.relearn_at.is_none_or(|at| at > cx.now) {
            return;
        }
        upstream.relearn_at = None;
        if learns {
            // What is being learnt right now may be older than the change: once more when that is done.
            upstream.relearn_at = Some(cx.now.after(cx.limits().debounce));
        } else if let Some(link) = upstream.process.ready_link() {
            self.relearn(cx, link);
        } else if let Some(until) = upstream.process.pauses_until().filter(|until| *until > cx.now) {
            upstream.relearn_at = Some(until);
        } else if seat.owner == Owner::Project && upstream.listless == 0 {
            upstream.process.want(cx.now);
        }
    }

    /// The page of a list that the hub has asked for, without entries that are nested too deeply to be read.
    pub(super) fn page_of(&mut self, cx: &Cx<'_>, link: LinkId, unread: &Unread) -> Option<Envelope> {
        let (text, id) = (unread.deep.as_ref()?, unread.replied.as_deref().and_then(number_of)?);
        let upstream = self.upstream_of(link)?;
        let Purpose::Learn(kind) = upstream.calls.get_mut(CallId(id))?.purpose else { return None };
        upstream.draft.as_mut()?.without_deep(kind, text, cx.limits())
    }

    /// Asks a server for its lists again.
    pub(super) fn relearn(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(seat) = self.upstream_at(link).map(Upstream::seat) else { return };
        let entry = cx.snapshot.entry(seat.server);
        let shared = entry.and_then(|entry| entry.offer.as_ref());
        // A list that is not answered stays as it was: in a process that serves somebody alone, as it was there.
        let Some(known) = self.private.get(&seat).or(shared).cloned() else { return };
        let remote = entry.is_some_and(|entry| entry.is_remote());
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.listed_at = cx.now;
        let draft = Draft::again(known.definitions(), cx.now).remote(remote);
        upstream.draft = Some(draft.patient_until(cx.now.after(cx.limits().list_wait)));
        self.begin_learning(cx, link);
    }
}

/// A publication is known by its date, so no two of a server have the same.
fn dated(known: Option<&Arc<Offer>>, date: Timestamp) -> Timestamp {
    known.map_or(date, |known| date.max(Timestamp(known.definitions().fetched_at.0.saturating_add(1))))
}

/// Says what of a server nobody can see.
fn report_left_out(cx: &mut Cx<'_>, server: &str, draft: &Draft) {
    let cut_at: Vec<&str> = draft.cut_at().iter().copied().collect();
    if !cut_at.is_empty() {
        let words = format!("its lists were cut at the limits {}", cut_at.join(", "));
        cx.report(server, LogLevel::Warning, LogCategory::Configuration, words);
    }
    if !draft.unusable().is_empty() {
        let words =
            format!("left out tools whose x-mcp-header breaks the rules: {}", draft.unusable().join(", "));
        cx.report(server, LogLevel::Warning, LogCategory::Configuration, words);
    }
    let ill_shaped = draft.ill_shaped();
    for (what, left_out) in [("entries", &ill_shaped.entries), ("members", &ill_shaped.members)] {
        if !left_out.named.is_empty() {
            let more =
                if left_out.more > 0 { format!(", and {} more", left_out.more) } else { String::new() };
            let words =
                format!("left out {what} that are not of their shape: {}{more}", left_out.named.join(", "));
            cx.report(server, LogLevel::Warning, LogCategory::Configuration, words);
        }
    }
}

/// Whether nothing else is new.
fn only_the_date_differs(known: &Definitions, learnt: &Definitions) -> bool {
    Definitions { fetched_at: known.fetched_at, ..learnt.clone() } == *known
}
