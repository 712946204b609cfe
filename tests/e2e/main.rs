//! The hub as people meet it: the real binary, real servers behind it, real clients in front of it.
//!
//! `tests/peers/install` brings the servers and clients. A test has a data directory, a port and processes of its own.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read on may panic anywhere"
)]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../plans/chains.rs"]
#[expect(dead_code, reason = "shared with the measurement of plans")]
mod chains;
#[path = "../support/peer.rs"]
mod peer;
#[path = "../plans/ways.rs"]
#[expect(dead_code, reason = "shared with the measurement of plans")]
mod ways;

mod agent;
mod asking;
mod bad_input;
mod batches;
mod bridge;
mod crossing;
mod doorway;
mod handover;
mod home;
mod hub;
mod inspector;
mod isolation;
mod issuer;
mod kills;
mod large;
mod logins;
mod logs;
mod matrix;
mod one_core;
mod peers;
mod planner;
mod plans;
mod process;
mod reload;
mod remote;
mod resumption;
mod rmcp_client;
mod room;
mod sdk_plans;
mod servers;
mod spelling;
mod start;
mod stopping;
mod storage;
mod supervision;
mod survival;
mod tls;
mod unified;
mod wire;
