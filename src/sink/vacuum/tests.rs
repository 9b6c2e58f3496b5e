//! Files that nothing needs go, those that something needs stay, whatever the table went through.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::stream;
use proptest::prelude::*;

use super::*;
use crate::error::Kind;
use crate::sink::testing::*;
use crate::sink::{CommitInfo, Erasure, TableSpec};

const HOUR: i64 = 60 * 60 * 1000;
const DAY: Duration = UNDER_WAY;
type Rows = BTreeMap<String, i64>;

/// A table, the time, and what there was at each version.
struct Subject {
    faulty: Arc<FaultyStore>,
    store: Arc<dyn ObjectStore>,
    table: Table,
    epoch: u64,
    commit: u64,
    /// By version: when it came, its commit, its rows.
    versions: BTreeMap<u64, (i64, u64, Rows)>,
}

impl Subject {
    async fn start(spec: &'static TableSpec) -> Self {
        let faulty = Arc::new(FaultyStore::default());
        let store: Arc<dyn ObjectStore> = faulty.clone();
        let table = open(&store, spec).await;
        let versions = BTreeMap::from([(0, (0, 0, Rows::new()))]);
        Self { faulty, store, table, epoch: 1, commit: 0, versions }
    }

    fn now(&self) -> i64 {
        *self.faulty.now_ms.lock().unwrap()
    }

    fn pass(&self, hours: i64) {
        *self.faulty.now_ms.lock().unwrap() += hours * HOUR;
    }

    fn rows(&self) -> Rows {
        self.versions.last_key_value().unwrap().1.2.clone()
    }

    /// Notes what a commit left, where it wrote anything.
    fn note(&mut self, rows: Rows) {
        let (version, came) = (self.table.version(), self.now());
        self.versions.entry(version).or_insert((came, self.commit, rows));
    }

    /// Notes what an entry left that is of no commit: it belongs to the last that wrote anything.
    fn note_beside(&mut self, rows: Rows) {
        let (version, came) = (self.table.version(), self.now());
        let commit = self.versions.last_key_value().unwrap().1.1;
        self.versions.entry(version).or_insert((came, commit, rows));
    }

    fn info(&self) -> CommitInfo {
        commit_of(self.epoch, self.commit)
    }

    async fn commit(&mut self, set: Rows, gone: &[String]) {
        self.commit += 1;
        let mut expected = self.rows();
        expected.retain(|key, _| !gone.contains(key));
        expected.extend(set.clone());
        let info = self.info();
        self.table.upsert(rows(&set), set.len() as u64, gone, &info).await.unwrap();
        self.note(expected);
    }

    async fn append(&mut self, set: Rows) {
        self.commit += 1;
        let mut expected = self.rows();
        expected.extend(set.clone());
        let set: Vec<_> = set.into_iter().collect();
        let info = self.info();
        self.table.append(stream::iter([Ok(batch(&set))]), &info).await.unwrap();
        self.note(expected);
    }

    async fn take(&mut self) {
        self.epoch += 1;
        self.table.fence("test", self.epoch, 1).await.unwrap();
        self.note_beside(self.rows());
    }

    /// The rows at a version, as a reader finds them.
    async fn read_at(&self, version: u64) -> Result<Rows> {
        let mut table = open(&self.store, self.table.spec).await;
        let gone = || Error::data("it is gone");
        table.snapshot = table.log.load_at(version).await?.ok_or_else(gone)?;
        assert_eq!(table.version(), version);
        let batches: Vec<RecordBatch> = table.scan(None).try_collect().await?;
        let rows = batches.iter().flat_map(|batch| {
            let keys = batch["key"].as_string::<i32>().iter().flatten().map(String::from);
            let numbers = batch["number"].as_primitive::<Int64Type>().iter().flatten();
            keys.zip(numbers).collect::<Vec<_>>()
        });
        Ok(rows.collect())
    }

    /// Checks the versions that were the present one within some time.
    async fn assert_kept(&self, retention: Duration) {
        let until = self.now() - retention.as_millis() as i64;
        let ended = self.versions.values().skip(1).map(|(came, _, _)| *came);
        let ended: Vec<i64> = ended.chain([i64::MAX]).collect();
        for ((version, (_, _, rows)), ended) in self.versions.iter().zip(ended) {
            if ended > until {
                assert_eq!(self.read_at(*version).await.unwrap(), *rows, "version {version}");
            }
        }
    }

