//! What the hub holds in memory for somebody else to take: answers and events for clients, frames for servers. Counted in
//! bytes, of one API key and of the whole hub.
//!
//! The count rides on the bytes themselves ([`Bytes::from_owner`]): it goes down when the last owner of them lets go,
//! be it a queue, the buffers of a socket or a client that is cut. Nobody can forget to give anything back, and there is
//! no lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use orch_core::rpc::replied_id;
use orch_core::{Exceeded, Fault, KeyId, Limit, Limits};

/// An account of bytes, within a larger one or not.
#[derive(Debug)]
pub(crate) struct Account {
    held: AtomicUsize,
    bound: usize,
    limit: Limit,
    /// What of the bound an answer may need: requests are refused before the rest of it is used up.
    reserve: usize,
    small: usize,
    within: Option<Arc<Self>>,
}

impl Account {
    /// The account of a hub.
    pub(crate) fn of_hub(limits: &Limits) -> Arc<Self> {
        Self::new(limits, (Limit::HeldBytes, limits.held_bytes), None)
    }

    fn of_key(limits: &Limits, hub: &Arc<Self>) -> Arc<Self> {
        Self::new(limits, (Limit::HeldKeyBytes, limits.held_key_bytes), Some(Arc::clone(hub)))
    }

    fn new(limits: &Limits, (limit, bound): (Limit, usize), within: Option<Arc<Self>>) -> Arc<Self> {
        let (reserve, small) = (limits.message_bytes, limits.held_small_bytes);
        Arc::new(Self { held: AtomicUsize::new(0), bound, limit, reserve, small, within })
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |account| account.within.as_deref())
    }

    /// Whether an answer of any length will find room. What asks for one is refused otherwise, before anything is done:
    /// a call whose answer cannot be told is worse than none.
    pub(crate) fn has_room(&self) -> Result<(), Exceeded> {
        let full =
            |account: &&Self| account.held.load(Relaxed) > account.bound.saturating_sub(account.reserve);
        self.chain().find(full).map_or(Ok(()), |account| Err(account.exceeded()))
    }

    /// Counts these bytes for as long as anybody has them.
    pub(crate) fn take(self: &Arc<Self>, data: Bytes) -> Result<Bytes, Exceeded> {
        let held = self.keep(data);
        // Counted first and looked at afterwards, so that of two at once one is seen to be too much.
        let over = |account: &&Self| account.held.load(Relaxed) > account.bound;
        match self.chain().find(over) {
            Some(account) => Err(account.exceeded()),
            None => Ok(held),
        }
    }

    /// The same for bytes that somebody waits for who has taken all before them: a small message always finds room.
    pub(crate) fn take_next(self: &Arc<Self>, data: Bytes) -> Result<Bytes, Exceeded> {
        if data.len() <= self.small { Ok(self.keep(data)) } else { self.take(data) }
    }

    /// The whole answer of an exchange; one that finds no room is told so under the same id.
    pub(crate) fn held_or_told(self: &Arc<Self>, answer: &Bytes) -> Bytes {
        self.take_next(answer.clone()).unwrap_or_else(|exceeded| {
            let id = replied_id(answer);
            self.keep(Fault::from(exceeded).frame(id).into())
        })
    }

    /// The same whatever there is already.
    pub(crate) fn keep(self: &Arc<Self>, data: Bytes) -> Bytes {
        for account in self.chain() {
            account.held.fetch_add(data.len(), Relaxed);
        }
        Bytes::from_owner(Held { data, account: Arc::clone(self) })
    }

    fn exceeded(&self) -> Exceeded {
        let hint = if self.within.is_some() {
            "clients of this API key do not read what they are answered: read it, then try again"
        } else {
            "clients and servers of the hub do not read what is sent to them: try again in a moment"
        };
        Exceeded { limit: self.limit, value: self.bound as u64, hint }
    }
}

/// Bytes that are counted.
struct Held {
    data: Bytes,
    account: Arc<Account>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for account in self.account.chain() {
            account.held.fetch_sub(self.data.len(), Relaxed);
        }
    }
}

/// The accounts of a project's keys.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    used: HashMap<KeyId, Arc<Account>>,
    /// The key that the last of them was made for.
    last: Option<KeyId>,
    several: bool,
}

impl Accounts {
    /// Whether it is used with more than one key.
    pub(crate) fn are_several(&self) -> bool {
        self.several
    }

