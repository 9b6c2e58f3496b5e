//! How do the rows of a data file come back: all of them, some, or where those of some keys are?
//!
//! The key column has small pages and an index of them, so what is read to find rows grows with the
//! rows that are asked for, not with the file.

mod filter;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use roaring::RoaringBitmap;

use super::layout::lead;
use super::store::store_error;
use crate::error::{Context, Error, Kind, Result};

/// Rows that are read at once.
const READ_ROWS: usize = 8192;

/// A file of the store that can be read.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) path: Path,
    pub(super) bytes: u64,
}

/// A file whose footer was read.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    reader: Reader,
    metadata: ArrowReaderMetadata,
}

/// Rows of a file whose key column can be read for itself, and the least and greatest key, where
/// they are known.
struct Page {
    rows: Range<usize>,
    bounds: Option<(Vec<u8>, Vec<u8>)>,
}

impl Page {
    /// How its keys lie about one: before it, after it, or perhaps on both sides.
    fn about(&self, key: &str) -> Ordering {
        match &self.bounds {
            Some((_, greatest)) if greatest.as_slice() < key.as_bytes() => Ordering::Less,
            Some((least, _)) if least.as_slice() > key.as_bytes() => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

impl Reader {
    /// Reads the footer, and where each page lies.
    pub(super) async fn open(self) -> Result<Opened> {
        self.open_with(PageIndexPolicy::Optional).await
    }

    /// Reads the footer alone: rows can be read, but not few of them at the cost of few.
    pub(super) async fn open_briefly(self) -> Result<Opened> {
        self.open_with(PageIndexPolicy::Skip).await
    }

    async fn open_with(mut self, pages: PageIndexPolicy) -> Result<Opened> {
        let options =
            ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(pages);
        let metadata = ArrowReaderMetadata::load_async(&mut self, options).await;
        let metadata = metadata
            .map_err(|error| parquet_error(error).context(format!("open {}", self.path)))?;
        Ok(Opened { reader: self, metadata })
    }
}

impl Opened {
    /// The file's columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// The rows of each row group.
    pub(super) fn groups(&self) -> Vec<Range<u64>> {
        let mut first = 0;
        let groups = self.metadata.metadata().row_groups().iter();
        groups
            .map(|group| {
                let start = first;
                first += u64::try_from(group.num_rows()).unwrap_or(0);
                start..first
            })
            .collect()
    }

    fn builder(&self) -> ParquetRecordBatchStreamBuilder<Reader> {
        let (reader, metadata) = (self.reader.clone(), self.metadata.clone());
        ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata)
    }

    /// Reads rows in order. `columns` chooses among top-level columns, in the file's order;
    /// `ranges` among rows: ascending, and apart.
    pub(super) fn read(
        &self,
        columns: Option<&[String]>,
        ranges: Option<&[Range<usize>]>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let mut builder = self.builder().with_batch_size(READ_ROWS);
        if let Some(names) = columns {
            let index = |name: &String| {
                let found = self.schema().index_of(name);
                found.map_err(|_| Error::invalid(format!("no column {name:?} in the table")))
            };
            let indices = names.iter().map(index).collect::<Result<Vec<_>>>()?;
            let mask = ProjectionMask::roots(builder.parquet_schema(), indices);
            builder = builder.with_projection(mask);
        }
        if let Some(ranges) = ranges {
            let total = usize::try_from(self.rows()).context(Kind::Data, "read a data file")?;
            let selection = RowSelection::from_consecutive_ranges(ranges.iter().cloned(), total);
            builder = builder.with_row_selection(selection);
        }
        Ok(builder.build().map_err(parquet_error)?.map_err(parquet_error).boxed())
    }

    /// The pages of a text column, in order; row groups as a whole where the file says nothing of
    /// its pages.
    fn pages(&self, column: &str) -> Result<Vec<Page>> {
        let parquet = self.metadata.metadata();
        let leaves = self.metadata.parquet_schema().columns();
        let leaf = leaves.iter().position(|leaf| leaf.path().parts() == [column]);
        let leaf = leaf.ok_or_else(|| Error::data(format!("a data file has no {column}")))?;
        let (mut pages, mut first) = (Vec::new(), 0);
        for (group, meta) in parquet.row_groups().iter().enumerate() {
            let end = first + usize::try_from(meta.num_rows()).unwrap_or(0);
            let index = parquet.page_index_for_row_group(group);
            match (index.column_index(leaf), index.page_locations(leaf)) {
                (Some(ColumnIndexMetaData::BYTE_ARRAY(bounds)), Some(places)) => {
                    let start = |at: usize| {
                        let row = places.get(at).map(|place| place.first_row_index);
                        row.and_then(|row| usize::try_from(row).ok()).map_or(end, |row| first + row)
                    };
                    pages.extend((0..places.len()).map(|at| {
                        Page {
                            rows: start(at)..start(at + 1),
                            bounds: bounds
                                .min_value(at)
                                .zip(bounds.max_value(at))
                                .map(|(least, greatest)| (least.to_vec(), greatest.to_vec())),
                        }
                    }));
                }
                _ => pages.push(Page { rows: first..end, bounds: None }),
            }
            first = end;
        }
        Ok(pages)
    }

    /// The rows that hold some of `keys`, which ascend, in the text column `column`.
    pub(super) async fn positions(&self, column: &str, keys: &[&str]) -> Result<RoaringBitmap> {
        let holds = |page: &Page| {
            let from = keys.partition_point(|key| page.about(key) == Ordering::Greater);
            keys.get(from).is_some_and(|key| page.about(key) == Ordering::Equal)
        };
        let pages = self.pages(column)?;
        let pages = pages.into_iter().filter(holds).map(|page| page.rows).collect();
        let mut found = RoaringBitmap::new();
        let (mut at, mut last) = (0, String::new());
        self.each_key(column, pages, |row, key| {
            // Files are sorted; one that were not would only take longer.
            if key < last.as_str() {
                at = keys.partition_point(|wanted| *wanted < key);
            }
            while keys.get(at).is_some_and(|wanted| *wanted < key) {
                at += 1;
            }
            if keys.get(at) == Some(&key) {
                found.insert(row);
            }
            last.clear();
            last.push_str(key);
        })
        .await?;
        Ok(found)
    }

    /// How many rows of a sorted file come before `bound` in the order of the column `column`.
    pub(super) async fn rank(&self, column: &str, bound: &str) -> Result<u64> {
        let mut before = 0;
        let mut unsure = Vec::new();
        for page in self.pages(column)? {
            match page.about(bound) {
                Ordering::Less => before += page.rows.len() as u64,
                Ordering::Equal => unsure.push(page.rows),
                Ordering::Greater => {}
            }
        }
        self.each_key(column, unsure, |_, key| before += u64::from(key < bound)).await?;
        Ok(before)
    }

    /// About how many rows of a sorted file come before each of some leads of hashes, which ascend:
    /// as far as can be told without reading.
    pub(super) fn ranks_about(&self, column: &str, leads: &[u32]) -> Result<Vec<u64>> {
        let pages = self.pages(column)?;
        let (mut page, mut before) = (0, 0);
        let mut ranks = Vec::with_capacity(leads.len());
        for bound in leads.iter().map(|bound| u64::from(*bound)) {
            let mut rank = None;
            while let Some(Page { rows, bounds }) = pages.get(page) {
                let lead = |key: &Vec<u8>| u64::from(lead(key).unwrap_or(0));
                let (least, greatest) =
                    bounds.as_ref().map_or((0, 0xffff), |(a, b)| (lead(a), lead(b)));
                if greatest >= bound {
                    let part = (rows.len() as u64) * bound.saturating_sub(least);
                    rank = Some(before + part / (greatest - least + 1));
                    break;
                }
                before += rows.len() as u64;
                page += 1;
            }
            ranks.push(rank.unwrap_or(before));
        }
        Ok(ranks)
    }

    /// Tells the keys of some rows, with the number of each.
    async fn each_key(
        &self,
        column: &str,
        ranges: Vec<Range<usize>>,
        mut tell: impl FnMut(u32, &str),
    ) -> Result<()> {
        if ranges.is_empty() {
            return Ok(());
        }
        let mut batches = self.read(Some(&[column.to_owned()]), Some(&ranges))?;
        let mut numbers = ranges.into_iter().flatten();
        while let Some(batch) = batches.try_next().await? {
            let keys = batch.column(0).as_string_opt::<i32>();
            let keys = keys.ok_or_else(|| Error::data("the keys of a data file are no texts"))?;
            for key in keys {
                let number = numbers.next().and_then(|row| u32::try_from(row).ok());
                let (Some(number), Some(key)) = (number, key) else {
                    return Err(Error::data("a data file has other rows than it says"));
                };
                tell(number, key);
            }
        }
        Ok(())
    }
}

/// What cannot be fetched is away; what cannot be decoded is damaged.
fn parquet_error(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<object_store::Error>() {
            Ok(source) => store_error("read data file", *source),
            Err(source) => Error::unavailable("read data file").caused_by(source),
        },
        error => Error::data("read data file").caused_by(error),
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new()
                .with_prefetch_hint(Some(64 << 10))
                .with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
