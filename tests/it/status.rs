//! How far a pipeline is, as a person asks.

use std::fs;

use onefold::state::{Options, Store};

use crate::support::events::stream;
use crate::support::program::onefold;
use crate::support::{folder, pipeline, text};

#[test]
fn status_tells_where_positions_state_and_tables_stand() {
    let folder = folder();
    let stream = stream(120);
    stream.write_to(&folder.path().join("events")).expect("write events");
    let place = folder.path().join("snapshots");
    let snapshots = format!(
        "interval = \"30s\"\n[state.snapshot]\nurl = \"{}\"\n[http]\naddress = \"127.0.0.1:9187\"\n",
        place.display()
    );
    let changes = [(pipeline::INTERVAL, snapshots.as_str())];
    let pipeline = pipeline::changed("events.toml", folder.path(), &changes);
    let state = folder.path().join("state");
    let program = |arguments: &[&str]| {
        onefold(arguments)
            .env("EVENTS_DIR", text(&folder.path().join("events")))
            .env("OUT", text(&folder.path().join("out")))
            .env("STATE", text(&state))
    };
    let pipeline = text(&pipeline);
    let ask = || program(&["status", pipeline, "--json"]).report();

    let before = ask();
    assert_eq!((&before["state"]["is"], before["latest"].is_null()), (&"absent".into(), true));
    let report = program(&["backfill", pipeline, "--json"]).report();
    program(&["state", pipeline, "snapshot"]).succeed();
    let after = ask();
    let told = &after["state"];
    for count in ["read", "resolved", "duplicate", "dead_lettered"] {
        assert_eq!(told[count], report[count], "{count}");
    }
    assert_eq!((&told["is"], &told["ended_well"]), (&"at rest".into(), &true.into()));
    assert_eq!(told["published"], told["commit"]);
    assert_eq!(after["latest"]["commit"], told["commit"]);
    assert_eq!(after["snapshot"], told["commit"]);
    let positions = told["positions"]["web"].as_object().expect("the positions of a source");
    let lines = fs::read_to_string(folder.path().join("events/web.jsonl")).expect("read events");
    assert_eq!(positions.values().next(), Some(&lines.lines().count().into()));
    assert_eq!(after["tables"]["profiles"]["rows"], report["identities"]);
    assert_eq!(after["tables"]["profiles"]["commit"], told["commit"]);
    let shown = program(&["status", pipeline]).succeed().output;
    assert!(shown.contains("no job has it open") && shown.contains("position   web"), "{shown}");

    let _job = Store::open(&state, &Options::default()).expect("the state opens");
    assert_eq!(ask()["state"]["is"], "running");
    let shown = program(&["status", pipeline]).succeed().output;
    assert!(shown.contains("a job has it open; ask it at 127.0.0.1:9187/status"), "{shown}");
}
