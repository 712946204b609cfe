//! From the start of the process to its first answers.
#![expect(clippy::cast_precision_loss, reason = "figures that are shown with one digit")]

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Figure, block_on, plan};
use crate::cores::Cores;
use crate::load::Session;
use crate::table::median;
use crate::target::{hub, new_home};

pub(super) fn measure(program: &Path, _: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let rounds = if quick { 2 } else { 11 };
    let (listed, called) = starts(program, &hub::echo(), rounds)?;
    let many = if quick { 10 } else { 100 };
    let servers = (0..50).map(|number| (format!("s{number}"), vec!["--tools".to_owned(), many.to_string()]));
    let with_echo = servers.chain([(hub::SERVER.to_owned(), Vec::new())]);
    let (listed_of_many, _) = starts_of(program, &hub::servers(with_echo), rounds.min(5), Some("/mcp"))?;
    Ok(vec![
        Figure::new("start of the process to its first list of tools (known from before)", listed, "25 ms"),
        Figure::new(
            "start of the process to the first answer of a tool, its server started",
            called,
            "50 ms",
        ),
        Figure::new(
            format!("start of the process to its first list of {} tools of 51 servers", 50 * many),
            listed_of_many,
            "50 ms",
        ),
    ])
}

fn starts(program: &Path, config: &Value, rounds: usize) -> Result<(String, String), String> {
    starts_of(program, config, rounds, None)
}

/// Medians. `endpoint`: another than that of the echo server, of which only the list is measured.
fn starts_of(
    program: &Path,
    config: &Value,
    rounds: usize,
    endpoint: Option<&str>,
) -> Result<(String, String), String> {
    let home = new_home()?;
    let (mut listed, mut called) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let start = Instant::now();
        let running = hub::start(program, config, &[], &home)?;
        let mut plan = plan(&running, 1, 1);
        if let Some(endpoint) = endpoint {
            endpoint.clone_into(&mut plan.endpoint);
        }
        let (list, call) = block_on(async {
            let session = Session::open(Rc::new(plan), 0).await?;
            session.list().await?;
            let list = start.elapsed();
            if endpoint.is_none() {
                session.call_once().await?;
            }
            Ok((list, start.elapsed()))
        })?;
        // The first one has learnt what the others know.
        if round > 0 {
            listed.push(ms(list));
            called.push(ms(call));
        }
    }
    let shown = |figures: Vec<f64>| format!("{:.1} ms", median(figures));
    Ok((shown(listed), shown(called)))
}

fn ms(span: Duration) -> f64 {
    span.as_micros() as f64 / 1_000.0
}
