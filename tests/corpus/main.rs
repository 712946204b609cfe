//! Replays the committed fuzz corpora on the stable toolchain: every input that fuzzing has kept goes through its
//! target again, so what was found once stays found. New inputs are searched for with `cargo fuzz`: fuzz/README.md.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target says by a panic what does not hold"
)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

pub mod targets;

macro_rules! corpora {
    ($($target:ident)*) => {
        $(#[test] fn $target() { replay(stringify!($target), targets::$target::check) })*
    };
}

corpora! { config cursor envelope framer gate headers key oauth plan planner record session shard sse supervisor translate }

/// Runs a target on every input of its corpus, and fails with the names of those that it does not pass.
fn replay(target: &str, check: fn(&[u8])) {
    let inputs = inputs(target);
    assert!(!inputs.is_empty(), "fuzz/corpus/{target} is empty");
    let fails = |input: &&PathBuf| {
        let bytes = fs::read(input).expect("an input can be read");
        catch_unwind(AssertUnwindSafe(|| check(&bytes))).is_err()
    };
    let failed: Vec<&PathBuf> = inputs.iter().filter(fails).collect();
    assert!(failed.is_empty(), "{target} fails on {failed:#?}");
}

/// The inputs of a target, in the order of their names.
fn inputs(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut inputs: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    inputs
}
