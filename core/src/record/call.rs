//! What is kept of calls.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::{KeyId, LogId, ProjectId, ServerId, Timestamp};

/// One call of a tool, of a client or of a plan, from its arrival to its end. Never its arguments or its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// When it ended.
    pub at: Timestamp,
    /// The server.
    pub server: ServerId,
    /// The tool, by its server's name for it.
    pub tool: Box<str>,
    /// Who called; `None` where the client had gone before its answer came.
    pub key: Option<KeyId>,
    /// The revision that the client speaks; empty where it had gone.
    pub revision: Cow<'static, str>,
    /// From its arrival to its end, in milliseconds.
    pub ms: u32,
    /// The client's message, in bytes.
    pub asked: u32,
    /// The server's answer, in bytes; 0 where there was none.
    pub answered: u32,
    /// How it ended.
    pub outcome: CallOutcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// With a result.
    Done,
    /// With a result that says that it is an error (`isError`).
    Failed,
    /// With an error of this JSON-RPC code, of the server or of the hub.
    Error(i32),
    /// It was given up by its client.
    Cancelled,
}

impl CallOutcome {
    /// Whether it did what its client wanted, as far as the hub can tell.
    pub fn is_good(self) -> bool {
        self == Self::Done
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.pad("done"),
            Self::Failed => f.pad("failed"),
            Self::Error(code) => f.pad(&alloc::format!("error {code}")),
            Self::Cancelled => f.pad("cancelled"),
        }
    }
}

/// Calls that were written together: a record for each would cost several times as much as the call, and most of it would say
/// the same as the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Its id, of the time when it was written: no call in it has ended later, and none in the next one that is earlier.
    pub id: LogId,
    /// The project.
    pub project: ProjectId,
    /// The calls.
    pub block: CallBlock,
}

/// Calls in the order in which they ended, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBlock {
    tools: Vec<CalledTool>,
    callers: Vec<CallerOf>,
    count: u32,
    /// One [`Entry`] after the other.
    entries: Vec<u8>,
}

/// What was called: its server, with the name that it had then, and its own name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CalledTool {
    server: ServerId,
    server_name: String,
    tool: Box<str>,
}

/// Who called: the key and the revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CallerOf {
    key: Option<KeyId>,
    revision: Cow<'static, str>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    at: Timestamp,
    tool: u16,
    caller: u16,
    ms: u32,
    asked: u32,
    answered: u32,
    outcome: CallOutcome,
}

impl CallBlock {
    /// Different tools, and different callers, of one block.
    const NAMES: usize = 256;

    /// Adds a call to the end. Gives it back if there is no room for its names. `name` is that of its server.
    pub fn push(&mut self, call: CallRecord, name: impl FnOnce() -> String) -> Result<(), CallRecord> {
        let of_tool = |it: &CalledTool| it.server == call.server && it.tool == call.tool;
        let of_caller = |it: &CallerOf| it.key == call.key && it.revision == call.revision;
        let tool = self.tools.iter().rposition(of_tool);
        let caller = self.callers.iter().rposition(of_caller);
        if tool.is_none() && self.tools.len() >= Self::NAMES
            || caller.is_none() && self.callers.len() >= Self::NAMES
        {
            return Err(call);
        }
        let CallRecord { at, server, tool: name_of_tool, key, revision, ms, asked, answered, outcome } = call;
        let tool = tool.unwrap_or_else(|| {
            self.tools.push(CalledTool { server, server_name: name(), tool: name_of_tool });
            self.tools.len().saturating_sub(1)
        });
        let caller = caller.unwrap_or_else(|| {
            self.callers.push(CallerOf { key, revision });
            self.callers.len().saturating_sub(1)
        });
        let [tool, caller] = [tool, caller].map(|place| u16::try_from(place).unwrap_or(u16::MAX));
        let entry = Entry { at, tool, caller, ms, asked, answered, outcome };
        // Writing to memory cannot fail.
        self.entries = postcard::to_extend(&entry, core::mem::take(&mut self.entries)).unwrap_or_default();
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// How many calls there are.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// How much room it takes, in bytes, about.
    pub fn weight(&self) -> usize {
        let names = self.tools.iter().map(|it| it.server_name.len().saturating_add(it.tool.len()));
        let names = names.chain(self.callers.iter().map(|_| 24));
        names.fold(self.entries.len().saturating_add(64), |sum, name| {
            sum.saturating_add(name).saturating_add(24)
        })
    }

    /// The calls, each with the name that its server had. Ends at what cannot be read.
    pub fn calls(&self) -> impl Iterator<Item = (&str, CallRecord)> {
        let mut rest = &*self.entries;
        core::iter::from_fn(move || {
            let (entry, after) = postcard::take_from_bytes::<Entry>(rest).ok()?;
            rest = after;
            let Entry { at, tool, caller, ms, asked, answered, outcome } = entry;
            let CalledTool { server, server_name, tool } = self.tools.get(usize::from(tool))?;
            let CallerOf { key, revision } = self.callers.get(usize::from(caller))?.clone();
            let (server, tool) = (*server, tool.clone());
            Some((
                &**server_name,
                CallRecord { at, server, tool, key, revision, ms, asked, answered, outcome },
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use uuid::Uuid;

    fn call(tool: &str, key: Option<&str>) -> CallRecord {
        CallRecord {
            at: Timestamp(1_763_700_000_123),
            server: ServerId(Uuid::from_u128(1)),
            tool: tool.into(),
            key: key.map(|key| KeyId(key.into())),
            revision: "2025-11-25".into(),
            ms: 12,
            asked: 140,
            answered: 4_000,
            outcome: CallOutcome::Done,
        }
    }

    #[test]
    fn names_are_written_once_and_the_rest_of_a_call_takes_few_bytes() {
        let mut block = CallBlock::default();
        let calls =
            [call("echo", Some("a")), call("add", Some("a")), call("echo", None), call("echo", Some("a"))];
        for call in &calls {
            block.push(call.clone(), || "everything".into()).unwrap();
        }
        assert_eq!((block.tools.len(), block.callers.len(), block.count()), (2, 2, 4));
        assert!(block.entries.len() <= 4 * 16, "{}", block.entries.len());
        let read: Vec<_> = block.calls().collect();
        assert_eq!(read, calls.map(|call| ("everything", call)));
    }

    #[test]
    fn a_call_whose_names_have_no_room_is_given_back() {
        let mut block = CallBlock::default();
        for number in 0..CallBlock::NAMES {
            block.push(call(&format!("tool{number}"), None), String::new).unwrap();
        }
        let more = call("more", None);
        assert_eq!(block.push(more.clone(), String::new), Err(more));
        assert_eq!(block.push(call("tool7", None), String::new), Ok(()));
        assert_eq!(block.count(), CallBlock::NAMES + 1);
    }
}
