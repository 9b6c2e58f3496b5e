//! Which files does no version of a table need any more?
//!
//! A version is kept that was the present one within the retention. What none of those refers to goes:
//! data files and masks that were replaced, and what commits left that never came to be. Of the log,
//! what comes before the last checkpoint that the oldest kept version can be read from.
//!
//! - When a version came is what the store says of its entry: the entries themselves hold event
//!   times. **Bounds:** the clock of whoever vacuums may differ from the store's by far less than a day.
//! - Whose commit is under way is not known, so beside a writer nothing is touched that is younger
//!   than a day. A caller that has taken the table ([`Table::fence`]) and writes nothing meanwhile may
//!   keep the present version alone: no older writer can put an entry any more, a later one has none
//!   of the files that were listed before it came.
//! - A vacuum that is cut short leaves every kept version whole; the next one goes on. The log goes
//!   first, so that no version is on offer whose files are gone.
//!
//! Files come into the table by the entry that follows the one they were begun after. So which kept
//! versions refer to a file older than the retention is known from few of them: the oldest, the one
//! after it, the present one, and those that put the table back ([`Table::restore`]).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::live::data_path;
use super::log::{LOG_FOLDER, Snapshot};
use super::mask;
use super::store::store_error;
use super::table::{RESTORED_SUFFIX, Table};
use crate::error::{Error, Result};

/// What is younger than this may belong to a commit that is under way.
pub const UNDER_WAY: Duration = Duration::from_hours(24);

/// How a table is vacuumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacuum {
    /// Milliseconds since 1970, by the wall clock.
    pub now_ms: i64,
    /// How long a version is kept that is no longer the present one.
    pub retention: Duration,
    /// Who else is there.
    pub writers: Writers,
    /// Whether anything is deleted.
    pub act: VacuumAct,
}

/// Who writes to a table while it is vacuumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writers {
    /// Somebody may; the retention is a day at least.
    Others,
    /// Nobody: the table was taken by the caller.
    Nobody,
}

/// Whether a vacuum deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VacuumAct {
    /// It does.
    Delete,
    /// It only counts.
    Count,
}

/// What a vacuum deleted, or would delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Data files and files of masks.
    pub files: u64,
    /// Entries and checkpoints of the log.
    pub log_files: u64,
    /// The bytes of both.
    pub bytes: u64,
    /// The oldest version that can be read then.
    pub oldest: u64,
}

/// The files of a table.
#[derive(Debug, Default)]
struct Listing {
    /// Data files and files of masks.
    data: Vec<ObjectMeta>,
    /// Files of the log, by version.
    log: Vec<(u64, ObjectMeta)>,
}

impl Table {
    /// Deletes what no kept version needs.
    ///
    /// **Errors:** `Fenced` where another writer has the table; `Invalid` for too short a retention
    /// beside other writers; `Unavailable` where the store is away, or where it is not known yet what
    /// became of a commit: the same call may be made again.
    pub async fn vacuum(&mut self, vacuum: &Vacuum) -> Result<Vacuumed> {
        let vacuumed = match self.check_vacuum(vacuum) {
            Ok(()) => self.vacuum_checked(vacuum).await,
            Err(error) => Err(error),
        };
        vacuumed.map_err(|error| error.context(format!("vacuum table {}", self.spec.name)))
    }

    fn check_vacuum(&self, vacuum: &Vacuum) -> Result<()> {
        match vacuum.writers {
            _ if vacuum.act == VacuumAct::Count => Ok(()),
            Writers::Others if vacuum.retention < UNDER_WAY => {
                Err(Error::invalid("beside a job that may write, the retention is 1d at least"))
            }
            Writers::Nobody if !self.is_taken() => {
                Err(Error::internal("the table was not taken for this writer"))
            }
            _ => Ok(()),
        }
    }

