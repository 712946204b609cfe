//! The table of bad input: what is sent to the real hub, by clients and by servers, and what has to come of it.
//!
//! Nothing in it may harm anybody else, so after each row a client that does nothing wrong is served as before.

mod doors;
mod framing;
mod messages;
mod modern;
mod row;
mod servers;
mod stage;
mod stalls;
