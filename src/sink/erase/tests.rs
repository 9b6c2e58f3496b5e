//! Rows that leave for good, after any history, and what becomes of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{TryStreamExt, stream};
use object_store::ObjectStore;
use object_store::path::Path;
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;
use crate::error::Kind;
use crate::sink::testing::*;
use crate::sink::{Limits, TableSpec, tables};

async fn open(store: &Arc<dyn ObjectStore>, spec: &'static TableSpec) -> Table {
    let table = Table::open(store.clone(), &Path::from("root"), spec).await.unwrap();
    table.with_limits(TINY)
}

/// Every row that the files of the table hold, masked ones among them: (key, number, masked).
async fn in_files(table: &Table) -> Vec<(String, i64, bool)> {
    let mut all = Vec::new();
    for add in table.snapshot.files.values() {
        let live = table.source(add).open().await.unwrap();
        let whole = live.masked_by(RoaringBitmap::new());
        let batches: Vec<RecordBatch> =
            whole.read(None, None).unwrap().try_collect().await.unwrap();
        let rows = batches.iter().flat_map(pairs);
        let is_masked = |row: usize| live.mask().contains(u32::try_from(row).unwrap());
        all.extend(rows.enumerate().map(|(row, (key, number))| (key, number, is_masked(row))));
    }
    all
}

fn pairs(batch: &RecordBatch) -> Vec<(String, i64)> {
    let keys = batch["key"].as_string::<i32>().iter().flatten().map(String::from);
    keys.zip(batch["number"].as_primitive::<Int64Type>().iter().flatten()).collect()
}

async fn put(table: &mut Table, set: &BTreeMap<String, i64>, gone: &[String], number: u64) {
    table.upsert(rows(set), set.len() as u64, gone, &commit(number)).await.unwrap();
}

/// One commit: keys set, keys removed.
type Step = (BTreeMap<u8, i64>, Vec<u8>);

fn step() -> impl Strategy<Value = Step> {
    (
        prop::collection::btree_map(any::<u8>(), any::<i64>(), 0..12),
        prop::collection::vec(any::<u8>(), 0..4),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_erased_is_in_no_file_and_the_rest_is_as_it_was(
        first in prop::collection::btree_map(any::<u8>(), any::<i64>(), 0..256),
        steps in prop::collection::vec(step(), 0..20),
        gone in prop::collection::btree_set(any::<u8>(), 0..5),
        superseded in prop::collection::btree_set(any::<u8>(), 0..9),
        fault in prop::option::of(prop_oneof![Just(Fault::Lose), Just(Fault::Refuse)]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let faulty = Arc::new(FaultyStore::default());
            let store: Arc<dyn ObjectStore> = faulty.clone();
            let mut table = open(&store, &UPSERTED).await;
            let mut expected: BTreeMap<String, i64> = BTreeMap::new();
            let mut number = 0;
            for (set, gone) in std::iter::once((first, Vec::new())).chain(steps) {
                number += 1;
                let set: BTreeMap<String, i64> =
                    set.into_iter().map(|(i, value)| (key(i.into()), value)).collect();
                let gone: Vec<String> = gone.into_iter().map(|i| key(i.into())).collect();
                put(&mut table, &set, &gone, number).await;
                expected.retain(|key, _| !gone.contains(key));
                expected.extend(set);
            }
            let published = table.txn("test");
            let gone: Vec<String> = gone.into_iter().map(|i| key(i.into())).collect();
            let superseded: Vec<String> = superseded.into_iter().map(|i| key(i.into())).collect();
            let erasure = Erasure::Keys { gone: &gone, superseded: &superseded };
            let is_doomed = |(key, _, masked): &&(String, i64, bool)| {
                gone.contains(key) || *masked && superseded.contains(key)
            };
            let held = in_files(&table).await.iter().filter(is_doomed).count() as u64;

            faulty.faults.lock().unwrap().extend(fault);
            let erased = match table.erase(erasure, &commit(number)).await {
                Err(refused) => {
                    assert_eq!((refused.kind(), fault), (Kind::Unavailable, Some(Fault::Refuse)));
                    table.erase(erasure, &commit(number)).await.unwrap()
                }
                done => done.unwrap(),
            };
            faulty.faults.lock().unwrap().clear();
            assert_eq!(erased.rows, held);
            assert_eq!(erased.replaced.is_empty(), held == 0);
            expected.retain(|key, _| !gone.contains(key));
            let mut table = open(&store, &UPSERTED).await;
            assert!(!in_files(&table).await.iter().any(|row| is_doomed(&row)));
            assert!(erased.replaced.iter().all(|path| !table.snapshot.files.contains_key(path)));
            assert_eq!(read(&table).await.into_iter().collect::<BTreeMap<_, _>>(), expected);
            assert_eq!(table.rows(), expected.len() as u64);
            assert_eq!(table.txn("test"), published);
            // Once, and the table goes on.
            let version = table.version();
            assert_eq!(table.erase(erasure, &commit(number)).await.unwrap(), Erased::default());
            table.erase(Erasure::Superseded, &commit(number)).await.unwrap();
            assert!(in_files(&table).await.iter().all(|(_, _, masked)| !masked));
            assert!(table.version() <= version + 1);
            let more: BTreeMap<String, i64> = (200..230).map(|i| (key(i), 5)).collect();
            put(&mut table, &more, &[], number + 1).await;
            expected.extend(more);
            assert_eq!(read(&table).await.into_iter().collect::<BTreeMap<_, _>>(), expected);
        });
    }
}

