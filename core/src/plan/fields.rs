//! The members of an object that a plan is made of: those that are known, each of its kind.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use core::time::Duration;

use super::Pointer;
use super::fault::Faults;
use super::nearest::nearest;
use super::raw::{Kind, Raw};

/// An object.
pub(super) struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Raw<'a>)>,
    /// Where it stands.
    pub at: Pointer,
}

impl<'a> Fields<'a> {
    /// Reads an object that has some of the `known` members and no other ones.
    pub(super) fn read(value: Raw<'a>, at: Pointer, known: &[&str], faults: &mut Faults) -> Option<Self> {
        if value.kind() != Kind::Object {
            faults.add(&at, format!("an object is expected, not {}", value.kind().name()));
            return None;
        }
        let members = value.members();
        for (name, _) in members.iter().filter(|(name, _)| !known.contains(&&**name)) {
            let near = nearest(name, known.iter().copied());
            faults.add(&at.member(name), format!("there is no field {name:?} here{near}"));
        }
        Some(Self { members, at })
    }

    /// An object of which only some members are looked at.
    pub(super) fn any(value: Raw<'a>) -> Self {
        Self { members: value.members(), at: Pointer::default() }
    }

    pub(super) fn get(&self, name: &str) -> Option<(Raw<'a>, Pointer)> {
        let value = self.members.iter().find(|(own, _)| own == name);
        value.map(|(_, value)| (*value, self.at.member(name)))
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str, faults: &mut Faults) -> Option<String> {
        let Some((value, at)) = self.get(name) else {
            faults.add(&self.at, format!("the field {name:?} is missing"));
            return None;
        };
        let text = value.text();
        if text.is_none() {
            faults.add(&at, "a string is expected");
        }
        text.map(|text| (*text).to_owned())
    }

    pub(super) fn flag(&self, name: &str, faults: &mut Faults) -> bool {
        let Some((value, at)) = self.get(name) else { return false };
        let flag = value.bool();
        if flag.is_none() {
            faults.add(&at, "true or false is expected");
        }
        flag.unwrap_or_default()
    }

    /// A whole number within a range, whose end is the limit that has this name.
    pub(super) fn whole(
        &self,
        name: &str,
        (range, limit): (RangeInclusive<u64>, &str),
        faults: &mut Faults,
    ) -> Option<u64> {
        let (value, at) = self.get(name)?;
        let whole = value.whole().filter(|whole| range.contains(whole));
        if whole.is_none() {
            let (from, to) = range.into_inner();
            faults.add(&at, format!("a whole number from {from} to {to} (limit {limit}) is expected"));
        }
        whole
    }

    /// Milliseconds, at least one and at most so long.
    pub(super) fn millis(
        &self,
        name: &str,
        (most, limit): (Duration, &str),
        faults: &mut Faults,
    ) -> Option<Duration> {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        self.whole(name, (1..=most, limit), faults).map(Duration::from_millis)
    }
}
