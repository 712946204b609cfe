//! Tasks of remote servers outlive the hub: what is remembered of them is in the store, so that in its next life they are still
//! those of the keys that began them. Their progress is not: no server reports it over another link.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::Shard;
use super::begun::{Begun, Life, Task};
use super::durable::{owner, serves};
use crate::ports::store::{Change, Expect};
use crate::record::{self, Record, RecordId};
use crate::upstream::Seat;
use crate::{CallId, ProjectId, TaskId};

/// What the store does not know yet.
#[derive(Debug, Default)]
pub(super) struct Changed {
    begun: Vec<CallId>,
    gone: Vec<TaskId>,
}

impl Changed {
    pub(super) fn begin(&mut self, task: &Task, call: CallId) {
        if matches!(task.life, Life::Remote(_)) {
            self.begun.push(call);
        }
    }

    pub(super) fn end(&mut self, task: &Task) {
        if let Life::Remote(id) = task.life {
            self.gone.push(id);
        }
    }

    /// Whether a task is said to have begun that the store does not know.
    pub(super) fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }
}

impl Begun {
    /// What goes to the store. A task that was gone at once goes there, and from there.
    pub(super) fn take_changes(&mut self, project: ProjectId) -> Vec<Change> {
        let Changed { begun, gone } = core::mem::take(&mut self.changed);
        let of_call = |call: CallId| stored(project, self.tasks.get(&call)?);
        let puts = begun.into_iter().filter_map(of_call);
        let puts = puts.map(|task| Change::Put(Record::Task(task), Expect::Anything));
        puts.chain(gone.into_iter().map(|id| Change::Remove(RecordId::Task(project, id)))).collect()
    }
}

fn stored(project: ProjectId, task: &Task) -> Option<record::Task> {
    let Life::Remote(id) = task.life else { return None };
    Some(record::Task {
        id,
        project,
        server: task.seat.server,
        name: (*task.id).to_owned(),
        serves: serves(&task.seat.owner),
        session: task.session,
        key: task.key.clone(),
        until: task.until,
    })
}

impl Shard {
    /// Takes up what an earlier life of the hub knew of a task.
    pub(super) fn restore_task(&mut self, stored: record::Task) {
        let owner = owner(stored.serves, stored.session, &stored.key);
        let task = Task {
            id: stored.name.into(),
            seat: Seat { server: stored.server, owner },
            life: Life::Remote(stored.id),
            session: stored.session,
            key: stored.key,
            progress: None,
            ended: false,
            taken: false,
            awaited: Vec::new(),
            until: stored.until,
        };
        let call = self.mint_call();
        self.begun.restore(call, task);
    }
}
