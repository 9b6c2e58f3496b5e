//! The whole loop, from files to tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::path::Path as StorePath;
use serde_json::Value;

use super::testing::published;
use super::*;
use crate::config::{self, Plan};
use crate::demo::{self, generate};
use crate::error::Kind;
use crate::explain::{Outcome as Met, Verdict};
use crate::sink::{self, Table, json_rows};
use crate::state::{self, Store};

pub(super) const PIPELINE: &str = include_str!("../../pipelines/events.toml");
pub(super) const STREAM: Options = Options { ending: Ending::Exhausted, interim: true };
pub(super) const BULK: Options = Options { ending: Ending::Exhausted, interim: false };

/// The shipped pipeline over a folder of events, in a folder of its own.
pub(super) fn plan(events: &Path, folder: &Path, batch: usize) -> Plan {
    plan_of(PIPELINE, events, folder, batch)
}

/// A pipeline file like the shipped one, likewise.
pub(super) fn plan_of(pipeline: &str, events: &Path, folder: &Path, batch: usize) -> Plan {
    let env = |name: &str| {
        Some(match name {
            "EVENTS_DIR" => events.display().to_string(),
            "STATE" => folder.join("state").display().to_string(),
            "OUT" => folder.join("out").display().to_string(),
            _ => return None,
        })
    };
    let mut plan = config::parse(pipeline, "events.toml", &env).unwrap();
    plan.run.batch = batch;
    plan
}

pub(super) fn run(plan: &Plan, options: Options, stop_after: u64) -> Report {
    let stop = Stop::default();
    let mut job = Job::open(plan.clone()).unwrap();
    job.run(options, &stop, &mut |progress| {
        if progress.messages >= stop_after {
            stop.ask();
        }
    })
    .unwrap()
}

/// What was published, without what the history of commits decides: ids and versions.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// Groups of records that are one identity each, with the profile of each group.
    customers: BTreeMap<Vec<String>, Value>,
    interactions: Vec<Value>,
    dead_letters: Vec<Value>,
}

impl Outcome {
    /// Leaves out in which file of which folder a dead letter stood.
    pub(super) fn forget_places(&mut self) {
        for letter in &mut self.dead_letters {
            letter.as_object_mut().unwrap().remove("partition");
        }
        self.dead_letters.sort_by_key(Value::to_string);
    }

    /// Leaves out at which line a dead letter stood.
    pub(super) fn forget_offsets(&mut self) {
        for letter in &mut self.dead_letters {
            letter.as_object_mut().unwrap().remove("offset");
        }
        self.dead_letters.sort_by_key(Value::to_string);
    }
}

pub(super) fn outcome(plan: &Plan) -> Outcome {
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    let mut tables = published(&store, &root);
    assert_eq!(root, StorePath::default());
    let mut records: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
    for row in &tables["identity_map"] {
        records.entry(text(row, "identity_id")).or_default().push(text(row, "record_key"));
    }
    let mut customers = BTreeMap::new();
    for mut profile in tables.remove("profiles").unwrap() {
        let identity = text(&profile, "identity_id");
        for column in ["identity_id", "version"] {
            profile.as_object_mut().unwrap().remove(column);
        }
        let mut members = records.remove(&identity).expect("a profile has records");
        members.sort();
        customers.insert(members, profile);
    }
    assert_eq!(records.len(), 0, "every identity has a profile");
    Outcome {
        customers,
        interactions: tables.remove("interactions").unwrap(),
        dead_letters: tables.remove("dead_letters").unwrap(),
    }
}

/// Made-up customers and their events, malformed ones and repeated ones among them.
pub(super) fn events() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = demo::Settings { customers: 60, seed: 3, ..demo::Settings::default() };
    generate(&settings).write_to(folder.path()).unwrap();
    folder
}

