//! References: where a step takes a value from.
//!
//! The value of a step that a pointer starts at is the `structuredContent` of its result; without one, its text if the
//! result holds one text and nothing else; otherwise its `content`. A text that is JSON is read as such as soon as a pointer
//! goes on within it.
//! `"of": "result"` starts at the whole result instead. The value of a step with `for_each` is the array of those values.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::fault::Faults;
use super::nearest::{nearest, unknown};
use super::raw::{Kind, Raw};
use super::{Pattern, Pointer};

/// What a value is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The place of the element that a step with `for_each` works on.
    Index,
    /// The element itself.
    Item,
    /// Another step, by its place in the plan.
    Step(usize),
}

/// What a pointer into a step starts at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// The whole result.
    Result,
    /// What the result says.
    Value,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The source.
    pub source: Source,
    /// What the pointer starts at.
    pub root: Root,
    /// Which part.
    pub pointer: Pointer,
    /// Raw JSON that stands in for what is not there.
    pub default: Option<Box<[u8]>>,
}

impl Reference {
    /// The step that it leads to, if it is one.
    pub fn step(&self) -> Option<usize> {
        match self.source {
            Source::Step(step) => Some(step),
            Source::Index | Source::Item => None,
        }
    }
}

/// What a reference may name where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The steps of the plan.
    pub ids: &'a BTreeMap<String, usize>,
    /// Whether there is an element to work on.
    pub iterates: bool,
}

/// An object with one of these is not a value but says where one comes from.
pub(super) const MARKS: [&str; 4] = ["$from", "$index", "$item", "$literal"];

/// What an object stands for.
#[derive(Debug)]
pub(super) enum Meaning<'a> {
    /// A value from elsewhere.
    Reference(Reference),
    /// The value within, whatever it looks like.
    Literal(Raw<'a>),
    /// Something that was refused.
    Nothing,
    /// Itself.
    Plain,
}

/// Reads an object as what it stands for.
pub(super) fn meaning<'a>(
    object: Raw<'a>,
    at: &Pointer,
    scope: Scope<'_>,
    faults: &mut Faults,
) -> Meaning<'a> {
    let members = object.members();
    let mut marks = members.iter().filter(|(name, _)| MARKS.contains(&&**name));
    let Some((mark, value)) = marks.next() else { return Meaning::Plain };
    let others: &[&str] = match &**mark {
        "$from" => &["path", "of", "default"],
        "$item" => &["default"],
        _ => &[],
    };
    let known = faults.0.len();
    for (name, _) in members.iter().filter(|(name, _)| name != mark && !others.contains(&&**name)) {
        let near = nearest(name, others.iter().copied());
        faults.add(&at.member(name), format!("{mark} has no member {name:?} beside it{near}"));
    }
    if &**mark == "$literal" {
        return Meaning::Literal(*value);
    }
    let reference = read(object, mark, *value, at, scope, faults);
    match reference.filter(|_| faults.0.len() == known) {
        Some(reference) => Meaning::Reference(reference),
        None => Meaning::Nothing,
    }
}

fn read(
    object: Raw<'_>,
    mark: &str,
    value: Raw<'_>,
    at: &Pointer,
    scope: Scope<'_>,
    faults: &mut Faults,
) -> Option<Reference> {
    let default = match object.member("default") {
        Some(value) => Some(fixed(value, &at.member("default"), scope, faults)?),
        None => None,
    };
    let of = |source, root, pointer| Reference { source, root, pointer, default };
    match mark {
        "$from" => {
            let name = text(value, &at.member("$from"), "the id of a step", faults)?;
            let path = object.member("path").unwrap_or(Raw(b"\"\""));
            let pointer = pointer(path, &at.member("path"), faults);
            let root = match object.member("of").map(Raw::text) {
                None => Root::Value,
                Some(Some(root)) if root == "result" => Root::Result,
                Some(_) => {
                    faults.add(&at.member("of"), "\"of\" is \"result\" or absent");
                    return None;
                }
            };
            Some(of(source(&name, at, scope, faults)?, root, pointer?))
        }
        "$item" => {
            let pointer = pointer(value, &at.member("$item"), faults)?;
            Some(of(local(Source::Item, at, scope, faults)?, Root::Value, pointer))
        }
        _ => {
            if value.bool() != Some(true) {
                faults.add(&at.member("$index"), "write {\"$index\": true}");
                return None;
            }
            Some(of(local(Source::Index, at, scope, faults)?, Root::Value, Pointer::default()))
        }
    }
}

/// A value that holds no reference.
fn fixed(value: Raw<'_>, at: &Pointer, scope: Scope<'_>, faults: &mut Faults) -> Option<Box<[u8]>> {
    let fixed = Pattern::read(value, at, scope, faults).fixed();
    if fixed.is_none() {
        faults.add(at, format!("a default holds no reference; {LITERAL}"));
    }
    fixed
}

/// What stands between the braces of a template: `step`, `step#/pointer`, `item`, `item#/pointer` or `index`.
pub(super) fn in_braces(
    inner: &str,
    at: &Pointer,
    scope: Scope<'_>,
    faults: &mut Faults,
) -> Option<Reference> {
    let (name, path) = inner.split_once('#').unwrap_or((inner, ""));
    let pointer = Pointer::parse(path.trim_end());
    let Some(pointer) = pointer else {
        faults.add(at, format!("{path:?} is no JSON Pointer: it is empty or begins with /"));
        return None;
    };
    let source = match name.trim() {
        "item" => local(Source::Item, at, scope, faults)?,
        "index" if pointer.is_empty() => local(Source::Index, at, scope, faults)?,
        name => source(name, at, scope, faults)?,
    };
    Some(Reference { source, root: Root::Value, pointer, default: None })
}

fn source(name: &str, at: &Pointer, scope: Scope<'_>, faults: &mut Faults) -> Option<Source> {
    let found = scope.ids.get(name).copied().map(Source::Step);
    if found.is_none() {
        let ids = scope.ids.keys().map(String::as_str);
        faults.add(at, format!("{}; {LITERAL}", unknown("step", name, ids)));
    }
    found
}

/// What helps whoever did not mean a reference.
pub(super) const LITERAL: &str = "a value that is not a reference goes into {\"$literal\": ...}";

fn local(source: Source, at: &Pointer, scope: Scope<'_>, faults: &mut Faults) -> Option<Source> {
    if !scope.iterates {
        faults.add(at, "item and index are there in a step with for_each alone");
    }
    scope.iterates.then_some(source)
}

fn pointer(value: Raw<'_>, at: &Pointer, faults: &mut Faults) -> Option<Pointer> {
    let text = text(value, at, "a JSON Pointer", faults)?;
    let pointer = Pointer::parse(&text);
    if pointer.is_none() {
        faults.add(
            at,
            format!("{text:?} is no JSON Pointer: it is empty or begins with /, ~0 is ~ and ~1 is /"),
        );
    }
    pointer
}

fn text(value: Raw<'_>, at: &Pointer, what: &str, faults: &mut Faults) -> Option<String> {
    let text = value.text().filter(|_| value.kind() == Kind::String);
    if text.is_none() {
        faults.add(at, format!("{what} is a string"));
    }
    text.map(|text| (*text).to_owned())
}
