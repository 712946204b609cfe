//! What servers ask of their clients: the other half of the method table.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Revision;
use crate::rpc::{Envelope, Field};
use Revision::{V2024_11_05 as FIRST, V2025_06_18, V2025_11_25, V2026_07_28 as LAST};

/// A request that a server sends to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// `elicitation/create` with a form.
    Form,
    /// `roots/list`.
    Roots,
    /// `sampling/createMessage`.
    Sampling,
    /// `sampling/createMessage` with tools.
    SamplingTools,
    /// `elicitation/create` with an address to open.
    Url,
}

/// Each with the first and the last revision that has it; 2026-07-28 has them as `inputRequests`.
static TABLE: [(Asking, &str, Revision, Revision); 5] = [
    (Asking::Roots, "roots/list", FIRST, LAST),
    (Asking::Sampling, "sampling/createMessage", FIRST, LAST),
    (Asking::SamplingTools, "sampling/createMessage", V2025_11_25, LAST),
    (Asking::Form, "elicitation/create", V2025_06_18, LAST),
    (Asking::Url, "elicitation/create", V2025_11_25, LAST),
];

impl fmt::Display for Asking {
    /// The client's capability without which nobody can answer it, as a path in `ClientCapabilities`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "elicitation.form",
            Self::Roots => "roots",
            Self::Sampling => "sampling",
            Self::SamplingTools => "sampling.tools",
            Self::Url => "elicitation.url",
        })
    }
}

impl Asking {
    /// What a request asks for, in a revision that has it.
    pub fn of(method: &str, request: &Envelope, revision: Revision) -> Option<Self> {
        let url = request.text(Field::Mode).as_deref() == Some("url");
        let tools = request.has(Field::Tools);
        let named = TABLE
            .iter()
            .filter(|(_, name, since, until)| *name == method && *since <= revision && revision <= *until);
        let fits = |asking: Self| match asking {
            Self::Form => !url,
            Self::Roots => true,
            Self::Sampling => !tools,
            Self::SamplingTools => tools,
            Self::Url => url,
        };
        named.map(|(asking, ..)| *asking).find(|asking| fits(*asking))
    }

    /// Everything that can be asked.
    pub const ALL: [Self; 5] = [Self::Roots, Self::Sampling, Self::SamplingTools, Self::Form, Self::Url];

    /// Whether the name is that of a request to clients.
    pub fn is_named(method: &str) -> bool {
        TABLE.iter().any(|(_, name, ..)| *name == method)
    }
}

/// What a client said that it can answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each a member of the wire object")]
pub struct Abilities {
    form: bool,
    roots: bool,
    sampling: bool,
    sampling_context: bool,
    sampling_tools: bool,
    url: bool,
}

impl fmt::Display for Abilities {
    /// Each as a path in `ClientCapabilities`, where one part of a capability is meant with that part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |asking: &Asking| {
            self.can(*asking) && !(*asking == Asking::Sampling && self.can(Asking::SamplingTools))
        };
        for (at, asking) in Asking::ALL.iter().filter(|asking| named(asking)).enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{asking}")?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    elicitation: Option<&'a RawValue>,
    roots: Option<IgnoredAny>,
    #[serde(borrow)]
    sampling: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Modes {
    form: Option<IgnoredAny>,
    url: Option<IgnoredAny>,
    context: Option<IgnoredAny>,
    tools: Option<IgnoredAny>,
}

impl Modes {
    fn read(raw: Option<&RawValue>) -> Self {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }
}

impl Abilities {
    /// What any client may be able to do.
    pub const ALL: Self = Self {
        form: true,
        roots: true,
        sampling: true,
        sampling_context: true,
        sampling_tools: true,
        url: true,
    };

    /// Reads a client's `capabilities`; what is not understood is not there.
    pub fn parse(json: &str) -> Self {
        let Ok(wire) = serde_json::from_str::<Wire<'_>>(json) else { return Self::default() };
        let (elicits, samples) = (Modes::read(wire.elicitation), Modes::read(wire.sampling));
        Self {
            // Without a mode it is the form, as before there were modes (2025-11-25, elicitation).
            form: wire.elicitation.is_some() && (elicits.form.is_some() || elicits.url.is_none()),
            roots: wire.roots.is_some(),
            sampling: wire.sampling.is_some(),
            sampling_context: samples.context.is_some(),
            sampling_tools: samples.tools.is_some(),
            url: elicits.url.is_some(),
        }
    }

    /// Whether it can answer this.
    pub fn can(self, asking: Asking) -> bool {
        match asking {
            Asking::Form => self.form,
            Asking::Roots => self.roots,
            Asking::Sampling => self.sampling,
            Asking::SamplingTools => self.sampling_tools,
            Asking::Url => self.url,
        }
    }

    /// Whether a client of a revision cannot answer this, and can answer requests of the same name in another mode or with
    /// fewer parts.
    pub fn lacks_part(self, asking: Asking, revision: Revision) -> bool {
        let row = TABLE.iter().find(|(known, ..)| *known == asking);
        let has = |(other, name, since, until): &(Asking, &str, Revision, Revision)| {
            row.is_some_and(|(_, own, ..)| own == name)
                && *since <= revision
                && revision <= *until
                && self.can(*other)
        };
        !self.can(asking) && TABLE.iter().any(has)
    }

    /// The same, and able to answer this.
    #[must_use]
    pub fn with(self, asking: Asking) -> Self {
        match asking {
            Asking::Form => Self { form: true, ..self },
            Asking::Roots => Self { roots: true, ..self },
            Asking::Sampling => Self { sampling: true, ..self },
            Asking::SamplingTools => Self { sampling: true, sampling_tools: true, ..self },
            Asking::Url => Self { url: true, ..self },
        }
    }

