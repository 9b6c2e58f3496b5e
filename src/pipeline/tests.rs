//! The whole loop, from files to tables.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use object_store::path::Path as StorePath;
use serde_json::Value;

use super::testing::published;
use super::*;
use crate::config::{self, Plan};
use crate::demo::{self, generate};
use crate::error::Kind;
use crate::sink;

pub(super) const PIPELINE: &str = include_str!("../../pipelines/events.toml");
const STREAM: Options = Options { ending: Ending::Exhausted, interim: true };
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
struct Outcome {
    /// Groups of records that are one identity each, with the profile of each group.
    customers: BTreeMap<Vec<String>, Value>,
    interactions: Vec<Value>,
    dead_letters: Vec<Value>,
}

fn outcome(plan: &Plan) -> Outcome {
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
fn events() -> tempfile::TempDir {
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

    for batch in [37, 211] {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(events.path(), folder.path(), batch);
        plan.publish.interval = Duration::from_millis(1);
        let first = run(&plan, STREAM, 150);
        assert!(first.messages >= 150 && first.counters.read < report.counters.read);
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
