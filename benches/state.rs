//! How fast does the state take micro-batches, and what does that cost in memory and disk?
//!
//! `cargo bench --bench state [EVENTS]`: commits of 5,000 events with 1,500 new records each, a
//! publish every 20 commits, then a reopening. Prints one figure a line.

use std::collections::BTreeSet;
use std::io::Write;

use onefold::clock::Stopwatch;
use onefold::error::Result;
use onefold::profile::{Activity, Facts, Interaction, Seen};
use onefold::record::{
    Details, EventKey, Field, Identity, IdentityId, Money, MoneyKind, Normalised, Presented,
    RecordKey,
};
use onefold::state::{
    Commit, Counters, Edge, IdentityRow, NodeId, Options, RecordRow, Status, Store,
};

const EVENTS_A_COMMIT: u64 = 5_000;
const RECORDS_A_COMMIT: u32 = 1_500;
const COMMITS_A_PUBLISH: u64 = 20;

fn main() -> Result<()> {
    let events = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut store = Store::open(folder.path(), &Options::default())?;
    let (mut seconds_check, mut seconds_commit, mut seconds_publish) = (0.0, 0.0, 0.0);
    let commits = events / EVENTS_A_COMMIT;
    for sequence in 1..=commits {
        let commit = commit(sequence);
        let keys: Vec<EventKey> = commit.events.iter().map(|(key, _)| *key).collect();
        let watch = Stopwatch::start();
        assert!(!store.events_seen(&keys)?.contains(&true), "every event is new");
        seconds_check += watch.elapsed().as_secs_f64();
        let watch = Stopwatch::start();
        store.commit(&commit)?;
        seconds_commit += watch.elapsed().as_secs_f64();
        if sequence % COMMITS_A_PUBLISH == 0 {
            let watch = Stopwatch::start();
            publish(&mut store)?;
            seconds_publish += watch.elapsed().as_secs_f64();
        }
    }
    let watch = Stopwatch::start();
    drop(store);
    let seconds_close = watch.elapsed().as_secs_f64();
    report("commits", commits as f64);
    report("commits_per_second", commits as f64 / seconds_commit);
    report("commit_ms_mean", seconds_commit * 1e3 / commits as f64);
    report("event_check_us_mean", seconds_check * 1e6 / (commits * EVENTS_A_COMMIT) as f64);
    report("publish_s_mean", seconds_publish * COMMITS_A_PUBLISH as f64 / commits as f64);
    report("close_s", seconds_close);
    report("bytes_written_per_event", proc_value("/proc/self/io", "write_bytes:") / events as f64);
    report("rss_mib_max", proc_value("/proc/self/status", "VmHWM:") / 1024.0);
    report("rss_mib", proc_value("/proc/self/status", "VmRSS:") / 1024.0);
    reopen(folder.path())
}

fn reopen(folder: &std::path::Path) -> Result<()> {
    let watch = Stopwatch::start();
    let store = Store::open(folder, &Options::default())?;
    report("open_s", watch.elapsed().as_secs_f64());
    let watch = Stopwatch::start();
    let view = store.view();
    let records = view.records().count() + view.edges().count() + view.members().count();
    report("scan_rows_per_second", records as f64 / watch.elapsed().as_secs_f64());
    let watch = Stopwatch::start();
    let verified = store.verify()?;
    report("verify_s", watch.elapsed().as_secs_f64());
    report("disk_bytes_per_event", verified.disk_bytes as f64 / verified.events as f64);
    Ok(())
}

/// Reads all that a publish reads, and clears the outbox.
fn publish(store: &mut Store) -> Result<()> {
    let view = store.view();
    let rows = view.interactions(0).count() as u64;
    assert_eq!(rows, COMMITS_A_PUBLISH * EVENTS_A_COMMIT, "every event is in the outbox");
    for change in view.mappings()? {
        view.facts(change.node)?;
    }
    assert!(!view.touched()?.is_empty());
    store.clear_outbox(view.sequence())
}

