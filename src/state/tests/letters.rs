//! Letters that wait for their topic, whatever becomes of the tables.

use super::*;

fn commit(offsets: std::ops::Range<u64>, bytes: usize, forwards_letters: bool) -> Commit {
    let dead_letters = offsets.map(|offset| dead_letter(offset, bytes)).collect();
    Commit { dead_letters, forwards_letters, ..Commit::default() }
}

fn offsets(waiting: &Waiting<DeadLetter>) -> Vec<u64> {
    waiting.rows.iter().map(|letter| letter.origin.offset).collect()
}

#[test]
fn letters_wait_for_their_topic_and_for_the_table_each_by_themselves() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    store.commit(&commit(0..2, 9, false)).expect("commit");
    assert_eq!(store.view().letters_waiting().expect("count"), 0, "there was no topic then");
    store.commit(&commit(2..5, 9, true)).expect("commit");
    store.commit(&commit(5..5, 9, true)).expect("commit");
    store.commit(&commit(5..7, 9, true)).expect("commit");
    store.clear_outbox(4).expect("clear");
    assert_eq!(store.view().dead_letters(0).count(), 0);
    drop(store);

    let mut store = open(folder.path());
    store.verify().expect("it fits together");
    assert_eq!(store.view().letters_waiting().expect("count"), 5);
    let all = store.view().letters(None, usize::MAX).expect("letters");
    assert_eq!(offsets(&all), [2, 3, 4, 5, 6]);
    assert_eq!(all.rows[0], dead_letter(2, 9), "whole");
    let first = store.view().letters(None, 1).expect("letters");
    assert_eq!(offsets(&first), [2, 3, 4], "a commit's");
    let sequence = store.sequence();
    store.clear_letters(&first.places).expect("clear");
    assert_eq!((store.sequence(), store.published()), (sequence, 4), "it is no commit");
    let rest = store.view().letters(first.places.last().copied(), 1).expect("letters");
    assert_eq!(offsets(&rest), [5, 6]);
    assert_eq!(store.view().letters(None, 1).expect("letters"), rest);
    let none = store.view().letters(rest.places.last().copied(), 1).expect("letters");
    assert_eq!(none, Waiting { rows: Vec::new(), places: Vec::new() });

    assert_eq!(store.forget_letters().expect("forget"), 2);
    assert_eq!(store.forget_letters().expect("forget"), 0);
    assert_eq!(store.view().letters_waiting().expect("count"), 0);
}

#[test]
fn large_letters_are_read_a_few_at_a_time() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    store.commit(&commit(0..5, 100_000, true)).expect("commit");
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let some = store.view().letters(after, 150_000).expect("letters");
        let Some(last) = some.places.last() else { break };
        assert!(some.rows.len() <= 2);
        after = Some(*last);
        read.extend(offsets(&some));
    }
    assert_eq!(read, [0, 1, 2, 3, 4]);
}
