//! A value with holes: what a plan says, with the references in it found. What holds no reference stays as it was
//! written, byte for byte.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::fault::Faults;
use super::raw::{Kind, Raw};
use super::reference::{LITERAL, Meaning, Reference, Scope, in_braces, meaning};
use super::{Bound, Pointer};
use crate::rpc::write;

/// A value with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// JSON as it stands.
    Raw(Box<[u8]>),
    /// A value.
    Value(Reference),
    /// A value within a string.
    Words(Reference),
}

/// Where in the text a hole is, and what it becomes.
type Edit = (Range<usize>, Vec<Part>);

struct Reading<'a, 'f> {
    whole: Raw<'a>,
    scope: Scope<'f>,
    edits: Vec<Edit>,
    faults: &'f mut Faults,
}

impl Pattern {
    /// Finds the references in a value.
    pub(super) fn read(value: Raw<'_>, at: &Pointer, scope: Scope<'_>, faults: &mut Faults) -> Self {
        // Most values hold none. A backslash may hide the characters that are looked for.
        let suspicious = |pair: &[u8]| matches!(pair, b"{{" | b"\"$" | [b'\\', _]);
        if !value.0.windows(2).any(suspicious) {
            return Self::from(value);
        }
        let mut reading = Reading { whole: value, scope, edits: Vec::new(), faults };
        reading.visit(value, at);
        Self::assembled(value, reading.edits)
    }

    fn assembled(whole: Raw<'_>, edits: Vec<Edit>) -> Self {
        let mut parts = Vec::new();
        let mut from = 0;
        for (range, becomes) in edits {
            parts.extend(raw(whole.0.get(from..range.start)));
            parts.extend(becomes);
            from = range.end;
        }
        parts.extend(raw(whole.0.get(from..)));
        Self(parts)
    }

    /// The references, in the order in which they stand.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|part| match part {
            Part::Raw(_) => None,
            Part::Value(reference) | Part::Words(reference) => Some(reference),
        })
    }

    /// How long it is without what fills its holes.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Part::len).sum()
    }

    /// The value without its holes, if it has none.
    pub(crate) fn literal(&self) -> Option<Raw<'_>> {
        match &*self.0 {
            [Part::Raw(raw)] => Some(Raw::of(raw)),
            _ => None,
        }
    }

    /// The value, if no reference is in it.
    pub(super) fn fixed(&self) -> Option<Box<[u8]>> {
        let raw = |part: &Part| match part {
            Part::Raw(raw) => Some(raw.clone()),
            Part::Value(_) | Part::Words(_) => None,
        };
        let parts: Option<Vec<_>> = self.0.iter().map(raw).collect();
        parts.map(|parts| parts.concat().into())
    }

    /// The reference, if it is one and nothing else.
    pub(crate) fn only(&self) -> Option<&Reference> {
        match &*self.0 {
            [Part::Value(reference)] => Some(reference),
            _ => None,
        }
    }

    /// The value with its holes filled: `fill` gives the raw JSON of each reference, in their order. It is an error as soon
    /// as it would become longer than `longest`.
    pub fn fill<E: From<Bound>, V: AsRef<[u8]>>(
        &self,
        longest: Bound,
        mut fill: impl FnMut(&Reference) -> Result<V, E>,
    ) -> Result<Vec<u8>, E> {
        let mut out = Vec::with_capacity(self.len().min(longest.most));
        for part in &self.0 {
            match part {
                Part::Raw(raw) => put(&mut out, raw, longest)?,
                Part::Value(reference) => put(&mut out, fill(reference)?.as_ref(), longest)?,
                Part::Words(reference) => words(&mut out, Raw::of(fill(reference)?.as_ref()), longest)?,
            }
        }
        Ok(out)
    }
}

impl From<Raw<'_>> for Pattern {
    fn from(value: Raw<'_>) -> Self {
        Self(raw(Some(value.0)).into_iter().collect())
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Raw(raw) => raw.len(),
            Self::Value(_) | Self::Words(_) => 0,
        }
    }
}

fn raw(text: Option<&[u8]>) -> Option<Part> {
    text.filter(|text| !text.is_empty()).map(|text| Part::Raw(text.into()))
}

fn put(out: &mut Vec<u8>, more: &[u8], longest: Bound) -> Result<(), Bound> {
    longest.admits(out.len().saturating_add(more.len()))?;
    out.extend_from_slice(more);
    Ok(())
}

/// Writes a value into a string: a text as it is, anything else as its JSON.
fn words(out: &mut Vec<u8>, value: Raw<'_>, longest: Bound) -> Result<(), Bound> {
    if value.kind() == Kind::String {
        // What stands between its quotes is escaped already.
        return put(out, value.0.get(1..value.0.len().saturating_sub(1)).unwrap_or_default(), longest);
    }
    let text = value.spelling();
    longest.admits(out.len().saturating_add(write::escaped_len(text)))?;
    escaped(out, text);
    Ok(())
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    let from = out.len();
    write::string(out, text);
    out.pop();
    out.remove(from);
}

