//! API keys: how they look, how they are made, how they are checked. Nothing here is stored but a keyed hash.
//!
//! `mcp_proj_<id>_<secret><crc>`: 12 characters of id, 43 of secret (256 bits), and a CRC-32 in 6, all base62.
//! The checksum is for typing errors and secret scanners; it is looked at before anything else.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::record::Key;
use crate::{Entropy, Timestamp};

const PREFIX: &str = "mcp_proj_";
const ID_LEN: usize = 12;
const SECRET_LEN: usize = 43;
const CRC_LEN: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole key in the clear. It exists when it is made and when it is presented, and is never stored or printed
/// by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({PREFIX}{}_…)", self.id())
    }
}

impl Token {
    /// Mints a key.
    pub fn mint(entropy: &mut Entropy) -> Self {
        let id = base62(entropy, ID_LEN);
        let secret = base62(entropy, SECRET_LEN);
        let mut text = format!("{PREFIX}{id}_{secret}");
        let crc = checksum(&text);
        text.extend(crc.map(char::from));
        Self { text }
    }

    /// Reads a presented key; `None` unless it has the one canonical spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (id, tail) = rest.split_once('_')?;
        let right = id.len() == ID_LEN && tail.len() == SECRET_LEN + CRC_LEN;
        if !right || !id.bytes().chain(tail.bytes()).all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let (body, crc) = text.split_at_checked(text.len().checked_sub(CRC_LEN)?)?;
        (checksum(body) == *crc.as_bytes()).then(|| Self { text: text.to_owned() })
    }

    /// The public part.
    pub fn id(&self) -> &str {
        self.text.get(PREFIX.len()..PREFIX.len().saturating_add(ID_LEN)).unwrap_or_default()
    }

    /// The whole text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// HMAC-SHA-256 under the pepper: what is stored. A row without knowledge of the pepper opens nothing.
    pub fn mac(&self, pepper: &Pepper) -> [u8; 32] {
        let mut mac = pepper.0.clone();
        mac.update(self.text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Whether this token is the key of `record`, and the key is good at `now`. Takes the same time for every
    /// answer about the secret.
    pub fn opens(&self, record: Option<&Key>, pepper: &Pepper, now: Timestamp) -> bool {
        let mac = self.mac(pepper);
        let stored = record.map_or([0; 32], |key| key.mac);
        let same: bool = mac.ct_eq(&stored).into();
        same && record.is_some_and(|key| key.opens_at(now))
    }
}

/// The instance's secret that keys are hashed under, taken up once: every request hashes a key.
#[derive(Clone)]
pub struct Pepper(Hmac<Sha256>);

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(..)")
    }
}

impl Pepper {
    /// Derives the pepper from the instance's key (HKDF-SHA-256, RFC 5869).
    pub fn derive(instance_key: &[u8; 32]) -> Self {
        // A key shorter than a block of the hash is one with zeros behind it (RFC 2104, section 2).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block.iter_mut().zip(derive(instance_key, b"apikey/v1")).for_each(|(to, byte)| *to = byte);
        Self(Hmac::new(&block))
    }
}

/// A 32-byte key for one purpose, from the instance's key.
pub fn derive(instance_key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // 32 bytes are always a valid length for HKDF-SHA-256.
    hkdf::Hkdf::<Sha256>::new(None, instance_key).expand(purpose, &mut out).unwrap_or_default();
    out
}

fn base62(entropy: &mut Entropy, len: usize) -> String {
    let digit = |n: u64| usize::try_from(n).ok().and_then(|n| DIGITS.get(n)).copied().unwrap_or(b'0');
    (0..len).map(|_| char::from(digit(entropy.below(62)))).collect()
}

/// CRC-32 (ISO-HDLC) of `text` in six base62 digits, most significant first.
fn checksum(text: &str) -> [u8; CRC_LEN] {
    let crc = text.bytes().fold(!0_u32, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ CRC_OF_BYTE.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    });
    let mut rest = !crc;
    let mut out = [b'0'; CRC_LEN];
    for slot in out.iter_mut().rev() {
        let (quotient, digit) = (rest / 62, rest % 62);
        *slot = DIGITS.get(digit as usize).copied().unwrap_or(b'0');
        rest = quotient;
    }
    out
}

/// The remainders of all bytes: a key is read in every request.
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
static CRC_OF_BYTE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte as usize] = crc;
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyId, ProjectId};

    fn pepper() -> Pepper {
        Pepper::derive(&[1; 32])
    }

    fn minted() -> (Token, Key) {
        let mut entropy = Entropy::from_seed([9; 32]);
        let token = Token::mint(&mut entropy);
        let project = ProjectId::mint(Timestamp(0), &mut entropy);
        let key = Key {
            id: KeyId(token.id().into()),
            project,
            name: "n".into(),
            mac: token.mac(&pepper()),
            created_at: Timestamp(0),
            expires_at: Some(Timestamp(10)),
            revoked_at: None,
        };
        (token, key)
    }

    #[test]
    fn a_minted_key_has_the_documented_shape_and_parses() {
        let (token, _) = minted();
        assert_eq!(token.reveal().len(), PREFIX.len() + ID_LEN + 1 + SECRET_LEN + CRC_LEN);
        assert_eq!(Token::parse(token.reveal()), Some(token));
    }

    #[test]
    fn every_changed_character_is_refused_before_any_look_up() {
        let (token, _) = minted();
        for at in 0..token.reveal().len() {
            let mut bytes = token.reveal().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(Token::parse(core::str::from_utf8(&bytes).unwrap()), None, "position {at}");
        }
    }

    #[test]
    fn the_checksum_is_crc_32() {
        // CRC-32/ISO-HDLC of "123456789" is 0xCBF43926 = 3421780262.
        assert_eq!(checksum("123456789"), *b"3jZRME");
    }

    #[test]
    fn a_key_opens_until_it_expires_or_is_revoked() {
        let (token, mut key) = minted();
        assert!(token.opens(Some(&key), &pepper(), Timestamp(9)));
        assert!(!token.opens(Some(&key), &pepper(), Timestamp(10)));
        assert!(!token.opens(None, &pepper(), Timestamp(9)));
        assert!(!token.opens(Some(&key), &Pepper::derive(&[2; 32]), Timestamp(9)));
        key.revoked_at = Some(Timestamp(5));
        assert!(!token.opens(Some(&key), &pepper(), Timestamp(9)));
    }
}
