//! How does a table keep one current row a key, without being rewritten whole?
//!
//! Keys are hashes, so their leading bits cut the table into buckets of like size: bucket `i` of
//! `2^bits` holds the keys whose leading bits are `i`, sorted, in one file. A commit touches some
//! buckets: the rows of each are read from its file, merged with the changed ones, and written to a
//! new file, which takes the old one's place.
//!
//! The number of buckets grows with the table, and never shrinks; when it grows, every file is
//! rewritten. Both cases are one walk over the old buckets in ascending order, which writes buckets
//! of the new size.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::interleave_record_batch;
use futures::Stream;
use futures::stream::{BoxStream, StreamExt};

use super::definition;
use super::file::{BUCKET_TAG, Writer};
use super::log::{Add, Snapshot};
use super::table::{Attempt, CommitInfo, Table, Written};
use crate::error::{Context, Error, Kind, Result};

/// Rows in a file of a table that has just grown, at most, when keys spread evenly.
const BUCKET_ROWS: u64 = 65_536;
/// How many times the rows of [`BUCKET_ROWS`] a bucket may come to before the table grows.
const BUCKET_SLACK: u64 = 2;
/// Buckets are named by the first 16 bits of keys.
const BITS_MAX: u32 = 16;

/// The files of a table by bucket.
#[derive(Debug, Default)]
pub(super) struct Buckets<'a> {
    /// `2^bits` buckets; `None` of an empty table.
    bits: Option<u32>,
    files: BTreeMap<u32, &'a Add>,
}

impl<'a> Buckets<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Result<Self> {
        let mut buckets = Self::default();
        for add in snapshot.files.values() {
            let tag = add.tags.as_ref().and_then(|tags| tags.get(BUCKET_TAG)?.as_deref());
            let parts = tag.and_then(|tag| tag.split_once('/'));
            let bucket = parts.and_then(|(bits, i)| Some((bits.parse().ok()?, i.parse().ok()?)));
            let foreign = || Error::data("a file of the table is not of this program's making");
            let (bits, i): (u32, u32) =
                bucket.filter(|(b, _)| *b <= BITS_MAX).ok_or_else(foreign)?;
            let same = *buckets.bits.get_or_insert(bits) == bits;
            if !same || buckets.files.insert(i, add).is_some() {
                return Err(Error::data("two files of the table hold the same keys"));
            }
        }
        Ok(buckets)
    }

    /// The file that holds `key`, if any does.
    pub(super) fn file(&self, key: &str) -> Result<Option<&'a Add>> {
        let Some(bits) = self.bits else { return Ok(None) };
        Ok(self.files.get(&bucket(key, bits)?).copied())
    }
}

/// The bucket that a key is in.
fn bucket(key: &str, bits: u32) -> Result<u32> {
    let lead = key.get(..4).and_then(|lead| u32::from_str_radix(lead, 16).ok());
    let lead = lead.ok_or_else(|| Error::internal("a key is not hexadecimal"))?;
    Ok(lead >> (BITS_MAX - bits))
}

/// How many bits a table of `rows` rows should have that has `present`.
fn bits_for(rows: u64, present: Option<u32>) -> u32 {
    let full = present.map_or(0, |bits| (BUCKET_ROWS * BUCKET_SLACK) << bits);
    match present {
        Some(bits) if rows <= full => bits,
        _ => {
            let wanted = rows.div_ceil(BUCKET_ROWS).next_power_of_two().trailing_zeros();
            wanted.max(present.unwrap_or(0)).min(BITS_MAX)
        }
    }
}

impl Table {
    /// Puts rows in the place of those with the same keys, and takes the rows of `removed` keys
    /// out, as one commit. A key that is in both stays. Does nothing where the table has the commit
    /// already, or where nothing changes.
    ///
    /// `rows` comes in ascending order of the key, each key once, over all batches. `count` is how
    /// many rows there are about; it decides only about the layout.
    ///
    /// **Errors:** `Fenced` where another writer has the table; `Unavailable` where the store is
    /// away: the same call may be made again; `Internal` where the rows are not in order.
    pub async fn upsert<S>(
        &mut self,
        rows: S,
        count: u64,
        removed: &[String],
        commit: &CommitInfo,
    ) -> Result<Written>
    where
        S: Stream<Item = Result<RecordBatch>> + Send,
    {
        let Some(key) = self.spec.key() else {
            return Err(Error::internal(format!("table {} has no key", self.spec.name)));
        };
        let Some(attempt) = self.begin(commit).await? else { return Ok(Written::default()) };
        let mut removed: Vec<&str> = removed.iter().map(String::as_str).collect();
        removed.sort_unstable();
        removed.dedup();
        let buckets = Buckets::of(&self.snapshot)?;
        let bits = bits_for(self.snapshot.rows() + count, buckets.bits);
        let mut output = Output { table: self, key, bits, attempt, open: None, adds: Vec::new() };
        let rows = std::pin::pin!(rows);
        let replaced = merge(&mut output, buckets, rows.boxed(), &removed).await?;
        output.close().await?;
        let Output { attempt, adds, .. } = output;
        if adds.is_empty() && replaced.is_empty() {
            return Ok(Written::default());
        }
        self.finish(attempt, "MERGE", adds, &replaced).await
    }
}

