//! Who carries an identifier, and what is their story?
//!
//! ```text
//! handle → rows of profiles → records (identity_map) → their latest events (interactions)
//!                           → what became of the identity (identity_changes)
//! ```
//!
//! Each step reads the few rows that it finds ([`Table::seek`]), so the answer takes as long for a million customers as
//! for a thousand, nearly. Tables are read as each of them is now: beside a running job, one may be a commit ahead.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::future::try_join_all;
use futures::{TryStreamExt, try_join};
use serde::Serialize;
use serde_json::Value;

use super::{LookupKey, PublishedTables, text, unreadable};
use crate::error::{Context, Error, Kind, Result};
use crate::profile::{ChangeKind, Collect, Handles, Person, Sought};
use crate::record::IdentityId;
use crate::sink::{Table, TableSpec, Wanted, json_rows, tables};

/// The column by which profiles are looked up, of no use to anybody else.
const KEYS: &str = "lookup_keys";
/// How many times an identity that is gone is followed to the one that it was merged into.
const MERGES_MAX: usize = 16;

/// What is known of a customer.
#[derive(Clone, Debug, Serialize)]
pub struct Customer {
    /// The row of `profiles`.
    pub profile: Value,
    /// Rows of `interactions`, the latest first.
    pub interactions: Vec<Value>,
    /// Rows of `identity_changes` that name the identity, the latest first.
    pub changes: Vec<Value>,
}

impl PublishedTables {
    /// The customers whom a key means, each with the latest events, `events` at most.
    ///
    /// **Errors:** `Invalid` where the key cannot be read, or nothing is published yet.
    pub fn customers(&self, key: &LookupKey, events: usize) -> Result<Vec<Customer>> {
        self.runtime.block_on(async {
            let open = |spec| self.open_table(spec);
            let (profiles, map, interactions, changes) = try_join!(
                open(&tables::PROFILES),
                open(&tables::IDENTITY_MAP),
                open(&tables::INTERACTIONS),
                open(&tables::IDENTITY_CHANGES),
            )?;
            let profiles = profiles.ok_or_else(|| not_there(&tables::PROFILES))?;
            let mut found = self.find(&profiles, key).await?;
            if let (true, LookupKey::Id(id)) = (found.is_empty(), key) {
                found = merged_into(&profiles, changes.as_ref(), id).await?;
            }
            let stories = found.into_iter().map(async |profile| {
                let id = BTreeSet::from([identity(&profile)]);
                let (interactions, changes) = try_join!(
                    latest(map.as_ref(), interactions.as_ref(), &id, events),
                    changes_of(changes.as_ref(), &id),
                )?;
                Ok::<_, Error>(Customer { profile, interactions, changes })
            });
            try_join_all(stories).await
        })
    }

    /// The profiles that a key means, as JSON objects.
    ///
    /// **Errors:** as of [`PublishedTables::customers`].
    pub fn lookup(&self, key: &LookupKey) -> Result<Vec<Value>> {
        let profiles = self.table(&tables::PROFILES)?;
        self.runtime.block_on(self.find(&profiles, key))
    }

    /// The rows that a key means, ascending by identity.
    async fn find(&self, profiles: &Table, key: &LookupKey) -> Result<Vec<Value>> {
        if let LookupKey::Phone(phone) = key
            && let Some(sought) = Sought::phone_as_shown(phone)
        {
            let found = find(profiles, key, &sought).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        find(profiles, key, &self.sought(key)?).await
    }

    /// The rows of a table that hold one of some values, as JSON objects; none where it is not there.
    pub(in crate::pipeline) fn rows_with(
        &self,
        spec: &'static TableSpec,
        column: &str,
        values: &BTreeSet<String>,
    ) -> Result<Vec<Value>> {
        self.runtime.block_on(async {
            let table = self.open_table(spec).await?;
            rows_with(table.as_ref(), column, values).await
        })
    }

    fn sought(&self, key: &LookupKey) -> Result<Sought> {
        let region = self.settings.default_region.as_deref();
        let sought = match key {
            LookupKey::Email(email) => Sought::email(email),
            LookupKey::Phone(phone) => Sought::phone(phone, region),
            LookupKey::Id(id) => Some(Sought::id(id)),
            LookupKey::Person { name, born } => {
                Sought::person(name, born, self.settings.date_order)
            }
        };
        sought.ok_or_else(unreadable)
    }
}

pub(super) fn not_there(spec: &TableSpec) -> Error {
    Error::invalid(format!("table {} is not there yet: run the pipeline first", spec.name))
}

fn identity(row: &Value) -> String {
    row["identity_id"].as_str().unwrap_or_default().to_owned()
}

/// The rows that a key means, ascending by identity.
async fn find(profiles: &Table, key: &LookupKey, sought: &Sought) -> Result<Vec<Value>> {
    let by_handle = profiles.seek(KEYS, Wanted::Numbers(sought.keys()));
    let by_handle = by_handle.try_fold(Vec::new(), async |mut found: Vec<Value>, rows| {
        found.extend(json(&meant(&rows, sought)?)?);
        Ok(found)
    });
    let by_name = async {
        let LookupKey::Id(id) = key else { return Ok(Vec::new()) };
        profile_of(profiles, id).await
    };
    let (mut found, named) = try_join!(by_handle, by_name)?;
    found.extend(named);
    found.sort_by_cached_key(identity);
    found.dedup_by_key(|row| identity(row));
    Ok(found)
}

async fn profile_of(profiles: &Table, id: &str) -> Result<Vec<Value>> {
    let Ok(id) = id.trim().to_lowercase().parse::<IdentityId>() else { return Ok(Vec::new()) };
    rows_with(Some(profiles), "identity_id", &BTreeSet::from([id.to_string()])).await
}

/// The profile of the identity that one which is gone was merged into; none where it was not.
async fn merged_into(profiles: &Table, changes: Option<&Table>, id: &str) -> Result<Vec<Value>> {
    let mut id = id.trim().to_lowercase();
    for _ in 0..MERGES_MAX {
        let rows = rows_with(changes, "identity_id", &BTreeSet::from([id])).await?;
        let merged = rows.iter().filter(|row| row["change"] == ChangeKind::Merged.name());
        let latest = merged.max_by_key(|row| row["epoch"].as_i64());
        let Some(into) = latest.and_then(|row| row["other_identity_id"].as_str()) else { break };
        let found = profile_of(profiles, into).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        id = into.to_owned();
    }
    Ok(Vec::new())
}

/// The latest events of an identity's records, the latest first.
async fn latest(
    map: Option<&Table>,
    interactions: Option<&Table>,
    identity: &BTreeSet<String>,
    events: usize,
) -> Result<Vec<Value>> {
    let Some(interactions) = interactions else { return Ok(Vec::new()) };
    let records = rows_with(map, "identity_id", identity).await?;
    let records = records.iter().filter_map(|row| row["record_key"].as_str().map(str::to_owned));
    let wanted = Wanted::Texts(records.collect());
    let batches = interactions.seek_latest("record_key", wanted, ("occurred_at", events)).await?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.extend(json_rows(batch)?);
    }
    latest_first(&mut rows, "event_id");
    rows.truncate(events);
    Ok(rows)
}

