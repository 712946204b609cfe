//! A disk in memory that keeps a tape of what it was told, and that fails, fills up and loses power on demand.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use orch_core::Entropy;
use orch_store_redb::StorageBackend;
use rustix::io::Errno;

use crate::image::{BLOCK, Image};

/// A handle to the disk; all handles see the same bytes.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    /// What reads see.
    content: Image,
    /// All that was done to it.
    tape: Vec<Step>,
    /// Blocks in use.
    blocks: BTreeSet<u64>,
    /// Operations so far.
    pub(crate) operations: u64,
    /// What goes wrong.
    pub(crate) fault: Option<Fault>,
    /// Blocks that may be in use.
    pub(crate) capacity: Option<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    /// The store has said that this commit is durable.
    Acknowledged(u64),
    Length(u64),
    /// From here on this is what a power cut leaves for certain.
    Synced(Image),
    Write(u64, Vec<u8>),
}

/// Operations that fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// The first operation that fails, counted from 1.
    pub(crate) at: u64,
    /// How many fail.
    pub(crate) lasts: u64,
    pub(crate) kind: FaultKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Nothing is done: `EIO`.
    Broken,
    /// Nothing is done: `ENOSPC`.
    NoSpace,
    /// Half of what was to be written is: `ENOSPC`.
    Short,
}

impl Default for Disk {
    fn default() -> Self {
        Self::of(Image::default())
    }
}

impl Disk {
    /// A disk with this on it.
    pub(crate) fn of(content: Image) -> Self {
        let tape = vec![Step::Synced(content.clone())];
        Self(Arc::new(Mutex::new(State {
            content,
            tape,
            blocks: BTreeSet::new(),
            operations: 0,
            fault: None,
            capacity: None,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn blocks(&self) -> usize {
        self.state().blocks.len()
    }

    pub(crate) fn content(&self) -> Image {
        self.state().content.clone()
    }

    /// Notes on the tape that the store has said so of all commits up to this one.
    pub(crate) fn acknowledge(&self, commit: u64) {
        self.state().tape.push(Step::Acknowledged(commit));
    }

    /// The disk after a power cut at a moment of its past, and the last commit that was acknowledged then. Of what
    /// was not synced some is there, in whole sectors.
    pub(crate) fn after_power_cut(&self, entropy: &mut Entropy) -> (Self, u64) {
        let state = self.state();
        let until = usize::try_from(entropy.below(state.tape.len() as u64)).unwrap() + 1;
        let past = &state.tape[..until];
        let synced = past.iter().rposition(|step| matches!(step, Step::Synced(_))).unwrap();
        let mut image = Image::default();
        for step in &past[synced..] {
            match step {
                Step::Synced(synced) => image = synced.clone(),
                Step::Length(length) if entropy.below(2) == 0 => image.resize(*length),
                Step::Write(offset, bytes) => image.tear(*offset, bytes, entropy),
                Step::Acknowledged(_) | Step::Length(_) => {}
            }
        }
        let acknowledged = past.iter().rev().find_map(|step| match step {
            Step::Acknowledged(commit) => Some(*commit),
            Step::Length(_) | Step::Synced(_) | Step::Write(..) => None,
        });
        (Self::of(image), acknowledged.unwrap_or(0))
    }

    /// Does an operation, or fails it: `short` is what is done of it when it fails in the middle.
    fn operate<T>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, Error>,
        short: impl FnOnce(&mut State),
    ) -> Result<T, Error> {
        let mut state = self.state();
        state.operations += 1;
        match state.fault {
            Some(Fault { at, lasts, kind }) if (at..at + lasts).contains(&state.operations) => {
                if kind == FaultKind::Short {
                    short(&mut state);
                }
                let code = if kind == FaultKind::Broken { Errno::IO } else { Errno::NOSPC };
                Err(Error::from_raw_os_error(code.raw_os_error()))
            }
            Some(_) | None => work(&mut state),
        }
    }
}

impl State {
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Error> {
        for block in offset / BLOCK..(offset + data.len() as u64).div_ceil(BLOCK) {
            let room = self.blocks.len() < self.capacity.unwrap_or(usize::MAX);
            if !room && !self.blocks.contains(&block) {
                return Err(ErrorKind::StorageFull.into());
            }
            self.blocks.insert(block);
        }
        if !self.content.write(offset, data) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.tape.push(Step::Write(offset, data.to_vec()));
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        self.operate(|state| Ok(state.content.length()), |_| ())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let work = |state: &mut State| {
            if state.content.read(offset, out) { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
        };
        self.operate(work, |_| ())
    }

    fn set_len(&self, length: u64) -> Result<(), Error> {
        let work = |state: &mut State| {
            state.content.resize(length);
            state.blocks.retain(|block| *block < length.div_ceil(BLOCK));
            state.tape.push(Step::Length(length));
            Ok(())
        };
        self.operate(work, |_| ())
    }

    fn sync_data(&self) -> Result<(), Error> {
        let work = |state: &mut State| {
            let synced = state.content.clone();
            state.tape.push(Step::Synced(synced));
            Ok(())
        };
        self.operate(work, |_| ())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let half = |state: &mut State| drop(state.write(offset, &data[..data.len() / 2]));
        self.operate(|state| state.write(offset, data), half)
    }
}
