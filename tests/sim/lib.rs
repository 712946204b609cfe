//! Projects, simulated: clients of every era, servers that fail in every way, a store that refuses, and a clock that
//! jumps. A seed draws what happens; after every input the books must balance, and at the end, when all is healed,
//! everybody must have an answer.
//!
//! `main.rs` plays seeds. A seed that fails is made small, says how to replay it and joins `regressions.txt`.
//! `ORCH_SIM_SEED` picks one seed, `ORCH_SIM_STEPS` sets the length, `ORCH_SIM_KEEP` picks some of its steps,
//! `ORCH_SIM_SEEDS` says how many seeds are tried.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a simulation that meets what cannot be shall panic"
)]

mod books;
mod calm;
mod checks;
mod clients;
mod dice;
mod events;
mod hub;
mod link;
mod patches;
mod plan;
mod project;
mod regressions;
mod requests;
mod returns;
mod run;
mod runs;
mod servers;
mod shrink;
mod steps;
mod store;
mod talk;
mod tally;
mod world;

pub use events::{Machine, play};
pub use patches::stale;
pub use regressions::{add, all as regressions};
pub use run::{Case, Done, Failure, all, digests, hold, number};
pub use shrink::shrink;
pub use tally::{Fault, Tally};
