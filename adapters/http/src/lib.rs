//! The HTTP face: accept loop, deadlines, Host and Origin rules, routes, SSE.
//!
//! It speaks to the hub through [`orch_core::ports::gateway::Gateway`] and knows of MCP only what HTTP needs:
//! paths, headers, status codes and framing. No message of a client is parsed here, but for the plans of the REST interface
//! (`api`), which become calls of the hub's own tools.
//!
//! A connection is accepted ([`Server`]), its bytes are judged before anything reads them ([`Gate`]), it is served by
//! hyper's HTTP/1 machine under our own deadlines (`connection`, `pace`, `guarded`), and each of its requests is judged in one fixed order (`exchange`): target length, Host and
//! Origin (`hosts`), path (`route`), method and headers (`head`), the gateway's admission, media types (`media`),
//! and only then the body (`body`). What comes back is written by `reply` and [`sse`];
//! streams that clients listen to are carried on without hyper (`listening`).

mod accept;
mod api;
mod body;
mod connection;
mod exchange;
mod gate;
mod guarded;
mod head;
mod hosts;
mod listening;
mod media;
mod pace;
mod reply;
mod route;
mod server;
pub mod sse;

pub use gate::{Flaw, Gate, Passed};
pub use hosts::HostPolicy;
pub use server::{Ready, Server};
