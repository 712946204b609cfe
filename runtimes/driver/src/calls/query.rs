//! Questions about calls, as every face of an instance asks them.

use std::collections::BTreeMap;
use std::time::Duration;

use orch_core::ports::store::{ScanOrder, StoreError};
use orch_core::record::{CallOutcome, CallRecord, Calls};
use orch_core::{LogId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Gathered;
use super::meter::Meter;
use crate::admin::AdminError;
use crate::cell::Cell;
use crate::journal::page;
use crate::registry::Driver;

/// Which calls are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallQuery {
    /// Those of this server.
    pub server: Option<String>,
    /// Those of this tool, by its server's name for it.
    pub tool: Option<String>,
    /// Those with the key of this id.
    pub key: Option<String>,
    /// Those that did not end with a good result.
    pub only_failed: bool,
    /// Those that ended no longer ago than this.
    pub within: Option<Duration>,
    /// So many of the newest, at most; [`CallQuery::MOST`] in any case.
    pub limit: usize,
}

/// A call, as people read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLine {
    /// When it ended, in milliseconds since 1970.
    pub timestamp: Timestamp,
    /// The server's name at that time.
    pub server: String,
    /// The tool, by its server's name for it.
    pub tool: String,
    /// The id of the key that called; absent where the client had gone before the answer came.
    pub key: Option<String>,
    /// The revision that the client speaks; empty where it had gone.
    pub revision: String,
    /// From its arrival to its end, in milliseconds.
    pub ms: u32,
    /// The client's message, in bytes.
    pub asked: u32,
    /// The server's answer, in bytes.
    pub answered: u32,
    /// How it ended.
    pub outcome: CallOutcome,
}

/// What the calls of one tool were like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSummary {
    /// The server.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// How many calls.
    pub calls: usize,
    /// How many of them did not end with a good result.
    pub failed: usize,
    /// What half of them took at most, in milliseconds.
    pub p50_ms: u32,
    /// What all but one of a hundred took at most.
    pub p99_ms: u32,
    /// What the longest took.
    pub max_ms: u32,
    /// Bytes of all clients' messages.
    pub asked: u64,
    /// Bytes of all servers' answers.
    pub answered: u64,
}

impl CallQuery {
    /// Calls of one answer.
    pub const MOST: usize = 10_000;

    fn wants(&self, call: &CallRecord, server: &str, since: Timestamp) -> bool {
        call.at >= since
            && self.server.as_ref().is_none_or(|it| it == server)
            && self.tool.as_ref().is_none_or(|it| **it == *call.tool)
            && self.key.as_ref().is_none_or(|it| call.key.as_ref().is_some_and(|key| *key.0 == **it))
            && !(self.only_failed && call.outcome.is_good())
    }
}

impl Driver {
    /// The newest calls of a project that a query wants, oldest first. What has ended until now is among them.
    pub async fn calls(&self, project: &str, query: &CallQuery) -> Result<Vec<CallLine>, AdminError> {
        let cell = self.project(project)?;
        let limit = query.limit.min(CallQuery::MOST);
        let mut found = Vec::new();
        self.walk_calls(&cell, query, |server, call| {
            found.push(line(server, call));
            found.len() < limit
        })
        .await?;
        found.reverse();
        Ok(found)
    }

    /// What the calls that a query wants were like, tool by tool. Its limit is passed over.
    pub async fn call_summary(
        &self,
        project: &str,
        query: &CallQuery,
    ) -> Result<Vec<CallSummary>, AdminError> {
        let cell = self.project(project)?;
        let mut tools: BTreeMap<(String, String), (CallSummary, Vec<u32>)> = BTreeMap::new();
        self.walk_calls(&cell, query, |server, call| {
            let (sum, times) = tools.entry((server.to_owned(), call.tool.to_string())).or_default();
            sum.calls += 1;
            sum.failed += usize::from(!call.outcome.is_good());
            sum.asked += u64::from(call.asked);
            sum.answered += u64::from(call.answered);
            times.push(call.ms);
            true
        })
        .await?;
        let named = |((server, tool), (sum, times))| CallSummary { server, tool, ..timed(sum, times) };
        Ok(tools.into_iter().map(named).collect())
    }

    /// Counts of the calls of each server of a project since the start.
    pub fn meters(&self, project: &str) -> Result<Vec<(String, Meter)>, AdminError> {
        Ok(self.project(project)?.calls.meters())
    }

    /// Gives `each` the calls that are wanted, newest first, until it has enough.
    async fn walk_calls(
        &self,
        cell: &Cell,
        query: &CallQuery,
        mut each: impl FnMut(&str, CallRecord) -> bool + Send,
    ) -> Result<(), AdminError> {
        let ago =
            query.within.map_or(u64::MAX, |within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
        let since = Timestamp(self.now().0.saturating_sub(ago));
        let mut found = false;
        walk(cell, LogId::first_at(since), |calls| {
            let oldest_first: Vec<(&str, CallRecord)> = calls.block.calls().collect();
            for (server, call) in oldest_first.into_iter().rev() {
                if query.wants(&call, server, since) {
                    found = true;
                    if !each(server, call) {
                        return false;
                    }
                }
            }
            true
        })
        .await?;
        if let Some(server) = query.server.as_deref().filter(|_| !found) {
            cell.known(server)?;
        }
        Ok(())
    }
}

fn line(server: &str, call: CallRecord) -> CallLine {
    CallLine {
        timestamp: call.at,
        server: server.to_owned(),
        tool: call.tool.into_string(),
        key: call.key.map(|key| key.to_string()),
        revision: call.revision.into_owned(),
        ms: call.ms,
        asked: call.asked,
        answered: call.answered,
        outcome: call.outcome,
    }
}

fn timed(mut sum: CallSummary, mut times: Vec<u32>) -> CallSummary {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(place).copied().unwrap_or_default()
    };
    (sum.p50_ms, sum.p99_ms, sum.max_ms) = (at(50), at(99), at(100));
    sum
}

/// Gives `each` the records of after `from`, newest first, until it has enough.
async fn walk(
    cell: &Cell,
    from: LogId,
    mut each: impl FnMut(&Calls) -> bool + Send,
) -> Result<(), StoreError> {
    cell.calls.written().await;
    let mut before = LogId::LAST;
    loop {
        let found =
            page::<Gathered>(&*cell.world.store, cell.id, (from, before), ScanOrder::Descending).await?;
        let Some(oldest) = found.last() else { return Ok(()) };
        before = oldest.id;
        for calls in &found {
            if !each(calls) {
                return Ok(());
            }
        }
    }
}
