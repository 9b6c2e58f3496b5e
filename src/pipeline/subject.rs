//! What is known of a person, all of it?
//!
//! Read from the published tables, so it may be asked while the job runs: the profiles that carry an
//! identifier, then every row of every table that speaks of their identities or records, and the dead
//! letters that name them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::dead_letter::DeadLetters;
use super::erasure::Traits;
use super::tables::{LookupKey, PublishedTables};
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::normalise;
use crate::sink::{TableSpec, tables};

/// The rows of one table that speak of a person.
#[derive(Clone, Debug)]
pub struct SubjectRows {
    /// The table.
    pub table: &'static TableSpec,
    /// Its rows, as JSON objects.
    pub rows: Vec<Value>,
}

/// All that the tables say of whoever carries an identifier, by table; nothing where nobody does.
///
/// **Errors:** `Invalid` where several customers carry it and not `all` are meant, or nothing is published yet.
pub fn subject_data(
    plan: &Plan,
    settings: normalise::Settings,
    by: &LookupKey,
    all: bool,
) -> Result<Vec<SubjectRows>> {
    let published = PublishedTables::open(&plan.publish, settings)?;
    let profiles = published.lookup(by)?;
    if profiles.len() > 1 && !all {
        return Err(Error::invalid(format!(
            "{} customers carry that identifier: name one by --id, or give --all",
            profiles.len()
        )));
    }
    if profiles.is_empty() {
        return Ok(Vec::new());
    }
    let identities = texts(&profiles, "identity_id");
    let of_identity = |spec| rows_of(&published, spec, "identity_id", &identities);
    let records = texts(&of_identity(&tables::IDENTITY_MAP)?, "record_key");
    let mut found = Vec::new();
    for spec in tables::ALL {
        let has = |name: &str| spec.columns.iter().any(|column| column.name == name);
        let rows = if spec.name == tables::DEAD_LETTERS.name {
            letters_of(plan, &profiles)?
        } else if has("identity_id") {
            of_identity(spec)?
        } else if has("record_key") {
            rows_of(&published, spec, "record_key", &records)?
        } else {
            Vec::new()
        };
        found.push(SubjectRows { table: spec, rows });
    }
    Ok(found)
}

fn texts(rows: &[Value], column: &str) -> BTreeSet<String> {
    rows.iter().filter_map(|row| row[column].as_str()).map(str::to_owned).collect()
}

/// The rows of a table that hold one of some values, by time.
fn rows_of(
    published: &PublishedTables,
    spec: &'static TableSpec,
    column: &str,
    values: &BTreeSet<String>,
) -> Result<Vec<Value>> {
    let mut found = published.rows_with(spec, column, values)?;
    let at = |row: &Value| row["occurred_at"].as_str().map(str::to_owned);
    found.sort_by_cached_key(at);
    Ok(found)
}

/// The dead letters that name whom profiles are of.
fn letters_of(plan: &Plan, profiles: &[Value]) -> Result<Vec<Value>> {
    let mut traits = Traits::default();
    let values = |profile: &Value, column: &str| {
        let entries = profile[column].as_array().cloned().unwrap_or_default();
        entries.into_iter().filter_map(|entry| entry["value"].as_str().map(str::to_owned))
    };
    for profile in profiles {
        values(profile, "emails").for_each(|email| traits.note_text(&email));
        values(profile, "phones").for_each(|phone| traits.note_phone(&phone));
        values(profile, "ids").for_each(|id| traits.note_text(&id));
    }
    DeadLetters::open(plan)?.all_naming(|bytes| traits.are_in(bytes))
}
