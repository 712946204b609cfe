//! The values that a field may have: one reader a shape, each saying what it expected instead.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jsonc_parser::ast::{NumberLit, StringLit, Value};
use jsonc_parser::common::{Range, Ranged};
use orch_core::record::{Protocol, RemoteKind, Sharing};

use super::tree::kind;

/// Why a value does not do.
pub(super) struct Wrong {
    pub(super) at: Range,
    pub(super) expected: &'static str,
    pub(super) found: String,
}

/// How a server is reached, as one word of the file says it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Means {
    Remote(RemoteKind),
    Stdio,
}

pub(super) fn wrong<T>(value: &Value<'_>, expected: &'static str) -> Result<T, Wrong> {
    Err(Wrong { at: value.range(), expected, found: kind(value).to_owned() })
}

pub(super) fn refused<T>(literal: &impl Ranged, expected: &'static str, found: &str) -> Result<T, Wrong> {
    Err(Wrong { at: literal.range(), expected, found: found.to_owned() })
}

pub(super) fn flag(value: &Value<'_>) -> Result<bool, Wrong> {
    match value {
        Value::BooleanLit(it) => Ok(it.value),
        Value::StringLit(_)
        | Value::NumberLit(_)
        | Value::Object(_)
        | Value::Array(_)
        | Value::NullKeyword(_) => wrong(value, "true or false"),
    }
}

/// The time that a server may take to start.
pub(super) fn seconds(value: &Value<'_>) -> Result<u32, Wrong> {
    whole_number(value, 1..=3600, "a whole number of seconds from 1 to 3600")
}

pub(super) fn idle_seconds(value: &Value<'_>) -> Result<u32, Wrong> {
    whole_number(value, 0..=86_400, "a whole number of seconds from 0 (never) to 86400")
}

pub(super) fn whole_number(
    value: &Value<'_>,
    allowed: RangeInclusive<u32>,
    expected: &'static str,
) -> Result<u32, Wrong> {
    let Some(number) = value.as_number_lit() else { return wrong(value, expected) };
    match number.value.parse() {
        Ok(read) if allowed.contains(&read) => Ok(read),
        Ok(_) | Err(_) => refused(number, expected, &shown(number)),
    }
}

/// A number is no secret, but it may be long.
fn shown(number: &NumberLit<'_>) -> String {
    if number.value.len() <= 20 { number.value.to_owned() } else { "another number".to_owned() }
}

/// One spelling is written; all of these are read, in any case, with `-`, `_` or nothing between the words.
pub(super) fn means(value: &Value<'_>) -> Result<Means, Wrong> {
    const EXPECTED: &str = "\"stdio\", \"sse\" or \"streamable-http\"";
    let Some(word) = value.as_string_lit() else { return wrong(value, EXPECTED) };
    match word.value.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "stdio" => Ok(Means::Stdio),
        "sse" => Ok(Means::Remote(RemoteKind::Sse)),
        "http" | "streamablehttp" => Ok(Means::Remote(RemoteKind::Http)),
        _ => refused(word, EXPECTED, "another string"),
    }
}

/// The era in which a server is spoken to.
pub(super) fn protocol(value: &Value<'_>) -> Result<Protocol, Wrong> {
    const EXPECTED: &str = "\"auto\", \"legacy\" or \"modern\"";
    word(value, EXPECTED, Protocol::ALL, Protocol::name)
}

/// Who shares a server with whom.
pub(super) fn sharing(value: &Value<'_>) -> Result<Sharing, Wrong> {
    const EXPECTED: &str = "\"auto\", \"shared\", \"per-session\" or \"per-user\"";
    word(value, EXPECTED, Sharing::ALL, Sharing::name)
}

/// One of `all`, by its name in any case.
pub(super) fn word<T: Copy, const N: usize>(
    value: &Value<'_>,
    expected: &'static str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, Wrong> {
    let Some(found) = value.as_string_lit() else { return wrong(value, expected) };
    let known = all.into_iter().find(|it| found.value.eq_ignore_ascii_case(name(*it)));
    known.map_or_else(|| refused(found, expected, "another string"), Ok)
}

