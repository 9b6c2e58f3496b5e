//! How long does `onefold lookup` take, a whole process each time, from a million profiles?
//!
//! `cargo bench --bench lookup [PROFILES] [EVENTS]`: tables of PROFILES customers (a million unless told), three records
//! each, and EVENTS events (three million), after 20 commits that changed 0.5 % of the profiles; then 50 lookups by each
//! kind of key, each a process of its own, with what it reads in the page cache. Prints one figure a line: median and 99th
//! percentile in ms of wall time, mean of processor time.

mod measure;
mod people;

use std::path::Path;
use std::process::{Command, Stdio};

use futures::{StreamExt, stream};
use measure::report;
use onefold::clock::Stopwatch;
use onefold::error::Result;
use onefold::profile::{Change, ChangeKind, Interaction, Mapping};
use onefold::record::RecordKey;
use onefold::sink::{CommitInfo, Table, TableSpec, open_store, rows, tables};
use people::{identity, profile};

const LOOKUPS: u64 = 50;
const COMMITS: u64 = 20;
const RECORDS_A_CUSTOMER: u64 = 3;
const ROWS_AT_ONCE: usize = 8_192;
/// Rows of a file of a table that only grows, as compaction leaves them.
const FILE_ROWS: u64 = 122_880;

const PIPELINE: &str = r#"
name = "bench"

[source.web]
files = "nowhere.jsonl"
channel = "web"
event_id = "/id"
type = "/type"
occurred_at = { path = "/at", format = "epoch_seconds" }
identity = { email = "/email" }

[state]
path = "FOLDER/state"

[publish]
url = "FOLDER/tables"
"#;

fn main() -> Result<()> {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    let count = numbers.next().unwrap_or(1_000_000);
    let events = numbers.next().unwrap_or(3_000_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().display().to_string();
    let pipeline = folder.path().join("pipeline.toml");
    std::fs::write(&pipeline, PIPELINE.replace("FOLDER", &place)).expect("a pipeline file");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(write(&format!("{place}/tables"), count, events))?;
    drop(runtime);
    let asked = |number: u64| (number * 7_919 + 13) % count;
    let texts = |words: &[&str]| -> Vec<String> { words.iter().map(|it| (*it).into()).collect() };
    measure("version", &pipeline, |_| None);
    measure("email", &pipeline, |at| {
        Some(texts(&["--email", &format!("Person{}@Example.com", asked(at))]))
    });
    measure("phone", &pipeline, |at| {
        Some(texts(&["--phone", &format!("0044 77{:08}", asked(at) % 100_000_000)]))
    });
    measure("loyalty_id", &pipeline, |at| Some(texts(&["--id", &format!("L{:08}", asked(at))])));
    measure("identity_id", &pipeline, |at| {
        Some(texts(&["--id", &identity(asked(at)).to_string()]))
    });
    measure("name_and_birth_date", &pipeline, |at| {
        let profile = profile(asked(at), 1);
        let [given, surname, born] = [profile.given, profile.surname, profile.birth_date]
            .map(|value| value.expect("all have one").value);
        Some(texts(&["--name", &format!("{surname}, {given}"), "--born", &born]))
    });
    measure("nobody", &pipeline, |at| {
        Some(texts(&["--email", &format!("nobody{at}@example.com")]))
    });
    Ok(())
}

/// Runs lookups by what `key` gives; no lookup at all where it gives nothing.
fn measure(name: &str, pipeline: &Path, key: impl Fn(u64) -> Option<Vec<String>>) {
    let mut times = Vec::new();
    let cpu = cpu_seconds_of_children();
    for at in 0..LOOKUPS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onefold"));
        match key(at) {
            Some(key) => command.arg("lookup").arg(pipeline).args(key),
            None => command.arg("--version"),
        };
        let watch = Stopwatch::start();
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        times.push(watch.elapsed().as_secs_f64() * 1e3);
        let expected = if name == "nobody" { 1 } else { 0 };
        assert_eq!(done.expect("it runs").code(), Some(expected), "{name}");
    }
    times.sort_by(f64::total_cmp);
    report(&format!("{name}_ms_p50"), times[times.len() / 2]);
    report(&format!("{name}_ms_p99"), times[times.len() * 99 / 100]);
    let cpu = cpu_seconds_of_children() - cpu;
    report(&format!("{name}_cpu_ms"), cpu * 1e3 / LOOKUPS as f64);
}

