//! Whatever the order of arrival, the size of batches and the way in, the same events are the same customers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use onefold::demo::{Channel, Line};

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::pipeline::{self, INTERVAL};
use crate::support::program::onefold;
use crate::support::python::Python;
use crate::support::tables::Tables;
use crate::support::{folder, text};

type Partition = BTreeSet<BTreeSet<String>>;

/// The lines in another order for each `seed`.
fn shuffled(lines: &[Line], seed: u8) -> Vec<Line> {
    let mut lines: Vec<(_, &Line)> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| (*blake3::hash(format!("{seed} {at}").as_bytes()).as_bytes(), line))
        .collect();
    lines.sort_by_key(|(place, _)| *place);
    lines.into_iter().map(|(_, line)| line.clone()).collect()
}

/// Streams lines through a broker of their own, matched under a model.
fn streamed(python: &Python, lines: &[Line], pace: &str, model: &Path) -> Partition {
    let broker = Broker::start(python);
    broker.produce(lines);
    let folder = folder();
    let pipeline = pipeline::kafka(folder.path(), pace);
    let out = folder.path().join("out");
    let report = onefold(&["run", text(&pipeline), "--until-idle", "5s", "--json"])
        .env("KAFKA_BROKERS", &broker.address())
        .env("MODEL", text(model))
        .env("OUT", text(&out))
        .env("STATE", text(&folder.path().join("state")))
        .report();
    assert_eq!(report["read"], lines.len());
    Tables::local(&out).partition()
}

/// Learns a model from lines in files.
fn trained(lines: &[Line], folder: &Path) -> PathBuf {
    write_all(lines, folder, false);
    let model = folder.join("model.json");
    let pipeline = pipeline::changed("events.toml", folder, &[]);
    onefold(&["train", text(&pipeline), "--out", text(&model)])
        .env("EVENTS_DIR", text(folder))
        .succeed();
    model
}

/// Reads lines from files, compressed ones where `gz` says so, by the shipped pipeline with changes: it learns its
/// model from them.
fn backfilled(lines: &[Line], gz: bool, changes: &[(&str, &str)]) -> Partition {
    let folder = folder();
    write_all(lines, folder.path(), gz);
    let pipeline = pipeline::changed("events.toml", folder.path(), changes);
    let out = folder.path().join("out");
    let report = onefold(&["backfill", text(&pipeline), "--json"])
        .env("EVENTS_DIR", text(folder.path()))
        .env("OUT", text(&out))
        .env("STATE", text(&folder.path().join("state")))
        .report();
    assert_eq!(report["read"], lines.len());
    Tables::local(&out).partition()
}

fn write_all(lines: &[Line], folder: &Path, gz: bool) {
    for channel in Channel::ALL {
        let lines = lines.iter().filter(|line| line.channel == channel);
        let text: String = lines.map(|line| format!("{}\n", line.text)).collect();
        write(folder, channel.name(), &text, gz);
    }
}

fn write(folder: &Path, name: &str, text: &str, gz: bool) {
    let create = |ending: &str| {
        BufWriter::new(File::create(folder.join(format!("{name}.{ending}"))).expect("a file"))
    };
    if gz {
        let mut file = GzEncoder::new(create("jsonl.gz"), Compression::fast());
        file.write_all(text.as_bytes()).and_then(|()| file.finish()).expect("compress");
    } else {
        fs::write(folder.join(format!("{name}.jsonl")), text).expect("write events");
    }
}

#[test]
fn shuffled_events_are_the_same_customers_streamed_and_from_files() {
    let Some(python) = Python::find() else { return };
    let stream = stream(250);
    let in_order = backfilled(&stream.lines, false, &[]);
    let folder = folder();
    let model = trained(&stream.lines, folder.path());
    let events: BTreeSet<String> = in_order.iter().flatten().cloned().collect();
    assert_eq!(events, Expected::of(&stream).events);
    for (seed, pace) in [
        (1, "interval = \"30s\"\n"),
        (2, "interval = \"300ms\"\n[run]\nbatch = 170\n"),
        (3, "interval = \"30s\"\n[run]\nbatch = 33\ncommit_interval = \"10ms\"\n"),
    ] {
        let lines = shuffled(&stream.lines, seed);
        assert!(streamed(&python, &lines, pace, &model) == in_order, "order {seed}, streamed");
        assert!(
            backfilled(&lines, seed == 2, &[(INTERVAL, pace)]) == in_order,
            "order {seed}, from files"
        );
    }
}

/// Blocks and components over their caps are narrowed and split; that too must not depend on the order.
#[test]
fn shuffled_events_are_the_same_customers_where_caps_are_exceeded() {
    let stream = stream(250);
    let caps = ("[match]\n", "[match]\nblock_cap = 6\ncomponent_cap = 9\n");
    let in_order = backfilled(&stream.lines, false, &[caps]);
    assert!(in_order != backfilled(&stream.lines, false, &[]), "the caps are exceeded");
    for (seed, batch) in [(4, 5_000), (5, 97), (6, 20)] {
        let lines = shuffled(&stream.lines, seed);
        let pace = format!("{INTERVAL}[run]\nbatch = {batch}\n");
        let found = backfilled(&lines, false, &[caps, (INTERVAL, &pace)]);
        assert!(found == in_order, "order {seed}");
    }
}