#[test]
fn batches_restarts_and_publishing_do_not_show_in_the_outcome() {
    let events = events();
    let bulk = tempfile::tempdir().unwrap();
    let bulk = plan(events.path(), bulk.path(), 5_000);
    let report = run(&bulk, BULK, u64::MAX);
    assert!(report.counters.reconciles() && report.counters.read > 400, "{report:?}");
    assert_eq!(report.publishes, 1);
    let expected = outcome(&bulk);
    assert_eq!(expected.interactions.len() as u64, report.counters.resolved);
    assert_eq!(expected.dead_letters.len() as u64, report.counters.dead_lettered);
    assert_eq!(expected.customers.len() as u64, report.identities);

    // The second start finds the index that the first run left, or finds none, or one that is damaged.
    type Spoil = fn(&Path);
    let spoilt: [(usize, Spoil); 3] = [
        (37, |_| {}),
        (211, |index| fs::remove_file(index).unwrap()),
        (100, |index| {
            let mut bytes = fs::read(index).unwrap();
            bytes[100] ^= 1;
            fs::write(index, bytes).unwrap();
        }),
    ];
    for (batch, spoil) in spoilt {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(events.path(), folder.path(), batch);
        plan.publish.interval = Duration::from_millis(1);
        let first = run(&plan, STREAM, 150);
        assert!(first.messages >= 150 && first.counters.read < report.counters.read);
        spoil(&plan.state.path.join("index"));
        let second = run(&plan, STREAM, u64::MAX);
        assert_eq!(first.messages + second.messages, report.messages, "each is read once");
        assert_eq!(second.counters, report.counters);
        assert_eq!(outcome(&plan), expected, "in batches of {batch}");
        // Nothing new: nothing is done.
        let third = run(&plan, STREAM, u64::MAX);
        assert_eq!((third.messages, third.commits, third.publishes), (0, 0, 0));
    }
}

#[test]
fn what_a_crash_left_unpublished_is_published_by_the_next_start() {
    let events = events();
    let straight = tempfile::tempdir().unwrap();
    let straight = plan(events.path(), straight.path(), 100);
    run(&straight, BULK, u64::MAX);

    let folder = tempfile::tempdir().unwrap();
    let plan = plan(events.path(), folder.path(), 100);
    let mut job = Job::open(plan.clone()).unwrap();
    let crashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        job.run(BULK, &Stop::default(), &mut |progress| {
            assert!(progress.messages < 300, "the crash of this test");
        })
    }));
    assert!(crashed.is_err());
    drop(job);
    let told = [
        inspect(&plan).map(drop).unwrap_err(),
        super::preview(&plan).map(drop).unwrap_err(),
        super::review(&plan, 1).map(drop).unwrap_err(),
    ];
    for error in told {
        assert!(error.to_string().contains("records are not matched yet: run it again"), "{error}");
    }
    let job = Job::open(plan.clone()).unwrap();
    drop(job);
    let published = outcome(&plan).interactions.len();
    assert!(published > 0, "opening publishes");
    run(&plan, BULK, u64::MAX);
    assert_eq!(outcome(&plan), outcome(&straight));
}

#[test]
fn a_state_has_one_job_and_one_model() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(events.path(), folder.path(), 100);
    let job = Job::open(plan.clone()).unwrap();
    let second = Job::open(plan.clone()).err().unwrap();
    assert_eq!(second.kind(), Kind::Fenced);
    drop(job);
    plan.matching.threshold_bits = Some(3.5);
    let other = Job::open(plan).err().unwrap();
    assert_eq!(other.kind(), Kind::Invalid);
}

#[test]
fn a_place_that_is_gone_fails_the_run_and_loses_nothing() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(events.path(), folder.path(), 100);
    let mut job = Job::open(plan.clone()).unwrap();
    job.has_no_patience();
    // A file stands where a folder must be.
    let log = folder.path().join("out/profiles/_delta_log");
    std::fs::rename(&log, folder.path().join("log")).unwrap();
    std::fs::write(&log, "").unwrap();
    let failed = job.run(BULK, &Stop::default(), &mut |_| {}).unwrap_err();
    assert_eq!(failed.kind(), Kind::Unavailable, "{failed}");
    assert!(failed.to_string().starts_with("the tables could not be published; nothing is lost"));
    drop(job);
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(folder.path().join("log"), &log).unwrap();
    let report = run(&plan, BULK, u64::MAX);
    assert_eq!(report.messages, 0, "what was committed is not read again");
    assert_eq!(outcome(&plan).interactions.len() as u64, report.counters.resolved);
}

