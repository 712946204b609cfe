//! The architecture as tests: which crate may know which, what core may not do, how large things may grow, and
//! whether the documents still tell the truth. Each test is a sentence of `ARCHITECTURE.md` or `CONTRIBUTING.md`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read on may panic anywhere"
)]

mod checkout;
mod dependencies;
mod documents;
mod hygiene;
mod layout;
mod lexer;
mod markdown;
mod packages;
mod purity;
mod size;
mod source;