    /// Whether it can answer anything at all.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// The wire object, for a server of a revision.
    pub fn json(self, revision: Revision) -> String {
        let roots = if revision.is_modern() { "\"roots\":{}" } else { "\"roots\":{\"listChanged\":true}" };
        let parts = |name: &str, parts: [(bool, &str); 2]| {
            let there: Vec<&str> =
                parts.into_iter().filter(|(there, _)| *there).map(|(_, part)| part).collect();
            alloc::format!("\"{name}\":{{{}}}", there.join(","))
        };
        let sampling = parts(
            "sampling",
            [(self.sampling_context, "\"context\":{}"), (self.sampling_tools, "\"tools\":{}")],
        );
        let elicitation = parts("elicitation", [(self.form, "\"form\":{}"), (self.url, "\"url\":{}")]);
        let members =
            [(self.roots, roots), (self.sampling, &sampling), (self.form || self.url, &elicitation)];
        let there: Vec<&str> =
            members.into_iter().filter(|(there, _)| *there).map(|(_, member)| member).collect();
        alloc::format!("{{{}}}", there.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::rpc::Sender;

    fn asking(method: &str, params: &str, revision: Revision) -> Option<Asking> {
        let text = alloc::format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let request = Envelope::parse(text.into(), Sender::Upstream, &Limits::default()).unwrap();
        Asking::of(method, &request, revision)
    }

    #[test]
    fn a_client_can_do_what_it_says() {
        let able = Abilities::parse(r#"{"roots":{"listChanged":true},"elicitation":{"form":{}}}"#);
        assert!(able.can(Asking::Roots) && able.can(Asking::Form));
        assert!(!able.can(Asking::Sampling) && !able.can(Asking::Url));
        assert_eq!(Abilities::parse("[]"), Abilities::default());
        let bare = Abilities::parse(r#"{"elicitation":{},"sampling":{"tools":{},"more":1}}"#);
        assert!(bare.can(Asking::Form) && !bare.can(Asking::Url) && bare.can(Asking::SamplingTools));
        let url = Abilities::parse(r#"{"elicitation":{"url":{}}}"#);
        assert!(url.can(Asking::Url) && !url.can(Asking::Form));
    }

    #[test]
    fn a_client_lacks_a_part_of_what_it_can_answer_in_another_way() {
        for (json, asking, revision, lacks) in [
            (r#"{"elicitation":{}}"#, Asking::Url, V2025_06_18, true),
            (r#"{"elicitation":{}}"#, Asking::Url, Revision::V2025_03_26, false),
            (r#"{"elicitation":{}}"#, Asking::Form, LAST, false),
            (r#"{"elicitation":{"url":{}}}"#, Asking::Form, V2025_11_25, true),
            (r#"{"sampling":{}}"#, Asking::SamplingTools, FIRST, true),
            (r#"{"sampling":{}}"#, Asking::Url, LAST, false),
            ("{}", Asking::Roots, LAST, false),
        ] {
            let able = Abilities::parse(json);
            assert_eq!(able.lacks_part(asking, revision), lacks, "{json} {asking} {revision}");
        }
    }

    #[test]
    fn no_revision_can_do_what_it_does_not_have() {
        let (url, tools) = (r#"{"mode":"url"}"#, r#"{"tools":[]}"#);
        for (method, params, since, expected) in [
            ("elicitation/create", "{}", V2025_06_18, Asking::Form),
            ("elicitation/create", url, V2025_11_25, Asking::Url),
            ("sampling/createMessage", "{}", FIRST, Asking::Sampling),
            ("sampling/createMessage", tools, V2025_11_25, Asking::SamplingTools),
            ("roots/list", "{}", FIRST, Asking::Roots),
        ] {
            for revision in Revision::ALL {
                let expected = (revision >= since).then_some(expected);
                assert_eq!(asking(method, params, revision), expected, "{method} {params} {revision}");
            }
        }
        assert_eq!(asking("tools/call", "{}", LAST), None);
    }

    #[test]
    fn what_is_missing_is_named_by_its_part_and_written_as_the_capabilities_that_have_it() {
        for (asked, named, json) in [
            (&[Asking::Roots][..], "roots", r#"{"roots":{}}"#),
            (&[Asking::Sampling], "sampling", r#"{"sampling":{}}"#),
            (&[Asking::SamplingTools], "sampling.tools", r#"{"sampling":{"tools":{}}}"#),
            (&[Asking::Form], "elicitation.form", r#"{"elicitation":{"form":{}}}"#),
            (
                &[Asking::Url, Asking::Sampling, Asking::Roots],
                "roots, sampling, elicitation.url",
                r#"{"roots":{},"sampling":{},"elicitation":{"url":{}}}"#,
            ),
        ] {
            let lacks = asked.iter().fold(Abilities::default(), |lacks, asking| lacks.with(*asking));
            assert_eq!((&*alloc::format!("{lacks}"), &*lacks.json(LAST)), (named, json));
        }
    }

    #[test]
    fn what_is_written_says_what_was_read() {
        for json in ["{}", r#"{"roots":{}}"#, r#"{"sampling":{"tools":{}},"elicitation":{"url":{}}}"#] {
            let able = Abilities::parse(json);
            assert_eq!(able.json(LAST), json);
            assert_eq!(Abilities::parse(&able.json(V2025_11_25)), able);
        }
        assert_eq!(Abilities::parse(&Abilities::ALL.json(LAST)), Abilities::ALL);
    }
}
