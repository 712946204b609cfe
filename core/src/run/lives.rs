//! Runs in another life of the hub, and runs that are begun once more: what was done stays done, and what has failed stays so.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, string::String};

use super::tests::Stage;
use super::{Answer, Became, End, Happened, Mark, Marks, Run, Status, Unit};
use crate::Limits;

/// A run, and what a store has of its calls.
pub(super) struct Lives {
    pub stage: Stage,
    stored: BTreeMap<Unit, Mark>,
    ends: BTreeMap<usize, End>,
}

impl Lives {
    pub(super) fn of(steps: &str) -> Self {
        Self { stage: Stage::of(steps), stored: BTreeMap::new(), ends: BTreeMap::new() }
    }

    /// What has become of calls is stored. The results of some steps are too long for that.
    fn store(&mut self, too_long: &[&str]) {
        let plan = Arc::clone(self.stage.run.plan());
        let Marks { calls, ends } = self.stage.run.take_marks();
        self.ends.extend(ends.into_iter().map(|end| (end.step, end)));
        for mark in calls {
            let is_long = too_long.contains(&&*plan.steps[mark.unit.step].id);
            if mark.became == Became::Undone {
                self.stored.remove(&mark.unit);
                continue;
            }
            let is_lost = is_long && matches!(mark.became, Became::Answered(_));
            let became = if is_lost { Became::Lost } else { mark.became.clone() };
            self.stored.insert(mark.unit, Mark { became, ..mark });
        }
    }

    /// The result of a call was too long to be stored.
    pub(super) fn lose(&mut self, id: &str, element: usize) {
        self.store(&[]);
        let step = self.stage.run.plan().steps.iter().position(|step| step.id == id).unwrap();
        self.stored.get_mut(&Unit { step, element }).unwrap().became = Became::Lost;
    }

    /// Of what a step said of its failure the beginning was stored.
    pub(super) fn cut(&mut self, id: &str) {
        self.store(&[]);
        let step = self.stage.run.plan().steps.iter().position(|step| step.id == id).unwrap();
        let stored = self.stored.get_mut(&Unit { step, element: 0 }).unwrap();
        let Became::Failed(result, happened) = &stored.became else { panic!("{stored:?}") };
        let cut = Answer::cut(&Answer::read(result.clone()).words());
        stored.became = Became::Cut(cut.result().clone(), *happened);
    }

    /// The hub is started again.
    pub(super) fn restart(&mut self, too_long: &[&str]) {
        self.store(too_long);
        self.wake();
    }

    /// The same, where steps left nothing.
    pub(super) fn restart_without_ends(&mut self, too_long: &[&str]) {
        self.store(too_long);
        self.ends.clear();
        self.wake();
    }

    fn wake(&mut self) {
        let (plan, life) = (Arc::clone(self.stage.run.plan()), self.stage.run.life());
        let (calls, ends) = (self.stored.values().cloned(), self.ends.values().cloned());
        let marks = Marks { calls: calls.collect(), ends: ends.collect() };
        self.stage.run = Run::restore(plan, life, marks, self.stage.now, &self.stage.limits);
        self.stage.under_way.clear();
        self.stage.start();
    }

    /// It is begun once more, in the same life.
    pub(super) fn again(&mut self) {
        self.store(&[]);
        let again = self.stage.run.again(self.stage.now, &self.stage.limits).expect("it has ended");
        self.stored.retain(|unit, _| again.keeps(*unit));
        self.ends.retain(|step, _| again.keeps_end(*step));
        self.stage.run = again;
        self.stage.start();
    }

    pub(super) fn stands(&self) -> (Status, String) {
        (self.stage.run.status(), self.stage.stand())
    }
}

pub(super) fn stands(status: Status, steps: &str) -> (Status, String) {
    (status, steps.into())
}

/// The second step is done for each element of what the first one says.
const EACH: &str = r#"{"id":"a","tool":"t"},
    {"id":"b","tool":"t","for_each":{"in":{"$from":"a"},"width":1},"arguments":{"x":{"$item":""}}},
    {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}}"#;

