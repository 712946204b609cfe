//! JSON that is shown as it was said. Only what is looked for is read of it: no number is rounded, and what is no text (half of a
//! surrogate pair) stays as it is spelt.

use std::borrow::Cow;

use orch_core::rpc::{Members, decode_string};
use serde_json::value::RawValue;

/// What may be looked for in a JSON text.
pub(crate) trait Look {
    /// A member, if it is an object.
    fn member(&self, name: &str) -> Option<&RawValue>;

    /// The elements, if it is an array.
    fn elements(&self) -> Vec<&RawValue>;

    /// The text, if it is a string and has one.
    fn text(&self) -> Option<Cow<'_, str>>;

    /// The number, if it is whole and not negative.
    fn whole(&self) -> Option<u64>;

    /// Whether it is `true`.
    fn is_true(&self) -> bool;

    /// The text of a member, or nothing.
    fn text_of(&self, name: &str) -> Cow<'_, str> {
        self.member(name).and_then(Look::text).unwrap_or_default()
    }
}

impl Look for RawValue {
    fn member(&self, name: &str) -> Option<&RawValue> {
        let members = Members::read(self.get().as_bytes())?;
        members.0.into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    fn elements(&self) -> Vec<&RawValue> {
        serde_json::from_str(self.get()).unwrap_or_default()
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        decode_string(self.get().as_bytes())
    }

    fn whole(&self) -> Option<u64> {
        self.get().parse().ok()
    }

    fn is_true(&self) -> bool {
        self.get() == "true"
    }
}

/// A JSON text with a line for each member and element.
pub(crate) fn pretty(json: &RawValue) -> String {
    let (mut out, mut depth, mut is_opened) = (String::new(), 0_usize, false);
    let line = |out: &mut String, depth| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut rest = json.get().chars();
    while let Some(c) = rest.next() {
        let closes = matches!(c, '}' | ']');
        if c.is_ascii_whitespace() {
            continue;
        }
        if closes {
            depth = depth.saturating_sub(1);
        }
        // What has nothing in it stays on its line.
        if is_opened != closes {
            line(&mut out, depth);
        }
        is_opened = matches!(c, '{' | '[');
        out.push(c);
        match c {
            '{' | '[' => depth = depth.saturating_add(1),
            ',' => line(&mut out, depth),
            ':' => out.push(' '),
            '"' => string(&mut rest, &mut out),
            _ => {}
        }
    }
    out
}

/// The rest of a string, to its closing quote.
fn string(rest: &mut std::str::Chars<'_>, out: &mut String) {
    while let Some(c) = rest.next() {
        out.push(c);
        match c {
            '"' => return,
            '\\' => out.extend(rest.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn json_is_laid_out_as_usual() {
        let json = r#" {"a":[1,{"b":[]},{ } ,[[]],"}\"]\\"],"c":{"d":null,"e\"":true},"":"x , y: {z}"} "#;
        let usual = serde_json::to_string_pretty(&serde_json::from_str::<Value>(json).unwrap()).unwrap();
        assert_eq!(pretty(raw(json)), usual);
        for json in ["1", "[]", "{ }", "\"x\"", "[[ ]]"] {
            let usual = serde_json::to_string_pretty(&serde_json::from_str::<Value>(json).unwrap()).unwrap();
            assert_eq!(pretty(raw(json)), usual);
        }
    }

    #[test]
    fn numbers_and_strings_are_shown_as_they_were_spelt() {
        let json = r#"[100000000000000000001,1e400,1.0,0.1000000000000000055,"\ud83d","\u0041\/"]"#;
        assert_eq!(pretty(raw(json)).replace(['\n', ' '], ""), json);
    }

    #[test]
    fn what_is_no_text_hides_nothing_beside_it() {
        let json = raw(r#"{"\ud800":1,"output":"a\ud800","n":1e400,"ru\u006e":"x","steps":[{"id":"a"},2]}"#);
        assert_eq!(json.text_of("run"), "x");
        assert_eq!(json.member("output").map(RawValue::get), Some(r#""a\ud800""#));
        assert_eq!(json.member("output").and_then(Look::text), None);
        assert_eq!(json.member("n").and_then(Look::whole), None);
        let steps = json.member("steps").map_or_else(Vec::new, Look::elements);
        assert_eq!((steps.len(), steps[0].text_of("id"), steps[1].whole()), (2, "a".into(), Some(2)));
        assert!(json.elements().is_empty() && steps[1].member("id").is_none());
    }
}