/// Walks over the old buckets that are touched, in order; returns the paths of the files that were
/// replaced.
async fn merge<'s>(
    output: &mut Output<'_>,
    buckets: Buckets<'_>,
    rows: BoxStream<'s, Result<RecordBatch>>,
    removed: &[&str],
) -> Result<Vec<String>> {
    let Buckets { bits: old_bits, mut files } = buckets;
    let bits = old_bits.unwrap_or(output.bits);
    let grows = bits != output.bits;
    let mut changes = Rows::new(rows, output.key);
    let mut removed = removed;
    let mut replaced = Vec::new();
    loop {
        changes.fill(Kind::Internal).await?;
        let touched = [changes.key(), removed.first().copied()];
        let touched = touched.into_iter().flatten().map(|key| bucket(key, bits));
        let touched = touched.collect::<Result<Vec<_>>>()?.into_iter().min();
        let untouched = files.keys().next().copied().filter(|_| grows);
        let Some(i) = touched.into_iter().chain(untouched).min() else { break };
        let mut gone = 0;
        while let Some(key) = removed.get(gone)
            && bucket(key, bits)? == i
        {
            gone += 1;
        }
        let live = match files.remove(&i) {
            Some(add) => {
                replaced.push(add.path.clone());
                let opened = output.table.reader(add)?.open().await?;
                definition::same_schema(&output.table.spec.schema(), opened.schema())?;
                opened.read(None)?
            }
            None => futures::stream::empty().boxed(),
        };
        let mut live = Rows::new(live, output.key);
        merge_bucket(output, &mut live, &mut changes, &removed[..gone], (bits, i)).await?;
        removed = &removed[gone..];
    }
    Ok(replaced)
}

/// Merges the rows of one bucket with the changes to it.
async fn merge_bucket(
    output: &mut Output<'_>,
    live: &mut Rows<'_>,
    changes: &mut Rows<'_>,
    removed: &[&str],
    (bits, i): (u32, u32),
) -> Result<()> {
    loop {
        live.fill(Kind::Data).await?;
        changes.fill(Kind::Internal).await?;
        let end = changes.end_of(bits, i)?;
        let picks = weave(live, changes, end, removed);
        let Some(picks) = picks else { return Ok(()) };
        let piece = match (&live.batch, &changes.batch) {
            (Some(left), Some(right)) => interleave_record_batch(&[left, right], &picks.rows),
            (Some(left), None) => interleave_record_batch(&[left, left], &picks.rows),
            (None, Some(right)) => interleave_record_batch(&[right, right], &picks.rows),
            (None, None) => return Ok(()),
        };
        live.at = picks.live;
        changes.at = picks.changes;
        output.write(piece.context(Kind::Internal, "merge rows")?).await?;
    }
}

/// Which rows come next, and how far the two sides are then.
struct Picks {
    /// (0 for live and 1 for changed, row).
    rows: Vec<(usize, usize)>,
    live: usize,
    changes: usize,
}

/// Picks rows in ascending order of their keys until one of the two batches is used up; `None`
/// where both sides are.
///
/// Changes count up to `end`. A changed row takes the place of the live one of the same key.
fn weave(live: &Rows<'_>, changes: &Rows<'_>, end: usize, removed: &[&str]) -> Option<Picks> {
    let mut picks = Picks { rows: Vec::new(), live: live.at, changes: changes.at };
    let more_changes = changes.batch.is_some() && end == changes.keys.len();
    let live_ended = live.batch.is_none();
    if live_ended && changes.at >= end {
        return None;
    }
    loop {
        let left = (picks.live < live.keys.len()).then(|| live.keys.value(picks.live));
        let right = (picks.changes < end).then(|| changes.keys.value(picks.changes));
        match (left, right) {
            // The batch that comes after this one may hold the next key.
            (None, _) if !live_ended => break,
            (_, None) if more_changes => break,
            (None, None) => break,
            (Some(left), Some(right)) if left == right => picks.live += 1,
            (Some(left), right) if right.is_none_or(|right| left < right) => {
                if removed.binary_search(&left).is_err() {
                    picks.rows.push((0, picks.live));
                }
                picks.live += 1;
            }
            _ => {
                picks.rows.push((1, picks.changes));
                picks.changes += 1;
            }
        }
    }
    Some(picks)
}

