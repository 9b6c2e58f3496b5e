//! Dead letters of a real broker: kept whole, shown on request only, mended by hand and replayed once.

use std::fs;

use onefold::sink::tables::{DEAD_LETTER_REPLAYS, DEAD_LETTERS};
use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::pipeline;
use crate::support::program::{Program, Ran, onefold};
use crate::support::python::Python;
use crate::support::tables::{Tables, word};
use crate::support::{folder, text};

const PACE: &str = "interval = \"50ms\"\n[run]\nbatch = 20\ncommit_interval = \"20ms\"\n";

fn event(id: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","type":"open","ts":1704067200,"address":"canary7@example.org"}}"#
    )
}

#[test]
fn letters_of_a_broker_are_mended_and_replayed_once() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    // Just what may be read, a byte more, and far more than a broker hands out at once by default.
    let pad = |id: &str, bytes: usize| {
        let event = event(id);
        event.replacen('{', &format!("{{{}", " ".repeat(bytes - event.len())), 1)
    };
    let limit = 1 << 20;
    let messages = [
        ("whole", Some(pad("e1", limit))),
        ("over", Some(pad("e2", limit + 1))),
        ("huge", Some(pad("e3", 3 * limit))),
        ("broken", Some(event("e4").replace("}", ""))),
        ("tombstone", None),
        ("empty", Some(String::new())),
        ("last", Some(event("e5"))),
    ];
    for (key, payload) in &messages {
        broker.produce_one("email", 0, key, payload.as_deref(), &[("trace", "t-7")]);
    }
    let folder = folder();
    let pipeline = pipeline::kafka(folder.path(), PACE);
    let tables = Tables::local(&folder.path().join("out"));
    let program = |arguments: &[&str]| -> Program {
        onefold(&[&[arguments[0], text(&pipeline)], &arguments[1..]].concat())
            .env("KAFKA_BROKERS", &broker.address())
            .env("OUT", &tables.url)
            .env("STATE", text(&folder.path().join("state")))
    };
    let counts = |report: &Value| {
        ["read", "resolved", "duplicate", "dead_lettered"].map(|name| report[name].as_u64())
    };
    let report = program(&["run", "--until-idle", "3s", "--json"]).report();
    assert_eq!(counts(&report), [7, 2, 0, 5].map(Some));
    for row in tables.rows(&DEAD_LETTERS, &["offset", "payload", "key", "headers"]) {
        let at = usize::try_from(row["offset"].as_u64().expect("an offset")).expect("it is small");
        let (key, payload) = &messages[at];
        let payload = payload.as_deref().unwrap_or_default();
        assert_eq!(word(&row, "payload").len(), 2 * payload.len(), "the bytes of {key} are whole");
        assert_eq!(word(&row, "key"), hex(key));
        assert_eq!(word(&row["headers"][0], "value"), hex("t-7"));
    }

    let silent = |ran: Ran| {
        let told = format!("{}{}", ran.output, ran.log);
        assert!(!told.contains("canary7"), "a person's value is told");
        ran
    };
    let listing = silent(program(&["dead-letter", "list", "--json"]).succeed());
    let listing: Value = serde_json::from_str(&listing.output).expect("it is JSON");
    let letters = listing["letters"].as_array().expect("a list");
    let reasons: Vec<_> = letters.iter().map(|letter| word(letter, "reason")).collect();
    assert_eq!(reasons, ["too_large", "too_large", "malformed", "missing_field", "malformed"]);
    silent(program(&["dead-letter", "list"]).succeed());
    let shown = program(&["dead-letter", "show", "email", "email/0", "3"]).succeed();
    assert!(shown.output.contains("canary7@example.org") && shown.output.contains("broken"));
    assert_eq!(program(&["dead-letter", "show", "email", "email/0", "0"]).run().code, Some(2));

    let file = folder.path().join("letters.jsonl");
    let export = ["dead-letter", "export", "--out", text(&file), "--reason", "malformed"];
    silent(program(&export).succeed());
    let exported = fs::read_to_string(&file).expect("it is there");
    let mut lines: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    lines[0]["payload"] = event("e4").into();
    lines[1]["payload"] = serde_json::from_str(&event("e1")).expect("it is JSON");
    let mended: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(&file, mended.join("\n")).expect("write the file");

    let replay = ["dead-letter", "replay", text(&file)];
    let told = silent(program(&[&replay[..], &["--dry-run"]].concat()).succeed());
    assert_eq!(told.output, "2 could be used\n");
    let told = silent(program(&replay).succeed());
    assert_eq!(told.output, "1 resolved, 1 duplicate; published\n");
    let told = silent(program(&replay).succeed());
    assert_eq!(told.output, "0 resolved, 0 duplicate; published\n2 closed before\n");
    assert_eq!(tables.rows(&DEAD_LETTER_REPLAYS, &["offset"]).len(), 2);

    let report = program(&["run", "--until-idle", "1s", "--json"]).report();
    assert_eq!(counts(&report), [7, 3, 1, 3].map(Some));
    assert_eq!(report["messages"], 0, "positions are as they were");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
