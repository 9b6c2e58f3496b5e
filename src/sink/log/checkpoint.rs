//! How is the whole state of a table kept in one Parquet file?
//!
//! A classic checkpoint: one row an action, one struct column a kind of action, null in the rows of
//! the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListArray, MapBuilder,
    MapFieldNames, RecordBatch, StringArray, StringBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;

use super::action::{Add, DeletionVector, Format, Line, MetaData, Protocol, Remove, Txn};
use super::{Log, Snapshot};
use crate::error::{Context, Error, Kind, Result};
use crate::sink::{file, read as files};

/// Writes the file; returns its bytes and how many actions it holds.
pub(super) fn encode(table: &Snapshot) -> Result<(Vec<u8>, usize)> {
    let rows = rows(table);
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("txn", txns(&rows)?, true),
        ("add", adds(&rows)?, true),
        ("remove", removes(&rows)?, true),
        ("metaData", meta_data(&rows)?, true),
        ("protocol", protocols(&rows)?, true),
    ])
    .context(Kind::Internal, "encode checkpoint")?;
    let properties = file::properties().build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))
        .context(Kind::Internal, "encode checkpoint")?;
    writer.write(&batch).context(Kind::Internal, "encode checkpoint")?;
    let bytes = writer.into_inner().context(Kind::Internal, "encode checkpoint")?;
    Ok((bytes, rows.len()))
}

/// Reads the file of a version, whose size in bytes is given.
pub(super) async fn read(log: &Log, version: u64, bytes: u64) -> Result<Vec<Line>> {
    let path = log.folder.clone().join(format!("{version:020}.checkpoint.parquet"));
    let reader = files::Reader { store: log.store.clone(), path, bytes };
    let mut batches = reader.open().await?.read(None, None)?;
    let mut lines = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        let columns = Columns::of(&batch)
            .ok_or_else(|| Error::data(format!("checkpoint {version} lacks a column")))?;
        lines.extend((0..batch.num_rows()).map(|row| columns.line(row)));
    }
    Ok(lines)
}

fn rows(table: &Snapshot) -> Vec<Line> {
    let mut rows = vec![
        Line { protocol: Some(table.protocol.clone()), ..Line::default() },
        Line { meta_data: Some(table.meta_data.clone()), ..Line::default() },
    ];
    for (app_id, version) in &table.txns {
        let txn = Txn { app_id: app_id.clone(), version: *version };
        rows.push(Line { txn: Some(txn), ..Line::default() });
    }
    for add in table.files.values() {
        rows.push(Line { add: Some(add.clone()), ..Line::default() });
    }
    for remove in table.removed.values() {
        rows.push(Line { remove: Some(remove.clone()), ..Line::default() });
    }
    rows
}

fn txns(rows: &[Line]) -> Result<ArrayRef> {
    let all = || rows.iter().map(|row| row.txn.as_ref());
    structs(
        all().map(|txn| txn.is_some()),
        vec![
            ("appId", texts(all().map(|txn| Some(&*txn?.app_id)))),
            ("version", longs(all().map(|txn| Some(txn?.version)))),
        ],
    )
}

fn adds(rows: &[Line]) -> Result<ArrayRef> {
    let all = || rows.iter().map(|row| row.add.as_ref());
    structs(
        all().map(|add| add.is_some()),
        vec![
            ("path", texts(all().map(|add| Some(&*add?.path)))),
            ("partitionValues", maps(all().map(|add| Some(&add?.partition_values)))?),
            ("size", longs(all().map(|add| Some(add?.size)))),
            ("modificationTime", longs(all().map(|add| Some(add?.modification_time)))),
            ("dataChange", flags(all().map(|add| Some(add?.data_change)))),
            ("stats", texts(all().map(|add| add?.stats.as_deref()))),
            ("tags", maps(all().map(|add| add?.tags.as_ref()))?),
            ("deletionVector", vectors(all().map(|add| add?.deletion_vector.as_ref()))?),
        ],
    )
}

fn removes(rows: &[Line]) -> Result<ArrayRef> {
    let all = || rows.iter().map(|row| row.remove.as_ref());
    structs(
        all().map(|remove| remove.is_some()),
        vec![
            ("path", texts(all().map(|remove| Some(&*remove?.path)))),
            ("deletionTimestamp", longs(all().map(|remove| remove?.deletion_timestamp))),
            ("dataChange", flags(all().map(|remove| Some(remove?.data_change)))),
            ("extendedFileMetadata", flags(all().map(|remove| remove?.extended_file_metadata))),
            ("partitionValues", maps(all().map(|remove| remove?.partition_values.as_ref()))?),
            ("size", longs(all().map(|remove| remove?.size))),
            ("deletionVector", vectors(all().map(|remove| remove?.deletion_vector.as_ref()))?),
        ],
    )
}

