//! What did each commit do to the table, and did mine take place?
//!
//! Entry `N` of the log is `_delta_log/N.json`, put with create-only, so of two writers of one
//! version exactly one wins. Every 20 entries a checkpoint sums up the ones before.
//!
//! When a put fails, the entry may stand nevertheless: the answer may have been lost, or the
//! store's client may have tried twice. So the entry is read back, and its id says whose it is.
//! Nothing is ever put again under a new version without knowing.

mod action;
mod checkpoint;
mod snapshot;

pub(super) use action::{Add, DeletionVector, Format, Line, MetaData, Protocol, Remove, Txn, id};
pub(super) use snapshot::{RETENTION_DAYS, Snapshot};

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};

use super::store::store_error;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around_async};

/// How many entries there are from one checkpoint to the next.
pub(super) const CHECKPOINT_INTERVAL: u64 = 20;

/// The folder of the log, below the table's.
pub(super) const LOG_FOLDER: &str = "_delta_log";

/// The log of one table.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) store: Arc<dyn ObjectStore>,
    folder: Path,
}

/// The files of a log that are of use.
#[derive(Debug, Default)]
struct Listing {
    /// Versions, ascending.
    entries: Vec<u64>,
    /// The latest checkpoint: version and bytes.
    checkpoint: Option<(u64, u64)>,
}

impl Log {
    pub(super) fn new(store: Arc<dyn ObjectStore>, table: &Path) -> Self {
        Self { store, folder: table.clone().join(LOG_FOLDER) }
    }

    fn entry(&self, version: u64) -> Path {
        self.folder.clone().join(format!("{version:020}.json"))
    }

    /// Reads the table's present state; `None` where there is no table.
    pub(super) async fn load(&self) -> Result<Option<Snapshot>> {
        self.load_at(u64::MAX).await
    }

    /// Reads the table's state at a version, or the latest before; `None` where there is no table.
    ///
    /// **Errors:** `Data` where entries are missing.
    pub(super) async fn load_at(&self, version: u64) -> Result<Option<Snapshot>> {
        let hint = self.hint().await?.filter(|hint| *hint <= version);
        let mut listing = self.list(hint, version).await?;
        if hint.is_some() && listing.checkpoint.is_none() {
            listing = self.list(None, version).await?;
        }
        let mut table = Snapshot::default();
        if let Some((version, bytes)) = listing.checkpoint {
            table.advance(version, checkpoint::read(self, version, bytes).await?);
            table.checkpoint = Some(version);
        }
        if listing.checkpoint.is_none() && listing.entries.is_empty() {
            return Ok(None);
        }
        let first = table.checkpoint.map_or(0, |version| version + 1);
        let entries = listing.entries.into_iter().filter(|version| *version >= first);
        for (next, version) in (first..).zip(entries) {
            let missing = || Error::data(format!("log entry {next} is missing"));
            if version != next {
                return Err(missing());
            }
            table.advance(version, self.read(version).await?.ok_or_else(missing)?);
        }
        Ok(Some(table))
    }

    /// The version that `_last_checkpoint` names. It only saves listing from the start, so a broken
    /// one is passed over.
    async fn hint(&self) -> Result<Option<u64>> {
        let Some(bytes) = self.fetch(&self.folder.clone().join("_last_checkpoint")).await? else {
            return Ok(None);
        };
        let hint: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(hint["version"].as_u64())
    }

    /// The files of versions up to one; those before `from` need not be among them.
    async fn list(&self, from: Option<u64>, up_to: u64) -> Result<Listing> {
        // The name of a checkpoint comes after its bare version in the order of names.
        let from = from.map(|version| self.folder.clone().join(format!("{version:020}")));
        let mut files = match &from {
            Some(offset) => self.store.list_with_offset(Some(&self.folder), offset),
            None => self.store.list(Some(&self.folder)),
        };
        let mut listing = Listing::default();
        while let Some(file) = files.try_next().await.map_err(|e| store_error("list log", e))? {
            let name = file.location.filename().unwrap_or_default();
            let Some((version, suffix)) = name.split_once('.') else { continue };
            let Ok(version) = version.parse::<u64>() else { continue };
            if version > up_to {
                continue;
            }
            match suffix {
                "json" => listing.entries.push(version),
                "checkpoint.parquet" => {
                    listing.checkpoint = listing.checkpoint.max(Some((version, file.size)));
                }
                _ => {}
            }
        }
        listing.entries.sort_unstable();
        Ok(listing)
    }

    /// Reads one entry; `None` where it is not there.
    pub(super) async fn read(&self, version: u64) -> Result<Option<Vec<Line>>> {
        match self.fetch(&self.entry(version)).await? {
            Some(bytes) => action::decode(&bytes)
                .map(Some)
                .map_err(|error| error.context(format!("read log entry {version}"))),
            None => Ok(None),
        }
    }

    async fn fetch(&self, path: &Path) -> Result<Option<bytes::Bytes>> {
        let read = async { self.store.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error("read log", error)),
        }
    }

    /// Puts the entry of a version, and returns it as it stands in the log.
    ///
    /// `attempts` are the ids that this writer gave to its tries of this version, the last of which
    /// is that of `lines`: the entry of an earlier try whose answer was lost is as good.
    ///
    /// **Errors:** `Fenced` where another writer's entry stands there; `Unavailable` where it is
    /// not known, or nothing stands there: try again with a further id.
    pub(super) async fn commit(
        &self,
        version: u64,
        lines: Vec<Line>,
        attempts: &[String],
    ) -> Result<Vec<Line>> {
        let bytes = action::encode(&lines)?;
        let path = self.entry(version);
        let put = self.store.put_opts(&path, bytes.into(), PutMode::Create.into());
        let Err(failure) = around_async(Step::LogEntry, put).await else { return Ok(lines) };
        match self.settle(version, attempts).await? {
            Some(found) => Ok(found),
            None => Err(store_error(format!("put log entry {version}"), failure)),
        }
    }

    /// Reads whether one of `attempts` stands as an entry; `None` where nothing stands there.
    ///
    /// **Errors:** `Fenced` where another writer's entry stands there.
    pub(super) async fn settle(
        &self,
        version: u64,
        attempts: &[String],
    ) -> Result<Option<Vec<Line>>> {
        let Some(found) = self.read(version).await? else { return Ok(None) };
        if action::id(&found).is_some_and(|id| attempts.iter().any(|attempt| attempt == id)) {
            return Ok(Some(found));
        }
        Err(Error::fenced(format!(
            "log entry {version} is another writer's: two jobs publish here, and this one stops"
        )))
    }

    /// Writes a checkpoint of `table`, then says where it is.
    pub(super) async fn checkpoint(&self, table: &Snapshot) -> Result<()> {
        let (bytes, actions) = checkpoint::encode(table)?;
        let size = bytes.len();
        let path = self.folder.clone().join(format!("{:020}.checkpoint.parquet", table.version));
        let put = around_async(Step::Checkpoint, self.store.put(&path, bytes.into())).await;
        put.map_err(|error| store_error("put checkpoint", error))?;
        let hint = serde_json::json!({
            "version": table.version,
            "size": actions,
            "sizeInBytes": size,
            "numOfAddFiles": table.files.len(),
        });
        let bytes = serde_json::to_vec(&hint).context(Kind::Internal, "encode _last_checkpoint")?;
        let path = self.folder.clone().join("_last_checkpoint");
        let put = around_async(Step::CheckpointHint, self.store.put(&path, bytes.into())).await;
        put.map_err(|error| store_error("put _last_checkpoint", error))?;
        Ok(())
    }
}
