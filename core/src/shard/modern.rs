//! The stateless era on a client's side: every request carries what a session would know.

use super::handshake::stateless_caller;
use super::park::State;
use super::wait::Patience;
use super::{Cx, Posted, Shard};
use crate::mcp::{Method, Revision, Row, check_headers};
use crate::rpc::{Field, Message};
use crate::upstream::Level;
use crate::{Fault, Rejection};

impl Shard {
    pub(super) fn on_modern(&mut self, cx: &mut Cx<'_>, posted: Posted) -> Result<(), Fault> {
        let (id, method) = match posted.body.message() {
            Message::Request { id, method } => (id, method),
            Message::Notification { .. } => {
                cx.answer(posted.exchange, 202, None);
                return Ok(());
            }
            Message::Response { .. } => {
                return Err(Rejection::NotRpc("this revision has no responses from clients").into());
            }
        };
        check_headers(method, &posted.body, &posted.head.headers)?;
        let row = Row::find(method, Revision::V2026_07_28);
        let level = posted.body.text(Field::MetaLogLevel).and_then(|text| Level::parse(&text));
        let caller = stateless_caller(&posted, &posted.admission, id, level);
        if row.is_some_and(|row| row.method == Method::Listen) {
            self.listen(cx, &caller, &posted);
        } else if let Some(state) = State::of(cx, &caller, &posted.body) {
            self.resume(cx, caller, &posted.body, state);
        } else {
            self.dispatch(cx, caller, posted.body, Patience::Waits);
        }
        Ok(())
    }
}