fn vectors<'a>(values: impl Iterator<Item = Option<&'a DeletionVector>>) -> Result<ArrayRef> {
    let values: Vec<_> = values.collect();
    let all = || values.iter().copied();
    structs(
        all().map(|vector| vector.is_some()),
        vec![
            ("storageType", texts(all().map(|vector| Some(&*vector?.storage_type)))),
            ("pathOrInlineDv", texts(all().map(|vector| Some(&*vector?.path_or_inline_dv)))),
            ("offset", integers(all().map(|vector| vector?.offset))),
            ("sizeInBytes", integers(all().map(|vector| Some(vector?.size_in_bytes)))),
            ("cardinality", longs(all().map(|vector| Some(vector?.cardinality)))),
        ],
    )
}

fn meta_data(rows: &[Line]) -> Result<ArrayRef> {
    let all = || rows.iter().map(|row| row.meta_data.as_ref());
    let nullable = |map: &BTreeMap<String, String>| -> BTreeMap<String, Option<String>> {
        map.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
    };
    let options: Vec<_> = all().map(|meta| Some(nullable(&meta?.format.options))).collect();
    let configuration: Vec<_> = all().map(|meta| Some(nullable(&meta?.configuration))).collect();
    let format = structs(
        all().map(|meta| meta.is_some()),
        vec![
            ("provider", texts(all().map(|meta| Some(&*meta?.format.provider)))),
            ("options", maps(options.iter().map(Option::as_ref))?),
        ],
    )?;
    structs(
        all().map(|meta| meta.is_some()),
        vec![
            ("id", texts(all().map(|meta| Some(&*meta?.id)))),
            ("name", texts(all().map(|meta| meta?.name.as_deref()))),
            ("description", texts(all().map(|meta| meta?.description.as_deref()))),
            ("format", format),
            ("schemaString", texts(all().map(|meta| Some(&*meta?.schema_string)))),
            (
                "partitionColumns",
                text_lists(&all().map(|meta| Some(&*meta?.partition_columns)).collect::<Vec<_>>())?,
            ),
            ("configuration", maps(configuration.iter().map(Option::as_ref))?),
            ("createdTime", longs(all().map(|meta| meta?.created_time))),
        ],
    )
}

fn protocols(rows: &[Line]) -> Result<ArrayRef> {
    let all = || rows.iter().map(|row| row.protocol.as_ref());
    let version = |of: fn(&Protocol) -> i32| integers(all().map(|p| p.map(of)));
    let features = |of: fn(&Protocol) -> Option<&Vec<String>>| {
        text_lists(&all().map(|p| p.and_then(of).map(Vec::as_slice)).collect::<Vec<_>>())
    };
    structs(
        all().map(|protocol| protocol.is_some()),
        vec![
            ("minReaderVersion", version(|p| p.min_reader_version)),
            ("minWriterVersion", version(|p| p.min_writer_version)),
            ("readerFeatures", features(|p| p.reader_features.as_ref())?),
            ("writerFeatures", features(|p| p.writer_features.as_ref())?),
        ],
    )
}

fn structs(
    present: impl Iterator<Item = bool>,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<ArrayRef> {
    let fields =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let fields = fields.collect();
    let columns = columns.into_iter().map(|(_, array)| array).collect();
    let nulls = NullBuffer::from_iter(present);
    let array = StructArray::try_new(fields, columns, Some(nulls));
    Ok(Arc::new(array.context(Kind::Internal, "encode checkpoint")?))
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn longs(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn integers(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Int32Array>())
}

fn flags(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}

fn maps<'a>(
    values: impl Iterator<Item = Option<&'a BTreeMap<String, Option<String>>>>,
) -> Result<ArrayRef> {
    let names =
        MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for map in values {
        for (key, value) in map.into_iter().flatten() {
            builder.keys().append_value(key);
            builder.values().append_option(value.as_deref());
        }
        builder.append(map.is_some()).context(Kind::Internal, "encode checkpoint")?;
    }
    Ok(Arc::new(builder.finish()))
}

fn text_lists(lists: &[Option<&[String]>]) -> Result<ArrayRef> {
    let element = Arc::new(Field::new("element", DataType::Utf8, true));
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, <[_]>::len)));
    let values = StringArray::from_iter_values(lists.iter().copied().flatten().flatten());
    let nulls = NullBuffer::from_iter(lists.iter().map(Option::is_some));
    let array = ListArray::try_new(element, offsets, Arc::new(values), Some(nulls));
    Ok(Arc::new(array.context(Kind::Internal, "encode checkpoint")?))
}

