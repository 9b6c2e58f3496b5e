//! One table: open it, publish commits to it, read it.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::json;

use super::definition::{self, Standing};
use super::layout::Limits;
use super::log::{self, Add, CHECKPOINT_INTERVAL, Line, Log, Remove, Snapshot, Txn};
use super::spec::TableSpec;
use crate::error::{Error, Kind, Result};
use crate::telemetry::CheckpointNotWritten;

/// What the application is called whose transaction number is the epoch of an application's writers.
const EPOCH_SUFFIX: &str = "/epoch";
/// And that whose number is the version that last put the table back: files of earlier versions are
/// part of it again.
pub(super) const RESTORED_SUFFIX: &str = "/restored";

/// Which commit of the state is published.
///
/// The rows of one commit are the same at every try, so whichever try reaches the log is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Who publishes: one name a pipeline.
    pub app: String,
    /// The commit's number; rises.
    pub commit: u64,
    /// The writer's epoch; rises with each start of a writer.
    pub epoch: u64,
    /// The commit's own time in milliseconds since 1970, from its events, since the wall clock has
    /// no say here.
    pub time_ms: i64,
}

/// What publishing a commit wrote; all 0 where there was nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows in new files, in a table whose rows are replaced also those that were carried over from
    /// replaced files.
    pub rows: u64,
    /// Rows of earlier commits that were only put together, in a table that only grows.
    pub compacted: u64,
    /// New data files.
    pub files: u64,
    /// Their bytes, and those of the file of masks.
    pub bytes: u64,
}

/// A published table, as of one version.
#[derive(Debug)]
pub struct Table {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) folder: Path,
    pub(super) spec: &'static TableSpec,
    pub(super) snapshot: Snapshot,
    pub(super) log: Log,
    /// The ids of this writer's tries of the next version whose outcome is not known.
    attempts: Vec<String>,
    /// How many tries there were.
    tries: u64,
    /// The last entry that it knows of is its own.
    is_own: bool,
    pub(super) limits: Limits,
}

/// What an entry does to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Takes it for a writer.
    Fence,
    /// Adds rows, and puts files of earlier ones together.
    Append,
    /// Puts rows in the place of others.
    Upsert,
    /// Takes rows out for good.
    Erase,
    /// Puts it back to an earlier version.
    Restore,
}

impl Operation {
    /// The name in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Fence => "FENCE",
            Self::Append => "WRITE",
            Self::Upsert => "MERGE",
            Self::Erase => "ERASE",
            Self::Restore => "RESTORE",
        }
    }

    /// Whether the rows of the files that it takes out are not all in those that it adds: who
    /// follows the table's changes must look at both.
    fn changes_what_it_removes(self) -> bool {
        self != Self::Append
    }
}

/// One try of publishing a commit: what its files and its entry are named after.
#[derive(Debug)]
pub(super) struct Attempt {
    id: String,
    files: u64,
    pub(super) commit: CommitInfo,
}

impl Attempt {
    /// An id in the form of a UUID.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The name of the next data file.
    pub(super) fn file_name(&mut self) -> String {
        self.files += 1;
        format!("part-{:05}-{}.parquet", self.files - 1, self.id)
    }
}

