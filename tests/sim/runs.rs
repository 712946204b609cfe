//! Plans under simulation: what clients have asked to be run, what servers saw of it, and whether what the hub tells of a run
//! fits to that.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::rpc::Envelope;
use orch_core::{KeyId, RunId};
use serde::Deserialize;

use crate::books::Books;
use crate::hub::Hub;
use crate::project::SERVERS;

/// The tool of every server that may be called twice.
pub(crate) const REPEATABLE: &str = "t0";

/// No request of a run is shorter.
const LENGTH: usize = 100;

/// Of so many runs of a key a client knows the names.
const KNOWN: usize = 6;

/// What becomes of a plan when a step fails.
pub(crate) const ON_ERROR: [&str; 3] = ["fail", "skip", "continue"];

/// A plan that a client has written.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Calls at the same time.
    pub most: usize,
    pub steps: Vec<Step>,
}

impl Planned {
    /// Whether a plan goes on without a step: it, or what it waits for, may fail and be left out.
    fn may_be_left_out(&self, step: usize) -> bool {
        let step = &self.steps[step];
        step.skips || step.inputs.iter().any(|input| self.may_be_left_out(*input))
    }
}

#[derive(Debug)]
pub(crate) struct Step {
    /// The steps that it waits for.
    pub inputs: Vec<usize>,
    /// Those of them for whose value another stands in.
    pub defaults: Vec<usize>,
    /// Whether what waits for it goes on when it fails.
    pub continues: bool,
    /// Whether it is left out when it fails, and what waits for it.
    pub skips: bool,
    /// How many of its elements may be worked on at the same time; `None` where it is one call.
    pub width: Option<usize>,
    pub repeatable: bool,
    /// The nonces of its calls.
    pub calls: Vec<u64>,
}

/// What servers have seen of a call.
#[derive(Debug)]
struct Call {
    plan: usize,
    step: usize,
    /// Whether a server was sent it, and has not said that it did not begin it.
    begun: bool,
    /// Whether the hub has heard a good answer to it, and one that says that it has failed.
    answered: bool,
    refused: bool,
}

/// All that was ever asked to be run.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    plans: Vec<Planned>,
    /// By their nonces.
    calls: BTreeMap<u64, Call>,
    /// The runs that clients know of, by their keys, and the plan of each.
    named: BTreeMap<KeyId, Vec<(String, usize)>>,
    /// Those that clients were told of, whose records are durable, and that the hub has not forgotten.
    pub promised: BTreeSet<RunId>,
    /// Those that the hub has ever forgotten.
    pub forgotten: BTreeSet<RunId>,
    /// What was told of runs that had ended, and of which nobody has wanted more since.
    ended: BTreeMap<String, Told>,
    /// Plans of which somebody has wanted more, and those of which everybody knows that they were given up.
    again: BTreeSet<usize>,
    given_up: BTreeSet<usize>,
    /// How often a run was told to be done, and a step of one to be unknown.
    pub told: [u64; 2],
}

