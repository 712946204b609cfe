//! The clients: a revision, and the transport that it is spoken over.

use orch_core::mcp::Revision;

/// A client by its transport and revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// HTTP+SSE of 2024-11-05.
    Sse,
    /// Streamable HTTP, with a session of this revision.
    Session(Revision),
    /// 2026-07-28.
    Stateless,
}

impl Client {
    pub(crate) fn revision(self) -> Revision {
        match self {
            Self::Sse => Revision::V2024_11_05,
            Self::Session(revision) => revision,
            Self::Stateless => Revision::V2026_07_28,
        }
    }

    /// The endpoint that it begins at.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Sse => "/servers/fixture/sse",
            Self::Session(_) | Self::Stateless => "/servers/fixture/mcp",
        }
    }

    /// Whether its messages name the revision in a header: since 2025-06-18, and once they were told of it.
    pub(crate) fn names_revision(self) -> bool {
        self.revision() >= Revision::V2025_06_18
    }

    /// Every client that there can be: a revision with sessions over Streamable HTTP, and those with a transport of
    /// their own.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let sessions = Revision::ALL.into_iter().filter(|revision| !revision.is_modern());
        sessions.map(Self::Session).chain([Self::Sse, Self::Stateless])
    }
}
