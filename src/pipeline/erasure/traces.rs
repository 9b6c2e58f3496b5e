//! Where in the tables is somebody who was erased?
//!
//! Between the commit that erases and the day on which files are written anew, the person may come
//! again, and what they say then counts: under the same record, where it is of the same content. So
//! rows are known not by the record alone but by the events that were erased, or by the commit.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::receipt::TableTrace;
use crate::error::{Error, Result};
use crate::record::{EventKey, Origin, RecordKey};
use crate::sink::{CommitInfo, Erasure, Gone, LetterPlace, Table, TableSpec};
use crate::state::PendingErasure;

/// What tells the rows that speak of whom was erased.
pub(in crate::pipeline) struct Traces {
    /// Records that are not there any more.
    gone: Vec<String>,
    /// Records that came again.
    back: Vec<String>,
    told: Told,
    moved: Moved,
    letters: Vec<LetterPlace>,
}

impl Traces {
    /// `is_there` says whether a record came again.
    pub(in crate::pipeline) fn of(
        pending: &[PendingErasure],
        is_there: impl Fn(&RecordKey) -> bool,
    ) -> Self {
        let mut through: BTreeMap<RecordKey, u64> = BTreeMap::new();
        for (record, commit) in pending.iter().flat_map(PendingErasure::commits) {
            let last = through.entry(record).or_default();
            *last = commit.max(*last);
        }
        let letter = |origin: &Origin| LetterPlace {
            source: origin.source.to_string(),
            partition: origin.partition.to_string(),
            offset: origin.offset,
        };
        let events: BTreeSet<EventKey> =
            pending.iter().flat_map(|it| it.events.iter().copied()).collect();
        let (back, gone): (Vec<&RecordKey>, Vec<_>) =
            through.keys().partition(|record| is_there(record));
        let texts = |keys: Vec<&RecordKey>| keys.into_iter().map(ToString::to_string).collect();
        let records: BTreeSet<String> = through.keys().map(ToString::to_string).collect();
        Self {
            gone: texts(gone),
            back: texts(back),
            told: Told { records, events },
            moved: Moved(through.iter().map(|(key, last)| (key.to_string(), *last)).collect()),
            letters: pending.iter().flat_map(|it| &it.letters).map(letter).collect(),
        }
    }

    /// Which rows of a table go.
    pub(super) fn in_table(&self, spec: &TableSpec) -> Result<Erasure<'_>> {
        Ok(match spec.name {
            // The present row is gone already. A masked one may be of anybody whose profile the person was in.
            "profiles" | "profiles_marketing" | "suppression" => Erasure::Superseded,
            "identity_map" => Erasure::Keys { gone: &self.gone, superseded: &self.back },
            "interactions" => {
                Erasure::Where { columns: &["record_key", "event_id", "channel"], gone: &self.told }
            }
            "consent_history" => Erasure::Where {
                columns: &["record_key", "event_id", "event_channel"],
                gone: &self.told,
            },
            "identity_changes" => {
                Erasure::Where { columns: &["record_key", "epoch"], gone: &self.moved }
            }
            "dead_letters" | "dead_letter_replays" => Erasure::Letters(&self.letters),
            name => return Err(Error::internal(format!("nobody can be erased from {name}"))),
        })
    }

    /// Takes the rows out of every file of a table's present version.
    pub(in crate::pipeline) async fn erase_from(
        &self,
        table: &mut Table,
        commit: &CommitInfo,
    ) -> Result<TableTrace> {
        let erased = table.erase(self.in_table(table.spec())?, commit).await?;
        Ok(TableTrace {
            rows: erased.rows,
            files: erased.replaced,
            version: table.version(),
            ..TableTrace::default()
        })
    }
}

/// Rows of events that were erased; columns are those of the record, the event's id and its channel.
#[derive(Debug)]
struct Told {
    records: BTreeSet<String>,
    events: BTreeSet<EventKey>,
}

impl Gone for Told {
    fn rows(&self, columns: &[&str], batch: &RecordBatch) -> Result<Vec<bool>> {
        let texts = columns.iter().map(|name| batch.column_by_name(name)?.as_string_opt::<i32>());
        let texts: Option<Vec<_>> = texts.collect();
        let Some([records, events, channels]) = texts.as_deref() else {
            return Err(without_columns());
        };
        let is_gone = |row: usize| {
            self.records.contains(records.value(row))
                && self.events.contains(&EventKey::of(channels.value(row), events.value(row)))
        };
        Ok((0..batch.num_rows()).map(is_gone).collect())
    }
}

/// What was said of records up to the commit that erased each; columns are those of the record and the commit.
#[derive(Debug)]
struct Moved(BTreeMap<String, u64>);

impl Gone for Moved {
    fn rows(&self, columns: &[&str], batch: &RecordBatch) -> Result<Vec<bool>> {
        let &[record, epoch] = columns else { return Err(without_columns()) };
        let records = batch.column_by_name(record).and_then(|it| it.as_string_opt::<i32>());
        let epochs = batch.column_by_name(epoch);
        let epochs = epochs.and_then(|it| it.as_primitive_opt::<Int64Type>());
        let (Some(records), Some(epochs)) = (records, epochs) else {
            return Err(without_columns());
        };
        let is_gone = |row: usize| {
            let last = (!records.is_null(row)).then(|| self.0.get(records.value(row))).flatten();
            let epoch = u64::try_from(epochs.value(row)).unwrap_or_default();
            last.is_some_and(|last| epoch <= *last)
        };
        Ok((0..batch.num_rows()).map(is_gone).collect())
    }
}

fn without_columns() -> Error {
    Error::invalid("a table lacks the columns by which rows are erased")
}
