//! Which entry makes a table, and is what stands there that table?

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use serde_json::{Value, json};

use super::log::{CHECKPOINT_INTERVAL, Format, Line, MetaData, Protocol, RETENTION_DAYS, Snapshot};
use super::spec::TableSpec;
use crate::error::{Context, Error, Kind, Result};

/// The entry that creates a table.
pub(super) fn creation(spec: &TableSpec, id: &str, table_id: String) -> Result<Vec<Line>> {
    let schema_string = serde_json::to_string(&spec.delta_schema())
        .context(Kind::Internal, "encode table schema")?;
    let retention = format!("interval {RETENTION_DAYS} days");
    // Should another tool ever rewrite the files, it shall not put personal values into the log
    // either.
    let statistics = match spec.statistics {
        [] => ("delta.dataSkippingNumIndexedCols", "0".into()),
        names => ("delta.dataSkippingStatsColumns", names.join(",")),
    };
    let configuration = [
        ("delta.checkpointInterval", CHECKPOINT_INTERVAL.to_string()),
        ("delta.deletedFileRetentionDuration", retention),
        statistics,
    ];
    let meta_data = MetaData {
        id: table_id,
        name: Some(spec.name.into()),
        description: Some(spec.about.into()),
        format: Format { provider: "parquet".into(), ..Format::default() },
        schema_string,
        partition_columns: Vec::new(),
        configuration: configuration.map(|(key, value)| (key.into(), value)).into(),
        created_time: None,
    };
    let info = json!({
        "timestamp": 0,
        "operation": "CREATE TABLE",
        "operationParameters": {},
        "engineInfo": concat!("onefold/", env!("CARGO_PKG_VERSION")),
        "txnId": id,
    });
    Ok(vec![
        Line { commit_info: Some(info), ..Line::default() },
        Line {
            protocol: Some(Protocol { min_reader_version: 1, min_writer_version: 2 }),
            ..Line::default()
        },
        Line { meta_data: Some(meta_data), ..Line::default() },
    ])
}

/// The entry that adds the columns to a table that it lacks.
pub(super) fn addition(spec: &TableSpec, snapshot: &Snapshot, id: &str) -> Result<Vec<Line>> {
    let schema_string = serde_json::to_string(&spec.delta_schema())
        .context(Kind::Internal, "encode table schema")?;
    let meta_data = MetaData { schema_string, ..snapshot.meta_data.clone() };
    let info = json!({
        "timestamp": 0,
        "operation": "ADD COLUMNS",
        "operationParameters": {},
        "engineInfo": concat!("onefold/", env!("CARGO_PKG_VERSION")),
        "txnId": id,
    });
    Ok(vec![
        Line { commit_info: Some(info), ..Line::default() },
        Line { meta_data: Some(meta_data), ..Line::default() },
    ])
}

/// Whether a table has all columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// It has.
    All,
    /// The last ones, which may be null, were added by a later version of the program.
    Fewer,
}

/// Checks that the table is one that this version of the program can go on with.
pub(super) fn check(spec: &TableSpec, snapshot: &Snapshot) -> Result<Columns> {
    let Protocol { min_reader_version: reader, min_writer_version: writer } = snapshot.protocol;
    if reader > 1 || writer > 2 {
        return Err(Error::data(format!(
            "another tool raised the table's protocol to {reader}/{writer}; 1/2 is known here"
        )));
    }
    let schema: Value = serde_json::from_str(&snapshot.meta_data.schema_string)
        .context(Kind::Data, "read the table's schema")?;
    let (found, wanted) = (columns(&schema), columns(&spec.delta_schema()));
    if found == wanted {
        return Ok(Columns::All);
    }
    let of = |schema: &Value| schema["fields"].as_array().cloned().unwrap_or_default();
    let (fields, wanted_fields) = (of(&found), of(&wanted));
    let may_lack = wanted_fields.iter().skip(fields.len()).all(|field| field["nullable"] == true);
    if !fields.is_empty() && wanted_fields.starts_with(&fields) && may_lack {
        return Ok(Columns::Fewer);
    }
    Err(Error::data(format!(
        "the table has other columns than this version writes ({}); publish to a new folder",
        difference(&found, &wanted)
    )))
}

/// Which columns of two Delta schemas differ.
fn difference(found: &Value, expected: &Value) -> String {
    let fields = |schema: &Value| schema["fields"].as_array().cloned().unwrap_or_default();
    let (found, expected) = (fields(found), fields(expected));
    let named =
        |fields: &[Value], name: &Value| fields.iter().find(|f| f["name"] == *name).cloned();
    let mut told = Vec::new();
    for field in &expected {
        let name = field["name"].as_str().unwrap_or_default();
        match named(&found, &field["name"]) {
            None => told.push(format!("it lacks `{name}`")),
            Some(other) if other != *field => told.push(format!("`{name}` is of another type")),
            Some(_) => {}
        }
    }
    for field in found.iter().filter(|field| named(&expected, &field["name"]).is_none()) {
        told.push(format!("it has `{}`", field["name"].as_str().unwrap_or_default()));
    }
    if told.is_empty() { "they are in another order".to_owned() } else { told.join(", ") }
}

/// A Delta schema without its comments, which may change.
fn columns(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "metadata")
            .map(|(key, value)| (key.clone(), columns(value)))
            .collect(),
        Value::Array(values) => values.iter().map(columns).collect(),
        other => other.clone(),
    }
}

/// Checks that a file has the table's columns, but for last ones that may be null.
pub(super) fn same_schema(expected: &Schema, found: &Schema) -> Result<()> {
    let types = |schema: &Schema| -> Vec<_> {
        schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
    };
    let (wanted, there) = (types(expected), types(found));
    let may_lack = expected.fields().iter().skip(there.len()).all(|field| field.is_nullable());
    if wanted.starts_with(&there) && may_lack {
        return Ok(());
    }
    Err(Error::data("a data file has other columns than its table"))
}

/// The rows of a file with nulls in the columns of `wanted` that it lacks.
pub(super) fn filled(rows: &RecordBatch, wanted: &SchemaRef) -> Result<RecordBatch> {
    let column = |field: &FieldRef| match rows.column_by_name(field.name()) {
        Some(column) => column.clone(),
        None => new_null_array(field.data_type(), rows.num_rows()),
    };
    let columns = wanted.fields().iter().map(column).collect();
    RecordBatch::try_new(wanted.clone(), columns).context(Kind::Data, "read a data file's rows")
}
