//! Arguments that a tool wants repeated in headers: `x-mcp-header` of its input schema, `Mcp-Param-{Name}` of a request
//! (2026-07-28, Streamable HTTP, "Custom Headers from Tool Parameters").

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::{decode_header, encode_header};
use crate::Rejection;
use crate::rpc::{Members, decode_string};

const ANNOTATION: &str = "x-mcp-header";

/// An argument that is repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Where it is among the arguments: the names of members, outermost first.
    path: Vec<String>,
    /// What comes after `Mcp-Param-`.
    header: String,
    kind: Kind,
}

/// The type of such an argument. No other may be repeated: a `number` has many spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    Integer,
    String,
}

/// The tool's annotations break the rules: clients over HTTP must not use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMirror;

/// The mirrored arguments of a tool, from its definition. None for most.
pub fn mirrors(definition: &str) -> Result<Vec<Mirror>, BadMirror> {
    if !definition.contains(ANNOTATION) {
        return Ok(Vec::new());
    }
    let Some(schema) = member(definition.as_bytes(), "inputSchema") else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found)?;
    let names: BTreeSet<String> = found.iter().map(|mirror| mirror.header.to_ascii_lowercase()).collect();
    // Every annotation must have been reached, and no two may name one header.
    let reached = annotations(schema, Within::Schema) == found.len();
    if reached && names.len() == found.len() { Ok(found) } else { Err(BadMirror) }
}

/// Walks down `properties`, the only way to an annotation.
fn collect(schema: &[u8], path: &mut Vec<String>, found: &mut Vec<Mirror>) -> Result<(), BadMirror> {
    let Some(properties) = member(schema, "properties").and_then(Members::read) else { return Ok(()) };
    for (name, property) in properties.0 {
        let property = property.get().as_bytes();
        path.push(name.into_owned());
        if let Some(header) = member(property, ANNOTATION) {
            let header = decode_string(header).filter(|header| is_token(header)).ok_or(BadMirror)?;
            let kind = match member(property, "type") {
                Some(b"\"boolean\"") => Kind::Boolean,
                Some(b"\"integer\"") => Kind::Integer,
                Some(b"\"string\"") => Kind::String,
                Some(_) | None => return Err(BadMirror),
            };
            found.push(Mirror { path: path.clone(), header: header.into_owned(), kind });
        }
        collect(property, path, found)?;
        path.pop();
    }
    Ok(())
}

/// How many annotations there are, wherever they stand.
fn annotations(value: &[u8], within: Within) -> usize {
    if let Some(members) = Members::read(value) {
        let count = |(name, value): (Cow<'_, str>, &RawValue)| match within.member(&name) {
            None => 1,
            Some(within) => annotations(value.get().as_bytes(), within),
        };
        return members.0.into_iter().map(count).sum();
    }
    let elements = serde_json::from_slice::<Vec<&RawValue>>(value).unwrap_or_default();
    elements.into_iter().map(|element| annotations(element.get().as_bytes(), within)).sum()
}

/// The definition of a tool without its annotations: what breaks the rules means nothing, but clients over HTTP would not use
/// the tool.
pub(crate) fn without_mirrors(definition: &str) -> String {
    let Some(members) = Members::read(definition.as_bytes()) else { return definition.into() };
    let plain = members.with(|name, value| {
        let is_schema = name == "inputSchema";
        Some(if is_schema { plain(value, Within::Schema) } else { Cow::Borrowed(value) })
    });
    String::from_utf8(plain).unwrap_or_default()
}

fn plain(value: &str, within: Within) -> Cow<'_, str> {
    if let Some(members) = Members::read(value.as_bytes()) {
        let plain = members.with(|name, value| Some(plain(value, within.member(name)?)));
        return Cow::Owned(String::from_utf8(plain).unwrap_or_default());
    }
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(value) else { return Cow::Borrowed(value) };
    let elements: Vec<_> = elements.into_iter().map(|element| plain(element.get(), within)).collect();
    Cow::Owned(["[", &elements.join(","), "]"].concat())
}

/// What a value within a schema is.
#[derive(Clone, Copy)]
enum Within {
    /// Not of the schema, but of what it describes.
    Data,
    /// Schemas by names that anything may have.
    Named,
    Schema,
}

impl Within {
    /// What a member of such a value is; `None` for an annotation.
    fn member(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Schema, ANNOTATION) => None,
            (
                Self::Schema,
                "properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions",
            ) => Some(Self::Named),
            (Self::Data, _) | (Self::Schema, "const" | "default" | "enum" | "examples") => Some(Self::Data),
            (Self::Schema | Self::Named, _) => Some(Self::Schema),
        }
    }
}

/// A member of an object, raw.
fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let members = Members::read(object)?;
    members.0.into_iter().find(|(own, _)| own == name).map(|(_, value)| value.get().as_bytes())
}

fn is_token(text: &str) -> bool {
    let special = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}

impl Mirror {
    /// The argument, raw; `None` where there is nothing to say.
    fn value<'a>(&self, arguments: Option<&'a [u8]>) -> Option<&'a [u8]> {
        let mut at = arguments?;
        for name in &self.path {
            at = member(at, name)?;
        }
        (at != b"null").then_some(at)
    }

    fn says(&self, value: &[u8], said: &str) -> bool {
        match (self.kind, text(value)) {
            (Kind::String, Some(own)) if value.starts_with(b"\"") => own == said,
            (Kind::Boolean, Some(own)) if own == "true" || own == "false" => own == said,
            (Kind::Integer, Some(own)) if !value.starts_with(b"\"") => {
                let number = |text: &str| text.parse::<f64>().ok();
                own == said || number(&own).is_some_and(|own| number(said) == Some(own))
            }
            // What does not fit the schema is the server's to refuse.
            (_, _) => true,
        }
    }
}

