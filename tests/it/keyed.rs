//! Rows with keys: the newest version of each is what counts, whenever it came.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use onefold::sink::TableSpec;
use onefold::sink::tables::{IDENTITY_MAP, INTERACTIONS, PROFILES};
use serde_json::{Value, json};

use crate::support::program::onefold;
use crate::support::tables::{Tables, word};
use crate::support::{folder, repository, text};

/// Versions of three rows. In the end Ada and her namesake of another household are two customers, and the row that
/// once held Ada's data speaks of Boris.
fn versions() -> Vec<Value> {
    let ada = json!({
        "name": "Ada Winterbottom", "birth_date": "1980-05-17", "email": "ada.w@example.com",
        "phone": "020 7946 0018", "street": "12 Heron Lane", "city": "Leeds", "postcode": "LS1 4AP",
    });
    let boris = json!({
        "name": "Boris Quillfeather", "birth_date": "1971-11-02", "email": "boris@example.org",
        "phone": "0161 496 0999", "street": "3 Mill Row", "city": "Bolton", "postcode": "BL1 1AA",
    });
    let version = |id: &str, updated_at: &str, spent: f64, person: &Value| {
        let mut row = person.clone();
        row["id"] = id.into();
        row["updated_at"] = updated_at.into();
        row["spent"] = spent.into();
        row
    };
    let mut moved = ada.clone();
    moved["street"] = "99 Beacon Road".into();
    moved["postcode"] = "LS7 3QQ".into();
    vec![
        version("1", "2024-01-01T00:00:00Z", 1.5, &ada),
        version("2", "2024-01-02T00:00:00Z", 20.0, &ada),
        version("3", "2024-01-03T00:00:00Z", 300.0, &boris),
        version("1", "2024-02-01T00:00:00Z", 4000.0, &boris),
        version("2", "2024-03-01T00:00:00Z", 50_000.0, &moved),
        // At the same time with other content: the content decides.
        version("2", "2024-03-01T00:00:00Z", 60_000.0, &ada),
    ]
}

/// Reads rows into a place, after those that it holds.
fn read(place: &Path, name: &str, rows: &[Value], batch: usize) -> Tables {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::create_dir_all(place.join("rows")).expect("a folder");
    fs::write(place.join("rows").join(name), lines).expect("write rows");
    let out = place.join("out");
    let mut pipeline =
        fs::read_to_string(repository("tests/cases/customers.toml")).expect("it is there");
    pipeline += &format!("\n[run]\nbatch = {batch}\n");
    fs::write(place.join("pipeline.toml"), pipeline).expect("write the pipeline");
    onefold(&["backfill", "pipeline.toml"])
        .within(place)
        .env("ROWS", "rows/*.jsonl")
        .env("OUT", text(&out))
        .env("STATE", "state")
        .succeed();
    Tables::local(&out)
}

fn columns(spec: &'static TableSpec) -> Vec<&'static str> {
    spec.columns.iter().map(|column| column.name).collect()
}

/// The profiles, but for the names of the identities and the commits that made them, by the rows they are made of.
fn profiles(tables: &Tables) -> BTreeMap<BTreeSet<String>, Value> {
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in tables.rows(&IDENTITY_MAP, &["record_id", "identity_id"]) {
        members.entry(word(&row, "identity_id")).or_default().insert(word(&row, "record_id"));
    }
    assert_eq!(tables.identity_map().len(), 3, "one record a row");
    let rows = tables.rows(&PROFILES, &columns(&PROFILES));
    rows.into_iter()
        .map(|mut row| {
            let identity = word(&row, "identity_id");
            row["identity_id"].take();
            row["version"].take();
            (members[&identity].clone(), row)
        })
        .collect()
}

#[test]
fn the_newest_versions_decide_in_any_order_and_batch() {
    let versions = versions();
    let mut expected = None;
    for (order, batch) in [
        ([0, 1, 2, 3, 4, 5], 100),
        ([0, 1, 2, 3, 4, 5], 1),
        ([5, 4, 3, 2, 1, 0], 100),
        ([5, 4, 3, 2, 1, 0], 1),
        ([3, 0, 4, 1, 5, 2], 1),
        ([3, 0, 4, 1, 5, 2], 2),
        ([2, 5, 1, 4, 0, 3], 3),
    ] {
        let folder = folder();
        let rows: Vec<Value> = order.iter().map(|at| versions[*at].clone()).collect();
        let tables = read(folder.path(), "all.jsonl", &rows, batch);
        let found = profiles(&tables);
        assert_eq!(tables.rows(&INTERACTIONS, &["event_id"]).len(), versions.len());
        let expected = expected.get_or_insert_with(|| found.clone());
        assert_eq!(&found, expected, "order {order:?}, batches of {batch}");
    }
    let expected = expected.expect("there was an order");
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let boris = &expected[&set(&["1", "3"])];
    assert_eq!(boris["surname"], "Quillfeather");
    assert_eq!(boris["emails"].as_array().map(Vec::len), Some(1), "Ada's is gone: {boris}");
    assert_eq!(boris["events"], 2);
    assert_eq!(boris["purchases"][0]["purchase_minor"], 430_000);
    let ada = &expected[&set(&["2"])];
    assert_eq!((&ada["surname"], &ada["events"]), (&"Winterbottom".into(), &1.into()));
}

#[test]
fn an_older_version_that_comes_later_changes_nothing() {
    let (folder, versions) = (folder(), versions());
    let [older, newer] = [&versions[..2], &versions[2..]];
    let tables = read(folder.path(), "1.jsonl", newer, 100);
    let all = |tables: &Tables| {
        let mut rows = tables.rows(&PROFILES, &columns(&PROFILES));
        rows.extend(tables.rows(&IDENTITY_MAP, &columns(&IDENTITY_MAP)));
        rows
    };
    let before = all(&tables);
    let tables = read(folder.path(), "2.jsonl", older, 100);
    assert_eq!(all(&tables), before);
    assert_eq!(tables.rows(&INTERACTIONS, &["event_id"]).len(), versions.len());
}

#[test]
fn a_newer_version_that_comes_later_replaces_the_older() {
    let (folder, versions) = (folder(), versions());
    let tables = read(folder.path(), "1.jsonl", &versions[..3], 100);
    let together: Vec<_> = profiles(&tables).into_keys().collect();
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(together, [set(&["1", "2"]), set(&["3"])]);
    let tables = read(folder.path(), "2.jsonl", &versions[3..], 100);
    let together: Vec<_> = profiles(&tables).into_keys().collect();
    assert_eq!(together, [set(&["1", "3"]), set(&["2"])]);
}
