//! What is left out of a server's definitions since it is not of the shape that clients want, and how that is named.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How many of the definitions that are left out are named.
const NAMED: usize = 10;

/// What of a server's definitions is not of the shape that the specification gives it.
#[derive(Debug, Default)]
pub(crate) struct IllShaped {
    /// Entries that were left out, with what is wrong with each.
    pub entries: LeftOut,
    /// Members that were left out, and where.
    pub members: LeftOut,
}

/// The first of what was left out, by name, and how much more there was.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    pub named: Vec<String>,
    pub more: usize,
}

impl LeftOut {
    pub(super) fn add(&mut self, name: String) {
        if self.named.len() < NAMED {
            self.named.push(name);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

impl IllShaped {
    pub(super) fn note(&mut self, of: &str, left_out: BTreeSet<String>) {
        for member in left_out {
            self.members.add(format!("{member} of {of}"));
        }
    }

    pub(super) fn leave_out(&mut self, name: Option<String>, member: &str) {
        let name = name.unwrap_or_else(|| "one without a name".to_owned());
        self.entries.add(format!("{name} ({member})"));
    }
}
