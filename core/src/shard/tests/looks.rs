//! What can be seen of a world from outside.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::world::{Seen, World};
use crate::hub::ServerView;
use crate::ports::upstream::CloseReason;
use crate::record::{LogCategory, LogLevel, LogSource};
use crate::shard::{Effect, Input};
use crate::{ExchangeId, LinkId};

impl World {
    /// The same world in another life of the hub.
    pub(super) fn restarted(self) -> Self {
        self.reborn().surveyed()
    }

    /// The same world after every server was seen once.
    pub(super) fn surveyed(mut self) -> Self {
        self.feed(Input::SurveyAsked);
        self
    }

    pub(super) fn seen(&self, exchange: ExchangeId) -> &Seen {
        &self.exchanges[&exchange]
    }

    /// What people are shown of a server.
    pub(super) fn view(&self, server: &str) -> ServerView {
        let mut all = self.shard.views(&self.snapshot).into_iter();
        all.find(|view| view.name == server).expect("a server of this name")
    }

    /// The link of a server that was opened last and not told to close.
    pub(super) fn link(&self, server: &str) -> LinkId {
        let mut links =
            self.links.iter().filter(|(_, wire)| wire.server == server && !wire.closing && !wire.closed);
        links.next_back().map(|(link, _)| *link).expect("the server has a link")
    }

    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        self.feed(Input::LinkClosed { link, reason });
    }

    /// Whether a link was told to close.
    pub(super) fn is_closing(&self, link: LinkId) -> bool {
        self.links[&link].closing || self.links[&link].closed
    }

    /// How many processes were started.
    pub(super) fn starts(&self) -> usize {
        self.log.iter().filter(|effect| matches!(effect, Effect::OpenLink { .. })).count()
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let warning = |effect: &Effect| {
            let Effect::Report(report) = effect else { return None };
            let by_hub = report.source == LogSource::Hub && report.category != LogCategory::ToolExecution;
            let serious = by_hub && report.level >= LogLevel::Warning;
            serious.then(|| format!("{}: {}", report.server, report.message))
        };
        self.log.iter().filter_map(warning).collect()
    }
}
