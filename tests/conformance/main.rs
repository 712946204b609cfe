//! The official conformance suite against the hub, with a server of every kind behind it.
//!
//! The server is our own (`fixture`), and conforms when it is asked directly: what fails through the hub is the
//! hub's. `tests/peers/install` brings the suite.
#![expect(clippy::expect_used, reason = "a test that cannot read on may panic anywhere")]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../e2e/home.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod home;
#[path = "../e2e/hub.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod hub;
#[path = "../e2e/peers.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod peers;
#[path = "../e2e/process.rs"]
mod process;

mod cells;
mod client;
mod expected;
mod fixture;
mod logins;
mod shim;
mod suite;
