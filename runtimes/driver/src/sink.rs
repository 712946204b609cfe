//! What a link reports, on its way into its shard.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use orch_core::ports::upstream::{CloseReason, Launched, LinkSink, Lost};
use orch_core::rpc::{Envelope, Sender, Unread, heard};
use orch_core::shard::Input;
use orch_core::{CallId, LinkId};

use crate::cell::Cell;
use crate::secrets::Secrets;

/// The end of a link that the driver owns.
#[derive(Debug)]
pub(crate) struct CellSink {
    cell: Weak<Cell>,
    link: LinkId,
    /// The server's name.
    server: String,
    /// Must not be in what the link says in words.
    secrets: Secrets,
}

impl CellSink {
    pub(crate) fn new(cell: &Arc<Cell>, link: LinkId, server: String, secrets: Secrets) -> Self {
        Self { cell: Arc::downgrade(cell), link, server, secrets }
    }

    fn feed(&self, input: Input) {
        if let Some(cell) = self.cell.upgrade() {
            cell.feed(input);
        }
    }
}

impl LinkSink for CellSink {
    fn opened(&self, pid: Option<u32>) {
        self.feed(Input::LinkOpened { link: self.link, pid });
    }

    fn launched(&self, launched: Launched) {
        self.feed(Input::LinkLaunched { link: self.link, launched });
    }

    /// Messages are read before the lock is taken: a large result keeps nobody waiting.
    fn received(&self, within: Option<&str>, frames: Vec<Bytes>) -> Duration {
        let Some(cell) = self.cell.upgrade() else { return Duration::ZERO };
        let hide = |mut unread: Unread| {
            unread.beginning = unread.beginning.map(|text| self.secrets.hide(text.into()).into());
            unread
        };
        let messages = frames.into_iter().flat_map(|frame| heard(frame, cell.limits()));
        let messages = messages.map(|message| message.map_err(hide)).collect();
        let within = within.and_then(|id| id.parse().ok()).map(CallId);
        cell.feed_read(Input::FramesReceived { link: self.link, within, frames: messages })
    }

    fn lost(&self, lost: Lost) {
        let Some(cell) = self.cell.upgrade() else { return };
        let read = |frame| Envelope::parse(frame, Sender::Upstream, cell.limits()).ok();
        cell.feed(match lost {
            Lost::News => Input::LinkMissed { link: self.link },
            Lost::Session(refusal) => Input::LinkExpired { link: self.link, refusal: refusal.and_then(read) },
        });
    }

    fn declined(&self, within: &str, refusal: Bytes) {
        let Some(cell) = self.cell.upgrade() else { return };
        match Envelope::parse(refusal.clone(), Sender::Upstream, cell.limits()) {
            Ok(refusal) => cell.feed(Input::RequestDeclined { link: self.link, refusal }),
            Err(_unreadable) => drop(self.received(Some(within), vec![refusal])),
        }
    }

    fn logged(&self, line: String) {
        self.feed(Input::LinkLogged { link: self.link, line: self.secrets.hide(line) });
    }

    fn dropped(&self, bytes: u64) {
        let server = &*self.server;
        tracing::debug!(target: "mcp_orch::server", server, "dropped {bytes} bytes of its error output");
        if let Some(cell) = self.cell.upgrade() {
            cell.logs.dropped(server, bytes);
        }
    }

    fn closed(&self, reason: CloseReason) {
        let Some(cell) = self.cell.upgrade() else { return };
        let reason = match reason {
            CloseReason::LoginRequired(words) => CloseReason::LoginRequired(self.secrets.hide(words)),
            CloseReason::Lost(words) => CloseReason::Lost(self.secrets.hide(words)),
            CloseReason::Misconfigured(words) => CloseReason::Misconfigured(self.secrets.hide(words)),
            CloseReason::NotStarted(words) => CloseReason::NotStarted(self.secrets.hide(words)),
            CloseReason::Exited(_)
            | CloseReason::MessageTooLong
            | CloseReason::OverLimit(_)
            | CloseReason::Signalled(_)
            | CloseReason::Stopped => reason,
        };
        let handle = cell.live().links.remove(&self.link);
        cell.feed(Input::LinkClosed { link: self.link, reason });
        drop(handle);
    }
}
