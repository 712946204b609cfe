//! Identifiers as newtypes, and the seeded generator that mints them.
//!
//! An id is never built from loose text: it is parsed (and may be refused) or minted from [`Entropy`].

use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Timestamp;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Mints a new id: a UUID of version 7.
            pub fn mint(now: Timestamp, entropy: &mut Entropy) -> Self {
                Self(entropy.uuid_v7(now))
            }

            /// Parses the hyphenated form; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }
    };
}

uuid_id!(
    /// A project: the unit of isolation, and the owner of one shard.
    ProjectId
);
uuid_id!(
    /// A configured MCP server of one project.
    ServerId
);
uuid_id!(
    /// An entry of a project's log. Sorts by time.
    LogId
);

uuid_id!(
    /// A task of a remote server, of which its server's name for it says too little.
    TaskId
);

impl LogId {
    /// Before all ids.
    pub const FIRST: Self = Self(Uuid::nil());
    /// After all ids.
    pub const LAST: Self = Self(Uuid::max());

    /// Mints an id that is larger than this one, also when the clock was set back or stands still.
    #[must_use]
    pub fn mint_after(self, now: Timestamp, entropy: &mut Entropy) -> Self {
        Self::mint(now, entropy).max(self.next())
    }

    /// The smallest id that is larger.
    #[must_use]
    pub fn next(self) -> Self {
        Self(Uuid::from_u128(self.0.as_u128().saturating_add(1)))
    }

    /// What no id of an earlier time reaches, and every one of this time or a later one does.
    pub fn first_at(at: Timestamp) -> Self {
        // A UUID of version 7 begins with 48 bits of milliseconds.
        Self(Uuid::from_u128(u128::from(at.0.min((1 << 48) - 1)) << 80))
    }
}

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

counter_id!(
    /// One life of a connection to an upstream: a restarted process is a new link.
    LinkId
);
counter_id!(
    /// A request that was sent over a link. Its number is the JSON-RPC id and the progress token that the
    /// upstream sees; the client's own id and token never leave the hub (CVE-2026-25536).
    CallId
);
counter_id!(
    /// One HTTP exchange of a client that is waiting for an answer or reading a stream.
    ExchangeId
);

/// A run of a plan: 48 random bits, shown as 12 hexadecimal digits, since models copy it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub u64);

impl RunId {
    /// Mints a new id.
    pub fn mint(entropy: &mut Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(bytes.get_mut(2..).unwrap_or_default());
        Self(u64::from_be_bytes(bytes))
    }

    /// Parses what [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 12 && text.bytes().all(|byte| hex_digit(byte).is_some());
        if plain { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// A legacy session: 256 random bits, unguessable, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 32]);

impl SessionId {
    /// Mints a new id.
    pub fn mint(entropy: &mut Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// Parses the 64 lower-case hexadecimal digits that [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (hex_digit(*pair.first()?)?, hex_digit(*pair.last()?)?);
            *byte = (high << 4) | low;
        }
        Some(Self(bytes))
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    /// Only the first bytes: whole session ids have no place in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, ..] = self.0;
        write!(f, "SessionId({a:02x}{b:02x}{c:02x}…)")
    }
}

/// The public part of an API key: 12 characters of base62.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub Arc<str>);

impl Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the processes of one launch of a server, and no others in the world, have in their environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaunchId(pub String);

impl fmt::Display for LaunchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A seeded generator: SHA-256 over a secret seed and a counter.
///
/// The driver seeds it from the operating system; a test seeds it with a number and gets the same ids again.
#[derive(Clone)]
pub struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

impl Entropy {
    /// A generator that repeats itself for the same seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// Another generator, whose ids are never this one's.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// Fills `out` with unpredictable bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let block = self.block();
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }

    /// A UUID of version 7 (RFC 9562 section 5.7) of the given time.
    pub fn uuid_v7(&mut self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(now.0, &random).into_uuid()
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter = self.counter.wrapping_add(1);
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_le_bytes());
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn ids_of_log_entries_grow_though_the_clock_does_not() {
        let mut entropy = Entropy::from_seed([9; 32]);
        let mut last = LogId::FIRST;
        for at in [5, 5, 5, 4, 6, 2] {
            let id = last.mint_after(Timestamp(at), &mut entropy);
            assert!(id > last && id < LogId::LAST);
            last = id;
        }
        assert!(last >= LogId::first_at(Timestamp(6)) && last < LogId::first_at(Timestamp(7)));
        assert!(LogId::first_at(Timestamp::NEVER) < LogId::LAST);
    }

    #[test]
    fn session_id_round_trips_and_refuses_other_spellings() {
        let id = SessionId::mint(&mut Entropy::from_seed([7; 32]));
        let text = id.to_string();
        assert_eq!(SessionId::parse(&text), Some(id));
        assert_eq!(SessionId::parse(&text.to_uppercase()), None);
        assert_eq!(SessionId::parse(&text[1..]), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut a, mut b) = (Entropy::from_seed([1; 32]), Entropy::from_seed([1; 32]));
        assert_eq!(SessionId::mint(&mut a), SessionId::mint(&mut b));
        assert_ne!(SessionId::mint(&mut a), SessionId::mint(&mut Entropy::from_seed([1; 32])));
    }
}
