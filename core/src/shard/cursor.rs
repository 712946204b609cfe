//! Event ids of resumable streams: what a client shows in `Last-Event-ID`.
//!
//! An id says its session, its stream and its number (2025-11-25, transports, resumability). It opens nothing by itself:
//! who shows it has shown the key and the session already.

use core::fmt;

use crate::{SessionId, Timestamp};

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The first bytes of the session's id, which say whose it is and no more.
    session: [u8; 4],
    /// What the stream is for.
    pub(super) kind: Kind,
    /// The stream's number.
    pub(super) stream: u64,
    /// The number of the last event that was received; zero before the first.
    pub(super) event: u64,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answer to a POST: it ends with it.
    Answer,
    /// What no request asked for.
    Listen,
}

impl Cursor {
    pub(super) fn new(session: SessionId, kind: Kind, stream: u64, event: u64) -> Self {
        Self { session: mark(session), kind, stream, event }
    }

    /// Reads what [`fmt::Display`] writes; `None` for anything else, be it another spelling of the same.
    pub fn parse(text: &str) -> Option<Self> {
        let (session, rest) = text.split_at_checked(8)?;
        let (kind, rest) = rest.strip_prefix('-')?.split_at_checked(1)?;
        let kind = match kind {
            "a" => Kind::Answer,
            "l" => Kind::Listen,
            _ => return None,
        };
        let (stream, event) = rest.split_once('-')?;
        let cursor = Self {
            session: u32::from_str_radix(session, 16).ok()?.to_be_bytes(),
            kind,
            stream: u64::from_str_radix(stream, 16).ok()?,
            event: event.parse().ok()?,
        };
        (alloc::format!("{cursor}") == text).then_some(cursor)
    }

    pub(super) fn is_of(&self, session: SessionId) -> bool {
        self.session == mark(session)
    }

    /// Whether its stream was opened before this moment: streams are numbered by the time.
    pub(super) fn is_older_than(&self, since: Timestamp) -> bool {
        self.stream < since.0
    }
}

fn mark(session: SessionId) -> [u8; 4] {
    session.0.first_chunk().copied().unwrap_or_default()
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Answer => 'a',
            Kind::Listen => 'l',
        };
        let (session, stream, event) = (u32::from_be_bytes(self.session), self.stream, self.event);
        write!(f, "{session:08x}-{kind}{stream:x}-{event}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn an_id_says_its_session_its_stream_and_its_number() {
        let session = SessionId([0xab; 32]);
        let cursor = Cursor::new(session, Kind::Answer, 0x1f, 7);
        assert_eq!(cursor.to_string(), "abababab-a1f-7");
        assert_eq!(Cursor::parse("abababab-a1f-7"), Some(cursor));
        assert!(cursor.is_of(session) && !cursor.is_of(SessionId([1; 32])));
    }

    #[test]
    fn a_damaged_id_is_none() {
        let damaged = [
            "",
            "1",
            "abababab",
            "abababab-a1f",
            "abababab-a1f-",
            "abababab-a-7",
            "abababab-x1f-7",
            "abababab-a1F-7",
            "abababab-a01f-7",
            "abababab-a1f-+7",
            "abababab-a1f-07",
            "abababab-a1f-7 ",
            "abababab-a1f-7-7",
            "+bababab-a1f-7",
            "abababaé-a1f-7",
            "abababab-a1f-99999999999999999999",
        ];
        for text in damaged {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(session in any::<[u8; 32]>(), listens: bool, stream: u64, event: u64) {
            let kind = if listens { Kind::Listen } else { Kind::Answer };
            let cursor = Cursor::new(SessionId(session), kind, stream, event);
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }

        #[test]
        fn what_is_read_is_spelt_as_it_is_written(text in "[0-9a-f]{7,9}-[alx][0-9a-fA-F]{0,17}-[0-9+]{0,3}") {
            if let Some(cursor) = Cursor::parse(&text) {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
