//! What servers ask of the steps of a plan that a client of 2026-07-28 has sent: the request is answered with `input_required`
//! and all that is asked by then, the run goes on, and the next try waits for it instead (2026-07-28, multi round-trip
//! requests).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::answer::demand;
use super::planning::NOWHERE;
use super::reverse::{Asked, Origin, Whom};
use super::state::{Consulted, Names, State, check_input, digest};
use super::{Cx, Effect, Exchange, Shard, gather, seal};
use crate::hub;
use crate::mcp::Asking;
use crate::rpc::{Envelope, Field, Members, write};
use crate::run::Status;
use crate::upstream::Caller;
use crate::{CallId, Rejection, RunId, Timestamp, UpstreamFault};

/// How a run asks its caller.
#[derive(Debug)]
pub(super) struct Consulting {
    /// Of the request that it is of; see [`digest`].
    request: [u8; 32],
    /// When its caller is shown what was asked, for more may follow; and when the caller was, until when it may come back.
    at: Option<Timestamp>,
}

/// Why a next try leads nowhere.
const GONE: &str = "its run is kept no longer (limit run_kept)";

impl Consulting {
    /// For the caller of a run, if it is of the stateless era and can be asked for anything.
    pub(super) fn of(caller: &Caller, body: &Envelope) -> Option<Self> {
        let able = caller.revision.is_modern() && caller.abilities.any();
        able.then(|| Self { request: digest(body), at: None })
    }
}

impl Shard {
    /// A server asks for a step. What its caller has not been shown yet it is shown in a moment.
    pub(super) fn consult(&mut self, cx: &mut Cx<'_>, run: RunId, asked: Asked) {
        let open = self.asked.values().filter(|asked| asked.is_of_run(run)).count();
        if let Origin::Request { id, .. } = &asked.origin
            && open >= cx.limits().session_questions
        {
            return gather::refuse(cx, asked.link, id, gather::TOO_MANY);
        }
        let number = self.mint_question(cx);
        self.wait_for_people(number, asked);
        let at = cx.now.after(cx.limits().gather);
        if let Some(running) = self.running.get_mut(&run)
            && let Some(consulting) = &mut running.consulting
        {
            consulting.at.get_or_insert(at);
        }
    }

    pub(super) fn consult_deadline(&self) -> Option<Timestamp> {
        self.running.values().filter_map(|running| running.consulting.as_ref()?.at).min()
    }

    /// Shows callers what is asked, and goes on without those that have not come back.
    pub(super) fn show_asked(&mut self, cx: &mut Cx<'_>) {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= cx.now);
        let due = self.running.iter().filter(|(_, it)| is_due(it.consulting.as_ref().and_then(|it| it.at)));
        for run in due.map(|(run, _)| *run).collect::<Vec<_>>() {
            let Some(running) = self.running.get_mut(&run) else { continue };
            let caller = running.caller.take();
            if let Some(consulting) = &mut running.consulting {
                consulting.at = None;
            }
            match caller {
                Some(caller) if self.is_consulted(run) => self.show_to(cx, run, &caller),
                // What was asked came to nothing before anybody saw it.
                Some(caller) => self.attach(run, caller),
                None => self.detach(cx, run),
            }
        }
    }

    fn is_consulted(&self, run: RunId) -> bool {
        self.asked.values().any(|asked| asked.is_of_run(run))
    }

    /// Answers with all that is asked.
    fn show_to(&mut self, cx: &mut Cx<'_>, run: RunId, caller: &Caller) {
        let until = cx.now.after(cx.limits().parked);
        let Some(running) = self.running.get_mut(&run) else { return };
        let (key, Some(consulting)) = (running.key.clone(), &mut running.consulting) else { return };
        consulting.at = Some(until);
        let names = Names::Consulted(Consulted { run, request: consulting.request });
        let state = State { until, names }.sign(cx, &key, &caller.target);
        let shown = |(number, asked): (&u64, &'_ Asked)| match &asked.to {
            Whom::Run(own, shown) if *own == run => Some((format!("q{number}"), shown.clone())),
            Whom::Run(..) | Whom::Session(..) => None,
        };
        let questions: Vec<_> = self.asked.iter().filter_map(shown).collect();
        let questions = questions.iter().map(|(name, shown)| (&**name, &**shown));
        let result = demand(Some(&state), questions, hub::SERVER_INFO);
        self.change_steps(run, |caller| {
            // Nobody reads any more what is said there.
            (caller.exchange, caller.log_level) = (NOWHERE, None);
            None
        });
        self.respond(cx, caller, &result);
    }

