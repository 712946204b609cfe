//! One process of a fake server: whom it serves, what it works on, and what it has said.

use std::collections::BTreeSet;

use orch_core::record::{Server, Sharing};
use orch_core::{KeyId, Timestamp};

use crate::books::Books;

/// Where the process behind a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Opening,
    Open,
    /// It was told to end.
    Closing,
}

/// One process, and what it was told and has said.
#[derive(Debug)]
pub(crate) struct Link {
    pub server: usize,
    pub stage: Stage,
    /// The server as it was when the link was opened.
    pub spec: Server,
    /// Since when its configuration is another one, or somebody has ordered its end.
    pub unwanted_since: Option<Timestamp>,
    /// Whether it has forgotten its session: what it works on is all that it is still there for.
    pub expired: bool,
    /// Whom it serves alone, where that is so.
    pub owner: Option<Whose>,
    /// What it has said and the hub has not heard yet.
    pub wire: Vec<Said>,
    /// Whether it has answered the first words to it well.
    pub greeted: bool,
    /// How many tools it has.
    pub tools: usize,
    /// Whether it did not let them be listed when it was asked last.
    pub excused: bool,
    pub requests: Vec<Request>,
    /// The streams of news that are open.
    pub listens: BTreeSet<u64>,
    /// What it has asked its client and was not told.
    pub questions: BTreeSet<u64>,
    /// Every id that it was ever sent.
    pub ids: BTreeSet<u64>,
}

/// Whom a process serves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Key(KeyId),
    /// The session of this principal.
    Session(u32),
}

/// Words of a server on their way.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The request on whose stream they come.
    pub within: Option<u64>,
    pub words: String,
}

/// A request that a server has not answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub id: u64,
    pub method: String,
    pub nonce: Option<u64>,
    pub token: bool,
    /// Whether its client can be asked for its roots.
    pub able: bool,
    pub cursor: Option<usize>,
    /// Whether it was told to give it up, or has answered it before.
    pub done: bool,
}

impl Link {
    /// One that opens.
    pub(crate) fn new(server: usize, spec: Server) -> Self {
        Self {
            server,
            stage: Stage::Opening,
            spec,
            unwanted_since: None,
            expired: false,
            owner: None,
            wire: Vec::new(),
            greeted: false,
            tools: 3,
            excused: false,
            requests: Vec::new(),
            listens: BTreeSet::new(),
            questions: BTreeSet::new(),
            ids: BTreeSet::new(),
        }
    }

    /// How long the requests of clients are that it works on.
    pub(crate) fn bytes_in_flight(&self, books: &Books) -> usize {
        let open = self.requests.iter().filter(|request| !request.done);
        open.filter_map(|request| Some(books.length(request.nonce?))).sum()
    }

    /// Who asks here is whom it serves, where a server has a process for each. Of a run's call it is said who waits for it.
    pub(crate) fn claim(&mut self, (principal, of_run): (u32, Option<&[u32]>), books: &Books) {
        let it = &books.principals[principal as usize];
        if let Some(waiting) = of_run {
            // A run goes on with its key alone when its client has gone.
            let mine = match &self.owner {
                Some(Whose::Key(key)) => *key == it.key,
                Some(Whose::Session(own)) => waiting.contains(own),
                None => true,
            };
            return assert!(mine, "a run shares a process of {}", self.spec.name);
        }
        let whose = match self.spec.spec.sharing {
            Sharing::Auto | Sharing::Shared => return,
            Sharing::PerSession if !it.modern => Whose::Session(principal),
            Sharing::PerSession | Sharing::PerUser => Whose::Key(it.key.clone()),
        };
        let owner = self.owner.get_or_insert_with(|| whose.clone());
        assert_eq!(*owner, whose, "two share a process of {}", self.spec.name);
    }
}
