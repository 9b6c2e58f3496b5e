//! What is erased is nowhere in the state's folder, is known again, and everything else is as it was.

use super::*;
use crate::state::erasure::{ErasedRecord, Erasure, PendingErasure};

const ID: [u8; 10] = [7; 10];

/// The commit that erases a node of a run of [`nth_commit`]s, and the one identity that it is.
fn erase(store: &Store, node: NodeId, at: i64, is_row: bool) -> Commit {
    let view = store.view();
    let key = record_key(node);
    let judgements: Vec<_> = view.judgements().map(|row| row.expect("a row").pair).collect();
    let pending = PendingErasure {
        id: ID,
        at,
        begun: at,
        by: "email".into(),
        identities: vec![identity_id(node)],
        records: vec![ErasedRecord { key, is_row }],
        letters: Vec::new(),
        events: Vec::new(),
        commit: 1,
    };
    Commit {
        removed: vec![(node, key)],
        edges: view
            .edges()
            .map(|row| row.expect("a row"))
            .filter_map(|(upper, edges)| {
                let kept: Vec<Edge> =
                    edges.iter().copied().filter(|edge| edge.lower != node).collect();
                (upper != node && kept.len() < edges.len()).then_some((upper, kept))
            })
            .collect(),
        identities: vec![IdentityRow {
            id: identity_id(node),
            status: Status::Retired,
            version: store.sequence() + 1,
        }],
        counters: view.counters(),
        erasure: Some(Erasure {
            events: Vec::new(),
            judgements: judgements.into_iter().filter(|pair| pair.keys().contains(&key)).collect(),
            pending: vec![pending],
        }),
        ..Commit::default()
    }
}

fn bytes_under(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => bytes.extend(bytes_under(&path)),
            false => bytes.extend(std::fs::read(path).expect("a file")),
        }
    }
    bytes
}

fn holds(folder: &Path, text: &str) -> bool {
    let (bytes, text) = (bytes_under(folder), text.as_bytes());
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn what_is_erased_is_known_again_and_nowhere_on_the_disk() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    for sequence in 1..=6 {
        store.commit(&nth_commit(sequence)).expect("commit");
    }
    let before = store.verify().expect("the state fits together");
    store.clear_outbox(6).expect("clear");
    let erased: Vec<EventKey> = (0..20)
        .map(event_key)
        .filter(|event| store.node_of_event(event).expect("events") == Some(3))
        .collect();
    assert!(!erased.is_empty());
    store.commit(&erase(&store, 3, 77, false)).expect("commit");
    store.clear_outbox(7).expect("clear");

    let after = store.verify().expect("the state fits together");
    assert_eq!(after.records, before.records - 1);
    assert_eq!(after.events, before.events - erased.len() as u64);
    for event in &erased {
        assert_eq!(store.node_of_event(event).expect("events"), None);
    }
    assert!(store.events_seen(&erased).expect("events").iter().all(|seen| *seen));
    assert_eq!(store.erased_until(&record_key(3)).expect("marks"), Some(77));
    assert_eq!(store.erased_until(&record_key(4)).expect("marks"), None);
    assert!(
        holds(folder.path(), "person3."),
        "deleted rows stay on the disk until it is rewritten"
    );

    let pending = store.view().pending_erasures().expect("pending");
    assert_eq!(pending.iter().map(|it| it.id).collect::<Vec<_>>(), [ID]);
    let (sequence, epoch) = (store.sequence(), store.epoch());
    store.rewrite().expect("rewrite");
    assert_eq!((store.sequence(), store.epoch()), (sequence, epoch));
    let rewritten = store.verify().expect("the state fits together");
    assert_eq!(Report { disk_bytes: 0, ..rewritten }, Report { disk_bytes: 0, ..after });
    for gone in ["person3.", "given3", "Given3"] {
        assert!(!holds(folder.path(), gone), "{gone}");
    }
    assert!(holds(folder.path(), "person4."), "the search finds what is there");
    assert!(
        !erased.iter().any(|event| {
            bytes_under(folder.path()).windows(16).any(|window| window == event.0)
        })
    );
    assert_eq!(store.view().pending_erasures().expect("pending"), []);

    // It goes on, here and after the next opening.
    store.commit(&nth_commit(7)).expect("commit");
    drop(store);
    let store = open(folder.path());
    assert!(store.events_seen(&erased).expect("events").iter().all(|seen| *seen));
    assert_eq!(store.erased_until(&record_key(3)).expect("marks"), Some(77));
}

#[test]
fn a_row_with_a_key_of_its_own_never_comes_back() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    for sequence in 1..=3 {
        store.commit(&nth_commit(sequence)).expect("commit");
    }
    store.commit(&erase(&store, 1, 5, true)).expect("commit");
    assert_eq!(store.erased_until(&record_key(1)).expect("marks"), Some(i64::MAX));
}

#[test]
fn two_states_mark_the_same_differently() {
    let sign = || {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = open(folder.path());
        assert!(store.sign(b"receipt").is_err(), "nothing was erased");
        for sequence in 1..=2 {
            store.commit(&nth_commit(sequence)).expect("commit");
        }
        store.commit(&erase(&store, 1, 5, false)).expect("commit");
        let signed = store.sign(b"receipt").expect("a signature");
        drop(store);
        assert_eq!(open(folder.path()).sign(b"receipt").expect("a signature"), signed);
        signed
    };
    assert_ne!(sign(), sign());
}

#[test]
fn a_rewrite_that_was_cut_short_is_ended_or_taken_back() {
    let rename = |folder: &Path, from: &str, to: &str| {
        std::fs::rename(folder.join(from), folder.join(to)).expect("rename");
    };
    // Before the swap, in its midst, and behind it.
    for moment in 0..3 {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = open(folder.path());
        for sequence in 1..=4 {
            store.commit(&nth_commit(sequence)).expect("commit");
        }
        drop(store);
        let whole = folder.path().join("rows");
        copy(&whole, &folder.path().join(if moment == 2 { "rows.old" } else { "rows.new" }));
        if moment == 1 {
            rename(folder.path(), "rows", "rows.old");
        }
        if moment == 0 {
            std::fs::remove_file(folder.path().join("rows.new/version")).expect("remove");
        }
        assert_eq!(check_run(&open(folder.path())), 4, "{moment}");
        assert!(!folder.path().join("rows.new").exists(), "{moment}");
        assert!(!folder.path().join("rows.old").exists(), "{moment}");
    }
}
