//! The sans-IO core of mcp-orch: every rule of the hub, and no IO, clock, randomness, async or lock.
//!
//! Decisions that need no memory are pure functions over an immutable [`Snapshot`](snapshot::Snapshot) of one project.
//! Everything with a life of its own (session, call, upstream link, process) is a small state machine inside
//! a [`Shard`](shard::Shard): `Shard::handle(&mut Cx, Input)` appends [`Effect`](shard::Effect)s to a buffer, and `runtimes/driver` is the
//! one place that carries them out. The same inputs always give the same effects.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm
)]

extern crate alloc;

pub mod error;
pub mod hub;
pub mod ids;
pub mod key;
pub mod limits;
pub mod mcp;
pub mod oauth;
pub mod plan;
pub mod planner;
pub mod ports;
pub mod record;
pub mod rpc;
pub mod run;
pub mod shard;
pub mod snapshot;
pub mod sse;
pub mod time;
pub mod translate;
pub mod turns;
mod upstream;

pub use error::{Bug, Denied, Exceeded, Fault, Rejection, Unstored, UpstreamFault};
pub use ids::{
    CallId, Entropy, ExchangeId, KeyId, LaunchId, LinkId, LogId, ProjectId, RunId, ServerId, SessionId,
    TaskId,
};
pub use limits::{Limit, Limits};
pub use time::{Deadline, Timestamp};
