//! What peers say, against the schema of the specification.
//!
//! Of what servers say of themselves, the rest is kept (here): clients check it, and refuse a whole list or a whole server for one
//! member of another type. What is asked and answered is taken whole or refused with the member that is wrong
//! ([`misfit`](strict::misfit), [`asked`]).
//!
//! A member that nobody needs is left out when it is of the wrong type; with one that is needed goes what needs it. What is of
//! the right shape, and what the schema does not know, stays as it was written.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::value::RawValue;

use self::schema::{CAPABILITIES, Member, Need, PROMPT, RESOURCE, Shape, TEMPLATE, TOOL};
use self::strict::misfit;
use super::ListKind;
use crate::rpc::Members;

pub(crate) mod asked;
mod schema;
mod strict;

/// Something in the shape that clients want, and the names of members that were left out for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shaped<'a> {
    pub json: Cow<'a, str>,
    pub left_out: BTreeSet<String>,
}

/// An entry of a list; the member that it cannot be without and that is of another shape, if there is one. `later` is
/// whether its server is of the stateless era.
pub(crate) fn entry(kind: ListKind, json: &str, later: bool) -> Result<Shaped<'_>, &'static str> {
    let shape = match kind {
        ListKind::Prompts => &PROMPT,
        ListKind::Resources => &RESOURCE,
        ListKind::Templates => &TEMPLATE,
        ListKind::Tools => &TOOL,
    };
    shaped(shape, json, later)
}

/// What a server says that it can do: an object.
pub(crate) fn capabilities(json: &str) -> Shaped<'_> {
    let empty = || Shaped { json: Cow::Borrowed("{}"), left_out: BTreeSet::new() };
    shaped(&CAPABILITIES, json, false).unwrap_or_else(|_| empty())
}

fn shaped<'a>(shape: &Shape, json: &'a str, later: bool) -> Result<Shaped<'a>, &'static str> {
    let mut fitting = Fitting { later, lacks: "what it is", left_out: BTreeSet::new() };
    match fitting.value(shape, json) {
        Some(json) => Ok(Shaped { json, left_out: fitting.left_out }),
        None => Err(fitting.lacks),
    }
}

/// A value that is looked through.
struct Fitting {
    later: bool,
    /// What was missed last: outermost, when all is done.
    lacks: &'static str,
    left_out: BTreeSet<String>,
}

