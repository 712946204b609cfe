//! Whole lives of sessions: connect, initialize, list, delete.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Figure, block_on, plan};
use crate::cores::Cores;
use crate::load::{Plan, Session};
use crate::target::Target;

/// Lives at the same time.
const AT_ONCE: usize = 16;

pub(super) fn measure(hub: &Path, cores: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let running = Target::Hub(hub.to_owned()).start(cores)?;
    let span = Duration::from_millis(if quick { 100 } else { 3_000 });
    let plan = Rc::new(plan(&running, 1, 1));
    let count = block_on(async {
        let end = Instant::now() + span;
        let mut workers = JoinSet::new();
        for number in 0..AT_ONCE {
            workers.spawn_local(live(Rc::clone(&plan), number, end));
        }
        let counts: Result<Vec<u128>, String> = workers.join_all().await.into_iter().collect();
        Ok(counts?.into_iter().sum::<u128>())
    })?;
    let per_second = count * 1_000 / span.as_millis().max(1);
    let what = format!("lives of sessions a second (connect, initialize, list, delete), {AT_ONCE} at once");
    Ok(vec![Figure::new(what, per_second.to_string(), "3500")])
}

async fn live(plan: Rc<Plan>, number: usize, end: Instant) -> Result<u128, String> {
    let mut count = 0;
    while Instant::now() < end {
        let session = Session::open(Rc::clone(&plan), number).await?;
        session.list().await?;
        session.close().await;
        count += 1;
    }
    Ok(count)
}