    async fn files(&self) -> Vec<String> {
        let files: Vec<_> = self.store.list(None).try_collect().await.unwrap();
        files.into_iter().map(|file| file.location.to_string()).collect()
    }
}

async fn open(store: &Arc<dyn ObjectStore>, spec: &'static TableSpec) -> Table {
    let table = Table::open(store.clone(), &Path::from("root"), spec).await.unwrap();
    table.with_limits(TINY)
}

fn beside(now_ms: i64, retention: Duration) -> Vacuum {
    Vacuum { now_ms, retention, writers: Writers::Others, act: VacuumAct::Delete }
}

fn alone(now_ms: i64, retention: Duration) -> Vacuum {
    Vacuum { writers: Writers::Nobody, ..beside(now_ms, retention) }
}

fn some(range: std::ops::Range<u64>, number: i64) -> Rows {
    range.map(|i| (key(i), number)).collect()
}

/// What happens to a table.
#[derive(Clone, Debug)]
enum Act {
    Commit(BTreeMap<u8, i64>, Vec<u8>),
    Pass(i64),
    Erase(u8),
    /// Back by as many commits.
    Restore(u64),
    Orphan(u8),
    Vacuum(i64),
    Take,
}

fn act() -> impl Strategy<Value = Act> {
    let set = prop::collection::btree_map(any::<u8>(), any::<i64>(), 0..9);
    let gone = prop::collection::vec(any::<u8>(), 0..4);
    prop_oneof![
        8 => (set, gone).prop_map(|(set, gone)| Act::Commit(set, gone)),
        4 => (1_i64..30).prop_map(Act::Pass),
        1 => any::<u8>().prop_map(Act::Erase),
        1 => (1_u64..4).prop_map(Act::Restore),
        1 => any::<u8>().prop_map(Act::Orphan),
        3 => (24_i64..72).prop_map(Act::Vacuum),
        1 => Just(Act::Take),
    ]
}

async fn go(subject: &mut Subject, act: Act, shortest: &mut i64) {
    match act {
        Act::Commit(set, gone) => {
            let set = set.into_iter().map(|(i, number)| (key(i.into()), number)).collect();
            let gone: Vec<String> = gone.into_iter().map(|i| key(i.into())).collect();
            subject.commit(set, &gone).await;
        }
        Act::Pass(hours) => subject.pass(hours),
        Act::Erase(i) => {
            let gone = [key(i.into())];
            let erasure = Erasure::Keys { gone: &gone, superseded: &[] };
            let info = subject.info();
            subject.table.erase(erasure, &info).await.unwrap();
            let mut rows = subject.rows();
            rows.remove(&gone[0]);
            subject.note_beside(rows);
        }
        Act::Restore(back) => {
            let to = subject.commit.saturating_sub(back);
            let until = subject.now() - *shortest * HOUR;
            let at = subject.versions.iter().rfind(|(_, (_, commit, _))| *commit <= to);
            let (version, (_, commit, rows)) = at.unwrap();
            let next = subject.versions.range(version + 1..).next();
            if next.is_some_and(|(_, (came, _, _))| *came <= until) {
                return;
            }
            let (commit, rows) = (*commit, rows.clone());
            subject.epoch += 1;
            let info = CommitInfo { commit: to, ..subject.info() };
            subject.table.restore(&info, 7).await.unwrap();
            let version = subject.table.version();
            subject.commit = commit;
            let came = subject.now();
            subject.versions.insert(version, (came, commit, rows));
        }
        Act::Orphan(i) => {
            let name = Path::from(format!("root/upserted/part-00000-orphan{i}.parquet"));
            subject.store.put(&name, "x".into()).await.unwrap();
        }
        Act::Vacuum(hours) => {
            *shortest = (*shortest).min(hours);
            let retention = Duration::from_secs(hours as u64 * 3600);
            let mut table = open(&subject.store, &UPSERTED).await;
            table.vacuum(&beside(subject.now(), retention)).await.unwrap();
            // An earlier one may have kept less.
            subject.assert_kept(Duration::from_secs(*shortest as u64 * 3600)).await;
        }
        Act::Take => subject.take().await,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn versions_within_the_retention_stay_and_in_the_end_only_the_present_one(
        first in prop::collection::btree_map(any::<u8>(), any::<i64>(), 0..256),
        acts in prop::collection::vec(act(), 1..45),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut subject = Subject::start(&UPSERTED).await;
            let mut shortest = 72;
            for act in std::iter::once(Act::Commit(first, Vec::new())).chain(acts) {
                go(&mut subject, act, &mut shortest).await;
            }
            subject.take().await;
            let vacuumed = subject.table.vacuum(&alone(subject.now(), Duration::ZERO)).await;
            let version = subject.table.version();
            assert_eq!(vacuumed.unwrap().oldest, version);
            assert_eq!(subject.read_at(version).await.unwrap(), subject.rows());
            // Nothing else lies there.
            let mut needed = BTreeSet::new();
            subject.table.add_files(&subject.table.snapshot, &mut needed).unwrap();
            let mut expected: Vec<String> = needed.iter().map(ToString::to_string).collect();
            let log = |name: String| format!("root/upserted/_delta_log/{name}");
            expected.push(log("_last_checkpoint".into()));
            expected.push(log(format!("{version:020}.checkpoint.parquet")));
            expected.push(log(format!("{version:020}.json")));
            expected.sort();
            let mut files = subject.files().await;
            files.sort();
            assert_eq!(files, expected);
            // And it goes on from there.
            subject.commit(some(0..30, 9), &[]).await;
            let version = subject.table.version();
            assert_eq!(subject.read_at(version).await.unwrap(), subject.rows());
        });
    }
}

