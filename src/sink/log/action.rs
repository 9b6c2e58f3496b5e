//! The lines of a log entry, as the Delta protocol names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Context, Kind, Result};

/// One line of a log entry: exactly one of these is there. What other writers add beside them is
/// not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sink) struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) commit_info: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) protocol: Option<Protocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) meta_data: Option<MetaData>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) txn: Option<Txn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) add: Option<Add>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) remove: Option<Remove>,
}

/// What a reader and a writer must be able to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sink) struct Protocol {
    pub(in crate::sink) min_reader_version: i32,
    pub(in crate::sink) min_writer_version: i32,
    /// What a reader of version 3 must be able to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) reader_features: Option<Vec<String>>,
    /// What a writer of version 7 must be able to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) writer_features: Option<Vec<String>>,
}

/// The table's columns and properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sink) struct MetaData {
    pub(in crate::sink) id: String,
    pub(in crate::sink) name: Option<String>,
    pub(in crate::sink) description: Option<String>,
    pub(in crate::sink) format: Format,
    pub(in crate::sink) schema_string: String,
    pub(in crate::sink) partition_columns: Vec<String>,
    #[serde(default)]
    pub(in crate::sink) configuration: BTreeMap<String, String>,
    pub(in crate::sink) created_time: Option<i64>,
}

/// The format of the data files: always Parquet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sink) struct Format {
    pub(in crate::sink) provider: String,
    #[serde(default)]
    pub(in crate::sink) options: BTreeMap<String, String>,
}

/// How far an application has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sink) struct Txn {
    pub(in crate::sink) app_id: String,
    pub(in crate::sink) version: i64,
}

/// Which rows of a file are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sink) struct DeletionVector {
    /// `i`: in the log. `u`: in a file of the table.
    pub(in crate::sink) storage_type: String,
    pub(in crate::sink) path_or_inline_dv: String,
    /// Where in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) offset: Option<i32>,
    pub(in crate::sink) size_in_bytes: i32,
    /// How many rows.
    pub(in crate::sink) cardinality: i64,
}

/// A file that is part of the table from here on.
///
/// The same file with another deletion vector is another part of the table: it is taken out and
/// added in one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sink) struct Add {
    /// Relative to the table, URL-encoded.
    pub(in crate::sink) path: String,
    #[serde(default)]
    pub(in crate::sink) partition_values: BTreeMap<String, Option<String>>,
    /// Bytes.
    pub(in crate::sink) size: i64,
    pub(in crate::sink) modification_time: i64,
    pub(in crate::sink) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) stats: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) tags: Option<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) deletion_vector: Option<DeletionVector>,
}

/// A file that is no longer part of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::sink) struct Remove {
    pub(in crate::sink) path: String,
    #[serde(default)]
    pub(in crate::sink) deletion_timestamp: Option<i64>,
    pub(in crate::sink) data_change: bool,
    #[serde(default)]
    pub(in crate::sink) extended_file_metadata: Option<bool>,
    #[serde(default)]
    pub(in crate::sink) partition_values: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    pub(in crate::sink) size: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sink) deletion_vector: Option<DeletionVector>,
}

impl Add {
    /// How many rows the file's statistics say it has, masked ones among them; 0 where they say
    /// nothing.
    pub(in crate::sink) fn rows(&self) -> u64 {
        self.statistics()["numRecords"].as_u64().unwrap_or(0)
    }

    /// How many of them are masked.
    pub(in crate::sink) fn masked(&self) -> u64 {
        let vector = self.deletion_vector.as_ref();
        vector.and_then(|vector| u64::try_from(vector.cardinality).ok()).unwrap_or(0)
    }

    /// How many of its rows are part of the table.
    pub(in crate::sink) fn live(&self) -> u64 {
        self.rows().saturating_sub(self.masked())
    }

    pub(in crate::sink) fn statistics(&self) -> Value {
        serde_json::from_str(self.stats.as_deref().unwrap_or("{}")).unwrap_or_default()
    }

    /// The same file with other rows masked. Its statistics are of all its rows.
    pub(in crate::sink) fn masked_by(&self, vector: DeletionVector) -> Self {
        let mut stats = self.statistics();
        if let Some(stats) = stats.as_object_mut() {
            stats.insert("tightBounds".into(), false.into());
        }
        Self {
            stats: Some(stats.to_string()),
            deletion_vector: Some(vector),
            data_change: true,
            ..self.clone()
        }
    }

    /// The line that takes this file out of the table again.
    pub(in crate::sink) fn removed(&self, time_ms: i64) -> Remove {
        Remove {
            path: self.path.clone(),
            deletion_timestamp: Some(time_ms),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values: Some(self.partition_values.clone()),
            size: Some(self.size),
            deletion_vector: self.deletion_vector.clone(),
        }
    }
}

/// Writes an entry: one JSON document a line.
pub(super) fn encode(lines: &[Line]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line).context(Kind::Internal, "encode log entry")?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Reads an entry.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Line>> {
    let lines = serde_json::Deserializer::from_slice(bytes).into_iter();
    lines.collect::<std::result::Result<_, _>>().context(Kind::Data, "decode log entry")
}

/// The id that the writer of an entry gave it.
pub(in crate::sink) fn id(lines: &[Line]) -> Option<&str> {
    lines.iter().find_map(|line| line.commit_info.as_ref()?.get("txnId")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_writing_and_reading() {
        let add = Add { path: "a.parquet".into(), size: 7, ..Add::default() };
        let lines = vec![
            Line { commit_info: Some(serde_json::json!({"txnId": "x"})), ..Line::default() },
            Line { remove: Some(add.removed(5)), ..Line::default() },
            Line { add: Some(add), ..Line::default() },
        ];
        let bytes = encode(&lines).unwrap();
        assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), 3);
        assert_eq!(decode(&bytes).unwrap(), lines);
        assert_eq!(id(&lines), Some("x"));
    }

    #[test]
    fn unknown_lines_are_passed_over_and_broken_ones_are_not() {
        let foreign = br#"{"domainMetadata":{"domain":"d","configuration":"","removed":false}}"#;
        assert_eq!(decode(foreign).unwrap(), [Line::default()]);
        assert_eq!(decode(br#"{"add":{"path":1}}"#).unwrap_err().kind(), Kind::Data);
        assert_eq!(decode(br#"{"add":{"pa"#).unwrap_err().kind(), Kind::Data);
    }
}
