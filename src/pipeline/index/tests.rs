//! What a job leaves for the next start is what that would make, and counts for nothing else.

use std::fs;

use super::super::tests::{STREAM, events, plan, run};
use super::*;
use crate::config::Plan;
use crate::image::testing::Kept;
use crate::pipeline::model;
use crate::pipeline::opening::open_existing_state;
use crate::record::{Field, RecordKey};
use crate::state::Commit;

/// A pipeline that was run to an end, with the folders of its events and its own.
fn ended() -> ([tempfile::TempDir; 2], Plan) {
    let (events, folder) = (events(), tempfile::tempdir().unwrap());
    let plan = plan(events.path(), folder.path(), 100);
    run(&plan, STREAM, u64::MAX);
    ([events, folder], plan)
}

fn open(plan: &Plan) -> (Store, Opened) {
    let mut store = open_existing_state(&plan.state).unwrap();
    let model = model::frozen(plan, &mut store).unwrap();
    let opened = open_index(model, &store).unwrap();
    (store, opened)
}

#[test]
fn what_was_kept_is_what_would_be_made() {
    let (_folders, plan) = ended();
    let (store, mut kept) = open(&plan);
    assert!(kept.was_kept);
    let (registry, mut resolver) =
        load_index(kept.resolver.model().clone(), &store.view()).unwrap();
    assert!(registry.records() > 100);
    assert_eq!(kept.registry.clusters(), registry.clusters());
    assert_eq!(kept.registry.next_node(), registry.next_node());
    for node in registry.all() {
        assert_eq!(kept.registry.node(node), registry.node(node));
        assert_eq!(kept.resolver.identity(node), resolver.identity(node));
    }
    // The same records again, beside those that are there: their blocks and edges tell what both know.
    resolver.take_notes();
    let first = registry.next_node();
    let again = |resolver: &mut Resolver| {
        let twins = registry.all().into_iter().zip(first..).map(|(node, twin)| Insert {
            node: twin,
            key: RecordKey::hash([&twin.to_le_bytes()[..]]),
            identity: resolver.identity(node).expect("it is there"),
        });
        let twins = twins.collect();
        let mut outcome = resolver.apply(&[], twins);
        outcome.clusters.sort_unstable();
        (outcome, resolver.take_notes())
    };
    assert_eq!(again(&mut kept.resolver), again(&mut resolver));
}

#[test]
fn an_index_counts_for_its_commit_alone() {
    let (_folders, plan) = ended();
    let index = plan.state.path.join("index");
    let (mut store, opened) = open(&plan);
    assert!(opened.was_kept && index.exists(), "to ask changes nothing");
    let earlier = fs::read(&index).unwrap();
    store.commit(&Commit::default()).unwrap();
    assert!(!index.exists(), "it is gone before there is another commit");
    drop(store);
    // As if it had not been gone.
    fs::write(&index, earlier).unwrap();
    let (store, opened) = open(&plan);
    assert!(!opened.was_kept);
    drop(store);
}

#[test]
fn an_index_that_is_damaged_or_cut_short_is_made_anew() {
    let (_folders, plan) = ended();
    let index = plan.state.path.join("index");
    let whole = fs::read(&index).unwrap();
    let places = [0, whole.len() / 2, whole.len() - 1];
    for at in places {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&index, bytes).unwrap();
        assert!(!open(&plan).1.was_kept, "byte {at} of {} is another", whole.len());
        fs::write(&index, &whole[..at]).unwrap();
        assert!(!open(&plan).1.was_kept, "it ends at {at} of {}", whole.len());
    }
    fs::write(&index, &whole).unwrap();
    assert!(open(&plan).1.was_kept);
}

#[test]
fn an_index_that_was_found_damaged_is_kept_again() {
    let (_folders, plan) = ended();
    let index = plan.state.path.join("index");
    let mut bytes = fs::read(&index).unwrap();
    bytes[0] ^= 1;
    fs::write(&index, bytes).unwrap();
    // Nothing is new: this start commits nothing.
    run(&plan, STREAM, u64::MAX);
    assert!(open(&plan).1.was_kept);
}

#[test]
fn an_index_that_somebody_removed_stops_no_commit() {
    let (_folders, plan) = ended();
    let (mut store, opened) = open(&plan);
    assert!(opened.was_kept);
    fs::remove_file(plan.state.path.join("index")).unwrap();
    store.commit(&Commit::default()).unwrap();
}

#[test]
fn nothing_is_kept_of_a_record_that_left() {
    let (_folders, plan) = ended();
    let (_store, opened) = open(&plan);
    let Opened { registry, mut resolver, .. } = opened;
    let address_of = |node: &NodeId| {
        let identity = resolver.identity(*node)?;
        identity.value(Field::Email).map(ToOwned::to_owned)
    };
    let address = registry.all().iter().find_map(address_of).expect("somebody has an address");
    let mut carriers = registry.all();
    carriers.retain(|node| address_of(node).is_some_and(|other| other == address));
    let holds = |resolver: &mut Resolver| {
        let mut image = Kept::default();
        resolver.take_notes();
        assert!(resolver.pack(&mut image).unwrap());
        let mut pieces = image.0.values().flatten();
        pieces.any(|piece| piece.windows(address.len()).any(|part| part == address.as_bytes()))
    };
    assert!(holds(&mut resolver));
    resolver.apply(&carriers, Vec::new());
    assert!(!holds(&mut resolver));
}
