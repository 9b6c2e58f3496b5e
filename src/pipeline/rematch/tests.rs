use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::super::testing::published;
use super::super::tests::{BULK, plan, run};
use super::super::{Job, PublishedTables};
use super::*;
use crate::config::OperatingPoint;
use crate::demo::{self, Stream, generate};
use crate::error::Kind;
use crate::record::{IdentityId, RecordKey};
use crate::sink;
use crate::state::Options;

fn stream() -> Stream {
    generate(&demo::Settings { customers: 60, seed: 5, ..demo::Settings::default() })
}

/// The first lines of a stream.
fn part(stream: &Stream, lines: usize) -> Stream {
    Stream { lines: stream.lines[..lines].to_vec(), ..stream.clone() }
}

fn membership(plan: &Plan) -> Membership {
    PublishedTables::at(&plan.publish.url, &plan.publish.options.0).unwrap().membership().unwrap()
}

fn clusters(membership: &Membership) -> BTreeSet<BTreeSet<RecordKey>> {
    let mut clusters: BTreeMap<IdentityId, BTreeSet<RecordKey>> = BTreeMap::new();
    for (record, id) in membership {
        clusters.entry(*id).or_default().insert(*record);
    }
    clusters.into_values().collect()
}

/// How many rows of `identity_changes` there are of each kind, for one cause.
fn changes(plan: &Plan, cause: &str) -> BTreeMap<String, u64> {
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    let mut counts = BTreeMap::new();
    for row in &published(&store, &root)["identity_changes"] {
        if row["cause"] == cause {
            let kind = |row: &Value| row["change"].as_str().unwrap().to_owned();
            *counts.entry(kind(row)).or_default() += 1;
        }
    }
    counts
}

fn with_threshold(plan: &Plan, bits: f64) -> Plan {
    let mut plan = plan.clone();
    plan.matching.threshold_bits = Some(bits);
    plan
}

/// The last commit of a state that fits together, and says of all records what a fresh index finds.
fn sequence(plan: &Plan) -> u64 {
    let mut store = Store::open(&plan.state.path, &Options::default()).unwrap();
    store.verify().unwrap();
    let frozen = model::kept(store.model().unwrap().unwrap()).unwrap();
    let (_, mut resolver) = super::super::index::load_index(frozen, &store.view()).unwrap();
    assert_eq!(super::super::index::keep_notes(&mut store, &mut resolver).unwrap(), 0);
    store.sequence()
}

/// The outcome of a run that was by this model from the beginning.
fn from_scratch(plan: &Plan, events: &Path, folder: &Path) -> Membership {
    let mut fresh = super::super::tests::plan(events, folder, 5_000);
    fresh.matching = plan.matching.clone();
    run(&fresh, BULK, u64::MAX);
    membership(&fresh)
}

#[test]
fn another_model_gives_its_clusters_and_ids_stay_with_the_largest_part() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events");
    let (stream, place) = (stream(), |name: &str| folder.path().join(name));
    part(&stream, 400).write_to(&events).unwrap();
    let first = plan(&events, &place("job"), 150);
    run(&first, BULK, u64::MAX);
    let (before, at) = (membership(&first), sequence(&first));

    let harder = with_threshold(&first, 9.0);
    let refused = Job::open(harder.clone()).err().unwrap();
    assert_eq!(refused.kind(), Kind::Invalid);
    assert!(refused.to_string().contains("onefold rematch PIPELINE"), "{refused}");
    let foreseen = preview(&harder).unwrap();
    assert!(!foreseen.is_empty());
    assert_eq!((membership(&first), sequence(&first)), (before.clone(), at), "nothing was changed");

    let done = rematch(&harder).unwrap();
    assert_eq!((&done.difference, done.commit), (&foreseen, Some(at + 1)));
    let after = membership(&harder);
    assert_eq!(foreseen.apply(&before), after);
    assert_eq!(clusters(&after), clusters(&from_scratch(&harder, &events, &place("fresh"))));
    let counts = changes(&harder, "model");
    let (count, live) =
        (|kind: &str| counts.get(kind).copied().unwrap_or_default(), done.difference.identities);
    assert_eq!(count("carried") + count("merged"), live.before, "{counts:?}");
    assert_eq!(count("carried") + count("split"), live.after, "{counts:?}");
    assert!(count("split") > 0, "{counts:?}");

    let again = rematch(&harder).unwrap();
    assert_eq!((again.difference.is_empty(), again.commit), (true, None));
    assert_eq!(sequence(&harder), at + 1);
    // The job goes on as if it had been by this model from the beginning.
    stream.write_to(&events).unwrap();
    run(&harder, BULK, u64::MAX);
    let fresh = from_scratch(&harder, &events, &place("fresh of all"));
    assert_eq!(clusters(&membership(&harder)), clusters(&fresh));
    sequence(&harder);
}

#[test]
fn there_and_back_the_clusters_are_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    stream().write_to(folder.path()).unwrap();
    let first = plan(folder.path(), &folder.path().join("job"), 5_000);
    run(&first, BULK, u64::MAX);
    let before = membership(&first);
    let mut narrow = first.clone();
    (narrow.matching.block_cap, narrow.matching.component_cap) = (4, 6);
    rematch(&narrow).unwrap();
    assert_ne!(clusters(&membership(&narrow)), clusters(&before));
    rematch(&first).unwrap();
    assert_eq!(clusters(&membership(&first)), clusters(&before));
    assert!(changes(&first, "model")["carried"] > 0);
    sequence(&first);
}

#[test]
fn a_state_that_taught_itself_its_model_has_it_again_after_a_broader_one() {
    let folder = tempfile::tempdir().unwrap();
    generate(&demo::Settings { customers: 120, seed: 5, ..demo::Settings::default() })
        .write_to(folder.path())
        .unwrap();
    let mut first = plan(folder.path(), &folder.path().join("job"), 5_000);
    first.matching.expected_customers = None;
    run(&first, BULK, u64::MAX);
    let frozen = || {
        let store = Store::open(&first.state.path, &Options::default()).unwrap();
        model::kept(store.model().unwrap().unwrap()).unwrap()
    };
    let before = frozen();
    assert!(before.training.is_some());
    let mut broad = first.clone();
    broad.matching.operating_point = Some(OperatingPoint::Broad);
    rematch(&broad).unwrap();
    assert!(frozen().parameters.edge_bits < before.parameters.edge_bits);
    rematch(&first).unwrap();
    assert_eq!(frozen(), before);
}

#[test]
fn a_rematch_that_was_cut_short_is_published_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    stream().write_to(folder.path()).unwrap();
    let first = plan(folder.path(), &folder.path().join("job"), 5_000);
    run(&first, BULK, u64::MAX);
    let before = membership(&first);
    let other = with_threshold(&first, 9.0);
    let expected = preview(&other).unwrap().apply(&before);
    assert_ne!(expected, before);
    {
        let mut store = open_resolved_state(&other.state).unwrap();
        let mut registry = load_registry(&store.view()).unwrap();
        let (model, text) = model::other(&other, &store).unwrap().unwrap();
        commit(model, text, &mut store, &mut registry).unwrap();
    }
    assert_eq!(membership(&first), before, "not published yet");
    run(&other, BULK, u64::MAX);
    assert_eq!(membership(&other), expected);
    assert_eq!(rematch(&other).unwrap().commit, None);
}

#[test]
fn without_a_state_there_is_nothing_to_match_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), folder.path(), 5_000);
    for error in [preview(&plan).err(), rematch(&plan).err()] {
        assert_eq!(error.unwrap().kind(), Kind::Invalid);
    }
    assert!(!plan.state.path.exists());
}
