//! After an erasure everything is as if the person had never come, and nothing of them is anywhere.

mod asked;
mod expired;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::demo;
use crate::error::Kind;
use crate::pipeline::Given;
use crate::pipeline::testing::published;
use crate::pipeline::tests::{BULK, Outcome, outcome, plan, run};
use crate::record::{Pair, Verdict};
use crate::sink::{self, json_rows};
use crate::state::{Options, Store, write_snapshot};

/// Later than every event.
const LATER: Micros = 4_000_000_000_000_000;

fn request(by: LookupKey) -> ErasureRequest {
    let settings = normalise::Settings { default_region: Some("GB".into()), ..Default::default() };
    ErasureRequest { by, settings, all: false, at: LATER }
}

/// Made-up customers and their events.
fn events() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = demo::Settings { customers: 40, seed: 5, ..demo::Settings::default() };
    demo::generate(&settings).write_to(folder.path()).unwrap();
    folder
}

fn rows(plan: &Plan, table: &str) -> Vec<Value> {
    let (store, root) = sink::open_store(&plan.publish.url, &plan.publish.options.0).unwrap();
    published(&store, &root).remove(table).unwrap()
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}

/// A customer with several records, an e-mail address and a phone number: identity, address, records.
fn somebody(plan: &Plan) -> (String, String, BTreeSet<String>) {
    let profiles = rows(plan, "profiles");
    let is_rich = |row: &&Value| {
        let has = |column: &str| row[column].as_array().is_some_and(|it| !it.is_empty());
        has("emails") && has("phones") && row["records"].as_u64() > Some(3)
    };
    let profile = profiles.iter().find(is_rich).expect("somebody has it all");
    let identity = text(profile, "identity_id").to_owned();
    let address = text(&profile["emails"][0], "value").to_owned();
    let map = rows(plan, "identity_map");
    let own = map.iter().filter(|row| text(row, "identity_id") == identity);
    let records = own.map(|row| text(row, "record_key").to_owned()).collect();
    (identity, address, records)
}

/// The events of a folder without those that some records brought, and without some letters.
fn without(events: &Path, gone: &BTreeSet<String>, letters: &BTreeSet<String>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(events).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "jsonl") {
            continue;
        }
        let lines = fs::read_to_string(&path).unwrap();
        let kept = lines.lines().filter(|line| {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            let name = format!("{}/{}", text(&event, "channel"), text(&event, "event_id"));
            !gone.contains(&name) && !letters.contains(*line)
        });
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        fs::write(folder.path().join(path.file_name().unwrap()), kept).unwrap();
    }
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// What a dead letter holds, which rows as JSON write in hexadecimal digits; nothing of other rows.
fn payload(row: &Value) -> String {
    let digits = text(row, "payload").as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    String::from_utf8_lossy(&digits.chunks(2).map(byte).collect::<Vec<_>>()).into_owned()
}

/// All that can be read below the output and in the state, files that nothing refers to among it.
fn everything(plan: &Plan, folder: &Path) -> String {
    let mut all = String::new();
    for path in files(folder) {
        all += &String::from_utf8_lossy(&fs::read(&path).unwrap());
        if path.extension().is_some_and(|it| it == "parquet") {
            let file = fs::File::open(&path).unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
                for row in json_rows(&batch.unwrap()).unwrap() {
                    all += &row.to_string();
                    all += &payload(&row);
                }
            }
        }
    }
    let store = Store::open(&plan.state.path, &Options::default()).unwrap();
    let mut rows = Vec::new();
    write_snapshot(&store.view(), &mut rows).unwrap();
    let plain = rows.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    all += &String::from_utf8_lossy(&zstd::decode_all(&rows[plain..]).unwrap());
    all.to_lowercase()
}

fn comparable(plan: &Plan) -> Outcome {
    let mut outcome = outcome(plan);
    outcome.forget_places();
    outcome.forget_offsets();
    outcome
}

