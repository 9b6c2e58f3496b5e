use super::*;
use crate::error::Kind;
use crate::state::keyspace::{HEAD_KEY, Space};
use crate::state::{View, restore_snapshot, write_snapshot};

fn written(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(write_snapshot(&store.view(), &mut bytes).expect("write") > 0);
    bytes
}

/// Every row but the head.
fn rows(view: &View) -> Vec<(Space, Vec<u8>, Vec<u8>)> {
    let of = |space| {
        let rows = view.scan(space, &[]).map(|row| row.expect("a row"));
        rows.map(move |(key, value)| (space, key.to_vec(), value.to_vec()))
    };
    let rows = Space::ALL.into_iter().flat_map(of);
    rows.filter(|(_, key, _)| key != HEAD_KEY).collect()
}

#[test]
fn a_restored_state_has_every_row_and_goes_on() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(&folder.path().join("state"));
    for number in 1..=9 {
        store.commit(&nth_commit(number)).expect("commit");
    }
    store.clear_outbox(5).expect("clear");
    let place = folder.path().join("other/state");
    std::fs::create_dir(folder.path().join("other")).expect("a folder");
    let bytes = written(&store);
    let options = Options::default();
    assert_eq!(restore_snapshot(&place, bytes.as_slice(), &options).expect("restore"), 9);
    let mut restored = open(&place);
    assert!(rows(&restored.view()) == rows(&store.view()));
    assert_eq!((restored.sequence(), restored.published()), (9, 5));
    assert_eq!(restored.counters(), store.counters());
    assert!(restored.epoch() > store.epoch(), "it is opened once more");
    assert_eq!(restored.commit(&nth_commit(10)).expect("commit"), 10);
    drop(restored);
    check_run(&open(&place));
    let refused = restore_snapshot(&place, bytes.as_slice(), &options).expect_err("not over it");
    assert_eq!(refused.kind(), Kind::Invalid);
}

#[test]
fn a_snapshot_that_is_cut_or_damaged_makes_no_state() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(&folder.path().join("state"));
    store.commit(&nth_commit(1)).expect("commit");
    let whole = written(&store);
    let place = folder.path().join("restored");
    let refuses = |bytes: &[u8], what: &str| {
        let error = restore_snapshot(&place, bytes, &Options::default()).expect_err(what);
        assert!(matches!(error.kind(), Kind::Data | Kind::Invalid), "{what}: {error}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("read").collect();
        assert_eq!(left.len(), 1, "{what}: nothing is left of it");
    };
    for length in (0..whole.len()).step_by(whole.len() / 12) {
        refuses(&whole[..length], "cut");
    }
    for at in (0..whole.len()).step_by(whole.len() / 24) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        refuses(&damaged, "damaged");
    }
}

/// A snapshot of which some rows begin: keyspace, length of the key, length of the value.
fn begun(lengths: [u32; 2], rest: &[u8]) -> Vec<u8> {
    let mut content = vec![1, 4];
    content.extend(b"meta\0");
    content.extend(lengths.into_iter().flat_map(u32::to_le_bytes));
    content.extend(rest);
    let mut bytes = b"onefold snapshot 1\n".to_vec();
    bytes.extend(zstd::bulk::compress(&content, 1).expect("compress"));
    bytes
}

#[test]
fn a_key_that_no_store_takes_is_damage() {
    let folder = tempfile::tempdir().expect("folder");
    let place = folder.path().join("restored");
    let long = vec![b'k'; 70_000];
    for bytes in [begun([0, 1], b"x\xff"), begun([65_536, 1], &long), begun([u32::MAX, 1], &long)] {
        let error = restore_snapshot(&place, bytes.as_slice(), &Options::default());
        assert_eq!(error.expect_err("damaged").kind(), Kind::Data);
    }
}