fn through_each(lives: &mut Lives, answers: usize) {
    lives.stage.says("a", "[1,2,3]");
    for n in 0..answers {
        lives.stage.says("b", &format!("{{\"n\":{n}}}"));
    }
}

#[test]
fn a_step_that_fails_when_a_run_is_begun_once_more_ends_it_before_what_comes_after() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","for_each":{"$from":"a","path":"/none"}},
           {"id":"c","tool":"t","depends_on":["a"]}"#,
    );
    lives.stage.says("a", "1");
    let failed = stands(Status::Failed, "a done, b failed, c skipped");
    assert_eq!(lives.stands(), failed);
    lives.again();
    assert_eq!((lives.stage.calls(), lives.stands()), (Vec::new(), failed.clone()));
    lives.restart(&[]);
    assert_eq!((lives.stage.calls(), lives.stands()), (Vec::new(), failed));
}

#[test]
fn a_run_that_fails_as_it_goes_on_keeps_what_was_done_and_ends() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t"},{"id":"w","tool":"t","for_each":{"in":[1,2,3],"width":1}},
           {"id":"d","tool":"t"},{"id":"b","tool":"t","for_each":{"$from":"a"}},{"id":"c","tool":"t","depends_on":["d"]}"#,
    );
    lives.stage.says("w", "1");
    lives.stage.says("d", "1");
    lives.stage.says("c", "1");
    let unit = lives.stage.take("a");
    let long = bytes::Bytes::from_static(br#"{"structuredContent":[1]}"#);
    lives.stage.run.handle(lives.stage.now, super::Event::StepAnswered(unit, long));
    lives.restart(&["a"]);
    // What was under way is unknown: nothing more begins, and what was done is done.
    assert_eq!(lives.stage.calls(), [""; 0]);
    assert_eq!(lives.stands(), stands(Status::Failed, "a done, w unknown, d done, b skipped, c done"));
}

#[test]
fn a_step_that_was_done_for_each_element_stays_done_when_its_array_is_lost() {
    let mut lives = Lives::of(EACH);
    through_each(&mut lives, 3);
    lives.stage.says("c", "9");
    let done = stands(Status::Done, "a done, b done, c done");
    for _ in 0..2 {
        lives.restart(&["a"]);
        assert_eq!(lives.stands(), done);
    }
    let value = lives.stage.run.value(Some("b"), &crate::plan::Pointer::default()).unwrap();
    assert_eq!(&*value, br#"[{"n":0},{"n":1},{"n":2}]"#);
}

#[test]
fn a_step_whose_array_is_lost_is_whole_if_another_has_begun_after_it() {
    let mut lives = Lives::of(EACH);
    through_each(&mut lives, 3);
    lives.stage.fails("c", Happened::Failed);
    lives.restart(&["a"]);
    assert_eq!(lives.stands(), stands(Status::Failed, "a done, b done, c failed"));
    lives.again();
    assert_eq!(lives.stage.calls(), [r#"c({"x":[{"n":0},{"n":1},{"n":2}]})"#]);
    lives.stage.says("c", "9");
    assert_eq!(lives.stands(), stands(Status::Done, "a done, b done, c done"));
}

#[test]
fn of_a_step_whose_array_is_lost_what_is_missing_fails_and_what_was_done_is_kept() {
    let mut lives = Lives::of(EACH);
    through_each(&mut lives, 2);
    let failed = stands(Status::Failed, "a done, b unknown, c skipped");
    for _ in 0..2 {
        lives.restart(&["a"]);
        assert_eq!((lives.stage.calls(), lives.stands()), (Vec::new(), failed.clone()));
        let second = crate::plan::Pointer::parse("/1/n").unwrap();
        assert_eq!(lives.stage.run.value(Some("b"), &second).as_deref(), Ok(&b"1"[..]));
    }
    // Nobody knows how many elements there were: it is not taken for done.
    lives.again();
    assert_eq!(lives.stands(), stands(Status::Failed, "a done, b failed, c skipped"));
    lives.restart(&["a"]);
    assert_eq!(lives.stands(), stands(Status::Failed, "a done, b failed, c skipped"));
}

#[test]
fn a_skipped_step_stays_skipped_in_a_run_that_is_done() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","when":{"equals":[1,2]}},
           {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}}"#,
    );
    lives.stage.says("a", "1");
    let done = stands(Status::Done, "a done, b skipped, c skipped");
    assert_eq!(lives.stands(), done);
    lives.restart(&[]);
    assert_eq!(lives.stands(), done);
}