/// A reference to a variable and nothing else: what is written in a file is read by many.
pub(super) fn credential(value: &Value<'_>, expected: &'static str) -> Result<String, Wrong> {
    let Some(text) = value.as_string_lit() else { return wrong(value, expected) };
    let name = text.value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let name = name.map(|name| name.strip_prefix("env:").unwrap_or(name));
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if name.is_some_and(plain) {
        Ok(text.value.clone().into_owned())
    } else {
        refused(text, expected, "another string")
    }
}

/// A program, or a directory: not empty, and nothing that the system calls would cut off.
pub(super) fn path(value: &Value<'_>) -> Result<String, Wrong> {
    const EXPECTED: &str = "a string";
    match value.as_string_lit() {
        None => wrong(value, EXPECTED),
        Some(it) if it.value.is_empty() => refused(it, EXPECTED, "an empty one"),
        Some(it) => whole(it, EXPECTED),
    }
}

/// The address of a remote server; a reference may stand for its beginning.
pub(super) fn url(value: &Value<'_>) -> Result<String, Wrong> {
    const EXPECTED: &str = "a URL that begins with http:// or https://";
    let Some(it) = value.as_string_lit() else { return wrong(value, EXPECTED) };
    let host = it.value.strip_prefix("http://").or_else(|| it.value.strip_prefix("https://"));
    let begins = host.is_some_and(|host| !host.is_empty()) || it.value.starts_with("${");
    if begins && !it.value.contains(|c: char| c.is_control() || c == ' ') {
        Ok(it.value.clone().into_owned())
    } else {
        refused(it, EXPECTED, "another string")
    }
}

pub(super) fn strings(value: &Value<'_>) -> Result<Vec<String>, Wrong> {
    const EXPECTED: &str = "an array of strings";
    let Some(array) = value.as_array() else { return wrong(value, EXPECTED) };
    let string = |element: &Value<'_>| match element.as_string_lit() {
        Some(it) => whole(it, EXPECTED),
        None => wrong(element, EXPECTED),
    };
    array.elements.iter().map(string).collect()
}

pub(super) fn environment(value: &Value<'_>) -> Result<BTreeMap<String, String>, Wrong> {
    const EXPECTED: &str = "an object of strings by variable name";
    texts(value, EXPECTED, |name| !name.is_empty() && !name.contains(['=', '\0']))
}

pub(super) fn headers(value: &Value<'_>) -> Result<BTreeMap<String, String>, Wrong> {
    const EXPECTED: &str = "an object of strings by header name";
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let headers = texts(value, EXPECTED, |name| !name.is_empty() && name.bytes().all(token))?;
    if headers.values().any(|it| it.contains(|c: char| c.is_control() && c != '\t')) {
        return refused(value, EXPECTED, "a value with a control character");
    }
    Ok(headers)
}

/// Strings by name. People write numbers and booleans without quotes too; they are kept letter for letter.
fn texts(
    value: &Value<'_>,
    expected: &'static str,
    is_name: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, Wrong> {
    let Some(object) = value.as_object() else { return wrong(value, expected) };
    let mut texts = BTreeMap::new();
    for property in &object.properties {
        let name = property.name.as_str();
        if !is_name(name) {
            return refused(property, expected, "another name");
        }
        let text = match &property.value {
            Value::StringLit(it) => whole(it, expected)?,
            Value::NumberLit(it) => it.value.to_owned(),
            Value::BooleanLit(it) => it.value.to_string(),
            other @ (Value::Object(_) | Value::Array(_) | Value::NullKeyword(_)) => {
                return wrong(other, expected);
            }
        };
        texts.insert(name.to_owned(), text);
    }
    Ok(texts)
}

/// The operating system ends a string at a NUL.
fn whole(literal: &StringLit<'_>, expected: &'static str) -> Result<String, Wrong> {
    if literal.value.contains('\0') {
        return refused(literal, expected, "one with a NUL character");
    }
    Ok(literal.value.clone().into_owned())
}
