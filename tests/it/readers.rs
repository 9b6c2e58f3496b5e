//! Tables read by other tools in every state that they go through: masks in the log and in files, removals, merged
//! runs, folded ranges, checkpoints, earlier versions, a restore, rows that were erased, files that were vacuumed or
//! put together, and what other tools' vacuum and optimisation leave.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use futures::TryStreamExt;
use futures::stream;
use object_store::ObjectStoreExt;
use onefold::sink::{
    Column, CommitInfo, Erased, Erasure, Latest, Layout, Limits, PlainWhen, Table, TableSpec, Type,
    Vacuum, VacuumAct, Vacuumed, Writers, json_rows, open_store, write_plain,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::python::Python;
use crate::support::s3::S3;
use crate::support::text;

static SPEC: TableSpec = TableSpec {
    name: "numbers",
    about: "Numbers by key.",
    layout: Layout::Upsert { key: "key" },
    columns: &[
        Column::new("key", Type::Text, "Key."),
        Column::new("number", Type::Long, "Number."),
        Column::new("items", Type::List(ITEMS), "As many as the number's last digit says."),
    ],
    statistics: &["key"],
};

static APPENDED: TableSpec = TableSpec {
    layout: Layout::Append { sort: &["number", "key"] },
    statistics: &["key", "number"],
    ..SPEC
};

const ITEMS: &[Column] = &[Column::new("amount", Type::Long, "The number.")];

/// Small enough that a few thousand rows come through all of the layout.
const LIMITS: Limits = Limits {
    bucket_rows: 512,
    small_rows: 16,
    fold_percent: 30,
    tier: 3,
    run_rows: 16,
    merged_rows: 512,
    file_rows: 512,
    file_bytes: 1 << 20,
};

type Numbers = BTreeMap<String, i64>;

fn key(i: u64) -> String {
    blake3::hash(&i.to_le_bytes()).to_hex()[..32].to_owned()
}

fn batch(rows: &Numbers) -> RecordBatch {
    let lengths = || rows.values().map(|number| usize::try_from(number % 10).expect("a digit"));
    let amounts =
        rows.values().zip(lengths()).flat_map(|(number, n)| std::iter::repeat_n(*number, n));
    let schema = SPEC.schema();
    let DataType::List(element) = schema.field(2).data_type() else { panic!("no list") };
    let DataType::Struct(fields) = element.data_type() else { panic!("no struct") };
    let amounts: ArrayRef = Arc::new(Int64Array::from_iter_values(amounts));
    let items = StructArray::new(fields.clone(), vec![amounts], None);
    let offsets = OffsetBuffer::from_lengths(lengths());
    let items = ListArray::new(Arc::clone(element), offsets, Arc::new(items), None);
    let keys = StringArray::from_iter_values(rows.keys());
    let numbers = Int64Array::from_iter_values(rows.values().copied());
    let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(numbers), Arc::new(items)];
    RecordBatch::try_new(schema, columns).expect("columns of the table")
}

/// The table in a folder or a bucket, and what it holds at each version.
struct Subject {
    runtime: Runtime,
    folder: String,
    options: BTreeMap<String, String>,
    table: Table,
    commit: CommitInfo,
    versions: BTreeMap<u64, Numbers>,
}

impl Subject {
    fn start(folder: &Path, spec: &'static TableSpec) -> Self {
        Self::start_at(text(folder), BTreeMap::new(), spec)
    }

    fn start_at(url: &str, options: BTreeMap<String, String>, spec: &'static TableSpec) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = url.to_owned();
        let table = open(&runtime, &folder, &options, spec);
        let commit = CommitInfo { app: "test".into(), commit: 0, epoch: 1, time_ms: 0 };
        let versions = BTreeMap::from([(0, Numbers::new())]);
        Self { runtime, folder, options, table, commit, versions }
    }

    fn reopened(&self) -> Table {
        open(&self.runtime, &self.folder, &self.options, self.table.spec())
    }

    fn place(&self) -> String {
        format!("{}/numbers", self.folder)
    }

    fn present(&self) -> &Numbers {
        self.versions.last_key_value().expect("a version").1
    }

