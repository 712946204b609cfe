//! Conditions: whether a step runs at all. JSON, and no language.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::cmp::Ordering;

use super::fault::Faults;
use super::nearest::unknown;
use super::raw::{Kind, Raw};
use super::reference::{Meaning, Scope, meaning};
use super::{Bound, Pattern, Pointer, Reference};

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All of them hold.
    All(Vec<Self>),
    /// One of them holds.
    Any(Vec<Self>),
    /// Two values stand to each other like this.
    Compares(Comparison, Box<[Pattern; 2]>),
    /// There is a value, and it is not null.
    Exists(Reference),
    /// It does not hold.
    Not(Box<Self>),
}

/// How two values stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same, however they are spelt.
    Equals,
    /// Greater. Two numbers or two texts; so are the next three.
    Greater,
    /// Greater or the same.
    GreaterOrEqual,
    /// Less.
    Less,
    /// Less or the same.
    LessOrEqual,
    /// Not the same.
    NotEquals,
}

/// Where the values of a condition come from.
pub trait Values {
    /// The raw JSON of a reference, `None` where nothing is there. The error says why that cannot be known.
    fn value(&mut self, reference: &Reference) -> Result<Option<Bytes>, String>;

    /// So much is about to be read of the values.
    fn read(&mut self, bytes: usize) -> Result<(), Bound>;

    /// How long a value may be that is put together.
    fn longest(&self) -> Bound;
}

/// Why a value cannot be put together.
enum Gap {
    Nothing,
    Unknown(String),
}

impl From<Bound> for Gap {
    fn from(bound: Bound) -> Self {
        Self::Unknown(too_much(bound))
    }
}

fn too_much(bound: Bound) -> String {
    format!("{bound} by its condition")
}

/// Comparing objects and arrays takes that much more than reading them once: each level is read again.
const LEVELS: usize = 8;

/// The words of conditions.
pub(super) const WORDS: [&str; 10] =
    ["and", "or", "not", "exists", "equals", "not_equals", "gt", "gte", "lt", "lte"];

impl Condition {
    /// Reads a condition.
    pub(super) fn read(value: Raw<'_>, at: &Pointer, scope: Scope<'_>, faults: &mut Faults) -> Option<Self> {
        let members = value.members();
        let [(word, operand)] = members.as_slice() else {
            let words = WORDS.join(", ");
            faults.add(at, format!("a condition is an object with one member, one of {words}"));
            return None;
        };
        let at = at.member(word);
        let compares = |comparison| (comparison, *operand);
        let (comparison, operand) = match &**word {
            "and" => return all(*operand, &at, scope, faults).map(Self::All),
            "or" => return all(*operand, &at, scope, faults).map(Self::Any),
            "not" => return Some(Self::Not(Box::new(Self::read(*operand, &at, scope, faults)?))),
            "exists" => return exists(*operand, &at, scope, faults).map(Self::Exists),
            "equals" => compares(Comparison::Equals),
            "not_equals" => compares(Comparison::NotEquals),
            "gt" => compares(Comparison::Greater),
            "gte" => compares(Comparison::GreaterOrEqual),
            "lt" => compares(Comparison::Less),
            "lte" => compares(Comparison::LessOrEqual),
            word => {
                faults.add(&at, unknown("condition", word, WORDS.into_iter()));
                return None;
            }
        };
        let [one, other] = operand.elements()[..] else {
            faults.add(&at, "two values are compared: an array of two");
            return None;
        };
        let one = Pattern::read(one, &at.element(0), scope, faults);
        let other = Pattern::read(other, &at.element(1), scope, faults);
        Some(Self::Compares(comparison, Box::new([one, other])))
    }

    /// Whether it holds. What is not there is the same as nothing, and neither greater nor less than anything. The error says
    /// which values cannot be ordered, or which bound was reached.
    pub fn holds(&self, values: &mut dyn Values) -> Result<bool, String> {
        match self {
            Self::All(all) => {
                all.iter().try_fold(true, |holds, one| if holds { one.holds(values) } else { Ok(false) })
            }
            Self::Any(all) => {
                all.iter().try_fold(false, |holds, one| if holds { Ok(true) } else { one.holds(values) })
            }
            Self::Compares(comparison, two) => {
                let [one, other] = &**two;
                let (Some(one), Some(other)) = (value(one, values)?, value(other, values)?) else {
                    return Ok(*comparison == Comparison::NotEquals);
                };
                let (one, other) = (Raw::of(&one), Raw::of(&other));
                let bytes = one.0.len().saturating_add(other.0.len());
                let levels = if matches!(one.kind(), Kind::Array | Kind::Object) { LEVELS } else { 1 };
                values.read(bytes.saturating_mul(levels)).map_err(too_much)?;
                comparison.holds(one, other)
            }
            Self::Exists(reference) => {
                Ok(values.value(reference)?.is_some_and(|value| Raw::of(&value).kind() != Kind::Null))
            }
            Self::Not(condition) => Ok(!condition.holds(values)?),
        }
    }

