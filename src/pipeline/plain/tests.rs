//! What tools find that know nothing of Delta.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::super::tests::{BULK, plan, run};
use super::*;
use crate::config::Plan;
use crate::demo::{self, generate};
use crate::pipeline::testing::published;

fn events(folder: &Path, part: usize) {
    let mut stream =
        generate(&demo::Settings { customers: 60, seed: 5, ..demo::Settings::default() });
    stream.lines.truncate(stream.lines.len() * part / 4);
    stream.write_to(&folder.join("events")).unwrap();
}

fn out(plan: &Plan) -> PathBuf {
    PathBuf::from(&plan.publish.url)
}

/// How many rows a file has, and the texts of a column, ascending.
fn read(file: &Path, column: &str) -> (usize, Vec<String>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let (mut rows, mut texts) = (0, Vec::new());
    for batch in reader.build().unwrap().map(Result::unwrap) {
        rows += batch.num_rows();
        let column = batch.column_by_name(column).unwrap();
        texts.extend(column.as_string::<i32>().iter().flatten().map(String::from));
    }
    texts.sort();
    (rows, texts)
}

fn assert_same(plan: &Plan, folder: &Path) {
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    for (table, rows) in published(&store, &root) {
        let column = match table {
            "interactions" | "consent_history" => "event_id",
            "identity_map" | "suppression" => "record_key",
            "dead_letters" | "dead_letter_replays" => "source",
            _ => "identity_id",
        };
        let mut expected: Vec<String> =
            rows.iter().map(|row| row[column].as_str().unwrap().to_owned()).collect();
        expected.sort();
        let found = read(&folder.join(format!("{table}.parquet")), column);
        assert_eq!(found, (expected.len(), expected), "{table}");
    }
}

fn pointer(plan: &Plan) -> Value {
    serde_json::from_slice(&fs::read(out(plan).join("plain/latest.json")).unwrap()).unwrap()
}

#[test]
fn plain_files_hold_the_present_rows_of_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&folder.path().join("events"), &folder.path().join("job"), 60);
    events(folder.path(), 1);
    run(&plan, BULK, u64::MAX);
    assert_eq!(write_plain(&plan.publish, PlainWhen::Erased).unwrap(), None);
    assert!(!out(&plan).join("current").exists(), "only where it is asked for");
    plan.publish.plain_interval = Some(Duration::from_hours(1));
    let mut folders = Vec::new();
    for part in 2..=4 {
        events(folder.path(), part);
        run(&plan, BULK, u64::MAX);
        assert_same(&plan, &out(&plan).join("current"));
        let pointer = pointer(&plan);
        folders.push(out(&plan).join(pointer["folder"].as_str().unwrap()));
        assert_same(&plan, folders.last().unwrap());
    }
    let there: Vec<bool> =
        folders.iter().map(|folder| folder.join("profiles.parquet").exists()).collect();
    assert_eq!(there, [false, true, true], "the latest, and the one before");
    // Once a commit, unless rows are to be gone from it.
    assert_eq!(write_plain(&plan.publish, PlainWhen::Newer).unwrap(), None);
    let (_, written) = write_plain(&plan.publish, PlainWhen::Erased).unwrap().unwrap();
    assert!(written.rows > 100 && written.bytes > 1_000);
    assert_eq!(pointer(&plan)["before"], Value::Null);
    assert!(!folders[1].join("profiles.parquet").exists());
    assert_same(&plan, &out(&plan).join("current"));
}
