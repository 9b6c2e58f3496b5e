use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::Job;
use super::super::testing::published;
use super::super::tests::{BULK, PIPELINE, STREAM, plan, plan_of, run};
use super::*;
use crate::demo::{self, Stream, generate};
use crate::error::Kind;
use crate::sink;

/// A place with events, in which outputs are made.
struct Place {
    folder: tempfile::TempDir,
    stream: Stream,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = demo::Settings { customers: 60, seed: 5, ..demo::Settings::default() };
        Self { folder, stream: generate(&settings) }
    }

    /// The events, perhaps the last ones first.
    fn events(&self, reversed: bool) -> PathBuf {
        let folder = self.folder.path().join(if reversed { "reversed" } else { "events" });
        let mut stream = self.stream.clone();
        if reversed {
            stream.lines.reverse();
        }
        stream.write_to(&folder).unwrap();
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Events in their order, read to an output of that name.
    fn first(&self) -> Plan {
        let plan = plan(&self.events(false), &self.at("first"), 500);
        run(&plan, BULK, u64::MAX);
        plan
    }

    /// Another output, of the same events in another order, that takes its ids from the first.
    fn anew(&self, name: &str, first: &Plan, batch: usize) -> Plan {
        let mut plan = plan(&self.events(true), &self.at(name), batch);
        plan.publish.carry_ids_from = Some(first.publish.url.clone());
        plan
    }
}

fn membership(plan: &Plan) -> Membership {
    PublishedTables::at(&plan.publish.url, &plan.publish.options.0).unwrap().membership().unwrap()
}

/// The rows of `identity_changes`, without the number of the commit.
fn changes(plan: &Plan) -> Vec<Value> {
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    let mut rows = published(&store, &root).remove("identity_changes").unwrap();
    for row in &mut rows {
        row["epoch"].take();
    }
    rows.sort_by_key(Value::to_string);
    rows
}

/// How many changes of identities there are of each kind; every record is assigned once.
fn kinds(plan: &Plan) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    let (records, identities): (Vec<Value>, Vec<Value>) =
        changes(plan).into_iter().partition(|row| row["record_key"].is_string());
    assert!(records.iter().all(|row| row["change"] == "assigned" && row["cause"] == "backfill"));
    let assigned: Membership = records
        .iter()
        .map(|row| ["record_key", "identity_id"].map(|column| row[column].as_str().unwrap()))
        .map(|[record, identity]| (record.parse().unwrap(), identity.parse().unwrap()))
        .collect();
    assert_eq!((assigned.len(), &assigned), (records.len(), &membership(plan)));
    for row in identities {
        assert_eq!(row["cause"], "backfill");
        *kinds.entry(row["change"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    kinds
}

fn ids(membership: &Membership) -> BTreeSet<IdentityId> {
    membership.values().copied().collect()
}

#[test]
fn a_backfill_made_anew_keeps_every_id() {
    let place = Place::new();
    let first = place.first();
    let apart = plan(&place.events(true), &place.at("apart"), 37);
    run(&apart, STREAM, u64::MAX);
    assert_ne!(membership(&apart), membership(&first), "ids depend on the order of arrival");

    let anew = place.anew("anew", &first, 37);
    run(&anew, BULK, u64::MAX);
    assert_eq!(membership(&anew), membership(&first));
    let live = ids(&membership(&first)).len() as u64;
    assert_eq!(kinds(&anew), [("carried".to_owned(), live)].into());
    // Once is enough: the next run goes on with what there is, though the key still stands there.
    run(&anew, BULK, u64::MAX);
    assert_eq!(membership(&anew), membership(&first));
    Store::open(&anew.state.path, &Default::default()).unwrap().verify().unwrap();
}

#[test]
fn under_another_model_the_largest_part_keeps_the_id_whatever_the_batches() {
    let place = Place::new();
    let first = place.first();
    let mut outcomes = Vec::new();
    for (name, batch) in [("small", 40), ("large", 5_000)] {
        let mut anew = place.anew(name, &first, batch);
        anew.matching.threshold_bits = Some(8.0);
        run(&anew, BULK, u64::MAX);
        outcomes.push((membership(&anew), changes(&anew)));
        let kinds = kinds(&anew);
        let before = ids(&membership(&first)).len() as u64;
        assert_eq!(kinds["carried"] + kinds.get("merged").unwrap_or(&0), before, "{kinds:?}");
        assert!(kinds["split"] > 0, "{kinds:?}");
    }
    assert_eq!(outcomes[0], outcomes[1]);
    let after = &outcomes[0].0;
    assert_eq!(
        *after,
        cluster::carry(&membership(&first), after),
        "each id is where most of it is"
    );
}

#[test]
fn nothing_is_published_until_ids_are_carried_over() {
    let place = Place::new();
    let first = place.first();
    let anew = place.anew("anew", &first, 50);
    run(&anew, STREAM, 120);
    assert_eq!(membership(&anew), Membership::new(), "it was stopped in the middle");
    // Stopped after the last message it is not at its end either.
    let all = run(&anew, BULK, u64::MAX - 1);
    assert!(all.publishes > 0);
    assert_eq!(membership(&anew), membership(&first));
}

#[test]
fn what_was_carried_over_and_not_published_is_published_by_the_next_start() {
    let place = Place::new();
    let first = place.first();
    let anew = place.anew("anew", &first, 50);
    run(&anew, BULK, 120);
    {
        let mut job = Job::open(anew.clone()).unwrap();
        job.carry_ids().unwrap();
    }
    assert_eq!(membership(&anew), Membership::new());
    drop(Job::open(anew.clone()).unwrap());
    assert!(!membership(&anew).is_empty());
    run(&anew, BULK, u64::MAX);
    let carried = membership(&anew);
    assert!(ids(&carried).intersection(&ids(&membership(&first))).count() > 10);
}

/// Where records are written otherwise than before, their keys are others: their events tell whose they were.
#[test]
fn records_that_are_written_otherwise_are_known_by_their_events() {
    let place = Place::new();
    let without = PIPELINE.replace("loyalty = \"/loyalty_id\"\n", "");
    let before = plan_of(&without, &place.events(false), &place.at("before"), 500);
    run(&before, BULK, u64::MAX);
    let anew = place.anew("anew", &before, 500);
    run(&anew, BULK, u64::MAX);
    let (old, new) = (membership(&before), membership(&anew));
    let known = new.keys().filter(|record| old.contains_key(record)).count();
    assert!(known < new.len(), "some records have other keys");
    let kinds = kinds(&anew);
    assert_eq!(kinds.get("created"), None, "every event was there before: {kinds:?}");
    assert!(kinds["carried"] as usize * 10 > ids(&new).len() * 9, "{kinds:?}");
}

#[track_caller]
fn refused(plan: &Plan, said: &str) {
    let error = Job::open(plan.clone()).err().expect("it is refused");
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn what_cannot_be_meant_is_refused_at_once() {
    let place = Place::new();
    let first = place.first();
    let mut late = first.clone();
    late.publish.carry_ids_from = Some(place.at("elsewhere").display().to_string());
    refused(&late, "publish.carry_ids_from: the state has published ids of its own");
    let mut nowhere = place.anew("nowhere", &first, 500);
    nowhere.publish.carry_ids_from = late.publish.carry_ids_from.clone();
    refused(&nowhere, "there is no such folder");
    let empty: &Path = &place.at("empty");
    std::fs::create_dir(empty).unwrap();
    nowhere.publish.carry_ids_from = Some(empty.display().to_string());
    refused(&nowhere, "table identity_map is not there yet");
}
