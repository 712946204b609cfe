//! The store's file: private to its owner, and under its name only when it is a store.
//!
//! A file that a crash has left half made would be taken for something else ever after. So a new one is a draft
//! beside its place until its tables are durable.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::DatabaseError;

/// A draft that becomes the store.
pub(crate) struct Draft {
    from: PathBuf,
    to: PathBuf,
}

/// Opens the file at `path` for reading and writing; when it is not there, an empty draft of it.
pub(crate) fn open(path: &Path) -> Result<(File, Option<Draft>), DatabaseError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    if let Some(file) = existing(&options, path)? {
        return Ok((file, None));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let draft = Draft { from: name.into(), to: path.to_owned() };
    let file = options.create(true).truncate(false).open(&draft.from)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(DatabaseError::DatabaseAlreadyOpen),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    // Whoever had the lock before may have finished.
    if let Some(made) = existing(options.create(false), path)? {
        fs::remove_file(&draft.from)?;
        return Ok((made, None));
    }
    // What is in it was left by a crash.
    file.set_len(0)?;
    Ok((file, Some(draft)))
}

fn existing(options: &OpenOptions, path: &Path) -> io::Result<Option<File>> {
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

impl Draft {
    /// Gives the draft its name, and makes that survive a power cut.
    pub(crate) fn publish(self) -> Result<(), DatabaseError> {
        fs::rename(&self.from, &self.to)?;
        let directory = self.to.parent().filter(|it| !it.as_os_str().is_empty());
        Ok(File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()?)
    }
}