/// The columns of one batch of a checkpoint.
struct Columns<'a> {
    txn: &'a StructArray,
    add: &'a StructArray,
    remove: &'a StructArray,
    meta_data: &'a StructArray,
    protocol: &'a StructArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name| batch.column_by_name(name)?.as_struct_opt();
        Some(Self {
            txn: column("txn")?,
            add: column("add")?,
            remove: column("remove")?,
            meta_data: column("metaData")?,
            protocol: column("protocol")?,
        })
    }

    fn line(&self, row: usize) -> Line {
        Line {
            commit_info: None,
            txn: present(self.txn, row).map(|txn| Txn {
                app_id: txn.text("appId").unwrap_or_default(),
                version: txn.long("version").unwrap_or_default(),
            }),
            add: present(self.add, row).map(|add| Add {
                path: add.text("path").unwrap_or_default(),
                partition_values: add.map("partitionValues").unwrap_or_default(),
                size: add.long("size").unwrap_or_default(),
                modification_time: add.long("modificationTime").unwrap_or_default(),
                data_change: add.flag("dataChange").unwrap_or_default(),
                stats: add.text("stats"),
                tags: add.map("tags"),
                deletion_vector: add.vector(),
            }),
            remove: present(self.remove, row).map(|remove| Remove {
                path: remove.text("path").unwrap_or_default(),
                deletion_timestamp: remove.long("deletionTimestamp"),
                data_change: remove.flag("dataChange").unwrap_or_default(),
                extended_file_metadata: remove.flag("extendedFileMetadata"),
                partition_values: remove.map("partitionValues"),
                size: remove.long("size"),
                deletion_vector: remove.vector(),
            }),
            meta_data: present(self.meta_data, row).map(|meta| meta.meta_data()),
            protocol: present(self.protocol, row).map(|protocol| Protocol {
                min_reader_version: protocol.integer("minReaderVersion").unwrap_or_default(),
                min_writer_version: protocol.integer("minWriterVersion").unwrap_or_default(),
                reader_features: protocol.texts("readerFeatures"),
                writer_features: protocol.texts("writerFeatures"),
            }),
        }
    }
}

/// One row of a struct column.
struct Row<'a>(&'a StructArray, usize);

fn present(column: &StructArray, row: usize) -> Option<Row<'_>> {
    column.is_valid(row).then_some(Row(column, row))
}

impl Row<'_> {
    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.0.column_by_name(name).filter(|array| array.is_valid(self.1))
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(self.column(name)?.as_string_opt::<i32>()?.value(self.1).into())
    }

    fn long(&self, name: &str) -> Option<i64> {
        Some(self.column(name)?.as_primitive_opt::<Int64Type>()?.value(self.1))
    }

    fn integer(&self, name: &str) -> Option<i32> {
        Some(self.column(name)?.as_primitive_opt::<Int32Type>()?.value(self.1))
    }

    fn flag(&self, name: &str) -> Option<bool> {
        Some(self.column(name)?.as_boolean_opt()?.value(self.1))
    }

    fn map(&self, name: &str) -> Option<BTreeMap<String, Option<String>>> {
        let entries = self.column(name)?.as_map_opt()?.value(self.1);
        let keys = entries.column(0).as_string_opt::<i32>()?;
        let values = entries.column(1).as_string_opt::<i32>()?;
        let pairs = keys.iter().flatten().zip(values);
        Some(pairs.map(|(key, value)| (key.into(), value.map(String::from))).collect())
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.column(name)?.as_list_opt::<i32>()?.value(self.1);
        Some(list.as_string_opt::<i32>()?.iter().flatten().map(String::from).collect())
    }

    fn vector(&self) -> Option<DeletionVector> {
        // Checkpoints of earlier versions of the program lack the column.
        let column = self.0.column_by_name("deletionVector")?.as_struct_opt()?;
        let vector = present(column, self.1)?;
        Some(DeletionVector {
            storage_type: vector.text("storageType")?,
            path_or_inline_dv: vector.text("pathOrInlineDv")?,
            offset: vector.integer("offset"),
            size_in_bytes: vector.integer("sizeInBytes")?,
            cardinality: vector.long("cardinality")?,
        })
    }

    fn meta_data(&self) -> MetaData {
        let plain = |map: Option<BTreeMap<String, Option<String>>>| {
            let map = map.unwrap_or_default();
            map.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
        };
        let format = self.0.column_by_name("format").and_then(|format| format.as_struct_opt());
        let format = format.and_then(|format| present(format, self.1));
        MetaData {
            id: self.text("id").unwrap_or_default(),
            name: self.text("name"),
            description: self.text("description"),
            format: Format {
                provider: format.as_ref().and_then(|f| f.text("provider")).unwrap_or_default(),
                options: plain(format.as_ref().and_then(|f| f.map("options"))),
            },
            schema_string: self.text("schemaString").unwrap_or_default(),
            partition_columns: self.texts("partitionColumns").unwrap_or_default(),
            configuration: plain(self.map("configuration")),
            created_time: self.long("createdTime"),
        }
    }
}
