//! What is shown at a server's door, and what becomes of a request that was not let in.
//!
//! A request that was refused for its credentials was not begun, so it may go once more with others; but once only.

use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use orch_core::oauth::Challenge;
use orch_core::ports::passes::{NoPass, Pass, Passes, Refusal, Visit};

/// The door of one server.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) passes: Arc<dyn Passes>,
    pub(crate) visit: Arc<Visit>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("server", &self.visit.server).finish_non_exhaustive()
    }
}

/// Goes with an answer that lets nobody in: somebody has to log in, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shut(pub(crate) String);

impl Door {
    /// What is to be shown.
    pub(crate) async fn pass(&self) -> Option<Pass> {
        self.passes.current(&self.visit).await
    }

    /// Another pass for a request that was answered in this way; `None` where it was let in, or was refused for another
    /// reason.
    pub(crate) async fn again<B: Sync>(
        &self,
        shown: Option<Pass>,
        response: &Response<B>,
    ) -> Option<Result<Pass, NoPass>> {
        let challenge = challenge(response)?;
        Some(self.passes.refused(&self.visit, Refusal { shown, challenge }).await)
    }
}

/// A pass as a header.
pub(crate) fn header(pass: &Pass) -> Option<(http::HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(&pass.0).ok()?;
    value.set_sensitive(true);
    Some((AUTHORIZATION, value))
}

/// What a server wants that has refused a request for its credentials.
fn challenge<B>(response: &Response<B>) -> Option<Challenge> {
    let values = response.headers().get_all(WWW_AUTHENTICATE);
    let challenge = Challenge::read(values.into_iter().map(HeaderValue::as_bytes));
    match response.status() {
        StatusCode::UNAUTHORIZED => Some(challenge.unwrap_or_default()),
        // A 403 that does not ask for more rights is a word of policy.
        StatusCode::FORBIDDEN => challenge.filter(Challenge::wants_scope),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, challenge: &str) -> Response<()> {
        Response::builder().status(status).header("www-authenticate", challenge).body(()).unwrap()
    }

    #[test]
    fn a_request_is_refused_for_its_credentials_by_401_and_by_403_that_asks_for_more_rights() {
        for (status, said, refused) in [
            (401, "Bearer", true),
            (401, "Basic realm=x", true),
            (403, "Bearer error=\"insufficient_scope\", scope=\"a\"", true),
            (403, "Bearer error=\"invalid_token\"", false),
            (403, "Basic realm=x", false),
            (200, "Bearer", false),
            (404, "Bearer error=\"insufficient_scope\"", false),
        ] {
            assert_eq!(challenge(&response(status, said)).is_some(), refused, "{status} {said}");
        }
        let bare = Response::builder().status(401).body(()).unwrap();
        assert_eq!(challenge(&bare), Some(Challenge::default()));
    }

    #[test]
    fn a_pass_is_in_no_words() {
        let (_, value) = header(&Pass("Bearer s3cret".to_owned())).unwrap();
        assert!(!format!("{value:?}").contains("s3cret"));
        assert!(header(&Pass("Bearer a\r\nb".to_owned())).is_none());
    }
}
