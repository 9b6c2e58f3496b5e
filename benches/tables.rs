//! What does a commit to `profiles` cost: bytes written, and processor time, as the table grows?
//!
//! `cargo bench --bench tables [ROWS]`: a table of ROWS profiles (a million unless told), and how fast it is written of
//! profiles that are there; 20 commits that change 0.5 % of it each, against the same where every touched bucket is
//! rewritten; then commits of 1,000 rows to tables of a tenth of ROWS and of ROWS; then ROWS `interactions`, 5,000 with
//! each commit. Prints one figure a line.

mod measure;
mod people;

use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};
use measure::{cpu_seconds, report};
use onefold::clock::Stopwatch;
use onefold::error::Result;
use onefold::profile::{Interaction, Profile};
use onefold::record::RecordKey;
use onefold::sink::{CommitInfo, Limits, Table, open_store, rows, tables};
use people::{identity, profile};

const COMMITS: u64 = 20;
const ROWS_AT_ONCE: usize = 8_192;
/// The commits whose cost is to be the same whatever the size of the table.
const SMALL_COMMIT: u64 = 1_000;
/// Events of a commit that only adds.
const APPENDED: u64 = 5_000;

fn main() -> Result<()> {
    let count = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(count))
}

async fn run(count: u64) -> Result<()> {
    let cpu = cpu_seconds();
    for numbers in in_order((0..count).collect()).chunks(ROWS_AT_ONCE) {
        std::hint::black_box(profiles(numbers, 1));
    }
    let (making, cpu) = (cpu_seconds() - cpu, cpu_seconds());
    let mut subject = Subject::create(count, Limits::default()).await?;
    report("profiles_written_per_cpu_s", count as f64 / (cpu_seconds() - cpu - making));
    report("bytes_per_profile", subject.bytes() as f64 / count as f64);
    let masked = subject.commits(COMMITS, count / 200).await?;
    masked.report("masked");
    report("files", subject.table.files().0 as f64);
    subject.find(count).await?;
    // As many more, so that ranges are folded.
    subject.commits(2 * COMMITS, count / 200).await?.report("masked_and_folded");
    report("files_after_60", subject.table.files().0 as f64);
    drop(subject);
    let rewritten = Limits { fold_percent: 0, ..Limits::default() };
    let mut subject = Subject::create(count, rewritten).await?;
    let rewritten = subject.commits(2, count / 200).await?;
    rewritten.report("rewritten");
    report("bytes_percent_of_rewritten", 100.0 * masked.bytes / rewritten.bytes);
    drop(subject);
    for count in [count / 10, count] {
        let mut subject = Subject::create(count, Limits::default()).await?;
        let name = format!("small_commits_of_{count}");
        subject.commits(COMMITS, SMALL_COMMIT).await?.report(&name);
    }
    append(count).await
}

/// Events as a job adds them that publishes every few seconds: how many files there are then, and how often a row
/// was written.
async fn append(count: u64) -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, root) = open_store(&folder.path().display().to_string(), &Default::default())?;
    let mut table = Table::open(store, &root, &tables::INTERACTIONS).await?;
    let (mut written, mut slowest, cpu) = (0, 0.0_f64, cpu_seconds());
    let commits = count.div_ceil(APPENDED);
    for number in 1..=commits {
        let time_ms = i64::try_from(number).unwrap_or(0) * 5_000;
        let commit = CommitInfo { app: "bench".into(), commit: number, epoch: 1, time_ms };
        let events: Vec<_> =
            (0..APPENDED).map(|i| interaction(number * APPENDED + i, time_ms)).collect();
        let rows = stream::iter([rows::interactions(&events)]);
        let watch = Stopwatch::start();
        let done = table.append(rows, &commit).await?;
        slowest = slowest.max(watch.elapsed().as_secs_f64());
        written += done.rows + done.compacted;
    }
    report("appended_commits", commits as f64);
    report("appended_files", table.files().0 as f64);
    report("appended_bytes_per_row", table.files().1 as f64 / table.rows() as f64);
    report("appended_times_written", written as f64 / table.rows() as f64);
    report("appended_cpu_ms_per_commit", (cpu_seconds() - cpu) * 1e3 / commits as f64);
    report("appended_ms_slowest_commit", slowest * 1e3);
    Ok(())
}

