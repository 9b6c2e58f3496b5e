//! How do rows become one Parquet file?
//!
//! Encoding is work for the processor, so it leaves the runtime. What is encoded goes to the store
//! a row group at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use bytes::Bytes;
use chrono::{DateTime, Datelike, Utc};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;

use super::log::Add;
use super::spec::TableSpec;
use super::store::store_error;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around_async};

/// Rows in a row group at most.
pub(super) const ROW_GROUP_ROWS: usize = 122_880;
/// Encoded bytes in a row group at most, for tables whose rows are large: a writer holds a row group
/// twice while it ends it.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Rows in a page of any column at most: to fetch one row, a page of each column is read.
const PAGE_ROWS: usize = 4_096;

/// Rows in a page of the key column of a table whose rows are replaced: to find a few keys, as many
/// pages are read.
pub(super) const KEY_PAGE_ROWS: usize = 256;

/// How often a Bloom filter says that a row group may hold a value that it does not.
const FALSE_POSITIVES: f64 = 0.01;
/// Values of a row of a list at most, on average, for which a filter is as good as that. Filters are
/// folded to the size that the values really need, so this costs memory while a file is written.
const LIST_VALUES: u64 = 8;

/// What all our Parquet files have in common.
pub(super) fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a level of zstd")))
        .set_created_by(concat!("onefold version ", env!("CARGO_PKG_VERSION")).into())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
}

pub(super) fn table_properties(spec: &TableSpec) -> WriterProperties {
    let mut properties = properties().set_data_page_row_count_limit(PAGE_ROWS);
    for (path, column) in spec.leaves() {
        let (is_list, path) = (path.len() > 1, ColumnPath::new(path));
        if column.few_values {
            properties = properties.set_column_dictionary_enabled(path.clone(), true);
        }
        if column.filtered {
            let values = if is_list { LIST_VALUES } else { 1 } * ROW_GROUP_ROWS as u64;
            properties = properties
                .set_column_bloom_filter_fpp(path.clone(), FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path, values);
        }
    }
    for name in spec.statistics {
        let path = ColumnPath::new(vec![(*name).into()]);
        properties = properties.set_column_statistics_enabled(path, EnabledStatistics::Page);
    }
    if let Some(key) = spec.key() {
        let path = ColumnPath::new(vec![key.into()]);
        properties = properties
            .set_write_batch_size(KEY_PAGE_ROWS)
            .set_column_data_page_row_count_limit(path, KEY_PAGE_ROWS);
    }
    properties.build()
}

/// A data file that is being written.
pub(super) struct Writer {
    name: String,
    /// Away while a batch is being encoded, and for good after a failure.
    encoder: Option<ArrowWriter<Vec<u8>>>,
    upload: BufWriter,
    rows: u64,
    bytes: u64,
    bounds: Bounds,
}

impl Writer {
    /// Starts file `name` in the folder of a table.
    pub(super) fn create(
        store: Arc<dyn ObjectStore>,
        folder: &Path,
        name: String,
        spec: &'static TableSpec,
    ) -> Result<Self> {
        let options = ArrowWriterOptions::new()
            .with_properties(table_properties(spec))
            .with_skip_arrow_metadata(true);
        let encoder = ArrowWriter::try_new_with_options(Vec::new(), spec.schema(), options)
            .context(Kind::Internal, "start Parquet file")?;
        let upload = BufWriter::new(store, folder.clone().join(name.as_str()));
        let bounds = Bounds { columns: spec.statistics, values: BTreeMap::new() };
        Ok(Self { name, encoder: Some(encoder), upload, rows: 0, bytes: 0, bounds })
    }

    /// How many rows were written so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds rows.
    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.bounds.extend(&batch)?;
        self.encode(move |encoder| encoder.write(&batch)).await
    }

    /// Ends the row group.
    pub(super) async fn end_row_group(&mut self) -> Result<()> {
        self.encode(ArrowWriter::flush).await
    }

    /// Ends the file; when this returns, it is stored durably.
    pub(super) async fn finish(mut self, time_ms: i64, tag: Option<Tag>) -> Result<Add> {
        self.encode(|encoder| encoder.finish().map(|_| ())).await?;
        let put = around_async(Step::DataFile, self.upload.shutdown()).await;
        put.context(Kind::Unavailable, format!("put data file {}", self.name))?;
        Ok(Add {
            path: self.name,
            partition_values: BTreeMap::new(),
            size: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            modification_time: time_ms,
            data_change: true,
            stats: Some(self.bounds.statistics(self.rows).to_string()),
            tags: tag.map(Tag::tags),
            deletion_vector: None,
        })
    }

    async fn encode(
        &mut self,
        work: impl FnOnce(&mut ArrowWriter<Vec<u8>>) -> ParquetResult<()> + Send + 'static,
    ) -> Result<()> {
        let gone = || Error::internal("a data file that failed is written on");
        let mut encoder = self.encoder.take().ok_or_else(gone)?;
        let encoded = tokio::task::spawn_blocking(move || {
            work(&mut encoder)?;
            let bytes = std::mem::take(encoder.inner_mut());
            Ok::<_, ParquetError>((encoder, bytes))
        });
        let (encoder, bytes) = encoded
            .await
            .context(Kind::Internal, "encode rows")?
            .context(Kind::Internal, "encode rows")?;
        self.encoder = Some(encoder);
        self.bytes += bytes.len() as u64;
        if bytes.is_empty() {
            return Ok(());
        }
        let put = self.upload.put(Bytes::from(bytes)).await;
        put.map_err(|error| store_error(format!("put data file {}", self.name), error))
    }
}

