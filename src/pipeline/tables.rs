//! What do the published tables say? The reading side, for those who have only those.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Runtime;

use super::carry::Earlier;
use super::publish::runtime;
use crate::cluster::Membership;
use crate::config::PublishPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::evaluate::TruthKind;
use crate::normalise;
use crate::profile::ChangeKind;
use crate::record::{Field, IdentityId, RawField, RawIdentity};
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

    /// Opens what any pipeline published at a place, a folder or URL.
    ///
    /// **Errors:** `Invalid` for a folder that is not there, or a URL that is not understood.
    pub fn at(url: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        if !url.contains("://") && !std::path::Path::new(url).exists() {
            return Err(Error::invalid("there is no such folder"));
        }
        let (store, root) = sink::open_store(url, options)?;
        Ok(Self { runtime: runtime()?, store, root, settings: normalise::Settings::default() })
    }

    /// Who is in which identity.
    pub fn membership(&self) -> Result<Membership> {
        let mut membership = Membership::new();
        for batch in self.columns(&tables::IDENTITY_MAP, &["record_key", "identity_id"])? {
            let (records, identities) = (text(&batch, "record_key"), text(&batch, "identity_id"));
            for (record, identity) in records.iter().flatten().zip(identities.iter().flatten()) {
                membership.insert(key(record)?, key(identity)?);
            }
        }
        Ok(membership)
    }

    /// Checks that there is an `identity_map`.
    pub(super) fn check_identity_map(&self) -> Result<()> {
        self.table(&tables::IDENTITY_MAP).map(drop)
    }

    /// What is said of ids.
    pub(super) fn earlier(&self) -> Result<Earlier> {
        let mut earlier = Earlier { membership: self.membership()?, ..Earlier::default() };
        let live: BTreeSet<IdentityId> = earlier.membership.values().copied().collect();
        let columns = ["change", "identity_id", "other_identity_id"];
        for batch in self.columns(&tables::IDENTITY_CHANGES, &columns)? {
            let (kinds, ids) = (text(&batch, "change"), text(&batch, "identity_id"));
            let others = text(&batch, "other_identity_id");
            for ((kind, id), other) in kinds.iter().zip(ids).zip(others) {
                let id: IdentityId = key(id.unwrap_or_default())?;
                if live.contains(&id) {
                    continue;
                }
                let into = other.filter(|_| kind == Some(ChangeKind::Merged.name()));
                let forward = earlier.ended.entry(id).or_default();
                *forward = into.map(key).transpose()?.or(*forward);
            }
        }
        Ok(earlier)
    }

    /// Every event, in no order.
    pub(super) fn for_each_event(
        &self,
        each: &mut dyn FnMut(EarlierEvent<'_>) -> Result<()>,
    ) -> Result<()> {
        let table = self.table(&tables::INTERACTIONS)?;
        self.runtime.block_on(async {
            let mut batches = table.scan(Some(&["event_id", "channel", "record_key"]));
            while let Some(batch) = batches.try_next().await? {
                let (ids, channels) = (text(&batch, "event_id"), text(&batch, "channel"));
                let records = text(&batch, "record_key");
                for row in 0..batch.num_rows() {
                    each(EarlierEvent {
                        channel: channels.value(row),
                        event_id: ids.value(row),
                        record: records.value(row),
                    })?;
                }
            }
            Ok(())
        })
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

/// An event as an earlier output names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct EarlierEvent<'a> {
    pub(super) channel: &'a str,
    pub(super) event_id: &'a str,
    /// The record that it belonged to.
    pub(super) record: &'a str,
}

fn key<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::data("an id in a table is not one: is it a table of Onefold?"))
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> &'a StringArray {
    batch[column].as_string::<i32>()
}