#[tokio::test]
async fn rows_of_a_table_that_only_grows_are_erased_by_value() {
    let store = memory();
    let mut table = open(&store, &APPENDED).await.with_limits(Limits::default());
    for number in 1..=4 {
        let rows: Vec<_> = (0..50).map(|i| (key(i * number), i as i64 * 7 % 50)).collect();
        table.append(stream::iter([Ok(batch(&rows))]), &commit(number)).await.unwrap();
    }
    let mut expected = in_files(&table).await;
    let values = [key(6), key(49), key(1_000)];
    let erasure = Erasure::Values { column: "key", values: &values };
    let erased = table.erase(erasure, &commit(9)).await.unwrap();
    // 6 = 6·1 = 3·2 = 2·3, and 49 = 49·1.
    assert_eq!((erased.rows, erased.replaced.len()), (4, 3));
    let mut table = open(&store, &APPENDED).await;
    let mut left = in_files(&table).await;
    expected.retain(|(key, _, _)| !values.contains(key));
    expected.sort();
    left.sort();
    assert_eq!(left, expected);
    assert_eq!((table.txn("test"), table.version()), (Some(4), 5));
    for add in table.snapshot.files.values() {
        let live = table.source(add).open().await.unwrap();
        let batches: Vec<_> = live.read(None, None).unwrap().try_collect().await.unwrap();
        let numbers: Vec<i64> = batches.iter().flat_map(pairs).map(|(_, number)| number).collect();
        assert!(numbers.is_sorted());
        let stats = add.statistics();
        assert_eq!(stats["minValues"]["number"].as_i64(), numbers.first().copied());
        assert_eq!(stats["maxValues"]["number"].as_i64(), numbers.last().copied());
    }
    assert_eq!(table.erase(erasure, &commit(9)).await.unwrap(), Erased::default());
    let not_so = table.erase(Erasure::Keys { gone: &values, superseded: &[] }, &commit(9)).await;
    assert_eq!(not_so.unwrap_err().kind(), Kind::Invalid);
    let not_so = Erasure::Values { column: "number", values: &values };
    assert_eq!(table.erase(not_so, &commit(9)).await.unwrap_err().kind(), Kind::Invalid);
    // A file of nothing else is only taken out.
    let all: Vec<String> = left.into_iter().map(|(key, _, _)| key).collect();
    let all = Erasure::Values { column: "key", values: &all };
    let erased = table.erase(all, &commit(9)).await.unwrap();
    assert_eq!((erased.written, table.files().0, table.rows()), (Written::default(), 0, 0));
}