impl Fitting {
    /// The value as it is, or what can be used of it.
    fn value<'a>(&mut self, shape: &Shape, raw: &'a str) -> Option<Cow<'a, str>> {
        match shape {
            Shape::Ability(_) if raw == "true" => Some(Cow::Borrowed("{}")),
            Shape::Ability(members) | Shape::Of(members) => self.object(members, raw),
            Shape::List(element) => self.list(element, raw),
            Shape::Map(shape) => self.map(raw, |fitting, raw| fitting.value(shape, raw)),
            Shape::Schemas => self.schemas(raw),
            Shape::Flag
            | Shape::Number
            | Shape::OneOf(_)
            | Shape::Part
            | Shape::Several(_)
            | Shape::Text
            | Shape::Typed(_) => misfit(shape, raw).is_none().then_some(Cow::Borrowed(raw)),
        }
    }

    fn object<'a>(&mut self, wanted: &[Member], raw: &'a str) -> Option<Cow<'a, str>> {
        let members = Members::read(raw.as_bytes())?;
        let there = |name: &str| members.0.iter().any(|(own, raw)| own == name && raw.get() != "null");
        if let Some(missing) = wanted.iter().find(|it| it.need == Need::Always && !there(it.name)) {
            self.lacks = missing.name;
            return None;
        }
        let mut lacks = None;
        let fitted = self.members(raw, &members, |fitting, name, raw| {
            let Some(member) = wanted.iter().find(|member| member.name == name) else {
                return Some(Cow::Borrowed(raw));
            };
            let fitted = fitting.value(&member.shape, raw);
            if fitted.is_none() && member.need != Need::Never && raw != "null" {
                lacks = Some(member.name);
            }
            fitted
        });
        self.lacks = lacks.unwrap_or(self.lacks);
        lacks.is_none().then_some(fitted)
    }

    fn map<'a>(
        &mut self,
        raw: &'a str,
        mut fit: impl FnMut(&mut Self, &'a str) -> Option<Cow<'a, str>>,
    ) -> Option<Cow<'a, str>> {
        let members = Members::read(raw.as_bytes())?;
        Some(self.members(raw, &members, |fitting, _, raw| fit(fitting, raw)))
    }

    fn schemas<'a>(&mut self, raw: &'a str) -> Option<Cow<'a, str>> {
        let later = self.later;
        let mut all = true;
        let fitted = self.map(raw, |_, raw| {
            let fitted = match raw {
                "true" | "false" if later => Some(raw),
                "true" => Some("{}"),
                "false" => Some(r#"{"not":{}}"#),
                _ => raw.starts_with('{').then_some(raw),
            };
            all &= fitted.is_some();
            fitted.map(Cow::Borrowed)
        });
        fitted.filter(|_| all)
    }

    fn list<'a>(&mut self, element: &Shape, raw: &'a str) -> Option<Cow<'a, str>> {
        let elements = serde_json::from_str::<Vec<&'a RawValue>>(raw).ok()?;
        let fitted = elements.iter().map(|it| self.value(element, it.get()));
        let fitted = fitted.collect::<Option<Vec<_>>>()?;
        let same = fitted.iter().zip(&elements).all(|(fitted, it)| **fitted == *it.get());
        Some(if same { Cow::Borrowed(raw) } else { Cow::Owned(["[", &fitted.join(","), "]"].concat()) })
    }

    /// The object with its members as they fit. Those that do not are left out.
    fn members<'a>(
        &mut self,
        raw: &'a str,
        members: &Members<'a>,
        mut fit: impl FnMut(&mut Self, &str, &'a str) -> Option<Cow<'a, str>>,
    ) -> Cow<'a, str> {
        let mut same = true;
        let object = members.with(|name, raw| {
            let fitted = fit(self, name, raw);
            if fitted.is_none() {
                self.left_out.insert(name.into());
            }
            same &= fitted.as_deref() == Some(raw);
            fitted
        });
        if same { Cow::Borrowed(raw) } else { Cow::Owned(String::from_utf8(object).unwrap_or_default()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ListKind::{Prompts, Resources, Templates, Tools};

    fn fits(kind: ListKind, json: &str) -> Option<String> {
        entry(kind, json, false).ok().map(|shaped| shaped.json.into_owned())
    }

    #[test]
    fn what_is_of_the_right_shape_stays_as_it_was_written() {
        for (kind, json) in [
            (
                Tools,
                r#"{ "name":"\u0061", "inputSchema": {"type" :"object","properties":{"a":{"type":1e400}},"required":["a"],"x":[1]},"x-y":null}"#,
            ),
            (
                Tools,
                r#"{"name":"a","inputSchema":{"type":"object"},"icons":[{"src":"s","sizes":["1x1"],"z":1}],"annotations":{"readOnlyHint":true,"q":2},"execution":{"taskSupport":"optional"},"outputSchema":{"type":"array"},"_meta":{"a/b":1}}"#,
            ),
            (Prompts, r#"{"name":"p","arguments":[{"name":"a","required":false}],"title":"t"}"#),
            (
                Resources,
                r#"{"uri":"u:1","name":"","size":1e3,"annotations":{"audience":["user"],"priority":0.5}}"#,
            ),
            (Templates, r#"{"uriTemplate":"u:{x}","name":"n","mimeType":"a/b"}"#),
        ] {
            let shaped = entry(kind, json, false);
            assert_eq!(shaped, Ok(Shaped { json: Cow::Borrowed(json), left_out: BTreeSet::new() }));
        }
    }

    #[test]
    fn an_entry_without_what_it_needs_is_left_out() {
        for input in [
            "[]",
            r#""x""#,
            "null",
            "7",
            r#"{"type":"array"}"#,
            "{}",
            r#"{"type":"object","properties":[]}"#,
            r#"{"type":"object","properties":{"a":5}}"#,
            r#"{"type":"object","required":"a"}"#,
        ] {
            let json = alloc::format!(r#"{{"name":"x","inputSchema":{input}}}"#);
            assert_eq!(entry(Tools, &json, true), Err("inputSchema"), "{input}");
        }
        for (kind, json, lacks) in [
            (Tools, r#"{"name":"noschema"}"#, "inputSchema"),
            (Tools, r#"{"name":5,"inputSchema":{"type":"object"}}"#, "name"),
            (Prompts, r#"{"title":"p"}"#, "name"),
            (Prompts, r#"{"name":"p","arguments":{"a":1}}"#, "arguments"),
            (Prompts, r#"{"name":"p","arguments":[{"title":"a"}]}"#, "arguments"),
            (Resources, r#"{"uri":"u:1"}"#, "name"),
            (Resources, r#"{"name":"n"}"#, "uri"),
            (Templates, r#"{"uriTemplate":[],"name":"n"}"#, "uriTemplate"),
            (Tools, "[1]", "what it is"),
        ] {
            assert_eq!(entry(kind, json, false), Err(lacks), "{json}");
        }
    }

    #[test]
    fn a_member_that_nobody_needs_is_left_out_alone() {
        for (kind, json, expected) in [
            (
                Tools,
                r#"{"name":"a","description":5,"inputSchema":{"type":"object","required":null},"annotations":[],"icons":5,"title":{},"_meta":1,"execution":true,"outputSchema":[]}"#,
                r#"{"name":"a","inputSchema":{"type":"object"}}"#,
            ),
            (
                Tools,
                r#"{"name":"a","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":"yes","title":"t"},"icons":[{}]}"#,
                r#"{"name":"a","inputSchema":{"type":"object"},"annotations":{"title":"t"}}"#,
            ),
            (
                Prompts,
                r#"{"name":"p","description":null,"arguments":[{"name":"a","description":null},{"name":"b"}]}"#,
                r#"{"name":"p","arguments":[{"name":"a"},{"name":"b"}]}"#,
            ),
            (
                Resources,
                r#"{"uri":"u:1","name":"n","mimeType":1,"size":"1","annotations":{"priority":2,"audience":["x"]}}"#,
                r#"{"uri":"u:1","name":"n","annotations":{}}"#,
            ),
        ] {
            assert_eq!(fits(kind, json).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_schema_that_is_a_boolean_is_of_the_stateless_era_and_an_object_before() {
        let json = r#"{"name":"a","inputSchema":{"type":"object","properties":{"a":true,"b":false,"c":{}}}}"#;
        let before =
            r#"{"name":"a","inputSchema":{"type":"object","properties":{"a":{},"b":{"not":{}},"c":{}}}}"#;
        assert_eq!(fits(Tools, json).as_deref(), Some(before));
        assert_eq!(entry(Tools, json, true).unwrap().json, json);
    }

    #[test]
    fn capabilities_are_objects() {
        for (said, expected) in [
            (
                r#"{"tools":true,"logging":7,"extensions":{"x":5,"y":{"z":1}},"own":5}"#,
                r#"{"tools":{},"extensions":{"y":{"z":1}},"own":5}"#,
            ),
            (
                r#"{"resources":{"subscribe":"yes","listChanged":true},"prompts":null}"#,
                r#"{"resources":{"listChanged":true}}"#,
            ),
            (r#"{"tools":{ },"experimental":{"a":{}}}"#, r#"{"tools":{ },"experimental":{"a":{}}}"#),
            ("[]", "{}"),
        ] {
            assert_eq!(capabilities(said).json, expected);
        }
    }
}
