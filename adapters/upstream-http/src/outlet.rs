//! What a link reports of its requests: messages as they came, and errors of its own making for requests that nobody
//! else will answer.

use std::sync::Arc;

use bytes::Bytes;
use orch_core::ports::upstream::{LinkSink, Lost};
use orch_core::{Exceeded, Fault, Limits, UpstreamFault};
use tokio::time::sleep;

use crate::client::Unanswered;

/// The reporting end of one link.
pub(crate) struct Outlet {
    sink: Arc<dyn LinkSink>,
    server: String,
    pub(crate) limits: Arc<Limits>,
}

impl Outlet {
    pub(crate) fn new(sink: Arc<dyn LinkSink>, server: String, limits: Arc<Limits>) -> Self {
        Self { sink, server, limits }
    }

    pub(crate) fn opened(&self) {
        self.sink.opened(None);
    }

    /// Messages, on the stream of the request with the raw id `within` or on none. Ready when more may be read.
    pub(crate) async fn received(&self, within: Option<&str>, frames: Vec<Bytes>) {
        if frames.is_empty() {
            return;
        }
        let rest = self.sink.received(within, frames);
        if !rest.is_zero() {
            sleep(rest).await;
        }
    }

    pub(crate) fn logged(&self, line: String) {
        self.sink.logged(line);
    }

    /// No answer came to a request.
    pub(crate) fn unanswered(&self, id: &str, why: Unanswered) {
        let server = self.server();
        let fault = match why {
            Unanswered::NotSent(cause) => UpstreamFault::Unavailable { server, cause },
            Unanswered::Unknown(cause) => UpstreamFault::OutcomeUnknown { server, cause },
        };
        self.fail(id, fault);
    }

    /// What the server says on the stream of a request is over the bound of a message.
    pub(crate) fn overlong(&self, id: &str, limit: usize) {
        self.fail(id, Exceeded::by_answer(limit));
    }

    /// A request was not sent before the link ended.
    pub(crate) fn unsent(&self, id: &str, cause: &str) {
        self.fail(id, UpstreamFault::NotSent { server: self.server(), cause: cause.to_owned() });
    }

    /// The server did not take a request.
    pub(crate) fn refused(&self, id: &str, status: u16, cause: String) {
        let _nothing_was_read = self.sink.received(Some(id), vec![self.refusal(id, status, cause)]);
    }

    /// The server did not take a request, and says so with a status that may be of another era of the protocol.
    pub(crate) fn declined(&self, id: &str, refusal: Bytes) {
        self.sink.declined(id, refusal);
    }

    /// How a request is answered that the server did not take.
    pub(crate) fn refusal(&self, id: &str, status: u16, cause: String) -> Bytes {
        Fault::from(UpstreamFault::Refused { server: self.server(), status, cause }).frame(Some(id)).into()
    }

    /// The server does not know the session any more, as it says in this answer to a request, or to no request.
    pub(crate) fn expired(&self, refusal: Option<Bytes>) {
        self.sink.lost(Lost::Session(refusal));
    }

    /// What the server has said unasked before now is lost.
    pub(crate) fn missed(&self) {
        self.sink.lost(Lost::News);
    }

    /// The server lets nobody in who has not logged in.
    pub(crate) fn shut(&self, id: &str, cause: String) {
        self.fail(id, UpstreamFault::LoginRequired { server: self.server(), cause });
    }

    fn fail(&self, id: &str, fault: impl Into<Fault>) {
        let _nothing_was_read = self.sink.received(Some(id), vec![fault.into().frame(Some(id)).into()]);
    }

    fn server(&self) -> String {
        self.server.clone()
    }
}
