//! What a goal asks of its caller: a plan of the caller's own model (sampling), or a yes to a plan (elicitation). In the 2025
//! revisions by a request on the stream of the call, in 2026-07-28 by an `input_required` answer: then nothing is kept here,
//! for all that is needed comes back with the next try.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{By, Draft, Planning, Stage, Wish, arguments};
use crate::hub;
use crate::mcp::Asking;
use crate::plan::{Outline, Plan, PlanFault, Raw};
use crate::planner::{Answer, Goal, Prompt, Spent, sampled};
use crate::rpc::{Envelope, Field, Members, Sender, write};
use crate::shard::answer::demand;
use crate::shard::misshapen::asking_of;
use crate::shard::reverse::{Asked, Origin, Whom};
use crate::shard::seal;
use crate::shard::state::{Names, State, Wanted, check_input, digest};
use crate::shard::{Cx, Shard, Token};
use crate::upstream::Caller;
use crate::{Exceeded, Limit, LinkId, Rejection, RunId};

/// The question's name in `inputRequests`.
const QUESTION: &str = "goal";
/// Of a question of the hub itself. No server has this link.
const OF_HUB: LinkId = LinkId(0);
/// More phases than this are only counted.
const SHOWN_PHASES: usize = 20;
/// More line breaks than this, one after the other, are only counted, and so are more blanks in a line.
const EMPTY_LINES: usize = 2;
const BLANKS: usize = 40;

/// What a client brings that was asked for something: raw JSON of its answer, where there is one.
pub(super) type Input = Option<Vec<u8>>;

/// A next try of the stateless era: what it was asked for, what it answers, and what the run is called that comes of it.
pub(super) struct Back {
    pub stage: Stage,
    pub spent: Spent,
    pub input: Input,
    pub run: RunId,
}

/// Takes a next try.
pub(super) fn came_back(cx: &Cx<'_>, caller: &Caller, body: &Envelope) -> Result<Option<Back>, Rejection> {
    if !caller.revision.is_modern() || seal::state(body).is_none() {
        return Ok(None);
    }
    let state = State::of(cx, caller, body).filter(|state| state.until > cx.now);
    let Some(State { names: Names::Wanted(wanted), .. }) = state else {
        return Err(Rejection::BadRequestState);
    };
    if wanted.request != digest(body) {
        return Err(Rejection::OtherRequest("its method or a member of its params".into()));
    }
    let asking = if matches!(wanted.stage, Stage::Agreed(_)) { Asking::Form } else { Asking::Sampling };
    check_input(body, |name| (name == QUESTION).then_some(asking))?;
    let brought = body.raw(Field::InputResponses).and_then(Members::read);
    let mut all = brought.into_iter().flat_map(|members| members.0);
    let input = all.find(|(name, _)| name == QUESTION).map(|(_, value)| value.get().as_bytes().to_vec());
    let Wanted { stage, spent, run, .. } = wanted;
    Ok(Some(Back { stage, spent, input, run }))
}

