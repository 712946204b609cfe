//! The layout of the file.
//!
//! One table per kind of record: [`RecordId::sort_key`] to eight bytes of version, little end first, and the bytes
//! of [`record::encode`]. What is longer than `LONG` has its bytes in the table `long`, and in its own only the version, with a mark:
//! redb writes a page anew for each record that comes into it, and reads it for each that is looked for there, so that a long one would
//! be paid for with every short one beside it. The table `meta` holds the schema's number; a number that this release does not know is
//! refused before anything is touched. A kind that is new adds a table and leaves the others as they are, so it is no new
//! schema.

use orch_core::ProjectId;
use orch_core::ports::store::{Scan, ScanOrder, StoreError, StoreErrorKind, Versioned};
use orch_core::record::{self, RecordId, RecordKind};
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable, Table, TableDefinition, TableError,
    TableHandle as _, WriteTransaction,
};

use crate::failure::Failure;

const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
const SCHEMA: &str = "schema";
/// Since 2 records have format 2, and long ones a table.
const CURRENT: u64 = 2;

/// Longer bytes than these have another place.
const LONG: usize = 16 * 1024;
/// Of a version: the bytes are there.
const ELSEWHERE: u64 = 1 << 63;
const LONG_TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("long");

/// A table open for writing.
pub(crate) type Records<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

/// Bytes of the version before a record.
const VERSION: usize = size_of::<u64>();

/// Begins a transaction whose commit survives a crash of the machine.
///
/// Two-phase, which redb's past recovery faults (fixed in 4.2 and 4.3) never touched. Quick-repair, because a store
/// that was killed then opens at once, and a failed one is opened anew while its readers wait. Measured with 400-byte
/// records (2 cores, in memory): a killed file of 1 GiB opens in 0.3 ms instead of 1.6 s (`tests/disk/size.rs`). Lone
/// commits fall from 3300 to 2400 a second (350 bytes, virtual disk), those of 128 callers stay at about 45,000.
pub(crate) fn begin_write(database: &Database) -> Result<WriteTransaction, Failure> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// Makes the tables of a file that is new, or that an older release wrote, and refuses a file that a newer release wrote.
pub(crate) fn prepare(database: &Database) -> Result<(), Failure> {
    let present = database.begin_read()?;
    match schema(&present)? {
        Some(CURRENT) if has_all(&present)? => Ok(()),
        Some(..=CURRENT) | None => make(database),
        Some(newer) => Err(Failure::Answer(StoreError::new(
            StoreErrorKind::Corrupt,
            format!(
                "a newer mcp-orch wrote it (schema {newer}, this release knows {CURRENT}): use that release"
            ),
        ))),
    }
}

fn make(database: &Database) -> Result<(), Failure> {
    let transaction = begin_write(database)?;
    transaction.open_table(META)?.insert(SCHEMA, CURRENT)?;
    for kind in RecordKind::ALL {
        open(&transaction, kind)?;
    }
    transaction.open_table(LONG_TABLE)?;
    Ok(transaction.commit()?)
}