impl<'a> Reading<'a, '_> {
    fn visit(&mut self, value: Raw<'a>, at: &Pointer) {
        match value.kind() {
            Kind::Object => match meaning(value, at, self.scope, self.faults) {
                Meaning::Plain => {
                    for (name, member) in value.members() {
                        self.visit(member, &at.member(&name));
                    }
                }
                Meaning::Reference(reference) => self.replace(value, Vec::from([Part::Value(reference)])),
                Meaning::Literal(literal) => self.replace(value, raw(Some(literal.0)).into_iter().collect()),
                Meaning::Nothing => {}
            },
            Kind::Array => {
                for (index, element) in value.elements().into_iter().enumerate() {
                    self.visit(element, &at.element(index));
                }
            }
            Kind::String => self.visit_string(value, at),
            Kind::Bool | Kind::Null | Kind::Number => {}
        }
    }

    fn visit_string(&mut self, value: Raw<'a>, at: &Pointer) {
        let Some(text) = value.text().filter(|text| text.contains("{{")) else { return };
        let (mut parts, mut before, mut rest) = (Vec::new(), Vec::from(b"\""), &*text);
        while let Some((plain, after)) = rest.split_once("{{") {
            let Some((inner, after)) = after.split_once("}}") else {
                return self.faults.add(at, alloc::format!("a template without its end; {LITERAL}"));
            };
            let Some(reference) = in_braces(inner, at, self.scope, self.faults) else { return };
            escaped(&mut before, plain);
            parts.extend(raw(Some(&before)));
            parts.push(Part::Words(reference));
            (before, rest) = (Vec::new(), after);
        }
        escaped(&mut before, rest);
        before.push(b'"');
        parts.extend(raw(Some(&before)));
        self.replace(value, parts);
    }

    fn replace(&mut self, value: Raw<'a>, parts: Vec<Part>) {
        // The value borrows from the whole, so its place is the distance of the two.
        let start = (value.0.as_ptr() as usize).saturating_sub(self.whole.0.as_ptr() as usize);
        self.edits.push((start..start.saturating_add(value.0.len()), parts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;
    use alloc::borrow::ToOwned;
    use alloc::collections::BTreeMap;
    use alloc::string::String;

    /// The value with each hole filled by `[source pointer]`, or else by the text "w\"" where `text` says so.
    fn check(text: &str, filled: &str, with: &str) {
        let ids: BTreeMap<String, usize> = [("a".to_owned(), 0), ("b".to_owned(), 1)].into();
        let mut faults = Faults::default();
        let scope = Scope { ids: &ids, iterates: true };
        let pattern = Pattern::read(Raw::of(text.as_bytes()), &Pointer::default(), scope, &mut faults);
        assert_eq!(faults.0, [], "{text}");
        let fill = |_: &Reference| Ok::<_, Bound>(with.as_bytes());
        let within = |most| pattern.fill(Bound { limit: Limit::BodyBytes, most }, fill);
        let whole = within(filled.len()).unwrap();
        assert_eq!(String::from_utf8(whole).unwrap(), filled, "{text}");
        assert!(within(filled.len() - 1).is_err(), "no byte more than there may be: {text}");
    }

    #[test]
    fn what_holds_no_reference_stays_byte_for_byte() {
        for text in [r#"{ "a" : 1e400,"b":[ true , "\u00e9\/" ]}"#, r#""$from""#, r#"{"a":"$from"}"#, "1"] {
            check(text, text, "0");
        }
    }

    #[test]
    fn a_reference_is_replaced_by_its_value_and_nothing_around_it_changes() {
        check(r#"{"x" : {"$from":"a","path":"/b"} , "y":1.50}"#, r#"{"x" : [1] , "y":1.50}"#, "[1]");
        check(r#"[{"\u0024item":""},{"$index":true}]"#, "[7,7]", "7");
        check(r#"{"$from":"b","of":"result"}"#, "{}", "{}");
    }

    #[test]
    fn a_template_takes_texts_as_they_are_and_anything_else_as_json() {
        check(r#""\n{{a#/x}}-{{ b }}\"""#, r#""\nw\"\u00e9-w\"\u00e9\"""#, r#""w\"\u00e9""#);
        check(r#"["{{item}}{{index}}"]"#, r#"["{\"k\":1}{\"k\":1}"]"#, r#"{"k":1}"#);
    }

    #[test]
    fn a_literal_is_what_is_within_whatever_it_looks_like() {
        check(r#"{"q":{"$literal":{"$from":"{{x}}"}}}"#, r#"{"q":{"$from":"{{x}}"}}"#, "0");
    }
}