    /// Sets the numbers of some keys, and removes others.
    fn commit(&mut self, set: impl Iterator<Item = u64>, gone: impl Iterator<Item = u64>) {
        self.commit.commit += 1;
        self.commit.time_ms += 1_000;
        let number = i64::try_from(self.commit.commit).expect("few commits");
        let set: Numbers = set.map(|i| (key(i), number * 7 + i as i64 % 3)).collect();
        let gone: Vec<String> = gone.map(key).collect();
        let rows = stream::iter([Ok(batch(&set))]);
        let upsert = self.table.upsert(rows, set.len() as u64, &gone, &self.commit);
        self.runtime.block_on(upsert).expect("a commit");
        let mut expected = self.present().clone();
        expected.retain(|key, _| !gone.contains(key));
        expected.extend(set);
        self.versions.insert(self.table.version(), expected);
    }

    /// Adds numbers, to a table that only grows.
    fn append(&mut self, keys: impl Iterator<Item = u64>) {
        self.commit.commit += 1;
        self.commit.time_ms += 1_000;
        let number = i64::try_from(self.commit.commit).expect("few commits");
        let set: Numbers = keys.map(|i| (key(i), number * 7 + i as i64 % 3)).collect();
        let rows = stream::iter([Ok(batch(&set))]);
        self.runtime.block_on(self.table.append(rows, &self.commit)).expect("a commit");
        let mut expected = self.present().clone();
        expected.extend(set);
        self.versions.insert(self.table.version(), expected);
    }

    /// Takes the rows of some keys out for good.
    fn erase(&mut self, keys: impl Iterator<Item = u64>) -> Erased {
        let keys: Vec<String> = keys.map(key).collect();
        let erasure = match self.table.spec().key() {
            Some(_) => Erasure::Keys { gone: &keys, superseded: &[] },
            None => Erasure::Values { column: "key", values: &keys },
        };
        let erased = self.runtime.block_on(self.table.erase(erasure, &self.commit));
        let mut expected = self.present().clone();
        expected.retain(|key, _| !keys.contains(key));
        self.versions.insert(self.table.version(), expected);
        erased.expect("an erasure")
    }

    /// Keeps the present version alone.
    fn vacuum(&mut self) -> Vacuumed {
        let (retention, now_ms) = (Duration::ZERO, 0);
        let (writers, act) = (Writers::Nobody, VacuumAct::Delete);
        let vacuum = Vacuum { now_ms, retention, writers, act };
        self.runtime.block_on(self.table.vacuum(&vacuum)).expect("a vacuum")
    }

    /// What every reader must find at a version.
    fn expected(&self, version: u64) -> Value {
        let numbers = &self.versions[&version];
        let keys: String = numbers.keys().map(String::as_str).collect();
        json!({
            "rows": numbers.len(),
            "sum": numbers.values().sum::<i64>(),
            "nested": numbers.values().map(|number| number * (number % 10)).sum::<i64>(),
            "keys": crc32fast::hash(keys.as_bytes()),
            "some": numbers.keys().filter(|key| key.as_str() < "4").count(),
        })
    }

    /// Checks what the other readers find at some versions, and our own at the present one.
    fn assert_read(&self, python: &Python, versions: &[u64]) {
        let names: Vec<String> = versions.iter().map(u64::to_string).collect();
        let place = self.place();
        let mut arguments = vec!["read", place.as_str()];
        arguments.extend(names.iter().map(String::as_str));
        let found = python.run("tests/readers/matrix.py", &arguments);
        let found: Value = serde_json::from_str(&found).expect("the script prints JSON");
        for reader in ["duckdb", "polars", "delta-rs"] {
            for version in versions {
                let found = &found[reader][version.to_string()];
                assert_eq!(*found, self.expected(*version), "{reader} at version {version}");
            }
        }
        self.assert_own();
    }

    /// Writes the present rows as a plain file; returns its path, or URL.
    fn write_plain(&self) -> String {
        let (store, root) = open_store(&self.folder, &self.options).expect("open the place");
        let name = self.table.spec().name.to_owned();
        let tables = BTreeMap::from([(name, self.table.version())]);
        let latest = Latest { commit: self.commit.commit, tables };
        let write = write_plain(&store, &root, vec![self.reopened()], &latest, PlainWhen::Newer);
        let written = self.runtime.block_on(write).expect("a plain file").expect("a new commit");
        assert_eq!(written.rows, self.present().len() as u64);
        let file = root.join("current").join("numbers.parquet");
        let found = self.runtime.block_on(store.head(&file)).expect("the plain file");
        assert_eq!(found.size, written.bytes);
        format!("{}/current/numbers.parquet", self.folder)
    }

