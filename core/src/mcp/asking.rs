//! What servers of the 2025 eras ask of their clients: the other half of the method table.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Revision;

/// A request that a server sends to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// `elicitation/create`.
    Elicitation,
    /// `roots/list`.
    Roots,
    /// `sampling/createMessage`.
    Sampling,
}

/// Each with the first and the last revision that has it; 2026-07-28 has them as `inputRequests`.
static TABLE: [(&str, Asking, Revision, Revision); 3] = [
    ("roots/list", Asking::Roots, Revision::V2024_11_05, Revision::V2026_07_28),
    ("sampling/createMessage", Asking::Sampling, Revision::V2024_11_05, Revision::V2026_07_28),
    ("elicitation/create", Asking::Elicitation, Revision::V2025_06_18, Revision::V2026_07_28),
];

impl Asking {
    /// The request with this name, in a revision that has it.
    pub fn find(name: &str, revision: Revision) -> Option<Self> {
        let row = TABLE.iter().find(|(known, ..)| *known == name)?;
        let (_, asking, since, until) = *row;
        (since <= revision && revision <= until).then_some(asking)
    }
}

/// What a client said that it can answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    elicitation: bool,
    roots: bool,
    sampling: bool,
}

#[derive(Deserialize)]
struct Wire {
    elicitation: Option<IgnoredAny>,
    roots: Option<IgnoredAny>,
    sampling: Option<IgnoredAny>,
}

impl Abilities {
    /// Reads a client's `capabilities`; what is not understood is not there.
    pub fn parse(json: &str) -> Self {
        serde_json::from_str::<Wire>(json).map_or_else(
            |_| Self::default(),
            |wire| Self {
                elicitation: wire.elicitation.is_some(),
                roots: wire.roots.is_some(),
                sampling: wire.sampling.is_some(),
            },
        )
    }

    /// Whether it can answer this.
    pub fn can(self, asking: Asking) -> bool {
        match asking {
            Asking::Elicitation => self.elicitation,
            Asking::Roots => self.roots,
            Asking::Sampling => self.sampling,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_do_what_it_says_and_no_revision_can_do_what_it_does_not_have() {
        let able = Abilities::parse(r#"{"roots":{"listChanged":true},"elicitation":{"form":{}}}"#);
        assert!(able.can(Asking::Roots) && able.can(Asking::Elicitation) && !able.can(Asking::Sampling));
        assert_eq!(Abilities::parse("[]"), Abilities::default());
        assert_eq!(Asking::find("elicitation/create", Revision::V2025_03_26), None);
        assert_eq!(Asking::find("roots/list", Revision::V2024_11_05), Some(Asking::Roots));
    }
}
