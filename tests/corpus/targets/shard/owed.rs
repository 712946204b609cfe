//! Answers that a stream owes. A client may use an id twice at once, and an answer without a nonce does not say which
//! of the two it is to: each request is answered at most once all the same, and with its own nonce if with any.

use super::judge::Asked;

#[derive(Debug, Default)]
pub(super) struct Owed {
    open: Vec<Asked>,
    /// Taken for answered by an answer that did not say to which request of its id it was.
    unsure: Vec<Asked>,
}

impl Owed {
    pub(super) fn add(&mut self, asked: Option<Asked>) {
        self.open.extend(asked);
    }

    /// The client has taken back its requests with this id: they may be answered or not.
    pub(super) fn cancel(&mut self, names: impl Fn(&Asked) -> bool) {
        self.open.iter_mut().filter(|asked| names(asked)).for_each(|asked| asked.cancelled = true);
    }

    /// Takes an answer; false if nothing was asked that it could be to.
    pub(super) fn answer(&mut self, id: &str, nonce: Option<&str>) -> bool {
        let said = |asked: &Asked| nonce.is_none_or(|nonce| asked.nonce == nonce);
        // Of two requests with one id, the one that was taken back is less likely to be meant.
        self.open.sort_by_key(|asked| asked.cancelled);
        let of_id = self.open.iter().position(|asked| asked.id == id);
        match self.open.iter().position(|asked| asked.id == id && said(asked)).or(of_id) {
            Some(at) if self.open.get(at).is_some_and(said) => {
                let asked = self.open.remove(at);
                self.unsure.extend(Some(asked).filter(|_| nonce.is_none()));
                true
            }
            // The nonce is of a request that was taken for answered; then it is another that was.
            Some(at) => match self.unsure.iter().position(|asked| asked.id == id && said(asked)) {
                Some(unsure) => {
                    self.unsure.remove(unsure);
                    self.unsure.push(self.open.remove(at));
                    true
                }
                None => false,
            },
            None => false,
        }
    }

    /// What is not answered yet, or may not be.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Asked> {
        self.open.iter().chain(&self.unsure)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.iter().all(|asked| asked.cancelled)
    }
}