impl Shard {
    /// Asks the caller's own model.
    pub(super) fn ask_client_for_plan(&mut self, cx: &mut Cx<'_>, wish: Wish, prompt: &Prompt, stage: Stage) {
        let mut params = Vec::from(b"{\"messages\":[");
        for (at, turn) in prompt.turns.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let role = turn.role.name();
            let begin = format!("{comma}{{\"role\":\"{role}\",\"content\":{{\"type\":\"text\",\"text\":");
            params.extend_from_slice(begin.as_bytes());
            write::string(&mut params, &turn.text);
            params.extend_from_slice(b"}}");
        }
        params.extend_from_slice(b"],\"systemPrompt\":");
        write::string(&mut params, &prompt.system);
        let limits = cx.limits();
        let own = cx.snapshot.planner.as_ref().map(|spec| spec.max_tokens(limits));
        let tokens = own.unwrap_or(limits.planner.answer_tokens);
        params.extend_from_slice(format!(",\"maxTokens\":{tokens}}}").as_bytes());
        self.ask_caller(cx, wish, stage, ("sampling/createMessage", &params));
    }

    /// Asks the caller whether a plan shall run. One that is too long to be read whole comes back instead.
    pub(super) fn ask_to_agree(&mut self, cx: &mut Cx<'_>, wish: Wish, plan: &Plan, written: &str) {
        let (words, most) = (in_words(plan, written), cx.limits().planner.confirm_bytes);
        if words.len() > most {
            let note = format!(
                "this project wants every planned goal to be confirmed, and this plan is too long to ask for that (limit {} reached: \
                 {most}): show the plan to whoever decides, and send it with `steps` to run it",
                Limit::ConfirmBytes
            );
            return self.show_plan(cx, &wish, (plan, written), Some(&note));
        }
        let mut params = Vec::from(b"{\"message\":");
        write::string(&mut params, &words);
        params.extend_from_slice(b",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}");
        self.ask_caller(cx, wish, Stage::Agreed(written.into()), ("elicitation/create", &params));
    }

    fn ask_caller(&mut self, cx: &mut Cx<'_>, wish: Wish, stage: Stage, (method, params): (&str, &[u8])) {
        let Some(session) = wish.caller.session else {
            return self.demand(cx, &wish, stage, (method, params));
        };
        let most = cx.limits().session_questions;
        if self.questions_of(session) >= most {
            let hint = "answer what was asked before";
            let exceeded = Exceeded { limit: Limit::SessionQuestions, value: most as u64, hint };
            return self.fail(cx, &wish.caller, &exceeded.into());
        }
        let text = write::request(Some(0), method, Some(params));
        let question = match Envelope::parse(text.into(), Sender::Upstream, cx.limits()) {
            Ok(question) => question,
            Err(fault) => return self.fail(cx, &wish.caller, &fault),
        };
        let (token, exchange) = (self.mint_token(), wish.caller.exchange);
        let until = cx.now.after(cx.limits().parked);
        self.open_goal(token, wish, Planning::of(stage, By::Client, until));
        let (asking, origin) = (asking_of(&question), Origin::Goal(token));
        let to = Whom::Session(session, exchange);
        self.put_to_client(
            cx,
            Asked { link: OF_HUB, call: None, waits: Vec::new(), asking, origin, to },
            &question,
        );
    }

    /// The same in the stateless era.
    fn demand(&mut self, cx: &mut Cx<'_>, wish: &Wish, stage: Stage, (method, params): (&str, &[u8])) {
        let Wish { caller, body, spent, run, .. } = wish;
        let Some(key) = caller.key.as_ref() else { return };
        let until = cx.now.after(cx.limits().parked);
        let names = Names::Wanted(Wanted { stage, spent: *spent, run: *run, request: digest(body) });
        let signed = State { until, names }.sign(cx, key, &caller.target);
        let mut question = format!("{{\"method\":\"{method}\",\"params\":").into_bytes();
        question.extend_from_slice(params);
        question.push(b'}');
        let result = demand(Some(&signed), [(QUESTION, &*question)].into_iter(), hub::SERVER_INFO);
        self.respond(cx, caller, &result);
    }

    /// A client of a 2025 revision answers; what is wrong with its answer, if anything.
    pub(in crate::shard) fn on_goal_answered(
        &mut self,
        cx: &mut Cx<'_>,
        token: Token,
        body: &Envelope,
        unusable: Option<String>,
    ) {
        let Some(Planning { wish, stage, .. }) = self.goals.open.remove(&token) else { return };
        match body.raw(Field::Result).filter(|_| unusable.is_none()) {
            // In the project as its caller sees it.
            Some(result) => match self.seen_by(cx, &wish.caller) {
                Some(seen) => self.on_input(&mut cx.within(&seen), wish, stage, Some(result.to_vec())),
                None => self.on_input(cx, wish, stage, Some(result.to_vec())),
            },
            None => {
                let said = || body.text(Field::ErrorMessage).unwrap_or_default().into_owned();
                let cause = unusable.unwrap_or_else(said);
                let words =
                    format!("the client refused what it was asked for the plan of this goal: {cause}");
                self.answer_without_run(cx, &wish.caller, &wish.unplanned(&words));
            }
        }
    }

    /// A client has answered, or has come back without an answer and is asked again.
    pub(super) fn on_input(&mut self, cx: &mut Cx<'_>, mut wish: Wish, stage: Stage, input: Input) {
        let body = wish.body.clone();
        let Ok(goal) = Goal::read(arguments(&body), cx.limits()) else { return };
        if let Stage::Mended(first) = &stage {
            wish.draft.get_or_insert_with(|| match &**first {
                "" => Draft { plan: None, faults: Answer::no_plan() },
                first => {
                    let faults = self.checked(cx, &goal, first).err().unwrap_or_default();
                    Draft { plan: Some(first.into()), faults }
                }
            });
        }
        match (stage, input) {
            (Stage::Agreed(written), Some(input)) => self.on_decided(cx, &wish, &goal, &written, &input),
            (Stage::Agreed(written), None) => match self.checked(cx, &goal, &written) {
                Ok(plan) => self.ask_to_agree(cx, wish, &plan, &written),
                Err(faults) => self.tell_spoilt(cx, &wish, (&goal, &written), &faults),
            },
            (stage, Some(input)) => {
                wish.spent.questions = wish.spent.questions.saturating_add(1);
                self.on_text(cx, wish, &stage, &sampled(&input));
            }
            (stage, None) => {
                let prompt = Self::prompt(cx, &goal, wish.draft.as_ref());
                self.ask_for_plan(cx, wish, prompt, stage);
            }
        }
    }

    fn on_decided(&mut self, cx: &mut Cx<'_>, wish: &Wish, goal: &Goal<'_>, written: &str, input: &[u8]) {
        let action = Raw::of(input).member("action").and_then(Raw::text).unwrap_or_default();
        // What was agreed to is checked once more: a tool may have gone meanwhile.
        match self.checked(cx, goal, written) {
            Err(faults) => self.tell_spoilt(cx, wish, (goal, written), &faults),
            Ok(plan) if action == "accept" => self.begin_goal(cx, wish, goal, plan, written),
            Ok(plan) => {
                let note = "nobody agreed to this plan, and it did not run";
                self.show_plan(cx, wish, (&plan, written), Some(note));
            }
        }
    }

    /// What somebody was asked about cannot be done any more.
    fn tell_spoilt(
        &mut self,
        cx: &mut Cx<'_>,
        wish: &Wish,
        (goal, written): (&Goal<'_>, &str),
        faults: &[PlanFault],
    ) {
        let note = "this plan was good when it was made: the tools have changed since";
        let told = hub::unplanned(Some(&goal.shown(written)), faults, &wish.spent, Some(note));
        self.answer_without_run(cx, &wish.caller, &told);
    }
}

