//! How do the many small files of a table that only grows become few, and stay sorted?
//!
//! With every commit that adds rows, and in its entry of the log: as soon as there are eight files of
//! like size ([`Limits`]), they become one; a file that is large enough stays as it is. So a row is
//! written anew a few times at most, with the logarithm of the size of a whole file, and small files
//! are few, however often there is a commit.
//!
//! Rows that are there already are not changed by this, and the entry says so (`dataChange`): who
//! follows the table's changes sees the new rows alone. The rows of the new file are merged, not
//! strung together: its statistics and those of its pages are as narrow as its rows allow.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::{RowConverter, Rows, SortField};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::append::FILE_ROWS;
use super::file::Writer;
use super::layout::{Limits, class};
use super::live::{AT_ONCE, Live};
use super::log::Add;
use super::spec::TableSpec;
use super::table::{Attempt, Table};
use crate::error::{Context, Error, Kind, Result};

/// Files that are put together at once at most.
const FILES: usize = 64;
/// And their bytes, but for the last one.
const BYTES: i64 = 128 << 20;
/// Rows that are merged before they are written.
const ROWS_AT_ONCE: usize = 8_192;

/// What was put together: files that are new, and the paths of those that they take the place of.
#[derive(Debug, Default)]
pub(super) struct Compacted {
    pub(super) adds: Vec<Add>,
    pub(super) removes: Vec<String>,
}

impl Table {
    /// Puts files together where that is due.
    pub(super) async fn compact(
        &self,
        sort: &'static [&'static str],
        attempt: &mut Attempt,
    ) -> Result<Compacted> {
        let due = due(&self.snapshot.files, &self.limits);
        if due.len() < 2 {
            return Ok(Compacted::default());
        }
        let sources: Vec<_> = due.iter().map(|add| self.source(add)).collect();
        let opened = stream::iter(sources).map(|source| source.open()).buffered(AT_ONCE);
        let opened: Vec<Live> = opened.try_collect().await?;
        let mut runs = Vec::new();
        for live in &opened {
            for group in live.groups() {
                runs.push(Run::new(live.read(None, Some(group))?));
            }
        }
        let mut merge = Merge::new(self.spec, sort, runs)?;
        let name = attempt.file_name();
        let mut file = Writer::create(self.store.clone(), &self.folder, name, self.spec)?;
        while let Some(rows) = merge.next().await? {
            file.write(rows).await?;
        }
        let add = file.finish(attempt.commit.time_ms, None).await?;
        let removes = due.iter().map(|add| add.path.clone()).collect();
        Ok(Compacted { adds: vec![Add { data_change: false, ..add }], removes })
    }
}

/// The files that are to become one, the oldest first; none or one where nothing is due.
fn due<'a>(files: &'a BTreeMap<String, Add>, limits: &Limits) -> Vec<&'a Add> {
    let mut classes: BTreeMap<u32, Vec<&Add>> = BTreeMap::new();
    for add in files.values() {
        if add.rows() < limits.file_rows && add.size < limits.file_bytes {
            classes.entry(class(add.rows(), limits)).or_default().push(add);
        }
    }
    let (mut due, mut rows): (Vec<&Add>, u64) = (Vec::new(), 0);
    for (of, mut files) in classes {
        // What is put together so far becomes a file of this size itself.
        let carried = u64::from(!due.is_empty() && class(rows, limits) == of);
        if (files.len() as u64) + carried < limits.tier.max(2) {
            continue;
        }
        files.sort_by(|a, b| (a.modification_time, &a.path).cmp(&(b.modification_time, &b.path)));
        for add in files {
            let bytes: i64 = due.iter().map(|add| add.size).sum();
            if due.len() >= FILES || bytes >= BYTES || rows + add.rows() > FILE_ROWS {
                return due;
            }
            rows += add.rows();
            due.push(add);
        }
    }
    due
}

/// Rows in order, some at a time.
struct Run {
    batches: BoxStream<'static, Result<RecordBatch>>,
    /// `None` before the first, and at the end.
    batch: Option<(RecordBatch, Rows)>,
    at: usize,
}

impl Run {
    fn new(batches: BoxStream<'static, Result<RecordBatch>>) -> Self {
        Self { batches, batch: None, at: 0 }
    }

    /// Fetches the next rows, once these are used up.
    async fn fill(&mut self, sort: &[&str], order: &RowConverter) -> Result<()> {
        while self.batch.as_ref().is_none_or(|(batch, _)| self.at >= batch.num_rows()) {
            self.at = 0;
            let Some(batch) = self.batches.try_next().await? else {
                self.batch = None;
                return Ok(());
            };
            let columns: Option<Vec<_>> =
                sort.iter().map(|name| batch.column_by_name(name).cloned()).collect();
            let columns = columns.ok_or_else(|| Error::internal("rows lack a sort column"))?;
            let keys = order.convert_columns(&columns);
            let keys = keys.context(Kind::Internal, "order rows")?;
            self.batch = Some((batch, keys));
        }
        Ok(())
    }
}

/// Several runs as one.
struct Merge {
    sort: &'static [&'static str],
    order: RowConverter,
    runs: Vec<Run>,
}

impl Merge {
    fn new(spec: &TableSpec, sort: &'static [&'static str], runs: Vec<Run>) -> Result<Self> {
        let schema = spec.schema();
        let fields = sort.iter().map(|name| {
            let field = schema.field_with_name(name).context(Kind::Internal, "order rows")?;
            Ok(SortField::new(field.data_type().clone()))
        });
        let order = RowConverter::new(fields.collect::<Result<_>>()?);
        Ok(Self { sort, order: order.context(Kind::Internal, "order rows")?, runs })
    }

    /// The next rows; `None` at the end. Of equal ones, those of the run that stands first come first.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        for run in &mut self.runs {
            run.fill(self.sort, &self.order).await?;
        }
        self.runs.retain(|run| run.batch.is_some());
        if self.runs.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&(RecordBatch, Rows)> =
            self.runs.iter().filter_map(|run| run.batch.as_ref()).collect();
        let mut heads: BinaryHeap<_> = self
            .runs
            .iter()
            .zip(&batches)
            .enumerate()
            .map(|(i, (run, (_, keys)))| Reverse((keys.row(run.at), i, run.at)))
            .collect();
        let mut picks = Vec::with_capacity(ROWS_AT_ONCE);
        while let Some(Reverse((_, i, at))) = heads.pop() {
            picks.push((i, at));
            let (batch, keys) = batches[i];
            // Beyond this run's end it is not known which row comes next.
            if at + 1 >= batch.num_rows() || picks.len() >= ROWS_AT_ONCE {
                break;
            }
            heads.push(Reverse((keys.row(at + 1), i, at + 1)));
        }
        let batches: Vec<&RecordBatch> = batches.into_iter().map(|(batch, _)| batch).collect();
        let rows =
            interleave_record_batch(&batches, &picks).context(Kind::Internal, "merge rows")?;
        for (i, at) in picks {
            self.runs[i].at = at + 1;
        }
        Ok(Some(rows))
    }
}

#[cfg(test)]
mod tests;
