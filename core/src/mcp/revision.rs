//! Protocol revisions: an enumerated set, in order.

use core::fmt;

/// A dated revision of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// HTTP+SSE.
    V2024_11_05,
    /// Streamable HTTP, batches.
    V2025_03_26,
    /// Structured results, elicitation, no batches.
    V2025_06_18,
    /// The last one with sessions.
    V2025_11_25,
    /// Stateless.
    V2026_07_28,
}

impl Revision {
    /// The newest revision that begins with `initialize`.
    pub const LAST_WITH_HANDSHAKE: Self = Self::V2025_11_25;

    /// What a legacy request without `MCP-Protocol-Version` means (2025-06-18, transports).
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// All of them, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The revision with this date.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.date() == text)
    }

    /// Its date, as on the wire.
    pub fn date(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether it has no handshake, no session, and no requests from servers.
    pub fn is_modern(self) -> bool {
        self > Self::LAST_WITH_HANDSHAKE
    }

    /// Whether its streams carry event ids, and can be resumed (2025-03-26 to 2025-11-25, transports).
    pub fn has_event_ids(self) -> bool {
        (Self::V2025_03_26..=Self::V2025_11_25).contains(&self)
    }

    /// Whether messages may come in arrays (2025-03-26, basic; taken back in 2025-06-18).
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }

    /// Whether its streams begin with an id and no message (2025-11-25, transports). Older clients cannot read that.
    pub fn has_priming_events(self) -> bool {
        self == Self::V2025_11_25
    }

    /// What a server says that it speaks, in answer to `initialize`. A date before the first known revision is taken
    /// for that: some servers still say 2024-10-07. `None` for what the hub does not speak in this way.
    pub fn answered(text: &str) -> Option<Self> {
        let dated = text.len() == 10 && text.starts_with("20");
        let older = dated && text < Self::V2024_11_05.date();
        Self::parse(text)
            .or_else(|| older.then_some(Self::V2024_11_05))
            .filter(|revision| !revision.is_modern())
    }

    /// What a server answers to a client that proposes `text` in `initialize`: the same if it is spoken, else
    /// the newest that begins with a handshake.
    pub fn agree(text: &str) -> Self {
        Self::parse(text).filter(|revision| !revision.is_modern()).unwrap_or(Self::LAST_WITH_HANDSHAKE)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.date())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_agrees_on_what_was_proposed_or_on_the_newest_that_has_one() {
        assert_eq!(Revision::agree("2024-11-05"), Revision::V2024_11_05);
        assert_eq!(Revision::agree("2026-07-28"), Revision::V2025_11_25);
        assert_eq!(Revision::agree("2099-01-01"), Revision::V2025_11_25);
    }

    #[test]
    fn a_server_may_answer_with_any_revision_that_has_a_handshake() {
        assert_eq!(Revision::answered("2025-06-18"), Some(Revision::V2025_06_18));
        assert_eq!(Revision::answered("2024-10-07"), Some(Revision::V2024_11_05));
        for text in ["2026-07-28", "2025-12-31", "1.0", ""] {
            assert_eq!(Revision::answered(text), None, "{text}");
        }
    }
}
