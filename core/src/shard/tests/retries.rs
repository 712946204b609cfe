//! Runs that are begun once more, in one life of the hub and in the next: what the store has of them.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::outliving::{CHAIN, Stage};
use crate::Limits;
use crate::record::{Outcome, Premises, Record};
use crate::snapshot::Instance;

/// How the calls of the one run are stored, in the order of its steps.
fn stored(stage: &Stage) -> Vec<&'static str> {
    let how = |record: &Record| {
        let (Record::RunCall(call) | Record::RunElement(call, _)) = record else { return None };
        Some(match call.outcome {
            Outcome::Answered(_) => "answered",
            Outcome::Begun => "begun",
            Outcome::Cut(..) => "cut",
            Outcome::Failed(..) => "failed",
            Outcome::LeftOut => "left out",
            Outcome::Overlong => "too long",
        })
    };
    stage.world.records.values().filter_map(how).collect()
}

#[test]
fn what_was_too_long_to_be_stored_takes_no_room_from_what_is_when_a_run_is_begun_once_more() {
    let mut stage = Stage::new(Limits { run_stored_bytes: 120, ..Limits::default() });
    let long = "long ".repeat(40);
    let plan = format!(
        r#""steps":[{{"id":"x","tool":"a.echo","arguments":{{"say":"{long}"}}}},{{"id":"y","tool":"a.echo","arguments":{{"fail":1}}}}]"#
    );
    stage.ask("batch_execute", &format!(r#"{plan},"background":true"#));
    assert!(stage.go(100, false));
    assert_eq!(stored(&stage), ["too long", "failed"]);
    let run = stage.run().unwrap();
    stage.ask("batch_retry", &format!(r#""run":"{run}","background":true"#));
    assert!(stage.go(100, false));
    assert_eq!(stored(&stage), ["too long", "answered"]);
}

#[test]
fn a_run_goes_on_in_the_next_life_also_where_no_such_plan_would_be_begun_any_more() {
    let narrow = Limits::default();
    for narrow in [
        Limits { plan_steps: 1, ..narrow.clone() },
        Limits { plan_bytes: 50, ..narrow.clone() },
        Limits { json_depth: 3, ..narrow.clone() },
        Limits { json_nodes: 5, ..narrow },
    ] {
        let mut stage = Stage::new(Limits::default());
        stage.ask("batch_execute", &format!(r#"{CHAIN},"background":true"#));
        while stage.stores() {}
        let run = stage.run().unwrap();
        stage.limit(narrow);
        let mut stage = stage.crash(9);
        stage.limit(Limits::default());
        assert!(stage.go(100, false));
        assert_ne!(stage.told("batch_status", &run).status, "running");
    }
}

impl Stage {
    /// The hub has other bounds from now on.
    fn limit(&mut self, limits: Limits) {
        let Instance { base_url, config_file, cursor_key, .. } = &*self.world.instance;
        self.world.instance = Arc::new(Instance {
            limits,
            cursor_key: *cursor_key,
            base_url: base_url.clone(),
            config_file: config_file.clone(),
            premises: Premises::default(),
        });
        self.world.rebuild();
    }
}

/// A list that is too long to be stored, and what is done for each of its elements.
const LISTED: &str = r#""steps":[{"id":"list","tool":"s.echo"},
    {"id":"pay","tool":"a.echo","for_each":{"in":{"$from":"list"},"width":1},"arguments":{"say":{"$item":"/id"}}}]"#;

impl Stage {
    /// The one call under way is answered.
    fn answers(&mut self, structured: &str) {
        self.hear();
        let sent = self.waiting.remove(0);
        self.world.reply(&sent, &format!(r#"{{"structuredContent":{structured}}}"#));
        while self.stores() {}
        self.hear();
    }
}

#[test]
fn a_list_that_has_become_shorter_since_the_hub_ended_has_nobody_paid_twice_or_forgotten() {
    let listed = |ids: &[usize]| {
        let of = |id: &usize| format!(r#"{{"id":{id},"name":"{}"}}"#, "long ".repeat(40));
        format!("[{}]", ids.iter().map(of).collect::<Vec<_>>().join(","))
    };
    for (list, afterwards) in [(&[1, 2, 3][..], [1, 2, 1]), (&[2, 3], [1, 1, 0])] {
        let mut stage = Stage::new(Limits { run_stored_bytes: 120, ..Limits::default() });
        stage.ask("batch_execute", &format!(r#"{LISTED},"background":true"#));
        while stage.stores() {}
        stage.answers(&listed(&[1, 2, 3]));
        stage.answers("1");
        let mut stage = stage.crash(9);
        while stage.stores() {}
        let paid = |stage: &Stage| {
            [1, 2, 3].map(|id| stage.made.get(&format!(r#"a {{"say":{id}}}"#)).copied().unwrap_or_default())
        };
        let run = stage.run().unwrap();
        assert_eq!((&*stage.told("batch_status", &run).status, paid(&stage)), ("failed", [1, 1, 0]));
        stage.ask("batch_retry", &format!(r#""run":"{run}","background":true"#));
        while stage.stores() {}
        stage.answers(&listed(list));
        assert!(stage.go(100, false));
        assert_eq!(paid(&stage), afterwards, "the second one was under way, and somebody wants it made");
    }
}
