//! Which rows of a table are there: all that its files hold, but for the masked ones.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{FieldRef, Fields, Schema, SchemaRef};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use roaring::RoaringBitmap;

use super::layout::Files;
use super::log::Add;
use super::read::{Opened, Reader};
use super::seek::Wanted;
use super::table::Table;
use super::{definition, mask};
use crate::error::{Context, Error, Kind, Result};

/// Files that are opened at once.
pub(super) const AT_ONCE: usize = 8;

/// A data file of a table, to be opened.
#[derive(Clone, Debug)]
pub(super) struct Source {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    schema: SchemaRef,
    add: Add,
}

/// A data file whose footer and mask were read.
#[derive(Clone, Debug)]
pub(super) struct Live {
    opened: Opened,
    schema: SchemaRef,
    mask: RoaringBitmap,
}

impl Source {
    pub(super) async fn open(self) -> Result<Live> {
        self.open_by(Reader::open).await
    }

    /// The same without knowing where each page lies.
    pub(super) async fn open_briefly(self) -> Result<Live> {
        self.open_by(Reader::open_briefly).await
    }

    async fn open_by<F>(self, open: impl FnOnce(Reader) -> F) -> Result<Live>
    where
        F: Future<Output = Result<Opened>>,
    {
        let Self { store, folder, schema, add } = self;
        let mask = match &add.deletion_vector {
            Some(vector) => mask::load(&store, &folder, vector).await?,
            None => RoaringBitmap::new(),
        };
        let path = data_path(&folder, &add)?;
        let bytes = u64::try_from(add.size).context(Kind::Data, "read a data file's size")?;
        let opened = open(Reader { store, path, bytes }).await?;
        definition::same_schema(&schema, opened.schema())?;
        if mask.max().is_some_and(|row| u64::from(row) >= opened.rows()) {
            return Err(Error::data("a deletion vector masks rows that its file has not"));
        }
        Ok(Live { opened, schema, mask })
    }
}

/// Where a data file lies.
pub(super) fn data_path(folder: &Path, add: &Add) -> Result<Path> {
    let name = Path::from_url_path(&add.path).context(Kind::Data, "read a data file's path")?;
    Ok(folder.parts().chain(name.parts()).collect())
}

impl Live {
    /// The rows that are masked.
    pub(super) fn mask(&self) -> &RoaringBitmap {
        &self.mask
    }

    /// How many of the rows of a range are masked.
    pub(super) fn masked_in(&self, range: &Range<u64>) -> Result<u64> {
        let number = |row: u64| u32::try_from(row).context(Kind::Data, "count masked rows");
        Ok(self.mask.range_cardinality(number(range.start)?..number(range.end)?))
    }

    /// How many rows the file has, masked ones among them.
    pub(super) fn rows(&self) -> u64 {
        self.opened.rows()
    }

    /// Reads the rows that are not masked, in order; `columns` chooses among the table's columns,
    /// `range` among the file's rows.
    pub(super) fn read(
        &self,
        columns: Option<&[String]>,
        range: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let asked = |field: &&FieldRef| columns.is_none_or(|c| c.contains(field.name()));
        let wanted: Fields = self.schema.fields().iter().filter(asked).cloned().collect();
        let unknown = |name: &&String| self.schema.index_of(name).is_err();
        if let Some(name) = columns.into_iter().flatten().find(unknown) {
            return Err(Error::invalid(format!("no column {name:?} in the table")));
        }
        // A file of an earlier version of the program lacks the last columns.
        let there: Vec<String> = wanted
            .iter()
            .map(|field| field.name().clone())
            .filter(|name| self.opened.schema().column_with_name(name).is_some())
            .collect();
        let row = |row: u64| usize::try_from(row).context(Kind::Data, "read a data file");
        let mut from = range.as_ref().map_or(0, |range| range.start);
        let range = match range {
            Some(range) => Some(row(range.start)?..row(range.end)?),
            None => None,
        };
        let rows = self.opened.read(Some(&there), range.as_ref().map(std::slice::from_ref))?;
        let (mask, wanted) = (self.mask.clone(), Arc::new(Schema::new(wanted)));
        Ok(rows
            .map(move |rows| {
                let rows = rows?;
                let first = from;
                from += rows.num_rows() as u64;
                definition::filled(&unmasked(rows, first, &mask)?, &wanted)
            })
            .boxed())
    }

    /// Whether the file has a column of the table, which one of an earlier version of the program may lack.
    pub(super) fn has(&self, column: &str) -> bool {
        self.opened.schema().column_with_name(column).is_some()
    }

    /// The rows of the row groups that may hold what is wanted in the leaf of that path.
    pub(super) async fn groups_with(
        &self,
        leaf: &[String],
        wanted: &Wanted,
    ) -> Result<Vec<Range<usize>>> {
        self.opened.groups_with(leaf, wanted).await
    }

    /// Reads one column of some rows, masked or not.
    pub(super) fn column(
        &self,
        column: &str,
        ranges: &[Range<usize>],
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        self.opened.read(Some(&[column.to_owned()]), Some(ranges))
    }