    /// Whether a hub that is about to end need not wait for any call of a run: none is under way but those whose questions somebody
    /// was shown who has not come back.
    pub fn runs_rest(&self) -> bool {
        let is_away = |run| self.running.get(run).is_some_and(|running| running.caller.is_none());
        let left = self.asked.values().filter(|it| matches!(&it.to, Whom::Run(run, _) if is_away(run)));
        let left: BTreeSet<CallId> = left.filter_map(|asked| asked.call).collect();
        self.runs.usage().in_flight <= left.len()
    }

    /// Takes a next try. Returns whether the request is one.
    pub(super) fn came_back_to_run(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope) -> bool {
        if !caller.revision.is_modern() || seal::state(body).is_none() {
            return false;
        }
        let Some(State { until, names: Names::Consulted(consulted) }) = State::of(cx, caller, body) else {
            return false;
        };
        let Consulted { run, request } = consulted;
        if request != digest(body) {
            let differs = String::from("its method or a member of its params");
            self.fail(cx, caller, &Rejection::OtherRequest(differs).into());
        } else if until <= cx.now {
            // Nothing is asked any more, but what has begun is not to begin again.
            self.take_up_run(cx, run, caller);
        } else if let Err(no_answer) = check_input(body, |name| self.asked_of(run, name)) {
            self.fail(cx, caller, &no_answer.into());
        } else {
            self.on_told(cx, run, caller, body);
        }
        true
    }

    /// What the caller of a run was asked for under a name.
    fn asked_of(&self, run: RunId, name: &str) -> Option<Asking> {
        let asked = self.asked.get(&number_of(name)?)?;
        if asked.is_of_run(run) { asked.asking } else { None }
    }

    /// Servers are told what a client brings. If there is more to ask, it is asked that at once; else it waits for the run.
    fn on_told(&mut self, cx: &mut Cx<'_>, run: RunId, caller: &Caller, body: &Envelope) {
        let brought = body.raw(Field::InputResponses).and_then(Members::read);
        for (name, input) in brought.into_iter().flat_map(|members| members.0) {
            let Some(number) =
                number_of(&name).filter(|number| self.asked.get(number).is_some_and(|it| it.is_of_run(run)))
            else {
                continue;
            };
            let Some(asked) = self.asked.remove(&number) else { continue };
            let input = input.get().as_bytes();
            match &asked.origin {
                Origin::Request { id, .. } => {
                    let frame = write::one_line(write::result(id, input)).into();
                    cx.effect(Effect::SendFrame { link: asked.link, frame });
                    self.go_on(cx, &asked);
                }
                Origin::Round(name) => self.on_round_answer(cx, &asked, name, input),
                Origin::Goal(_) => {}
            }
        }
        self.take_up_run(cx, run, caller);
    }

    /// A next try of a request whose run was begun: it waits for that, or is told its end.
    pub(super) fn take_up_run(&mut self, cx: &mut Cx<'_>, run: RunId, caller: &Caller) {
        let status = self.runs.get(run).map(crate::run::Run::status);
        let is_waited_for = self.running.get(&run).is_some_and(|running| running.caller.is_some());
        match status {
            None => self.fail(cx, caller, &UpstreamFault::NotParked(GONE).into()),
            Some(Status::Running) if is_waited_for => self.watch(caller, run),
            Some(Status::Running) if self.is_consulted(run) => self.show_to(cx, run, caller),
            Some(Status::Running) => self.attach(run, caller.clone()),
            Some(Status::Cancelled | Status::Done | Status::Failed | Status::TimedOut) => {
                self.tell_how(cx, caller, run);
            }
        }
    }

    /// A caller waits for a run, and what further steps ask is for it.
    fn attach(&mut self, run: RunId, caller: Caller) {
        let Some(running) = self.running.get_mut(&run) else { return };
        if let Some(consulting) = &mut running.consulting {
            consulting.at = None;
            (running.template.exchange, running.template.log_level) = (caller.exchange, caller.log_level);
        }
        if caller.ends {
            self.exchanges.insert(caller.exchange, Exchange::Run(run));
        }
        running.caller = Some(caller);
    }
}

/// The number of a question, by its name.
fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix('q')?.parse().ok()
}
