//! Sessions and streams: any list of events keeps the rules of the simulation, and everybody has an answer in the end.

use orch_sim::{Machine, play};

/// What clients, the store, crashes and revoked keys do to sessions and those who come back for their streams.
pub fn check(input: &[u8]) {
    play(Machine::Session, input);
}
