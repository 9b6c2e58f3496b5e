//! What do the published tables say? The reading side, for those who have only those.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, FieldRef};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Runtime;

use super::publish::runtime;
use crate::config::PublishPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::evaluate::TruthKind;
use crate::normalise;
use crate::record::{Field, RawField, RawIdentity};
use crate::sink::{self, Table, TableSpec, tables};

/// The tables of one pipeline, open for reading.
pub struct PublishedTables {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    root: Path,
    settings: normalise::Settings,
}

/// What a customer is looked up by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupKey {
    /// An e-mail address in any spelling.
    Email(String),
    /// A phone number in any spelling.
    Phone(String),
    /// An identity id, a row key, or any other identifier: loyalty, cookie, device or card.
    Id(String),
}

impl PublishedTables {
    /// Opens the place where a pipeline publishes. `settings` say how numbers without a country are
    /// read.
    pub fn open(plan: &PublishPlan, settings: normalise::Settings) -> Result<Self> {
        let (store, root) = sink::open_store(&plan.url, &plan.options.0)
            .map_err(|error| error.context(format!("publish.url = {}", plan.url)))?;
        Ok(Self { runtime: runtime()?, store, root, settings })
    }

    /// The identity of each row or event that a truth may name: (record id or event id, identity
    /// id).
    pub fn identities(&self, kind: TruthKind) -> Result<Vec<(String, String)>> {
        let map =
            self.columns(&tables::IDENTITY_MAP, &["record_key", "record_id", "identity_id"])?;
        match kind {
            TruthKind::Records => Ok(map
                .iter()
                .flat_map(|batch| {
                    let (ids, identities) = (text(batch, "record_id"), text(batch, "identity_id"));
                    let rows = (0..batch.num_rows()).filter(|row| ids.is_valid(*row));
                    rows.map(|row| (ids.value(row).to_owned(), identities.value(row).to_owned()))
                        .collect::<Vec<_>>()
                })
                .collect()),
            TruthKind::Events => {
                let mut identity_of: BTreeMap<&str, &str> = BTreeMap::new();
                for batch in &map {
                    let records = text(batch, "record_key").iter().flatten();
                    identity_of.extend(records.zip(text(batch, "identity_id").iter().flatten()));
                }
                let events = self.columns(&tables::INTERACTIONS, &["event_id", "record_key"])?;
                let pairs = events.iter().flat_map(|batch| {
                    let events = text(batch, "event_id").iter().flatten();
                    events.zip(text(batch, "record_key").iter().flatten())
                });
                let known = pairs.filter_map(|(event, record)| {
                    Some((event.to_owned(), (*identity_of.get(record)?).to_owned()))
                });
                Ok(known.collect())
            }
        }
    }

    /// The profiles that carry an identifier, as JSON objects.
    pub fn lookup(&self, key: &LookupKey) -> Result<Vec<serde_json::Value>> {
        let wanted = match key {
            LookupKey::Email(email) => self.normal(Field::Email, RawField::Email, email),
            LookupKey::Phone(phone) => self.normal(Field::Phone, RawField::Phone, phone),
            LookupKey::Id(id) => Some(id.trim().to_lowercase()),
        };
        let wanted = wanted.ok_or_else(|| {
            Error::invalid(
                "the value cannot be read as an identifier of that kind: check its spelling",
            )
        })?;
        let table = self.table(&tables::PROFILES)?;
        let mut found = Vec::new();
        self.runtime.block_on(async {
            let mut batches = table.scan(None);
            while let Some(batch) = batches.try_next().await? {
                let hits = self.hits(&batch, key, &wanted);
                if hits.true_count() > 0 {
                    let rows = filter_record_batch(&batch, &hits)
                        .context(Kind::Internal, "filter profiles")?;
                    found.extend(json_rows(&rows)?);
                }
            }
            Ok::<_, Error>(())
        })?;
        Ok(found)
    }

    fn hits(&self, batch: &RecordBatch, key: &LookupKey, wanted: &str) -> BooleanArray {
        let carries = |column: &str, same: &dyn Fn(&str) -> bool| -> Vec<bool> {
            let lists = batch[column].as_list::<i32>();
            let entries = lists.values().as_struct();
            let values = entries.column_by_name("value").expect("the column is declared so");
            let values = values.as_string::<i32>();
            let offsets = lists.value_offsets().windows(2);
            offsets
                .map(|ends| (ends[0]..ends[1]).any(|at| same(values.value(at as usize))))
                .collect()
        };
        match key {
            LookupKey::Email(_) => carries("emails", &|value| {
                self.normal(Field::Email, RawField::Email, value).as_deref() == Some(wanted)
            }),
            LookupKey::Phone(_) => carries("phones", &|value| {
                self.normal(Field::Phone, RawField::Phone, value).as_deref() == Some(wanted)
            }),
            LookupKey::Id(_) => {
                let carried = carries("ids", &|value| value.eq_ignore_ascii_case(wanted));
                let named = text(batch, "identity_id").iter().map(|id| id == Some(wanted));
                carried.into_iter().zip(named).map(|(carried, named)| carried || named).collect()
            }
        }
        .into()
    }

    /// A value as the matcher compares it.
    fn normal(&self, field: Field, raw: RawField, value: &str) -> Option<String> {
        let raw = RawIdentity::from([(raw, value.to_owned())]);
        let normalised = normalise::identity(&raw, &self.settings);
        normalised.identity.value(field).map(ToOwned::to_owned)
    }

    fn columns(&self, spec: &'static TableSpec, columns: &[&str]) -> Result<Vec<RecordBatch>> {
        let table = self.table(spec)?;
        self.runtime.block_on(table.scan(Some(columns)).try_collect())
    }

    fn table(&self, spec: &'static TableSpec) -> Result<Table> {
        let open = Table::open_existing(Arc::clone(&self.store), &self.root, spec);
        self.runtime.block_on(open)?.ok_or_else(|| {
            Error::invalid(format!("table {} is not there yet: run the pipeline first", spec.name))
        })
    }
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> &'a StringArray {
    batch[column].as_string::<i32>()
}

pub(super) fn json_rows(batch: &RecordBatch) -> Result<Vec<serde_json::Value>> {
    let mut lines = Vec::new();
    let mut writer = arrow::json::LineDelimitedWriter::new(&mut lines);
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, column)| {
        let column = cast(column, &with_offsets(field.data_type()));
        Ok((field.name(), column.context(Kind::Internal, "write times as JSON")?))
    });
    let batch = RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>>>()?)
        .context(Kind::Internal, "write profiles as JSON")?;
    writer.write(&batch).context(Kind::Internal, "write profiles as JSON")?;
    writer.finish().context(Kind::Internal, "write profiles as JSON")?;
    lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).context(Kind::Internal, "read a profile's JSON"))
        .collect()
}

/// The same type with times at an offset of zero instead of in the zone UTC: the writer of JSON knows
/// zones only with a whole time zone database.
fn with_offsets(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| {
        let data_type = with_offsets(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("+00:00".into())),
        DataType::List(entries) => DataType::List(field(entries)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}