    /// Checks that readers say so of versions that are gone.
    fn assert_gone(&self, python: &Python, versions: &[u64]) {
        let names: Vec<String> = versions.iter().map(u64::to_string).collect();
        let place = self.place();
        let mut arguments = vec!["gone", place.as_str()];
        arguments.extend(names.iter().map(String::as_str));
        let found = python.run("tests/readers/matrix.py", &arguments);
        let found: Value = serde_json::from_str(&found).expect("the script prints JSON");
        for reader in ["duckdb", "polars", "delta-rs"] {
            assert_eq!(found[reader], json!(names), "{reader}");
        }
    }

    /// Checks what our own reader finds at the present version.
    fn assert_own(&self) {
        let table = self.reopened();
        let batches = self.runtime.block_on(table.scan(None).try_collect::<Vec<_>>());
        let rows = batches
            .expect("read it")
            .iter()
            .flat_map(|b| json_rows(b).expect("JSON"))
            .collect::<Vec<_>>();
        let numbers = rows.iter().map(|row| {
            let key = row["key"].as_str().expect("a key").to_owned();
            (key, row["number"].as_i64().expect("a number"))
        });
        assert_eq!(numbers.collect::<Numbers>(), *self.present());
        assert_eq!((rows.len(), table.rows()), (self.present().len(), rows.len() as u64));
    }
}

fn open(
    runtime: &Runtime,
    folder: &str,
    options: &BTreeMap<String, String>,
    spec: &'static TableSpec,
) -> Table {
    let (store, root) = open_store(folder, options).expect("open the place");
    runtime.block_on(Table::open(store, &root, spec)).expect("open the table").with_limits(LIMITS)
}

/// What the log and the folder hold of each kind.
fn count(folder: &str, entries_with: &str) -> usize {
    let log = std::fs::read_dir(format!("{folder}/_delta_log")).expect("a log");
    let entries = log.map(|entry| std::fs::read(entry.expect("an entry").path()).expect("read it"));
    entries.filter(|entry| String::from_utf8_lossy(entry).contains(entries_with)).count()
}

