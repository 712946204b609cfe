//! A disk in memory that fails, fills up and loses power on demand.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use orch_core::Entropy;
use orch_store_redb::StorageBackend;

const BLOCK: u64 = 4096;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A handle to the disk; all handles see the same bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    /// What reads see.
    content: Vec<u8>,
    /// What a power cut leaves for certain.
    synced: Vec<u8>,
    /// What a power cut may leave or not.
    unsynced: Vec<Step>,
    blocks: BTreeSet<u64>,
    /// Operations so far.
    pub(crate) operations: u64,
    /// This operation fails, and all after it when `dead`.
    pub(crate) fails_at: Option<u64>,
    pub(crate) dead: bool,
    /// Blocks that may be in use.
    pub(crate) capacity: Option<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    Length(u64),
    Write(u64, Vec<u8>),
}

impl Disk {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn blocks(&self) -> usize {
        self.state().blocks.len()
    }

    /// The disk after a power cut: of what was not synced, some is there, in whole sectors.
    pub(crate) fn after_power_cut(&self, entropy: &mut Entropy) -> Self {
        let state = self.state();
        let mut content = state.synced.clone();
        for step in &state.unsynced {
            match step {
                Step::Length(length) if entropy.below(2) == 0 => content.resize(to_usize(*length), 0),
                Step::Length(_) => {}
                Step::Write(offset, bytes) => {
                    let mut at = to_usize(*offset);
                    let whole = entropy.below(3);
                    for sector in bytes.chunks(SECTOR) {
                        let written = whole == 0 || whole == 1 && entropy.below(2) == 0;
                        if let Some(place) = content.get_mut(at..at + sector.len()).filter(|_| written) {
                            place.copy_from_slice(sector);
                        }
                        at += sector.len();
                    }
                }
            }
        }
        Self(Arc::new(Mutex::new(State { synced: content.clone(), content, ..State::default() })))
    }

    fn operate<T>(&self, work: impl FnOnce(&mut State) -> Result<T, Error>) -> Result<T, Error> {
        let mut state = self.state();
        state.operations += 1;
        match state.fails_at {
            Some(at) if at == state.operations || state.dead && at < state.operations => {
                Err(Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()))
            }
            _ => work(&mut state),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        self.operate(|state| Ok(state.content.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        self.operate(|state| {
            let from = to_usize(offset);
            let bytes = state.content.get(from..from + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> Result<(), Error> {
        self.operate(|state| {
            state.content.resize(to_usize(length), 0);
            state.blocks.retain(|block| *block < length.div_ceil(BLOCK));
            state.unsynced.push(Step::Length(length));
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.operate(|state| {
            state.synced = state.content.clone();
            state.unsynced.clear();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.operate(|state| {
            for block in offset / BLOCK..(offset + data.len() as u64).div_ceil(BLOCK) {
                if state.blocks.len() >= state.capacity.unwrap_or(usize::MAX)
                    && !state.blocks.contains(&block)
                {
                    return Err(ErrorKind::StorageFull.into());
                }
                state.blocks.insert(block);
            }
            let from = to_usize(offset);
            state
                .content
                .get_mut(from..from + data.len())
                .ok_or(ErrorKind::UnexpectedEof)?
                .copy_from_slice(data);
            state.unsynced.push(Step::Write(offset, data.to_vec()));
            Ok(())
        })
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap()
}
