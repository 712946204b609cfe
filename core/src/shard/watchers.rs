//! Who waits for which run without owning it. One run may have thousands of them, so that nothing here takes longer for all of them
//! than for the one that is meant, unless their run has something to say. Then they are told in portions: what is said to all at
//! once would be more than the clients of one key may leave unread, and nobody else would be heard meanwhile.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Token;
use crate::hub;
use crate::mcp::Method;
use crate::rpc::write;
use crate::run::StepReport;
use crate::upstream::Caller;
use crate::{ExchangeId, Limits, RunId, Timestamp};

/// So many portions are what clients of a key may leave unread: several of its runs may end at the same time.
const PORTIONS: usize = 8;

/// Between two portions of a run.
const PAUSE: Duration = Duration::from_millis(50);

/// Somebody who waits for the end of a run.
#[derive(Debug)]
pub(super) struct Watcher {
    pub caller: Caller,
    /// Whether it is a task to whoever waits.
    pub task: bool,
    /// How the steps stood when it was told last.
    seen: Vec<(&'static str, usize, usize)>,
    /// How many of them had ended then, and how often it was told so.
    told: (usize, u64),
}

/// Those of one run.
#[derive(Debug, Default)]
struct Audience {
    /// By the exchange that each is answered on, which several may share.
    all: BTreeMap<(ExchangeId, Token), Watcher>,
    /// Whether some do not know yet how the steps stand.
    has_new: bool,
    /// What is said at the end, once it is being said.
    end: Option<Vec<u8>>,
    /// Until when they are told nothing, so that others have their turn.
    rests_until: Option<Timestamp>,
}

/// Those of all runs.
#[derive(Debug, Default)]
pub(super) struct Watchers(BTreeMap<RunId, Audience>);

/// Bytes that may still be said before others have their turn.
#[derive(Debug)]
pub(super) struct Portion(usize);

impl Portion {
    /// All that there is to say.
    pub(super) fn whole() -> Self {
        Self(usize::MAX)
    }

    /// What the clients of a key read without having been asked for more.
    pub(super) fn of(limits: &Limits) -> Self {
        Self((limits.held_key_bytes / PORTIONS).max(1))
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    fn spend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }
}

impl Watchers {
    pub(super) fn add(&mut self, run: RunId, token: Token, caller: Caller, task: bool) {
        let audience = self.0.entry(run).or_default();
        // Only a run that goes on finds watchers.
        (audience.has_new, audience.end) = (true, None);
        let watcher = Watcher { seen: Vec::new(), told: (0, 0), task, caller };
        audience.all.insert((watcher.caller.exchange, token), watcher);
    }

    /// Whether anybody watches a run.
    pub(super) fn watch(&self, run: RunId) -> bool {
        self.0.contains_key(&run)
    }

    /// The runs that somebody watches.
    pub(super) fn runs(&self) -> Vec<RunId> {
        self.0.keys().copied().collect()
    }

    pub(super) fn callers(&self) -> impl Iterator<Item = &Caller> + Clone {
        self.0.values().flat_map(|audience| audience.all.values()).map(|watcher| &watcher.caller)
    }

    /// Who watches a run on an exchange of its own.
    pub(super) fn on(&self, run: RunId, exchange: ExchangeId) -> Option<&Caller> {
        let from = self.0.get(&run)?.all.range((exchange, Token(0))..);
        let mut here = from.take_while(|((at, _), _)| *at == exchange).map(|(_, watcher)| &watcher.caller);
        here.find(|caller| caller.ends)
    }

    /// How much may be said to those of a run now: nothing until they have had time to read what was said.
    pub(super) fn portion(&mut self, run: RunId, now: Timestamp, limits: &Limits) -> Portion {
        let Some(audience) = self.0.get_mut(&run) else { return Portion(0) };
        audience.rests_until.take_if(|until| *until <= now);
        let is_resting = audience.rests_until.is_some();
        if is_resting { Portion(0) } else { Portion::of(limits) }
    }

    /// Others have their turn.
    pub(super) fn rest(&mut self, run: RunId, now: Timestamp) {
        if let Some(audience) = self.0.get_mut(&run) {
            audience.rests_until = Some(now.after(PAUSE));
        }
    }

    /// When there is something to say again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|audience| audience.rests_until).min()
    }

