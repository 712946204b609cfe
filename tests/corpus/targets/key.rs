//! API keys: exactly one spelling of a key is accepted, and reading one takes no more memory however long the text is.
//!
//! An input is a presented key, and the seed of a minted one of which one character is changed.

use orch_core::Entropy;
use orch_core::key::Token;

const PREFIX: &str = "mcp_proj_";
const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        presented(text);
    }
    minted(input);
}

fn presented(text: &str) {
    let mut token = None;
    let cost = allocation_counter::measure(|| token = Token::parse(text));
    assert_eq!(token.is_some(), is_canonical(text), "{text:?}");
    if let Some(token) = token {
        assert_eq!(token.reveal(), text, "what is kept is what was presented");
        assert!(!format!("{token:?}").contains(&text[PREFIX.len() + 13..]), "the secret is printed");
    }
    // The checksum that was computed, and the token.
    assert!(cost.bytes_max <= 128, "{cost:?} for {} bytes", text.len());
}

/// A minted key parses; with one character changed it does not.
fn minted(input: &[u8]) {
    let mut seed = [0; 32];
    input.iter().zip(&mut seed).for_each(|(from, to)| *to = *from);
    let token = Token::mint(&mut Entropy::from_seed(seed));
    assert!(is_canonical(token.reveal()));
    assert_eq!(Token::parse(token.reveal()).as_ref(), Some(&token));

    let mut changed = token.reveal().to_owned().into_bytes();
    let at = usize::from(seed[31]) % changed.len();
    changed[at] = if seed[30].is_ascii() && seed[30] != changed[at] { seed[30] } else { changed[at] ^ 1 };
    let changed = String::from_utf8(changed).expect("ASCII stays ASCII");
    assert_eq!(Token::parse(&changed), None, "{changed}");
}

/// `mcp_proj_`, 12 digits, `_`, 43 digits, and the CRC-32 of all before it in six digits, all of base62.
fn is_canonical(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digits = |range| {
        bytes.get::<std::ops::Range<usize>>(range).is_some_and(|part| part.iter().all(|b| DIGITS.contains(b)))
    };
    bytes.len() == 71
        && text.starts_with(PREFIX)
        && is_digits(9..21)
        && bytes[21] == b'_'
        && is_digits(22..71)
        && base62(&bytes[65..]) == u64::from(crc32(&bytes[..65]))
}

fn base62(digits: &[u8]) -> u64 {
    let value = |digit| DIGITS.iter().position(|known| *known == digit).unwrap_or_default() as u64;
    digits.iter().fold(0, |number, digit| number * 62 + value(*digit))
}

/// CRC-32 (ISO-HDLC) as its definition has it: the remainder of a polynomial division, most significant bit first.
fn crc32(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(byte.reverse_bits()) << 24;
        for _ in 0..8 {
            let divides = remainder >> 31 == 1;
            remainder <<= 1;
            if divides {
                remainder ^= 0x04c1_1db7;
            }
        }
    }
    !remainder.reverse_bits()
}