impl Table {
    /// Opens the table of `spec` in folder `root`, creating it where there is none.
    ///
    /// **Errors:** `Data` where what is there is another table or not readable; `Unavailable` where
    /// the store is away.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        root: &Path,
        spec: &'static TableSpec,
    ) -> Result<Self> {
        if let Some(table) = Self::open_existing(store.clone(), root, spec).await? {
            return table.brought_up().await;
        }
        let folder = root.clone().join(spec.name);
        let log = Log::new(store.clone(), &folder);
        let id = hash_id(&[folder.as_ref(), spec.name, "create"]);
        let lines =
            definition::creation(spec, &id, hash_id(&[folder.as_ref(), spec.name, "table"]))?;
        match log.commit(0, lines, &[id]).await {
            // Another process may create the same table at the same time; either's creation will
            // do.
            Ok(_) => {}
            Err(error) if error.kind() == Kind::Fenced => {}
            Err(error) => return Err(error.context(format!("create table {}", spec.name))),
        }
        let table = Self::open_existing(store, root, spec).await?;
        table.ok_or_else(|| Error::data(format!("table {} is not there once made", spec.name)))
    }

    /// Makes a table of an earlier version of the program what this one would create.
    async fn brought_up(mut self) -> Result<Self> {
        while definition::check(self.spec, &self.snapshot)? == Standing::Earlier {
            let version = self.snapshot.version + 1;
            let number = version.to_string();
            let id = hash_id(&[self.folder.as_ref(), self.spec.name, "upgrade", &number]);
            let lines = definition::addition(self.spec, &self.snapshot, &id)?;
            match self.log.commit(version, lines, &[id]).await {
                Ok(lines) => self.snapshot.advance(version, lines),
                // A writer that is still alive has put an entry in between.
                Err(error) if error.kind() == Kind::Fenced => {
                    let lines = self.log.read(version).await?;
                    self.snapshot.advance(version, lines.unwrap_or_default());
                }
                Err(error) => {
                    return Err(error.context(format!("upgrade table {}", self.spec.name)));
                }
            }
        }
        Ok(self)
    }

    /// Opens the table of `spec` in folder `root`; `None` where there is none. Writes nothing.
    ///
    /// **Errors:** as of [`Table::open`].
    pub async fn open_existing(
        store: Arc<dyn ObjectStore>,
        root: &Path,
        spec: &'static TableSpec,
    ) -> Result<Option<Self>> {
        let folder = root.clone().join(spec.name);
        let log = Log::new(store.clone(), &folder);
        let act = || format!("open table {}", spec.name);
        let snapshot = log.load().await.map_err(|error| error.context(act()))?;
        let Some(snapshot) = snapshot else { return Ok(None) };
        definition::check(spec, &snapshot).map_err(|error| error.context(act()))?;
        let attempts = Vec::new();
        let (tries, is_own) = (0, false);
        let limits = Limits::default();
        Ok(Some(Self { store, folder, spec, snapshot, log, attempts, tries, is_own, limits }))
    }

    /// The same table, laid out otherwise from here on: for tests and measurements.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The latest version of the table.
    pub fn version(&self) -> u64 {
        self.snapshot.version
    }

    /// The latest commit of `app` that the table has.
    pub fn txn(&self, app: &str) -> Option<u64> {
        self.snapshot.txns.get(app).and_then(|version| u64::try_from(*version).ok())
    }

    /// The epoch of the latest writer of `app`; `None` before the first.
    pub fn epoch(&self, app: &str) -> Option<u64> {
        self.txn(&epoch_of(app))
    }

    /// Whether its last entry is this writer's own: no older writer can put another.
    pub(super) fn is_taken(&self) -> bool {
        self.is_own
    }

    /// Whether it is not known what became of some try.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// Another pipeline that publishes to this table, where there is one.
    pub fn other_writer(&self, app: &str) -> Option<&str> {
        let writers = self.snapshot.txns.keys().filter_map(|id| id.strip_suffix(EPOCH_SUFFIX));
        writers.into_iter().find(|writer| *writer != app)
    }

    /// The latest commit of `app` that the table has, once it is known what became of tries whose
    /// answer was lost; 0 before the first.
    pub async fn published(&mut self, app: &str) -> Result<u64> {
        self.settle().await?;
        Ok(self.txn(app).unwrap_or(0))
    }

    /// How many rows the table has.
    pub fn rows(&self) -> u64 {
        self.snapshot.rows()
    }

    /// How many data files the table has, and their bytes.
    pub fn files(&self) -> (u64, u64) {
        let files = self.snapshot.files.values();
        let bytes = files.clone().map(|add| u64::try_from(add.size).unwrap_or(0)).sum();
        (files.count() as u64, bytes)
    }

    /// What the table is.
    pub fn spec(&self) -> &'static TableSpec {
        self.spec
    }

    /// Takes the table for the writer of `epoch`: an entry without data, so that the next entry of
    /// an older writer that is still alive finds its version taken, and that writer stops. `nonce` is the writer's
    /// own: of two that take the same epoch at once it tells which has the table.
    ///
    /// **Errors:** `Fenced` where a later epoch has the table already, or another writer of the same: a copy of a
    /// state counts epochs as the original does.
    pub async fn fence(&mut self, app: &str, epoch: u64, nonce: u64) -> Result<()> {
        self.settle().await?;
        let commit = self.txn(app).unwrap_or(0);
        let commit = CommitInfo { app: app.into(), commit, epoch, time_ms: 0 };
        self.check_epoch(&commit)?;
        if self.epoch(app) == Some(epoch) {
            let taken = || format!("table {} was taken by another writer just now", self.spec.name);
            return if self.is_own { Ok(()) } else { Err(Error::fenced(taken())) };
        }
        let attempt = self.attempt(&commit, nonce);
        self.finish(attempt, Operation::Fence, Vec::new(), &[]).await.map(|_| ())
    }

    /// Starts a try of publishing a commit; `None` where the table has the commit already.
    pub(super) async fn begin(&mut self, commit: &CommitInfo) -> Result<Option<Attempt>> {
        self.settle().await?;
        self.check_epoch(commit)?;
        if self.txn(&commit.app).is_some_and(|published| published >= commit.commit) {
            return Ok(None);
        }
        Ok(Some(self.attempt(commit, 0)))
    }

    /// Finds out what became of earlier tries whose answer was lost.
    pub(super) async fn settle(&mut self) -> Result<()> {
        if self.attempts.is_empty() {
            return Ok(());
        }
        let version = self.snapshot.version + 1;
        if let Some(lines) = self.log.settle(version, &self.attempts).await? {
            self.snapshot.advance(version, lines);
            self.attempts.clear();
            self.is_own = true;
        }
        Ok(())
    }

    fn has(&self, commit: &CommitInfo) -> bool {
        let epoch = self.epoch(&commit.app);
        self.txn(&commit.app) >= Some(commit.commit) && epoch >= Some(commit.epoch)
    }

    pub(super) fn check_epoch(&self, commit: &CommitInfo) -> Result<()> {
        match self.epoch(&commit.app) {
            Some(epoch) if epoch > commit.epoch => Err(Error::fenced(format!(
                "table {} was taken by a job that started later (epoch {epoch}, this one has {})",
                self.spec.name, commit.epoch
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn attempt(&mut self, commit: &CommitInfo, nonce: u64) -> Attempt {
        self.tries += 1;
        let numbers = [commit.commit, commit.epoch, self.snapshot.version, self.tries, nonce];
        let numbers = numbers.map(|number| number.to_string());
        let [number, epoch, version, tries, nonce] = &numbers;
        let id = hash_id(&[self.spec.name, &commit.app, number, epoch, version, tries, nonce]);
        Attempt { id, files: 0, commit: commit.clone() }
    }

    /// Puts the entry that makes the new files part of the table, and the replaced ones no longer
    /// so. A file whose mask changes is in both.
    pub(super) async fn finish(
        &mut self,
        attempt: Attempt,
        operation: Operation,
        adds: Vec<Add>,
        removes: &[String],
    ) -> Result<Written> {
        let version = self.snapshot.version + 1;
        let new = || adds.iter().filter(|add| !self.snapshot.files.contains_key(&add.path));
        let rows =
            |is_change: bool| new().filter(|add| add.data_change == is_change).map(Add::rows).sum();
        let written = Written {
            rows: rows(true),
            compacted: rows(false),
            files: new().count() as u64,
            bytes: new().map(|add| u64::try_from(add.size).unwrap_or(0)).sum(),
        };
        let lines = self.entry(&attempt, operation, adds, removes);
        self.attempts.push(attempt.id.clone());
        let put = self.log.commit(version, lines, &self.attempts).await;
        let lines = put.map_err(|error| error.context(format!("publish {}", self.spec.name)))?;
        // What is erased is not told from what the table has: only the entry itself says that it is.
        let is_done = match operation {
            Operation::Erase => log::id(&lines) == Some(attempt.id()),
            _ => true,
        };
        self.attempts.clear();
        self.is_own = true;
        self.snapshot.advance(version, lines);
        self.snapshot.expire(attempt.commit.time_ms);
        self.checkpoint_if_due().await;
        if !is_done || !self.has(&attempt.commit) {
            // A try of an earlier commit that had failed for all one knew: its put came late, and
            // took this version.
            return Err(Error::unavailable("an earlier commit arrived late; publish again"));
        }
        Ok(written)
    }

    fn entry(
        &self,
        attempt: &Attempt,
        operation: Operation,
        adds: Vec<Add>,
        removes: &[String],
    ) -> Vec<Line> {
        let CommitInfo { app, commit, epoch, time_ms } = &attempt.commit;
        let mut lines = vec![Line {
            commit_info: Some(json!({
                "timestamp": time_ms,
                "operation": operation.name(),
                "operationParameters": {},
                "isBlindAppend": operation == Operation::Append && removes.is_empty(),
                "engineInfo": concat!("onefold/", env!("CARGO_PKG_VERSION")),
                "txnId": attempt.id,
            })),
            ..Line::default()
        }];
        let mut txns = vec![(app.clone(), *commit), (epoch_of(app), *epoch)];
        if operation == Operation::Restore {
            txns.push((format!("{app}{RESTORED_SUFFIX}"), self.snapshot.version + 1));
        }
        for (app_id, version) in txns {
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            if self.snapshot.txns.get(&app_id) != Some(&version) {
                lines.push(Line { txn: Some(Txn { app_id, version }), ..Line::default() });
            }
        }
        let removed = removes.iter().filter_map(|path| self.snapshot.files.get(path));
        let data_change = operation.changes_what_it_removes();
        let removed = removed.map(|add| Remove { data_change, ..add.removed(*time_ms) });
        lines.extend(removed.map(|it| Line { remove: Some(it), ..Line::default() }));
        lines.extend(adds.into_iter().map(|add| Line { add: Some(add), ..Line::default() }));
        lines
    }

    /// The commit is durable whether or not its checkpoint is: one that fails is made up for by the
    /// next commit.
    async fn checkpoint_if_due(&mut self) {
        let version = self.snapshot.version;
        if version < self.snapshot.checkpoint.unwrap_or(0) + CHECKPOINT_INTERVAL {
            return;
        }
        match self.log.checkpoint(&self.snapshot).await {
            Ok(()) => self.snapshot.checkpoint = Some(version),
            Err(error) => {
                let table = self.spec.name;
                CheckpointNotWritten { table, version, error: &error }.emit();
            }
        }
    }
}

/// The application whose transaction number is the writers' epoch.
fn epoch_of(app: &str) -> String {
    format!("{app}{EPOCH_SUFFIX}")
}

/// An id in the form of a UUID that is a hash of its parts.
fn hash_id(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("onefold sink id");
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hex = hasher.finalize().to_hex();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
    parts.join("-")
}
