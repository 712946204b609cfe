//! The stateless era on a client's side: every request carries what a session would know.

use alloc::borrow::Cow;
use alloc::format;

use super::handshake::stateless_caller;
use super::legacy::stopping;
use super::locate::locate;
use super::shown::Shown;
use super::state::{Names, State, check_try};
use super::wait::Patience;
use super::{Cx, Posted, Shard};
use crate::mcp::{Method, Revision, Route, Row, check_headers, check_mirrored, check_notice};
use crate::rpc::{Field, Message};
use crate::upstream::Level;
use crate::{Fault, Rejection};

/// Checks the headers that repeat arguments of a tool's call, where the tool wants that.
fn check_arguments(cx: &Cx<'_>, shown: &mut Shown, posted: &Posted) -> Result<(), Rejection> {
    let Some((entry, own)) =
        locate(cx.snapshot, shown, &posted.admission.target, Route::ByTool, &posted.body)
    else {
        return Ok(());
    };
    let named = own.map_or_else(|| posted.body.text(Field::Name), |own| Some(Cow::Owned(own)));
    let (Some(name), Some(offer)) = (named, &entry.offer) else { return Ok(()) };
    let arguments = posted.body.raw(Field::Arguments);
    check_mirrored(offer.mirrors(&name), arguments, &posted.head.headers.params)
}

impl Shard {
    pub(super) fn on_modern(&mut self, cx: &mut Cx<'_>, posted: Posted) -> Result<(), Fault> {
        let (id, method) = match posted.body.message() {
            Message::Request { id, method } => (id, method),
            Message::Notification { method } => {
                check_notice(method, &posted.body, &posted.head.headers)?;
                cx.answer(posted.exchange, 202, None);
                self.pass_on_stateless(cx, &posted);
                return Ok(());
            }
            Message::Response { .. } => {
                return Err(Rejection::NotRpc("this revision has no responses from clients").into());
            }
        };
        check_headers(method, &posted.body, &posted.head.headers)?;
        let row = Row::find(method, Revision::V2026_07_28);
        // Hardly a tool wants that: most projects need not look for it twice.
        if cx.snapshot.mirrors && row.is_some_and(|row| row.method == Method::ToolsCall) {
            check_arguments(cx, &mut self.shown, &posted)?;
        }
        if row.is_some() {
            check_try(&posted.body)?;
        }
        let level = posted.body.text(Field::MetaLogLevel).and_then(|text| Level::parse(&text));
        if level.is_none() && posted.body.given(Field::MetaLogLevel).is_some() {
            let key = "_meta[\"io.modelcontextprotocol/logLevel\"]";
            return Err(Rejection::InvalidParams(format!("{key} must be one of {}", Level::names())).into());
        }
        let caller = stateless_caller(&posted, &posted.admission, id, level);
        match State::of(cx, &caller, &posted.body) {
            Some(State { until, names: Names::Parked(number) }) => {
                self.resume(cx, caller, &posted.body, (number, until));
            }
            // What calls and runs wait for can be said until the end.
            Some(State { names: Names::Consulted(_), .. }) => {
                self.dispatch(cx, caller, posted.body, Patience::Waits);
            }
            _ if self.draining => self.fail(cx, &caller, &stopping()),
            _ => self.dispatch(cx, caller, posted.body, Patience::Waits),
        }
        Ok(())
    }
}