    /// Shows each reference to a value that is compared with another.
    pub(super) fn visit_compared<'a>(&'a self, see: &mut dyn FnMut(&'a Reference)) {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().for_each(|one| one.visit_compared(see)),
            Self::Compares(_, values) => values.iter().flat_map(Pattern::references).for_each(see),
            Self::Exists(_) => {}
            Self::Not(condition) => condition.visit_compared(see),
        }
    }

    /// Shows each reference in it.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Reference)) {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().for_each(|one| one.visit(see)),
            Self::Compares(_, values) => values.iter().flat_map(Pattern::references).for_each(see),
            Self::Exists(reference) => see(reference),
            Self::Not(condition) => condition.visit(see),
        }
    }
}

/// A value that is compared. One that is a reference and nothing else is not copied.
fn value(pattern: &Pattern, values: &mut dyn Values) -> Result<Option<Bytes>, String> {
    if let Some(reference) = pattern.only() {
        return values.value(reference);
    }
    if let Some(literal) = pattern.literal() {
        return Ok(Some(Bytes::copy_from_slice(literal.0)));
    }
    let longest = values.longest();
    let fill = |it: &Reference| values.value(it).map_err(Gap::Unknown)?.ok_or(Gap::Nothing);
    match pattern.fill(longest, fill) {
        Ok(filled) => Ok(Some(filled.into())),
        Err(Gap::Nothing) => Ok(None),
        Err(Gap::Unknown(words)) => Err(words),
    }
}

fn all(operand: Raw<'_>, at: &Pointer, scope: Scope<'_>, faults: &mut Faults) -> Option<Vec<Condition>> {
    let elements = operand.elements();
    if elements.is_empty() {
        faults.add(at, "an array of at least one condition is expected");
        return None;
    }
    let read = |(index, element)| Condition::read(element, &at.element(index), scope, faults);
    elements.into_iter().enumerate().map(read).collect()
}

fn exists(operand: Raw<'_>, at: &Pointer, scope: Scope<'_>, faults: &mut Faults) -> Option<Reference> {
    match meaning(operand, at, scope, faults) {
        Meaning::Reference(reference) => return Some(reference),
        Meaning::Literal(_) | Meaning::Plain => {
            faults.add(at, "exists takes a reference: {\"$from\": step, \"path\": pointer}");
        }
        Meaning::Nothing => {}
    }
    None
}

impl Comparison {
    fn holds(self, one: Raw<'_>, other: Raw<'_>) -> Result<bool, String> {
        let equal = || equal(one, other);
        let order = || {
            order(one, other).ok_or_else(|| {
                let (one, other) = (one.kind().name(), other.kind().name());
                format!("{one} and {other} have no order: two numbers or two strings have")
            })
        };
        Ok(match self {
            Self::Equals => equal(),
            Self::NotEquals => !equal(),
            Self::Greater => order()?.is_gt(),
            Self::GreaterOrEqual => order()?.is_ge(),
            Self::Less => order()?.is_lt(),
            Self::LessOrEqual => order()?.is_le(),
        })
    }
}

/// Whether two values are the same. Numbers are by what they are worth: 1 and 1.0.
pub(super) fn equal(one: Raw<'_>, other: Raw<'_>) -> bool {
    if one.0 == other.0 {
        return true;
    }
    match (one.kind(), other.kind()) {
        (Kind::Array, Kind::Array) => {
            all_equal(&one.elements(), &other.elements(), |one, other| equal(*one, *other))
        }
        (Kind::Object, Kind::Object) => {
            let [one, other] = [one, other].map(|object| {
                let mut members = object.members();
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
                members
            });
            all_equal(&one, &other, |(name, one), (other_name, other)| {
                name == other_name && equal(*one, *other)
            })
        }
        (Kind::String, Kind::String) | (Kind::Number, Kind::Number) => {
            order(one, other) == Some(Ordering::Equal)
        }
        (_, _) => false,
    }
}

fn all_equal<T>(one: &[T], other: &[T], equal: impl Fn(&T, &T) -> bool) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
}

/// Which of two numbers is greater, or which of two texts comes later by its characters.
pub(super) fn order(one: Raw<'_>, other: Raw<'_>) -> Option<Ordering> {
    match (one.kind(), other.kind()) {
        // Large whole numbers are more than a double can tell apart.
        (Kind::Number, Kind::Number) => match (whole(one), whole(other)) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            (None | Some(_), _) => one.number()?.partial_cmp(&other.number()?),
        },
        (Kind::String, Kind::String) => Some(one.text()?.cmp(&other.text()?)),
        (_, _) => None,
    }
}

