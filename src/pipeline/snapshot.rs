//! Where do snapshots of the state lie, and how does a job come back from one?
//!
//! `[state.snapshot]` names a place; a snapshot there is one object, named after the pipeline and the
//! commit. A running job takes them in a thread of its own from a view of the state, so it goes on
//! meanwhile. Restoring puts the tables back to the commit of the snapshot first and makes the state
//! last, so that a restore that is cut short is begun again by the same command: from there the
//! sources are read again, and everything is as it was at that commit.

use std::io::{self, Read, Write};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use super::chore::Chore;
use super::opening::{open_existing_state, state_options};
use super::publish::{put_back, runtime};
use crate::clock::Stopwatch;
use crate::config::{Plan, SnapshotPlan};
use crate::error::{Context, Error, Kind, Result};
use crate::sink;
use crate::state::{self, View, write_snapshot};
use crate::telemetry::{SnapshotFailed, SnapshotTaken};

const SUFFIX: &str = ".snapshot";

/// A snapshot that lies at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit that it holds.
    pub sequence: u64,
    /// Its size.
    pub bytes: u64,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The commit at which the state stands.
    pub sequence: u64,
    /// The tables that were later, and are put back to it.
    pub put_back: Vec<&'static str>,
}

/// Takes a snapshot of the state of a pipeline that does not run.
///
/// **Errors:** `Invalid` where `[state.snapshot]` is missing, or there is no state; `Fenced` where a job runs.
pub fn take_snapshot(plan: &Plan) -> Result<Snapshot> {
    let place = Place::of(plan)?;
    let mut store = open_existing_state(&plan.state)?;
    let snapshot = place.write(&store.view())?;
    store.settle()?;
    Ok(snapshot)
}

/// The snapshots of a pipeline, the latest first.
///
/// **Errors:** `Invalid` where `[state.snapshot]` is missing; `Unavailable`.
pub fn snapshots(plan: &Plan) -> Result<Vec<Snapshot>> {
    Place::of(plan)?.list()
}

/// Makes the state of a pipeline from a snapshot, the latest unless a commit is named, and puts the tables back to it.
///
/// **Errors:** `Invalid` where there is a state already, or no such snapshot; `Data` where the snapshot is damaged or
/// the tables cannot go back.
pub fn restore_snapshot(plan: &Plan, sequence: Option<u64>) -> Result<Restored> {
    state::refuse_a_state(&plan.state.path)?;
    let place = Place::of(plan)?;
    let found = place.list()?;
    let chosen = found.iter().find(|it| sequence.is_none_or(|sequence| it.sequence == sequence));
    let chosen = chosen.ok_or_else(|| {
        let url = &place.url;
        Error::invalid(match sequence {
            Some(sequence) => format!(
                "state.snapshot.url = {url}: there is no snapshot of commit {sequence}; \
                 `onefold state PIPELINE list` tells which there are"
            ),
            None => format!("state.snapshot.url = {url}: there is no snapshot"),
        })
    })?;
    let put_back = put_back(&plan.publish, &plan.name, chosen.sequence)?;
    let input = place.read(chosen.sequence)?;
    let sequence = state::restore_snapshot(&plan.state.path, input, &state_options(&plan.state))?;
    Ok(Restored { sequence, put_back })
}

/// Takes a snapshot where a pipeline takes any, and lets go of all others: they hold who was erased since. Returns the
/// commits of those that went.
///
/// **Errors:** `Unavailable` where their place is away.
pub(super) fn replace_snapshots(plan: &Plan, view: &View) -> Result<Vec<u64>> {
    let Some(snapshots) = &plan.state.snapshot else { return Ok(Vec::new()) };
    let place = Place::open(snapshots, &plan.name)?;
    let before = place.list()?;
    let new = place.write(view)?.sequence;
    for left in place.list()?.iter().filter(|it| it.sequence != new) {
        place.delete(left)?;
    }
    Ok(before.into_iter().map(|it| it.sequence).filter(|it| *it != new).collect())
}

/// Reads a state of a pipeline that does not run, and checks that everything in it fits together.
///
/// **Errors:** `Data` with the first contradiction.
pub fn verify_state(plan: &Plan) -> Result<state::Report> {
    let mut store = open_existing_state(&plan.state)?;
    let report = store.verify()?;
    store.settle()?;
    Ok(report)
}

/// The place of a pipeline's snapshots.
struct Place {
    runtime: Runtime,
    store: std::sync::Arc<dyn ObjectStore>,
    root: Path,
    pipeline: String,
    url: String,
    keep: usize,
}

impl Place {
    fn of(plan: &Plan) -> Result<Self> {
        let none = || {
            Error::invalid("[state.snapshot]: say where snapshots go: url = \"s3://bucket/folder\"")
        };
        Self::open(plan.state.snapshot.as_ref().ok_or_else(none)?, &plan.name)
    }