fn has_all(transaction: &ReadTransaction) -> Result<bool, Failure> {
    for table in RecordKind::ALL.map(table).into_iter().chain([LONG_TABLE]) {
        match transaction.open_table(table) {
            Ok(_) => {}
            Err(TableError::TableDoesNotExist(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn schema(transaction: &ReadTransaction) -> Result<Option<u64>, Failure> {
    match transaction.open_table(META) {
        Ok(meta) => Ok(meta.get(SCHEMA)?.map(|it| it.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The table of a kind, for writing.
pub(crate) fn open(transaction: &WriteTransaction, kind: RecordKind) -> Result<Records<'_>, Failure> {
    Ok(transaction.open_table(table(kind))?)
}

/// Puts a record in its place: a version, and its bytes.
pub(crate) fn put(
    transaction: &WriteTransaction,
    (kind, key): (RecordKind, &[u8]),
    version: u64,
    stored: &mut [u8],
) -> Result<(), Failure> {
    let is_long = stored.len() > LONG;
    if is_long {
        let bytes = stored.get(VERSION..).unwrap_or_default();
        transaction.open_table(LONG_TABLE)?.insert(long_key(kind, key).as_slice(), bytes)?;
    }
    let mark = if is_long { version | ELSEWHERE } else { version };
    if let Some(place) = stored.first_chunk_mut() {
        *place = mark.to_le_bytes();
    }
    let stored = if is_long { stored.get(..VERSION).unwrap_or_default() } else { stored };
    let was_long =
        open(transaction, kind)?.insert(key, stored)?.is_some_and(|before| is_elsewhere(before.value()));
    if was_long && !is_long {
        transaction.open_table(LONG_TABLE)?.remove(long_key(kind, key).as_slice())?;
    }
    Ok(())
}

/// Removes a record, if it is there.
pub(crate) fn remove(transaction: &WriteTransaction, kind: RecordKind, key: &[u8]) -> Result<(), Failure> {
    let was_long = open(transaction, kind)?.remove(key)?.is_some_and(|before| is_elsewhere(before.value()));
    if was_long {
        transaction.open_table(LONG_TABLE)?.remove(long_key(kind, key).as_slice())?;
    }
    Ok(())
}

/// The record with this id.
pub(crate) fn read(database: &Database, id: &RecordId) -> Result<Option<Versioned>, Failure> {
    let (kind, key, transaction) = (id.kind(), id.sort_key(), database.begin_read()?);
    let (records, long) = (transaction.open_table(table(kind))?, transaction.open_table(LONG_TABLE)?);
    records.get(key.as_slice())?.map(|stored| decode((kind, &key), stored.value(), &long)).transpose()
}

/// All records of a kind in a project, by id.
pub(crate) fn list(
    database: &Database,
    kind: RecordKind,
    project: ProjectId,
) -> Result<Vec<Versioned>, Failure> {
    let prefix: &[u8] = if kind == RecordKind::Project { &[] } else { project.0.as_bytes() };
    let transaction = database.begin_read()?;
    let (records, long) = (transaction.open_table(table(kind))?, transaction.open_table(LONG_TABLE)?);
    let mut found = Vec::new();
    for entry in records.range(prefix..)? {
        let (key, stored) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        found.push(decode((kind, key.value()), stored.value(), &long)?);
    }
    Ok(found)
}

/// The records in a range.
pub(crate) fn scan(database: &Database, scan: &Scan) -> Result<Vec<Versioned>, Failure> {
    let Some((from, before)) = scan.keys() else { return Ok(Vec::new()) };
    let kind = scan.from.kind();
    let transaction = database.begin_read()?;
    let (records, long) = (transaction.open_table(table(kind))?, transaction.open_table(LONG_TABLE)?);
    let mut range = records.range(from.as_slice()..before.as_slice())?;
    let mut found = Vec::new();
    while found.len() < scan.limit {
        let next = match scan.order {
            ScanOrder::Ascending => range.next(),
            ScanOrder::Descending => range.next_back(),
        };
        let Some(entry) = next else { break };
        let (key, stored) = entry?;
        found.push(decode((kind, key.value()), stored.value(), &long)?);
    }
    Ok(found)
}

/// The version of the record under `key`.
pub(crate) fn version(records: &Records<'_>, kind: RecordKind, key: &[u8]) -> Result<Option<u64>, Failure> {
    records
        .get(key)?
        .map(|stored| split(kind, stored.value()).map(|(version, _)| version & !ELSEWHERE))
        .transpose()
}

fn decode(
    (kind, key): (RecordKind, &[u8]),
    stored: &[u8],
    long: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<Versioned, Failure> {
    let (version, bytes) = split(kind, stored)?;
    let read = |bytes: &[u8]| record::decode(bytes).map_err(|error| damaged(kind, &error.to_string()));
    let record = if is_elsewhere(stored) {
        let bytes = long.get(long_key(kind, key).as_slice())?;
        read(bytes.ok_or_else(|| damaged(kind, "its bytes are not there"))?.value())?
    } else {
        read(bytes)?
    };
    Ok(Versioned { version: version & !ELSEWHERE, record })
}

/// Under which key the bytes of a long record are: those of a kind together, in the order of their own keys.
fn long_key(kind: RecordKind, key: &[u8]) -> Vec<u8> {
    [table(kind).name().as_bytes(), &[0], key].concat()
}

fn is_elsewhere(stored: &[u8]) -> bool {
    stored.first_chunk().is_some_and(|mark| u64::from_le_bytes(*mark) & ELSEWHERE != 0)
}

fn split(kind: RecordKind, stored: &[u8]) -> Result<(u64, &[u8]), Failure> {
    let (version, bytes) =
        stored.split_first_chunk().ok_or_else(|| damaged(kind, "the version is cut off"))?;
    Ok((u64::from_le_bytes(*version), bytes))
}

fn damaged(kind: RecordKind, what: &str) -> Failure {
    Failure::Answer(StoreError::new(StoreErrorKind::Corrupt, format!("a record of kind {kind:?}: {what}")))
}

fn table(kind: RecordKind) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(match kind {
        RecordKind::Project => "projects",
        RecordKind::Server => "servers",
        RecordKind::Key => "keys",
        RecordKind::Definitions => "definitions",
        RecordKind::Session => "sessions",
        RecordKind::Wishes => "wishes",
        RecordKind::Owed => "owed",
        RecordKind::Log => "logs",
        RecordKind::Lease => "leases",
        RecordKind::Calls => "calls",
        RecordKind::Run => "runs",
        RecordKind::RunCall => "run_calls",
        RecordKind::Task => "tasks",
        RecordKind::RunStep => "run_steps",
    })
}
