//! What is written is read back, by every door.

use super::*;
use crate::error::Kind;

fn collect<T>(rows: impl Iterator<Item = crate::error::Result<T>>) -> Vec<T> {
    rows.collect::<crate::error::Result<_>>().expect("rows are read")
}

#[test]
fn a_commit_is_read_back_after_reopening() {
    let folder = tempfile::tempdir().expect("folder");
    let commit = nth_commit(1);
    {
        let mut store = open(folder.path());
        assert_eq!((store.sequence(), store.epoch()), (0, 1));
        assert_eq!(store.commit(&commit).expect("commit"), 1);
    }
    let store = open(folder.path());
    let view = store.view();
    assert_eq!((store.sequence(), store.epoch(), store.published()), (1, 2, 0));
    assert_eq!(collect(view.records()), commit.records);
    assert_eq!(view.record(0).expect("record"), Some(commit.records[0].1.clone()));
    assert_eq!(view.record(7).expect("record"), None);
    assert_eq!(collect(view.members()), commit.members);
    assert_eq!(view.identity_of(0).expect("member"), Some(identity_id(0)));
    assert_eq!(collect(view.identities()), commit.identities);
    assert_eq!(view.identity(&identity_id(0)).expect("row"), Some(commit.identities[0].clone()));
    assert_eq!(collect(view.interactions(0)), commit.interactions);
    assert_eq!(collect(view.dead_letters(0)), commit.dead_letters);
    assert_eq!(collect(view.changes(0)), commit.changes);
    assert_eq!(view.touched().expect("touched"), [identity_id(0)]);
    assert_eq!(view.mappings().expect("mappings"), [MappingChange { node: 0, removed: None }]);
    assert_eq!(view.positions().expect("positions"), commit.positions);
    assert_eq!(view.counters(), commit.counters);
    assert_eq!(view.max_event_time(), commit.max_event_time);
    let seen = store.events_seen(&[event_key(2), event_key(99), event_key(3)]).expect("events");
    assert_eq!(seen, [true, false, true]);
    assert_eq!(store.node_of_event(&event_key(99)).expect("event"), None);
    assert!(store.disk_bytes() > 0);
    assert_eq!(check_run(&store), 1);
}

#[test]
fn rows_ascend_by_node_and_commit() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    for sequence in 1..=300 {
        store.commit(&nth_commit(sequence)).expect("commit");
    }
    let view = store.view();
    let nodes: Vec<_> = collect(view.records()).into_iter().map(|(node, _)| node).collect();
    assert_eq!(nodes, (0..300).collect::<Vec<_>>());
    let commits: Vec<_> = collect(view.changes(0)).into_iter().map(|row| row.epoch).collect();
    assert_eq!(commits, (1..=300).collect::<Vec<_>>());
}

#[test]
fn a_view_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    store.commit(&nth_commit(1)).expect("commit");
    let view = store.view();
    store.commit(&nth_commit(2)).expect("commit");
    store.clear_outbox(2).expect("clear");
    let reader = std::thread::spawn(move || {
        (view.sequence(), view.interactions(0).count(), view.facts(0).expect("facts").events())
    });
    assert_eq!(reader.join().expect("the reader ends"), (1, 2, 2));
    assert_eq!(store.view().interactions(0).count(), 0);
}

#[test]
fn a_removed_node_leaves_its_events_and_its_number() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    store.commit(&nth_commit(1)).expect("commit");
    store.commit(&nth_commit(2)).expect("commit");
    let retired = IdentityRow { id: identity_id(1), status: Status::Retired, version: 3 };
    let removal = Commit {
        removed: vec![(1, record_key(1))],
        // What the same batch says of a removed node is gone with it.
        facts: vec![(1, facts(1, 50))],
        mappings: vec![1],
        identities: vec![retired],
        ..Commit::default()
    };
    store.commit(&removal).expect("commit");
    drop(store);
    let store = open(folder.path());
    let view = store.view();
    assert_eq!(view.record(1).expect("record"), None);
    assert_eq!(view.identity_of(1).expect("member"), None);
    assert_eq!(view.facts(1).expect("facts"), Facts::default());
    assert_eq!(view.edges().count(), 0);
    assert_eq!((view.next_node(), view.nodes()), (2, 1));
    assert_eq!(store.node_of_event(&event_key(5)).expect("event"), Some(1));
    let removed = MappingChange { node: 1, removed: Some(record_key(1)) };
    assert_eq!(view.mappings().expect("mappings").last(), Some(&removed));
    assert_eq!(store.verify().expect("fits together").identities_gone, 1);
}

