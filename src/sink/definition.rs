//! Which entry makes a table, and is what stands there that table?

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use serde_json::{Value, json};

use super::log::{CHECKPOINT_INTERVAL, Format, Line, MetaData, Protocol, RETENTION_DAYS, Snapshot};
use super::spec::TableSpec;
use crate::error::{Context, Error, Kind, Result};

/// The property that lets writers mask rows.
const VECTORS_PROPERTY: &str = "delta.enableDeletionVectors";
/// What a reader of a table must know whose rows are replaced.
const READER_FEATURES: [&str; 1] = ["deletionVectors"];
/// And a writer: the others are those of the version before.
const WRITER_FEATURES: [&str; 3] = ["appendOnly", "deletionVectors", "invariants"];

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
    let mut configuration = vec![
        ("delta.checkpointInterval", CHECKPOINT_INTERVAL.to_string()),
        ("delta.deletedFileRetentionDuration", retention),
        statistics,
    ];
    if spec.key().is_some() {
        configuration.push((VECTORS_PROPERTY, "true".into()));
    }
    let meta_data = MetaData {
        id: table_id,
        name: Some(spec.name.into()),
        description: Some(spec.about.into()),
        format: Format { provider: "parquet".into(), ..Format::default() },
        schema_string,
        partition_columns: Vec::new(),
        configuration: configuration.into_iter().map(|(key, value)| (key.into(), value)).collect(),
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
        Line { protocol: Some(protocol(spec)), ..Line::default() },
        Line { meta_data: Some(meta_data), ..Line::default() },
    ])
}

/// What readers and writers of a table must be able to do: only where rows are replaced, to see
/// which of a file's rows are masked.
fn protocol(spec: &TableSpec) -> Protocol {
    if spec.key().is_none() {
        let (reader_features, writer_features) = (None, None);
        let (min_reader_version, min_writer_version) = (1, 2);
        return Protocol {
            min_reader_version,
            min_writer_version,
            reader_features,
            writer_features,
        };
    }
    let features = |names: &[&str]| Some(names.iter().map(|name| (*name).into()).collect());
    Protocol {
        min_reader_version: 3,
        min_writer_version: 7,
        reader_features: features(&READER_FEATURES),
        writer_features: features(&WRITER_FEATURES),
    }
}

/// The entry that makes a table what this version of the program would create: adds the columns that
/// it lacks, and says that rows may be masked from here on.
pub(super) fn addition(spec: &TableSpec, snapshot: &Snapshot, id: &str) -> Result<Vec<Line>> {
    let schema_string = serde_json::to_string(&spec.delta_schema())
        .context(Kind::Internal, "encode table schema")?;
    let mut configuration = snapshot.meta_data.configuration.clone();
    if spec.key().is_some() {
        configuration.insert(VECTORS_PROPERTY.into(), "true".into());
    }
    let meta_data = MetaData { schema_string, configuration, ..snapshot.meta_data.clone() };
    let protocol = Some(protocol(spec)).filter(|protocol| *protocol != snapshot.protocol);
    let info = json!({
        "timestamp": 0,
        "operation": if protocol.is_some() { "UPGRADE PROTOCOL" } else { "ADD COLUMNS" },
        "operationParameters": {},
        "engineInfo": concat!("onefold/", env!("CARGO_PKG_VERSION")),
        "txnId": id,
    });
    let mut lines = vec![Line { commit_info: Some(info), ..Line::default() }];
    lines.extend(protocol.map(|protocol| Line { protocol: Some(protocol), ..Line::default() }));
    lines.push(Line { meta_data: Some(meta_data), ..Line::default() });
    Ok(lines)
}

/// Whether a table is what this version of the program would create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is.
    Present,
    /// An earlier version of the program made it: it lacks the last columns, which may be null, or
    /// its rows cannot be masked yet.
    Earlier,
}

/// Checks that the table is one that this version of the program can go on with.
pub(super) fn check(spec: &TableSpec, snapshot: &Snapshot) -> Result<Standing> {
    let protocol = check_protocol(spec, snapshot)?;
    let columns = check_columns(spec, snapshot)?;
    let present = (protocol, columns) == (Standing::Present, Standing::Present);
    Ok(if present { Standing::Present } else { Standing::Earlier })
}

fn check_protocol(spec: &TableSpec, snapshot: &Snapshot) -> Result<Standing> {
    let found = &snapshot.protocol;
    let wanted = protocol(spec);
    let known = |found: &Option<Vec<String>>, names: &[&str]| {
        found.iter().flatten().all(|feature| names.contains(&feature.as_str()))
    };
    let (reader, writer) = (found.min_reader_version, found.min_writer_version);
    let is_plain = reader <= 1 && writer <= 2;
    let is_known = (reader, writer) == (wanted.min_reader_version, wanted.min_writer_version)
        && known(&found.reader_features, &READER_FEATURES)
        && known(&found.writer_features, &WRITER_FEATURES);
    if !is_plain && !is_known {
        return Err(Error::data(format!(
            "another tool raised the table's protocol to {reader}/{writer}, or asks for what is not known here"
        )));
    }
    let property = snapshot.meta_data.configuration.get(VECTORS_PROPERTY);
    let features = [&found.reader_features, &found.writer_features];
    let has = |names: &Option<Vec<String>>| {
        names.iter().flatten().any(|feature| feature == READER_FEATURES[0])
    };
    let may_mask = features.into_iter().all(has) && property.is_some_and(|on| on == "true");
    if spec.key().is_some() && !may_mask {
        return Ok(Standing::Earlier);
    }
    Ok(Standing::Present)
}

fn check_columns(spec: &TableSpec, snapshot: &Snapshot) -> Result<Standing> {
    let schema: Value = serde_json::from_str(&snapshot.meta_data.schema_string)
        .context(Kind::Data, "read the table's schema")?;
    let (found, wanted) = (columns(&schema), columns(&spec.delta_schema()));
    if found == wanted {
        return Ok(Standing::Present);
    }
    let of = |schema: &Value| schema["fields"].as_array().cloned().unwrap_or_default();
    let (fields, wanted_fields) = (of(&found), of(&wanted));
    let may_lack = wanted_fields.iter().skip(fields.len()).all(|field| field["nullable"] == true);
    if !fields.is_empty() && wanted_fields.starts_with(&fields) && may_lack {
        return Ok(Standing::Earlier);
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
    let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(wanted.clone(), columns, &count)
        .context(Kind::Data, "read a data file's rows")
}
