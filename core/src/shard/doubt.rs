//! A remote server that has changed its era: rolled back, or replaced by one of 2026-07-28 alone.
//!
//! What is known of its era is remembered, so nothing but a refusal tells that it holds no more. A refusal by a status of
//! HTTP without a code of the stateless era puts that era in doubt (2026-07-28, versioning), and one with such a code the eras
//! before: another link takes the place of this one, and begins with the question. What was refused was not begun, so
//! it is sent again, once; if the server is what it was, the refusal is the answer.

use super::greet::protocol;
use super::refusal::offered;
use super::{Cx, Shard};
use crate::mcp::Revision;
use crate::record::Protocol;
use crate::rpc::{Envelope, Field, Message, number_of};
use crate::upstream::Purpose;
use crate::{CallId, LinkId};

/// Why another link is opened.
const CAUSE: &str = "it does not seem to speak as it did";

/// Codes of the stateless era alone (2026-07-28): headers that are missing or say something else than the message.
const HEADER_MISMATCH: &[u8] = b"-32020";

/// The client lacks what the request needs.
const MISSING_CAPABILITY: &[u8] = b"-32021";

/// The revision of the request is none that the server speaks.
const UNSUPPORTED_VERSION: &[u8] = b"-32022";

/// Of every era: the request was understood, and is wrong in itself.
const INVALID_PARAMS: &[u8] = b"-32602";

/// Of every era; in the stateless one it comes with the status 404.
const UNKNOWN_METHOD: &[u8] = b"-32601";

impl Shard {
    /// A remote server has refused a request by its HTTP status: `refusal` is the answer.
    pub(super) fn on_request_declined(&mut self, cx: &mut Cx<'_>, link: LinkId, refusal: Envelope) {
        let Message::Response { id, .. } = refusal.message() else { return };
        let Some(call) = number_of(id).map(CallId) else { return };
        let taken = self.may_doubt(cx, link, call, &refusal) && self.anew(cx, link, call, CAUSE);
        if !taken {
            self.on_frames(cx, link, Some(call), [Ok(refusal)].into());
        }
    }

    /// Whether a refusal says that a server is of another era than it was, and another link is of use to what was refused.
    fn may_doubt(&mut self, cx: &Cx<'_>, link: LinkId, call: CallId, refusal: &Envelope) -> bool {
        let Some(upstream) = self.upstream_of(link) else { return false };
        if protocol(cx, upstream.id) != Protocol::Auto || !tells_another_era(upstream.revision, refusal) {
            return false;
        }
        let was_open = upstream.news.was_open;
        let doubts = upstream.calls.get_mut(call).is_some_and(|call| match call.purpose {
            Purpose::Client(..) => call.may_renew() && call.round.is_none(),
            // It was taken before, so this is no server that does not have it.
            Purpose::Listen => was_open,
            Purpose::Forgotten(_)
            | Purpose::Handshake
            | Purpose::Housekeeping
            | Purpose::Learn(_)
            | Purpose::Parked
            | Purpose::Probe
            | Purpose::Subscribe(_)
            | Purpose::Tasks(_)
            | Purpose::Unsubscribe(_) => false,
        });
        // The next link begins with the question, whatever was remembered.
        upstream.probe.unclear |= doubts;
        doubts
    }
}

fn tells_another_era(revision: Revision, refusal: &Envelope) -> bool {
    let code = refusal.raw(Field::Code).unwrap_or_default();
    let is_refused_version = code == UNSUPPORTED_VERSION;
    if revision.is_modern() {
        let knows = || offered(refusal).iter().any(|text| text == Revision::V2026_07_28.date());
        let is_of_it = [HEADER_MISMATCH, INVALID_PARAMS, MISSING_CAPABILITY, UNKNOWN_METHOD].contains(&code);
        !(is_of_it || is_refused_version && knows())
    } else {
        is_refused_version || code == HEADER_MISMATCH
    }
}
