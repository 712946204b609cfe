//! Records to bytes and back.

use alloc::vec;
use alloc::vec::Vec;

use super::Record;

/// The version byte of the records that this release writes.
const CURRENT: u8 = 3;

/// The first one. Since the second, definitions hold what is said aside; since the third, which lists are not told.
const FIRST: u8 = 1;

/// Why stored bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No bytes at all.
    #[error("the record is empty")]
    Empty,
    /// The body does not decode, or bytes are left over.
    #[error("the record is damaged")]
    Damaged,
    /// Written by a newer release.
    #[error("the record has format {0}, which a newer release wrote")]
    UnknownVersion(u8),
}

/// The bytes of a record.
pub fn encode(record: &Record) -> Vec<u8> {
    let bytes = Vec::from([CURRENT]);
    // Writing to memory cannot fail: every type in a record has a postcard form.
    postcard::to_extend(record, bytes).unwrap_or_default()
}

/// The record in stored bytes. Allocates no more than the bytes can describe.
pub fn decode(bytes: &[u8]) -> Result<Record, CodecError> {
    let (version, body) = bytes.split_first().ok_or(CodecError::Empty)?;
    match *version {
        CURRENT => read(body),
        // What was added has its place at the end, and where there is none of it that is a zero.
        FIRST..CURRENT => read(body).or_else(|damaged| {
            let lacks = usize::from(CURRENT.saturating_sub(*version));
            match read(&[body, &vec![0; lacks]].concat()) {
                Ok(definitions @ Record::Definitions(_)) => Ok(definitions),
                Ok(_) | Err(_) => Err(damaged),
            }
        }),
        other => Err(CodecError::UnknownVersion(other)),
    }
}

fn read(body: &[u8]) -> Result<Record, CodecError> {
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok(_) | Err(_) => Err(CodecError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Mode, Project};
    use crate::{Entropy, ProjectId, Timestamp};

    fn project() -> Record {
        let mut entropy = Entropy::from_seed([3; 32]);
        Record::Project(Project {
            id: ProjectId::mint(Timestamp(1), &mut entropy),
            slug: "default".into(),
            name: "Default".into(),
            separator: "__".into(),
            mode: Mode::Proxy,
            created_at: Timestamp(1),
        })
    }

    #[test]
    fn a_record_decodes_to_what_was_encoded() {
        assert_eq!(decode(&encode(&project())), Ok(project()));
    }

    #[test]
    fn of_what_an_older_format_lacks_there_is_nothing() {
        let mut bytes = encode(&project());
        bytes[0] = FIRST;
        assert_eq!(decode(&bytes), Ok(project()));
        bytes.pop();
        assert_eq!(decode(&bytes), Err(CodecError::Damaged), "nothing is missing but of definitions");
    }

    #[test]
    fn a_newer_format_is_refused_by_number() {
        let mut bytes = encode(&project());
        bytes[0] = 9;
        assert_eq!(decode(&bytes), Err(CodecError::UnknownVersion(9)));
    }

    #[test]
    fn truncated_and_overlong_records_are_damaged() {
        let bytes = encode(&project());
        assert_eq!(decode(&bytes[..bytes.len() - 1]), Err(CodecError::Damaged));
        assert_eq!(decode(&[bytes, vec![0]].concat()), Err(CodecError::Damaged));
        assert_eq!(decode(&[]), Err(CodecError::Empty));
    }
}