#[test]
fn all_profiles_are_made_anew_where_they_are_made_otherwise() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(events.path(), folder.path(), 200);
    run(&plan, BULK, u64::MAX);
    let active = |plan: &Plan| {
        let outcome = outcome(plan);
        let of = |profile: &&Value| !profile["activity"].as_array().unwrap().is_empty();
        (outcome.customers.values().filter(of).count(), outcome.customers.len())
    };
    let (with, all) = active(&plan);
    assert!(with == all && all > 10, "{with} of {all}");
    plan.publish.profiles.require_profiling_consent = true;
    let report = run(&plan, BULK, u64::MAX);
    assert_eq!(report.messages, 0);
    let (with, again) = active(&plan);
    assert!(with < all / 2 && again == all, "{with} of {again}");
    let sequence = verify_state(&plan).unwrap().sequence;
    run(&plan, BULK, u64::MAX);
    assert_eq!(verify_state(&plan).unwrap().sequence, sequence, "once");
}

/// The rows of a table that are the same whatever happened on the way: without ids and versions.
fn rows_of(plan: &Plan, table: &str) -> Vec<Value> {
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    let mut rows = published(&store, &root).remove(table).unwrap();
    for row in &mut rows {
        row.as_object_mut().unwrap().retain(|key, _| key != "identity_id" && key != "version");
    }
    rows.sort_by_key(Value::to_string);
    rows
}

#[test]
fn the_state_of_an_older_version_is_published_whole_and_goes_on() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(events.path(), folder.path(), 100);
    run(&plan, STREAM, 300);
    let (before, mappings) = (outcome(&plan), rows_of(&plan, "identity_map"));
    Store::make_older(&plan.state.path);

    // Its tables had other columns, so a new version publishes to another place.
    plan.publish.url = folder.path().join("new").display().to_string();
    drop(Job::open(plan.clone()).unwrap());
    let renewed = outcome(&plan);
    assert!(renewed.customers.len() > 10 && mappings.len() > renewed.customers.len());
    assert_eq!(renewed.customers, before.customers);
    assert_eq!(rows_of(&plan, "identity_map"), mappings);
    assert_eq!(renewed.interactions, [] as [Value; 0], "they stay where they were");
    let sequence = verify_state(&plan).unwrap().sequence;
    drop(Job::open(plan.clone()).unwrap());
    assert_eq!(verify_state(&plan).unwrap().sequence, sequence, "once");

    // What comes then makes of it what a new run makes of everything.
    run(&plan, BULK, u64::MAX);
    let straight = tempfile::tempdir().unwrap();
    let straight = super::tests::plan(events.path(), straight.path(), 5_000);
    run(&straight, BULK, u64::MAX);
    let (after, expected) = (outcome(&plan), outcome(&straight));
    assert_eq!(after.customers, expected.customers);
    for table in ["identity_map", "profiles_marketing", "suppression"] {
        let rows = rows_of(&straight, table);
        assert!(!rows.is_empty(), "{table}");
        assert_eq!(rows_of(&plan, table), rows, "{table}");
    }
    assert_eq!(after.interactions.len() + before.interactions.len(), expected.interactions.len());
}

#[test]
fn published_profiles_are_found_by_what_they_carry() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(events.path(), folder.path(), 1_000);
    run(&plan, BULK, u64::MAX);
    let email = outcome(&plan).customers.values().find_map(|profile| {
        let emails = profile["emails"].as_array()?;
        Some(emails.first()?["value"].as_str()?.to_owned())
    });
    let email = email.expect("somebody gave an address");
    let tables =
        PublishedTables::open(&plan.publish, crate::normalise::Settings::default()).unwrap();
    let found = tables.lookup(&LookupKey::Email(email.to_uppercase())).unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    let id = found[0]["identity_id"].as_str().unwrap().to_owned();
    assert_eq!(tables.lookup(&LookupKey::Id(id)).unwrap(), found);
    let nobody = LookupKey::Email("zacharias.unheard@mailbox.org".into());
    assert_eq!(tables.lookup(&nobody).unwrap(), Vec::<Value>::new());
}

