//! How do rows leave a table for good, those among them that are only masked?
//!
//! Every file that holds such a row, masked or not, is written anew without it and without any masked
//! row; one entry of the log takes the old files out and the new ones in. Each new file is of the kind
//! of the one that it takes the place of, and in its order, so the layout stays what it was. The old
//! files lie where they lay until the vacuum ([`Table::vacuum`]) takes them.
//!
//! What is there decides, not a note of what was done: erasing again finds nothing and writes
//! nothing, and what a crash cut short is done by the next call. The commit that the table has stays
//! the same, so rows may be published before or after.
//!
//! [`Table::vacuum`]: super::Table::vacuum

use std::collections::BTreeSet;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Int64Type};
use futures::stream::{self, StreamExt, TryStreamExt};
use roaring::RoaringBitmap;

use super::file::{Tag, Writer};
use super::layout::{key_bounds, keys_between};
use super::live::{AT_ONCE, Live};
use super::log::Add;
use super::table::{Attempt, CommitInfo, Operation, Table, Written};
use crate::error::{Error, Result};

/// Which rows leave a table.
#[derive(Clone, Copy, Debug)]
pub enum Erasure<'a> {
    /// Of a table whose rows are replaced: those of some keys.
    Keys {
        /// Every row of these keys.
        gone: &'a [String],
        /// The rows of these keys but for the present one: what an identity looked like before.
        superseded: &'a [String],
    },
    /// Every row that another took the place of, whatever its key.
    Superseded,
    /// Those that hold some values in a column of texts.
    Values {
        /// The column.
        column: &'a str,
        /// The values.
        values: &'a [String],
    },
    /// Those that somebody knows by some columns.
    Where {
        /// The columns.
        columns: &'a [&'a str],
        /// Who knows them.
        gone: &'a dyn Gone,
    },
    /// Those of days before one, in a column of dates.
    Before {
        /// The column.
        column: &'a str,
        /// The first day that stays, counted since 1970.
        day: i64,
    },
    /// Dead letters, or their replays, by where they were read.
    Letters(&'a [LetterPlace]),
}

/// Knows the rows that leave a table.
pub trait Gone: std::fmt::Debug + Sync {
    /// Of each row of a batch, whether it goes, by the columns that were asked for.
    ///
    /// **Errors:** `Invalid` where the batch lacks one of them.
    fn rows(&self, columns: &[&str], batch: &RecordBatch) -> Result<Vec<bool>>;
}

/// Where a dead letter was read, as `dead_letters` says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterPlace {
    /// The source's name.
    pub source: String,
    /// The topic and partition, or the file.
    pub partition: String,
    /// The offset in it.
    pub offset: u64,
}

/// What an erasure did; nothing where nothing was to be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// The rows that left, masked ones among them.
    pub rows: u64,
    /// The files that held them, relative to the table's folder, ascending.
    pub replaced: Vec<String>,
    /// What was written in their place.
    pub written: Written,
}

impl Table {
    /// Takes rows out of every file of the table, for the writer of `commit.epoch`. Does nothing where
    /// no file holds one.
    ///
    /// **Errors:** `Fenced` where another writer has the table; `Unavailable` where the store is away:
    /// the same call may be made again; `Invalid` for rows that the table cannot have.
    pub async fn erase(&mut self, erasure: Erasure<'_>, commit: &CommitInfo) -> Result<Erased> {
        self.settle().await?;
        self.check_epoch(commit)?;
        // Erasing says nothing about which commits the table has.
        let published = self.txn(&commit.app).unwrap_or(0);
        let mut attempt = self.attempt(&CommitInfo { commit: published, ..commit.clone() }, 0);
        let held = self.held(&Wanted::of(erasure, self.spec.key())?).await?;
        let mut erased = Erased::default();
        let mut adds = Vec::new();
        for (add, live, rows) in held {
            erased.rows += rows.len();
            erased.replaced.push(add.path.clone());
            let live = live.masked_by(live.mask() | rows);
            adds.extend(self.written_anew(&add, &live, &mut attempt).await?);
        }
        if erased.replaced.is_empty() {
            return Ok(erased);
        }
        erased.written = self.finish(attempt, Operation::Erase, adds, &erased.replaced).await?;
        Ok(erased)
    }

