//! What an idle session takes.
#![expect(clippy::cast_precision_loss, reason = "figures that are shown with one digit")]

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::{Figure, block_on, plan, start_on};
use crate::cores::Cores;
use crate::load::open;
use crate::proc::Usage;
use crate::target::{Running, hub, new_home};

/// Room for a connection of each session's stream.
const ROOM: [&str; 4] = ["--limit", "connections=30000", "--limit", "connections_per_address=30000"];

pub(super) fn measure(program: &Path, cores: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let counts: &[usize] = if quick { &[20] } else { &[1_000, 10_000] };
    let mut figures = Vec::new();
    for (streams, what, bar) in [(false, "no stream open", "2.0 KiB"), (true, "its stream open", "16.0 KiB")]
    {
        for &count in counts {
            let running = start_on(program, cores, &hub::echo(), &ROOM, &new_home()?)?;
            let each = block_on(idle(&running, count, streams))?;
            figures.push(Figure::new(
                format!("memory of an idle session, {what}, of {count}"),
                format!("{each:.1} KiB"),
                bar,
            ));
        }
    }
    Ok(figures)
}

/// Resident memory that so many sessions add, each.
async fn idle(running: &Running, count: usize, streams: bool) -> Result<f64, String> {
    let pid = running.pid.ok_or("its process is not known")?;
    // What the first ones leave behind is not of a session.
    for session in open(&plan(running, 200.min(count), 1)).await? {
        if streams {
            drop(session.listen().await?);
        }
        session.close().await;
    }
    settle().await;
    let resident = || Usage::of(pid).map(|usage| usage.rss_kib).ok_or("it has ended");
    let before = resident()?;
    let (sessions, mut open_streams) = (open(&plan(running, count, 1)).await?, Vec::new());
    for session in &sessions {
        session.rest();
        if streams {
            open_streams.push(session.listen().await?);
        }
    }
    settle().await;
    Ok(resident()?.saturating_sub(before) as f64 / count as f64)
}

/// The hub looks every five seconds whether it has memory to give back.
async fn settle() {
    sleep(Duration::from_secs(7)).await;
}
