//! The driven port to what lets the hub in at remote servers that ask who it is.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use super::BoxFuture;
use crate::oauth::{Challenge, OauthSpec};
use crate::record::{ServerSpec, Transport};

/// Has the tokens of servers, and gets new ones.
pub trait Passes: Send + Sync + 'static {
    /// What a server is shown, renewed where it is about to end; `None` while there is nothing to show. What it says to that
    /// goes to `refused`.
    fn current<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Option<Pass>>;

    /// A server has refused what it was shown, or has asked for something. Another pass to try at once, or why there is
    /// none. However many requests were refused, there is one renewal.
    fn refused<'a>(&'a self, visit: &'a Visit, refusal: Refusal) -> BoxFuture<'a, Result<Pass, NoPass>>;
}

/// A server that the hub wants to get into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The slug of its project.
    pub project: String,
    /// Its name.
    pub server: String,
    /// Where it is. What was got for another address is not shown to it.
    pub url: String,
    /// What its owner says of logins. No `${VAR}` is left in it.
    pub oauth: OauthSpec,
}

impl Visit {
    /// A server that may be logged in at; `None` for a program, and for one whose owner has written down what it is to be
    /// shown. `spec` is resolved.
    pub fn of(project: &str, server: &str, spec: &ServerSpec) -> Option<Self> {
        let Transport::Remote { url, headers, .. } = &spec.transport else { return None };
        if headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
            return None;
        }
        let oauth = spec.oauth.as_deref().cloned().unwrap_or_default();
        Some(Self { project: project.to_owned(), server: server.to_owned(), url: url.clone(), oauth })
    }
}

/// The value of `Authorization`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pass(pub String);

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(..)")
    }
}

/// What a server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it was shown.
    pub shown: Option<Pass>,
    /// What it wants, as far as it says so.
    pub challenge: Challenge,
}

/// There is no pass: words that are fit for a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPass {
    /// Somebody has to log in: why, and how.
    #[error("{0}")]
    LoginRequired(String),
    /// It may be otherwise in a moment.
    #[error("{0}")]
    Unavailable(String),
}