fn interaction(number: u64, time_ms: i64) -> Interaction {
    // Some come a minute late.
    let at = time_ms * 1000 - (number % 97) as i64 * 600_000;
    people::interaction(number, at, RecordKey::hash([&(number % 50_000).to_be_bytes()[..]]))
}

/// The means of some commits.
struct Cost {
    bytes: f64,
    cpu: f64,
    seconds: f64,
}

impl Cost {
    fn report(&self, name: &str) {
        report(&format!("{name}_bytes_per_commit"), self.bytes);
        report(&format!("{name}_cpu_ms_per_commit"), self.cpu * 1e3);
        report(&format!("{name}_ms_per_commit"), self.seconds * 1e3);
    }
}

struct Subject {
    folder: tempfile::TempDir,
    table: Table,
    count: u64,
    commit: u64,
}

impl Subject {
    async fn create(count: u64, limits: Limits) -> Result<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = folder.path().display().to_string();
        let (store, root) = open_store(&url, &Default::default())?;
        let table = Table::open(store, &root, &tables::PROFILES).await?.with_limits(limits);
        let mut subject = Self { folder, table, count, commit: 0 };
        subject.put((0..count).collect()).await?;
        Ok(subject)
    }

    /// Bytes of all that was ever written: nothing is deleted.
    fn bytes(&self) -> u64 {
        size(self.folder.path())
    }

    async fn put(&mut self, numbers: Vec<u64>) -> Result<()> {
        self.commit += 1;
        let numbers = in_order(numbers);
        let commit = CommitInfo {
            app: "bench".into(),
            commit: self.commit,
            epoch: 1,
            time_ms: i64::try_from(self.commit).unwrap_or(0) * 10_000,
        };
        let count = numbers.len() as u64;
        let chunks = numbers
            .chunks(ROWS_AT_ONCE)
            .map(|numbers| rows::profiles(&profiles(numbers, self.commit)));
        self.table.upsert(stream::iter(chunks).boxed(), count, &[], &commit).await.map(drop)
    }

    /// Commits that change rows chosen evenly.
    async fn commits(&mut self, commits: u64, rows: u64) -> Result<Cost> {
        let (bytes, cpu, watch) = (self.bytes(), cpu_seconds(), Stopwatch::start());
        for _ in 0..commits {
            // Other rows each time, until all had their turn: 37 and the step have no divisor in common.
            let step = self.count / rows;
            let first = self.commit * 37 % step;
            let numbers = (0..rows).map(|i| (first + i * step) % self.count);
            self.put(numbers.collect()).await?;
        }
        let mean = |sum: f64| sum / commits as f64;
        Ok(Cost {
            bytes: mean((self.bytes() - bytes) as f64),
            cpu: mean(cpu_seconds() - cpu),
            seconds: mean(watch.elapsed().as_secs_f64()),
        })
    }

    async fn find(&self, count: u64) -> Result<()> {
        let watch = Stopwatch::start();
        for number in (0..count).step_by(usize::try_from(count / 50).unwrap_or(1)) {
            let found = self.table.find(&identity(number).to_string()).await?;
            assert!(found.is_some(), "every row can be found");
        }
        report("find_ms", watch.elapsed().as_secs_f64() * 1e3 / 50.0);
        let watch = Stopwatch::start();
        let scan = self.table.scan(Some(&["identity_id", "events"]));
        let rows: usize = scan
            .map_ok(|batch| batch.num_rows())
            .try_fold(0, |a, b| async move { Ok(a + b) })
            .await?;
        assert_eq!(rows as u64, count, "every row is there once");
        report("scan_two_columns_s", watch.elapsed().as_secs_f64());
        Ok(())
    }
}

/// As a job publishes them: by identity.
fn in_order(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_by_cached_key(|number| identity(*number).0);
    numbers
}

fn profiles(numbers: &[u64], version: u64) -> Vec<Profile> {
    numbers.iter().map(|number| profile(*number, version)).collect()
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let entries = entries.map(|entry| entry.expect("an entry"));
    let sizes = entries.map(|entry| match entry.metadata().expect("it is there") {
        meta if meta.is_dir() => size(&entry.path()),
        meta => meta.len(),
    });
    sizes.sum()
}
