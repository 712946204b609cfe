//! Lists that cannot be read because some of their entries are nested too deeply: they are read without these.
//!
//! Where an entry begins and ends is found by the balance of its brackets, whatever is between them. What is left is validated
//! like any other message.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::decode_string;
use super::salvage::{skip_space, split_string, split_value};

/// What a list is within: the message and its `result`; and the list itself.
const AROUND: usize = 3;

/// The response without those entries of the list `list` of its result that make it deeper than `depth`, and what these are
/// called by (their member `name`), or their places. `None` if there are none, or what it holds cannot be told.
pub(crate) fn without_deep(
    response: &[u8],
    (list, name): (&str, &str),
    depth: usize,
) -> Option<(Vec<u8>, Vec<String>)> {
    let (before, result, after) = around(response, "result")?;
    let (opening, entries, closing) = around(result, list)?;
    let room = depth.checked_sub(AROUND)?;
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (at, entry) in elements(entries)?.into_iter().enumerate() {
        if deepest(entry) <= room {
            kept.push(entry);
            continue;
        }
        let named = around(entry, name).and_then(|(_, value, _)| decode_string(value)).map(Cow::into_owned);
        left_out.push(named.unwrap_or_else(|| format!("number {}", at.saturating_add(1))));
    }
    let thin = [before, opening, b"[", &kept.join(&b','), b"]", closing, after].concat();
    (!left_out.is_empty()).then_some((thin, left_out))
}

/// The value of a member of an object, and what is before and after it.
fn around<'t>(object: &'t [u8], name: &str) -> Option<(&'t [u8], &'t [u8], &'t [u8])> {
    let mut rest = skip_space(object).strip_prefix(b"{")?;
    loop {
        let (key, after) = split_string(skip_space(rest))?;
        let (value, after) = split_value(skip_space(skip_space(after).strip_prefix(b":")?))?;
        if decode_string(key).is_some_and(|key| key == name) {
            let before = object.len().checked_sub(value.len().checked_add(after.len())?)?;
            return Some((object.get(..before)?, value, after));
        }
        rest = skip_space(after).strip_prefix(b",")?;
    }
}

fn elements(array: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = array.strip_prefix(b"[")?;
    let mut elements = Vec::new();
    while skip_space(rest) != b"]" {
        let (element, after) = split_value(skip_space(rest)).filter(|(element, _)| !element.is_empty())?;
        elements.push(element);
        rest = match skip_space(after).split_first()? {
            (b',', after) if skip_space(after) != b"]" => after,
            (b']', b"") => return Some(elements),
            _ => return None,
        };
    }
    Some(elements)
}

/// How many brackets are open at most.
fn deepest(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut rest) = (0_usize, 0_usize, text);
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'"' => {
                rest = split_string(rest).map_or(&[], |(_, after)| after);
                continue;
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
        rest = after;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn thin(text: &str, depth: usize) -> Option<(String, Vec<String>)> {
        let (thin, left_out) = without_deep(text.as_bytes(), ("tools", "name"), depth)?;
        Some((String::from_utf8(thin).unwrap(), left_out))
    }

    #[test]
    fn entries_that_are_too_deep_are_left_out_and_everything_else_stays_as_it_was() {
        let text = r#"{"jsonrpc":"2.0", "result" : {"x":[[]],"tools": [ {"a":"]}\\"}, {"name":"d\u0065ep","s":[[ ]]} ,{"s":[{"name":1}]}, 7,[]] ,"y":1},"id":3}"#;
        let left = r#"{"jsonrpc":"2.0", "result" : {"x":[[]],"tools": [{"a":"]}\\"},7,[]] ,"y":1},"id":3}"#;
        let names = ["deep".into(), "number 3".into()];
        assert_eq!(thin(text, 5), Some((left.into(), names.into())));
        assert_eq!(thin(text, 6), None, "none is too deep");
    }

    #[test]
    fn what_has_no_such_list_is_left_alone() {
        for text in [
            "",
            "[[[[[]]]]]",
            r#"{"result":[[[[]]]]}"#,
            r#"{"result":{"tools":{"a":[[[]]]}}}"#,
            r#"{"result":{"prompts":[[[[[]]]]]}}"#,
            r#"{"result":{"tools":[[[[[]]]]"#,
            r#"{"result":{"tools":[[[[[]]]],"#,
            r#"{"params":{"tools":[[[[[]]]]]}}"#,
            r#"{"result":{"tools":[[[[[]]]],}}}"#,
        ] {
            assert_eq!(thin(text, 4), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn exactly_the_deep_entries_are_left_out(depths in vec(0..9_usize, 0..8), depth in 0..12_usize) {
            let nested = |deep: &usize| format!("{}{}", "[".repeat(*deep), "]".repeat(*deep));
            let entry = |deep: &usize| if *deep == 0 { "7".to_owned() } else { nested(deep) };
            let list = |depths: &[usize]| {
                let entries: Vec<String> = depths.iter().map(entry).collect();
                format!(r#"{{"result":{{"tools":[{}]}}}}"#, entries.join(","))
            };
            let room = depth.checked_sub(AROUND);
            let kept: Vec<usize> = depths.iter().copied().filter(|deep| room.is_some_and(|room| *deep <= room)).collect();
            let expected = (room.is_some() && kept.len() < depths.len()).then(|| list(&kept));
            prop_assert_eq!(thin(&list(&depths), depth).map(|(text, _)| text), expected);
        }

        #[test]
        fn any_text_is_read_to_its_end(text in r#"(\{"result":)?(\{"tools":)?[\[\]{}",: 1a\\\\]{0,40}"#, depth in 0..6_usize) {
            if let Some((left, _)) = thin(&text, depth) {
                prop_assert!(left.len() <= text.len());
            }
        }
    }
}
