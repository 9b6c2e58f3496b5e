//! Where are the few rows that hold some values, in a table that is not sorted by them?
//!
//! ```text
//! files → row groups that may hold one (Bloom filters) → rows that do (one column) → these rows, as a whole
//! ```
//!
//! So what is read goes with the rows that are found and, little, with the number of files. Masked rows are not found.
//! Files without filters, of earlier versions of the program, give the same rows, later; those that lack the column
//! give all their rows: whoever asks looks at them once more.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use roaring::RoaringBitmap;
use rustc_hash::FxHashSet;

use super::file;
use super::layout::key_bounds;
use super::live::{AT_ONCE, Live, Source};
use super::log::Add;
use super::spec::Type;
use super::table::Table;
use crate::error::{Context, Error, Kind, Result};

/// The values that rows are looked for by.
#[derive(Clone)]
pub enum Wanted {
    /// A column of texts holds one of these.
    Texts(BTreeSet<String>),
    /// A list of one number an entry holds all numbers of one of these sets.
    Numbers(Vec<Vec<i32>>),
}

/// The bytes of a value, as filters hash them.
pub(super) enum Bytes<'a> {
    Text(&'a str),
    Number([u8; 4]),
}

impl AsRef<[u8]> for Bytes<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Number(bytes) => bytes,
        }
    }
}

impl Wanted {
    /// The sets of which a row must hold one as a whole.
    pub(super) fn sets(&self) -> impl Iterator<Item = impl Iterator<Item = Bytes<'_>>> {
        let (texts, numbers) = match self {
            Self::Texts(texts) => (Some(texts), None),
            Self::Numbers(sets) => (None, Some(sets)),
        };
        let texts = texts.into_iter().flatten().map(|text| (Some(Bytes::Text(text)), &[][..]));
        let numbers = numbers.into_iter().flatten().map(|set| (None, &set[..]));
        texts.chain(numbers).map(|(text, set)| {
            text.into_iter().chain(set.iter().map(|number| Bytes::Number(number.to_le_bytes())))
        })
    }

    /// Whether some may lie within the bounds of a file, where it has any.
    fn may_lie_between(&self, bounds: Option<(String, String)>) -> bool {
        match (self, bounds) {
            (Self::Texts(texts), Some((least, greatest))) => {
                texts.range(least..).next().is_some_and(|text| *text <= greatest)
            }
            _ => true,
        }
    }

    /// Which rows of a batch, whose first column is the one that is looked at, hold one.
    fn hits(&self, batch: &RecordBatch) -> Result<Vec<usize>> {
        let other = || Error::data("a column that is looked up is of another type");
        let column = batch.columns().first().ok_or_else(other)?;
        match self {
            Self::Texts(texts) => {
                let column = column.as_string_opt::<i32>().ok_or_else(other)?;
                let texts: FxHashSet<&str> = texts.iter().map(String::as_str).collect();
                let holds =
                    |row: &usize| column.is_valid(*row) && texts.contains(column.value(*row));
                Ok((0..column.len()).filter(holds).collect())
            }
            Self::Numbers(sets) => {
                let lists = column.as_list_opt::<i32>().ok_or_else(other)?;
                let entries = lists.values().as_struct_opt().ok_or_else(other)?;
                let numbers = entries.columns().first();
                let numbers = numbers.and_then(|it| it.as_primitive_opt::<Int32Type>());
                let numbers = numbers.ok_or_else(other)?.values();
                let ends = lists.value_offsets();
                let within = |row: usize| ends[row] as usize..ends[row + 1] as usize;
                let mut hits = BTreeSet::new();
                // Rows are looked at only where a set's last number stands: of a name, the surname.
                for (set, last) in sets.iter().filter_map(|set| Some((set, set.last()?))) {
                    let places = numbers.iter().enumerate().filter(|(_, number)| *number == last);
                    let rows = places.filter_map(|(place, _)| {
                        ends.partition_point(|end| *end as usize <= place).checked_sub(1)
                    });
                    hits.extend(rows.filter(|row| *row < lists.len()).filter(|row| {
                        let own = &numbers[within(*row)];
                        set.iter().all(|number| own.contains(number))
                    }));
                }
                Ok(hits.into_iter().collect())
            }
        }
    }
}

/// What a file holds of what is looked for.
enum Found {
    Rows(Vec<RecordBatch>),
    /// It cannot say: all its rows.
    All(Live),
}

impl Table {
    /// The rows that hold what is wanted in a column, as a whole, in the order of files and rows.
    ///
    /// **Errors:** `Invalid` for a column that the table has not; `Unavailable` where the store is away.
    pub fn seek(&self, column: &str, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let looked = self.look(column, wanted, self.snapshot.files.values().collect());
        looked
            .and_then(async |found| match found {
                Found::Rows(batches) => Ok(stream::iter(batches.into_iter().map(Ok)).boxed()),
                Found::All(live) => live.read(None, None),
            })
            .try_flatten()
            .boxed()
    }

