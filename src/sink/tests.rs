//! The tables as a whole, against a store in memory and a local folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::{TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;

use super::testing::*;
use super::*;
use crate::error::Kind;

async fn open(store: &Arc<dyn ObjectStore>, spec: &'static TableSpec) -> Table {
    Table::open(store.clone(), &Path::from("root"), spec).await.unwrap()
}

fn numbers(range: std::ops::Range<u64>, number: i64) -> BTreeMap<String, i64> {
    range.map(|i| (key(i), number)).collect()
}

async fn put(table: &mut Table, changes: &BTreeMap<String, i64>, number: u64) -> Written {
    table.upsert(rows(changes), changes.len() as u64, &[], &commit(number)).await.unwrap()
}

#[tokio::test]
async fn a_new_table_is_empty_and_opens_again() {
    let store = memory();
    assert!(
        Table::open_existing(store.clone(), &Path::from("root"), &UPSERTED)
            .await
            .unwrap()
            .is_none()
    );
    let table = open(&store, &UPSERTED).await;
    assert_eq!((table.version(), table.rows(), table.txn("test")), (0, 0, None));
    assert_eq!(open(&store, &UPSERTED).await.version(), 0);
    assert_eq!(read(&table).await, []);
    assert!(table.find(&key(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn appended_rows_are_sorted_and_add_up() {
    let store = memory();
    let mut table = open(&store, &APPENDED).await;
    let one: Vec<_> = [3, 1, 2].map(|number| (key(number as u64), number)).into();
    let written = table.append(stream::iter([Ok(batch(&one))]), &commit(1)).await.unwrap();
    assert_eq!((written.rows, written.files), (3, 1));
    let two: Vec<_> = [0, 9].map(|number| (key(number as u64), number)).into();
    table.append(stream::iter([Ok(batch(&two))]), &commit(2)).await.unwrap();
    let table = open(&store, &APPENDED).await;
    let mut read: Vec<i64> = read(&table).await.into_iter().map(|(_, number)| number).collect();
    read.sort_by_key(|number| (*number == 0 || *number == 9, *number));
    assert_eq!(read, [1, 2, 3, 0, 9]);
    assert_eq!((table.rows(), table.txn("test")), (5, Some(2)));
}

#[tokio::test]
async fn upserts_replace_and_remove_by_key() {
    let store = memory();
    let mut table = open(&store, &UPSERTED).await;
    let first = numbers(0..10, 1);
    put(&mut table, &first, 1).await;
    let changes = numbers(5..12, 2);
    let removed = [key(0), key(5), key(77)];
    table.upsert(rows(&changes), 7, &removed, &commit(2)).await.unwrap();

    let mut expected = first;
    expected.extend(changes);
    expected.remove(&key(0));
    let table = open(&store, &UPSERTED).await;
    assert_eq!(read(&table).await, expected.clone().into_iter().collect::<Vec<_>>());
    assert_eq!(table.rows(), expected.len() as u64);
    let found = table.find(&key(7)).await.unwrap().unwrap();
    assert_eq!(found, batch(&[(key(7), 2)]));
    assert!(table.find(&key(0)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_commit_that_is_there_is_not_published_again() {
    let store = memory();
    let mut table = open(&store, &APPENDED).await;
    let row = [(key(1), 1)];
    for _ in 0..2 {
        table.append(stream::iter([Ok(batch(&row))]), &commit(5)).await.unwrap();
    }
    let mut again = open(&store, &APPENDED).await;
    for number in [5, 4] {
        let written = again.append(stream::iter([Ok(batch(&row))]), &commit(number)).await.unwrap();
        assert_eq!(written, Written::default());
    }
    assert_eq!((again.version(), again.rows()), (1, 1));
}

#[tokio::test]
async fn nothing_to_do_writes_nothing() {
    let store = memory();
    let mut table = open(&store, &UPSERTED).await;
    let written = table.upsert(stream::empty(), 0, &[key(1)], &commit(1)).await.unwrap();
    assert_eq!((written, table.version()), (Written::default(), 0));
}

#[tokio::test]
async fn a_lost_answer_is_found_in_the_log() {
    let faulty = Arc::new(FaultyStore::default());
    let store: Arc<dyn ObjectStore> = faulty.clone();
    let mut table = open(&store, &UPSERTED).await;
    for (number, fault) in [(1, Fault::Lose), (2, Fault::Repeat)] {
        faulty.faults.lock().unwrap().push(fault);
        put(&mut table, &numbers(number..number + 4, 1), number).await;
        assert_eq!((table.version(), table.rows()), (number, number + 3));
    }
    put(&mut table, &numbers(6..8, 1), 3).await;
    assert_eq!((open(&store, &UPSERTED).await.rows(), table.version()), (7, 3));
}

#[tokio::test]
async fn a_put_that_comes_late_is_taken_for_what_it_is() {
    let faulty = Arc::new(FaultyStore::default());
    let store: Arc<dyn ObjectStore> = faulty.clone();
    // The same commit is tried again, and its first try turns out to be there.
    let mut table = open(&store, &UPSERTED).await;
    faulty.faults.lock().unwrap().push(Fault::Delay);
    let one = numbers(0..4, 1);
    let late = table.upsert(rows(&one), 4, &[], &commit(1)).await.unwrap_err();
    assert_eq!(late.kind(), Kind::Unavailable);
    put(&mut table, &one, 1).await;
    assert_eq!((table.version(), table.rows()), (1, 4));
    // The next commit is tried instead: it has to be tried once more.
    faulty.faults.lock().unwrap().push(Fault::Delay);
    table.upsert(rows(&numbers(4..6, 1)), 4, &[], &commit(2)).await.unwrap_err();
    let three = numbers(6..9, 1);
    let late = table.upsert(rows(&three), 4, &[], &commit(3)).await.unwrap_err();
    assert_eq!((late.kind(), table.txn("test")), (Kind::Unavailable, Some(2)));
    put(&mut table, &three, 3).await;
    assert_eq!((table.version(), table.rows(), table.txn("test")), (3, 9, Some(3)));
    assert_eq!(open(&store, &UPSERTED).await.snapshot, table.snapshot);
}

#[tokio::test]
async fn a_put_that_failed_can_be_tried_again() {
    let faulty = Arc::new(FaultyStore::default());
    let store: Arc<dyn ObjectStore> = faulty.clone();
    let mut table = open(&store, &UPSERTED).await;
    *faulty.faults.lock().unwrap() = vec![Fault::Lose, Fault::Refuse, Fault::Refuse];
    let changes = numbers(0..4, 1);
    for _ in 0..2 {
        let refused = table.upsert(rows(&changes), 4, &[], &commit(1)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable);
    }
    put(&mut table, &changes, 1).await;
    assert_eq!((table.version(), table.rows()), (1, 4));
    assert_eq!(open(&store, &UPSERTED).await.rows(), 4);
}

#[tokio::test]
async fn the_second_of_two_writers_is_fenced() {
    let store = memory();
    let mut left = open(&store, &APPENDED).await;
    let mut right = open(&store, &APPENDED).await;
    let row = |i| stream::iter([Ok(batch(&[(key(i), i as i64)]))]);
    left.append(row(1), &commit_of(1, 1)).await.unwrap();
    let lost = right.append(row(2), &commit_of(2, 1)).await.unwrap_err();
    assert_eq!(lost.kind(), Kind::Fenced);
    // It stays so, and the table is what the first made it.
    assert_eq!(right.append(row(2), &commit_of(2, 1)).await.unwrap_err().kind(), Kind::Fenced);
    assert_eq!(open(&store, &APPENDED).await.rows(), 1);
}

#[tokio::test]
async fn of_two_writers_of_one_epoch_one_has_the_table() {
    let store = memory();
    let mut one = open(&store, &APPENDED).await;
    let mut other = open(&store, &APPENDED).await;
    one.fence("test", 2, 1).await.unwrap();
    assert_eq!(other.fence("test", 2, 2).await.unwrap_err().kind(), Kind::Fenced);
    let mut other = open(&store, &APPENDED).await;
    assert_eq!(other.fence("test", 2, 2).await.unwrap_err().kind(), Kind::Fenced);
    other.fence("test", 3, 2).await.unwrap();
}

#[tokio::test]
async fn a_fence_stops_the_writer_before() {
    let store = memory();
    let mut old = open(&store, &APPENDED).await;
    let row = |i| stream::iter([Ok(batch(&[(key(i), i as i64)]))]);
    old.append(row(1), &commit_of(1, 1)).await.unwrap();
    let mut new = open(&store, &APPENDED).await;
    new.fence("test", 2, 1).await.unwrap();
    new.fence("test", 2, 1).await.unwrap();
    assert_eq!((new.version(), new.txn("test")), (2, Some(1)));
    assert_eq!(old.append(row(2), &commit_of(1, 2)).await.unwrap_err().kind(), Kind::Fenced);
    let mut reopened = open(&store, &APPENDED).await;
    let refused = reopened.append(row(2), &commit_of(1, 2)).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Fenced);
    new.append(row(2), &commit_of(2, 2)).await.unwrap();
    assert_eq!(open(&store, &APPENDED).await.rows(), 2);
}

#[tokio::test]
async fn a_table_opens_from_its_checkpoint() {
    let store = memory();
    let mut table = open(&store, &UPSERTED).await;
    for number in 1..=43 {
        put(&mut table, &numbers(number..number + 2, number as i64), number).await;
    }
    let log = |name: &str| Path::from(format!("root/upserted/_delta_log/{name}"));
    store.head(&log("00000000000000000040.checkpoint.parquet")).await.unwrap();
    let reopened = open(&store, &UPSERTED).await;
    assert_eq!(reopened.snapshot, table.snapshot);
    assert_eq!(reopened.snapshot.checkpoint, Some(40));
    // Without the entries before it, and without the hint.
    for version in 0..=40 {
        store.delete(&log(&format!("{version:020}.json"))).await.unwrap();
    }
    store.delete(&log("_last_checkpoint")).await.unwrap();
    assert_eq!(open(&store, &UPSERTED).await.snapshot, table.snapshot);
    // A hole in the log is damage.
    store.delete(&log("00000000000000000042.json")).await.unwrap();
    let damaged = Table::open(store, &Path::from("root"), &UPSERTED).await.unwrap_err();
    assert_eq!(damaged.kind(), Kind::Data);
}

#[tokio::test]
async fn a_table_of_other_columns_is_refused() {
    static OTHER: TableSpec = TableSpec {
        columns: &[Column::new("key", Type::Text, "Key.")],
        name: "upserted",
        about: "",
        layout: Layout::Upsert { key: "key" },
        statistics: &[],
    };
    let store = memory();
    open(&store, &UPSERTED).await;
    let refused = Table::open(store, &Path::from("root"), &OTHER).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Data);
}

#[tokio::test]
async fn a_table_gets_the_columns_that_it_lacks_and_its_files_are_read_on() {
    static BEFORE: TableSpec = TableSpec {
        columns: &[Column::new("letter", Type::Long, "A letter.")],
        name: "letters",
        about: "",
        layout: Layout::Append { sort: &["letter"] },
        statistics: &[],
    };
    static AFTER: TableSpec = TableSpec {
        columns: &[
            Column::new("letter", Type::Long, "A letter."),
            Column::new("key", Type::Text, "Its key.").or_null(),
        ],
        ..BEFORE
    };
    let letter: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let older = RecordBatch::try_new(BEFORE.schema(), vec![letter.clone()]).unwrap();
    let store = memory();
    let mut table = open(&store, &BEFORE).await;
    table.append(stream::iter([Ok(older)]), &commit(1)).await.unwrap();
    // One that only reads changes nothing.
    let root = Path::from("root");
    let table = Table::open_existing(store.clone(), &root, &AFTER).await.unwrap().unwrap();
    assert_eq!(table.version(), 1);
    let mut table = open(&store, &AFTER).await;
    assert_eq!((table.version(), table.txn("test")), (2, Some(1)));
    assert_eq!(open(&store, &AFTER).await.version(), 2, "once");
    let key: ArrayRef = Arc::new(StringArray::from(vec!["k"]));
    let newer = RecordBatch::try_new(AFTER.schema(), vec![letter, key]).unwrap();
    table.append(stream::iter([Ok(newer)]), &commit(2)).await.unwrap();
    let found = async |columns: Option<&[&str]>| {
        let batches: Vec<_> = open(&store, &AFTER).await.scan(columns).try_collect().await.unwrap();
        let mut rows: Vec<_> = batches.iter().flat_map(|b| json_rows(b).unwrap()).collect();
        rows.sort_by_key(|row| row.to_string().len());
        rows
    };
    use serde_json::json;
    assert_eq!(found(None).await, [json!({"letter": 7}), json!({"letter": 7, "key": "k"})]);
    assert_eq!(found(Some(&["letter"])).await, [json!({"letter": 7}), json!({"letter": 7})]);
    // An earlier version of the program does not know what it would leave out.
    let refused = Table::open(store, &root, &BEFORE).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Data);
}

#[tokio::test]
async fn rows_out_of_order_are_refused() {
    let store = memory();
    let mut table = open(&store, &UPSERTED).await;
    let twice = [Ok(batch(&[(key(1), 1)])), Ok(batch(&[(key(1), 2)]))];
    let refused = table.upsert(stream::iter(twice), 2, &[], &commit(1)).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Internal);
    assert_eq!(table.version(), 0);
}

#[tokio::test]
async fn a_table_grows_by_cutting_its_files() {
    let store = memory();
    let mut table = open(&store, &UPSERTED).await;
    let mut expected = numbers(0..200, 1);
    put(&mut table, &expected, 1).await;
    assert_eq!(table.files().0, 1);
    // Four hundred thousand rows are announced, though few come: the layout goes by what is
    // announced.
    let more = numbers(100..300, 2);
    table.upsert(rows(&more), 400_000, &[], &commit(2)).await.unwrap();
    expected.extend(more);
    assert_eq!(table.files().0, 8);
    let few = numbers(7..8, 3);
    let written = table.upsert(rows(&few), 1, &[], &commit(3)).await.unwrap();
    expected.extend(few);
    assert_eq!((written.rows, written.files, table.files().0), (1, 1, 9), "and a run");
    let table = open(&store, &UPSERTED).await;
    let mut all = read(&table).await;
    all.sort();
    assert_eq!(all, expected.into_iter().collect::<Vec<_>>());
    for i in [0, 7, 299] {
        assert!(table.find(&key(i)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_local_folder_holds_tables() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("out").display().to_string();
    let (store, root) = open_store(&url, &BTreeMap::new()).unwrap();
    let mut table = Table::open(store.clone(), &root, &UPSERTED).await.unwrap();
    for number in 1..=21 {
        put(&mut table, &numbers(number..number + 2, 1), number).await;
    }
    let mut other = Table::open(store.clone(), &root, &UPSERTED).await.unwrap();
    assert_eq!(other.snapshot, table.snapshot);
    put(&mut other, &numbers(0..1, 1), 22).await;
    let lost = table.upsert(rows(&numbers(0..1, 1)), 1, &[], &commit_of(2, 22)).await.unwrap_err();
    assert_eq!(lost.kind(), Kind::Fenced);
    assert_eq!(read(&other).await.len(), 23);
}

#[tokio::test]
async fn the_log_names_no_value_without_statistics() {
    let store = memory();
    let mut table = open(&store, &UPSERTED).await;
    put(&mut table, &BTreeMap::from([(key(1), 123_456_789)]), 1).await;
    let path = Path::from("root/upserted/_delta_log/00000000000000000001.json");
    let entry = store.get(&path).await.unwrap().bytes().await.unwrap();
    let entry = String::from_utf8(entry.into()).unwrap();
    assert!(entry.contains(&key(1)), "{entry}");
    assert!(!entry.contains("123456789"), "{entry}");
}

#[tokio::test]
async fn the_same_commits_write_the_same_bytes() {
    let mut folders = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let (store, root) =
            open_store(&folder.path().display().to_string(), &BTreeMap::new()).unwrap();
        let mut table = Table::open(store.clone(), &root, &UPSERTED).await.unwrap();
        for number in 1..=22 {
            put(&mut table, &numbers(number..number + 9, number as i64), number).await;
        }
        folders.push(contents(folder.path()));
    }
    assert!(folders[0].len() > 40);
    assert_eq!(folders[0], folders[1]);
}

fn contents(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let inner = contents(&path).into_iter();
            files.extend(inner.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

#[tokio::test]
async fn latest_is_replaced_forwards_only() {
    let folder = tempfile::tempdir().unwrap();
    let local = open_store(&folder.path().display().to_string(), &BTreeMap::new()).unwrap();
    for (store, root) in [(memory(), Path::from("root")), local] {
        assert_eq!(read_latest(&store, &root).await.unwrap(), None);
        let latest = |commit| Latest { commit, tables: [("profiles".into(), commit + 1)].into() };
        for commit in [1, 2, 2, 3] {
            write_latest(&store, &root, &latest(commit)).await.unwrap();
            assert_eq!(read_latest(&store, &root).await.unwrap(), Some(latest(commit)));
        }
        let refused = write_latest(&store, &root, &latest(2)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Fenced);
    }
}

/// One commit of a random history: keys set, keys removed, how many rows are announced, whether the
/// answer is lost.
type Step = (BTreeMap<u8, i64>, Vec<u8>, u64, bool);

fn step() -> impl Strategy<Value = Step> {
    (
        prop::collection::btree_map(any::<u8>(), any::<i64>(), 0..40),
        prop::collection::vec(any::<u8>(), 0..20),
        prop_oneof![4 => Just(0_u64), 1 => 0..900_000_u64],
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_history_equals_a_map(steps in prop::collection::vec(step(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let faulty = Arc::new(FaultyStore::default());
            let store: Arc<dyn ObjectStore> = faulty.clone();
            let mut table = open(&store, &UPSERTED).await;
            let mut expected = BTreeMap::new();
            for (number, (set, gone, announced, lose)) in (1..).zip(steps) {
                if lose {
                    faulty.faults.lock().unwrap().push(Fault::Lose);
                }
                let set: BTreeMap<String, i64> =
                    set.into_iter().map(|(i, value)| (key(i.into()), value)).collect();
                let gone: Vec<String> = gone.into_iter().map(|i| key(i.into())).collect();
                table.upsert(rows(&set), announced, &gone, &commit(number)).await.unwrap();
                expected.retain(|key, _| !gone.contains(key));
                expected.extend(set);
                assert_eq!(read_sorted(&table).await, expected);
                assert_eq!(table.rows(), expected.len() as u64);
                faulty.faults.lock().unwrap().clear();
                let reopened = open(&store, &UPSERTED).await;
                assert_eq!(reopened.snapshot, table.snapshot);
            }
        });
    }
}

/// One commit of a history that goes through all of the layout: keys set, keys removed, whether the
/// answer is lost, which key to look for.
type SmallStep = (BTreeMap<u8, i64>, Vec<u8>, bool, u8);

fn small_step() -> impl Strategy<Value = SmallStep> {
    (
        prop::collection::btree_map(any::<u8>(), any::<i64>(), 0..9),
        prop::collection::vec(any::<u8>(), 0..4),
        prop::bool::weighted(0.2),
        any::<u8>(),
    )
}

/// A table whose answers are lost now and then, and what it must hold after each commit.
struct History {
    faulty: Arc<FaultyStore>,
    store: Arc<dyn ObjectStore>,
    table: Table,
    states: Vec<BTreeMap<String, i64>>,
}

impl History {
    async fn start(first: BTreeMap<u8, i64>) -> Self {
        let faulty = Arc::new(FaultyStore::default());
        let store: Arc<dyn ObjectStore> = faulty.clone();
        let table = open(&store, &UPSERTED).await.with_limits(TINY);
        let mut history = Self { faulty, store, table, states: vec![BTreeMap::new()] };
        history.commit((first, Vec::new(), false, 0)).await;
        history
    }

    async fn commit(&mut self, (set, gone, lose, look): SmallStep) {
        if lose {
            self.faulty.faults.lock().unwrap().push(Fault::Lose);
        }
        let number = self.states.len() as u64;
        let set: BTreeMap<String, i64> =
            set.into_iter().map(|(i, value)| (key(i.into()), value)).collect();
        let gone: Vec<String> = gone.into_iter().map(|i| key(i.into())).collect();
        let mut expected = self.states.last().unwrap().clone();
        expected.retain(|key, _| !gone.contains(key));
        expected.extend(set.clone());
        let count = set.len() as u64;
        self.table.upsert(rows(&set), count, &gone, &commit(number)).await.unwrap();
        self.faulty.faults.lock().unwrap().clear();
        let again = self.table.upsert(rows(&set), count, &gone, &commit(number)).await.unwrap();
        if self.table.txn("test") == Some(number) {
            assert_eq!(again, Written::default(), "once");
        }
        self.states.push(expected);
        self.check(look).await;
        self.table = open(&self.store, &UPSERTED).await.with_limits(TINY);
        self.check(look).await;
    }

    async fn check(&self, look: u8) {
        let expected = self.states.last().unwrap();
        assert_eq!(read_sorted(&self.table).await, *expected);
        assert_eq!(self.table.rows(), expected.len() as u64);
        let look = key(look.into());
        let found = self.table.find(&look).await.unwrap();
        assert_eq!(found, expected.get(&look).map(|value| batch(&[(look, *value)])));
        let (files, masked) = (self.table.files().0, self.masked());
        assert!(files < 60, "{files} files");
        assert!(masked <= 60 + 2 * expected.len() as u64, "{masked} masked rows");
    }

    fn masked(&self) -> u64 {
        self.table.snapshot.files.values().map(|add| add.masked()).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_history_of_masks_and_compactions_equals_a_map(
        first in prop::collection::btree_map(any::<u8>(), any::<i64>(), 0..256),
        steps in prop::collection::vec(small_step(), 1..45),
        back in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut history = History::start(first).await;
            for step in steps {
                history.commit(step).await;
            }
            // Back to any commit, and on from there.
            let at = back.index(history.states.len()).max(1);
            let commit = CommitInfo { commit: at as u64, epoch: 2, ..commit(1) };
            history.table.restore(&commit, 7).await.unwrap();
            history.states.truncate(at + 1);
            history.check(5).await;
            let mut last = open(&history.store, &UPSERTED).await.with_limits(TINY);
            let set = numbers(0..30, 7);
            let next = CommitInfo { commit: at as u64 + 1, ..commit };
            last.upsert(rows(&set), 30, &[], &next).await.unwrap();
            let mut expected = history.states.pop().unwrap();
            expected.extend(set);
            assert_eq!(read_sorted(&last).await, expected);
        });
    }
}

#[tokio::test]
async fn what_a_commit_writes_goes_with_what_it_changes() {
    let store = memory();
    let mut table = open(&store, &UPSERTED).await;
    let mut expected = numbers(0..20_000, 1);
    let first = put(&mut table, &expected, 1).await;
    assert_eq!(table.files().0, 1);
    let mut bytes = 0;
    for number in 2..=9 {
        let changes = numbers(number * 300..number * 300 + 200, number as i64);
        let gone = [key(number), key(77_777)];
        let written = table.upsert(rows(&changes), 200, &gone, &commit(number)).await.unwrap();
        expected.extend(changes);
        expected.retain(|key, _| !gone.contains(key));
        assert!(written.rows <= 1_600, "{written:?}");
        bytes += written.bytes;
    }
    assert!(bytes * 5 < first.bytes * 2, "{bytes} of {}", first.bytes);
    let table = open(&store, &UPSERTED).await;
    assert_eq!(read_sorted(&table).await, expected);
    assert_eq!((table.rows(), table.files().0), (expected.len() as u64, 2), "a bucket and a run");
    let found = table.find(&key(700)).await.unwrap().unwrap();
    assert_eq!(found, batch(&[(key(700), 2)]));
    assert!(table.find(&key(4)).await.unwrap().is_none());
    let vectors = Path::from("root/upserted/_dv");
    assert!(store.list(Some(&vectors)).try_next().await.unwrap().is_some(), "masks in files");
}

#[tokio::test]
async fn a_table_of_an_earlier_version_is_upgraded_once() {
    let store = memory();
    let root = Path::from("root");
    let log = Path::from("root/upserted/_delta_log/00000000000000000000.json");
    let mut table = open(&store, &UPSERTED).await;
    let entry = String::from_utf8(store.get(&log).await.unwrap().bytes().await.unwrap().into());
    let plain = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
    let older = entry.unwrap().lines().fold(String::new(), |older, line| {
        let line = if line.contains("protocol") { plain } else { line };
        older + &line.replace(r#","delta.enableDeletionVectors":"true""#, "") + "\n"
    });
    assert!(!older.contains("DeletionVectors"), "{older}");
    put(&mut table, &numbers(0..9, 1), 1).await;
    store.put(&log, older.into()).await.unwrap();
    let reader = Table::open_existing(store.clone(), &root, &UPSERTED).await.unwrap().unwrap();
    assert_eq!((reader.version(), reader.snapshot.protocol.min_reader_version), (1, 1));
    for _ in 0..2 {
        let table = open(&store, &UPSERTED).await;
        assert_eq!((table.version(), table.snapshot.protocol.min_reader_version), (2, 3));
        assert_eq!(read_sorted(&table).await, numbers(0..9, 1));
    }
    // What only grows stays what every reader can read.
    assert_eq!(open(&store, &APPENDED).await.snapshot.protocol.min_reader_version, 1);
}

async fn read_sorted(table: &Table) -> BTreeMap<String, i64> {
    let rows = read(table).await;
    let count = rows.len();
    let map: BTreeMap<_, _> = rows.into_iter().collect();
    assert_eq!(map.len(), count, "a key stands twice");
    map
}

#[tokio::test]
async fn publishing_may_run_in_a_task_of_its_own() {
    let store = memory();
    let task = tokio::spawn(async move {
        let mut numbers_by_key = open(&store, &UPSERTED).await;
        put(&mut numbers_by_key, &numbers(0..3, 1), 1).await;
        let mut all = open(&store, &APPENDED).await;
        all.append(rows(&numbers(0..3, 1)), &commit(1)).await.unwrap();
        numbers_by_key.rows() + all.rows()
    });
    assert_eq!(task.await.unwrap(), 6);
}
