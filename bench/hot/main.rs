//! The hot path, piece by piece: time, and how often and how much each operation allocates.
//!
//! `cargo bench -p orch-bench`. Times depend on the machine; allocations do not, and are what to compare.
#![expect(clippy::expect_used, reason = "a benchmark whose stage cannot be set has nothing to measure")]

mod call;
mod catalogue;
mod envelope;
mod hub;
mod keys;
mod messages;
mod plans;
mod stage;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}
