//! Whether literal values fit a JSON Schema: arguments of steps the `inputSchema` of their tools, and those of the tools for
//! plans their own.
//!
//! A part of JSON Schema is judged, in which nothing that fits is ever refused: `type`, `enum`, `const`, the bounds of numbers,
//! lengths and arrays, `required`, `properties`, `additionalProperties`, `items`, and, made of these, `allOf`, `anyOf`, `oneOf`
//! and a `$ref` within the schema. What another keyword says is the server's to judge, and so is what a reference will give.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::Pointer;
use super::condition::{equal, order};
use super::fault::{Faults, PlanFault};
use super::nearest::nearest;
use super::raw::{Kind, Raw};
use super::reference::MARKS;

/// What lies deeper, in a value or through references that lead round in a circle, is not judged.
const DEPTH: usize = 100;
/// How many alternatives are told of that do not fit.
const TOLD: usize = 4;

/// Judges values by one schema.
struct Judge<'s, 'l> {
    /// The whole schema: what its references are within.
    root: Raw<'s>,
    /// What they lead to.
    targets: BTreeMap<String, Option<Raw<'s>>>,
    depth: usize,
    /// Whether marks and templates stand for values that come from elsewhere.
    refers: bool,
    /// Bytes of schemas that may still be read.
    left: &'l mut usize,
}

/// The keywords of one part of a schema.
struct Keywords<'s>(Vec<(Cow<'s, str>, Raw<'s>)>);

/// What does not fit. `left` are the bytes of schemas that may be read for that; what goes beyond is not judged.
pub(super) fn check(schema: Raw<'_>, value: Raw<'_>, at: &Pointer, left: &mut usize) -> Vec<PlanFault> {
    let mut faults = Faults::default();
    Judge { root: schema, targets: BTreeMap::new(), depth: 0, refers: true, left }.check(
        schema,
        value,
        at,
        &mut faults,
    );
    faults.0
}

/// The same of a value that refers to nothing, whatever is in it.
pub(super) fn check_literal(schema: Raw<'_>, value: Raw<'_>, left: &mut usize) -> Vec<PlanFault> {
    let mut faults = Faults::default();
    Judge { root: schema, targets: BTreeMap::new(), depth: 0, refers: false, left }.check(
        schema,
        value,
        &Pointer::default(),
        &mut faults,
    );
    faults.0
}

impl<'s> Keywords<'s> {
    fn get(&self, name: &str) -> Option<Raw<'s>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    fn elements(&self, name: &str) -> Vec<Raw<'s>> {
        self.get(name).map(Raw::elements).unwrap_or_default()
    }