/// Seven of ten events are of known records, chosen evenly.
fn commit(sequence: u64) -> Commit {
    let first = (sequence as u32 - 1) * RECORDS_A_COMMIT;
    let nodes = first + RECORDS_A_COMMIT;
    let mut commit = Commit { max_event_time: sequence as i64, ..Commit::default() };
    for node in first..nodes {
        let edges = (1..=3).filter(|back| *back <= node);
        let edges =
            edges.map(|back| Edge { lower: node - back, weight_bits: 1.0 / f64::from(back) });
        commit.records.push((node, record(node)));
        commit.edges.push((node, edges.collect()));
        commit.members.push((node, identity_id(node)));
        let row = IdentityRow { id: identity_id(node), status: Status::Live, version: sequence };
        commit.identities.push(row);
        commit.mappings.push(node);
    }
    for ordinal in 0..EVENTS_A_COMMIT {
        let event = sequence * EVENTS_A_COMMIT + ordinal;
        let node = match ordinal {
            new if new < u64::from(RECORDS_A_COMMIT) => first + new as u32,
            _ => (event.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32 % nodes,
        };
        let key = EventKey::hash([&event.to_be_bytes()[..]]);
        commit.facts.push((node, facts(node, event, key)));
        commit.events.push((key, node));
        commit.interactions.push(interaction(node, event, key));
    }
    let touched: BTreeSet<NodeId> = commit.events.iter().map(|(_, node)| *node).collect();
    commit.touched = touched.into_iter().map(identity_id).collect();
    commit.positions = [(("web".into(), "web/0".into()), sequence * EVENTS_A_COMMIT)].into();
    let read = sequence * EVENTS_A_COMMIT;
    commit.counters = Counters { read, resolved: read, ..Counters::default() };
    commit
}

fn identity_id(node: NodeId) -> IdentityId {
    IdentityId::hash([&node.to_be_bytes()[..]])
}

fn record_key(node: NodeId) -> RecordKey {
    RecordKey::hash([&node.to_be_bytes()[..]])
}

fn record(node: NodeId) -> RecordRow {
    let mut identity = Identity::default();
    for (field, value) in [
        (Field::Given, "elizabeth"),
        (Field::Surname, "montgomery"),
        (Field::BirthDate, "1984-02-11"),
        (Field::Street, "station road"),
        (Field::City, "manchester"),
        (Field::Postcode, "m13 9pl"),
    ] {
        identity.set(field, value);
    }
    identity.set(Field::Email, &format!("elizabeth.montgomery{node}@example.org"));
    let key = record_key(node);
    RecordRow { key, source: "web".into(), record_id: None, identity, version: (0, [0; 16]) }
}

fn facts(node: NodeId, event: u64, key: EventKey) -> Facts {
    let email = format!("elizabeth.montgomery{node}@example.org");
    let given = Some("Elizabeth".to_owned());
    let presented = Presented { given, email: Some(email), ..Presented::default() };
    let at = event as i64;
    let seen = Seen::once(at, key, "web".into(), record_key(node));
    let normalised = Normalised { presented, ..Normalised::default() };
    let activity = Activity { channel: "web".into(), kind: "purchase".into() };
    Facts::of_event(activity, &details(event), normalised, seen)
}

fn details(event: u64) -> Details {
    let minor = event as i64 % 10_000;
    let currency = "EUR".to_owned();
    let money = Money { kind: MoneyKind::Purchase, currency, decimals: 2, minor };
    Details {
        money: event.is_multiple_of(4).then_some(money),
        category: Some("garden".to_owned()),
        ..Details::default()
    }
}

fn interaction(node: NodeId, event: u64, key: EventKey) -> Interaction {
    Interaction {
        event_id: format!("web-{event:010}"),
        event_key: key,
        source: "web".into(),
        channel: "web".into(),
        kind: "purchase".into(),
        occurred_at: event as i64,
        record: record_key(node),
        details: details(event),
    }
}

fn report(name: &str, value: f64) {
    writeln!(std::io::stdout(), "{name} {value:.3}").expect("the figures can be written");
}

/// A number from a file of the process table; 0 where there is none.
fn proc_value(path: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
