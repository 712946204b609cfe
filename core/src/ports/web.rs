//! The driven port to the web: one exchange over HTTP with a host that somebody else has named.
//!
//! Whoever implements it reaches only what the instance may reach, follows no redirect, and bounds what it reads.

use alloc::string::String;
use bytes::Bytes;

use super::BoxFuture;

/// One exchange at a time.
pub trait Web: Send + Sync + 'static {
    /// Sends a request and reads the whole answer. `Err` where none came, in words that are fit for a user: why, and the
    /// next step.
    fn exchange(&self, request: WebRequest) -> BoxFuture<'_, Result<WebAnswer, String>>;
}

/// A request.
#[derive(Clone, Default)]
pub struct WebRequest {
    /// An absolute URL.
    pub url: String,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// What is posted, with its media type; without it the request is a GET.
    pub body: Option<(&'static str, Bytes)>,
}

/// An answer.
#[derive(Clone)]
pub struct WebAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl core::fmt::Debug for WebRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WebRequest").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for WebAnswer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WebAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}