    /// The files that hold rows that are wanted, in their order, each with these.
    async fn held(&self, wanted: &Wanted<'_>) -> Result<Vec<(Add, Live, RoaringBitmap)>> {
        let files = self.snapshot.files.values().filter(|add| wanted.may_be_in(add));
        let sources: Vec<_> = files.map(|add| (add.clone(), self.source(add))).collect();
        let looked = stream::iter(sources).map(|(add, source)| async move {
            let live = source.open().await?;
            let rows = wanted.rows(&live).await?;
            Ok::<_, Error>((!rows.is_empty()).then_some((add, live, rows)))
        });
        let looked = looked.buffered(AT_ONCE).try_filter_map(|held| std::future::ready(Ok(held)));
        looked.try_collect().await
    }

    /// Writes the rows of a file that are not masked to another of its kind; `None` where there are
    /// none.
    async fn written_anew(
        &self,
        add: &Add,
        live: &Live,
        attempt: &mut Attempt,
    ) -> Result<Option<Add>> {
        if live.mask().len() >= live.rows() {
            return Ok(None);
        }
        let name = attempt.file_name();
        let mut file = Writer::create(self.store.clone(), &self.folder, name, self.spec)?;
        // A file of a table that only grows is sorted by row group.
        for rows in live.groups() {
            let mut batches = live.read(None, Some(rows))?;
            while let Some(batch) = batches.try_next().await? {
                file.write(batch).await?;
            }
            file.end_row_group().await?;
        }
        file.finish(attempt.commit.time_ms, Tag::of(add)).await.map(Some)
    }
}

