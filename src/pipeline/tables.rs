//! What do the published tables say? The reading side, for those who have only those.

mod ids;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Runtime;

use super::publish::runtime;
use crate::config::PublishPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::evaluate::{Placed, TruthKind};
use crate::normalise;
use crate::record::{EventKey, Field, RawField, RawIdentity, RecordKey};
use crate::sink::{self, Table, TableSpec, tables};

pub(super) use ids::EarlierEvent;

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

impl LookupKey {
    /// Its kind, without the value.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
            Self::Id(_) => "id",
        }
    }
}

impl PublishedTables {
    /// Opens the place where a pipeline publishes. `settings` say how numbers without a country are
    /// read.
    pub fn open(plan: &PublishPlan, settings: normalise::Settings) -> Result<Self> {
        let (store, root) = sink::open_store(&plan.url, &plan.options.0)
            .map_err(|error| error.context(format!("publish.url = {}", plan.url)))?;
        Ok(Self { runtime: runtime()?, store, root, settings })
    }

    /// The identity of each row or event that a truth may name: (its id, identity id).
    pub fn identities(&self, kind: TruthKind) -> Result<Vec<(String, String)>> {
        let placed = self.placed(kind)?;
        Ok(placed.iter().map(|row| (row.id.to_string(), row.identity.to_string())).collect())
    }

    /// Where each row or event is that a truth of a kind may name; under [`TruthKind::Keys`] by
    /// its source's name and by its channel's.
    pub fn placed(&self, kind: TruthKind) -> Result<Vec<Placed>> {
        let columns = ["record_key", "source", "record_id", "identity_id"];
        let records = Row::all(&self.columns(&tables::IDENTITY_MAP, &columns)?);
        let rows = records.iter().filter_map(|(record, row)| {
            let id = row.record_id.as_deref()?;
            Some(match kind {
                TruthKind::Keys => row.placed(record, &row.source, TruthKind::key(&row.source, id)),
                TruthKind::Records | TruthKind::Events => row.placed(record, &row.source, id),
            })
        });
        let mut placed: Vec<Placed> = match kind {
            TruthKind::Records => return Ok(rows.collect()),
            TruthKind::Keys => rows.collect(),
            TruthKind::Events => Vec::new(),
        };
        let columns = ["event_id", "channel", "source", "record_key"];
        let mut channels: BTreeSet<Arc<str>> = BTreeSet::new();
        for batch in self.columns(&tables::INTERACTIONS, &columns)? {
            let [events, of_channel, of_source, keys] = columns.map(|name| text(&batch, name));
            for at in 0..batch.num_rows() {
                let Some((record, row)) = records.get_key_value(keys.value(at)) else { continue };
                let channel = shared(&mut channels, of_channel.value(at));
                let event = events.value(at);
                if kind == TruthKind::Events {
                    placed.push(row.placed(record, &channel, event));
                    continue;
                }
                let by_channel = row.record_id.as_deref().map(|id| (&*channel, id));
                let by_event = [(&*channel, event), (of_source.value(at), event)];
                // However the truth names it, a row is of its source.
                let of = if row.record_id.is_some() { &row.source } else { &channel };
                for (source, id) in by_channel.into_iter().chain(by_event) {
                    placed.push(row.placed(record, of, TruthKind::key(source, id)));
                }
            }
        }
        Ok(placed)
    }