    /// A bound that a number keeps, or does not.
    fn broken(&self, name: &str, value: Raw<'_>, by: &[Ordering]) -> Option<Raw<'s>> {
        self.get(name).filter(|bound| order(value, *bound).is_some_and(|order| by.contains(&order)))
    }

    /// The least and the most of something that is counted.
    fn check_count(
        &self,
        count: u64,
        (least, most): (&str, &str),
        what: &str,
        at: &Pointer,
        faults: &mut Faults,
    ) {
        let bound = |name| self.get(name).and_then(Raw::whole);
        if let Some(least) = bound(least).filter(|least| count < *least) {
            faults.add(at, format!("at least {least} {what} are expected"));
        }
        if let Some(most) = bound(most).filter(|most| count > *most) {
            faults.add(at, format!("at most {most} {what} are expected"));
        }
    }
}

impl<'s> Judge<'s, '_> {
    fn check(&mut self, schema: Raw<'s>, value: Raw<'_>, at: &Pointer, faults: &mut Faults) {
        let value = match marked(value).filter(|_| self.refers) {
            Some(("$literal", literal)) => literal,
            Some(_) => return,
            None => value,
        };
        if schema.bool() == Some(false) {
            return faults.add(at, "nothing is expected here");
        }
        if self.depth == DEPTH || !self.may_read(schema) {
            return;
        }
        self.depth = self.depth.saturating_add(1);
        let keywords = Keywords(schema.members());
        // References within a part that has a name of its own are not into the whole.
        let is_own = keywords.get("$id").is_none() || schema == self.root;
        match keywords.get("$ref") {
            _ if !is_own => {}
            // Beside it other keywords mean nothing in older drafts.
            Some(reference) => {
                if let Some(target) = self.target(reference) {
                    self.check(target, value, at, faults);
                }
            }
            None => self.check_keywords(&keywords, value, at, faults),
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn may_read(&mut self, schema: Raw<'_>) -> bool {
        let left = self.left.checked_sub(schema.0.len());
        *self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// What a reference leads to, if that is within the schema.
    fn target(&mut self, reference: Raw<'_>) -> Option<Raw<'s>> {
        let text = reference.text()?.into_owned();
        if let Some(known) = self.targets.get(&text) {
            return *known;
        }
        // An anchor is not looked for, and neither is what is written in percents.
        let pointer = text.strip_prefix('#').filter(|rest| !rest.contains('%')).and_then(Pointer::parse);
        let target =
            pointer.filter(|_| self.may_read(self.root)).and_then(|pointer| pointer.part_of(self.root));
        self.targets.insert(text, target);
        target
    }

    fn check_keywords(&mut self, keywords: &Keywords<'s>, value: Raw<'_>, at: &Pointer, faults: &mut Faults) {
        for all in keywords.elements("allOf") {
            self.check(all, value, at, faults);
        }
        // Whether more than one of `oneOf` fits cannot be said by who judges a part.
        for name in ["anyOf", "oneOf"] {
            self.check_alternatives(&keywords.elements(name), value, at, faults);
        }
        if let Some(types) = keywords.get("type")
            && !fits_type(types, value)
        {
            return faults.add(at, format!("{} is expected, not {}", named(types), value.kind().name()));
        }
        let template = self.refers
            && value.kind() == Kind::String
            && value.text().is_none_or(|text| text.contains("{{"));
        check_values(keywords, value, template, at, faults);
        match value.kind() {
            Kind::Object => self.check_object(keywords, value, at, faults),
            Kind::Array => self.check_array(keywords, value, at, faults),
            Kind::Number => check_number(keywords, value, at, faults),
            Kind::String if !template => {
                let length = value.text().map_or(0, |text| text.chars().count() as u64);
                keywords.check_count(length, ("minLength", "maxLength"), "characters", at, faults);
            }
            Kind::Bool | Kind::Null | Kind::String => {}
        }
    }

    /// One of these has to fit. If none does, it is said what each of them wants.
    fn check_alternatives(&mut self, all: &[Raw<'s>], value: Raw<'_>, at: &Pointer, faults: &mut Faults) {
        let mut wanted: Vec<String> = Vec::new();
        for one in all {
            let mut own = Faults::default();
            self.check(*one, value, at, &mut own);
            let Some(fault) = own.0.into_iter().next() else { return };
            let words =
                if fault.at == *at { fault.problem } else { format!("{}: {}", fault.at, fault.problem) };
            if !wanted.contains(&words) && wanted.len() < TOLD {
                wanted.push(words);
            }
        }
        if !wanted.is_empty() {
            faults.add(at, wanted.join("; or "));
        }
    }

    fn check_array(&mut self, keywords: &Keywords<'s>, value: Raw<'_>, at: &Pointer, faults: &mut Faults) {
        let elements = value.elements();
        keywords.check_count(elements.len() as u64, ("minItems", "maxItems"), "elements", at, faults);
        let items = keywords.get("items").filter(|items| items.kind() == Kind::Object);
        if let Some(items) = items.filter(|_| keywords.get("prefixItems").is_none()) {
            for (index, element) in elements.into_iter().enumerate() {
                self.check(items, element, &at.element(index), faults);
            }
        }
    }

    fn check_object(&mut self, keywords: &Keywords<'s>, value: Raw<'_>, at: &Pointer, faults: &mut Faults) {
        let (members, schemas) =
            (value.members(), keywords.get("properties").map(Raw::members).unwrap_or_default());
        for name in keywords.elements("required") {
            let Some(name) = name.text() else { continue };
            if !members.iter().any(|(own, _)| *own == name) {
                faults.add(at, format!("{name:?} is required"));
            }
        }
        let others =
            keywords.get("additionalProperties").filter(|_| keywords.get("patternProperties").is_none());
        for (name, member) in members {
            let at = at.member(&name);
            match (schemas.iter().find(|(own, _)| *own == name), others) {
                (Some((_, schema)), _) => self.check(*schema, member, &at, faults),
                (None, Some(others)) if others.bool() == Some(false) => {
                    let near = nearest(&name, schemas.iter().map(|(known, _)| &**known));
                    faults.add(&at, format!("the tool has no argument {name:?}{near}"));
                }
                (None, Some(others)) => self.check(others, member, &at, faults),
                (None, None) => {}
            }
        }
    }
}

/// What stands for a value that comes from elsewhere.
fn marked(value: Raw<'_>) -> Option<(&'static str, Raw<'_>)> {
    let members = value.members();
    MARKS.into_iter().find_map(|mark| {
        let (_, value) = members.iter().find(|(name, _)| name == mark)?;
        Some((mark, *value))
    })
}

fn check_values(keywords: &Keywords<'_>, value: Raw<'_>, template: bool, at: &Pointer, faults: &mut Faults) {
    let allowed = keywords.get("enum").filter(|values| values.kind() == Kind::Array).map(Raw::elements);
    let allowed = allowed.or_else(|| Some(Vec::from([keywords.get("const")?])));
    // What is put together of other values is known by its kind alone.
    let is_known = !template && !matches!(value.kind(), Kind::Array | Kind::Object);
    let fits = |one: &Raw<'_>| if is_known { equal(*one, value) } else { one.kind() == value.kind() };
    if let Some(allowed) = allowed.filter(|allowed| !allowed.iter().any(fits)) {
        let allowed: Vec<&str> = allowed.iter().map(|value| value.spelling()).collect();
        faults.add(at, format!("one of {} is expected", allowed.join(", ")));
    }
}

fn check_number(keywords: &Keywords<'_>, value: Raw<'_>, at: &Pointer, faults: &mut Faults) {
    use Ordering::{Equal, Greater, Less};
    for (name, by, words) in [
        ("minimum", &[Less][..], "at least"),
        ("exclusiveMinimum", &[Less, Equal], "more than"),
        ("maximum", &[Greater], "at most"),
        ("exclusiveMaximum", &[Greater, Equal], "less than"),
    ] {
        if let Some(bound) = keywords.broken(name, value, by) {
            faults.add(at, format!("{words} {} is expected", bound.spelling()));
        }
    }
}

fn fits_type(types: Raw<'_>, value: Raw<'_>) -> bool {
    let fits = |name: &str| match name {
        "integer" => value.number().is_some_and(|number| number % 1.0 == 0.0),
        "array" | "boolean" | "null" | "number" | "object" | "string" => name == value.kind().name(),
        // Nobody knows what such a type means but the server.
        _ => true,
    };
    match types.kind() {
        Kind::Array => types.elements().into_iter().any(|name| name.text().is_none_or(|name| fits(&name))),
        Kind::String => types.text().is_none_or(|name| fits(&name)),
        Kind::Bool | Kind::Null | Kind::Number | Kind::Object => true,
    }
}

fn named(types: Raw<'_>) -> String {
    let all = if types.kind() == Kind::Array { types.elements() } else { Vec::from([types]) };
    let names: Vec<_> = all.into_iter().filter_map(Raw::text).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests;