async fn write(url: &str, count: u64, events: u64) -> Result<()> {
    let open = async |spec: &'static TableSpec| {
        let (store, root) = open_store(url, &Default::default())?;
        Table::open(store, &root, spec).await
    };
    let mut table = open(&tables::PROFILES).await?;
    put_profiles(&mut table, (0..count).collect(), 1).await?;
    for commit in 0..COMMITS {
        let (step, first) = (200, commit * 37 % 200);
        let numbers = (first..count).step_by(step).collect();
        put_profiles(&mut table, numbers, commit + 2).await?;
    }
    report("profiles_files", table.files().0 as f64);
    report("profiles_bytes_per_row", table.files().1 as f64 / count as f64);
    let mut table = open(&tables::IDENTITY_MAP).await?;
    put_map(&mut table, count).await?;
    report("identity_map_bytes_per_row", table.files().1 as f64 / table.rows() as f64);
    let mut table = open(&tables::INTERACTIONS).await?;
    for (number, first) in (1..).zip((0..events).step_by(FILE_ROWS as usize)) {
        let some: Vec<_> =
            (first..events.min(first + FILE_ROWS)).map(|i| interaction(i, count)).collect();
        table.append(stream::iter([rows::interactions(&some)]), &commit(number)).await?;
    }
    report("interactions_files", table.files().0 as f64);
    report("interactions_bytes_per_row", table.files().1 as f64 / table.rows() as f64);
    let mut table = open(&tables::IDENTITY_CHANGES).await?;
    for (number, first) in (1..).zip((0..count).step_by(FILE_ROWS as usize)) {
        let some: Vec<_> =
            (first..count.min(first + FILE_ROWS)).map(|i| created(i, number)).collect();
        table.append(stream::iter([rows::identity_changes(&some)]), &commit(number)).await?;
    }
    Ok(())
}

async fn put_profiles(table: &mut Table, mut numbers: Vec<u64>, number: u64) -> Result<()> {
    numbers.sort_by_cached_key(|number| identity(*number).0);
    let count = numbers.len() as u64;
    let chunks = numbers.chunks(ROWS_AT_ONCE).map(|numbers| {
        rows::profiles(&numbers.iter().map(|it| profile(*it, number)).collect::<Vec<_>>())
    });
    table.upsert(stream::iter(chunks).boxed(), count, &[], &commit(number)).await.map(drop)
}

async fn put_map(table: &mut Table, count: u64) -> Result<()> {
    let mut numbers: Vec<u64> = (0..count * RECORDS_A_CUSTOMER).collect();
    numbers.sort_by_cached_key(|number| record(*number).0);
    let chunks = numbers.chunks(ROWS_AT_ONCE).map(|numbers| {
        let of = |number: &u64| Mapping {
            record: record(*number),
            source: "web".into(),
            record_id: None,
            identity: identity(number / RECORDS_A_CUSTOMER),
        };
        rows::identity_map(&numbers.iter().map(of).collect::<Vec<_>>())
    });
    let rows = numbers.len() as u64;
    table.upsert(stream::iter(chunks).boxed(), rows, &[], &commit(1)).await.map(drop)
}

fn record(number: u64) -> RecordKey {
    RecordKey::hash([&b"record"[..], &number.to_be_bytes()])
}

fn commit(number: u64) -> CommitInfo {
    let time_ms = i64::try_from(number).unwrap_or(0) * 10_000;
    CommitInfo { app: "bench".into(), commit: number, epoch: 1, time_ms }
}

/// Every customer has some, spread over all times.
fn interaction(number: u64, count: u64) -> Interaction {
    let customer = number.wrapping_mul(7_919) % count;
    let at = 1_750_000_000_000_000 + (number * 1_000_000) as i64;
    let own = customer * RECORDS_A_CUSTOMER + number % RECORDS_A_CUSTOMER;
    people::interaction(number, at, record(own))
}

fn created(number: u64, epoch: u64) -> Change {
    Change {
        kind: ChangeKind::Created,
        identity: identity(number),
        other: None,
        cause: "records".into(),
        epoch,
        occurred_at: 1_750_000_000_000_000,
    }
}

/// Of the processes that were waited for.
fn cpu_seconds_of_children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    // User and system time, in hundredths of a second.
    [13, 14].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}