/// What happened to an identity, the latest first.
async fn changes_of(changes: Option<&Table>, identity: &BTreeSet<String>) -> Result<Vec<Value>> {
    let (mut rows, others) = try_join!(
        rows_with(changes, "identity_id", identity),
        rows_with(changes, "other_identity_id", identity),
    )?;
    rows.extend(others);
    // What is said of each record is for those who keep keys; the story is of the customer.
    rows.retain(|row| row["record_key"].is_null());
    latest_first(&mut rows, "identity_id");
    Ok(rows)
}

fn latest_first(rows: &mut [Value], then: &str) {
    let part = |row: &Value, column: &str| row[column].as_str().unwrap_or_default().to_owned();
    rows.sort_by_cached_key(|row| (std::cmp::Reverse(part(row, "occurred_at")), part(row, then)));
}

async fn rows_with(
    table: Option<&Table>,
    column: &str,
    values: &BTreeSet<String>,
) -> Result<Vec<Value>> {
    let Some(table) = table else { return Ok(Vec::new()) };
    let rows = table.seek(column, Wanted::Texts(values.clone()));
    rows.try_fold(Vec::new(), async |mut found: Vec<Value>, rows| {
        found.extend(json(&with_one_of(&rows, column, values)?)?);
        Ok(found)
    })
    .await
}

/// Rows as JSON, without what serves only to find them.
fn json(rows: &RecordBatch) -> Result<Vec<Value>> {
    let mut rows = rows.clone();
    if let Ok(at) = rows.schema().index_of(KEYS) {
        rows.remove_column(at);
    }
    json_rows(&rows)
}

/// Those of some rows that hold one of some values: all, but for rows of a file that lacks the column.
fn with_one_of(rows: &RecordBatch, column: &str, values: &BTreeSet<String>) -> Result<RecordBatch> {
    let of_row = text(rows, column).iter();
    let hits = of_row.map(|it| Some(it.is_some_and(|it| values.contains(it)))).collect();
    filter_record_batch(rows, &hits).context(Kind::Internal, "filter rows")
}

/// Those of some profiles that are meant, by their values: keys are hashes, and old files have none.
fn meant(rows: &RecordBatch, sought: &Sought) -> Result<RecordBatch> {
    let shown = Shown::of(rows);
    let hits = (0..rows.num_rows()).map(|row| Some(sought.is_met_by(&shown.handles(row))));
    filter_record_batch(rows, &hits.collect::<BooleanArray>())
        .context(Kind::Internal, "filter profiles")
}

/// The columns of profiles that hold handles.
struct Shown<'a> {
    rows: &'a RecordBatch,
}

impl<'a> Shown<'a> {
    fn of(rows: &'a RecordBatch) -> Self {
        Self { rows }
    }

    /// Some fields of each entry of a row's list.
    fn entries<const N: usize>(
        &self,
        row: usize,
        list: &str,
        fields: [&str; N],
    ) -> impl Iterator<Item = [&'a str; N]> {
        let lists = self.rows[list].as_list::<i32>();
        let entries = lists.values().as_struct();
        let fields = fields.map(|name| {
            let field = entries.column_by_name(name).expect("the column is declared so");
            field.as_string::<i32>()
        });
        let ends = lists.value_offsets();
        (ends[row]..ends[row + 1]).map(move |at| fields.map(|field| field.value(at as usize)))
    }

    fn handles(&self, row: usize) -> Handles {
        let mut handles = Handles::default();
        for [email] in self.entries(row, "emails", ["value"]) {
            handles.email(email);
        }
        for [phone] in self.entries(row, "phones", ["value"]) {
            handles.phone(phone);
        }
        for [kind, value] in self.entries(row, "ids", ["kind", "value"]) {
            handles.id(kind, value);
        }
        let mut person = Person::default();
        for field in ["given_name", "surname", "birth_date"] {
            let column = text(self.rows, field);
            if column.is_valid(row) {
                person.note(field, column.value(row));
            }
        }
        for [field, value] in self.entries(row, "other_values", ["field", "value"]) {
            person.note(field, value);
        }
        handles.person(&person);
        handles
    }
}

#[cfg(test)]
mod tests;
