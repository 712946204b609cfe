//! The ports' contracts: one suite per port, written against its trait, run on every implementation.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot read on may panic anywhere")]

#[path = "../support/binary.rs"]
mod binary;
mod kill;
mod link;
mod peers;
mod records;
mod remote;
mod samples;
mod store;
mod upstream;