/// A plan as somebody reads it who shall agree to it: the tools of each phase, and the whole.
fn in_words(plan: &Plan, written: &str) -> String {
    let Outline { phases, calls, more_calls, .. } = plan.outline();
    let more = if more_calls { ", and one for each element of what they give" } else { "" };
    let mut words = format!("Run this plan? {calls} calls{more}:");
    for phase in phases.iter().take(SHOWN_PHASES) {
        let tool = |id: &String| {
            plan.steps.iter().find(|step| step.id == *id).map(|step| format!("{id} ({})", step.tool))
        };
        let steps: Vec<String> = phase.steps.iter().filter_map(tool).collect();
        words.extend([&*format!("\n{}. ", phase.phase), &steps.join(", ")]);
    }
    if phases.len() > SHOWN_PHASES {
        words.extend([&*format!("\nand {} phases more", phases.len().saturating_sub(SHOWN_PHASES))]);
    }
    words.extend(["\n\n", written]);
    plain(&words)
}

/// A text in which nothing hides, or stands elsewhere than it is: characters that are not seen are named, and nothing is pushed out
/// of sight by what is empty.
fn plain(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let (mut lines, mut blanks, mut left_out) = (0_usize, 0_usize, 0_usize);
    for letter in words.chars() {
        if letter.is_whitespace() && !matches!(letter, '\u{2028}' | '\u{2029}') {
            (lines, blanks) =
                if letter == '\n' { (lines.saturating_add(1), 0) } else { (lines, blanks.saturating_add(1)) };
            if lines > EMPTY_LINES || blanks > BLANKS {
                left_out = left_out.saturating_add(1);
                continue;
            }
        } else {
            if left_out > 0 {
                out.extend([&*format!("[{left_out} blanks]")]);
            }
            (lines, blanks, left_out) = (0, 0, 0);
        }
        // Formats, fillers, selectors of variants, and tags.
        let is_hidden = matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
        if is_hidden || (letter.is_control() && !matches!(letter, '\n' | '\t')) {
            out.extend(letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;
    use alloc::format;

    #[test]
    fn what_somebody_is_to_agree_to_hides_nothing() {
        assert_eq!(plain("a\n\tb \u{1f}\u{7f}\u{9b}[2J"), "a\n\tb \\u{1f}\\u{7f}\\u{9b}[2J");
        assert_eq!(plain(&format!("a{}b", "\n ".repeat(30))), "a\n \n [56 blanks]b");
        assert_eq!(
            plain(&format!("a{}b", "\u{3000}".repeat(41))),
            format!("a{}[1 blanks]b", "\u{3000}".repeat(40))
        );
        assert_eq!(
            plain("{\"to\":\"\u{202e}eve\u{200b}\u{e0041}\"}"),
            r#"{"to":"\u{202e}eve\u{200b}\u{e0041}"}"#
        );
        for hidden in
            ["\u{34f}", "\u{180e}", "\u{2800}", "\u{3164}", "\u{fe0f}", "\u{fff9}", "\u{1d173}", "\u{e0100}"]
        {
            assert!(plain(hidden).is_ascii(), "{hidden:?}");
        }
        assert_eq!(plain("\u{e9}\u{4e2d}\u{1f600}"), "\u{e9}\u{4e2d}\u{1f600}");
    }
}
