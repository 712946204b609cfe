//! Which scopes are asked for (MCP authorization, "scope selection strategy").

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

/// The scope that leads to a refresh token at many authorization servers.
const OFFLINE: &str = "offline_access";

/// Scopes, each once. As text they have a space between them (RFC 6749 3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// The scopes in a text.
    pub fn read(text: &str) -> Self {
        Self(text.split_ascii_whitespace().map(ToOwned::to_owned).collect())
    }

    /// These, and others.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.union(&others.0).cloned().collect())
    }

    /// Whether all of the others are among these.
    pub fn cover(&self, others: &Self) -> bool {
        others.0.is_subset(&self.0)
    }

    /// The text; `None` when there are none.
    pub fn text(&self) -> Option<String> {
        let all: Vec<&str> = self.0.iter().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self(scopes.into_iter().flat_map(|scope| Self::read(scope.as_ref()).0).collect())
    }
}

/// The scopes to ask for. What somebody has `configured` and what the server has `challenged` for goes before all that it
/// `supports`; what was `granted` before is asked for again, so that a step up is none down. Where nothing of that is known
/// there are none, and the authorization server decides. Tokens that last need a scope of their own where the authorization
/// server has one (`offline`).
pub fn wanted(
    configured: &Scopes,
    challenged: Option<&Scopes>,
    supports: Option<&Scopes>,
    granted: &Scopes,
    offline: &[String],
) -> Scopes {
    let named = match (configured.0.is_empty(), challenged) {
        (true, None) => supports.cloned().unwrap_or_default(),
        (_, Some(challenged)) => configured.and(challenged),
        (false, None) => configured.clone(),
    };
    let mut all = named.and(granted);
    if !all.0.is_empty() && offline.iter().any(|scope| scope == OFFLINE) {
        all.0.insert(OFFLINE.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_the_configuration_the_challenge_or_the_metadata_in_this_order() {
        let read = |text: &str| Scopes::read(text);
        for (configured, challenged, supports, granted, offline, expected) in [
            ("", None, None, "", "", None),
            ("", None, Some("b a"), "", "", Some("a b")),
            ("", Some("c"), Some("a b"), "", "", Some("c")),
            ("x", None, Some("a b"), "", "", Some("x")),
            ("x", Some("c"), Some("a b"), "", "", Some("c x")),
            ("", Some("c"), None, "a", "", Some("a c")),
            ("", Some(""), Some("a"), "", "", None),
            ("", Some("c"), None, "", "c offline_access", Some("c offline_access")),
            ("", None, None, "", "offline_access", None),
        ] {
            let offline: Vec<String> = offline.split(' ').map(ToOwned::to_owned).collect();
            let (challenged, supports) = (challenged.map(read), supports.map(read));
            let found =
                wanted(&read(configured), challenged.as_ref(), supports.as_ref(), &read(granted), &offline);
            assert_eq!(
                found.text().as_deref(),
                expected,
                "{configured} {challenged:?} {supports:?} {granted}"
            );
        }
    }

    #[test]
    fn scopes_cover_their_parts() {
        assert!(Scopes::read("a b").cover(&Scopes::read("b")));
        assert!(!Scopes::read("a b").cover(&Scopes::read("b c")));
    }
}
