//! Whatever is sought is found, as a look at every row would find it.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, Int32Array, ListArray, StringArray, StructArray};
use arrow::array::{Int64Array, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use object_store::ObjectStore;
use object_store::path::Path;
use proptest::prelude::*;

use super::*;
use crate::sink::erase::Erasure;
use crate::sink::layout::Limits;
use crate::sink::spec::{Column, Layout, TableSpec};
use crate::sink::testing::{TINY, commit, key, memory};

const NUMBER: &[Column] = &[Column::new("number", Type::Integer, "A number.").bloom()];

static KEYED: TableSpec = TableSpec {
    name: "keyed",
    about: "Rows with texts and numbers to look for.",
    layout: Layout::Upsert { key: "key" },
    statistics: &["key"],
    columns: &[
        Column::new("key", Type::Text, "Key."),
        Column::new("text", Type::Text, "A text.").or_null().bloom(),
        Column::new("plain", Type::Text, "The same without a filter.").or_null(),
        Column::new("numbers", Type::List(NUMBER), "Numbers.").or_null(),
    ],
};

static GROWING: TableSpec = TableSpec {
    name: "growing",
    about: "Rows by time.",
    layout: Layout::Append { sort: &["at", "id"] },
    statistics: &["at"],
    columns: &[
        Column::new("id", Type::Long, "Number of the row."),
        Column::new("text", Type::Text, "A text.").bloom(),
        Column::new("at", Type::Timestamp, "When."),
    ],
};

/// A row of `keyed` but for its key: a text, and numbers.
type Row = (Option<u8>, Vec<i32>);

fn text(number: u8) -> String {
    format!("text-{number}")
}

fn keyed(rows: &BTreeMap<String, Row>) -> RecordBatch {
    let DataType::List(element) = KEYED.schema().field(3).data_type().clone() else {
        panic!("a list is declared")
    };
    let DataType::Struct(fields) = element.data_type().clone() else {
        panic!("an entry is declared")
    };
    let numbers = Int32Array::from_iter_values(rows.values().flat_map(|row| row.1.clone()));
    let entries = StructArray::new(fields, vec![Arc::new(numbers)], None);
    let offsets = OffsetBuffer::from_lengths(rows.values().map(|row| row.1.len()));
    let texts: ArrayRef =
        Arc::new(rows.values().map(|row| row.0.map(text)).collect::<StringArray>());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.keys())),
        Arc::clone(&texts),
        texts,
        Arc::new(ListArray::new(element, offsets, Arc::new(entries), None)),
    ];
    RecordBatch::try_new(KEYED.schema(), columns).unwrap()
}

async fn open(store: &Arc<dyn ObjectStore>, spec: &'static TableSpec, limits: Limits) -> Table {
    let table = Table::open(Arc::clone(store), &Path::from("root"), spec).await.unwrap();
    table.with_limits(limits)
}

/// The keys of the rows that are found, ascending.
async fn found(table: &Table, column: &str, wanted: &Wanted) -> Vec<String> {
    let batches: Vec<RecordBatch> = table.seek(column, wanted.clone()).try_collect().await.unwrap();
    let keys = batches.iter().flat_map(|batch| {
        assert_eq!(batch.schema(), table.spec.schema(), "rows come as a whole");
        batch["key"].as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    });
    let mut keys: Vec<String> = keys.collect();
    keys.sort();
    keys
}

#[derive(Clone, Debug)]
enum Step {
    Put(BTreeMap<String, Row>, Vec<String>),
    Erase(Vec<String>),
}