/// The rows that are looked for.
enum Wanted<'a> {
    Keys { column: &'static str, gone: Vec<&'a str>, superseded: Vec<&'a str> },
    Superseded,
    Values { column: &'a str, values: BTreeSet<&'a str> },
    Where { columns: &'a [&'a str], gone: &'a dyn Gone },
    Before { column: &'a str, day: i64 },
    Letters(BTreeSet<(&'a str, &'a str, u64)>),
}

impl<'a> Wanted<'a> {
    fn of(erasure: Erasure<'a>, key: Option<&'static str>) -> Result<Self> {
        let ascending = |keys: &'a [String]| -> Vec<&'a str> {
            keys.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
        };
        Ok(match (erasure, key) {
            (Erasure::Keys { gone, superseded }, Some(column)) => {
                let (gone, superseded) = (ascending(gone), ascending(superseded));
                Self::Keys { column, gone, superseded }
            }
            (Erasure::Keys { .. }, None) => {
                return Err(Error::invalid("a table without a key has no rows of a key"));
            }
            (Erasure::Superseded, _) => Self::Superseded,
            (Erasure::Values { column, values }, _) => {
                Self::Values { column, values: values.iter().map(String::as_str).collect() }
            }
            (Erasure::Where { columns, gone }, _) => Self::Where { columns, gone },
            (Erasure::Before { column, day }, _) => Self::Before { column, day },
            (Erasure::Letters(places), _) => {
                let place = |it: &'a LetterPlace| (&*it.source, &*it.partition, it.offset);
                Self::Letters(places.iter().map(place).collect())
            }
        })
    }

    /// Whether a file may hold some, by what the log says of it.
    fn may_be_in(&self, add: &Add) -> bool {
        match self {
            Self::Keys { column, gone, superseded } => {
                let bounds = key_bounds(add, column);
                let is_masked = add.deletion_vector.is_some();
                !keys_between(gone, bounds.as_ref()).is_empty()
                    || is_masked && !keys_between(superseded, bounds.as_ref()).is_empty()
            }
            Self::Superseded => add.deletion_vector.is_some(),
            Self::Values { values, .. } => !values.is_empty(),
            Self::Where { .. } => true,
            // Where nothing is known of a file, it is looked into.
            Self::Before { column, day } => {
                let first = add.statistics()["minValues"][*column].as_str().and_then(days_of);
                first.is_none_or(|first| first < *day)
            }
            Self::Letters(places) => !places.is_empty(),
        }
    }

    /// The rows of a file.
    async fn rows(&self, live: &Live) -> Result<RoaringBitmap> {
        match self {
            Self::Keys { column, gone, superseded } => {
                let past = live.places(column, superseded).await? & live.mask();
                Ok(live.places(column, gone).await? | past)
            }
            Self::Superseded => Ok(live.mask().clone()),
            Self::Values { column, values } => {
                let hit = |batch: &RecordBatch| -> Result<Vec<bool>> {
                    let column = texts(batch, column)?;
                    Ok(column.iter().map(|it| it.is_some_and(|it| values.contains(it))).collect())
                };
                scan(live, &[column], hit).await
            }
            Self::Where { columns, gone } => {
                scan(live, columns, |batch| gone.rows(columns, batch)).await
            }
            Self::Before { column, day } => {
                let hit = |batch: &RecordBatch| -> Result<Vec<bool>> {
                    let dates = batch.column_by_name(column);
                    let dates = dates.and_then(|it| it.as_primitive_opt::<Date32Type>());
                    let dates = dates.ok_or_else(|| not_so(column))?;
                    Ok(dates.iter().map(|it| it.is_some_and(|it| i64::from(it) < *day)).collect())
                };
                scan(live, &[column], hit).await
            }
            Self::Letters(places) => {
                let hit = |batch: &RecordBatch| -> Result<Vec<bool>> {
                    let [source, partition] = [texts(batch, "source")?, texts(batch, "partition")?];
                    let offsets = batch.column_by_name("offset");
                    let offsets = offsets.and_then(|it| it.as_primitive_opt::<Int64Type>());
                    let offsets = offsets.ok_or_else(|| not_so("offset"))?;
                    let at = |row: usize| {
                        let offset = u64::try_from(offsets.value(row)).ok()?;
                        Some((source.value(row), partition.value(row), offset))
                    };
                    let rows = 0..batch.num_rows();
                    Ok(rows.map(|row| at(row).is_some_and(|at| places.contains(&at))).collect())
                };
                scan(live, &["source", "partition", "offset"], hit).await
            }
        }
    }
}

/// The rows of a file, masked or not, that `hit` says yes to, seeing some columns of them.
async fn scan(
    live: &Live,
    columns: &[&str],
    hit: impl Fn(&RecordBatch) -> Result<Vec<bool>>,
) -> Result<RoaringBitmap> {
    let columns: Vec<String> = columns.iter().map(|name| (*name).into()).collect();
    let mut batches = live.masked_by(RoaringBitmap::new()).read(Some(&columns), None)?;
    let (mut found, mut row) = (RoaringBitmap::new(), 0_u32);
    while let Some(batch) = batches.try_next().await? {
        for hit in hit(&batch)? {
            if hit {
                found.insert(row);
            }
            row += 1;
        }
    }
    Ok(found)
}

/// The day of a date as statistics write it, counted since 1970.
fn days_of(text: &str) -> Option<i64> {
    let date: chrono::NaiveDate = text.parse().ok()?;
    Some(date.signed_duration_since(chrono::NaiveDate::default()).num_days())
}

fn texts<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b StringArray> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| not_so(name))
}

fn not_so(name: &str) -> Error {
    Error::invalid(format!("the table has no column {name:?} of that kind"))
}

#[cfg(test)]
mod tests;
