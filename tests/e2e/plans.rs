//! The measurement of `docs/batch.md` in small: that both ways of making the calls give the same values, and that the
//! report of a run adds up. Times are for `cargo run -p orch-tests --example plans`.

use serde_json::Value;

use crate::chains::{CALLS, Ground};
use crate::hub::Hub;
use crate::ways::{one_by_one, planned};
use crate::wire::Wire;

#[tokio::test]
async fn a_plan_gives_what_its_calls_one_by_one_give_for_fewer_tokens() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let ground = Ground::new(directory.path());
    let (hub, key) = Hub::with(&ground.servers()).await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    let plan = ground.plan(20);
    for _round in 0..2 {
        ground.clear();
        let single = one_by_one(&wire, &plan).await;
        ground.clear();
        let run = planned(&wire, &plan).await;
        assert_eq!(single.output, run.output);
        assert!(run.tokens < single.tokens, "{} and {} tokens", run.tokens, single.tokens);
        let report = &run.report;
        let steps = report["steps"].as_array().expect("its steps");
        assert_eq!(steps.len(), CALLS, "{report}");
        assert!(steps.iter().all(|step| step["status"] == "done"), "{report}");
        let wall = report["timing"]["wall_ms"].as_u64().expect("milliseconds");
        assert!(u128::from(wall) <= run.wall.as_millis() + 1, "{:?} outside of it: {report}", run.wall);
        let sum = |name: &str| steps.iter().filter_map(|step| step[name].as_u64()).sum::<u64>();
        let calls = report["timing"]["calls_ms"].as_u64().expect("milliseconds");
        // Each step is cut to whole milliseconds, and their sum only once.
        assert!((sum("ms")..=sum("ms") + 20).contains(&calls), "{} of the steps: {report}", sum("ms"));
        let kept = report["kept_out"]["bytes"].as_u64().expect("bytes");
        assert!(kept < sum("bytes"), "{report}");
        assert_eq!(report["kept_out"]["tokens_estimated"].as_u64(), Some(kept / 4), "{report}");
        assert_ne!(run.output, Value::Null);
    }
}