/// What the hub says of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Told {
    pub run: String,
    status: String,
    steps: Vec<ToldStep>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct ToldStep {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct Answer {
    result: Structured,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structured {
    structured_content: Told,
}

/// The run that the hub does not know, if a message says that it does not know one.
pub(crate) fn unknown(message: &Envelope) -> Option<RunId> {
    let words = std::str::from_utf8(message.bytes()).expect("messages are UTF-8");
    let (_, rest) = words.split_once("there is no run \\\"")?;
    RunId::parse(rest.split('\\').next()?)
}

impl Told {
    /// What a message says of a run, if it says how one stands.
    pub(crate) fn read(message: &Envelope) -> Option<Self> {
        let words = std::str::from_utf8(message.bytes()).expect("messages are UTF-8");
        let told = words.contains("\"run\":\"").then(|| serde_json::from_str::<Answer>(words).ok()).flatten();
        told.map(|answer| answer.result.structured_content)
    }

    /// The plan of the run: its number is in the ids of its steps.
    fn plan(&self) -> usize {
        let first = self.steps.first().expect("a plan has a step");
        let number = first.id.trim_start_matches('p').split('_').next();
        number.and_then(|number| number.parse().ok()).expect("the number of a plan")
    }
}

impl Runs {
    /// The number of the next plan.
    pub(crate) fn number(&self) -> usize {
        self.plans.len()
    }

    pub(crate) fn plan(&mut self, plan: Planned) {
        let number = self.plans.len();
        for (step, it) in plan.steps.iter().enumerate() {
            let call = |nonce: &u64| {
                (*nonce, Call { plan: number, step, begun: false, answered: false, refused: false })
            };
            self.calls.extend(it.calls.iter().map(call));
        }
        self.plans.push(plan);
    }

    /// Whether a request is a call of a run.
    pub(crate) fn has(&self, nonce: u64) -> bool {
        self.calls.contains_key(&nonce)
    }

    /// A server is sent a call of a run. `under_way` are the requests that servers work on already.
    pub(crate) fn begin(&mut self, nonce: u64, under_way: impl Iterator<Item = u64>) {
        let Call { plan, step, begun, .. } = self.calls[&nonce];
        let (planned, it) = (&self.plans[plan], &self.plans[plan].steps[step]);
        assert!(!self.given_up.contains(&plan), "call {nonce} of plan {plan} begins, and it was given up");
        assert!(it.repeatable || !begun, "call {nonce} of plan {plan} may be made once and is made again");
        let others: Vec<usize> = under_way
            .filter_map(|nonce| self.calls.get(&nonce))
            .filter(|call| call.plan == plan)
            .map(|call| call.step)
            .collect();
        assert!(others.len() < planned.most, "plan {plan} is wider than {}", planned.most);
        let same = others.iter().filter(|other| **other == step).count();
        assert!(same < it.width.unwrap_or(1), "step {step} of plan {plan} is wider than it may be");
        for input in &it.inputs {
            assert!(
                !others.contains(input),
                "step {step} of plan {plan} begins while step {input} is under way"
            );
            let before = &planned.steps[*input];
            let done = before.calls.iter().all(|call| self.calls[call].answered);
            let stood_in = it.defaults.contains(input) && planned.may_be_left_out(*input);
            assert!(
                before.continues || done || stood_in,
                "step {step} of plan {plan} begins without step {input}"
            );
        }
        self.calls.get_mut(&nonce).expect("a call").begun = true;
    }

    /// The hub hears an answer to a request, a good one or another.
    pub(crate) fn hear(&mut self, nonce: u64, good: bool) {
        if let Some(call) = self.calls.get_mut(&nonce) {
            call.answered |= good;
            call.refused |= !good;
        }
    }

    /// A server has not begun a call after all, or wants to know more before it does.
    pub(crate) fn take_back(&mut self, nonce: u64) {
        if let Some(call) = self.calls.get_mut(&nonce) {
            call.begun = false;
        }
    }

    /// Somebody wants a run to be begun once more: what was not done of it may be done.
    pub(crate) fn begin_again(&mut self, plan: usize) {
        self.again.insert(plan);
        self.given_up.remove(&plan);
        self.ended.retain(|_, told| told.plan() != plan);
        for nonce in self.plans[plan].steps.iter().flat_map(|step| &step.calls) {
            self.calls.get_mut(nonce).expect("a call").begun = false;
        }
    }

    /// Who waits for a call: whoever has asked for it, and all who share that key if one of them has wanted its run to be begun
    /// once more.
    pub(crate) fn who_waits_for(&self, nonce: u64, books: &Books) -> Vec<u32> {
        let asker = books.asker(nonce);
        let is_again = self.calls.get(&nonce).is_some_and(|call| self.again.contains(&call.plan));
        if is_again { books.who_share_a_key_with(asker) } else { Vec::from([asker]) }
    }

    /// The runs that a key knows of, each with its plan.
    pub(crate) fn of(&self, key: &KeyId) -> &[(String, usize)] {
        self.named.get(key).map_or(&[], Vec::as_slice)
    }

    /// A client is told how a run stands. If it has ended, that holds in every life of the hub in which all could be stored.
    pub(crate) fn check(&mut self, key: &KeyId, told: &Told, could_store: bool) {
        let number = told.plan();
        let named = self.named.entry(key.clone()).or_default();
        if named.iter().all(|(run, _)| *run != told.run) {
            if named.len() == KNOWN {
                named.remove(0);
            }
            named.push((told.run.clone(), number));
        }
        let ended = told.status != "running";
        if let Some(before) = self.ended.get(&told.run) {
            assert_eq!(before, told, "something else was told of how a run has ended");
        } else if ended && could_store && !self.again.contains(&number) {
            self.ended.insert(told.run.clone(), told.clone());
            if told.status == "cancelled" {
                self.given_up.insert(number);
            }
        }
        self.told[0] += u64::from(told.status == "done");
        for (step, said) in self.plans[number].steps.iter().zip(&told.steps) {
            let calls = || step.calls.iter().map(|nonce| &self.calls[nonce]);
            let once = step.width.is_none() && !step.repeatable;
            let silent = once && calls().any(|call| call.begun && !call.refused);
            let fits = match &*said.status {
                "done" => (step.continues && step.width.is_some()) || calls().all(|call| call.answered),
                // A server that was sent it has to have said so.
                "failed" => !silent,
                "skipped" => !once || calls().all(|call| !call.begun),
                "running" | "waiting" => !ended,
                "unknown" => {
                    self.told[1] += 1;
                    true
                }
                other => panic!("a step is {other}"),
            };
            let seen: Vec<&Call> = calls().collect();
            assert!(fits, "{said:?} of {told:?}, of which servers saw {seen:?}");
        }
    }
}

impl Hub {
    /// A plan of some calls, of which the later ones wait for earlier ones, by a value or without. Each call has a nonce of
    /// its own.
    pub(crate) fn plan_of(&mut self, at: usize) -> String {
        let background = self.dice.chance(30);
        let principal = if background {
            // Nobody can be asked for what it needs.
            let key = self.clients[at].key.clone();
            self.books.new_principal(key, true)
        } else {
            self.clients[at].principal
        };
        let (number, count, most) = (self.runs.number(), 1 + self.dice.below(4), 1 + self.dice.below(3));
        let mut steps = Vec::new();
        let mut texts = Vec::new();
        for _ in 0..count {
            let (step, text) = self.step_of(number, steps.len(), principal);
            steps.push(step);
            texts.push(text);
        }
        self.runs.plan(Planned { most, steps });
        let deadline = *self.dice.pick(&["", r#","deadline_ms":9000"#]).expect("some");
        let steps = texts.join(",");
        format!(
            r#""name":"batch_execute","arguments":{{"steps":[{steps}],"max_parallel":{most},"background":{background}{deadline}}}"#
        )
    }

    /// A step with this place in its plan.
    fn step_of(&mut self, plan: usize, at: usize, principal: u32) -> (Step, String) {
        let (server, tool) = (SERVERS[self.dice.below(SERVERS.len())], format!("t{}", self.dice.below(3)));
        let on_error = *self.dice.pick(&ON_ERROR).expect("some");
        let width = self.dice.chance(25).then(|| 1 + self.dice.below(2));
        let calls: Vec<u64> = (0..width.map_or(1, |_| 3)).map(|_| self.number()).collect();
        for nonce in &calls {
            self.books.sign(*nonce, principal, LENGTH);
        }
        let (mut after, mut values, mut inputs, mut defaults) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for input in 0..at {
            match self.dice.below(3) {
                0 => continue,
                1 => after.push(format!(r#""p{plan}_{input}""#)),
                _ => {
                    values.push(format!(r#"{{"$from":"p{plan}_{input}","default":0}}"#));
                    defaults.push(input);
                }
            }
            inputs.push(input);
        }
        let (after, values) = (after.join(","), values.join(","));
        let nonces: Vec<String> = calls.iter().map(|nonce| format!("\"{nonce}\"")).collect();
        let (each, nonce) = match width {
            Some(width) => {
                let each = format!(r#""for_each":{{"in":[{}],"width":{width}}},"#, nonces.join(","));
                (each, r#"{"$item":""}"#)
            }
            None => (String::new(), &*nonces[0]),
        };
        let attempts = 1 + self.dice.below(2);
        let timeout = *self.dice.pick(&["", "", r#""timeout_ms":1500,"#]).expect("some");
        let text = format!(
            r#"{{"id":"p{plan}_{at}","tool":"{server}.{tool}",{each}{timeout}"arguments":{{"values":[{values}],"nonce":{nonce}}},"depends_on":[{after}],"on_error":"{on_error}","retry":{{"attempts":{attempts},"backoff_ms":200}}}}"#
        );
        let repeatable = tool == REPEATABLE;
        let (continues, skips) = (on_error == "continue", on_error == "skip");
        (Step { inputs, defaults, continues, skips, width, repeatable, calls }, text)
    }

    /// A client asks how a run stands, or for something to become of it.
    pub(crate) fn about_a_run(&mut self, at: usize) -> String {
        let known = self.runs.of(&self.clients[at].key);
        let Some((run, plan)) = self.dice.pick(known).cloned() else {
            return r#""name":"batch_status","arguments":{}"#.into();
        };
        let (tool, more) = match self.dice.below(6) {
            0 => ("batch_cancel", ""),
            1 => ("batch_retry", r#","background":true"#),
            2 => ("batch_retry", ""),
            3 => ("batch_status", r#","wait":true"#),
            4 => ("read_result", ""),
            _ => ("batch_status", ""),
        };
        if tool == "batch_retry" {
            self.runs.begin_again(plan);
        }
        format!(r#""name":"{tool}","arguments":{{"run":"{run}"{more}}}"#)
    }
}
