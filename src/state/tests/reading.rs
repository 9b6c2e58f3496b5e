//! One who only asks sees what was committed, whichever way it is read.

use std::fs;

use super::*;
use crate::error::Kind;
use crate::profile::{Cause, Move};

/// A state of some commits, with a member that moved, one that was removed, and derived facts.
fn write(store: &mut Store) {
    for sequence in 1..=20 {
        store.commit(&nth_commit(sequence)).expect("commit");
    }
    let gone = |n: u32, status| IdentityRow { id: identity_id(n), status, version: 21 };
    let merged = Status::Merged { into: identity_id(3) };
    store
        .commit(&Commit {
            members: vec![(4, identity_id(3)), (4, identity_id(5)), (4, identity_id(3))],
            removed: vec![(7, record_key(7))],
            edges: vec![(8, Vec::new())],
            identities: vec![gone(4, merged), gone(7, Status::Retired)],
            shared: vec![(Field::Phone, "2125550100".into(), 4.0), (Field::Card, "c1".into(), 2.0)],
            capped: vec![(17, true), (18, true)],
            ..Commit::default()
        })
        .expect("commit");
    store
        .commit(&Commit {
            shared: vec![(Field::Card, "c1".into(), 1.0)],
            capped: vec![(18, false), (1 << 60, true)],
            ..Commit::default()
        })
        .expect("commit");
}

#[track_caller]
fn check_reader(path: &Path, is_settled: bool) {
    let reader = Reader::open(path, &Options::default()).expect("the state is read");
    assert_eq!(reader.is_settled(), is_settled);
    assert_eq!((reader.sequence(), reader.epoch()), (22, 1));
    assert_eq!(reader.max_event_time(), 41);
    for node in (0..20).filter(|node| *node != 7) {
        let row = reader.record(node).expect("record").expect("it is there");
        assert_eq!(row, record(node, 0));
        assert_eq!(reader.node_of_record(&row.key).expect("node"), Some(node));
        let identity = identity_id(if node == 4 { 3 } else { node });
        assert_eq!(reader.identity_of(node).expect("identity"), Some(identity));
        let members = reader.members(&identity).expect("members");
        assert_eq!(members, if matches!(node, 3 | 4) { vec![3, 4] } else { vec![node] });
    }
    assert_eq!(reader.record(7).expect("record"), None);
    assert_eq!(reader.node_of_record(&record_key(7)).expect("node"), None);
    for n in [4, 7, 99] {
        assert_eq!(reader.members(&identity_id(n)).expect("members"), Vec::<NodeId>::new());
    }
    let merged = reader.identity(&identity_id(4)).expect("identity").expect("it was there");
    assert_eq!(merged.status, Status::Merged { into: identity_id(3) });
    assert_eq!(reader.node_of_event(&event_key(2)).expect("event"), Some(0));
    assert_eq!(reader.edges(9).expect("edges").len(), 1);
    assert_eq!(reader.clusters().expect("clusters").count(), 19);
    let people = |field, value| reader.people(field, value).expect("people");
    assert_eq!(people(Field::Phone, "2125550100"), 4.0);
    assert_eq!(people(Field::Email, "2125550100"), 1.0);
    assert_eq!(people(Field::Card, "c1"), 1.0);
    let capped = [17, 18, 19, 1 << 60].map(|key| reader.is_capped(key).expect("capped"));
    assert_eq!(capped, [true, false, false, true]);
}

#[test]
fn a_reader_sees_what_was_committed_settled_or_not() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    write(&mut store);
    drop(store);
    check_reader(folder.path(), false);
    // Reading takes no epoch and changes nothing.
    check_reader(folder.path(), false);

    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    write(&mut store);
    assert!(store.settle().expect("settled"));
    store.verify().expect("the state fits together");
    drop(store);
    check_reader(folder.path(), true);
    check_reader(folder.path(), true);
    assert_eq!(open(folder.path()).epoch(), 2);
}

#[test]
fn a_state_that_was_written_on_is_not_settled() {
    let folder = tempfile::tempdir().expect("folder");
    let note = folder.path().join("settled");
    let read = || {
        let reader = Reader::open(folder.path(), &Options::default());
        let reader = reader.expect("the state is read");
        (reader.is_settled(), reader.sequence())
    };
    let mut store = open(folder.path());
    store.commit(&nth_commit(1)).expect("commit");
    assert!(store.settle().expect("settled"));
    let old = fs::read(&note).expect("a note");
    store.commit(&nth_commit(2)).expect("commit");
    assert!(!note.exists(), "the same store writes on");
    assert!(store.settle().expect("settled"));
    drop(store);
    assert_eq!(read(), (true, 2));
    drop(open(folder.path()));
    assert!(!note.exists(), "opened for writing");
    assert_eq!(read(), (false, 2));
    // A note that should have gone is not believed.
    fs::write(&note, &old).expect("write");
    assert_eq!(read(), (false, 2));
    let mut damaged = old;
    damaged[3] ^= 1;
    fs::write(&note, damaged).expect("write");
    let error = Reader::open(folder.path(), &Options::default()).err().expect("damaged");
    assert_eq!(error.kind(), Kind::Data, "{error}");
}