    /// Of the rows that [`Table::seek`] finds, the latest by a column of times that has statistics: at least `count`
    /// where there are as many, in no order. Files of earlier times are not looked at.
    ///
    /// **Errors:** as of [`Table::seek`].
    pub async fn seek_latest(
        &self,
        column: &str,
        wanted: Wanted,
        (time, count): (&str, usize),
    ) -> Result<Vec<RecordBatch>> {
        let latest = |add: &Add| key_bounds(add, time).map(|(_, latest)| latest);
        let mut files: Vec<_> =
            self.snapshot.files.values().map(|add| (latest(add), add)).collect();
        // One that says nothing may hold any time.
        files.sort_by(|a, b| {
            (b.0.is_none(), &b.0, &a.1.path).cmp(&(a.0.is_none(), &a.0, &b.1.path))
        });
        let (ends, files): (Vec<_>, Vec<&Add>) = files.into_iter().unzip();
        let mut looked = self.look(column, wanted, files);
        let (mut batches, mut times): (Vec<RecordBatch>, Vec<String>) = (Vec::new(), Vec::new());
        for end in ends {
            let oldest = count.checked_sub(1).and_then(|last| times.get(last));
            if count == 0 || oldest.zip(end.as_ref()).is_some_and(|(oldest, end)| end < oldest) {
                break;
            }
            let found = match looked.try_next().await? {
                Some(Found::Rows(batches)) => batches,
                Some(Found::All(live)) => live.read(None, None)?.try_collect().await?,
                None => break,
            };
            for batch in &found {
                let of_batch = batch.column_by_name(time);
                let of_batch =
                    of_batch.and_then(|it| it.as_primitive_opt::<TimestampMicrosecondType>());
                let of_batch = of_batch.ok_or_else(|| Error::data("times are of another type"))?;
                times.extend(of_batch.iter().flatten().filter_map(file::time_text));
            }
            times.sort_unstable_by(|a, b| b.cmp(a));
            batches.extend(found);
        }
        Ok(batches)
    }

    /// Looks into files, some at once, each on a task of its own.
    fn look(
        &self,
        column: &str,
        wanted: Wanted,
        files: Vec<&Add>,
    ) -> BoxStream<'static, Result<Found>> {
        let spec = self.spec.columns.iter().find(|it| it.name == column);
        let Some(spec) = spec else {
            let unknown = Error::invalid(format!("no column {column:?} in the table"));
            return stream::iter([Err(unknown)]).boxed();
        };
        let leaf: Vec<String> = match &spec.kind {
            Type::List([entry]) => {
                [column, "list", "element", entry.name].map(str::to_owned).into()
            }
            _ => vec![column.to_owned()],
        };
        let sources: Vec<_> = files
            .into_iter()
            .map(|add| (wanted.may_lie_between(key_bounds(add, column)), self.source(add)))
            .collect();
        let is_key = self.spec.key() == Some(column);
        let asked = Arc::new(Asked { column: column.to_owned(), leaf, is_key, wanted });
        let looked = stream::iter(sources).map(move |(may_hold, source)| {
            let asked = Arc::clone(&asked);
            let task = may_hold.then(|| tokio::spawn(async move { asked.look_into(source).await }));
            async move {
                match task {
                    Some(task) => task.await.context(Kind::Internal, "look into a data file")?,
                    None => Ok(Found::Rows(Vec::new())),
                }
            }
        });
        looked.buffered(AT_ONCE).boxed()
    }
}

/// What each file is asked.
struct Asked {
    column: String,
    /// The path of the leaf that has the values.
    leaf: Vec<String>,
    /// Whether files are sorted by the column.
    is_key: bool,
    wanted: Wanted,
}

impl Asked {
    async fn look_into(&self, source: Source) -> Result<Found> {
        if let (true, Wanted::Texts(keys)) = (self.is_key, &self.wanted) {
            let live = source.open().await?;
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let rows = live.positions(&self.column, &keys).await?;
            return live.pick(&rows).await.map(Found::Rows);
        }
        let live = source.clone().open_briefly().await?;
        if !live.has(&self.column) {
            return Ok(Found::All(live));
        }
        let groups = live.groups_with(&self.leaf, &self.wanted).await?;
        let rows = rows_in(&live, &self.column, &groups, &self.wanted).await? - live.mask();
        if rows.is_empty() {
            return Ok(Found::Rows(Vec::new()));
        }
        // Where each page lies is read only now: it is as long as all the rest of a footer.
        source.open().await?.pick(&rows).await.map(Found::Rows)
    }
}

/// The rows of some ranges that hold what is wanted, masked or not.
async fn rows_in(
    live: &Live,
    column: &str,
    ranges: &[Range<usize>],
    wanted: &Wanted,
) -> Result<RoaringBitmap> {
    if ranges.is_empty() {
        return Ok(RoaringBitmap::new());
    }
    let mut batches = live.column(column, ranges)?;
    let mut numbers = ranges.iter().cloned().flatten();
    let mut found = RoaringBitmap::new();
    while let Some(batch) = batches.try_next().await? {
        let mut before = 0;
        for hit in wanted.hits(&batch)? {
            let number = numbers.nth(hit - before).and_then(|row| u32::try_from(row).ok());
            found.insert(number.ok_or_else(|| Error::data("a data file has too many rows"))?);
            before = hit + 1;
        }
        let rest = batch.num_rows() - before;
        if rest > 0 {
            numbers.nth(rest - 1);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
