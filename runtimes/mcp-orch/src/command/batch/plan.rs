//! A plan on its way to the hub: what is written in it goes as it is spelt, with how it is to be answered.

use std::borrow::Cow;

use anyhow::{Context, bail};
use orch_core::rpc::Members;
use serde_json::value::RawValue;

/// Some editors begin a file with it. JSON has none.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A plan as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) text: String,
    /// Whether it is only checked.
    pub(crate) is_dry: bool,
    /// Whether its author does not wait for its end.
    pub(crate) is_left: bool,
}

impl Sent {
    /// The plan of a file, that is only to be checked if the command line says so.
    pub(crate) fn of(text: &str, is_dry: bool) -> anyhow::Result<Self> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let plan: &RawValue = serde_json::from_str(text).context("the plan is not JSON")?;
        let Some(members) = Members::read(plan.get().as_bytes()) else {
            bail!("a plan is a JSON object with steps")
        };
        let said = |flag: &str| members.0.iter().find(|(name, _)| name == flag).map(|(_, value)| value.get());
        let flag = if is_dry { "dry_run" } else { "background" };
        let text = match said(flag) {
            None => with(plan.get(), flag, members.0.is_empty()),
            // What is neither yes nor no is for the hub to refuse.
            Some(_) => {
                let flags = |name: &str, value: &str| name == flag && matches!(value, "false" | "null");
                let text = members
                    .with(|name, value| Some(Cow::Borrowed(if flags(name, value) { "true" } else { value })));
                String::from_utf8(text)?
            }
        };
        let is_said = |flag| said(flag) == Some("true");
        Ok(Self { text, is_dry: is_dry || is_said("dry_run"), is_left: is_said("background") })
    }
}

/// An object with one flag more.
fn with(object: &str, flag: &str, is_empty: bool) -> String {
    let members = object.strip_suffix('}').unwrap_or(object);
    let comma = if is_empty { "" } else { "," };
    format!("{members}{comma}\"{flag}\":true}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, is_dry: bool) -> String {
        Sent::of(text, is_dry).unwrap().text
    }

    #[test]
    fn a_plan_is_sent_as_it_was_written() {
        let members =
            r#""steps": [ {"n":100000000000000000001,"to":"a","to":"\ud83d","x":1e400} ],"steps":[{}]"#;
        let plan = format!("\u{feff} {{{members}}}\n");
        assert_eq!(sent(&plan, false), format!(r#"{{{members},"background":true}}"#));
        assert_eq!(sent(&plan, true), format!(r#"{{{members},"dry_run":true}}"#));
        let plan = format!(r#"{{"background":true,{members},"\u0064ry_run":false}}"#);
        assert_eq!(sent(&plan, false), plan.replace(": [", ":["), "nothing is added");
        assert_eq!(sent(&plan, true), plan.replace(": [", ":[").replace("false", "true"));
    }

    #[test]
    fn how_a_plan_is_answered_is_not_said_twice() {
        for (plan, expected) in [
            (r#"{"background":null}"#, r#"{"background":true}"#),
            (r#"{ "background" : false }"#, r#"{"background":true}"#),
            (r#"{"background":"yes"}"#, r#"{"background":"yes"}"#),
            ("{ }", r#"{ "background":true}"#),
        ] {
            assert_eq!(sent(plan, false), expected);
        }
        let left = Sent::of(r#"{"background":true,"dry_run":true}"#, false).unwrap();
        assert!(left.is_left && left.is_dry);
        let waits = Sent::of(r#"{"background":false}"#, false).unwrap();
        assert!(!waits.is_left && !waits.is_dry);
        assert!(Sent::of("[]", false).is_err() && Sent::of("{", true).is_err());
    }
}
