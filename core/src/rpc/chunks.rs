//! Looking through long text.
//!
//! Both loops go in chunks within which nothing is decided, so that the compiler makes vectors of them, and each is a function
//! of its own, so that it does so wherever it is called from: what is around it has taken that away before, and 256 KiB of
//! one string cost ten times as much.

const CHUNK: usize = 32;

/// How many bytes of a string stand for themselves before the next that does not; `None` if all do.
pub(super) fn plain(rest: &[u8]) -> Option<usize> {
    // Most strings are short.
    if let Some(at) = rest.iter().take(CHUNK).position(|&byte| special(byte) != 0) {
        return Some(at);
    }
    let from = plain_chunks(rest);
    let rest = rest.get(from..)?.iter().position(|&byte| special(byte) != 0)?;
    Some(from.saturating_add(rest))
}

/// How many bytes at the beginning are of chunks that stand for themselves.
#[inline(never)]
fn plain_chunks(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<CHUNK>();
    let any = |chunk: &[u8; CHUNK]| chunk.iter().fold(0, |any, &byte| any | special(byte));
    chunks.iter().take_while(|chunk| any(chunk) == 0).count().saturating_mul(CHUNK)
}

/// Whether a line ends anywhere in a text.
#[inline(never)]
pub(super) fn has_line_end(text: &[u8]) -> bool {
    let (chunks, rest) = text.as_chunks::<CHUNK>();
    let any = |bytes: &[u8]| bytes.iter().fold(0, |any, &byte| any | ends_line(byte)) != 0;
    chunks.iter().any(|chunk| any(chunk)) || any(rest)
}

/// 0 for a byte of a string that stands for itself.
fn special(byte: u8) -> u8 {
    u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20)
}

fn ends_line(byte: u8) -> u8 {
    u8::from(byte == b'\n') | u8::from(byte == b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_is_looked_for_is_found_wherever_it_stands() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
            let text = vec![b'x'; length];
            assert_eq!((plain(&text), has_line_end(&text)), (None, false), "{length}");
            for at in 0..length {
                for byte in [b'"', b'\\', 0, 0x1f, b'\n', b'\r'] {
                    let mut text = text.clone();
                    text[at] = byte;
                    let ends = matches!(byte, b'\n' | b'\r');
                    assert_eq!((plain(&text), has_line_end(&text)), (Some(at), ends), "{byte} at {at}");
                }
            }
        }
    }
}
