//! The driver: what the core cannot have. Locks, the clock, entropy, tasks, and the one interpreter of effects.
//!
//! A [`Driver`] is a [`Gateway`](orch_core::ports::gateway::Gateway) for HTTP faces, and the administration of an
//! instance for its command line. No rule of behaviour lives here: a decision is `core`'s, the driver carries it
//! out.

mod admin;
mod boot;
mod calls;
mod cell;
mod clock;
mod exchange;
mod gateway;
mod held;
mod interpret;
mod journal;
mod ledger;
mod logs;
mod registry;
mod secrets;
mod sink;

pub use admin::{AdminError, KeyView, NewKey};
pub use boot::{BootError, Options, Parts};
pub use calls::{BOUNDS, CallLine, CallQuery, CallSummary, Meter};
pub use clock::Clock;
pub use logs::{LogQuery, LogSummary};
pub use registry::Driver;