    /// The profiles that carry an identifier, as JSON objects.
    pub fn lookup(&self, key: &LookupKey) -> Result<Vec<serde_json::Value>> {
        let wanted = match key {
            LookupKey::Email(email) => self.normal(Field::Email, RawField::Email, email),
            LookupKey::Phone(phone) => self.normal(Field::Phone, RawField::Phone, phone),
            LookupKey::Id(id) => Some(id.trim().to_lowercase()),
        };
        let wanted = wanted.ok_or_else(unreadable)?;
        let table = self.table(&tables::PROFILES)?;
        let mut found = Vec::new();
        self.runtime.block_on(async {
            let mut batches = table.scan(None);
            while let Some(batch) = batches.try_next().await? {
                let hits = self.hits(&batch, key, &wanted);
                if hits.true_count() > 0 {
                    let rows = filter_record_batch(&batch, &hits)
                        .context(Kind::Internal, "filter profiles")?;
                    found.extend(sink::json_rows(&rows)?);
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

    fn normal(&self, field: Field, raw: RawField, value: &str) -> Option<String> {
        normal(&self.settings, field, raw, value)
    }

    /// The events of records, by record.
    pub(super) fn events_of(
        &self,
        records: &BTreeSet<RecordKey>,
    ) -> Result<BTreeMap<RecordKey, Vec<EventKey>>> {
        let wanted: BTreeMap<String, RecordKey> =
            records.iter().map(|record| (record.to_string(), *record)).collect();
        let mut found: BTreeMap<RecordKey, Vec<EventKey>> = BTreeMap::new();
        let columns = ["event_id", "channel", "record_key"];
        self.each(&tables::INTERACTIONS, Some(&columns), |batch| {
            let [events, channels, keys] = columns.map(|name| text(batch, name));
            for at in 0..batch.num_rows() {
                if let Some(record) = wanted.get(keys.value(at)) {
                    let event = EventKey::of(channels.value(at), events.value(at));
                    found.entry(*record).or_default().push(event);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Hands out the rows of a table, some at once; none where the table is not there.
    pub(super) fn each(
        &self,
        spec: &'static TableSpec,
        columns: Option<&[&str]>,
        mut take: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let open = Table::open_existing(Arc::clone(&self.store), &self.root, spec);
        let Some(table) = self.runtime.block_on(open)? else { return Ok(()) };
        let mut batches = table.scan(columns);
        while let Some(batch) = self.runtime.block_on(batches.try_next())? {
            take(&batch)?;
        }
        Ok(())
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

/// A value as the matcher compares it; `None` where it cannot be read.
pub(super) fn normal(
    settings: &normalise::Settings,
    field: Field,
    raw: RawField,
    value: &str,
) -> Option<String> {
    let raw = RawIdentity::from([(raw, value.to_owned())]);
    let normalised = normalise::identity(&raw, settings);
    normalised.identity.value(field).map(ToOwned::to_owned)
}

/// An identifier that a person gave cannot be read.
pub(super) fn unreadable() -> Error {
    Error::invalid("the value cannot be read as an identifier of that kind: check its spelling")
}

/// A row of the identity map, but for its key.
struct Row {
    source: Arc<str>,
    record_id: Option<Box<str>>,
    identity: Arc<str>,
}

impl Row {
    fn all(batches: &[RecordBatch]) -> BTreeMap<Arc<str>, Self> {
        let (mut rows, mut sources) = (BTreeMap::new(), BTreeSet::new());
        for batch in batches {
            let [keys, of_source, ids, identities] =
                ["record_key", "source", "record_id", "identity_id"].map(|name| text(batch, name));
            for at in 0..batch.num_rows() {
                let row = Self {
                    source: shared(&mut sources, of_source.value(at)),
                    record_id: ids.is_valid(at).then(|| ids.value(at).into()),
                    identity: identities.value(at).into(),
                };
                rows.insert(keys.value(at).into(), row);
            }
        }
        rows
    }

    fn placed(&self, record: &Arc<str>, channel: &Arc<str>, id: impl Into<Arc<str>>) -> Placed {
        Placed {
            id: id.into(),
            identity: Arc::clone(&self.identity),
            channel: Arc::clone(channel),
            record: Arc::clone(record),
        }
    }
}

/// One copy of each name.
fn shared(names: &mut BTreeSet<Arc<str>>, name: &str) -> Arc<str> {
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let name: Arc<str> = name.into();
    names.insert(Arc::clone(&name));
    name
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> &'a StringArray {
    batch[column].as_string::<i32>()
}