#[tokio::test]
async fn letters_are_erased_by_where_they_were_read() {
    use crate::record::{DeadLetter, Origin, Reason};
    let store = memory();
    let mut table = open(&store, &tables::DEAD_LETTERS).await;
    let letter = |source: &str, partition: &str, offset| DeadLetter {
        origin: Origin { source: source.into(), partition: partition.into(), offset },
        reason: Reason::Malformed,
        detail: String::new(),
        payload: "{".into(),
        envelope: None,
    };
    let letters = [letter("a", "t/0", 1), letter("a", "t/1", 1), letter("b", "t/0", 1)];
    let rows = crate::sink::rows::dead_letters(&letters).unwrap();
    table.append(stream::iter([Ok(rows)]), &commit(1)).await.unwrap();
    let place = |source: &str, partition: &str, offset| LetterPlace {
        source: source.into(),
        partition: partition.into(),
        offset,
    };
    let places = [place("a", "t/1", 1), place("b", "t/0", 2)];
    let erased = table.erase(Erasure::Letters(&places), &commit(1)).await.unwrap();
    assert_eq!((erased.rows, erased.written.rows, table.rows()), (1, 2, 2));
    let again = table.erase(Erasure::Letters(&places), &commit(1)).await.unwrap();
    assert_eq!(again, Erased::default());
}

#[tokio::test]
async fn who_lost_the_table_erases_nothing() {
    let store = memory();
    let mut left = open(&store, &UPSERTED).await;
    put(&mut left, &BTreeMap::from([(key(1), 1), (key(2), 2)]), &[], 1).await;
    let mut right = open(&store, &UPSERTED).await;
    right.fence("test", 2, 1).await.unwrap();
    let gone = [key(1)];
    let erasure = Erasure::Keys { gone: &gone, superseded: &[] };
    let fenced = left.erase(erasure, &commit(1)).await.unwrap_err();
    assert_eq!(fenced.kind(), Kind::Fenced);
    let mut late = open(&store, &UPSERTED).await;
    assert_eq!(late.erase(erasure, &commit(1)).await.unwrap_err().kind(), Kind::Fenced);
    let erased = right.erase(erasure, &commit_of(2, 1)).await.unwrap();
    assert_eq!((erased.rows, open(&store, &UPSERTED).await.rows()), (1, 1));
}

#[tokio::test]
async fn a_commit_that_comes_late_is_not_taken_for_the_erasure() {
    let faulty = Arc::new(FaultyStore::default());
    let store: Arc<dyn ObjectStore> = faulty.clone();
    let mut table = open(&store, &UPSERTED).await;
    put(&mut table, &BTreeMap::from([(key(1), 1), (key(2), 2)]), &[], 1).await;
    faulty.faults.lock().unwrap().push(Fault::Delay);
    let more = BTreeMap::from([(key(3), 3)]);
    table.upsert(rows(&more), 1, &[], &commit(2)).await.unwrap_err();
    let gone = [key(1)];
    let erasure = Erasure::Keys { gone: &gone, superseded: &[] };
    // Commits 1 and 2 touch one small bucket: the late one has written it anew already.
    let late = table.erase(erasure, &commit(2)).await.unwrap_err();
    assert_eq!(late.kind(), Kind::Unavailable);
    table.erase(erasure, &commit(2)).await.unwrap();
    let table = open(&store, &UPSERTED).await;
    let left = read(&table).await.into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(left, BTreeMap::from([(key(2), 2), (key(3), 3)]));
    assert!(in_files(&table).await.iter().all(|(found, _, _)| *found != key(1)));
}