#[tokio::test]
async fn what_a_commit_under_way_may_be_writing_stays() {
    let mut subject = Subject::start(&APPENDED).await;
    let orphan = Path::from("root/appended/part-00000-x.parquet");
    let mask = Path::from("root/appended/_dv/deletion_vector_x.bin");
    let foreign = Path::from("root/appended/notes.txt");
    for path in [&orphan, &mask, &foreign] {
        subject.store.put(path, "x".into()).await.unwrap();
    }
    subject.append(some(0..3, 1)).await;
    subject.pass(23);
    let vacuumed = subject.table.vacuum(&beside(subject.now(), DAY)).await.unwrap();
    assert_eq!(vacuumed, Vacuumed::default());
    let short = beside(subject.now(), DAY / 2);
    assert_eq!(subject.table.vacuum(&short).await.unwrap_err().kind(), Kind::Invalid);
    subject.pass(1);
    let vacuum = beside(subject.now(), DAY);
    let counted = subject.table.vacuum(&Vacuum { act: VacuumAct::Count, ..vacuum }).await.unwrap();
    let all = Vacuumed { files: 2, log_files: 0, bytes: 2, oldest: 1 };
    assert_eq!((counted, subject.files().await.len()), (all, 6));
    assert_eq!(subject.table.vacuum(&vacuum).await.unwrap(), all);
    assert_eq!(subject.files().await.len(), 4);
    assert!(subject.store.head(&foreign).await.is_ok());
    assert_eq!(subject.read_at(1).await.unwrap(), subject.rows());
}

#[tokio::test]
async fn the_log_keeps_the_checkpoint_that_the_oldest_version_is_read_from() {
    let mut subject = Subject::start(&UPSERTED).await;
    for number in 1..=70 {
        subject.pass(1);
        subject.commit(some(number..number + 5, number as i64), &[key(number - 1)]).await;
    }
    // At 70 h, version 46 came 24 h ago.
    let vacuumed = subject.table.vacuum(&beside(subject.now(), DAY)).await.unwrap();
    // 0 to 39, and the checkpoint of 20.
    assert_eq!((vacuumed.oldest, vacuumed.log_files), (46, 41));
    subject.assert_kept(DAY).await;
    assert!(subject.read_at(39).await.is_err());
    let again = subject.table.vacuum(&beside(subject.now(), DAY)).await.unwrap();
    assert_eq!((again.files, again.log_files), (0, 0));
    // Back to where the log still reaches, and no further.
    subject.epoch = 2;
    let gone = subject.table.restore(&CommitInfo { commit: 30, ..subject.info() }, 1).await;
    let gone = gone.unwrap_err();
    assert_eq!(gone.kind(), Kind::Data);
    assert!(gone.to_string().contains("publish.retention"), "{gone}");
    let to = CommitInfo { commit: 46, ..subject.info() };
    assert!(subject.table.restore(&to, 1).await.unwrap());
    let rows = subject.versions[&46].2.clone();
    assert_eq!(subject.read_at(subject.table.version()).await.unwrap(), rows);
}

