//! What is on a disk, cheap to copy: blocks that images share until one of them is written.

use std::sync::Arc;

use orch_core::Entropy;

const BYTES: usize = 4096;
pub(crate) const BLOCK: u64 = BYTES as u64;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

type Block = [u8; BYTES];

#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    length: u64,
    blocks: Vec<Arc<Block>>,
}

impl Image {
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn resize(&mut self, length: u64) {
        if length < self.length && !length.is_multiple_of(BLOCK) {
            // What comes back with a later growth is zero.
            let (block, keep) = place(length);
            Arc::make_mut(&mut self.blocks[block])[keep..].fill(0);
        }
        self.blocks.resize(place(length.next_multiple_of(BLOCK)).0, Arc::new([0; BYTES]));
        self.length = length;
    }

    /// Whether all of it is there.
    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> bool {
        if offset + out.len() as u64 > self.length {
            return false;
        }
        let mut done = 0;
        while done < out.len() {
            let (block, from) = place(offset + done as u64);
            let part = (self.blocks[block].len() - from).min(out.len() - done);
            out[done..done + part].copy_from_slice(&self.blocks[block][from..from + part]);
            done += part;
        }
        true
    }

    /// Whether there is a place for all of it.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> bool {
        if offset + data.len() as u64 > self.length {
            return false;
        }
        let mut done = 0;
        while done < data.len() {
            let (block, from) = place(offset + done as u64);
            let block = Arc::make_mut(&mut self.blocks[block]);
            let part = (block.len() - from).min(data.len() - done);
            block[from..from + part].copy_from_slice(&data[done..done + part]);
            done += part;
        }
        true
    }

    /// A write that a power cut has met: it is there whole, or not at all, or each sector by chance.
    pub(crate) fn tear(&mut self, offset: u64, data: &[u8], entropy: &mut Entropy) {
        let fate = entropy.below(3);
        for (number, sector) in data.chunks(SECTOR).enumerate() {
            if fate == 0 || fate == 1 && entropy.below(2) == 0 {
                // A sector behind the end is of a growth that did not happen.
                self.write(offset + (number * SECTOR) as u64, sector);
            }
        }
    }
}

/// The block of an offset, and the place in it.
fn place(offset: u64) -> (usize, usize) {
    (usize::try_from(offset / BLOCK).unwrap(), usize::try_from(offset % BLOCK).unwrap())
}
