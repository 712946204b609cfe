//! What goes over the link: values as postcard bytes, numbered by exchange.

use orch_core::ports::gateway::{Admission, Event, Head, Reply, ReplyBody};
use serde::{Deserialize, Serialize};

/// From the front to the hub.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Up {
    Admit {
        exchange: u64,
        head: Head,
    },
    Submit {
        exchange: u64,
        admission: Admission,
        head: Head,
        body: Vec<u8>,
    },
    /// The client has gone.
    Left {
        exchange: u64,
    },
}

/// From the hub to the front.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Down {
    Admitted { exchange: u64, admission: Admission },
    Replied { exchange: u64, reply: WireReply },
    Event { exchange: u64, event: Event },
    Ended { exchange: u64 },
}

/// A reply without its stream, whose events follow.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireReply {
    pub status: u16,
    pub session: Option<String>,
    pub body: WireBody,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WireBody {
    Empty,
    Events,
    Json(Vec<u8>),
}

impl WireReply {
    pub(crate) fn of(reply: &Reply) -> Self {
        let body = match &reply.body {
            ReplyBody::Empty => WireBody::Empty,
            ReplyBody::Json(json) => WireBody::Json(json.to_vec()),
            ReplyBody::Events(_) => WireBody::Events,
        };
        Self { status: reply.status, session: reply.session.clone(), body }
    }
}

pub(crate) fn bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("every value of the link has a form")
}

pub(crate) fn value<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> T {
    postcard::from_bytes(bytes).expect("both ends are of one version")
}
