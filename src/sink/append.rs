//! How are rows added to a table that only grows?
//!
//! Rows are gathered up to a row group, sorted, and written; a file ends after a million rows. Small
//! files of earlier commits are put together meanwhile ([`compact`](super::compact)).

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use futures::{Stream, StreamExt};

use super::file::{ROW_GROUP_ROWS, Writer};
use super::log::Add;
use super::spec::Layout;
use super::table::{Attempt, CommitInfo, Operation, Table, Written};
use crate::error::{Context, Error, Kind, Result};

/// Rows in a file at most.
pub(super) const FILE_ROWS: u64 = 8 * ROW_GROUP_ROWS as u64;
/// Bytes in memory that are sorted at once at most, for tables whose rows are large.
const GATHERED_BYTES: usize = 64 << 20;

/// Rows that wait to become a row group.
#[derive(Default)]
struct Gathered {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Table {
    /// Adds rows as one commit. Does nothing where the table has the commit already, or where there
    /// are no rows.
    ///
    /// **Errors:** `Fenced` where another writer has the table; `Unavailable` where the store is
    /// away: the same call may be made again.
    pub async fn append<S>(&mut self, batches: S, commit: &CommitInfo) -> Result<Written>
    where
        S: Stream<Item = Result<RecordBatch>> + Send,
    {
        let Layout::Append { sort } = self.spec.layout else {
            return Err(Error::internal(format!("table {} is not appended to", self.spec.name)));
        };
        let Some(mut attempt) = self.begin(commit).await? else { return Ok(Written::default()) };
        let mut batches = std::pin::pin!(batches);
        let mut adds = Vec::new();
        let mut writer = None;
        let mut gathered = Gathered::default();
        while let Some(batch) = batches.next().await.transpose()? {
            gathered.rows += batch.num_rows();
            gathered.bytes += batch.get_array_memory_size();
            gathered.batches.push(batch);
            if gathered.rows >= ROW_GROUP_ROWS || gathered.bytes >= GATHERED_BYTES {
                let group = std::mem::take(&mut gathered);
                self.write_group(group, sort, &mut attempt, &mut writer, &mut adds).await?;
            }
        }
        self.write_group(gathered, sort, &mut attempt, &mut writer, &mut adds).await?;
        if let Some(writer) = writer {
            adds.push(writer.finish(commit.time_ms, None).await?);
        }
        if adds.is_empty() {
            return Ok(Written::default());
        }
        let compacted = self.compact(sort, &mut attempt).await?;
        adds.extend(compacted.adds);
        self.finish(attempt, Operation::Append, adds, &compacted.removes).await
    }

    async fn write_group(
        &self,
        gathered: Gathered,
        sort: &'static [&'static str],
        attempt: &mut Attempt,
        writer: &mut Option<Writer>,
        adds: &mut Vec<Add>,
    ) -> Result<()> {
        if gathered.rows == 0 {
            return Ok(());
        }
        let schema = self.spec.schema();
        let group = tokio::task::spawn_blocking(move || {
            let rows = concat_batches(&schema, &gathered.batches)?;
            let column = |name: &&str| SortColumn { values: rows[*name].clone(), options: None };
            let order = lexsort_to_indices(&sort.iter().map(column).collect::<Vec<_>>(), None)?;
            take_record_batch(&rows, &order)
        });
        let group = group
            .await
            .context(Kind::Internal, "sort rows")?
            .context(Kind::Internal, "sort rows")?;
        let mut file = match writer.take() {
            Some(file) => file,
            None => {
                let name = attempt.file_name();
                Writer::create(self.store.clone(), &self.folder, name, self.spec)?
            }
        };
        file.write(group).await?;
        file.end_row_group().await?;
        if file.rows() >= FILE_ROWS {
            adds.push(file.finish(attempt.commit.time_ms, None).await?);
        } else {
            *writer = Some(file);
        }
        Ok(())
    }
}