#[test]
fn the_state_explains_what_the_index_decided() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(events.path(), folder.path(), 150);
    // Blocks over their cap, of so few customers.
    plan.matching.block_cap = 5;
    run(&plan, STREAM, 400);
    run(&plan, BULK, u64::MAX);
    let explained = explained(&plan);
    assert!(explained.capped > 0, "no block is over its cap");
    assert!(explained.joined > 10, "{} identities of several records", explained.joined);

    // Written as a table, the merges of all identities add up.
    let inspection = inspect(&plan).unwrap();
    let written = write_evidence(&plan, &inspection, &plan.publish).unwrap();
    assert_eq!(write_evidence(&plan, &inspection, &plan.publish).unwrap().rows, 0, "once a commit");
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    let table = Table::open_existing(store, &root, &sink::tables::MATCH_EVIDENCE);
    let runtime = super::publish::runtime().unwrap();
    let table = runtime.block_on(table).unwrap().expect("it was written");
    let batches: Vec<_> = runtime.block_on(table.scan(None).try_collect()).unwrap();
    let mut merges: BTreeMap<(String, i64), (f64, f64)> = BTreeMap::new();
    for row in batches.iter().flat_map(|batch| json_rows(batch).unwrap()) {
        let merge = (row["identity_id"].as_str().unwrap().into(), row["step"].as_i64().unwrap());
        let sum = merges.entry(merge).or_default();
        *sum = (sum.0 + row["bits"].as_f64().unwrap(), row["weight_bits"].as_f64().unwrap());
    }
    assert_eq!(table.rows(), written.rows);
    assert_eq!(merges.len(), explained.merges, "one merge a record less one, of each identity");
    assert!(merges.values().all(|(bits, weight)| (bits - weight).abs() < 1e-6));
}

struct Explained {
    capped: usize,
    joined: usize,
    merges: usize,
}

/// Compares what the state answers with what a fresh index knows.
fn explained(plan: &Plan) -> Explained {
    let mut store = Store::open(&plan.state.path, &state::Options::default()).unwrap();
    store.verify().unwrap();
    let frozen = super::model::frozen(plan, &mut store).unwrap();
    let (registry, mut resolver) = super::index::load_index(frozen, &store.view()).unwrap();
    let notes = resolver.take_notes();
    let view = store.view();
    let (capped, shared) = (view.capped().count(), view.shared().count());
    drop(view);
    let keys: Vec<u64> = notes.capped.into_iter().map(|(key, _)| key).collect();
    assert_eq!(store.set_derived(&notes.shared, &keys).unwrap(), 0, "as a fresh index has it");
    assert_eq!((capped, shared), (keys.len(), notes.shared.len()));
    let mut groups: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    let nodes = (0..registry.next_node()).filter_map(|node| Some((node, registry.node(node)?)));
    for (node, row) in nodes {
        groups.entry(row.identity.unwrap()).or_default().push(node);
    }
    assert!(store.settle().unwrap());
    drop(store);

    let inspection = inspect(plan).unwrap();
    let (mut joined, mut merges) = (0, 0);
    let mut before: Option<u32> = None;
    for (identity, nodes) in &groups {
        let how = inspection.how(*identity).unwrap();
        assert_eq!(how.steps.len() + 1, nodes.len(), "its members alone join again");
        merges += how.steps.len();
        if let [left, .., right] = nodes[..] {
            let why = inspection.why(left, right).unwrap();
            assert!(why.together && !why.steps.is_empty());
            let evidence = resolver.evidence(left, right).unwrap();
            let weight = evidence.weight(resolver.model());
            assert!((why.pair.sum.weight_bits - weight).abs() < 1e-9);
            joined += 1;
        }
        if let Some(other) = before.replace(nodes[0]) {
            let not = inspection.why_not(other, nodes[0]).unwrap();
            assert_ne!(not.verdict, Verdict::Together);
            let used = not.keys.iter().any(|key| key.outcome == Met::Used);
            assert_eq!(used, !resolver.meeting_rules(other, nodes[0]).is_empty());
        }
    }
    Explained { capped, joined, merges }
}