    async fn vacuum_checked(&mut self, vacuum: &Vacuum) -> Result<Vacuumed> {
        let is_alone = vacuum.writers == Writers::Nobody;
        if is_alone {
            self.settle().await?;
            if self.is_unsettled() {
                return Err(Error::unavailable("it is not known what became of the last commit"));
            }
            if vacuum.retention.is_zero() && vacuum.act == VacuumAct::Delete {
                self.checkpoint_of_nothing_else().await?;
            }
        }
        let until = until(vacuum);
        let listing = self.listing(until).await?;
        let present = if is_alone {
            // Whoever took the table since has written nothing before that.
            if self.log.read(self.version() + 1).await?.is_some() {
                return Err(Error::fenced("another writer took the table"));
            }
            self.snapshot.clone()
        } else {
            let gone = || Error::data("the table is gone");
            self.log.load().await?.ok_or_else(gone)?
        };
        let oldest = listing.oldest(present.version, until);
        let needed = self.needed(present, oldest).await?;
        let data = listing.data.iter();
        let data: Vec<&ObjectMeta> = data.filter(|file| !needed.contains(&file.location)).collect();
        let log = listing.log_before(if until.is_none() { oldest } else { listing.start(oldest) });
        let bytes = data.iter().chain(&log).map(|file| file.size).sum();
        let (files, log_files) = (data.len() as u64, log.len() as u64);
        if vacuum.act == VacuumAct::Delete {
            delete(&self.store, &log).await?;
            delete(&self.store, &data).await?;
        }
        Ok(Vacuumed { files, log_files, bytes, oldest })
    }

    /// Makes the present version readable from its checkpoint alone.
    async fn checkpoint_of_nothing_else(&mut self) -> Result<()> {
        // Tombstones keep another tool's vacuum from files that are gone after this one.
        self.snapshot.removed.clear();
        self.log.checkpoint(&self.snapshot).await?;
        self.snapshot.checkpoint = Some(self.snapshot.version);
        Ok(())
    }

    /// What lies there, but for data that is too young to go.
    async fn listing(&self, until: Option<i64>) -> Result<Listing> {
        let mut listing = Listing::default();
        let folder = Some(&self.folder).filter(|folder| !folder.as_ref().is_empty());
        let mut files = self.store.list(folder);
        while let Some(file) = files.try_next().await.map_err(|e| store_error("list files", e))? {
            let Some(parts) = file.location.prefix_match(&self.folder) else { continue };
            let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
            let Some((name, folders)) = parts.split_last() else { continue };
            if folders.first().is_some_and(|first| first == LOG_FOLDER) {
                let version = name.get(..20).filter(|_| name[20..].starts_with('.'));
                let version = version.and_then(|version| version.parse().ok());
                listing.log.extend(version.map(|version| (version, file)));
                continue;
            }
            let is_hidden = folders.iter().any(|folder| folder.starts_with(['_', '.']));
            let is_mask = name.starts_with("deletion_vector_") && name.ends_with(".bin");
            let is_data = is_mask || !is_hidden && name.ends_with(".parquet");
            if is_data && until.is_none_or(|until| modified(&file) <= until) {
                listing.data.push(file);
            }
        }
        Ok(listing)
    }

    /// The files, older than the retention, that kept versions refer to.
    async fn needed(&self, present: Snapshot, oldest: u64) -> Result<BTreeSet<Path>> {
        let mut versions = BTreeSet::from([oldest, present.version.min(oldest + 1)]);
        let mut restored = last_restore(&present);
        let mut needed = BTreeSet::new();
        while restored > oldest {
            versions.insert(restored);
            let before = self.log.load_at(restored - 1).await?;
            restored = before.as_ref().map_or(0, last_restore).min(restored - 1);
        }
        versions.remove(&present.version);
        self.add_files(&present, &mut needed)?;
        for version in versions {
            let gone = || Error::data(format!("version {version} cannot be read"));
            let snapshot = self.log.load_at(version).await?.ok_or_else(gone)?;
            self.add_files(&snapshot, &mut needed)?;
        }
        Ok(needed)
    }

