//! What a server of the 2025 revisions has said in its handshake, and wants to hear with every request from then on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use orch_core::rpc::{Envelope, Field};

use crate::message::VERSION;

const ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// Nothing at first.
#[derive(Debug, Default)]
pub(crate) struct Session(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

impl Session {
    /// The head of the answer to `initialize`.
    pub(crate) fn on_head(&self, head: &HeaderMap) {
        self.lock().id = head.get(ID).cloned().map(|mut id| {
            id.set_sensitive(true);
            id
        });
    }

    /// The answer to `initialize`.
    pub(crate) fn on_answer(&self, answer: &Envelope) {
        let version = answer.text(Field::ProtocolVersion);
        self.lock().version = version.and_then(|version| HeaderValue::from_str(&version).ok());
    }

    /// Whether there is a session that can expire.
    pub(crate) fn has_id(&self) -> bool {
        self.lock().id.is_some()
    }

    /// The headers of a request within the session.
    pub(crate) fn headers(&self) -> HeaderMap {
        let known = self.lock();
        let mut headers = HeaderMap::new();
        for (name, value) in [(ID, &known.id), (VERSION, &known.version)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        headers
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
