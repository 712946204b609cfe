//! Where a chunked body ends (RFC 9112, section 7.1), read as strictly as it is written.

/// The most digits of a chunk's size: what 64 bits hold.
const DIGITS: u8 = 16;

/// What the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A digit of a chunk's size, or what follows the size.
    Size {
        size: u64,
        digits: u8,
    },
    /// A chunk extension, which means nothing here.
    Extension {
        size: u64,
    },
    /// The line feed after a size.
    SizeEnd {
        size: u64,
    },
    /// The data of a chunk, so many bytes of it.
    Data {
        left: u64,
    },
    DataReturn,
    DataEnd,
    /// The beginning of a trailer line, or of the empty line at the end.
    Trailer,
    WithinTrailer,
    TrailerEnd,
    /// The last line feed.
    LastEnd,
    /// Nothing of this body.
    Ended,
}

/// A chunked body that is being read.
#[derive(Debug)]
pub(super) struct Chunks(Next);

impl Default for Chunks {
    fn default() -> Self {
        Self(Next::SIZE)
    }
}

impl Next {
    const SIZE: Self = Self::Size { size: 0, digits: 0 };

    /// What comes after this byte; `None` if it may not stand here.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size { size, digits: 1.. } | Self::Extension { size }, b'\r') => {
                Some(Self::SizeEnd { size })
            }
            (Self::Size { size, digits: 1.. }, b';') => Some(Self::Extension { size }),
            (Self::Size { size, digits }, _) if digits < DIGITS => {
                let digit = char::from(byte).to_digit(16)?;
                let size = size << 4 | u64::from(digit);
                Some(Self::Size { size, digits: digits.saturating_add(1) })
            }
            (Self::Extension { .. }, byte) if is_text(byte) => Some(self),
            (Self::SizeEnd { size: 0 } | Self::TrailerEnd, b'\n') => Some(Self::Trailer),
            (Self::SizeEnd { size: left }, b'\n') => Some(Self::Data { left }),
            (Self::DataReturn, b'\r') => Some(Self::DataEnd),
            (Self::DataEnd, b'\n') => Some(Self::SIZE),
            (Self::Trailer, b'\r') => Some(Self::LastEnd),
            (Self::WithinTrailer, b'\r') => Some(Self::TrailerEnd),
            (Self::Trailer | Self::WithinTrailer, byte) if is_text(byte) => Some(Self::WithinTrailer),
            (Self::LastEnd, b'\n') => Some(Self::Ended),
            _ => None,
        }
    }
}

impl Chunks {
    /// How many of these bytes belong to the body. Less than all, and not at its end: the next one may not stand there.
    pub(super) fn read(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0_usize;
        while let Some(byte) = bytes.get(at)
            && self.0 != Next::Ended
        {
            if let Next::Data { left } = &mut self.0 {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len().saturating_sub(at));
                *left = left.saturating_sub(taken as u64);
                at = at.saturating_add(taken);
                if *left == 0 {
                    self.0 = Next::DataReturn;
                }
            } else {
                let Some(next) = self.0.after(*byte) else { break };
                self.0 = next;
                at = at.saturating_add(1);
            }
        }
        at
    }

    /// Whether the body has been read to its end.
    pub(super) fn ended(&self) -> bool {
        self.0 == Next::Ended
    }
}

/// What may stand in a line: anything but control characters, of which the tab is none here.
pub(super) fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}
