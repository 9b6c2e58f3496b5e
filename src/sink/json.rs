//! Rows as JSON, for people and for programs that ask about a few.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use serde_json::Value;

use crate::error::{Context, Kind, Result};

/// Rows as JSON objects: times as RFC 3339 in UTC, bytes as hexadecimal digits, no member for a null.
///
/// **Errors:** `Internal` where a column cannot be written as JSON.
pub fn json_rows(batch: &RecordBatch) -> Result<Vec<Value>> {
    let act = "write rows as JSON";
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column = cast(column, &with_offset(field.data_type()))?;
        Ok((field.name(), column, field.is_nullable()))
    });
    let columns: Result<Vec<_>, arrow::error::ArrowError> = columns.collect();
    let columns = columns.context(Kind::Internal, act)?;
    let rows = RecordBatch::try_from_iter_with_nullable(columns).context(Kind::Internal, act)?;
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(&rows).context(Kind::Internal, act)?;
    writer.finish().context(Kind::Internal, act)?;
    let lines = writer.into_inner();
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).context(Kind::Internal, act)).collect()
}

/// The type with UTC written as an offset: the names of time zones would want their database.
fn with_offset(kind: &DataType) -> DataType {
    let field = |field: &Arc<Field>| {
        Arc::new(field.as_ref().clone().with_data_type(with_offset(field.data_type())))
    };
    match kind {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        DataType::List(entry) => DataType::List(field(entry)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, ArrayRef, ListArray, StructArray, TimestampMicrosecondArray};
    use arrow::buffer::OffsetBuffer;

    use super::*;
    use crate::sink::tables;

    /// Every type that a table may have, so that no column keeps a row from being shown.
    #[test]
    fn rows_of_every_table_can_be_written() {
        for spec in [
            &tables::PROFILES,
            &tables::IDENTITY_MAP,
            &tables::IDENTITY_CHANGES,
            &tables::INTERACTIONS,
            &tables::DEAD_LETTERS,
        ] {
            let schema = spec.schema();
            let columns = schema.fields().iter().map(|field| {
                let column = arrow::array::new_null_array(field.data_type(), 1);
                (field.name(), column, true)
            });
            let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
            assert_eq!(json_rows(&batch).unwrap(), [serde_json::json!({})], "{}", spec.name);
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        let times = TimestampMicrosecondArray::from(vec![1_704_067_200_000_001]);
        let column: ArrayRef = Arc::new(times.with_timezone("UTC"));
        let entry = StructArray::from(vec![(
            Arc::new(Field::new("at", column.data_type().clone(), false)),
            Arc::clone(&column),
        )]);
        let element = Arc::new(Field::new("element", entry.data_type().clone(), false));
        let list = ListArray::new(element, OffsetBuffer::from_lengths([1]), Arc::new(entry), None);
        let columns = [("at", column), ("list", Arc::new(list) as ArrayRef)];
        let rows = json_rows(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let at = "2024-01-01T00:00:00.000001Z";
        assert_eq!(rows, [serde_json::json!({ "at": at, "list": [{ "at": at }] })]);
    }
}
