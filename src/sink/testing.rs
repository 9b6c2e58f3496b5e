//! What the tests of the sink share: a small table, its rows, and a store that fails when told to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};

use super::layout::Limits;
use super::spec::{Column, Layout, TableSpec, Type};
use super::table::{CommitInfo, Table};
use crate::error::Result;

/// Limits at which a few rows do what otherwise a few hundred thousand do.
pub(crate) const TINY: Limits = Limits {
    bucket_rows: 16,
    small_rows: 4,
    fold_percent: 40,
    tier: 3,
    run_rows: 2,
    merged_rows: 30,
    file_rows: 100,
    file_bytes: 1 << 20,
};

pub(super) static UPSERTED: TableSpec = TableSpec {
    name: "upserted",
    about: "Numbers by key.",
    layout: Layout::Upsert { key: "key" },
    statistics: &["key"],
    columns: &[
        Column::new("key", Type::Text, "Key."),
        Column::new("number", Type::Long, "Number."),
    ],
};

pub(super) static APPENDED: TableSpec = TableSpec {
    name: "appended",
    about: "Numbers.",
    layout: Layout::Append { sort: &["number"] },
    statistics: &["number"],
    columns: &[
        Column::new("key", Type::Text, "Key."),
        Column::new("number", Type::Long, "Number."),
    ],
};

pub(super) fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// Commit `commit` of writer 1.
pub(super) fn commit(commit: u64) -> CommitInfo {
    commit_of(1, commit)
}

pub(super) fn commit_of(epoch: u64, commit: u64) -> CommitInfo {
    CommitInfo { app: "test".into(), commit, epoch, time_ms: 1_000 * commit as i64 }
}

/// Spreads small numbers over the keys as hashes do, in ascending order of neither.
pub(super) fn key(i: u64) -> String {
    blake3::hash(&i.to_le_bytes()).to_hex()[..20].to_string()
}

/// Rows in batches of at most 3.
pub(super) fn rows(
    rows: &BTreeMap<String, i64>,
) -> impl Stream<Item = Result<RecordBatch>> + Send + use<> {
    let rows: Vec<(String, i64)> =
        rows.iter().map(|(key, number)| (key.clone(), *number)).collect();
    let batches: Vec<_> = rows.chunks(3).map(batch).map(Ok).collect();
    stream::iter(batches)
}

pub(super) fn batch(rows: &[(String, i64)]) -> RecordBatch {
    let keys = StringArray::from_iter_values(rows.iter().map(|(key, _)| key));
    let numbers = Int64Array::from_iter_values(rows.iter().map(|(_, number)| *number));
    RecordBatch::try_new(UPSERTED.schema(), vec![Arc::new(keys), Arc::new(numbers)]).unwrap()
}

/// All rows of a table of numbers, in the order of its files.
pub(super) async fn read(table: &Table) -> Vec<(String, i64)> {
    let batches: Vec<RecordBatch> = table.scan(None).try_collect().await.unwrap();
    let rows = batches.iter().flat_map(|batch| {
        let keys = batch["key"].as_string::<i32>().iter().flatten().map(String::from);
        keys.zip(batch["number"].as_primitive::<Int64Type>().iter().flatten()).collect::<Vec<_>>()
    });
    rows.collect()
}

/// What becomes of the next put of a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done, but the answer is lost.
    Lose,
    /// It is not done.
    Refuse,
    /// It is not done before the put that comes after it.
    Delay,
    /// It is done, and once more by the store's client: the answer is that of the second time.
    Repeat,
}

/// A store in memory whose puts of log entries fail when told to, and that has a clock of its own.
#[derive(Debug, Default)]
pub(crate) struct FaultyStore {
    store: InMemory,
    /// Its time, in milliseconds since 1970.
    pub(crate) now_ms: Mutex<i64>,
    /// When what it holds was put.
    times: Arc<Mutex<BTreeMap<Path, i64>>>,
    /// The faults of the next puts, last first.
    pub(crate) faults: Mutex<Vec<Fault>>,
    delayed: Mutex<Option<(Path, PutPayload, PutOptions)>>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

impl FaultyStore {
    fn put_now(&self, path: &Path) {
        self.times.lock().unwrap().insert(path.clone(), *self.now_ms.lock().unwrap());
    }
}

/// What is known of an object, with the time of the store's own clock.
fn dated(times: &Mutex<BTreeMap<Path, i64>>, meta: ObjectMeta) -> ObjectMeta {
    let time = times.lock().unwrap().get(&meta.location).copied().unwrap_or(0);
    let last_modified = chrono::DateTime::from_timestamp_millis(time).unwrap();
    ObjectMeta { last_modified, ..meta }
}

fn lost() -> object_store::Error {
    object_store::Error::Generic { store: "FaultyStore", source: "timed out".into() }
}

impl ObjectStore for FaultyStore {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'c, StoreResult<PutResult>>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let is_entry = path.as_ref().contains("_delta_log") && path.as_ref().ends_with(".json");
            let fault = is_entry.then(|| self.faults.lock().unwrap().pop()).flatten();
            if is_entry {
                let delayed = self.delayed.lock().unwrap().take();
                if let Some((path, payload, options)) = delayed {
                    self.store.put_opts(&path, payload, options).await.unwrap();
                    self.put_now(&path);
                }
            }
            if fault.is_none_or(|fault| matches!(fault, Fault::Lose | Fault::Repeat)) {
                self.put_now(path);
            }
            let put = || self.store.put_opts(path, payload.clone(), options.clone());
            match fault {
                None => put().await,
                Some(Fault::Refuse) => Err(lost()),
                Some(Fault::Lose) => put().await.and(Err(lost())),
                Some(Fault::Repeat) => {
                    put().await?;
                    put().await
                }
                Some(Fault::Delay) => {
                    *self.delayed.lock().unwrap() = Some((path.clone(), payload, options));
                    Err(lost())
                }
            }
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        options: PutMultipartOptions,
    ) -> BoxFuture<'c, StoreResult<Box<dyn MultipartUpload>>>
    where
        'a: 'c,
        'b: 'c,
    {
        self.put_now(path);
        self.store.put_multipart_opts(path, options)
    }

    fn get_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        options: GetOptions,
    ) -> BoxFuture<'c, StoreResult<GetResult>>
    where
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let found = self.store.get_opts(path, options).await?;
            let meta = dated(&self.times, found.meta.clone());
            Ok(GetResult { meta, ..found })
        })
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        self.store.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let times = Arc::clone(&self.times);
        self.store.list(prefix).map_ok(move |meta| dated(&times, meta)).boxed()
    }

    fn list_with_delimiter<'a, 'b, 'c>(
        &'a self,
        prefix: Option<&'b Path>,
    ) -> BoxFuture<'c, StoreResult<ListResult>>
    where
        'a: 'c,
        'b: 'c,
    {
        self.store.list_with_delimiter(prefix)
    }

    fn copy_opts<'a, 'b, 'c, 'd>(
        &'a self,
        from: &'b Path,
        to: &'c Path,
        options: CopyOptions,
    ) -> BoxFuture<'d, StoreResult<()>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
    {
        self.store.copy_opts(from, to, options)
    }
}