#[test]
fn everything_is_as_if_the_person_had_never_come() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let plan_all = plan(events.path(), folder.path(), 50);
    // Many versions of the tables, so that much of the person lies in earlier ones.
    let streamed = crate::pipeline::Options { interim: true, ..BULK };
    let mut often = plan_all.clone();
    often.publish.interval = std::time::Duration::from_millis(1);
    run(&often, streamed, u64::MAX);

    let (identity, address, records) = somebody(&plan_all);
    let interactions = rows(&plan_all, "interactions");
    let own = interactions.iter().filter(|row| records.contains(text(row, "record_key")));
    let name = |row: &Value| format!("{}/{}", text(row, "channel"), text(row, "event_id"));
    let gone: BTreeSet<String> = own.map(name).collect();
    assert!(gone.len() > 3);
    let before = everything(&plan_all, folder.path());
    assert!(before.contains(&address));

    let receipt = erase(plan_all.clone(), &request(LookupKey::Email(address.to_uppercase())));
    let receipt = receipt.unwrap().expect("somebody carries it");
    assert_eq!(receipt.identities, [identity.as_str()]);
    assert_eq!(receipt.records, records.len() as u64);
    assert_eq!(receipt.events, gone.len() as u64);

    let after = everything(&plan_all, folder.path());
    assert!(!after.contains(&address), "the address is still somewhere");
    for event in &gone {
        let id = event.split_once('/').unwrap().1.to_lowercase();
        assert!(!after.contains(&id), "an event is still somewhere");
    }
    for record in &records {
        assert!(!after.contains(record.as_str()), "a record is still somewhere");
    }

    let letters: BTreeSet<String> = BTreeSet::new();
    let rest = without(events.path(), &gone, &letters);
    let other = tempfile::tempdir().unwrap();
    let plan_rest = plan(rest.path(), other.path(), 50);
    run(&plan_rest, BULK, u64::MAX);
    assert_eq!(receipt.dead_letters, 0, "this person is in no letter");
    assert_eq!(comparable(&plan_all), comparable(&plan_rest));
    let changes = rows(&plan_all, "identity_changes");
    let ends = changes.iter().filter(|row| text(row, "change") == "erased");
    assert_eq!(ends.map(|row| text(row, "identity_id")).collect::<Vec<_>>(), [identity.as_str()]);

    // All of it comes again, from another file.
    for path in files(events.path()) {
        let again = format!("again-{}", path.file_name().unwrap().to_string_lossy());
        fs::copy(&path, path.with_file_name(again.replace("again-web", "web-again"))).unwrap();
    }
    run(&plan_all, BULK, u64::MAX);
    assert!(!everything(&plan_all, folder.path()).contains(&address), "a replay brought it back");
    assert!(erase(plan_all, &request(LookupKey::Email(address))).unwrap().is_none());
}

