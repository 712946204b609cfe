//! The store and its disk: what the file is, and what happens when the disk fails, fills up or loses its power.
//! The rules of the port itself are in `tests/contract`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read on may panic anywhere"
)]

mod disk;
mod faults;
mod file;
mod image;
mod long;
mod power;
mod sample;
mod size;
