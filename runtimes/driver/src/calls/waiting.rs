//! Calls that wait to be written, in bounds.

use std::mem;

use orch_core::ServerId;
use orch_core::record::{CallBlock, CallRecord};

use super::meter::Meter;

/// Calls of one record.
const BLOCK: usize = 4_096;

/// See the file.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    blocks: Vec<CallBlock>,
    count: usize,
    /// Servers that have had calls. Few: those of one project.
    servers: Vec<Known>,
    /// Calls that there was no room for, or that could not be written.
    lost: u64,
}

#[derive(Debug)]
struct Known {
    id: ServerId,
    name: String,
    meter: Meter,
}

impl Waiting {
    /// Counts a call, and takes it in if there is room. Returns how many wait.
    pub(super) fn put(&mut self, call: CallRecord, name: impl FnOnce() -> String, bound: usize) -> usize {
        let place = self.servers.iter().position(|known| known.id == call.server);
        let place = place.unwrap_or_else(|| {
            self.servers.push(Known { id: call.server, name: name(), meter: Meter::default() });
            self.servers.len() - 1
        });
        let Some(known) = self.servers.get_mut(place) else { return self.count };
        known.meter.count(&call);
        if self.count >= bound {
            self.lost += 1;
            return self.count;
        }
        self.count += 1;
        let name = || known.name.clone();
        let last = self.blocks.last_mut().filter(|block| block.count() < BLOCK);
        let refused = match last {
            Some(block) => block.push(call, name).err(),
            None => Some(call),
        };
        if let Some(call) = refused {
            let mut block = CallBlock::default();
            // An empty one has room for the names of one.
            drop(block.push(call, name));
            self.blocks.push(block);
        }
        self.count
    }

    /// The calls that wait, which do not any more. The second is how many were lost before.
    pub(super) fn take(&mut self) -> (Vec<CallBlock>, u64) {
        self.count = 0;
        (mem::take(&mut self.blocks), mem::take(&mut self.lost))
    }

    /// Calls could not be written.
    pub(super) fn lost(&mut self, calls: u64) {
        self.lost += calls;
    }

    pub(super) fn meters(&self) -> Vec<(String, Meter)> {
        self.servers.iter().map(|known| (known.name.clone(), known.meter.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_core::Timestamp;
    use orch_core::record::CallOutcome;

    fn call(ms: u32, outcome: CallOutcome) -> CallRecord {
        let server = ServerId::parse("00000000-0000-0000-0000-000000000001").unwrap();
        let (at, tool, revision) = (Timestamp(5), "echo".into(), "2025-11-25".into());
        CallRecord { at, server, tool, key: None, revision, ms, asked: 10, answered: 20, outcome }
    }

    fn sizes(waiting: &mut Waiting) -> (Vec<usize>, u64) {
        let (blocks, lost) = waiting.take();
        (blocks.iter().map(CallBlock::count).collect(), lost)
    }

    #[test]
    fn what_has_no_room_is_counted_all_the_same() {
        let mut waiting = Waiting::default();
        let outcomes =
            [CallOutcome::Done, CallOutcome::Failed, CallOutcome::Error(-32000), CallOutcome::Cancelled];
        for (ms, outcome) in [0, 1, 2, 120_001].into_iter().zip(outcomes) {
            waiting.put(call(ms, outcome), || "a".into(), 3);
        }
        assert_eq!(sizes(&mut waiting), (vec![3], 1));
        assert_eq!(sizes(&mut waiting), (vec![], 0));
        let [(name, meter)] = waiting.meters().try_into().unwrap();
        assert_eq!((&*name, meter.done, meter.failed, meter.errors, meter.cancelled), ("a", 1, 1, 1, 1));
        assert_eq!((meter.spans[0], meter.spans[1], meter.spans[11]), (2, 1, 1));
        assert_eq!((meter.ms, meter.asked, meter.answered), (120_004, 40, 80));
    }

    #[test]
    fn blocks_are_of_one_size_and_of_few_names() {
        let mut waiting = Waiting::default();
        for _ in 0..=BLOCK {
            waiting.put(call(1, CallOutcome::Done), || "a".into(), usize::MAX);
        }
        assert_eq!(sizes(&mut waiting), (vec![BLOCK, 1], 0));
        for number in 0..300 {
            let call = CallRecord { tool: format!("tool{number}").into(), ..call(1, CallOutcome::Done) };
            waiting.put(call, || "a".into(), usize::MAX);
        }
        assert_eq!(sizes(&mut waiting), (vec![256, 44], 0));
    }
}
