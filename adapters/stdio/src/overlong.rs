//! A line that is over the bound: it is read past, and what is kept of it is enough to tell which request it answers.

use bytes::Bytes;
use orch_core::rpc::answered_id;
use orch_core::{Exceeded, Fault};

/// The most that is kept of each end of such a line, in bytes: many times the length of what stands before and after
/// a result.
pub(crate) const EDGE: usize = 4 * 1024;

/// A line that was over the bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlong {
    /// Its first bytes.
    pub beginning: Bytes,
    /// Its last bytes, the line feed not counted. They may overlap with the first ones.
    pub end: Bytes,
    /// Its length in bytes, the line feed not counted.
    pub bytes: u64,
}

impl Overlong {
    /// The message to go on with in place of the line: an error for the request that it answers, if that can be told.
    pub(crate) fn instead(&self, limit: usize) -> Option<Bytes> {
        let id = answered_id(&self.beginning, &self.end)?;
        Some(Fault::from(Exceeded::by_answer(limit)).frame(Some(id)).into())
    }
}