fn step() -> impl Strategy<Value = Step> {
    let keys = || (0u64..60).prop_map(key);
    let row = (prop::option::of(0u8..12), prop::collection::vec(0i32..9, 0..4));
    let rows = prop::collection::btree_map(keys(), row, 0..25);
    prop_oneof![
        4 => (rows, prop::collection::vec(keys(), 0..4)).prop_map(|(put, gone)| Step::Put(put, gone)),
        1 => prop::collection::vec(keys(), 1..4).prop_map(Step::Erase),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Runs, folds, masks and erasures later, each value leads to the rows that hold it, and to no other.
    #[test]
    fn what_is_sought_is_what_a_look_at_every_row_finds(
        steps in prop::collection::vec(step(), 1..8),
        sets in prop::collection::vec(prop::collection::vec(0i32..10, 1..3), 1..4),
        asked in prop::collection::btree_set(0u8..14, 0..4),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = memory();
            let mut table = open(&store, &KEYED, TINY).await;
            let mut rows: BTreeMap<String, Row> = BTreeMap::new();
            for (number, step) in (1..).zip(steps) {
                match step {
                    Step::Put(put, gone) => {
                        gone.iter().for_each(|key| _ = rows.remove(key));
                        rows.extend(put.clone());
                        let batch = stream::iter((!put.is_empty()).then(|| Ok(keyed(&put))));
                        let count = put.len() as u64;
                        table.upsert(batch, count, &gone, &commit(number)).await.unwrap();
                    }
                    Step::Erase(gone) => {
                        gone.iter().for_each(|key| _ = rows.remove(key));
                        let erasure = Erasure::Keys { gone: &gone, superseded: &[] };
                        table.erase(erasure, &commit(number)).await.unwrap();
                    }
                }
                let table = open(&store, &KEYED, TINY).await;
                let expected = |meant: &dyn Fn(&Row) -> bool| -> Vec<String> {
                    rows.iter().filter(|(_, row)| meant(row)).map(|(key, _)| key.clone()).collect()
                };
                let texts = Wanted::Texts(asked.iter().map(|number| text(*number)).collect());
                let with_text = expected(&|row| row.0.is_some_and(|it| asked.contains(&it)));
                prop_assert_eq!(&found(&table, "text", &texts).await, &with_text);
                prop_assert_eq!(&found(&table, "plain", &texts).await, &with_text);
                let with_set = expected(&|row| {
                    sets.iter().any(|set| set.iter().all(|number| row.1.contains(number)))
                });
                let numbers = Wanted::Numbers(sets.clone());
                prop_assert_eq!(&found(&table, "numbers", &numbers).await, &with_set);
                let some: BTreeSet<String> = (0..60).step_by(7).map(key).collect();
                let by_key: Vec<String> =
                    some.iter().filter(|key| rows.contains_key(*key)).cloned().collect();
                prop_assert_eq!(found(&table, "key", &Wanted::Texts(some)).await, by_key);
            }
            Ok(())
        })?;
    }

    /// The latest events are among those that are given, whichever files were passed over.
    #[test]
    fn the_latest_are_found(
        commits in prop::collection::vec(prop::collection::vec((0u8..4, 0i64..40), 1..12), 1..12),
        count in 0usize..9,
        asked in 0u8..5,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = memory();
            let mut table = open(&store, &GROWING, TINY).await;
            let mut all: Vec<(i64, i64)> = Vec::new();
            let mut id = 0;
            for (number, rows) in (1..).zip(&commits) {
                let first = id;
                id += rows.len() as i64;
                let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first..id));
                let texts: ArrayRef =
                    Arc::new(StringArray::from_iter_values(rows.iter().map(|row| text(row.0))));
                let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1));
                let columns = vec![ids, texts, Arc::new(times.with_timezone("UTC"))];
                let batch = RecordBatch::try_new(GROWING.schema(), columns).unwrap();
                table.append(stream::iter([Ok(batch)]), &commit(number)).await.unwrap();
                let numbered = (first..).zip(rows);
                all.extend(numbered.filter(|(_, row)| row.0 == asked).map(|(id, row)| (row.1, id)));
            }
            let wanted = Wanted::Texts([text(asked)].into());
            let batches = table.seek_latest("text", wanted, ("at", count)).await.unwrap();
            let mut found: Vec<(i64, i64)> = Vec::new();
            for batch in &batches {
                let times = batch["at"].as_primitive::<TimestampMicrosecondType>().values();
                let ids = batch["id"].as_primitive::<arrow::datatypes::Int64Type>().values();
                found.extend(times.iter().copied().zip(ids.iter().copied()));
            }
            let latest = |mut rows: Vec<(i64, i64)>| {
                rows.sort_by(|a, b| b.cmp(a));
                rows.truncate(count);
                rows
            };
            prop_assert_eq!(latest(found), latest(all));
            Ok(())
        })?;
    }
}

/// The row groups of a table's files, and those among them that may hold a text.
async fn groups(table: &Table, column: &str, wanted: &Wanted) -> (usize, usize) {
    let (mut all, mut kept) = (0, 0);
    for add in table.snapshot.files.values() {
        let live = table.source(add).open_briefly().await.unwrap();
        all += live.groups().len();
        kept += live.groups_with(&[column.to_owned()], wanted).await.unwrap().len();
    }
    (all, kept)
}

#[tokio::test]
async fn filters_pass_files_over_and_are_no_larger_than_they_must() {
    let store = memory();
    let limits = Limits { bucket_rows: 256, ..Limits::default() };
    let mut table = open(&store, &KEYED, limits).await;
    let rows: BTreeMap<String, Row> =
        (0..4_096).map(|i| (key(i), (Some((i % 8) as u8), vec![i as i32]))).collect();
    let count = rows.len() as u64;
    table.upsert(stream::iter([Ok(keyed(&rows))]), count, &[], &commit(1)).await.unwrap();
    let one = |text: &str| Wanted::Texts([text.to_owned()].into());
    let (all, kept) = groups(&table, "text", &one("text-3")).await;
    assert!(all >= 8 && kept == all, "each of {all} files holds each text, {kept} say so");
    let mut wrong = 0;
    for absent in 0..200 {
        wrong += groups(&table, "text", &one(&format!("no-{absent}"))).await.1;
    }
    assert!(wrong < 200 * all / 50, "{wrong} of {} times", 200 * all);
    // Many at once take the whole filter.
    let many = Wanted::Texts((0..100).map(|i| format!("no-{i}")).chain([text(3)]).collect());
    assert_eq!(groups(&table, "text", &many).await, (all, all));
    // A filter of a few hundred numbers comes to as many bytes, not to what it was given at first.
    let (_, bytes) = table.files();
    assert!(bytes < 64 * count, "{bytes} bytes of {count} rows");
}

#[tokio::test]
async fn a_file_that_lacks_the_column_gives_all_its_rows() {
    static EARLIER: TableSpec = TableSpec {
        name: "keyed",
        about: "As an earlier version of the program had it.",
        layout: Layout::Upsert { key: "key" },
        statistics: &["key"],
        columns: KEYED.columns.split_at(3).0,
    };
    let store = memory();
    let mut table = open(&store, &EARLIER, TINY).await;
    let rows: BTreeMap<String, Row> = (0..5).map(|i| (key(i), (Some(1), vec![]))).collect();
    let batch = keyed(&rows).project(&[0, 1, 2]).unwrap();
    table.upsert(stream::iter([Ok(batch)]), 5, &[], &commit(1)).await.unwrap();
    let table = open(&store, &KEYED, TINY).await;
    let numbers = Wanted::Numbers(vec![vec![4]]);
    assert_eq!(found(&table, "numbers", &numbers).await, rows.into_keys().collect::<Vec<_>>());
    let unknown: Result<Vec<_>> = table.seek("colour", numbers).try_collect().await;
    assert_eq!(unknown.unwrap_err().kind(), Kind::Invalid);
}
