//! Files that are put together: which, how many stay, and what is in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use object_store::ObjectStore;
use object_store::path::Path;
use proptest::prelude::*;

use super::*;
use crate::sink::testing::*;
use crate::sink::{CommitInfo, Erasure, Written};

const TINY: Limits = Limits { run_rows: 4, ..crate::sink::testing::TINY };

async fn open(store: &Arc<dyn ObjectStore>) -> Table {
    let table = Table::open(store.clone(), &Path::from("root"), &APPENDED).await.unwrap();
    table.with_limits(TINY)
}

async fn append(table: &mut Table, rows: &[(String, i64)], commit: &CommitInfo) -> Written {
    let batches: Vec<_> = rows.chunks(7).map(batch).map(Ok).collect();
    table.append(stream::iter(batches), commit).await.unwrap()
}

/// Checks that each file is sorted and says so; returns how many are not yet whole.
async fn assert_files(table: &Table) -> usize {
    for add in table.snapshot.files.values() {
        let live = table.source(add).open().await.unwrap();
        let batches: Vec<RecordBatch> = live.read(None, None).unwrap().try_collect().await.unwrap();
        let numbers = batches.iter().flat_map(|batch| {
            let numbers = batch["number"].as_primitive::<Int64Type>();
            numbers.iter().flatten().collect::<Vec<_>>()
        });
        let numbers: Vec<i64> = numbers.collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        let stats = add.statistics();
        assert_eq!(stats["numRecords"].as_u64(), Some(numbers.len() as u64));
        assert_eq!(stats["minValues"]["number"].as_i64(), numbers.first().copied());
        assert_eq!(stats["maxValues"]["number"].as_i64(), numbers.last().copied());
    }
    table.snapshot.files.values().filter(|add| add.rows() < TINY.file_rows).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_history_of_appends_equals_a_list(
        steps in prop::collection::vec(
            (prop::collection::vec((0_u64..500, -99_i64..99), 1..25), prop::bool::weighted(0.2)),
            1..60,
        ),
        gone in 0_u64..500,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let faulty = Arc::new(FaultyStore::default());
            let store: Arc<dyn ObjectStore> = faulty.clone();
            let mut table = open(&store).await;
            let mut expected: Vec<(String, i64)> = Vec::new();
            for (number, (rows, lose)) in (1..).zip(steps) {
                faulty.faults.lock().unwrap().extend(lose.then_some(Fault::Lose));
                let rows: Vec<_> = rows.into_iter().map(|(i, number)| (key(i), number)).collect();
                let written = append(&mut table, &rows, &commit(number)).await;
                assert_eq!(written.rows, rows.len() as u64, "only the new ones are counted");
                assert_eq!(append(&mut table, &rows, &commit(number)).await, Written::default());
                expected.extend(rows);
                let small = assert_files(&table).await;
                // Two of each of four sizes, and those that came just now.
                assert!(small <= 2 * 4 + 3, "{small} small files");
            }
            let check = async |expected: &[(String, i64)]| {
                let mut expected = expected.to_vec();
                expected.sort();
                let table = open(&store).await;
                let mut found = read(&table).await;
                found.sort();
                assert_eq!((table.rows(), found), (expected.len() as u64, expected));
            };
            check(&expected).await;
            let gone = [key(gone)];
            let values = Erasure::Values { column: "key", values: &gone };
            table.erase(values, &commit(0)).await.unwrap();
            expected.retain(|(key, _)| *key != gone[0]);
            assert_files(&table).await;
            check(&expected).await;
        });
    }
}

#[tokio::test]
async fn rows_are_written_anew_a_few_times_at_most() {
    let store = memory();
    let mut table = open(&store).await;
    let (mut most, mut anew) = (0, 0);
    for number in 1..=600 {
        let rows: Vec<_> = (0..3).map(|i| (key(number * 3 + i), number as i64)).collect();
        anew += append(&mut table, &rows, &commit(number)).await.compacted;
        most = most.max(table.files().0);
    }
    // 3 rows a commit, whole at 100: by steps of three, four times, and each four files whole.
    assert!(anew <= 4 * 1_800, "{anew} rows");
    assert_eq!(table.rows(), 1_800);
    let small = assert_files(&table).await;
    assert!(small <= 9 && most <= 1_800 / 100 + 9, "{small} small files, {most} at most");
    // The files follow each other in time.
    let mut bounds: Vec<(i64, i64)> = (table.snapshot.files.values())
        .map(|add| {
            let stats = add.statistics();
            let bound = |side: &str| stats[side]["number"].as_i64().unwrap();
            (bound("minValues"), bound("maxValues"))
        })
        .collect();
    bounds.sort_unstable();
    assert!(bounds.windows(2).all(|two| two[0].1 < two[1].0), "{bounds:?}");
}

#[tokio::test]
async fn the_log_says_that_rows_only_moved() {
    let store = memory();
    let mut table = open(&store).await;
    for number in 1..=4 {
        append(&mut table, &[(key(number), number as i64)], &commit(number)).await;
    }
    let entry = table.log.read(4).await.unwrap().unwrap();
    let adds: Vec<_> = entry.iter().filter_map(|line| line.add.as_ref()).collect();
    let changes: Vec<_> = adds.iter().map(|add| (add.rows(), add.data_change)).collect();
    assert_eq!(changes, [(1, true), (3, false)]);
    let removes: Vec<_> = entry.iter().filter_map(|line| line.remove.as_ref()).collect();
    assert!(removes.len() == 3 && removes.iter().all(|remove| !remove.data_change));
    let info = entry[0].commit_info.as_ref().unwrap();
    assert_eq!(info["isBlindAppend"], false);
}

#[test]
fn a_backlog_is_put_together_the_oldest_first() {
    let file = |i: i64, rows: u64, size: i64| Add {
        path: format!("{:03}", (i * 7) % 1000),
        modification_time: i,
        stats: Some(format!(r#"{{"numRecords":{rows}}}"#)),
        size,
        ..Add::default()
    };
    let due_of = |files: Vec<Add>| {
        let files: BTreeMap<_, _> = files.into_iter().map(|add| (add.path.clone(), add)).collect();
        due(&files, &TINY).iter().map(|add| add.modification_time).collect::<Vec<_>>()
    };
    assert_eq!(due_of((0..500).map(|i| file(i, 1, 9)).collect()), (0..64).collect::<Vec<_>>());
    assert_eq!(due_of(vec![file(1, 1, 9), file(2, 1, 9)]), [0; 0]);
    assert_eq!(due_of((0..3).map(|i| file(i, 100, 9)).collect()), [0; 0], "whole");
    assert_eq!(due_of((0..3).map(|i| file(i, 1, 1 << 20)).collect()), [0; 0], "large");
    // Three small ones, that become one of the next size, of which there are two.
    let mixed = [(1, 2), (2, 2), (3, 2), (4, 5), (5, 5), (6, 50)];
    assert_eq!(due_of(mixed.map(|(i, rows)| file(i, rows, 9)).into()), [1, 2, 3, 4, 5]);
}
