//! Questions about logs, as every face of an instance asks them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use orch_core::ports::store::{ScanOrder, StoreError};
use orch_core::record::{LogCategory, LogEntry, LogLevel};
use orch_core::{LogId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Waiting;
use crate::admin::AdminError;
use crate::cell::Cell;
use crate::journal::{Kind, page};
use crate::registry::Driver;

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Those of this server.
    pub server: Option<String>,
    /// Those of this level or a more serious one.
    pub level: Option<LogLevel>,
    /// Those of this category.
    pub category: Option<LogCategory>,
    /// Those that are not older.
    pub within: Option<Duration>,
    /// Those that came after this one, the oldest of them; without it, the newest of all.
    pub after: Option<LogId>,
    /// Those that came before this one.
    pub before: Option<LogId>,
    /// So many, at most; [`LogQuery::MOST`] in any case.
    pub limit: usize,
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSummary {
    /// How many entries.
    pub entries: usize,
    /// How many of each level.
    pub levels: BTreeMap<LogLevel, usize>,
    /// How many of each category.
    pub categories: BTreeMap<LogCategory, usize>,
    /// The time of the oldest.
    pub first: Option<Timestamp>,
    /// The time of the newest.
    pub last: Option<Timestamp>,
    /// The newest of level ERROR or CRITICAL.
    pub last_error: Option<LogEntry>,
}

impl LogQuery {
    /// Entries of one answer: whoever wants more asks again, before or after the last.
    pub const MOST: usize = 500;

    fn wants(&self, entry: &LogEntry) -> bool {
        self.server.as_ref().is_none_or(|server| *server == entry.server)
            && self.level.is_none_or(|least| entry.level >= least)
            && self.category.is_none_or(|category| category == entry.category)
    }
}

impl LogSummary {
    fn add(&mut self, entry: LogEntry) {
        self.entries += 1;
        *self.levels.entry(entry.level).or_default() += 1;
        *self.categories.entry(entry.category).or_default() += 1;
        self.first.get_or_insert(entry.timestamp);
        self.last = Some(entry.timestamp);
        if entry.level >= LogLevel::Error {
            self.last_error = Some(entry);
        }
    }
}

impl Driver {
    /// The entries of a project that a query wants, oldest first. What was said until now is among them.
    pub async fn logs(&self, project: &str, query: &LogQuery) -> Result<Vec<LogEntry>, AdminError> {
        let cell = self.project(project)?;
        let order = if query.after.is_some() { ScanOrder::Ascending } else { ScanOrder::Descending };
        let since = query.within.map_or(LogId::FIRST, |within| LogId::first_at(before(self.now(), within)));
        let from = query.after.map_or(since, |after| after.next().max(since));
        let range = (from, query.before.unwrap_or(LogId::LAST));
        let limit = query.limit.min(LogQuery::MOST);
        let mut found = Vec::new();
        walk(&cell, range, order, |entry| {
            if query.wants(&entry) {
                found.push(entry);
            }
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .await?;
        if let Some(server) = query.server.as_deref().filter(|_| found.is_empty()) {
            cell.known(server)?;
        }
        if order == ScanOrder::Descending {
            found.reverse();
        }
        Ok(found)
    }

    /// What the log of a project, or of one server of it, holds.
    pub async fn log_summary(&self, project: &str, server: Option<&str>) -> Result<LogSummary, AdminError> {
        let cell = self.project(project)?;
        let mut summary = LogSummary::default();
        walk(&cell, (LogId::FIRST, LogId::LAST), ScanOrder::Ascending, |entry| {
            if server.is_none_or(|server| server == entry.server) {
                summary.add(entry);
            }
            ControlFlow::Continue(())
        })
        .await?;
        if let Some(server) = server.filter(|_| summary.entries == 0) {
            cell.known(server)?;
        }
        Ok(summary)
    }

    /// Removes the entries of a project that are older. Returns how many there were.
    pub async fn clean_logs(&self, project: &str, older_than: Duration) -> Result<usize, AdminError> {
        let cell = self.project(project)?;
        Ok(cell.logs.clean(before(self.now(), older_than)).await?)
    }
}

/// Gives `each` the entries of a range, until it has enough.
async fn walk(
    cell: &Cell,
    (mut from, mut before): (LogId, LogId),
    order: ScanOrder,
    mut each: impl FnMut(LogEntry) -> ControlFlow<()> + Send,
) -> Result<(), StoreError> {
    cell.logs.written(false).await;
    loop {
        let found = page::<Waiting>(&*cell.world.store, cell.id, (from, before), order).await?;
        let is_last = found.len() < Waiting::PAGE;
        for entry in found {
            match order {
                ScanOrder::Ascending => from = entry.id.next(),
                ScanOrder::Descending => before = entry.id,
            }
            if each(entry).is_break() {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}
