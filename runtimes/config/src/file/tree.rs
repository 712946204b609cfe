//! The syntax tree of a JSON text with comments: parsing, naming kinds of values, writing them back.

use std::collections::BTreeSet;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::finding::{Findings, quoted};

/// JSON, but for comments and trailing commas.
const DIALECT: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The value in a text; `None` and a finding when there is none.
pub(super) fn parse<'t>(text: &'t str, findings: &mut Findings<'_>) -> Option<Value<'t>> {
    match parse_to_ast(text, &CollectOptions::default(), &DIALECT) {
        Ok(parsed) => {
            if parsed.value.is_none() {
                findings
                    .error(Range::from_byte_index(0), "expected an object, found nothing: the file is empty");
            }
            parsed.value
        }
        Err(error) => {
            findings.error(error.range(), format!("not JSON: {}", syntax(&error)));
            None
        }
    }
}

/// What the parser says, without the characters that some of its messages repeat.
fn syntax(error: &ParseError) -> String {
    if let ParseErrorKind::String(_) = error.kind() {
        return "a string that does not end, or holds an escape that JSON does not have".to_owned();
    }
    let mut message = error.kind().to_string();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    message
}

/// Reports every name that an object has twice, at any depth. Two readers would take different ones.
pub(super) fn report_duplicates(value: &Value<'_>, findings: &mut Findings<'_>) {
    match value {
        Value::Object(object) => {
            let mut seen = BTreeSet::new();
            for property in &object.properties {
                let name = property.name.as_str();
                if !seen.insert(name) {
                    findings
                        .error(property.range(), format!("{} is there twice in one object", quoted(name)));
                }
                report_duplicates(&property.value, findings);
            }
        }
        Value::Array(array) => array.elements.iter().for_each(|it| report_duplicates(it, findings)),
        Value::StringLit(_) | Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {}
    }
}

/// What a value is, for findings.
pub(super) fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(_) => "a number",
        Value::BooleanLit(_) => "a boolean",
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::NullKeyword(_) => "null",
    }
}

/// The value as plain JSON: no comments, no spaces, numbers digit for digit.
pub(super) fn json(value: &Value<'_>) -> String {
    let mut out = String::new();
    append(&mut out, value);
    out
}

fn append(out: &mut String, value: &Value<'_>) {
    match value {
        Value::StringLit(it) => append_string(out, &it.value),
        Value::NumberLit(it) => out.push_str(it.value),
        Value::BooleanLit(it) => out.push_str(if it.value { "true" } else { "false" }),
        Value::NullKeyword(_) => out.push_str("null"),
        Value::Object(object) => append_object(out, object),
        Value::Array(array) => {
            out.push('[');
            for (index, element) in array.elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                append(out, element);
            }
            out.push(']');
        }
    }
}

fn append_object(out: &mut String, object: &Object<'_>) {
    out.push('{');
    for (index, property) in object.properties.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        append_string(out, property.name.as_str());
        out.push(':');
        append(out, &property.value);
    }
    out.push('}');
}

fn append_string(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
