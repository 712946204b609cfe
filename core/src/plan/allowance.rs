//! How much may be read and built for the values of a plan. What a plan refers to can be long, and it can refer to it
//! thousands of times: so all is counted before it is done, and nothing beyond a bound is ever made.

use core::fmt;

use crate::Limit;

/// A bound, in bytes. As an error: it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its name.
    pub limit: Limit,
    /// How much there may be.
    pub most: usize,
}

impl Bound {
    /// Whether a value of so many bytes may be made.
    pub fn admits(self, bytes: usize) -> Result<(), Self> {
        if bytes > self.most { Err(self) } else { Ok(()) }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {} reached ({})", self.limit, self.most)
    }
}

/// What is left for the values of one call, of one array, or of one output.
#[derive(Debug)]
pub struct Allowance {
    longest: Bound,
    reads: Bound,
    read: usize,
    copied: usize,
}

impl Allowance {
    /// Each value may be so long, and so much may be read for all of them.
    pub fn new(longest: Bound, reads: Bound) -> Self {
        Self { longest, reads, read: 0, copied: 0 }
    }

    /// The bound of each value.
    pub fn longest(&self) -> Bound {
        self.longest
    }

    /// Bytes that were read.
    pub fn spent(&self) -> usize {
        self.read
    }

    /// Bytes that were copied to be kept, where a value is no part of a result.
    pub fn copied(&self) -> usize {
        self.copied
    }

    /// So much is about to be read.
    pub fn read(&mut self, bytes: usize) -> Result<(), Bound> {
        let read = self.read.saturating_add(bytes);
        self.reads.admits(read)?;
        self.read = read;
        Ok(())
    }

    /// So much is about to be copied.
    pub fn copy(&mut self, bytes: usize) -> Result<(), Bound> {
        self.longest.admits(bytes)?;
        self.copied = self.copied.saturating_add(bytes);
        Ok(())
    }
}