    /// Whether those of a run are to be told something: it has changed, or some of them do not know how it stands.
    pub(super) fn are_curious(&mut self, run: RunId, has_changed: bool) -> bool {
        self.0.get_mut(&run).is_some_and(|it| core::mem::take(&mut it.has_new) || has_changed)
    }

    /// What each of a run is to be told of its steps, of which as many have ended as there are.
    pub(super) fn news(
        &mut self,
        run: RunId,
        (steps, progress): (&[StepReport], (usize, usize)),
        portion: &mut Portion,
    ) -> Vec<(Caller, Vec<u8>)> {
        let mut told = Vec::new();
        let Some(audience) = self.0.get_mut(&run) else { return told };
        for watcher in audience.all.values_mut() {
            if portion.is_spent() {
                audience.has_new = true;
                break;
            }
            if let Some(news) = watcher.news(steps, progress) {
                portion.spend(news.len());
                told.push((watcher.caller.clone(), news));
            }
        }
        told
    }

    /// What those of a run are told at its end, if they are being told.
    pub(super) fn end(&self, run: RunId) -> Option<&[u8]> {
        self.0.get(&run)?.end.as_deref()
    }

    /// Those of a run who are told now that it has ended, and how; they watch no more. For the others that is kept, whatever becomes
    /// of the run.
    pub(super) fn take(&mut self, run: RunId, end: &[u8], portion: &mut Portion) -> Vec<Watcher> {
        let mut taken = Vec::new();
        let Some(audience) = self.0.get_mut(&run) else { return taken };
        while !portion.is_spent()
            && let Some((_, watcher)) = audience.all.pop_first()
        {
            portion.spend(end.len());
            taken.push(watcher);
        }
        if audience.all.is_empty() {
            self.0.remove(&run);
        } else if audience.end.is_none() {
            audience.end = Some(end.to_vec());
        }
        taken
    }

    /// Those who are meant; they watch no more.
    pub(super) fn take_where(&mut self, which: impl Fn(&Caller) -> bool) -> Vec<Watcher> {
        let mut taken = Vec::new();
        for audience in self.0.values_mut() {
            taken.extend(audience.all.extract_if(.., |_, watcher| which(&watcher.caller)));
        }
        self.0.retain(|_, audience| !audience.all.is_empty());
        taken.into_iter().map(|(_, watcher)| watcher).collect()
    }

    /// Those who watch a run on an exchange watch no more. Whether there were any.
    pub(super) fn leave(&mut self, run: RunId, exchange: ExchangeId) -> bool {
        let Some(audience) = self.0.get_mut(&run) else { return false };
        let here = (exchange, Token(0))..=(exchange, Token(u64::MAX));
        let left = audience.all.extract_if(here, |_, _| true).count();
        if audience.all.is_empty() {
            self.0.remove(&run);
        }
        left > 0
    }
}

impl Watcher {
    /// What has changed since it was told last: a progress notification, if it wants to know.
    fn news(&mut self, steps: &[StepReport], (ended, all): (usize, usize)) -> Option<Vec<u8>> {
        let token = self.caller.progress.as_ref()?;
        let how = |step: &StepReport| (step.status, step.calls, step.failed);
        let changed = steps.iter().enumerate().filter(|(at, step)| self.seen.get(*at) != Some(&how(step)));
        let changed: Vec<&StepReport> = changed.map(|(_, step)| step).collect();
        if changed.is_empty() {
            return None;
        }
        self.told = (ended, if ended > self.told.0 { 1 } else { self.told.1.saturating_add(1) });
        let params = hub::run_news(token, (&growing(self.told), all), &changed);
        self.seen = steps.iter().map(how).collect();
        Some(write::request(None, Method::Progress.name(), Some(&params)))
    }
}

/// A number that is greater with each time that as many steps have ended, and less than with one step more: progress has to
/// increase with every notification (2025-11-25, progress).
fn growing((ended, times): (usize, u64)) -> String {
    const WHOLE: u64 = 1_000_000_000;
    match times.saturating_sub(1) {
        0 => format!("{ended}"),
        again => format!("{ended}.{:09}", again.saturating_mul(WHOLE) / again.saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::growing;

    #[test]
    fn progress_is_told_in_numbers_that_grow() {
        let told = (0..3).flat_map(|ended| (1..5_000).map(move |times| (ended, times)));
        let numbers: alloc::vec::Vec<f64> = told.map(|told| growing(told).parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|before, after| before < after));
        assert_eq!((growing((0, 1)), growing((2, 2))), ("0".into(), "2.500000000".into()));
    }
}