#[test]
fn facts_of_many_commits_are_folded_when_published() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    store.commit(&nth_commit(1)).expect("commit");
    for event in 10..40 {
        let commit = Commit { facts: vec![(0, facts(0, event))], ..Commit::default() };
        store.commit(&commit).expect("commit");
    }
    let before = store.view().facts(0).expect("facts");
    assert_eq!(before.events(), 32);
    let rows = |store: &Store| store.view().scan(keyspace::Space::Facts, &[]).count();
    assert_eq!(rows(&store), 31);
    store.clear_outbox(store.sequence()).expect("clear");
    assert_eq!(rows(&store), 1);
    store.commit(&Commit { facts: vec![(0, facts(0, 40))], ..Commit::default() }).expect("commit");
    drop(store);
    let after = open(folder.path()).view().facts_of(&[0, 1]).expect("facts");
    let mut expected = before;
    expected.merge(facts(0, 40));
    assert_eq!(after, [expected, Facts::default()]);
}

#[test]
fn the_outbox_is_cleared_up_to_a_commit() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    for sequence in 1..=3 {
        store.commit(&nth_commit(sequence)).expect("commit");
    }
    store.clear_outbox(2).expect("clear");
    assert_eq!(store.clear_outbox(4).expect_err("not there").kind(), Kind::Internal);
    drop(store);
    let mut store = open(folder.path());
    assert_eq!((store.published(), store.sequence()), (2, 3));
    assert_eq!(collect(store.view().interactions(0)), nth_commit(3).interactions);
    assert_eq!(store.view().mappings().expect("mappings").len(), 1);
    store.clear_outbox(3).expect("clear");
    assert_eq!(store.view().touched().expect("touched"), []);
    assert_eq!(check_run(&store), 3);
}

#[test]
fn large_payloads_come_back_whole() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    let letters: Vec<_> =
        [0, 1, 70_000, 1 << 20, 3].iter().map(|bytes| dead_letter(*bytes as u64, *bytes)).collect();
    let commit = Commit { dead_letters: letters.clone(), ..Commit::default() };
    store.commit(&commit).expect("commit");
    assert_eq!(collect(store.view().dead_letters(0)), letters);
}

#[test]
fn the_model_is_frozen() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    assert_eq!(store.model().expect("model"), None);
    store.set_model(b"{}").expect("first");
    store.set_model(b"{}").expect("the same");
    assert_eq!(store.set_model(b"{ }").expect_err("another").kind(), Kind::Invalid);
    drop(store);
    let model = open(folder.path()).model().expect("model").expect("set");
    assert_eq!(
        (model.bytes.as_slice(), model.fingerprint),
        (&b"{}"[..], *blake3::hash(b"{}").as_bytes())
    );
}

#[test]
fn a_long_partition_name_keeps_its_position() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    let long = "x".repeat(100_000);
    let positions: Positions =
        [position(&long, 7), position("", 8), (("we".into(), "b".into()), 9)].into();
    let commit = Commit { positions: positions.clone(), ..Commit::default() };
    store.commit(&commit).expect("commit");
    assert_eq!(store.view().positions().expect("positions"), positions);
}

#[test]
fn verify_names_the_first_contradiction() {
    let cases = [
        (Commit { facts: vec![(9, facts(9, 1))], ..Commit::default() }, "facts"),
        (Commit { records: vec![(1, record(1, 0))], ..Commit::default() }, "number of records"),
        (Commit { records: vec![(0, record(0, 0))], ..Commit::default() }, "no identity"),
        (Commit { members: vec![(4, identity_id(4))], ..Commit::default() }, "member"),
        (Commit { events: vec![(event_key(1), 5)], ..Commit::default() }, "never was"),
        (Commit { identities: nth_commit(1).identities, ..Commit::default() }, "live without"),
    ];
    for (commit, message) in cases {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = open(folder.path());
        store.commit(&commit).expect("commit");
        let error = store.verify().expect_err(message);
        assert_eq!(error.kind(), Kind::Data);
        assert!(error.to_string().contains(message), "{error} does not name {message}");
    }
}
