//! The adapter on real sockets, against servers that do as each test says. Servers of others are in
//! `tests/upstream-http`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    reason = "tests, and what serves them"
)]

mod ends;
mod losses;
mod old;
mod own_stream;
mod passes;
mod reach;
mod refusals;
mod requests;
mod server;
mod sessions;
mod stage;
mod stateless;
mod streams;
mod web;