/// What a header says of a value that has a text: a string, a number, or a truth value.
fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    match value.first()? {
        b'"' => decode_string(value),
        b'{' | b'[' => None,
        _ => core::str::from_utf8(value).ok().map(Cow::Borrowed),
    }
}

/// The headers that repeat the arguments of a call: what comes after `Mcp-Param-`, and the value as it is sent.
/// `arguments` is raw JSON.
pub fn mirrored(mirrors: &[Mirror], arguments: Option<&[u8]>) -> Vec<(String, String)> {
    let one = |mirror: &Mirror| {
        let value = mirror.value(arguments).and_then(text)?;
        Some((mirror.header.clone(), encode_header(&value).into_owned()))
    };
    mirrors.iter().filter_map(one).collect()
}

/// Checks that headers say what the arguments say. Headers that no annotation names mean nothing.
pub fn check_mirrored(
    mirrors: &[Mirror],
    arguments: Option<&[u8]>,
    headers: &[(String, String)],
) -> Result<(), Rejection> {
    for mirror in mirrors {
        let mut named = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&mirror.header));
        let (said, again) = (named.next(), named.next());
        let said = said.map(|(_, value)| value.as_str());
        let good = match (mirror.value(arguments), said) {
            (None, None) => true,
            (Some(value), Some(said)) => decode_header(said).is_some_and(|said| mirror.says(value, &said)),
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !good || again.is_some() {
            let name = &mirror.header;
            return Err(Rejection::HeaderMismatch(format!(
                "the header Mcp-Param-{name} must say once what the argument {} says",
                mirror.path.join(".")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    const TOOL: &str = r#"{"name":"t","inputSchema":{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
        "flag":{"type":"boolean","x-mcp-header":"Flag"}}}}"#;

    fn sent(arguments: &str) -> Vec<(String, String)> {
        mirrored(&mirrors(TOOL).unwrap(), Some(arguments.as_bytes()))
    }

    #[test]
    fn arguments_are_repeated_as_a_header_can_say_them_and_nothing_is_said_of_what_is_not_there() {
        let own = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut all = sent(r#"{"region":"größe","deep":{"n":42},"flag":false}"#);
        all.sort();
        assert_eq!(all, own(&[("Flag", "false"), ("N", "42"), ("Region", "=?base64?Z3LDtsOfZQ==?=")]));
        assert_eq!(sent(r#"{"region":null,"deep":[]}"#), []);
        assert_eq!(mirrored(&mirrors(TOOL).unwrap(), None), []);
    }

    #[test]
    fn headers_must_say_what_the_arguments_say() {
        let check = |arguments: &str, headers: &[(&str, &str)]| {
            let headers: Vec<(String, String)> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            check_mirrored(&mirrors(TOOL).unwrap(), Some(arguments.as_bytes()), &headers).is_ok()
        };
        assert!(check(r#"{"region":"a"}"#, &[("region", "a"), ("other", "x")]));
        assert!(check(r#"{"region":"é"}"#, &[("REGION", "=?base64?w6k=?=")]));
        assert!(check(r#"{"deep":{"n":42.0}}"#, &[("n", "42")]));
        assert!(check("{}", &[]));
        for (arguments, headers) in [
            (r#"{"region":"a"}"#, &[][..]),
            (r#"{"region":"a"}"#, &[("region", "A")]),
            (r#"{"region":"a"}"#, &[("region", "a"), ("Region", "a")]),
            (r#"{"region":"a"}"#, &[("region", "=?base64?!?=")]),
            (r#"{"region":null}"#, &[("region", "a")]),
            (r#"{"flag":true}"#, &[("flag", "True")]),
            (r#"{"deep":{"n":42}}"#, &[("n", "43")]),
        ] {
            assert!(!check(arguments, headers), "{arguments} {headers:?}");
        }
    }

    #[test]
    fn annotations_that_break_the_rules_make_a_tool_unusable() {
        let tool = |properties: &str| {
            mirrors(&format!(r#"{{"name":"t","inputSchema":{{"type":"object",{properties}}}}}"#))
        };
        for bad in [
            r#""properties":{"a":{"type":"number","x-mcp-header":"A"}}"#,
            r#""properties":{"a":{"type":"string","x-mcp-header":"A b"}}"#,
            r#""properties":{"a":{"type":"string","x-mcp-header":""}}"#,
            r#""properties":{"a":{"type":"string","x-mcp-header":7}}"#,
            r#""properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}"#,
            r#""properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}"#,
            r#""oneOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]"#,
        ] {
            assert_eq!(tool(bad), Err(BadMirror), "{bad}");
            let plain = without_mirrors(&format!(r#"{{"name":"t","inputSchema":{{{bad}}}}}"#));
            assert!(!plain.contains(ANNOTATION), "{plain}");
        }
        assert_eq!(mirrors(r#"{"name":"t","description":"x-mcp-header"}"#), Ok(Vec::new()));
        for none in [
            r#""properties":{"x-mcp-header":{"type":"string"}}"#,
            r#""properties":{"x-mcp-header":true}"#,
            r#""properties":{"a":{"default":{"x-mcp-header":"A"}}}"#,
        ] {
            assert_eq!(tool(none), Ok(Vec::new()), "{none}");
            assert!(without_mirrors(&format!(r#"{{"inputSchema":{{{none}}}}}"#)).contains(none));
        }
    }
}