    /// The account of a key. One that nobody uses any more is forgotten when another is made.
    pub(crate) fn of(&mut self, key: &KeyId, limits: &Limits, hub: &Arc<Account>) -> Arc<Account> {
        if let Some(account) = self.used.get(key) {
            return Arc::clone(account);
        }
        self.used.retain(|_, account| Arc::strong_count(account) > 1);
        self.several |= self.last.replace(key.clone()).is_some_and(|last| last != *key);
        let account = Account::of_key(limits, hub);
        self.used.insert(key.clone(), Arc::clone(&account));
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            held_bytes: 100,
            held_key_bytes: 40,
            held_small_bytes: 2,
            message_bytes: 10,
            ..Limits::default()
        }
    }

    fn bytes(count: usize) -> Bytes {
        vec![0; count].into()
    }

    #[test]
    fn bytes_count_until_the_last_owner_lets_go() {
        let hub = Account::of_hub(&limits());
        let key = Account::of_key(&limits(), &hub);
        let held = key.take(bytes(30)).unwrap();
        let part = held.slice(1..2);
        drop(held);
        assert_eq!((key.held.load(Relaxed), hub.held.load(Relaxed)), (30, 30));
        drop(part);
        assert_eq!((key.held.load(Relaxed), hub.held.load(Relaxed)), (0, 0));
    }

    #[test]
    fn a_key_has_its_bound_and_all_keys_together_have_another() {
        let hub = Account::of_hub(&limits());
        let keys: Vec<_> = (0..3).map(|_| Account::of_key(&limits(), &hub)).collect();
        let name = |taken: Result<Bytes, Exceeded>| taken.map(drop).map_err(|it| (it.limit, it.value));
        let held: Vec<_> = keys.iter().take(2).map(|key| key.take(bytes(40)).unwrap()).collect();
        assert_eq!(name(keys[0].take(bytes(3))), Err((Limit::HeldKeyBytes, 40)));
        assert_eq!(name(keys[2].take(bytes(21))), Err((Limit::HeldBytes, 100)));
        assert_eq!(name(keys[2].take(bytes(20))), Ok(()), "what was refused does not count");
        drop(held);
        assert_eq!(name(keys[0].take(bytes(40))), Ok(()));
    }

    #[test]
    fn whoever_has_taken_all_gets_a_small_message_and_a_frame_is_never_refused() {
        let hub = Account::of_hub(&limits());
        let key = Account::of_key(&limits(), &hub);
        let _all = key.take(bytes(40)).unwrap();
        assert!(key.take(bytes(1)).is_err());
        let _small = key.take_next(bytes(2)).unwrap();
        assert!(key.take_next(bytes(3)).is_err());
        let _frame = hub.keep(bytes(200));
        assert_eq!(hub.held.load(Relaxed), 242);
    }

    #[test]
    fn requests_are_refused_while_the_longest_answer_would_find_no_room() {
        let hub = Account::of_hub(&limits());
        let (one, other) = (Account::of_key(&limits(), &hub), Account::of_key(&limits(), &hub));
        let held = one.take(bytes(30)).unwrap();
        assert_eq!(one.has_room(), Ok(()));
        let _more = one.take(bytes(1)).unwrap();
        assert_eq!(one.has_room().map_err(|it| it.limit), Err(Limit::HeldKeyBytes));
        assert_eq!(other.has_room(), Ok(()), "the clients of another key are not in its way");
        let _frames = hub.keep(bytes(60));
        assert_eq!(other.has_room().map_err(|it| it.limit), Err(Limit::HeldBytes));
        drop(held);
        assert_eq!((one.has_room(), other.has_room()), (Ok(()), Ok(())));
    }

    #[test]
    fn the_account_of_a_key_is_one_for_as_long_as_it_holds_anything() {
        let (limits, mut accounts) = (limits(), Accounts::default());
        let hub = Account::of_hub(&limits);
        let [one, other] = ["one", "other"].map(|key| KeyId(key.into()));
        let held = accounts.of(&one, &limits, &hub).take(bytes(40)).unwrap();
        assert!(!accounts.are_several());
        accounts.of(&other, &limits, &hub);
        assert!(accounts.of(&one, &limits, &hub).take(bytes(1)).is_err());
        drop(held);
        accounts.of(&KeyId("third".into()), &limits, &hub);
        assert_eq!(accounts.used.len(), 1, "the others hold nothing");
        assert!(accounts.are_several());
    }
}
