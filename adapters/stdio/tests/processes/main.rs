//! The adapter on real processes: every rule that is particular to them. The rules of the port itself are in
//! `tests/contract`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests, and what serves them"
)]

mod end;
mod flow;
mod orphans;
mod stage;
mod start;
