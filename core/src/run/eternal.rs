//! Laws of runs in many lives: whenever the hub ends, whatever of the results was not stored, and however often a run is begun
//! once more.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use proptest::collection::vec;
use proptest::prelude::*;

use super::lives::Lives;
use super::{Event, Happened, Status, Unit};

/// A step: which earlier ones it refers to, whether it may be called twice, what it is done for (0: nothing, 1: an array of its own,
/// else what an earlier one says), what its failure does, whether it has a condition, is tried again, and says too much to be stored.
type Drawn = (Vec<bool>, bool, usize, usize, (bool, bool, bool));

/// What happens: a call ends in one of five ways, the hub is started again, the run is given up, is begun once more, or time goes by.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Again,
    Cancel,
    End(usize, usize),
    Later,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Drawn>> {
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.3), any::<bool>());
    vec((vec(prop::bool::weighted(0.4), 6), any::<bool>(), 0..4_usize, 0..3_usize, flags), 1..7)
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        12 => (0..50_usize, 0..9_usize).prop_map(|(which, how)| Happening::End(which, how)),
        4 => Just(Happening::Restart),
        2 => Just(Happening::Again),
        1 => Just(Happening::Cancel),
        2 => Just(Happening::Later),
    ];
    vec(one, 1..40)
}