/// What a file is in a table whose rows are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// It holds the rows of an id range: of bucket `i` of `2^bits`.
    Bucket(u32, u32),
    /// It holds rows of any range that came later.
    Run,
}

const BUCKET_TAG: &str = "onefold.bucket";
const RUN_TAG: &str = "onefold.run";

impl Tag {
    fn tags(self) -> BTreeMap<String, Option<String>> {
        let (name, value) = match self {
            Self::Bucket(bits, i) => (BUCKET_TAG, format!("{bits}/{i}")),
            Self::Run => (RUN_TAG, "1".to_owned()),
        };
        BTreeMap::from([(name.to_owned(), Some(value))])
    }

    /// What a file's tags say; `None` where they are not of this program's making.
    pub(super) fn of(add: &Add) -> Option<Self> {
        let tags = add.tags.as_ref()?;
        if tags.contains_key(RUN_TAG) {
            return Some(Self::Run);
        }
        let (bits, i) = tags.get(BUCKET_TAG)?.as_deref()?.split_once('/')?;
        Some(Self::Bucket(bits.parse().ok()?, i.parse().ok()?))
    }
}

/// The least and greatest values of the columns that have statistics.
struct Bounds {
    columns: &'static [&'static str],
    /// Nothing for a column that has a value which the log cannot state.
    values: BTreeMap<&'static str, Option<(Value, Value)>>,
}

impl Bounds {
    fn extend(&mut self, batch: &RecordBatch) -> Result<()> {
        for name in self.columns {
            let column = batch.column_by_name(name);
            let column = column.ok_or_else(|| Error::internal(format!("no column {name}")))?;
            if column.is_empty() {
                continue;
            }
            let new = bounds(column);
            match self.values.get_mut(name) {
                None => _ = self.values.insert(name, new),
                Some(known) => *known = known.take().zip(new).map(|(a, b)| wider(a, b)),
            }
        }
        Ok(())
    }

    fn statistics(&self, rows: u64) -> Value {
        let known = || self.values.iter().filter_map(|(name, both)| Some((*name, both.as_ref()?)));
        let side = |of: fn(&(Value, Value)) -> &Value| -> Map<String, Value> {
            known().map(|(name, both)| (name.into(), of(both).clone())).collect()
        };
        let nulls: Map<String, Value> = known().map(|(name, _)| (name.into(), json!(0))).collect();
        json!({
            "numRecords": rows,
            "minValues": side(|both| &both.0),
            "maxValues": side(|both| &both.1),
            "nullCount": nulls,
        })
    }
}

fn wider(a: (Value, Value), b: (Value, Value)) -> (Value, Value) {
    let least = if order(&b.0) < order(&a.0) { b.0 } else { a.0 };
    let greatest = if order(&b.1) > order(&a.1) { b.1 } else { a.1 };
    (least, greatest)
}

/// Texts, numbers, days and times (all of one width) order as their JSON does.
fn order(value: &Value) -> (Option<i64>, Option<&str>) {
    (value.as_i64(), value.as_str())
}

/// The least and greatest value of a column, as the Delta log writes them; `None` of an empty one.
fn bounds(column: &ArrayRef) -> Option<(Value, Value)> {
    let both = match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            (json!(compute::min_string(texts)?), json!(compute::max_string(texts)?))
        }
        DataType::Int64 => {
            let longs = column.as_primitive::<Int64Type>();
            (json!(compute::min(longs)?), json!(compute::max(longs)?))
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>();
            (day(compute::min(days)?)?, day(compute::max(days)?)?)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            (time(compute::min(times)?)?, time(compute::max(times)?)?)
        }
        _ => return None,
    };
    Some(both)
}

fn day(days: i32) -> Option<Value> {
    let day = DateTime::from_timestamp(i64::from(days) * 86_400, 0).filter(has_four_digits)?;
    Some(json!(day.format("%Y-%m-%d").to_string()))
}

fn time(micros: i64) -> Option<Value> {
    time_text(micros).map(Value::String)
}

/// A time as the log's statistics write it: texts order as times do. `None` for one of other than four digits of a year.
pub(super) fn time_text(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros).filter(has_four_digits)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

fn has_four_digits(time: &DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}
