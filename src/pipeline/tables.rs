//! What do the published tables say? The reading side, for those who have only those.

mod ids;
mod lookup;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Runtime;

use super::publish::runtime;
use crate::config::PublishPlan;
use crate::error::{Error, Result};
use crate::evaluate::{Placed, TruthKind};
use crate::normalise;
use crate::record::{EventKey, Field, RawField, RawIdentity, RecordKey};
use crate::sink::{self, Table, TableSpec, tables};

pub(super) use ids::EarlierEvent;
pub use lookup::Customer;

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
    /// A full name and a birth date, each in any spelling.
    Person {
        /// The name, in any order.
        name: String,
        /// The birth date.
        born: String,
    },
}

impl LookupKey {
    /// Its kind, without the value.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
            Self::Id(_) => "id",
            Self::Person { .. } => "name and birth date",
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
        let Some(table) = self.runtime.block_on(self.open_table(spec))? else { return Ok(()) };
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
        let table = self.runtime.block_on(self.open_table(spec))?;
        table.ok_or_else(|| lookup::not_there(spec))
    }

    async fn open_table(&self, spec: &'static TableSpec) -> Result<Option<Table>> {
        Table::open_existing(Arc::clone(&self.store), &self.root, spec).await
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