#[test]
fn a_reader_needs_a_state_that_nobody_has() {
    let folder = tempfile::tempdir().expect("folder");
    let refused = || Reader::open(folder.path(), &Options::default()).err().expect("refused");
    assert_eq!(refused().kind(), Kind::Invalid);
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0, "nothing is made");
    let store = open(folder.path());
    assert_eq!(refused().kind(), Kind::Fenced);
    drop(store);
    assert_eq!(Reader::open(folder.path(), &Options::default()).expect("it is free").sequence(), 0);
}

/// The keyspaces that the version before did not have.
const NEWER: [&str; 4] = ["nodes", "clusters", "shared", "capped"];

/// The same state as the version before would have written it: without the newer keyspaces.
fn of_format_before(path: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let database = fjall::Database::builder(folder.path().join("rows"))
        .journal_compression(fjall::CompressionType::None)
        .open()
        .expect("a store");
    let mut batch = database.batch().durability(Some(fjall::PersistMode::SyncAll));
    let store = open(path);
    let spaces = keyspace::Space::ALL.into_iter();
    for space in spaces.filter(|space| !NEWER.contains(&space.name())) {
        let keyspace = database.keyspace(space.name(), Default::default).expect("a keyspace");
        for row in store.view().scan(space, &[]) {
            let (key, value) = row.expect("a row");
            batch.insert(&keyspace, key, value);
        }
    }
    batch.commit().expect("commit");
    drop(store);
    fs::copy(path.join("witness"), folder.path().join("witness")).expect("copy");
    fs::write(folder.path().join("format"), "onefold state 1\n").expect("format");
    folder
}

#[test]
fn a_state_of_the_format_before_is_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    for sequence in 1..=20 {
        store.commit(&nth_commit(sequence)).expect("commit");
    }
    drop(store);
    let folder = of_format_before(folder.path());
    let error = Reader::open(folder.path(), &Options::default()).err().expect("refused");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("run the pipeline once"), "{error}");

    // One commit more says of every record where it belongs.
    let store = open(folder.path());
    assert_eq!(store.sequence(), 21);
    check_commits(&store, 20);
    let view = store.view();
    let moves: Vec<Move> = view.moves(20).collect::<Result<_, _>>().expect("moves");
    let of = |row: &Move| (row.cause, row.other, row.epoch, row.is_removed);
    assert!(moves.iter().all(|row| of(row) == (Cause::Upgrade, None, 21, false)));
    let said = moves.iter().map(|row| (row.record, row.identity));
    let record = |node| view.record(node).expect("record").expect("it is there").key;
    let kept = view.members().map(|row| row.expect("member"));
    assert!(said.eq(kept.map(|(node, identity)| (record(node), identity))));
    drop((view, store));
    let format = fs::read_to_string(folder.path().join("format")).expect("format");
    assert_eq!(format, "onefold state 3\n");
    assert_eq!(open(folder.path()).sequence(), 21);

    // The one in between lacks none of the lookups.
    fs::write(folder.path().join("format"), "onefold state 2\n").expect("format");
    check_commits(&open(folder.path()), 20);
    let format = fs::read_to_string(folder.path().join("format")).expect("format");
    assert_eq!(format, "onefold state 3\n");
}

#[test]
fn derived_facts_are_set_right() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    write(&mut store);
    let shared: [(Field, Box<str>, f64); 2] =
        [(Field::Phone, "2125550100".into(), 4.0), (Field::Cookie, "k".into(), 8.0)];
    // A cookie is missing; a key is missing and another too many.
    assert_eq!(store.set_derived(&shared, &[17, 99]).expect("set"), 3);
    assert_eq!(store.set_derived(&shared, &[17, 99]).expect("set"), 0);
    let view = store.view();
    let capped: Vec<u64> = view.capped().map(|key| key.expect("key")).collect();
    assert_eq!(capped, [17, 99]);
    assert_eq!(view.shared().count(), 2);
    store.verify().expect("the state fits together");
}