#[test]
fn a_reference_to_an_element_that_was_lost_leads_to_its_default_or_fails() {
    let check = |arguments: &str, call: &[&str], after: &str| {
        let mut lives = Lives::of(&format!(
            r#"{{"id":"b","tool":"t","for_each":[1,2]}},{{"id":"w","tool":"t"}},
               {{"id":"c","tool":"t","depends_on":["w"],"on_error":"skip",{arguments}}}"#
        ));
        lives.stage.says("b", r#"{"n":0}"#);
        lives.stage.says("b", r#"{"n":1}"#);
        lives.restart(&["b"]);
        lives.again_for("w");
        assert_eq!(lives.stage.calls(), call, "{arguments}");
        assert_eq!(lives.stage.stand(), format!("b done, w done, c {after}"), "{arguments}");
    };
    check(r#""arguments":{"x":{"$from":"b"}}"#, &[], "failed");
    check(r#""arguments":{"x":{"$from":"b","path":"/1/n"}}"#, &[], "failed");
    check(r#""arguments":{"x":{"$from":"b","default":7}}"#, &[r#"c({"x":7})"#], "running");
    check(r#""when":{"exists":{"$from":"b","path":"/0"}}"#, &[], "failed");
}

impl Lives {
    /// A step that was under way has come to nothing: it is begun once more, and answered.
    fn again_for(&mut self, id: &str) {
        self.again();
        self.stage.says(id, "1");
    }
}

/// `pay` was done after `b`, which has failed; `z` fails whenever it is asked.
const PAID: &str = r#"{"id":"b","tool":"t","on_error":"continue"},{"id":"pay","tool":"t","depends_on":["b"]},
    {"id":"z","tool":"t","depends_on":["w"]},{"id":"w","tool":"t"}"#;

#[test]
fn what_was_done_stays_done_however_often_a_run_is_begun_once_more() {
    let mut lives = Lives::of(PAID);
    lives.stage.fails("b", Happened::Failed);
    lives.stage.says("pay", r#"{"receipt":1}"#);
    lives.stage.says("w", "1");
    lives.stage.fails("z", Happened::Failed);
    for _ in 0..3 {
        lives.again();
        assert_eq!(lives.stage.calls(), ["b({})", "z({})"]);
        lives.stage.fails("z", Happened::Failed);
        lives.stage.fails("b", Happened::Failed);
        assert_eq!(lives.stands(), stands(Status::Failed, "b failed, pay done, z failed, w done"));
    }
    lives.again();
    lives.stage.run.handle(lives.stage.now, super::Event::Cancelled);
    assert!(lives.stage.stand().contains("pay done"), "{}", lives.stage.stand());
}

/// What is done for each element of an array that is not stored and can be fetched again; one has an answer, one is under way.
fn of_fetched(tool: &str) -> Lives {
    let mut lives = Lives::of(&format!(
        r#"{{"id":"a","tool":"safe"}},
           {{"id":"b","tool":"{tool}","for_each":{{"in":{{"$from":"a"}},"width":1}},"arguments":{{"x":{{"$item":""}}}},"on_error":"continue"}}"#
    ));
    lives.stage.says("a", r#"["x","y","z"]"#);
    lives.stage.says("b", r#"{"n":0}"#);
    lives.restart(&["a"]);
    assert_eq!(lives.stage.calls(), ["a({})"]);
    lives
}

#[test]
fn elements_of_an_array_that_comes_again_as_it_was_are_done_once_and_the_rest_is_done() {
    let mut lives = of_fetched("t");
    lives.stage.says("a", r#"["x","y","z"]"#);
    assert_eq!(lives.stage.calls(), [r#"b({"x":"z"})"#]);
    lives.stage.says("b", "1");
    assert_eq!(lives.stands(), stands(Status::Done, "a done, b unknown"));
}

#[test]
fn nothing_more_is_done_for_an_array_that_has_changed_and_what_was_done_is_kept() {
    for changed in [r#"["y","z"]"#, r#"["z","y","x"]"#, r#"["x","y","w"]"#, r#"["x","y","z","w"]"#, "[]", "7"]
    {
        let mut lives = of_fetched("t");
        lives.stage.says("a", changed);
        for _ in 0..2 {
            assert_eq!(
                (lives.stage.calls(), lives.stage.run.status()),
                (Vec::new(), Status::Done),
                "{changed}"
            );
            let step = &lives.stage.run.report(lives.stage.now, 0).steps[1];
            assert_eq!((step.status, step.failed), ("unknown", 2), "{changed}");
            let first = crate::plan::Pointer::parse("/0/n").unwrap();
            assert_eq!(lives.stage.run.value(Some("b"), &first).as_deref(), Ok(&b"0"[..]), "{changed}");
            lives.restart(&[]);
        }
        lives.again();
        assert_eq!(lives.stage.calls(), [""; 0], "{changed}");
        let why = lives.stage.run.report(lives.stage.now, 0).steps[1].why.clone();
        let expected =
            if changed == "7" { "for_each is over what is no array" } else { super::begin::CHANGED };
        assert_eq!(why.as_deref(), Some(expected));
    }
}

#[test]
fn what_may_be_done_twice_is_done_anew_for_an_array_that_has_changed() {
    let mut lives = of_fetched("safe");
    lives.stage.says("a", r#"["z"]"#);
    assert_eq!(lives.stage.calls(), [r#"b({"x":"z"})"#]);
    lives.stage.says("b", "1");
    for _ in 0..2 {
        assert_eq!(
            (lives.stands(), &*lives.stage.output()),
            (stands(Status::Done, "a done, b done"), r#"{"b":[1]}"#)
        );
        lives.restart(&[]);
    }
}

#[test]
fn what_was_left_out_for_an_array_that_is_lost_is_not_missing_when_its_run_is_begun_once_more() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t"},
           {"id":"b","tool":"t","for_each":{"in":{"$from":"a"},"width":1},"when":{"not_equals":[{"$item":""},2]}},
           {"id":"z","tool":"t","depends_on":["b"]}"#,
    );
    lives.stage.says("a", "[1,2,3,2]");
    lives.stage.says("b", "1");
    lives.stage.says("b", "3");
    lives.stage.fails("z", Happened::Failed);
    for _ in 0..2 {
        lives.restart(&["a"]);
        lives.again();
        assert_eq!(lives.stage.calls(), ["z({})"]);
        lives.stage.fails("z", Happened::Failed);
        assert_eq!(lives.stands(), stands(Status::Failed, "a done, b done, z failed"));
    }
}

#[test]
fn the_time_of_a_run_is_over_also_when_a_step_of_it_has_failed() {
    let text = r#"{"deadline_ms":100,"steps":[{"id":"a","tool":"t"},{"id":"b","tool":"t"}]}"#;
    let mut stage = Stage::within(text, &Limits::default());
    stage.fails("a", Happened::Failed);
    assert_eq!(stage.run.deadline(), Some(crate::Timestamp(1_100)));
    stage.advance(100);
    assert_eq!(stage.run.status(), Status::Failed);
    assert_eq!((&*stage.stand(), stage.run.deadline()), ("a failed, b unknown", None));
}
