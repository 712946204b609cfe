//! Tasks that clients have begun at servers (2025-11-25, tasks; 2026-07-28, extension for tasks): which process has each, and whom
//! it concerns.
//!
//! What is asked about a task goes to the process that began it, also when its session has got another one meanwhile; to other
//! keys it does not exist. In 2025-11-25 its progress, which comes under the token of the call for as long as it goes on, concerns
//! the session that began it; its status, and what is asked because of it, also who of its key waits for its result.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::begun_stored::Changed;
use crate::upstream::Seat;
use crate::{CallId, KeyId, Limits, LinkId, ServerId, SessionId, TaskId, Timestamp};

/// What a task takes beside its names.
const OVERHEAD: usize = 256;

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    pub id: Box<str>,
    pub seat: Seat,
    /// The process that has it, by its link. The tasks of a remote server outlive links, and the hub.
    pub life: Life,
    /// In the stateless era there is none.
    pub session: Option<SessionId>,
    pub key: KeyId,
    /// Raw JSON of the token that its client chose.
    pub progress: Option<Box<str>>,
    pub ended: bool,
    /// Whether nobody has to come for its result any more.
    pub taken: bool,
    /// Each `tasks/result` that waits for it.
    pub awaited: Vec<CallId>,
    /// When its server may forget it.
    pub until: Timestamp,
}

/// How long a task may be there at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// As long as the process at this link.
    Process(LinkId),
    /// As long as its remote server remembers it, which no end of ours changes.
    Remote(TaskId),
}

impl Task {
    fn bytes(&self) -> usize {
        let names = self.id.len().saturating_add(self.progress.as_ref().map_or(0, |token| token.len()));
        names.saturating_add(OVERHEAD)
    }

    /// Whether it is what a server calls so over this link.
    fn is_at(&self, seat: &Seat, link: LinkId) -> bool {
        let there = match self.life {
            Life::Process(own) => own == link,
            Life::Remote(_) => true,
        };
        there && self.seat == *seat
    }
}

/// The tasks of a project, by the calls that began them. The oldest makes room.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub tasks: BTreeMap<CallId, Task>,
    bytes: usize,
    /// What the store does not know yet: tasks that have begun, and that are gone.
    pub changed: Changed,
}

