//! Whether literal arguments fit a tool's `inputSchema`.
//!
//! A small part of JSON Schema is judged, in which nothing that fits is ever refused: `type`, `enum`, `const`, `required`,
//! `properties`, `additionalProperties: false`, `items`, `minimum`, `maximum`, `minLength` and `maxLength`. What
//! another keyword says is the server's to judge, and so is what a reference will give.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::Pointer;
use super::condition::{equal, order};
use super::fault::Faults;
use super::nearest::nearest;
use super::raw::{Kind, Raw};
use super::reference::MARKS;

/// Finds what does not fit.
pub(super) fn check(schema: Raw<'_>, value: Raw<'_>, at: &Pointer, faults: &mut Faults) {
    let keywords = schema.members();
    let keyword = |name: &str| keywords.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
    // Beside a `$ref` other keywords mean nothing in older drafts.
    if keyword("$ref").is_some() {
        return;
    }
    let value = match marked(value) {
        Some(("$literal", literal)) => literal,
        Some(_) => return,
        None => value,
    };
    if let Some(types) = keyword("type")
        && !fits_type(types, value)
    {
        return faults.add(at, format!("{} is expected, not {}", named(types), value.kind().name()));
    }
    let template = value.kind() == Kind::String && value.text().is_none_or(|text| text.contains("{{"));
    if !template && value.kind() != Kind::Object && value.kind() != Kind::Array {
        check_values(keyword("enum"), keyword("const"), value, at, faults);
    }
    match value.kind() {
        Kind::Object => check_object(&keyword, value, at, faults),
        Kind::Array => {
            let items = keyword("items").filter(|items| items.kind() == Kind::Object);
            if let Some(items) = items.filter(|_| keyword("prefixItems").is_none()) {
                for (index, element) in value.elements().into_iter().enumerate() {
                    check(items, element, &at.element(index), faults);
                }
            }
        }
        Kind::Number => {
            let beyond = |name, way| keyword(name).filter(|bound| order(value, *bound) == Some(way));
            if let Some(least) = beyond("minimum", Ordering::Less) {
                faults.add(at, format!("at least {} is expected", least.spelling()));
            }
            if let Some(most) = beyond("maximum", Ordering::Greater) {
                faults.add(at, format!("at most {} is expected", most.spelling()));
            }
        }
        Kind::String if !template => {
            let length = value.text().map_or(0, |text| text.chars().count() as u64);
            let bound = |name| keyword(name).and_then(Raw::whole);
            if let Some(least) = bound("minLength").filter(|least| length < *least) {
                faults.add(at, format!("at least {least} characters are expected"));
            }
            if let Some(most) = bound("maxLength").filter(|most| length > *most) {
                faults.add(at, format!("at most {most} characters are expected"));
            }
        }
        Kind::Bool | Kind::Null | Kind::String => {}
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

fn check_values(
    values: Option<Raw<'_>>,
    constant: Option<Raw<'_>>,
    value: Raw<'_>,
    at: &Pointer,
    faults: &mut Faults,
) {
    let allowed = values.filter(|values| values.kind() == Kind::Array).map(Raw::elements);
    let allowed = allowed.or_else(|| Some(Vec::from([constant?])));
    if let Some(allowed) = allowed.filter(|allowed| !allowed.iter().any(|one| equal(*one, value))) {
        let allowed: Vec<&str> = allowed.iter().map(|value| value.spelling()).collect();
        faults.add(at, format!("one of {} is expected", allowed.join(", ")));
    }
}

fn check_object<'s>(
    keyword: &dyn Fn(&str) -> Option<Raw<'s>>,
    value: Raw<'_>,
    at: &Pointer,
    faults: &mut Faults,
) {
    let (members, schemas) = (value.members(), keyword("properties").map(Raw::members).unwrap_or_default());
    for name in keyword("required").map(Raw::elements).unwrap_or_default() {
        let Some(name) = name.text() else { continue };
        if !members.iter().any(|(own, _)| *own == name) {
            faults.add(at, format!("{name:?} is required"));
        }
    }
    let closed = keyword("additionalProperties").and_then(Raw::bool) == Some(false);
    let closed = closed && keyword("patternProperties").is_none();
    for (name, member) in members {
        match schemas.iter().find(|(own, _)| *own == name) {
            Some((_, schema)) => check(*schema, member, &at.member(&name), faults),
            None if closed => {
                let near = nearest(&name, schemas.iter().map(|(known, _)| &**known));
                faults.add(&at.member(&name), format!("the tool has no argument {name:?}{near}"));
            }
            None => {}
        }
    }
}

fn fits_type(types: Raw<'_>, value: Raw<'_>) -> bool {
    let fits = |name: &str| match name {
        "integer" => value.number().is_some_and(|number| number % 1.0 == 0.0),
        name => name == value.kind().name(),
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
mod tests {
    use super::*;
    use alloc::string::ToString;

    const SCHEMA: &str = r##"{"type":"object","properties":{
        "name":{"type":"string","minLength":2,"maxLength":4},
        "count":{"type":"integer","minimum":1,"maximum":10},
        "mode":{"enum":["fast","slow",1]},
        "kind":{"const":"a"},
        "tags":{"type":"array","items":{"type":["string","null"]}},
        "deep":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"]},
        "free":{"$ref":"#/x","type":"string"}
    },"required":["name"],"additionalProperties":false}"##;

    fn check(arguments: &str) -> Vec<String> {
        let mut faults = Faults::default();
        let (schema, value) = (Raw::of(SCHEMA.as_bytes()), Raw::of(arguments.as_bytes()));
        super::check(schema, value, &Pointer::default(), &mut faults);
        faults.0.iter().map(|fault| [&fault.at.to_string(), ": ", &fault.problem].concat()).collect()
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        for (arguments, fault) in [
            ("{}", ": \"name\" is required"),
            (r#"{"name":1}"#, "/name: string is expected, not number"),
            (r#"{"name":"a"}"#, "/name: at least 2 characters are expected"),
            (r#"{"name":"ééééé"}"#, "/name: at most 4 characters are expected"),
            (r#"{"name":"ab","count":1.5}"#, "/count: integer is expected, not number"),
            (r#"{"name":"ab","count":0}"#, "/count: at least 1 is expected"),
            (r#"{"name":"ab","count":11}"#, "/count: at most 10 is expected"),
            (r#"{"name":"ab","mode":"fats"}"#, "/mode: one of \"fast\", \"slow\", 1 is expected"),
            (r#"{"name":"ab","kind":"b"}"#, "/kind: one of \"a\" is expected"),
            (r#"{"name":"ab","tags":["x",1]}"#, "/tags/1: string or null is expected, not number"),
            (r#"{"name":"ab","deep":{}}"#, "/deep: \"x\" is required"),
            (r#"{"name":"ab","deep":{"x":0}}"#, "/deep/x: boolean is expected, not number"),
            (r#"{"name":"ab","cuont":1}"#, "/cuont: the tool has no argument \"cuont\"; did you mean count?"),
        ] {
            assert_eq!(check(arguments), [fault], "{arguments}");
        }
    }

    #[test]
    fn what_fits_or_is_not_known_yet_is_not_refused() {
        for arguments in [
            r#"{"name":"ab","count":3.0,"mode":1.0,"kind":"a","tags":["x",null],"deep":{"x":true,"y":1},"free":1}"#,
            r#"{"name":{"$from":"a"},"count":{"$item":""},"mode":{"$index":true},"tags":{"$from":"a"}}"#,
            r#"{"name":"{{a}} is long","tags":["{{a}}"],"mode":"{{a}}"}"#,
            r#"{"name":{"$literal":"ab"}}"#,
        ] {
            assert_eq!(check(arguments), [""; 0], "{arguments}");
        }
        assert_eq!(check(r#"{"name":{"$literal":1}}"#), ["/name: string is expected, not number"]);
    }
}