fn whole(number: Raw<'_>) -> Option<i128> {
    number.spelling().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Allowance;
    use crate::rpc::JsonLimits;
    use crate::{Limit, Limits};
    use alloc::borrow::ToOwned;
    use alloc::collections::BTreeMap;

    /// Whether a condition holds over a step `a` whose value is `{"n":2,"s":"x","z":null,"l":"0123456789"}`.
    fn holds(condition: &str) -> Result<bool, String> {
        let ids: BTreeMap<String, usize> = [("a".to_owned(), 0)].into();
        let (mut faults, scope) = (Faults::default(), Scope { ids: &ids, iterates: false });
        let condition =
            Condition::read(Raw::of(condition.as_bytes()), &Pointer::default(), scope, &mut faults);
        assert_eq!(faults.0, []);
        condition.unwrap().holds(&mut One(Allowance::new(bound(10), bound(1_000))))
    }

    fn bound(most: usize) -> Bound {
        Bound { limit: Limit::BodyBytes, most }
    }

    struct One(Allowance);

    impl Values for One {
        fn value(&mut self, reference: &Reference) -> Result<Option<Bytes>, String> {
            let value = Bytes::from_static(br#"{"n":2,"s":"x","z":null,"l":"0123456789"}"#);
            let json = JsonLimits::of_upstreams(&Limits::default());
            reference.pointer.within(&value, json, &mut self.0).map_err(too_much)
        }

        fn read(&mut self, bytes: usize) -> Result<(), Bound> {
            self.0.read(bytes)
        }

        fn longest(&self) -> Bound {
            self.0.longest()
        }
    }

    #[test]
    fn what_is_put_together_or_compared_is_bounded_and_what_only_stands_there_is_not() {
        let over = |condition: &str| holds(condition).unwrap_err();
        assert_eq!(over(r#"{"equals":["{{a#/l}}","x"]}"#), "limit body_bytes reached (10) by its condition");
        assert_eq!(holds(r#"{"equals":[{"$from":"a","path":"/l"},"0123456789"]}"#), Ok(true));
        let many = [r#"{"equals":[{"$from":"a"},{"$from":"a"}]}"#; 3].join(",");
        assert_eq!(
            over(&format!(r#"{{"and":[{many}]}}"#)),
            "limit body_bytes reached (1000) by its condition"
        );
    }

    #[test]
    fn values_are_compared_by_what_they_are_worth() {
        for (condition, expected) in [
            (r#"{"equals":[{"$from":"a","path":"/n"},2.0]}"#, true),
            (r#"{"not_equals":[{"$from":"a","path":"/n"},2e0]}"#, false),
            (r#"{"equals":[[1,{"a":2,"b":[]}],[1.0,{"b":[],"a":2e0}]]}"#, true),
            (r#"{"equals":[[1,{"a":2}],[1,{"a":2,"b":null}]]}"#, false),
            (r#"{"equals":[[1,2],[1]]}"#, false),
            (r#"{"equals":["{{a#/s}}y","xy"]}"#, true),
            (r#"{"equals":[{"p":{"$from":"a","path":"/s"}},{"p":"x"}]}"#, true),
            (r#"{"gt":[{"$from":"a","path":"/n"},1]}"#, true),
            (r#"{"gte":[2,2]}"#, true),
            (r#"{"lt":["a","b"]}"#, true),
            (r#"{"lte":[9007199254740993,9007199254740992]}"#, false),
            (r#"{"gt":[1.5,1]}"#, true),
        ] {
            assert_eq!(holds(condition), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn what_is_not_there_is_like_nothing_and_in_no_order() {
        for (condition, expected) in [
            (r#"{"exists":{"$from":"a","path":"/n"}}"#, true),
            (r#"{"exists":{"$from":"a","path":"/z"}}"#, false),
            (r#"{"exists":{"$from":"a","path":"/none"}}"#, false),
            (r#"{"equals":[{"$from":"a","path":"/none"},null]}"#, false),
            (r#"{"not_equals":[{"$from":"a","path":"/none"},1]}"#, true),
            (r#"{"gt":[{"$from":"a","path":"/none"},1]}"#, false),
        ] {
            assert_eq!(holds(condition), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn and_or_and_not_are_what_they_say() {
        let (yes, no) = (r#"{"equals":[1,1]}"#, r#"{"equals":[1,2]}"#);
        for (condition, expected) in [
            (format!(r#"{{"and":[{yes},{yes}]}}"#), true),
            (format!(r#"{{"and":[{yes},{no}]}}"#), false),
            (format!(r#"{{"or":[{no},{yes}]}}"#), true),
            (format!(r#"{{"or":[{no},{no}]}}"#), false),
            (format!(r#"{{"not":{no}}}"#), true),
        ] {
            assert_eq!(holds(&condition), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn what_has_no_order_is_said() {
        assert!(holds(r#"{"gt":["1",1]}"#).unwrap_err().contains("string and number have no order"));
    }
}
