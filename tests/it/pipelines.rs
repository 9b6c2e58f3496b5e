//! The shipped pipeline files: each is checked and run, and matches people as well as promised.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use onefold::demo;
use onefold::demo::broker;
use onefold::score::Model;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::support::events::{Expected, stream};
use crate::support::program::{Program, onefold};
use crate::support::tables::Tables;
use crate::support::{folder, repository, text};

/// A command on a shipped pipeline whose tables and state are in `folder`.
fn shipped(folder: &Path, command: &[&str], pipeline: &str) -> Program {
    let pipeline = format!("pipelines/{pipeline}");
    onefold(&[command, &[pipeline.as_str()]].concat())
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
        .env("EVENTS_DIR", "tests/data/events")
        .env("RECORDS", "tests/data/people/fake_1000/records.csv")
        .env("KAFKA_BROKERS", "127.0.0.1:1")
}

#[test]
fn each_shipped_pipeline_is_tested_here() {
    let entries = fs::read_dir(repository("pipelines")).expect("the shipped pipelines");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("a folder's entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names, ["events-kafka.toml", "events.toml", "organisations.toml", "people.toml"]);
}

#[test]
fn files_of_events_plain_or_compressed_are_read() {
    let folder = folder();
    let check = shipped(folder.path(), &["check"], "events.toml").succeed();
    assert!(check.output.contains("ok: retail reads email, phone, store, web"), "{check:?}");
    let report = shipped(folder.path(), &["backfill", "--json"], "events.toml").report();
    assert_eq!(report["read"], 237);
    assert_eq!(report["resolved"], 236);
    assert_eq!(report["duplicate"], 1);
    let plain = Tables::local(&folder.path().join("out")).partition();

    let compressed = folder.path().join("compressed");
    fs::create_dir(&compressed).expect("a folder");
    for channel in demo::Channel::ALL {
        let name = format!("{}.jsonl", channel.name());
        let lines = fs::read(repository("tests/data/events").join(&name)).expect("the events");
        let file = File::create(compressed.join(format!("{name}.gz"))).expect("a file");
        let mut file = GzEncoder::new(file, Compression::fast());
        file.write_all(&lines).and_then(|()| file.finish()).expect("compress");
    }
    let report = shipped(&compressed, &["run", "--json"], "events.toml")
        .env("EVENTS_DIR", text(&compressed))
        .report();
    assert_eq!(report["read"], 237);
    assert_eq!(Tables::local(&compressed.join("out")).partition(), plain);
}

#[test]
fn topics_of_events_are_read() {
    let folder = folder();
    let stream = stream(120);
    let topics = demo::Channel::ALL.map(demo::Channel::name);
    let broker = broker::Broker::start(&topics, 2).expect("a broker in this process");
    broker::feed(&broker, &stream, &mut |_| {}).expect("feed the broker");
    let pipeline = |command: &[&str]| {
        shipped(folder.path(), command, "events-kafka.toml")
            .env("KAFKA_BROKERS", broker.bootstrap_servers())
    };
    pipeline(&["check"]).succeed();
    let report = pipeline(&["run", "--until-idle", "5s", "--json"]).report();
    assert_eq!(report["read"], stream.lines.len());
    Tables::local(&folder.path().join("out")).assert_hold(&Expected::of(&stream));
}

/// Scores the rows of a data set, matched under the model that they teach.
fn scores_of_people(folder: &Path, records: &Path, truth: &Path) -> Value {
    let pipeline =
        |command: &[&str]| shipped(folder, command, "people.toml").env("RECORDS", text(records));
    pipeline(&["check"]).succeed();
    let report = pipeline(&["backfill", "--json"]).report();
    assert_eq!(report["read"], report["resolved"]);
    pipeline(&["evaluate", "--json", "--truth", text(truth)]).report()
}

/// Checks that the F1 of `scores` is `floor` at least.
#[track_caller]
fn assert_f1(scores: &Value, view: &str, floor: f64) {
    let f1 = scores[view]["f1"].as_f64().expect("a score");
    assert!(f1 >= floor, "{view} F1 {f1} is below {floor}: {scores}");
}

fn people(name: &str) -> [PathBuf; 2] {
    let folder = repository("tests/data/people").join(name);
    ["records.csv", "truth.csv"].map(|file| folder.join(file))
}

#[test]
fn people_of_fake_1000_are_matched() {
    let [records, truth] = people("fake_1000");
    assert_f1(&scores_of_people(folder().path(), &records, &truth), "pairwise", 0.98);
}

#[test]
fn people_of_febrl3_are_matched() {
    let [records, truth] = people("febrl3");
    assert_f1(&scores_of_people(folder().path(), &records, &truth), "pairwise", 0.999);
}

/// An abbreviated street, a phone number in another form.
#[test]
fn organisations_are_matched() {
    let folder = folder();
    let records = folder.path().join("records.csv");
    let rows = [
        "record_id,name,address,zip,phone",
        "1,Harbour Lane Nursery,12 Harbour Lane,60614,(312) 555-0142",
        "2,HARBOUR LANE NURSERY,12 HARBOUR LN,60614,312-555-0142",
        "3,Mill Pond Kindergarten,480 W Mill Street,60622,312 555 0177",
        "4,Mill Pond Kindergarten,480 West Mill St,,+1 312 555 0177",
        "5,Orchard School,77 Orchard Road,60640,312 555 0190",
    ];
    fs::write(&records, rows.join("\n")).expect("write records");
    let truth = folder.path().join("truth.csv");
    fs::write(&truth, "record_id,cluster_id\n1,a\n2,a\n3,b\n4,b\n5,c\n").expect("write a truth");
    let run = |command: &[&str]| {
        shipped(folder.path(), command, "organisations.toml").env("RECORDS", text(&records))
    };
    run(&["check"]).succeed();
    run(&["backfill"]).succeed();
    let scores = run(&["evaluate", "--json", "--truth", text(&truth)]).report();
    assert_f1(&scores, "exact", 1.0);
}

#[test]
fn people_of_a_parquet_file_are_those_of_the_csv_file() {
    let folder = folder();
    let [records, truth] = people("fake_1000");
    let parquet = folder.path().join("records.parquet");
    write_parquet(&records, &parquet);
    let scores =
        |name: &str, records: &Path| scores_of_people(&folder.path().join(name), records, &truth);
    assert_eq!(scores("csv", &records), scores("parquet", &parquet));
}

/// Writes the texts of a CSV file as a Parquet file, empty ones as nulls.
fn write_parquet(csv: &Path, parquet: &Path) {
    let mut rows = csv::Reader::from_path(csv).expect("a CSV file");
    let names: Vec<String> =
        rows.headers().expect("a header").iter().map(ToOwned::to_owned).collect();
    let rows: Vec<csv::StringRecord> = rows.records().collect::<Result<_, _>>().expect("rows");
    let columns = names.iter().enumerate().map(|(at, name)| {
        let cells = rows.iter().map(|row| Some(&row[at]).filter(|cell| !cell.is_empty()));
        (name.as_str(), Arc::new(StringArray::from_iter(cells)) as ArrayRef, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let file = File::create(parquet).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a Parquet file");
    writer.write(&batch).and_then(|()| writer.close()).expect("write a Parquet file");
}

#[test]
fn a_model_file_may_be_given() {
    let folder = folder();
    let model = folder.path().join("model.json");
    let mut other = Model::default_with(1_000.0);
    other.parameters.threshold_bits += 2.0;
    fs::write(&model, other.to_json()).expect("write a model");
    let run = |command: &[&str]| shipped(folder.path(), command, "people.toml");
    run(&["backfill"]).env("MODEL", text(&model)).succeed();
    // The state keeps to the model that it was made with.
    let other = run(&["backfill"]).run();
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(other.log.contains("[match]: the state was made with another model"), "{other:?}");
}

/// The folder of the data sets that are too large for the repository, where there is one.
fn large_data() -> Option<PathBuf> {
    let folder = std::env::var_os("ONEFOLD_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: ONEFOLD_DATA does not name the folder of the large data sets");
    }
    folder
}

#[test]
fn people_of_large_historical_50k_a_are_matched() {
    let Some(data) = large_data() else { return };
    let [records, truth] =
        ["records.parquet", "truth.csv"].map(|file| data.join("historical_50k_a").join(file));
    assert_f1(&scores_of_people(folder().path(), &records, &truth), "pairwise", 0.97);
}

#[test]
fn customers_of_a_large_stream_are_matched() {
    let Some(data) = large_data() else { return };
    let folder = folder();
    let events = folder.path().join("events");
    let generated = std::process::Command::new("python3")
        .arg(data.join("generate_events.py"))
        .args(["--customers", "10000", "--seed", "1", "--out", text(&events)])
        .output()
        .expect("run the generator");
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
    let pipeline = |command: &[&str]| {
        shipped(folder.path(), command, "events.toml").env("EVENTS_DIR", text(&events))
    };
    let report = pipeline(&["backfill", "--json"]).report();
    let refused = fs::read_to_string(events.join("malformed.csv")).expect("the broken lines");
    assert_eq!(report["dead_lettered"], refused.lines().count() - 1);
    let truth = events.join("truth.csv");
    let scores = pipeline(&["evaluate", "--json", "--truth", text(&truth)]).report();
    assert_f1(&scores, "pairwise", 0.95);
    assert_f1(&scores, "bcubed", 0.88);
}
