//! Whether a warehouse can follow the changes of identities, by the queries of the documentation.

use std::fs;

use onefold::sink::tables::IDENTITY_CHANGES;

use crate::support::pipeline::changed;
use crate::support::program::onefold;
use crate::support::python::Python;
use crate::support::tables::{Tables, word};
use crate::support::{folder, repository, text};

#[test]
fn a_warehouse_keeps_its_keys_right() {
    let Some(python) = Python::find() else { return };
    let folder = folder();
    let place = |name: &str| folder.path().join(name);
    let pipeline = changed("events.toml", folder.path(), &[]);
    let events = place("events");
    onefold(&["demo", "--customers", "40", "--out", text(&place("demo"))]).succeed();
    fs::create_dir(&events).expect("make a folder");
    let out = place("out");
    let run = |command: &str, arguments: &[&str]| {
        let mut whole = vec![command, text(&pipeline)];
        whole.extend(arguments);
        onefold(&whole)
            .within(folder.path())
            .env("EVENTS_DIR", text(&events))
            .env("OUT", text(&out))
            .env("STATE", text(&place("state")))
            .env("USER", "ada")
            .succeed()
    };
    let (page, warehouse) = (repository("docs/tables.md"), place("warehouse.db"));
    let follow = |reads: &[&str]| {
        let mut arguments = vec![text(&page), text(&out), text(&warehouse)];
        arguments.extend(reads);
        let keys = python.run("tests/readers/follow.py", &arguments);
        keys.trim().parse::<usize>().expect("a number")
    };
    let take = |channels: &[&str]| {
        for channel in channels {
            let name = format!("{channel}.jsonl");
            let from = place("demo").join("events").join(&name);
            fs::copy(from, events.join(name)).expect("copy events");
        }
        run("backfill", &[]);
    };

    for channel in ["web", "email", "phone", "store"] {
        fs::write(events.join(format!("{channel}.jsonl")), "").expect("write a file");
    }
    take(&["web"]);
    let first = follow(&["read"]);
    take(&["email", "phone"]);
    assert!(follow(&[]) > first, "read later");
    take(&["store"]);
    let all = follow(&["read"]);

    let tables = Tables::local(&out);
    let map = tables.identity_map();
    let mut records = map.iter();
    let (left, of) = records.next().expect("a record");
    let (right, _) = records.find(|(_, id)| *id != of).expect("another customer");
    run("judge", &["together", left, right, "--reason", "the same"]);
    follow(&[]);
    run("judge", &["withdraw", left, right]);
    assert_eq!(follow(&["read"]), all);
    run("judge", &["together", left, right, "--reason", "the same"]);
    follow(&[]);

    // What the warehouse has not read yet is gone when it reads again.
    let identity = &tables.identity_map()[left];
    run("erase", &["--id", identity]);
    let rest = follow(&["read"]);
    assert!(rest < all);
    let columns = ["change", "identity_id", "record_key"];
    let changes = tables.rows(&IDENTITY_CHANGES, &columns);
    assert!(
        changes
            .iter()
            .any(|row| row["change"] == "erased" && word(row, "identity_id") == *identity)
    );
    assert!(!changes.iter().any(|row| row["record_key"] == **left), "no row names the record");
    take(&[]);
    assert_eq!(follow(&["read"]), rest);
}
