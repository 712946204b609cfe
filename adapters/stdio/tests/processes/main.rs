//! The adapter on real processes: every rule that is particular to them. The rules of the port itself are in
//! `tests/contract`.

mod end;
mod flow;
mod stage;
mod start;
