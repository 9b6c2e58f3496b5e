//! Parquet: each row as a JSON object of column name to value; a null is absent.
//!
//! Numbers stay numbers and texts texts; dates and times become ISO 8601, decimals and all else
//! their usual text.

use std::io::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatchReader as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::location::Chunks;
use super::{Failure, Row};

/// Rows that are in memory at a time.
const ROWS: usize = 1024;

const UTC: &str = "+00:00";

/// The rows of one file.
pub(super) struct ParquetRows {
    chunks: Chunks,
    reader: ParquetRecordBatchReader,
    total: u64,
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
    at: usize,
    limit: usize,
}

impl ParquetRows {
    pub(super) fn new(chunks: Chunks, limit: usize) -> Result<Self, Failure> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(chunks.clone())?;
        let total = u64::try_from(builder.metadata().file_metadata().num_rows())?;
        let reader = builder.with_batch_size(ROWS).build()?;
        let schema = reader.schema();
        Ok(Self { chunks, reader, total, schema, columns: Vec::new(), rows: 0, at: 0, limit })
    }

    /// Passes over rows without reading their pages; before the first row only.
    pub(super) fn skip(&mut self, rows: u64) -> Result<u64, Failure> {
        if rows == 0 {
            return Ok(0);
        }
        let skipped = rows.min(self.total);
        let builder = ParquetRecordBatchReaderBuilder::try_new(self.chunks.clone())?;
        let builder = builder.with_offset(usize::try_from(skipped)?);
        self.reader = builder.with_batch_size(ROWS).build()?;
        Ok(skipped)
    }

    pub(super) fn next(&mut self) -> Result<Option<Option<Row>>, Failure> {
        while self.at == self.rows {
            let Some(batch) = self.reader.next() else { return Ok(None) };
            let batch = batch?;
            self.columns = batch.columns().iter().map(plain).collect::<Result<_, _>>()?;
            (self.rows, self.at) = (batch.num_rows(), 0);
        }
        let mut json = Vec::with_capacity(256);
        let names = self.schema.fields().iter().map(|field| field.name().as_str());
        object(&mut json, names.zip(&self.columns), self.at)?;
        self.at += 1;
        if json.len() > self.limit {
            return Ok(Some(Some(Row::too_large(&json, self.limit))));
        }
        Ok(Some(Some(Row::whole(json))))
    }
}

fn object<'c>(
    json: &mut Vec<u8>,
    columns: impl Iterator<Item = (&'c str, &'c ArrayRef)>,
    row: usize,
) -> Result<(), Failure> {
    json.push(b'{');
    let mut separate = false;
    for (name, column) in columns.filter(|(_, column)| is_there(column, row)) {
        if std::mem::replace(&mut separate, true) {
            json.push(b',');
        }
        serde_json::to_writer(&mut *json, name)?;
        json.push(b':');
        value(json, column, row)?;
    }
    json.push(b'}');
    Ok(())
}

fn is_there(column: &ArrayRef, row: usize) -> bool {
    !matches!(column.data_type(), DataType::Null) && column.is_valid(row)
}

/// A column as it is written. Dictionaries hide nulls among their values and cost a lookup a row:
/// unpacks them. A timestamp's zone is for people to read it in, and its name may be unknown here:
/// takes UTC.
fn plain(column: &ArrayRef) -> Result<ArrayRef, Failure> {
    Ok(match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values)?,
        DataType::Timestamp(unit, Some(_)) => {
            cast(column, &DataType::Timestamp(*unit, Some(UTC.into())))?
        }
        _ => column.clone(),
    })
}

fn value(json: &mut Vec<u8>, column: &ArrayRef, row: usize) -> Result<(), Failure> {
    match column.data_type() {
        DataType::Utf8 => text(json, column.as_string::<i32>().value(row)),
        DataType::Utf8View => text(json, column.as_string_view().value(row)),
        DataType::Struct(fields) => {
            let parts = column.as_struct();
            let names = fields.iter().map(|field| field.name().as_str());
            object(json, names.zip(parts.columns()), row)
        }
        DataType::List(_) => list(json, &column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(json, &column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(json, &column.as_fixed_size_list().value(row)),
        // Within a list or an object; a column is plain already.
        DataType::Dictionary(..) => value(json, &plain(&column.slice(row, 1))?, 0),
        DataType::Timestamp(_, Some(zone)) if **zone != *UTC => {
            value(json, &plain(&column.slice(row, 1))?, 0)
        }
        other => {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &options)?;
            let written = formatter.value(row).try_to_string()?;
            // NaN and the infinities are no JSON numbers.
            let digits = written.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
            let number = (other.is_integer() || other.is_floating()) && digits;
            if number || other == &DataType::Boolean {
                return Ok(json.write_all(written.as_bytes())?);
            }
            text(json, &written)
        }
    }
}

fn text(json: &mut Vec<u8>, text: &str) -> Result<(), Failure> {
    Ok(serde_json::to_writer(json, text)?)
}

fn list(json: &mut Vec<u8>, elements: &ArrayRef) -> Result<(), Failure> {
    json.push(b'[');
    for row in 0..elements.len() {
        if row > 0 {
            json.push(b',');
        }
        if is_there(elements, row) {
            value(json, elements, row)?;
        } else {
            json.extend_from_slice(b"null");
        }
    }
    json.push(b']');
    Ok(())
}
