//! `reliability`: proves what `docs/reliability.md` promises, with large numbers, and writes the figures into it.
//!
//! Each proof starts the real binary, real servers and clients, and has bars; a proof that misses one fails, and so does the
//! run. `--quick` is what `cargo verify` does with the same code (`quick.rs`).
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a proof that cannot go on may panic anywhere, and prints its figures"
)]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../e2e/home.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod home;
#[path = "../e2e/hub.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod hub;
#[path = "../e2e/peers.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod peers;
#[path = "../e2e/process.rs"]
mod process;

mod bombs;
mod crashes;
mod cuts;
mod descriptors;
mod document;
mod figures;
mod floods;
mod line;
mod orphans;
mod proofs;
mod slow_readers;
mod soak;
mod stage;
mod stalls;
mod stampede;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::figures::{BUSY, Proof, Scale};
use crate::proofs::PROOFS;

/// Proves what docs/reliability.md promises of the hub, and writes the figures into it.
///
/// It takes the hub that `ORCH_TEST_BINARY` names, or builds one for debugging. All proofs take about an hour, half of it the
/// soak (`ORCH_SOAK_MINUTES`).
#[derive(Debug, Parser)]
#[command(name = "reliability")]
struct Options {
    /// Small numbers, in a minute or two; times are no bars, and nothing is written
    #[arg(long)]
    quick: bool,
    /// The machine does other work: times are printed, and are no bars
    #[arg(long)]
    busy: bool,
    /// Print the proofs, and run none
    #[arg(long)]
    list: bool,
    /// Only these proofs
    names: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        for Proof { row, name, about, .. } in PROOFS {
            println!("{row:<4} {name:<13} {about}");
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = options.names.iter().find(|name| !PROOFS.iter().any(|proof| proof.name == **name))
    {
        println!("there is no proof {unknown}: see --list");
        return ExitCode::FAILURE;
    }
    allow_many_files();
    BUSY.store(options.busy, Ordering::Relaxed);
    let scale = if options.quick { Scale::Quick } else { Scale::Long };
    let chosen =
        |proof: &&Proof| options.names.is_empty() || options.names.iter().any(|name| name == proof.name);
    let mut failed = Vec::new();
    for proof in PROOFS.iter().filter(chosen) {
        println!("{} {}: {}", proof.row, proof.name, proof.about);
        let started = Instant::now();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let proved = catch_unwind(AssertUnwindSafe(|| runtime.block_on((proof.prove)(scale))));
        let took = started.elapsed().as_secs();
        match proved {
            Ok(figures) if scale == Scale::Long => document::write(proof.row, &figures.cell()),
            Ok(_) => {}
            Err(_) => failed.push(proof.name),
        }
        println!("    {} in {took} s", if failed.last() == Some(&proof.name) { "FAILED" } else { "proved" });
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

/// Thousands of connections, here and in the hubs that are started from here.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        println!("the limit on open files stays as it is: {error}");
    }
}
