//! How is the embedded store opened, and how does a batch get into it?

use std::fs;
use std::path::Path;

use fjall::{CompressionType, Database, DatabaseBuilder, PersistMode, Readable};

use super::folder::Folder;
use super::journal;
use super::keyspace::{HEAD_KEY, Keyspaces, Space, Writes, failed};
use super::row::{Head, decode, encode};
use super::store::Options;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around};

/// Opens the embedded store in a folder and checks that nothing is lost of what was `acknowledged`.
pub(super) fn open_database(
    folder: &Folder,
    acknowledged: Option<u64>,
    options: &Options,
) -> Result<(Database, Keyspaces, Head)> {
    folder.check_rows(acknowledged)?;
    let journals = journal::check(&folder.rows(), acknowledged.unwrap_or(0))?;
    let aside = journals.doubtful.map(|path| folder.set_aside(&path)).transpose()?;
    let database = builder(&folder.rows(), options).open().map_err(failed("open"))?;
    let may_lack_keyspaces = acknowledged.is_none() || folder.is_older;
    let spaces = Keyspaces::open(&database, may_lack_keyspaces)?;
    let head = read_head(&database, &spaces, acknowledged.max(journals.last))?;
    if acknowledged.is_none() && head.batch > 1 {
        return Err(Error::data("state: the witness file is missing"));
    }
    if let Some(copy) = aside {
        fs::remove_file(copy).context(Kind::Unavailable, "state: remove copied journal")?;
    }
    Ok((database, spaces, head))
}

/// Reads the head and checks that no batch up to number `expected` is lost; `None` in a new state.
fn read_head(database: &Database, spaces: &Keyspaces, expected: Option<u64>) -> Result<Head> {
    let row =
        database.snapshot().get(&spaces[Space::Meta], HEAD_KEY).map_err(failed("read head"))?;
    let head = row.map(|row| decode::<Head>("meta", &row)).transpose()?.unwrap_or_default();
    match expected {
        Some(expected) if head.batch < expected => Err(Error::data(format!(
            "state: batch {expected} was acknowledged, but the last one found is {}",
            head.batch
        ))),
        _ => Ok(head),
    }
}

/// The embedded store in a folder, as it is to be opened.
pub(super) fn builder(rows: &Path, options: &Options) -> DatabaseBuilder<Database> {
    Database::builder(rows)
        .cache_size(options.cache_bytes)
        .max_journaling_size(options.journal_bytes.max(64 << 20))
        // Compressed values would have to be unpacked to tell whether a journal is whole.
        .journal_compression(CompressionType::None)
        .manual_journal_persist(true)
        .worker_threads(2)
}

pub(super) fn poisoned() -> Error {
    Error::data("state: an earlier write failed; open the state anew")
}

pub(super) fn write(
    database: &Database,
    spaces: &Keyspaces,
    writes: Writes,
    head: &Head,
) -> Result<()> {
    let rows = writes.into_rows();
    let mut batch = fjall::OwnedWriteBatch::with_capacity(database.clone(), rows.len() + 1)
        .durability(Some(PersistMode::SyncAll));
    for (space, key, value) in rows {
        match value {
            Some(value) => batch.insert(&spaces[space], key, value),
            None => batch.remove(&spaces[space], key),
        }
    }
    batch.insert(&spaces[Space::Meta], HEAD_KEY, encode(head)?);
    // Whatever the cause, a caller must not try again: what reached the disk is unknown.
    around(Step::StateBatch, || batch.commit())
        .map_err(|error| Error::data("state: write batch").caused_by(error))
}
