//! Coding agents as people use them: each takes a real turn, in which its model calls a tool through the hub.
//!
//! The agents are the real programs, the hub is the real binary, the tool is a real server's. The model alone is not
//! one: it answers from this process, by rules. An agent is configured with what `mcp-orch client-config` prints for it.
//!
//! Facts about the agents: Codex speaks Streamable HTTP only. The registry has builds of Cline for x86-64 alone.
//! Cursor and VS Code need a desktop, so they take no turn here.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read on may panic anywhere"
)]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../e2e/home.rs"]
mod home;
#[path = "../e2e/hub.rs"]
#[expect(dead_code, reason = "the other suite that starts hubs uses the rest")]
mod hub;
#[path = "../e2e/peers.rs"]
#[expect(dead_code, reason = "the other suite that starts peers uses the rest")]
mod peers;
#[path = "../e2e/process.rs"]
mod process;

mod claude;
#[cfg(target_arch = "x86_64")]
mod cline;
mod codex;
mod dialect;
mod gemini;
mod model;
mod opencode;
mod stage;