impl Begun {
    pub(super) fn insert(&mut self, call: CallId, task: Task, now: Timestamp, limits: &Limits) {
        self.expire(now);
        self.changed.begin(&task, call);
        self.restore(call, task);
        while self.bytes > limits.begun_task_bytes {
            let Some(oldest) = self.least_wanted().and_then(|call| self.tasks.remove(&call)) else { return };
            self.changed.end(&oldest);
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// Takes up a task that the store knows already.
    pub(super) fn restore(&mut self, call: CallId, task: Task) {
        self.bytes = self.bytes.saturating_add(task.bytes());
        self.tasks.insert(call, task);
    }

    fn drop_where(&mut self, is_gone: impl Fn(&Task) -> bool) {
        for (_, task) in self.tasks.extract_if(.., |_, task| is_gone(task)) {
            self.bytes = self.bytes.saturating_sub(task.bytes());
            self.changed.end(&task);
        }
    }

    /// The oldest of the key that has most, and of its tasks one that has ended, if there is one: nobody makes those of others
    /// forgotten.
    fn least_wanted(&self) -> Option<CallId> {
        let mut had: BTreeMap<&KeyId, usize> = BTreeMap::new();
        for task in self.tasks.values() {
            let own = had.entry(&task.key).or_default();
            *own = own.saturating_add(task.bytes());
        }
        let (most, _) = had.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        let own = || self.tasks.iter().filter(|(_, task)| task.key == *most);
        own().find(|(_, task)| task.ended).or_else(|| own().next()).map(|(call, _)| *call)
    }

    /// The tasks of this name at a server, the newest first: each of its processes may give it to one.
    pub(super) fn named(&self, server: ServerId, id: &str, now: Timestamp) -> impl Iterator<Item = &Task> {
        let is_it = move |task: &&Task| task.seat.server == server && *task.id == *id && task.until > now;
        self.tasks.values().rev().filter(is_it)
    }

    /// What a server calls so over a link.
    pub(super) fn at(&self, seat: &Seat, link: LinkId, id: &str, now: Timestamp) -> Option<&Task> {
        self.named(seat.server, id, now).find(|task| task.is_at(seat, link))
    }

    fn at_mut(&mut self, seat: &Seat, link: LinkId, id: &str) -> Option<&mut Task> {
        self.tasks.values_mut().rev().find(|task| task.is_at(seat, link) && *task.id == *id)
    }

    /// The task that was begun with a call, as long as it goes on.
    pub(super) fn of_call(&self, call: CallId, seat: &Seat, link: LinkId, now: Timestamp) -> Option<&Task> {
        self.tasks.get(&call).filter(|task| !task.ended && task.until > now && task.is_at(seat, link))
    }

    /// A server says how a task stands.
    pub(super) fn hear(&mut self, seat: &Seat, link: LinkId, said: Option<&[u8]>) -> Option<&mut Task> {
        let said = Said::read(said).filter(Said::has_ended)?;
        let task = self.at_mut(seat, link, &said.task_id)?;
        task.ended = true;
        task.taken |= said.status == "cancelled";
        Some(task)
    }

    /// Whether a process has a task that goes on, or whose result its client has still to come for.
    pub(super) fn holds(&self, seat: &Seat, link: LinkId, now: Timestamp) -> bool {
        self.tasks.values().any(|task| !task.taken && task.until > now && task.is_at(seat, link))
    }

    /// Whether a process has a task that goes on.
    pub(super) fn works(&self, seat: &Seat, link: LinkId, now: Timestamp) -> bool {
        self.tasks.values().any(|task| !task.ended && task.until > now && task.is_at(seat, link))
    }

    /// A server gives a name: whatever had it is no task any more. A remote server that counts anew does so for all of its links.
    pub(super) fn rename(&mut self, seat: &Seat, link: LinkId, id: &str) {
        self.drop_where(|old| {
            let there = match old.life {
                Life::Process(own) => own == link,
                Life::Remote(_) => old.seat.server == seat.server,
            };
            there && *old.id == *id
        });
    }

    /// A process has ended, and its tasks with it.
    pub(super) fn end_life(&mut self, link: LinkId) {
        self.drop_where(|task| task.life == Life::Process(link));
    }

    /// A key was revoked: nobody may come for its tasks any more.
    pub(super) fn forget_key(&mut self, key: &KeyId) {
        self.drop_where(|task| task.key == *key);
    }

    /// Tasks that their servers may have forgotten go.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.drop_where(|task| task.until <= now);
    }

    /// Whether its bytes are those of the tasks.
    pub(super) fn is_sound(&self) -> bool {
        self.tasks.values().map(Task::bytes).sum::<usize>() == self.bytes
    }
}

/// What a server says of a task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub task_id: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    /// In milliseconds: 2025-11-25, and 2026-07-28. One that makes no sense makes no other task of it.
    #[serde(borrow, default)]
    ttl: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ttl_ms: Option<&'a RawValue>,
}

impl<'a> Said<'a> {
    pub(super) fn read(raw: Option<&'a [u8]>) -> Option<Self> {
        serde_json::from_slice(raw?).ok()
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(&*self.status, "cancelled" | "completed" | "failed")
    }

    pub(super) fn lives(&self, limits: &Limits) -> Duration {
        let ms = self.ttl.or(self.ttl_ms).and_then(|raw| raw.get().parse::<f64>().ok());
        let own = ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1_000.0).ok());
        own.map_or(limits.begun_task_age, |own| own.min(limits.begun_task_age))
    }
}