fn text(steps: &[Drawn]) -> String {
    let step = |(index, (refers, safe, each, on_error, (guarded, retried, _))): (usize, &Drawn)| {
        let earlier: Vec<usize> = (0..index).filter(|n| refers[*n]).collect();
        let value = |n: &usize| {
            let default = if n.is_multiple_of(2) { r#","default":null"# } else { "" };
            format!(r#"{{"$from":"s{n}","path":"/of"{default}}}"#)
        };
        let values: Vec<String> = earlier.iter().map(value).collect();
        let each = match (each, earlier.last()) {
            (0, _) => String::new(),
            (2.., Some(n)) => format!(r#","for_each":{{"in":{{"$from":"s{n}","path":"/all"}},"width":2}}"#),
            _ => r#","for_each":{"in":[1,2,3],"width":2}"#.into(),
        };
        let when = match earlier.first().filter(|_| *guarded) {
            Some(n) => format!(r#","when":{{"not_equals":[{{"$from":"s{n}","path":"/of"}},1]}}"#),
            None => String::new(),
        };
        let retry = if *retried { r#","retry":{"attempts":2,"backoff_ms":10}"# } else { "" };
        let (tool, on_error) = (if *safe { "safe" } else { "t" }, ["skip", "continue", "fail"][*on_error]);
        format!(
            r#"{{"id":"s{index}","tool":"{tool}","arguments":{{"x":[{}]}},"on_error":"{on_error}"{each}{when}{retry}}}"#,
            values.join(",")
        )
    };
    let steps: Vec<String> = steps.iter().enumerate().map(step).collect();
    steps.join(",")
}

/// What was seen of a run.
struct Watch {
    lives: Lives,
    too_long: Vec<String>,
    /// How steps have ended, and the run.
    told: BTreeMap<String, &'static str>,
    ended: Option<Status>,
    /// Calls that must not be made: those that were answered never more, the others not until somebody wants it.
    answered: BTreeSet<Unit>,
    in_doubt: BTreeSet<Unit>,
    known: BTreeSet<Unit>,
}

impl Watch {
    fn of(steps: &[Drawn]) -> Self {
        let too_long = steps.iter().enumerate().filter(|(_, (.., (_, _, long)))| *long);
        let mut watch = Self {
            lives: Lives::of(&text(steps)),
            too_long: too_long.map(|(index, _)| format!("s{index}")).collect(),
            told: BTreeMap::new(),
            ended: None,
            answered: BTreeSet::new(),
            in_doubt: BTreeSet::new(),
            known: BTreeSet::new(),
        };
        watch.look();
        watch
    }

    /// Checks what has been begun, and how all stands.
    fn look(&mut self) {
        let stage = &self.lives.stage;
        for (id, start) in &stage.under_way {
            if self.known.insert(start.unit) && !start.repeatable {
                assert!(!self.answered.contains(&start.unit), "{id} {:?} was done", start.unit);
                assert!(!self.in_doubt.contains(&start.unit), "{id} {:?} is made twice", start.unit);
            }
        }
        assert_eq!(stage.run.in_flight(), stage.under_way.len());
        for step in stage.run.report(stage.now, 0).steps {
            let before = self.told.get(&step.id).copied();
            assert!(
                before.is_none_or(|told| told == step.status),
                "{} was {before:?} and is {}: {:?}",
                step.id,
                step.status,
                step.why
            );
            if !matches!(step.status, "running" | "waiting") {
                self.told.insert(step.id, step.status);
            }
        }
        let status = stage.run.status();
        assert!(self.ended.is_none_or(|ended| ended == status), "{:?} and {status:?}", self.ended);
        self.ended = self.ended.or_else(|| Some(status).filter(|status| *status != Status::Running));
    }

    fn end(&mut self, which: usize, how: usize) {
        let stage = &mut self.lives.stage;
        if stage.under_way.is_empty() {
            return;
        }
        let (_, start) = stage.under_way[which % stage.under_way.len()].clone();
        self.known.remove(&start.unit);
        match how {
            0 => stage.fails_at(start.unit, Happened::Nothing),
            1 => {
                self.in_doubt.insert(start.unit);
                stage.fails_at(start.unit, Happened::Failed);
            }
            2 => {
                self.in_doubt.insert(start.unit);
                stage.fails_at(start.unit, Happened::Unknown);
            }
            _ => {
                self.answered.insert(start.unit);
                let all = [r#"[1,2,"x"]"#, "[1,2]", "[]", "7"][how.saturating_sub(5)];
                stage.says_at(start.unit, &format!(r#"{{"of":{},"all":{all}}}"#, how % 2));
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::End(which, how) => self.end(which, how),
            Happening::Restart => {
                let under_way = self.lives.stage.under_way.drain(..);
                self.in_doubt.extend(under_way.map(|(_, start)| start.unit));
                self.known.clear();
                let too_long: Vec<&str> = self.too_long.iter().map(String::as_str).collect();
                self.lives.restart(&too_long);
            }
            Happening::Again => {
                if self.lives.stage.run.status() == Status::Running {
                    return;
                }
                let steps = self.lives.stage.run.report(self.lives.stage.now, 0).steps;
                let done = steps.into_iter().filter(|step| step.status == "done" && step.failed == 0);
                let done: BTreeSet<String> = done.filter(|step| step.calls > 0).map(|step| step.id).collect();
                self.told.retain(|id, _| done.contains(id));
                self.ended = None;
                self.in_doubt.clear();
                self.known.clear();
                self.lives.again();
            }
            Happening::Cancel => {
                let under_way = &self.lives.stage.under_way;
                self.in_doubt.extend(under_way.iter().map(|(_, start)| start.unit));
                self.lives.stage.feed(Event::Cancelled);
            }
            Happening::Later => self.lives.stage.advance(10),
        }
        self.look();
    }

    /// Everything is answered from now on.
    fn rest(&mut self) {
        for _ in 0..500 {
            if self.lives.stage.run.status() != Status::Running {
                return;
            }
            self.happen(Happening::End(0, 4));
            self.happen(Happening::Later);
        }
        panic!("it does not end: {}", self.lives.stage.stand());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_told_stays_true_and_nothing_is_made_twice_unasked(steps in steps(), happenings in happenings()) {
        let mut watch = Watch::of(&steps);
        for happening in happenings {
            watch.happen(happening);
        }
        watch.rest();
        let shown = |watch: &Watch| {
            let stored = |id: &str| !watch.too_long.iter().any(|long| long == id);
            let text = watch.lives.stage.output();
            let output: BTreeMap<String, &serde_json::value::RawValue> = serde_json::from_str(&text).unwrap();
            let output = output.into_iter().filter(|(id, _)| stored(id));
            output.map(|(id, value)| (id, String::from(value.get()))).collect::<BTreeMap<_, _>>()
        };
        let output = shown(&watch);
        watch.happen(Happening::Restart);
        prop_assert_eq!(output, shown(&watch));
        prop_assert_ne!(watch.lives.stage.run.status(), Status::Running);
    }
}
