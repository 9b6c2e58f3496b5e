//! How does a person judge: of which records, and what was judged so far?

use std::collections::BTreeMap;
use std::path::Path;

use super::job::{Given, Job, Judged, Standing};
use super::ledger;
use super::opening::open_existing_state;
use super::query::{Inspection, inspect};
use crate::config::Plan;
use crate::error::{Error, Kind, Result};
use crate::record::{IdentityId, Judgement, Pair, RecordKey};

/// The pair of records that a person names.
///
/// **Errors:** `Invalid` where a name means nothing or several records, or both mean one.
pub fn judged_pair(plan: &Plan, left: &str, right: &str) -> Result<Pair> {
    let inspection = inspect(plan)?;
    let key = |name: &str, reference: &str| {
        key_of(&inspection, reference).map_err(|error| error.context(name.to_owned()))
    };
    Pair::of(key("A", left)?, key("B", right)?).ok_or_else(one_record)
}

fn one_record() -> Error {
    Error::invalid(
        "both are one record: what says the same of a person is one record, and cannot be told apart",
    )
}

/// The key of a record that a person names; of a record that is not there only the key itself is a name.
fn key_of(inspection: &Inspection, reference: &str) -> Result<RecordKey> {
    match inspection.find(reference) {
        Ok(node) => inspection.key(node),
        Err(error) => reference.parse().map_err(|()| error),
    }
}

/// The judgements of a file; what names no author is by `author`. Before the first run, records are named by their
/// keys.
///
/// **Errors:** `Invalid` with file, line and remedy where it cannot be read, or a name means no record.
pub fn judgements_of_file(plan: &Plan, path: &Path, author: Option<&str>) -> Result<Vec<Given>> {
    let entries = ledger::read(path)?;
    // An export can also be given to a state that has nothing yet.
    let inspection = plan.state.path.exists().then(|| inspect(plan)).transpose()?;
    let given = |entry: ledger::Entry| {
        let key = |reference: &str| match &inspection {
            Some(inspection) => key_of(inspection, reference),
            None => reference.parse().map_err(|()| {
                Error::invalid("there is no state yet, so records are named by their keys only")
            }),
        };
        let [left, right] = &entry.records;
        let pair = || Pair::of(key(left)?, key(right)?).ok_or_else(one_record);
        let author = entry.author.or(author.map(Into::into));
        Ok(Given {
            pair: pair().map_err(|error| error.context(entry.place.clone()))?,
            verdict: entry.verdict,
            reason: entry.reason,
            author: author.ok_or_else(|| {
                let place = entry.place;
                Error::invalid(format!("{place}: no author: fill `author`, or give --author"))
            })?,
            at: entry.at,
        })
    };
    entries.into_iter().map(given).collect()
}

/// Gives judgements: decides anew, commits and publishes. Makes the pipeline's file of judgements where it names one
/// that is not there yet.
///
/// **Errors:** as [`Job::open`] and [`Job::judge`].
pub fn judge(plan: Plan, given: Vec<Given>) -> Result<Judged> {
    if let Some(path) = plan.matching.judgements.as_deref().filter(|path| !path.exists()) {
        ledger::write(path, &[])?;
    }
    Job::open(plan)?.judge(given)
}

/// What was judged last of every pair, ascending by pair, and whether it is obeyed.
///
/// **Errors:** `Fenced` while a job has the state; `Invalid` where there is none yet.
pub fn judgements(plan: &Plan) -> Result<Vec<(Judgement, Standing)>> {
    let mut store = open_existing_state(&plan.state)?;
    store.settle()?;
    let view = store.view();
    let judgements: Vec<Judgement> = view.judgements().collect::<Result<_>>()?;
    let named = judgements.iter().flat_map(|judgement| judgement.pair.keys());
    let mut identities: BTreeMap<RecordKey, Option<IdentityId>> =
        named.map(|key| (key, None)).collect();
    if judgements.is_empty() {
        return Ok(Vec::new());
    }
    // Looks at every record: a list is rarely asked for.
    for row in view.records() {
        let (node, row) = row?;
        if let Some(identity) = identities.get_mut(&row.key) {
            *identity = view.identity_of(node)?;
        }
    }
    let standing = |judgement: Judgement| {
        let of_records = judgement.pair.keys().map(|key| identities[&key]);
        let standing = Standing::of(judgement.verdict, of_records);
        (judgement, standing)
    };
    Ok(judgements.into_iter().map(standing).collect())
}

/// Writes what was judged to a file; returns how many judgements that are.
///
/// **Errors:** as [`judgements`]; `Invalid` for a name that says no format.
pub fn export_judgements(plan: &Plan, path: &Path) -> Result<usize> {
    ledger::Format::of(path)?;
    let mut store = open_existing_state(&plan.state)?;
    store.settle()?;
    let judgements: Vec<Judgement> = store.view().judgements().collect::<Result<_>>()?;
    ledger::write(path, &judgements).map_err(|error| match error.kind() {
        Kind::Unavailable => error.context("check the folder and the rights"),
        _ => error,
    })?;
    Ok(judgements.len())
}
