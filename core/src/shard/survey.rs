//! From what a server says to what its clients see.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Cx, Effect, Severity, Shard};
use crate::LinkId;
use crate::record::Definitions;
use crate::upstream::Draft;
use alloc::format;

impl Shard {
    /// Publishes what was learnt, unless it is what was known.
    pub(super) fn publish(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let retired = self.retired.contains_key(&link);
        let Some(upstream) = self.upstream_of(link) else { return };
        let Some(draft) = upstream.draft.take() else { return };
        let (id, name) = (upstream.id, upstream.name.clone());
        let cut_at: Vec<&str> = draft.cut_at().iter().copied().collect();
        if !cut_at.is_empty() {
            let words = format!("its lists were cut at the limits {}", cut_at.join(", "));
            cx.report(&name, Severity::Warning, words);
        }
        let learnt = draft.finish();
        let known =
            cx.snapshot.entry(id).and_then(|entry| entry.offer.as_ref()).map(|offer| offer.definitions());
        if retired || known.is_some_and(|known| says_the_same(known, &learnt)) {
            return self.retry_waiters(cx);
        }
        let counts = format!(
            "offers {} tools, {} prompts, {} resources, {} templates",
            learnt.tools.len(),
            learnt.prompts.len(),
            learnt.resources.len(),
            learnt.templates.len()
        );
        cx.report(&name, Severity::Info, counts);
        // Until the new snapshot is here, requests that wait for this server go on waiting.
        if let Some(upstream) = self.upstream_of(link) {
            upstream.publishing = true;
        }
        cx.effect(Effect::Publish { definitions: Box::new(learnt) });
    }

    /// Asks a server for its lists again.
    pub(super) fn relearn(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let known = cx.snapshot.entry(upstream.id).and_then(|entry| entry.offer.as_ref());
        let Some(known) = known else { return };
        upstream.draft = Some(Draft::again(known.definitions(), cx.now));
        self.learn_next(cx, link, None);
    }
}

fn says_the_same(known: &Definitions, learnt: &Definitions) -> bool {
    Definitions { fetched_at: known.fetched_at, ..learnt.clone() } == *known
}
