//! The adapter in front of servers that others wrote: both eras of Streamable HTTP, and HTTP+SSE.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "tests, and what serves them"
)]

#[path = "../support/peer.rs"]
mod peer;

mod dual;
mod everything;
mod link;
