//! Bounds that an operator sets: `NAME=VALUE`, the names as in `docs/limits.md`.
//!
//! The names and types of the bounds are asked of [`Limits`] itself, by way of its `Deserialize`: a bound that is added there can
//! be set here.

use std::collections::BTreeMap;
use std::time::Duration;

use orch_core::Limits;
use serde::Deserialize as _;
use serde::de::value::{Error, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

/// One bound, as it is written: its name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(String, String);

/// Reads `NAME=VALUE`, and whether there is such a bound and such a value for it.
pub fn setting(word: &str) -> Result<Setting, String> {
    let (name, value) = word.split_once('=').ok_or("expected NAME=VALUE, such as message_bytes=32MiB")?;
    if name.trim() == "drain" {
        return Err("drain is what --drain-seconds says".to_owned());
    }
    let setting = Setting(name.trim().to_owned(), value.trim().to_owned());
    limits(std::slice::from_ref(&setting)).map(|_| setting)
}

/// The bounds with these set; of several for one name the last counts.
pub fn limits(settings: &[Setting]) -> Result<Limits, String> {
    let all = settings.iter().map(|Setting(name, value)| (name.as_str(), value.as_str())).collect();
    Limits::deserialize(Group(&all)).map_err(|error| error.to_string())
}

/// Settings of one group of bounds, by their names in it.
struct Group<'a>(&'a BTreeMap<&'a str, &'a str>);

impl<'de> Deserializer<'de> for Group<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a group of limits has names"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut groups: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        let mut words = BTreeMap::new();
        for (name, value) in self.0 {
            match name.split_once('.') {
                Some((group, rest)) if fields.contains(&group) => {
                    groups.entry(group).or_default().insert(rest, *value);
                }
                _ if fields.contains(name) => drop(words.insert(*name, *value)),
                _ => return Err(Error::custom(format!("there is no limit {name}{}", near(name, fields)))),
            }
        }
        visitor.visit_map(Members { groups: groups.into_iter(), words: words.into_iter(), next: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The bounds that are meant, perhaps.
fn near(name: &str, fields: &[&str]) -> String {
    let parts: Vec<&str> = name.split(['_', '.', '-']).filter(|part| part.len() > 2).collect();
    let shares = |field: &&&str| parts.iter().any(|part| field.contains(part));
    let near: Vec<&str> = fields.iter().filter(shares).copied().take(5).collect();
    if near.is_empty() { String::new() } else { format!("; there is {}", near.join(", ")) }
}

struct Members<'a, G, W> {
    groups: G,
    words: W,
    next: Option<Value<'a>>,
}

enum Value<'a> {
    Group(BTreeMap<&'a str, &'a str>),
    /// Of the bound with this name.
    Word(&'a str, &'a str),
}

impl<'de, 'a, G, W> MapAccess<'de> for Members<'a, G, W>
where
    G: Iterator<Item = (&'a str, BTreeMap<&'a str, &'a str>)>,
    W: Iterator<Item = (&'a str, &'a str)>,
{
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let group = self.groups.next().map(|(name, group)| (name, Value::Group(group)));
        let next = group.or_else(|| self.words.next().map(|(name, word)| (name, Value::Word(name, word))));
        let Some((name, value)) = next else { return Ok(None) };
        self.next = Some(value);
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        match self.next.take() {
            Some(Value::Group(group)) => seed.deserialize(Group(&group)),
            Some(Value::Word(name, word)) => seed.deserialize(Word { name, word }),
            None => Err(Error::custom("a value without a name")),
        }
    }
}

/// The value of one bound.
struct Word<'a> {
    name: &'a str,
    word: &'a str,
}

impl Word<'_> {
    /// A number, or bytes with their unit. No bound is nothing: what it bounds would never be done.
    fn number(&self) -> Result<u64, Error> {
        const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let unit = UNITS.into_iter().find_map(|(unit, bytes)| Some((self.word.strip_suffix(unit)?, bytes)));
        let (digits, unit) = unit.unwrap_or((self.word, 1));
        let number = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| self.expected("a number above 0 such as 500 or 32MiB"))
    }

    /// A span with its unit.
    fn span(&self) -> Result<Duration, Error> {
        const UNITS: [(&str, u64); 5] =
            [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let unit = UNITS.into_iter().find_map(|(unit, ms)| Some((self.word.strip_suffix(unit)?, ms)));
        let ms = unit.and_then(|(digits, ms)| digits.trim().parse::<u32>().ok().map(|it| u64::from(it) * ms));
        let span = ms.filter(|ms| *ms > 0).map(Duration::from_millis);
        span.ok_or_else(|| self.expected("a span above 0 such as 250ms, 90s, 15m, 1h or 7d"))
    }

    fn expected(&self, what: &str) -> Error {
        Error::custom(format!("{}: expected {what}, not {:?}", self.name, self.word))
    }
}

impl<'de> Deserializer<'de> for Word<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom(format!("{} cannot be set", self.name)))
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.number()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = u32::try_from(self.number()?).map_err(|_| self.expected("a smaller number"))?;
        visitor.visit_u32(number)
    }

    /// [`Duration`] is a structure of seconds and nanoseconds.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        structure: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if structure != "Duration" {
            return Err(Error::custom(format!("{} has names of its own: {0}.NAME", self.name)));
        }
        let span = self.span()?;
        let parts = [span.as_secs(), u64::from(span.subsec_nanos())];
        visitor.visit_seq(SeqDeserializer::new(parts.into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(word: &str) -> String {
        setting(word).unwrap_err()
    }

    #[test]
    fn bounds_are_set_by_their_names_and_the_others_stay() {
        let words =
            ["message_bytes=40MiB", "call=90s", "log_flush=5ms", "planner.goal_bytes = 100", "call=2m"];
        let settings: Vec<Setting> = words.into_iter().map(|word| setting(word).unwrap()).collect();
        let mut expected = Limits {
            message_bytes: 40 << 20,
            call: Duration::from_mins(2),
            log_flush: Duration::from_millis(5),
            ..Limits::default()
        };
        expected.planner.goal_bytes = 100;
        assert_eq!(limits(&settings), Ok(expected));
        assert_eq!(limits(&[]), Ok(Limits::default()));
    }

    #[test]
    fn what_is_no_bound_or_no_value_of_it_is_refused_with_what_would_do() {
        assert_eq!(refusal("message_bytes"), "expected NAME=VALUE, such as message_bytes=32MiB");
        let unknown = refusal("message_byte=1");
        assert!(
            unknown.starts_with("there is no limit message_byte; there is ")
                && unknown.contains("message_bytes")
        );
        assert_eq!(refusal("zzz=1"), "there is no limit zzz");
        assert_eq!(
            refusal("message_bytes=40MB"),
            "message_bytes: expected a number above 0 such as 500 or 32MiB, not \"40MB\""
        );
        assert_eq!(
            refusal("call=90"),
            "call: expected a span above 0 such as 250ms, 90s, 15m, 1h or 7d, not \"90\""
        );
        for word in [
            "message_bytes=0",
            "message_bytes=-1",
            "call=0s",
            "call_repeats=5000000000",
            "message_bytes=99999999999GiB",
        ] {
            assert!(refusal(word).contains("expected a "), "{word}");
        }
        assert!(refusal("drain=5s").contains("--drain-seconds"));
        assert!(refusal("planner=1").contains("names"), "{}", refusal("planner=1"));
        assert!(refusal("planner.zzz=1").contains("no limit zzz"));
    }
}