    /// Reads some rows as a whole, whether they are masked or not.
    pub(super) async fn pick(&self, rows: &RoaringBitmap) -> Result<Vec<RecordBatch>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let row = |row: u32| usize::try_from(row).context(Kind::Data, "read a data file");
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for number in rows {
            let number = row(number)?;
            match ranges.last_mut() {
                Some(last) if last.end == number => last.end += 1,
                _ => ranges.push(number..number + 1),
            }
        }
        let batches = self.opened.read(None, Some(&ranges))?;
        batches.and_then(async |rows| definition::filled(&rows, &self.schema)).try_collect().await
    }

    /// The rows that hold some of `keys`, which ascend, and are not masked.
    pub(super) async fn positions(&self, column: &str, keys: &[&str]) -> Result<RoaringBitmap> {
        Ok(self.places(column, keys).await? - &self.mask)
    }

    /// The rows that hold some of `keys`, which ascend, masked or not.
    pub(super) async fn places(&self, column: &str, keys: &[&str]) -> Result<RoaringBitmap> {
        self.opened.positions(column, keys).await
    }

    /// The same file with other rows masked.
    pub(super) fn masked_by(&self, mask: RoaringBitmap) -> Self {
        Self { mask, ..self.clone() }
    }

    /// The rows of each row group.
    pub(super) fn groups(&self) -> Vec<Range<u64>> {
        self.opened.groups()
    }

    /// About how many rows that are not masked lie before each of some leads of keys, which ascend,
    /// and after the one before.
    pub(super) fn live_between(&self, column: &str, leads: &[u32]) -> Result<Vec<u64>> {
        let mut from = 0;
        let ranks = self.opened.ranks_about(column, leads)?;
        let live = ranks.into_iter().map(|to| {
            let number = |row| u32::try_from(row).unwrap_or(u32::MAX);
            let masked = self.mask.range_cardinality(number(from)..number(to));
            let live = (to - from).saturating_sub(masked);
            from = to;
            live
        });
        Ok(live.collect())
    }

    /// The rows whose keys lie from one bound to another, in a file that is sorted.
    pub(super) async fn range(
        &self,
        column: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Range<u64>> {
        let start = match from {
            Some(bound) => self.opened.rank(column, bound).await?,
            None => 0,
        };
        let end = match to {
            Some(bound) => self.opened.rank(column, bound).await?,
            None => self.rows(),
        };
        Ok(start..end.max(start))
    }
}

/// Leaves out the masked ones of rows, the first of which is number `first` of its file.
fn unmasked(rows: RecordBatch, first: u64, mask: &RoaringBitmap) -> Result<RecordBatch> {
    let act = "leave out masked rows";
    let number = |row: u64| u32::try_from(row).context(Kind::Data, act);
    if mask.is_empty() || rows.num_rows() == 0 {
        return Ok(rows);
    }
    let numbers = number(first)?..number(first + rows.num_rows() as u64)?;
    if mask.range_cardinality(numbers.clone()) == 0 {
        return Ok(rows);
    }
    let keep = BooleanBuffer::from_iter(numbers.map(|row| !mask.contains(row)));
    filter_record_batch(&rows, &BooleanArray::new(keep, None)).context(Kind::Internal, act)
}

impl Table {
    pub(super) fn source(&self, add: &Add) -> Source {
        let (store, folder) = (self.store.clone(), self.folder.clone());
        Source { store, folder, schema: self.spec.schema(), add: add.clone() }
    }

    /// Reads all rows, a batch at a time; `columns` chooses among the columns, in the table's
    /// order.
    pub fn scan(&self, columns: Option<&[&str]>) -> BoxStream<'static, Result<RecordBatch>> {
        let columns: Option<Vec<String>> =
            columns.map(|names| names.iter().map(|name| (*name).into()).collect());
        let files: Vec<Source> = self.snapshot.files.values().map(|add| self.source(add)).collect();
        stream::iter(files)
            .then(move |source| {
                let columns = columns.clone();
                async move { source.open().await?.read(columns.as_deref(), None) }
            })
            .try_flatten()
            .try_filter(|rows| std::future::ready(rows.num_rows() > 0))
            .boxed()
    }

    /// Reads the row of a key of an upserted table: a few pages of the files that may hold it.
    pub async fn find(&self, key: &str) -> Result<Option<RecordBatch>> {
        let not_keyed = || Error::internal(format!("table {} has no key", self.spec.name));
        let column = self.spec.key().ok_or_else(not_keyed)?;
        let files = Files::of(&self.snapshot)?.that_may_hold(column, key);
        let sources: Vec<Source> = files.into_iter().map(|add| self.source(add)).collect();
        let mut found = stream::iter(sources)
            .map(|source| async move {
                let live = source.open().await?;
                let row = live.positions(column, &[key]).await?.min();
                Ok::<_, Error>(row.map(|row| (live, u64::from(row))))
            })
            .buffered(AT_ONCE);
        while let Some(place) = found.try_next().await? {
            let Some((live, row)) = place else { continue };
            let rows: Vec<_> = live.read(None, Some(row..row + 1))?.try_collect().await?;
            return Ok(rows.into_iter().find(|batch| batch.num_rows() > 0));
        }
        Ok(None)
    }
}