    fn add_files(&self, snapshot: &Snapshot, needed: &mut BTreeSet<Path>) -> Result<()> {
        for add in snapshot.files.values() {
            needed.insert(data_path(&self.folder, add)?);
            if let Some(vector) = &add.deletion_vector {
                needed.extend(mask::path(&self.folder, vector)?);
            }
        }
        Ok(())
    }
}

/// When what is still kept came at the earliest, in milliseconds since 1970; `None` where only the
/// present version is.
fn until(vacuum: &Vacuum) -> Option<i64> {
    let retention = i64::try_from(vacuum.retention.as_millis()).unwrap_or(i64::MAX);
    (retention > 0).then(|| vacuum.now_ms.saturating_sub(retention))
}

fn modified(file: &ObjectMeta) -> i64 {
    file.last_modified.timestamp_millis()
}

/// The version that last put the table back; 0 where none did.
fn last_restore(snapshot: &Snapshot) -> u64 {
    let restores = snapshot.txns.iter().filter(|(app, _)| app.ends_with(RESTORED_SUFFIX));
    restores.filter_map(|(_, version)| u64::try_from(*version).ok()).max().unwrap_or(0)
}

impl Listing {
    fn versions(&self, suffix: &str) -> BTreeSet<u64> {
        let files = self.log.iter();
        let files = files
            .filter(|(_, file)| file.location.filename().is_some_and(|name| &name[20..] == suffix));
        files.map(|(version, _)| *version).collect()
    }

    /// The oldest version that is kept: the last that came before `until`, where it can be read.
    fn oldest(&self, present: u64, until: Option<i64>) -> u64 {
        let Some(until) = until else { return present };
        let entries = self.versions(".json");
        let in_a_row = (0..=present).rev().take_while(|version| entries.contains(version));
        let first = in_a_row.last().unwrap_or(present + 1);
        let checkpoints = self.versions(".checkpoint.parquet");
        let start = checkpoints.range(first.saturating_sub(1)..=present).next().copied();
        let readable = if first == 0 { 0 } else { start.unwrap_or(present) };
        let came_before = self.log.iter().filter(|(version, file)| {
            let name = file.location.filename().unwrap_or_default();
            name.ends_with(".json") && modified(file) <= until && *version <= present
        });
        came_before.map(|(version, _)| *version).max().unwrap_or(0).max(readable)
    }

    /// The checkpoint that a version is read from; 0 where it is read from the first entry.
    fn start(&self, version: u64) -> u64 {
        self.versions(".checkpoint.parquet").range(..=version).next_back().copied().unwrap_or(0)
    }

    /// The files of the log of earlier versions.
    fn log_before(&self, version: u64) -> Vec<&ObjectMeta> {
        self.log.iter().filter(|(of, _)| *of < version).map(|(_, file)| file).collect()
    }
}

async fn delete(store: &Arc<dyn ObjectStore>, files: &[&ObjectMeta]) -> Result<()> {
    let paths: Vec<_> = files.iter().map(|file| Ok(file.location.clone())).collect();
    let mut deleted = store.delete_stream(stream::iter(paths).boxed());
    while let Some(answer) = deleted.next().await {
        match answer {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(store_error("delete a file", error)),
        }
    }
    Ok(())
}

/// When the tables in a folder were last vacuumed, in milliseconds since 1970 by the store's clock;
/// `None` before the first time.
pub async fn last_vacuum(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<Option<i64>> {
    match store.head(&note(root)).await {
        Ok(note) => Ok(Some(modified(&note))),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_error("find the note of the last vacuum", error)),
    }
}

/// Notes that the tables in a folder were vacuumed just now.
pub async fn note_vacuum(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<()> {
    let put = store.put(&note(root), "{}\n".into()).await;
    put.map(|_| ()).map_err(|error| store_error("note the vacuum", error))
}

fn note(root: &Path) -> Path {
    root.clone().join("_onefold").join("vacuum.json")
}

#[cfg(test)]
mod tests;