    fn open(plan: &SnapshotPlan, pipeline: &str) -> Result<Self> {
        let (store, root) = sink::open_store(&plan.url, &plan.options.0)
            .map_err(|error| error.context(format!("state.snapshot.url = {}", plan.url)))?;
        let (pipeline, url) = (pipeline.to_owned(), plan.url.clone());
        Ok(Self { runtime: runtime()?, store, root, pipeline, url, keep: plan.keep })
    }

    fn path(&self, sequence: u64) -> Path {
        self.root.clone().join(format!("{}-{sequence:020}{SUFFIX}", self.pipeline))
    }

    fn sequence(&self, path: &Path) -> Option<u64> {
        let name = path.filename()?.strip_prefix(&self.pipeline)?;
        name.strip_prefix('-')?.strip_suffix(SUFFIX)?.parse().ok()
    }

    fn list(&self) -> Result<Vec<Snapshot>> {
        let listed = self.runtime.block_on(async {
            let root = Some(&self.root).filter(|root| !root.as_ref().is_empty());
            self.store.list(root).try_collect::<Vec<_>>().await
        });
        let listed = listed.context(Kind::Unavailable, "list snapshots")?;
        let snapshot = |file: &object_store::ObjectMeta| {
            Some(Snapshot { sequence: self.sequence(&file.location)?, bytes: file.size })
        };
        let mut found: Vec<Snapshot> = listed.iter().filter_map(snapshot).collect();
        found.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.sequence));
        Ok(found)
    }

    /// Writes a snapshot, which is there whole or not at all, and lets go of those that are too many.
    fn write(&self, view: &View) -> Result<Snapshot> {
        let writer = BufWriter::new(self.store.clone(), self.path(view.sequence()));
        let mut upload = Upload { runtime: &self.runtime, writer, bytes: 0 };
        write_snapshot(view, &mut upload)?;
        let bytes = upload.bytes;
        self.runtime
            .block_on(upload.writer.shutdown())
            .context(Kind::Unavailable, "put snapshot")?;
        for old in self.list()?.iter().skip(self.keep) {
            self.delete(old)?;
        }
        Ok(Snapshot { sequence: view.sequence(), bytes })
    }

    fn delete(&self, snapshot: &Snapshot) -> Result<()> {
        self.runtime
            .block_on(self.store.delete(&self.path(snapshot.sequence)))
            .context(Kind::Unavailable, "delete an old snapshot")
    }

    fn read(&self, sequence: u64) -> Result<Download<'_>> {
        let found = self.runtime.block_on(self.store.get(&self.path(sequence)));
        let stream = found.context(Kind::Unavailable, "get snapshot")?.into_stream();
        Ok(Download { runtime: &self.runtime, stream, at_hand: Bytes::new() })
    }
}

/// Writes to an object.
struct Upload<'a> {
    runtime: &'a Runtime,
    writer: BufWriter,
    bytes: u64,
}

impl Write for Upload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.runtime.block_on(self.writer.write_all(bytes))?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads an object.
struct Download<'a> {
    runtime: &'a Runtime,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    at_hand: Bytes,
}

impl Read for Download<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.at_hand.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(more) => self.at_hand = more?,
                None => return Ok(0),
            }
        }
        let count = bytes.len().min(self.at_hand.len());
        self.at_hand.copy_to_slice(&mut bytes[..count]);
        Ok(count)
    }
}

/// The snapshots that a running job takes.
pub(super) struct Snapshots {
    plan: SnapshotPlan,
    pipeline: String,
    chore: Chore,
    /// The commit of the last one.
    last: u64,
}

impl Snapshots {
    pub(super) fn new(plan: &SnapshotPlan, pipeline: &str) -> Self {
        let (plan, pipeline) = (plan.clone(), pipeline.to_owned());
        let chore = Chore::new("snapshot", plan.interval.unwrap_or(Duration::MAX));
        Self { plan, pipeline, chore, last: 0 }
    }

    /// Begins one where it is time and something has changed.
    pub(super) fn take_if_due(&mut self, sequence: u64, view: impl FnOnce() -> View) {
        let Some(interval) = self.plan.interval else { return };
        if sequence == self.last || !self.chore.is_due() {
            return;
        }
        self.finish();
        self.last = sequence;
        let (plan, pipeline, view) = (self.plan.clone(), self.pipeline.clone(), view());
        let started = self.chore.start(interval, move || {
            let clock = Stopwatch::start();
            match Place::open(&plan, &pipeline).and_then(|place| place.write(&view)) {
                Ok(Snapshot { sequence, bytes }) => {
                    SnapshotTaken { sequence, bytes, duration: clock.elapsed() }.emit();
                }
                Err(error) => SnapshotFailed { sequence, error: &error }.emit(),
            }
        });
        if let Err(error) = started {
            SnapshotFailed { sequence, error: &error }.emit();
        }
    }

    /// Waits for the one that is being taken.
    pub(super) fn finish(&mut self) {
        if let Err(error) = self.chore.wait() {
            SnapshotFailed { sequence: self.last, error: &error }.emit();
        }
    }
}

#[cfg(test)]
mod tests;
