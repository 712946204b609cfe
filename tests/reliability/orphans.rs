//! R19: no process outlives its server or its hub, and nothing is left of those that have ended.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::figures::{Figures, Scale};
use crate::home::Home;
use crate::hub::Hub;
use crate::process::{self, eventually};
use crate::stage::{Usage, children, order, server};

/// A server, its worker, and a daemon of the worker's.
const TREE: usize = 3;
const SOON: Duration = Duration::from_secs(2);
const START: Duration = Duration::from_secs(20);

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let (rounds, kills) = scale.of((15, 3), (1000, 100));
    let home = Home::with(&[("tree", server().env("TREE", "yes"))]);
    let hub = Hub::start(&home).await;
    starts(&hub, rounds, &mut figures).await;
    drop(hub);
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        let hub = grown(&home).await;
        hub.kill();
        slowest = slowest.max(gone(&home).await);
    }
    figures
        .say(format!("{kills} kills of the hub: 0 processes left, after {} ms at most", slowest.as_millis()));
    let mut left = 0;
    for _ in 0..kills {
        let hub = grown(&home).await;
        left += kill_with_shims(hub, &home).await;
    }
    figures.say(format!(
        "{kills} kills of hub and shim together: {left} processes that the next start had to end"
    ));
    drop(Hub::start(&home).await);
    figures.exactly("processes left of all:", home.processes().len(), 0);
    figures
}

/// A tree is started and stopped again and again.
async fn starts(hub: &Hub, rounds: u32, figures: &mut Figures) {
    let round = async || {
        order(hub, "tree", "Start").await;
        eventually("the tree stands", START, || members(&hub.home) >= TREE).await;
        order(hub, "tree", "Stop").await;
        eventually("the tree is gone", START, || members(&hub.home) == 0).await;
        eventually("its shim is gone", START, || children(hub.pid()).is_empty()).await;
    };
    for _ in 0..rounds.min(20) {
        round().await;
    }
    let before = Usage::of(hub.pid());
    for number in 0..rounds {
        round().await;
        if number % 100 == 99 {
            println!("    … {} of {rounds} starts", number + 1);
        }
    }
    sleep(Duration::from_secs(1)).await;
    let after = Usage::of(hub.pid());
    figures.say(format!("{rounds} starts and stops of a tree of {TREE}"));
    figures.exactly("processes left:", members(&hub.home), 0);
    figures.exactly("zombies", after.zombies, 0);
    figures.at_most("descriptors", after.descriptors, before.descriptors);
    // A page of the allocator or of the store is no leak: one of every start would be.
    let bar = before.resident_kib / 100 + 2048;
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    figures.at_most("memory grown by KiB", grown, bar);
}

fn members(home: &Home) -> usize {
    home.processes_of("tree").len()
}

async fn grown(home: &std::sync::Arc<Home>) -> Hub {
    let hub = Hub::start(home).await;
    order(&hub, "tree", "Start").await;
    eventually("the tree stands", START, || members(home) >= TREE).await;
    hub
}

/// How long it takes until nothing is left.
async fn gone(home: &Home) -> Duration {
    let start = Instant::now();
    eventually("nothing is left", SOON, || home.processes().is_empty()).await;
    start.elapsed()
}

/// Kills a hub and its shims, so that none can do anything about the end of another. How many processes were left.
async fn kill_with_shims(hub: Hub, home: &Home) -> usize {
    let shims = children(hub.pid());
    process::signal(&shims, Signal::STOP);
    hub.kill();
    process::signal(&shims, Signal::KILL);
    let end = Instant::now() + SOON;
    while !home.processes().is_empty() && Instant::now() < end {
        sleep(Duration::from_millis(10)).await;
    }
    home.processes().len()
}
