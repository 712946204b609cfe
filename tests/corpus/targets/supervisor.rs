//! Processes: any list of events keeps the rules of the simulation, and every server answers in the end.

use orch_sim::{Machine, play};

/// What servers, operators, configurations and time do to processes and the calls that they have.
pub fn check(input: &[u8]) {
    play(Machine::Supervisor, input);
}
