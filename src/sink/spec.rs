//! What does a published table look like: its columns, its order, what readers may prune by?

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::{Value, json};

/// A published table, as declared.
#[derive(Debug)]
pub struct TableSpec {
    /// Its name, and the folder it lies in.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
    /// How rows get in.
    pub layout: Layout,
    /// The columns whose least and greatest values stand in the log. Never one with a personal
    /// value.
    pub statistics: &'static [&'static str],
}

/// How rows get into a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One row a key, replaced by a later one.
    Upsert {
        /// A column of unique lower-case hexadecimal hashes, at least 4 digits long.
        key: &'static str,
    },
    /// Rows are only added.
    Append {
        /// The columns that a file's row groups are sorted by.
        sort: &'static [&'static str],
    },
}

/// A column, or a field of a list's entries.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// Whether it has so few distinct values that a dictionary pays.
    pub few_values: bool,
    /// Whether data files say by a Bloom filter which values a row group may hold.
    pub filtered: bool,
    /// What it says, with its unit.
    pub about: &'static str,
}

/// The types that columns have.
#[derive(Debug)]
pub enum Type {
    /// UTF-8.
    Text,
    /// 64 bits, signed.
    Long,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, floating.
    Double,
    /// True or false.
    Boolean,
    /// A point in time, in microseconds UTC.
    Timestamp,
    /// A day.
    Date,
    /// Bytes.
    Binary,
    /// A list of structs.
    List(&'static [Column]),
}

impl Column {
    /// A column that always has a value.
    pub const fn new(name: &'static str, kind: Type, about: &'static str) -> Self {
        Self { name, kind, nullable: false, few_values: false, filtered: false, about }
    }

    /// Values may be missing.
    #[must_use]
    pub const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// There are few distinct values.
    #[must_use]
    pub const fn few(mut self) -> Self {
        self.few_values = true;
        self
    }

    /// Rows are looked up by its values.
    #[must_use]
    pub const fn bloom(mut self) -> Self {
        self.filtered = true;
        self
    }

    fn field(&self) -> Field {
        Field::new(self.name, self.kind.arrow(), self.nullable)
    }

    fn delta(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind.delta(),
            "nullable": self.nullable,
            "metadata": { "comment": self.about },
        })
    }

    pub(super) fn describe(&self) -> Value {
        let mut column = json!({
            "name": self.name,
            "type": self.kind.name(),
            "nullable": self.nullable,
            "description": self.about,
        });
        if let Type::List(fields) = &self.kind {
            column["fields"] = fields.iter().map(Self::describe).collect();
        }
        if self.filtered {
            column["bloom"] = true.into();
        }
        column
    }

    /// The leaves with their Parquet paths.
    fn leaves<'a>(&'a self, path: Vec<String>, out: &mut Vec<(Vec<String>, &'a Self)>) {
        if let Type::List(fields) = &self.kind {
            for field in *fields {
                let inner = ["list", "element", field.name].map(String::from);
                field.leaves([&path[..], &inner].concat(), out);
            }
        } else {
            out.push((path, self));
        }
    }
}

impl Type {
    fn arrow(&self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Long => DataType::Int64,
            Self::Integer => DataType::Int32,
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Binary => DataType::Binary,
            Self::List(fields) => {
                let fields: Fields = fields.iter().map(Column::field).collect();
                DataType::List(Arc::new(Field::new("element", DataType::Struct(fields), false)))
            }
        }
    }

    /// The name in documentation, which is Delta's own.
    fn name(&self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Long => "long",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Binary => "binary",
            Self::List(_) => "list",
        }
    }

    fn delta(&self) -> Value {
        match self {
            Self::List(fields) => json!({
                "type": "array",
                "elementType": {
                    "type": "struct",
                    "fields": fields.iter().map(Column::delta).collect::<Vec<_>>(),
                },
                "containsNull": false,
            }),
            _ => self.name().into(),
        }
    }
}

impl TableSpec {
    /// The columns as Arrow reads them.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::field).collect::<Fields>()))
    }

    /// The columns as the Delta log states them.
    pub(super) fn delta_schema(&self) -> Value {
        json!({
            "type": "struct",
            "fields": self.columns.iter().map(Column::delta).collect::<Vec<_>>(),
        })
    }

    /// The table's documentation, as it stands in `schemas/tables`.
    pub fn describe(&self) -> Value {
        let mut table = json!({
            "table": self.name,
            "description": self.about,
            "columns": self.columns.iter().map(Column::describe).collect::<Vec<_>>(),
        });
        match self.layout {
            Layout::Upsert { key } => table["key"] = key.into(),
            Layout::Append { sort } => table["sorted_by"] = sort.into(),
        }
        table
    }

    /// The key column of an upserted table.
    pub fn key(&self) -> Option<&'static str> {
        match self.layout {
            Layout::Upsert { key } => Some(key),
            Layout::Append { .. } => None,
        }
    }

    /// The Parquet paths of the leaves, and what each is.
    pub(super) fn leaves(&self) -> Vec<(Vec<String>, &Column)> {
        let mut leaves = Vec::new();
        for column in self.columns {
            column.leaves(vec![column.name.into()], &mut leaves);
        }
        leaves
    }
}