#[test]
fn a_receipt_is_known_and_a_changed_one_is_not() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(events.path(), folder.path(), 500);
    run(&plan, BULK, u64::MAX);
    let (identity, ..) = somebody(&plan);
    let receipt = erase(plan.clone(), &request(LookupKey::Id(identity))).unwrap().unwrap();
    let kept = folder.path().join(format!("out/_onefold/receipts/{}.json", receipt.receipt));
    let bytes = fs::read(kept).unwrap();
    assert_eq!(receipt_of(&plan, &bytes).unwrap(), receipt);
    let text = String::from_utf8(bytes).unwrap();
    let changed = text.replace(&format!("\"records\": {}", receipt.records), "\"records\": 0");
    assert_ne!(changed, text);
    assert_eq!(receipt_of(&plan, changed.as_bytes()).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(receipt_of(&plan, b"{}").unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn an_erasure_that_was_cut_short_is_ended_by_the_next_start() {
    let events = events();
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(events.path(), folder.path(), 500);
    run(&plan, BULK, u64::MAX);
    let (_, address, _) = somebody(&plan);
    let mut job = Job::open(plan.clone()).unwrap();
    job.begin_erasure(&request(LookupKey::Email(address.clone()))).unwrap().unwrap();
    drop(job);
    assert!(everything(&plan, folder.path()).contains(&address), "tables still have it");
    drop(Job::open(plan.clone()).unwrap());
    assert!(!everything(&plan, folder.path()).contains(&address));
    let receipts = files(&folder.path().join("out/_onefold/receipts"));
    assert_eq!(receipts.len(), 1);
}

/// Found when a customer left and came back by the same browser before files were written anew.
#[test]
fn who_comes_back_before_an_erasure_is_ended_stays() {
    let line = |id: &str, time: &str| {
        login(1, time, "anna@example.org", "Anna")
            .replace("\"event_id\":\"e1\"", &format!("\"event_id\":\"{id}\""))
    };
    let (folder, plan) =
        web(&[line("gone-1", "2026-01-02T00:00:00Z"), line("gone-2", "2026-01-03T00:00:00Z")]);
    run(&plan, BULK, u64::MAX);
    let at = crate::pipeline::time("2026-02-01T00:00:00Z").unwrap();
    let by = LookupKey::Email("anna@example.org".into());
    let mut job = Job::open(plan.clone()).unwrap();
    job.begin_erasure(&ErasureRequest { at, ..request(by) }).unwrap().unwrap();
    let back = line("back", "2026-03-01T00:00:00Z");
    fs::write(folder.path().join("web.jsonl.1.jsonl"), back).unwrap();
    job.run(BULK, &crate::pipeline::Stop::default(), &mut |_| ()).unwrap();
    drop(job);
    let counts = ["profiles", "identity_map", "interactions"].map(|table| rows(&plan, table).len());
    assert_eq!(counts, [1, 1, 1]);
    let changes = rows(&plan, "identity_changes");
    let of_records = changes.iter().filter(|row| !row["record_key"].is_null());
    assert_eq!(of_records.map(|row| text(row, "change")).collect::<Vec<_>>(), ["assigned"]);
    let all = everything(&plan, &folder.path().join("out"));
    assert!(!all.contains("gone-") && all.contains("anna@"));
}

#[test]
fn every_table_knows_what_an_erasure_takes() {
    let traces = Traces::of(&[], |_| false);
    for spec in sink::tables::ALL {
        traces.in_table(spec).unwrap();
    }
}

/// A pipeline over some lines of the web shop.
fn web(lines: &[String]) -> (TempDir, Plan) {
    let folder = tempfile::tempdir().unwrap();
    for channel in ["web", "email", "phone", "store"] {
        let lines = if channel == "web" { lines.join("\n") } else { String::new() };
        fs::write(folder.path().join(format!("{channel}.jsonl")), lines).unwrap();
    }
    let plan = plan(folder.path(), folder.path(), 10);
    (folder, plan)
}

fn login(n: u32, time: &str, email: &str, name: &str) -> String {
    let form = format!(r#"{{"name":"{name} Person","dob":"19{n}0-02-03"}}"#);
    format!(
        r#"{{"event_id":"e{n}","channel":"web","ts":"{time}","type":"login","cookie_id":"c-{n}","login_email":"{email}","form":{form}}}"#
    )
}

#[test]
fn one_of_several_must_be_named() {
    let at = "2026-01-02T00:00:00Z";
    let names = ["Alma", "Bodil", "Cecilia"];
    let line = |n: u32| login(n + 4, at, "all@example.org", names[n as usize]);
    let (_folder, plan) = web(&(0..3).map(line).collect::<Vec<_>>());
    run(&plan, BULK, u64::MAX);
    let keys: Vec<String> =
        rows(&plan, "identity_map").iter().map(|row| text(row, "record_key").to_owned()).collect();
    let pairs = [[0, 1], [0, 2], [1, 2]].map(|[a, b]: [usize; 2]| {
        let pair = Pair::of(keys[a].parse().unwrap(), keys[b].parse().unwrap()).unwrap();
        let (reason, author) = ("three people".into(), "test".into());
        Given { pair, verdict: Verdict::Apart, reason, author, at: None }
    });
    crate::pipeline::judge(plan.clone(), pairs.to_vec()).unwrap();
    let several = rows(&plan, "profiles").len();
    assert_eq!(several, 3, "one address of several people");
    let by = LookupKey::Email("all@example.org".into());
    let error = erase(plan.clone(), &request(by.clone())).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(!error.to_string().contains("all@example.org"));
    let all = ErasureRequest { all: true, ..request(by) };
    let preview = preview_erasure(plan.clone(), &all).unwrap();
    assert_eq!((preview.identities, preview.records), (several as u64, 3));
    assert_eq!(rows(&plan, "profiles").len(), several, "a preview takes nobody");
    let erased = erase(plan.clone(), &all).unwrap();
    assert_eq!(erased.unwrap().identities.len(), several);
    assert_eq!(rows(&plan, "profiles").len(), 0);
}

#[test]
fn dead_letters_that_name_the_person_go_and_others_stay() {
    let good = login(1, "2026-01-02T00:00:00Z", "anna@example.org", "Anna");
    let lines = [
        good,
        login(2, "yesterday", "ANNA@example.org", "Anna"),
        login(3, "yesterday", "bert@example.org", "Bert"),
    ];
    let (folder, plan) = web(&lines);
    run(&plan, BULK, u64::MAX);
    assert_eq!(rows(&plan, "dead_letters").len(), 2);
    let receipt = erase(plan.clone(), &request(LookupKey::Email("anna@example.org".into())));
    assert_eq!(receipt.unwrap().unwrap().dead_letters, 1);
    assert_eq!(rows(&plan, "dead_letters").len(), 1);
    let left = &rows(&plan, "dead_letters")[0];
    assert_eq!(payload(left), lines[2]);
    let all = everything(&plan, &folder.path().join("out"));
    assert!(!all.contains("anna@") && all.contains("bert@"));
}

#[test]
fn what_was_said_before_stays_erased_and_what_is_said_later_counts() {
    let line = |n: u32, time: &str| {
        login(n, time, "anna@example.org", "Anna").replace("\"e1\"", &format!("\"e{n}\""))
    };
    // The same content each time, so one record.
    let same = |id: &str, time: &str| {
        line(1, time).replace("\"event_id\":\"e1\"", &format!("\"event_id\":\"{id}\""))
    };
    let (folder, plan) = web(&[same("first", "2026-01-02T00:00:00Z")]);
    run(&plan, BULK, u64::MAX);
    let at = crate::pipeline::time("2026-02-01T00:00:00Z").unwrap();
    let by = LookupKey::Email("anna@example.org".into());
    erase(plan.clone(), &ErasureRequest { at, ..request(by) }).unwrap().unwrap();

    let come = |name: &str, line: String| {
        fs::write(folder.path().join(name), line).unwrap();
        let report = run(&plan, BULK, u64::MAX);
        assert!(report.counters.reconciles());
        rows(&plan, "profiles").len()
    };
    assert_eq!(come("web.jsonl.1.jsonl", same("late", "2026-01-31T00:00:00Z")), 0);
    assert_eq!(come("web.jsonl.2.jsonl", same("new", "2026-02-02T00:00:00Z")), 1);
    assert_eq!(rows(&plan, "interactions").len(), 1);
}