#[tokio::test]
async fn the_present_version_alone_is_kept_only_by_who_has_the_table() {
    let mut subject = Subject::start(&UPSERTED).await;
    subject.commit(some(0..9, 1), &[]).await;
    subject.commit(some(3..12, 2), &[]).await;
    let vacuum = alone(subject.now(), Duration::ZERO);
    let mut reader = open(&subject.store, &UPSERTED).await;
    assert_eq!(reader.vacuum(&vacuum).await.unwrap_err().kind(), Kind::Internal);
    let counted = reader.vacuum(&Vacuum { act: VacuumAct::Count, ..vacuum }).await.unwrap();
    assert_eq!((counted.files, counted.log_files, counted.oldest), (1, 2, 2));
    // Another writer takes the table meanwhile.
    reader.fence("test", 2, 1).await.unwrap();
    assert_eq!(subject.table.vacuum(&vacuum).await.unwrap_err().kind(), Kind::Fenced);
    // What may yet come stands in the way.
    let info = commit_of(2, 3);
    subject.faulty.faults.lock().unwrap().push(Fault::Delay);
    let late = reader.upsert(rows(&some(0..1, 3)), 1, &[], &info).await.unwrap_err();
    assert_eq!(late.kind(), Kind::Unavailable);
    assert_eq!(reader.vacuum(&vacuum).await.unwrap_err().kind(), Kind::Unavailable);
    reader.upsert(rows(&some(0..1, 3)), 1, &[], &info).await.unwrap();
    reader.vacuum(&vacuum).await.unwrap();
}

#[tokio::test]
async fn an_erased_key_is_in_no_file_of_the_table() {
    let mut subject = Subject::start(&UPSERTED).await;
    for number in 1..=25 {
        subject.commit(some(number * 3..number * 3 + 40, number as i64), &[]).await;
    }
    // The least and greatest keys stand in the log's statistics.
    let (least, _) = subject.rows().first_key_value().map(|(k, v)| (k.clone(), *v)).unwrap();
    let in_log = async |subject: &Subject| {
        let mut found = false;
        for file in subject.files().await {
            let bytes = subject.store.get(&Path::from(file)).await.unwrap().bytes().await.unwrap();
            found |= String::from_utf8_lossy(&bytes).contains(&least);
        }
        let stats = subject.table.snapshot.files.values().filter_map(|add| add.stats.as_deref());
        found | stats.into_iter().any(|stats| stats.contains(&least))
    };
    assert!(in_log(&subject).await);
    let gone = [least.clone()];
    let info = subject.info();
    let erasure = Erasure::Keys { gone: &gone, superseded: &[] };
    let erased = subject.table.erase(erasure, &info).await.unwrap();
    subject.table.vacuum(&alone(0, Duration::ZERO)).await.unwrap();
    assert!(!in_log(&subject).await);
    for path in erased.replaced {
        let path = Path::from(format!("root/upserted/{path}"));
        assert!(subject.store.head(&path).await.is_err());
    }
}

#[tokio::test]
async fn the_last_vacuum_is_noted_by_the_stores_clock() {
    let subject = Subject::start(&UPSERTED).await;
    let root = Path::from("root");
    assert_eq!(last_vacuum(&subject.store, &root).await.unwrap(), None);
    subject.pass(5);
    note_vacuum(&subject.store, &root).await.unwrap();
    subject.pass(5);
    assert_eq!(last_vacuum(&subject.store, &root).await.unwrap(), Some(5 * HOUR));
}
