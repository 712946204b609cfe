//! Clients that lose a connection and come back for the rest: nothing is missing, and nothing comes twice.

use orch_core::ExchangeId;
use orch_core::ports::gateway::Verb;
use orch_core::shard::{Input, Opened};

use crate::books::{Asked, Books, Kind, requests_of};
use crate::hub::Hub;

/// A stream whose client may come back for it.
#[derive(Debug)]
pub(crate) struct Lost {
    pub client: usize,
    session: String,
    kind: Kind,
    cursor: String,
    /// The requests that are answered on it, by their raw ids.
    asked: Vec<(String, Asked)>,
}

impl Books {
    /// A stream begins with an id.
    pub(crate) fn prime(&mut self, exchange: ExchangeId, id: String) {
        let it = self.exchanges.get_mut(&exchange).expect("an exchange that is open");
        assert!(it.cursor.is_none() || it.kind == Kind::Stream, "{id} begins {:?}", it.cursor);
        it.cursor = Some(id);
    }

    /// An event has an id: it is the next one of its stream.
    pub(crate) fn follow(&mut self, exchange: ExchangeId, id: &str) {
        let it = self.exchanges.get_mut(&exchange).expect("an exchange that is open");
        let place = |id: &str| {
            let (stream, number) = id.rsplit_once('-').expect("a stream and a number");
            (stream.to_owned(), number.parse::<u64>().expect("a number"))
        };
        let (stream, number) = place(id);
        let (before, last) = it.cursor.as_deref().map_or_else(|| (stream.clone(), 0), place);
        // In another life of the hub a client listens anew.
        let anew = it.kind == Kind::Stream && before != stream;
        let expected = if anew { 1 } else { last + 1 };
        assert!(anew || before == stream, "{id} comes on the stream {before}");
        // Where an earlier life of the hub has owed an answer, nobody knows what was said before it.
        let last_word = it.kind == Kind::Post && number == u64::MAX;
        assert!(number == expected || last_word, "{id} comes after {:?}", it.cursor);
        it.cursor = Some(id.to_owned());
    }

    pub(crate) fn take_asked(&mut self, exchange: ExchangeId) -> Vec<(String, Asked)> {
        let taken = self.asked.extract_if(requests_of(exchange), |_, _| true);
        taken.map(|((_, id), asked)| (id, asked)).collect()
    }

    /// A client is told that it cannot have the rest of its stream.
    pub(crate) fn give_up(&mut self, exchange: ExchangeId) {
        if self.exchanges[&exchange].cursor.is_some() {
            self.take_asked(exchange);
        }
    }
}

impl Hub {
    /// A connection of a client breaks. Sometimes the hub learns of it only when the client is back.
    pub(crate) fn lose(&mut self, at: usize) {
        let Some(session) = self.clients[at].session.clone() else { return };
        let own = self.books.exchanges.iter().filter(|(_, it)| it.client == at && it.cursor.is_some());
        let own: Vec<ExchangeId> = own.map(|(exchange, _)| *exchange).collect();
        let Some(exchange) = self.dice.pick(&own).copied() else { return };
        self.put_aside(exchange, session);
        if self.dice.chance(70) {
            self.leave(exchange);
        } else {
            self.come_back(self.lost.len() - 1);
        }
    }

    /// A connection ends because its client does not read. Whoever can come back for the rest may.
    pub(crate) fn lose_exchange(&mut self, exchange: ExchangeId) {
        let it = &self.books.exchanges[&exchange];
        let client = &self.clients[it.client];
        if let Some(session) = client.session.clone().filter(|_| it.cursor.is_some() && !client.barred) {
            self.put_aside(exchange, session);
        }
        self.leave(exchange);
    }

    fn put_aside(&mut self, exchange: ExchangeId, session: String) {
        let it = self.books.exchanges[&exchange].clone();
        let asked = self.books.take_asked(exchange);
        let cursor = it.cursor.expect("it has one");
        self.lost.push(Lost { client: it.client, session, kind: it.kind, cursor, asked });
    }

    /// A client comes back for one of the streams that were lost.
    pub(crate) fn return_for(&mut self) {
        if !self.lost.is_empty() {
            let which = self.dice.below(self.lost.len());
            self.come_back(which);
        }
    }

    fn come_back(&mut self, which: usize) {
        let Lost { client: at, session, kind, cursor, asked } = self.lost.swap_remove(which);
        if self.clients[at].session.as_ref() != Some(&session) || self.clients[at].barred {
            return;
        }
        let exchange = self.begin(at, kind);
        let it = self.books.exchanges.get_mut(&exchange).expect("it was just begun");
        it.cursor = Some(cursor.clone());
        self.books.asked.extend(asked.into_iter().map(|(id, asked)| ((exchange, id), asked)));
        let (admission, mut head) = (self.clients[at].admission.clone(), self.clients[at].head(Verb::Listen));
        head.headers.last_event_id = Some(cursor);
        self.resumed += 1;
        self.clients[at].asked_at = self.now;
        self.feed(Input::StreamOpened(Opened { exchange, admission, head }));
    }

    /// A client takes its requests of this id back: it does not come back for them.
    pub(crate) fn withdraw_lost(&mut self, at: usize, id: &str) {
        self.lost.retain(|lost| lost.client != at || lost.asked.iter().all(|(own, _)| own != id));
    }
}
