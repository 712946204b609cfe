//! An input read as decisions: which operation comes next, how a stream is cut. An input that has ended goes on with
//! zeros, so that every prefix of an input is an input.

use std::iter;

/// Decisions, one byte each.
#[derive(Clone, Debug)]
pub(super) struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()).checked_rem(bound).unwrap_or(0)
    }

    /// One of `all`, if there is any.
    pub(super) fn of<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        let index = self.below(all.len());
        all.get(index)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What no decision has taken.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// `bytes` in pieces of sizes that `seed` decides: single bytes for 0, up to 64 of them for others.
pub(super) fn pieces(bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut state) = (bytes, u32::from(seed));
    iter::from_fn(move || {
        // Knuth's multiplicative congruential generator: zero stays zero.
        state = state.wrapping_mul(2_654_435_769);
        let size = 1 + (state >> 26) as usize;
        let (piece, tail) = rest.split_at(size.min(rest.len()));
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}