#[test]
fn other_readers_agree_in_every_state() {
    let Some(python) = Python::find() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut subject = Subject::start(folder.path(), &SPEC);
    subject.commit(0..3_000, 0..0);
    for step in 1..=24 {
        subject.commit(
            (step * 97..step * 97 + 40).chain(3_000 + step * 5..3_005 + step * 5),
            step * 31..step * 31 + 7,
        );
    }
    // Every state was gone through.
    let place = subject.place();
    assert!(count(&place, r#""storageType":"i""#) > 3, "masks in the log");
    assert!(count(&place, r#""storageType":"u""#) > 3, "masks in files");
    assert!(count(&place, r#""onefold.bucket""#) > 3, "folded ranges");
    assert!(Path::new(&place).join("_delta_log/00000000000000000020.checkpoint.parquet").exists());
    subject.assert_read(&python, &[0, 1, 2, 7, 13, 19, 20, 21, 24, 25]);

    // Back to an earlier commit, and on.
    let earlier = CommitInfo { commit: 16, epoch: 2, ..subject.commit.clone() };
    let restored = subject.runtime.block_on(subject.table.restore(&earlier, 1));
    assert!(restored.expect("the files are there"));
    let state = subject.versions[&16].clone();
    subject.versions.insert(subject.table.version(), state);
    subject.commit = CommitInfo { time_ms: 90_000, ..earlier };
    subject.commit(100..160, 0..5);
    let version = subject.table.version();
    subject.assert_read(&python, &[25, version - 1, version]);

    // What nothing needs is taken away by another tool, with all that lies around.
    let place = subject.place();
    let gone = python.run("tests/readers/matrix.py", &["vacuum", &place]);
    let gone: Value = serde_json::from_str(&gone).expect("the script prints JSON");
    assert!(gone.as_array().is_some_and(|gone| gone.len() > 5), "{gone}");
    // That tool puts entries into the log; a job would have to start again.
    subject.table = subject.reopened();
    let state = subject.present().clone();
    subject.versions.insert(subject.table.version(), state);
    subject.commit(50..170, 300..310);
    for step in 0..20 {
        subject.commit(step * 50..step * 50 + 20, 0..0);
    }
    subject.assert_read(&python, &[subject.table.version()]);

    // Another tool's optimisation keeps the rows, but not the layout: the next commit says so, until that is undone.
    let before = subject.table.version();
    let removed = python.run("tests/readers/matrix.py", &["optimize", &place]);
    assert_ne!(removed.trim(), "0");
    let state = subject.present().clone();
    let mut table = subject.reopened();
    subject.versions.insert(table.version(), state);
    subject.assert_read(&python, &[table.version()]);
    let next = CommitInfo { commit: subject.commit.commit + 1, ..subject.commit.clone() };
    let row = stream::iter([Ok(batch(&Numbers::from([(key(1), 1)])))]);
    let refused = subject.runtime.block_on(table.upsert(row, 1, &[], &next)).unwrap_err();
    assert!(refused.to_string().contains("not of this program's making"), "{refused}");
    python.run("tests/readers/matrix.py", &["restore", &place, &before.to_string()]);
    subject.table = subject.reopened();
    subject.commit(0..40, 41..43);
    subject.assert_read(&python, &[subject.table.version()]);
}

#[test]
fn other_readers_agree_after_rows_left_and_files_went() {
    let Some(python) = Python::find() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut subject = Subject::start(folder.path(), &SPEC);
    subject.commit(0..3_000, 0..0);
    for step in 1..=21 {
        subject.commit(step * 97..step * 97 + 40, step * 31..step * 31 + 7);
    }
    let before = subject.table.version();
    let erased = subject.erase([1, 2, 97, 1_500].into_iter());
    assert!(erased.rows >= 3 && !erased.replaced.is_empty(), "{erased:?}");
    let after = subject.table.version();
    // Until the files go, earlier versions can be read as they were.
    subject.assert_read(&python, &[7, 20, before, after]);
    let vacuumed = subject.vacuum();
    assert!(vacuumed.files > 10 && vacuumed.log_files > 20, "{vacuumed:?}");
    subject.assert_read(&python, &[after]);
    subject.assert_gone(&python, &[7, before]);
    for path in &erased.replaced {
        assert!(!Path::new(&subject.place()).join(path).exists());
    }
    for step in 0..5 {
        subject.commit(step * 50..step * 50 + 20, 0..0);
    }
    let present = subject.table.version();
    subject.assert_read(&python, &[after, present - 1, present]);
    // The same without Delta.
    let found = python.run("tests/readers/matrix.py", &["plain", &subject.write_plain()]);
    let found: Value = serde_json::from_str(&found).expect("the script prints JSON");
    let expected = subject.expected(present);
    assert_eq!(found, json!({ "duckdb": expected, "polars": expected, "pyarrow": expected }));
}

#[test]
fn other_readers_agree_while_files_are_put_together() {
    let Some(python) = Python::find() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut subject = Subject::start(folder.path(), &APPENDED);
    for step in 0..120 {
        subject.append(step * 30..step * 30 + 20);
    }
    let (files, _) = subject.table.files();
    assert!(files < 20, "{files} files");
    subject.assert_read(&python, &[0, 2, 3, 9, 20, 27, 63, 119, 120]);
    let erased = subject.erase([35, 36, 3_000].into_iter());
    assert_eq!((erased.rows, erased.replaced.len()), (3, 2));
    let after = subject.table.version();
    subject.assert_read(&python, &[120, after]);
    subject.vacuum();
    subject.assert_read(&python, &[after]);
    subject.assert_gone(&python, &[120]);
    subject.append(9_000..9_040);
    subject.assert_read(&python, &[after, after + 1]);
}

#[test]
fn tables_in_a_bucket_are_vacuumed() {
    let Some(python) = Python::find() else { return };
    let s3 = S3::start(&python);
    for spec in [&SPEC, &APPENDED] {
        let name = if spec.key().is_some() { "replaced" } else { "appended" };
        let mut subject = Subject::start_at(&s3.url(name), s3.environment(), spec);
        for step in 0..25 {
            match spec.key() {
                Some(_) => subject.commit(step * 20..step * 20 + 60, step..step + 1),
                None => subject.append(step * 30..step * 30 + 20),
            }
        }
        subject.erase([35, 36].into_iter());
        let vacuumed = subject.vacuum();
        assert!(vacuumed.files > 10 && vacuumed.log_files >= 25, "{vacuumed:?}");
        subject.assert_own();
        subject.write_plain();
        let again = subject.vacuum();
        assert_eq!((again.files, again.log_files), (0, 0));
    }
}
