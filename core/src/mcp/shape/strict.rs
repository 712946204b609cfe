//! Values that are taken whole or not at all: what is asked of somebody, and what is answered.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::schema::{Member, Need, Shape};
use crate::rpc::{Members, decode_string};

/// What is wrong with a value, to be read after its name: `.content[0].text is to be a string`. `None` when it is of the
/// shape.
pub(super) fn misfit(shape: &Shape, raw: &str) -> Option<String> {
    let number = || raw.parse::<f64>().ok();
    let text = || decode_string(raw.as_bytes());
    let fits = match shape {
        Shape::Several(one) if raw.starts_with('{') => return misfit(one, raw),
        Shape::List(element) | Shape::Several(element) => match serde_json::from_str::<Vec<&RawValue>>(raw) {
            Ok(all) => return in_list(element, &all),
            Err(_) => false,
        },
        Shape::Of(members) => match Members::read(raw.as_bytes()) {
            Some(all) => return in_object(members, &all),
            None => false,
        },
        Shape::Typed(kinds) => match Members::read(raw.as_bytes()) {
            Some(all) => return in_typed(kinds, &all),
            None => false,
        },
        Shape::Flag => matches!(raw, "true" | "false"),
        Shape::Number => number().is_some(),
        Shape::OneOf(texts) => text().is_some_and(|text| texts.contains(&&*text)),
        Shape::Part => number().is_some_and(|number| (0.0..=1.0).contains(&number)),
        // What servers say of themselves, which is never refused for one of its members.
        Shape::Ability(_) | Shape::Map(_) | Shape::Schemas => raw.starts_with('{'),
        Shape::Text => raw.starts_with('"'),
    };
    (!fits).then(|| format!(" is to be {shape}"))
}

fn in_list(element: &Shape, all: &[&RawValue]) -> Option<String> {
    let wrong =
        |(at, raw): (usize, &&RawValue)| misfit(element, raw.get()).map(|rest| format!("[{at}]{rest}"));
    all.iter().enumerate().find_map(wrong)
}

fn in_object(wanted: &[Member], all: &Members<'_>) -> Option<String> {
    wanted.iter().find_map(|member| {
        let name = member.name;
        let missing = || (member.need == Need::Always).then(|| format!(".{name} is missing"));
        let wrong = |raw| misfit(&member.shape, raw).map(|rest| format!(".{name}{rest}"));
        value(all, name).map_or_else(missing, wrong)
    })
}

fn in_typed(kinds: &[(&str, &[Member])], all: &Members<'_>) -> Option<String> {
    let Some(raw) = value(all, "type") else { return Some(".type is missing".into()) };
    let own = decode_string(raw.as_bytes());
    match kinds.iter().find(|(kind, _)| own.as_deref() == Some(*kind)) {
        Some((_, members)) => in_object(members, all),
        None => {
            let names: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
            Some(format!(".type is to be one of {}", names.join(", ")))
        }
    }
}

/// A member that is there: one that is `null` is not.
fn value<'a>(all: &Members<'a>, name: &str) -> Option<&'a str> {
    let own = all.0.iter().find(|(own, _)| own == name).map(|(_, raw)| raw.get());
    own.filter(|raw| *raw != "null")
}
