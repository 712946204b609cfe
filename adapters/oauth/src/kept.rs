//! What is kept of the login at one server.

use std::time::Duration;

use orch_core::Timestamp;
use orch_core::oauth::{Challenge, ClientAuth, Scopes};
use orch_core::ports::passes::{Pass, Visit};
use serde::{Deserialize, Serialize};

/// All of it. What another release has written and this one cannot read is nothing: it only takes another login.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    /// The address that all of this is for.
    pub url: String,
    /// What the server has asked for last.
    pub asked: Option<Asked>,
    /// How the hub made itself known, and where.
    pub registered: Option<Registration>,
    /// The scopes that were asked for last.
    pub scope: String,
    pub tokens: Option<Tokens>,
    /// A login that somebody has begun.
    pub pending: Option<Pending>,
    /// How often in a row those same scopes were asked for because the server wanted them.
    pub steps: u32,
}

/// What a server wants.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub resource_metadata: Option<String>,
    pub scope: Option<String>,
    /// More than the hub has.
    pub more: bool,
}

/// A registration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registration {
    pub issuer: String,
    pub redirect: String,
    pub client: Client,
}

/// The hub, as an authorization server knows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Client {
    pub id: String,
    /// Given by the authorization server. One that is configured is not kept.
    pub secret: Option<String>,
    pub auth: ClientAuth,
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub issuer: String,
    pub endpoint: String,
    /// What they are for.
    pub resource: String,
    pub client: Client,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub source: Source,
    pub access: String,
    pub refresh: Option<String>,
    /// In milliseconds since 1970.
    pub expires_at: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub source: Source,
    pub state: String,
    pub verifier: String,
    pub redirect: String,
    pub scope: String,
    /// Whether the issuer says in each redirect who it is.
    pub names_issuer: bool,
    /// In milliseconds since 1970.
    pub until: u64,
}

impl Kept {
    /// As far as it is of a server as it is configured now: what was got for another address or as another client is no
    /// good, and would be somebody else's to see.
    pub(crate) fn of(mut self, visit: &Visit) -> Self {
        if self.url != visit.url {
            return Self { url: visit.url.clone(), ..Self::default() };
        }
        let oauth = &visit.oauth;
        let good = |source: &Source| {
            let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
            same(&oauth.client_id, &source.client.id) && same(&oauth.issuer, &source.issuer)
        };
        self.tokens = self.tokens.filter(|tokens| good(&tokens.source));
        self.pending = self.pending.filter(|pending| good(&pending.source));
        self
    }

    /// What the server is shown.
    pub(crate) fn pass(&self, now: Timestamp) -> Option<Pass> {
        let tokens = self.tokens.as_ref()?;
        let good = tokens.expires_at.is_none_or(|at| now.0 < at);
        good.then(|| Pass(format!("Bearer {}", tokens.access)))
    }

    /// Whether the token ends soon, or has ended.
    pub(crate) fn is_ending(&self, now: Timestamp, early: Duration) -> bool {
        let ends = self.tokens.as_ref().and_then(|tokens| tokens.expires_at);
        ends.is_some_and(|at| now.after(early).0 >= at)
    }

    /// Notes what a server asks for; whether that is news.
    pub(crate) fn heard(&mut self, challenge: &Challenge) -> bool {
        let asked = Asked {
            resource_metadata: challenge.resource_metadata.clone(),
            scope: challenge.scope.clone(),
            more: challenge.wants_scope(),
        };
        let news = self.asked.as_ref() != Some(&asked);
        self.asked = Some(asked);
        news
    }

    /// The scopes that the server has asked for.
    pub(crate) fn wanted(&self) -> Option<Scopes> {
        self.asked.as_ref().and_then(|asked| asked.scope.as_deref()).map(Scopes::read)
    }

    /// Whether the server wants rights that were asked for before, so that it makes no difference to ask again.
    pub(crate) fn repeats(&self) -> bool {
        let more = self.asked.as_ref().is_some_and(|asked| asked.more);
        more && Scopes::read(&self.scope).cover(&self.wanted().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use orch_core::oauth::OauthSpec;

    use super::*;

    fn kept() -> Kept {
        let client = Client { id: "hub".to_owned(), secret: None, auth: ClientAuth::None };
        let (issuer, endpoint) = ("https://as.example".to_owned(), "https://as.example/token".to_owned());
        let source = Source { issuer, endpoint, resource: "https://a.example/mcp".to_owned(), client };
        let tokens = Tokens { source, access: "t".to_owned(), refresh: None, expires_at: Some(100_000) };
        Kept { url: "https://a.example/mcp".to_owned(), tokens: Some(tokens), ..Kept::default() }
    }

    fn visit(url: &str, oauth: OauthSpec) -> Visit {
        Visit { project: "default".to_owned(), server: "a".to_owned(), url: url.to_owned(), oauth }
    }

    #[test]
    fn a_token_is_for_one_address_one_client_and_one_issuer() {
        let url = "https://a.example/mcp";
        let some = |text: &str| Some(text.to_owned());
        let known =
            OauthSpec { client_id: some("hub"), issuer: some("https://as.example"), ..OauthSpec::default() };
        for (visit, good) in [
            (visit(url, OauthSpec::default()), true),
            (visit(url, known), true),
            (visit("https://b.example/mcp", OauthSpec::default()), false),
            (visit(url, OauthSpec { client_id: some("other"), ..OauthSpec::default() }), false),
            (visit(url, OauthSpec { issuer: some("https://b.example"), ..OauthSpec::default() }), false),
        ] {
            assert_eq!(kept().of(&visit).pass(Timestamp(0)).is_some(), good, "{visit:?}");
        }
    }

    #[test]
    fn a_token_ends_when_it_was_said_to() {
        assert_eq!(kept().pass(Timestamp(99_999)), Some(Pass("Bearer t".to_owned())));
        assert_eq!(kept().pass(Timestamp(100_000)), None);
        let early = Duration::from_secs(10);
        assert!(!kept().is_ending(Timestamp(89_999), early) && kept().is_ending(Timestamp(90_000), early));
    }
}
