//! Stored records: what decodes is encoded and decoded to the same, formats of newer releases are refused by number,
//! and decoding allocates no more than the bytes can describe.
//!
//! An input is the bytes of a record.

use orch_core::record::{CodecError, decode, encode};

/// An empty definition is two bytes in a record and two strings in memory, 48 bytes, in a vector that may be half
/// full while it grows. Nothing that a byte describes is larger.
const BYTES_IN_MEMORY: u64 = 64;

/// What is allocated whatever the length.
const CONSTANT: u64 = 4 * 1024;

pub fn check(input: &[u8]) {
    let mut decoded = Err(CodecError::Empty);
    let cost = allocation_counter::measure(|| decoded = decode(input));
    let most = CONSTANT + BYTES_IN_MEMORY * input.len() as u64;
    assert!(cost.bytes_max <= most, "{} bytes are allocated for {}", cost.bytes_max, input.len());
    match (decoded, input) {
        (Ok(record), [format @ 1..=3, ..]) => {
            let bytes = encode(&record);
            assert_eq!(decode(&bytes), Ok(record), "what is encoded decodes to the same");
            // What a format does not have takes a byte to say that it is not there.
            let lacks = usize::from(3 - format);
            assert!(bytes.len() <= input.len() + lacks, "the encoding is the shortest");
            let longer = [bytes.as_slice(), &[0]].concat();
            assert_eq!(decode(&longer), Err(CodecError::Damaged), "no byte is left over");
        }
        (Err(CodecError::Empty), []) | (Err(CodecError::Damaged), [1..=3, ..]) => {}
        (Err(CodecError::UnknownVersion(version)), [first, ..]) => {
            assert!(version == *first && !(1..=3).contains(first), "version {version}");
        }
        (outcome, _) => panic!("{outcome:?} for {input:?}"),
    }
}
