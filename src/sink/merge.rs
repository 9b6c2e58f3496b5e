//! How do sorted rows of several places become one sorted sequence, each key once?

use arrow::array::{Array, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::interleave_record_batch;
use futures::stream::{BoxStream, StreamExt};

use super::layout::lead;
use crate::error::{Context, Error, Kind, Result};

/// Rows in ascending order of their keys, a batch at a time.
pub(super) struct Rows<'a> {
    stream: BoxStream<'a, Result<RecordBatch>>,
    key: &'static str,
    /// What kind of error rows out of order are.
    blame: Kind,
    /// `None` at the end.
    batch: Option<RecordBatch>,
    keys: StringArray,
    at: usize,
    /// The last key of the batch before.
    last: Option<String>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        stream: BoxStream<'a, Result<RecordBatch>>,
        key: &'static str,
        blame: Kind,
    ) -> Self {
        let keys = StringArray::from_iter_values([""; 0]);
        Self { stream: stream.fuse().boxed(), key, blame, batch: None, keys, at: 0, last: None }
    }

    /// Fetches the next batch that has rows, once this one is used up.
    async fn fill(&mut self) -> Result<()> {
        while self.is_used_up() {
            if let Some(last) = self.keys.len().checked_sub(1) {
                self.last = Some(self.keys.value(last).into());
            }
            self.at = 0;
            self.keys = StringArray::from_iter_values([""; 0]);
            self.batch = self.stream.next().await.transpose()?;
            let Some(batch) = &self.batch else { return Ok(()) };
            let keys = batch.column_by_name(self.key).and_then(|column| column.as_string_opt());
            let none = || Error::new(self.blame, "rows have no key column");
            self.keys = keys.ok_or_else(none)?.clone();
            let before = self.last.as_deref().into_iter();
            let all = before.chain(self.keys.iter().flatten());
            if !all.is_sorted_by(|a, b| a < b) {
                return Err(Error::new(self.blame, "keys are not ascending, or not unique"));
            }
            if !self.keys.iter().all(|key| key.is_some_and(|key| lead(key.as_bytes()).is_some())) {
                return Err(Error::new(self.blame, "a key is not hexadecimal"));
            }
        }
        Ok(())
    }

    fn is_used_up(&self) -> bool {
        self.at >= self.keys.len()
    }

    /// The next key, where it comes before `end`.
    fn key(&self, end: Option<&str>) -> Option<&str> {
        let key = (!self.is_used_up()).then(|| self.keys.value(self.at))?;
        end.is_none_or(|end| key < end).then_some(key)
    }
}

/// What the commit changes, and the rows that are there, in one range of keys.
pub(super) struct Merge<'m, 'a> {
    pub(super) changes: &'m mut Rows<'a>,
    /// The text that the range's keys come before; the changes go on behind it.
    pub(super) end: Option<String>,
    /// No key is in two of these.
    pub(super) live: Vec<Rows<'a>>,
    /// Keys that are taken out, ascending.
    pub(super) removed: &'m [&'m str],
    /// Where the keys of changed rows are noted.
    pub(super) noted: Option<&'m mut StringBuilder>,
}

impl Merge<'_, '_> {
    /// The next rows; `None` at the end of the range.
    ///
    /// **Errors:** `Data` where a key is there twice; `Internal` where the changes are not in order.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.changes.fill().await?;
            for rows in &mut self.live {
                rows.fill().await?;
            }
            self.live.retain(|rows| rows.batch.is_some());
            if self.live.is_empty() && self.changes.key(self.end.as_deref()).is_none() {
                return Ok(None);
            }
            let picks = self.pick()?;
            if !picks.is_empty() {
                return self.take(&picks).map(Some);
            }
        }
    }

    /// Picks rows in ascending order of their keys until a batch is used up: (0 for changed and 1 + i
    /// for live, row).
    fn pick(&mut self) -> Result<Vec<(usize, usize)>> {
        let mut picks = Vec::new();
        let end = self.end.as_deref();
        loop {
            let changed = self.changes.key(end);
            let mut keys: Vec<(&str, usize)> =
                self.live.iter().enumerate().filter_map(|(i, l)| Some((l.key(None)?, i))).collect();
            keys.sort_unstable();
            let least = keys.first().copied();
            let next = keys.get(1).map(|(key, _)| *key);
            if least.is_some_and(|(least, _)| next == Some(least)) {
                return Err(Error::data("two files of the table hold the same key"));
            }
            match (changed, least) {
                (None, None) => return Ok(picks),
                (Some(changed), least) if least.is_none_or(|(least, _)| changed <= least) => {
                    // A changed row takes the place of the live one of the same key.
                    let same = least.filter(|(least, _)| *least == changed).map(|(_, i)| i);
                    if let Some(noted) = &mut self.noted {
                        noted.append_value(changed);
                    }
                    picks.push((0, self.changes.at));
                    self.changes.at += 1;
                    if let Some(i) = same {
                        self.live[i].at += 1;
                        if self.live[i].is_used_up() {
                            return Ok(picks);
                        }
                    }
                    if self.changes.is_used_up() {
                        return Ok(picks);
                    }
                }
                (_, None) => return Ok(picks),
                (_, Some((_, i))) => {
                    let limit = [changed, next].into_iter().flatten().min().map(str::to_owned);
                    let rows = &mut self.live[i];
                    while let Some(key) = rows.key(limit.as_deref()) {
                        if self.removed.binary_search(&key).is_err() {
                            picks.push((1 + i, rows.at));
                        }
                        rows.at += 1;
                    }
                    if rows.is_used_up() {
                        return Ok(picks);
                    }
                }
            }
        }
    }

    fn take(&self, picks: &[(usize, usize)]) -> Result<RecordBatch> {
        let all = std::iter::once(&*self.changes).chain(&self.live);
        let batches: Vec<Option<&RecordBatch>> = all.map(|rows| rows.batch.as_ref()).collect();
        let gone = || Error::internal("rows were picked that are not there");
        let (first, from) = *picks.first().ok_or_else(gone)?;
        let mut in_a_row = (from..).map(|row| (first, row));
        if picks.iter().all(|pick| Some(*pick) == in_a_row.next()) {
            return Ok(batches[first].ok_or_else(gone)?.slice(from, picks.len()));
        }
        let any = batches.iter().flatten().next().copied().ok_or_else(gone)?;
        let batches: Vec<&RecordBatch> = batches.iter().map(|batch| batch.unwrap_or(any)).collect();
        interleave_record_batch(&batches, picks).context(Kind::Internal, "merge rows")
    }
}