/// Rows in ascending order of their keys, a batch at a time.
struct Rows<'a> {
    stream: BoxStream<'a, Result<RecordBatch>>,
    key: &'static str,
    /// `None` at the end.
    batch: Option<RecordBatch>,
    keys: StringArray,
    at: usize,
    /// The last key of the batch before.
    last: Option<String>,
}

impl<'a> Rows<'a> {
    fn new(stream: BoxStream<'a, Result<RecordBatch>>, key: &'static str) -> Self {
        let keys = StringArray::from_iter_values([""; 0]);
        Self { stream: stream.fuse().boxed(), key, batch: None, keys, at: 0, last: None }
    }

    /// Fetches the next batch that has rows, once this one is used up. Rows out of order are an
    /// error of `blame`.
    async fn fill(&mut self, blame: Kind) -> Result<()> {
        while self.at >= self.keys.len() {
            if let Some(last) = self.keys.len().checked_sub(1) {
                self.last = Some(self.keys.value(last).into());
            }
            self.at = 0;
            self.keys = StringArray::from_iter_values([""; 0]);
            self.batch = self.stream.next().await.transpose()?;
            let Some(batch) = &self.batch else { return Ok(()) };
            let keys = batch.column_by_name(self.key).and_then(|column| column.as_string_opt());
            self.keys = keys.ok_or_else(|| Error::new(blame, "rows have no key column"))?.clone();
            let before = self.last.as_deref().into_iter();
            let all = before.chain(self.keys.iter().flatten());
            if !all.is_sorted_by(|a, b| a < b) {
                return Err(Error::new(blame, "keys are not ascending, or not unique"));
            }
        }
        Ok(())
    }

    fn key(&self) -> Option<&str> {
        (self.at < self.keys.len()).then(|| self.keys.value(self.at))
    }

    /// The first row of the batch after the keys of bucket `i`.
    fn end_of(&self, bits: u32, i: u32) -> Result<usize> {
        for row in self.at..self.keys.len() {
            if bucket(self.keys.value(row), bits)? != i {
                return Ok(row);
            }
        }
        Ok(self.keys.len())
    }
}

/// The new files, cut by bucket.
struct Output<'a> {
    table: &'a Table,
    key: &'static str,
    bits: u32,
    attempt: Attempt,
    open: Option<(u32, Writer)>,
    adds: Vec<Add>,
}

impl Output<'_> {
    /// Writes rows that follow those before in the order of keys.
    async fn write(&mut self, rows: RecordBatch) -> Result<()> {
        let keys = rows.column_by_name(self.key).and_then(|column| column.as_string_opt::<i32>());
        let keys = keys.ok_or_else(|| Error::internal("rows have no key column"))?;
        let buckets = keys.iter().flatten().map(|key| bucket(key, self.bits));
        let buckets = buckets.collect::<Result<Vec<_>>>()?;
        let mut from = 0;
        for run in buckets.chunk_by(|a, b| a == b) {
            let slice = rows.slice(from, run.len());
            from += run.len();
            self.writer(run[0]).await?.write(slice).await?;
        }
        Ok(())
    }

    async fn writer(&mut self, bucket: u32) -> Result<&mut Writer> {
        if self.open.as_ref().is_some_and(|(open, _)| *open != bucket) {
            self.close().await?;
        }
        let (_, writer) = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                let Table { store, folder, spec, .. } = self.table;
                let name = self.attempt.file_name();
                let writer = Writer::create(store.clone(), folder, name, spec)?;
                self.open.insert((bucket, writer))
            }
        };
        Ok(writer)
    }

    async fn close(&mut self) -> Result<()> {
        if let Some((bucket, writer)) = self.open.take() {
            let tag = format!("{}/{bucket}", self.bits);
            self.adds.push(writer.finish(self.attempt.commit.time_ms, Some(tag)).await?);
        }
        Ok(())
    }
}
