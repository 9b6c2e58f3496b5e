//! What customers told is in the tables, and nowhere else: not in a log line, an error or a report.

use std::fs;

use crate::support::program::{Program, onefold};
use crate::support::{folder, text};

/// Events of one person whose every value is unmistakable, and broken lines that hold them too.
const WEB: &str = r#"
{"event_id":"w1","channel":"web","type":"signup","ts":"2024-03-01T09:00:00.000Z","cookie_id":"canarycookie7","locale":"GB","login_email":"canarymail7@example.org","form":{"first_name":"Canarygiven","last_name":"Canarysurname","dob":"1961-09-23","phone":"07700 900777","address":{"line1":"77 Canarystreet","city":"Canarytown","postcode":"CN7 7RY","country":"GB"}}}
{"event_id":"w2","channel":"web","type":"purchase","ts":"2024-03-01T09:00:00.000Z","device_id":"canarydevice7","locale":"GB","order":{"amount":"canaryamount","currency":"GBP"},"form":{"name":"Canarygiven Canarysurname"}}
{"event_id":"w3","channel":"web","type":"consent","ts":"2024-03-01T09:00:00.000Z","cookie_id":"canarycookie7","purpose":"canarypurpose","state":"canarystate"}
{"event_id":"w4","channel":"web","type":"login","ts":"canarytime","cookie_id":"canarycookie7","login_email":"canarymail7@example.org"}
{"event_id":["canaryid"],"channel":"web","type":"login","ts":"2024-03-01T09:00:00.000Z","cookie_id":"canarycookie7"}
{"event_id":"w5","channel":"web","type":"login","canarykey":"canarymail7@example.org","login_email":"canarymail7@example.org
canarymail7@example.org is no JSON
"#;
const EMAIL: &str = r#"{"event_id":"e1","type":"open","ts":"canarytime","address":"canarymail7@example.org"}
{"event_id":"e2","type":"open","ts":1709283600,"address":"canarymail7@example.org"}
"#;
const PHONE: &str = r#"{"event_id":"p1","type":"call","ts":"2024-03-01T09:00:00+00:00","call_id":"k","caller_number":"07700 900777","caller_name":"Canarygiven Canarysurname","dob":"canarydate","sentiment":"canarymood"}
"#;
const STORE: &str = r#"{"event_id":"s1","type":"purchase","ts":"31/31/2024 canarytime","date_format":"DMY","utc_offset":0,"store_id":"GB1","card_token":"canarycard7","name":"CANARYSURNAME/CANARYGIVEN","basket_amount":1,"currency":"GBP"}
{"event_id":"s2","type":"purchase","ts":"01/03/2024 09:00","date_format":"DMY","utc_offset":0,"store_id":"GB1","card_token":"canarycard7","loyalty_id":"canaryloyalty7","basket_amount":1,"currency":"GBP"}
"#;

/// What must not be told, in small letters.
const PERSONAL: &[&str] = &["canary", "1961-09-23", "19610923", "07700", "7700900777", "cn7 7ry"];

#[track_caller]
fn assert_silent(told: &str, about: &str) {
    let told = told.to_lowercase();
    for value in PERSONAL {
        // The value itself is not printed here, either.
        assert!(!told.contains(value), "{about} tells what {value:?} stands for");
    }
}

#[test]
fn no_personal_value_is_logged_or_reported() {
    let folder = folder();
    for (name, lines) in [("web", WEB), ("email", EMAIL), ("phone", PHONE), ("store", STORE)] {
        fs::write(folder.path().join(format!("{name}.jsonl")), lines).expect("write events");
    }
    let truth = folder.path().join("truth.csv");
    fs::write(&truth, "event_id,person_id\nw1,canaryperson\ne2,canaryperson\n").expect("a truth");
    let broken = folder.path().join("broken.csv");
    fs::write(&broken, "event_id,person_id\nw1\n\"canary").expect("a broken truth");
    let command = |arguments: &[&str]| -> Program {
        onefold(arguments)
            .env("EVENTS_DIR", text(folder.path()))
            .env("OUT", text(&folder.path().join("out")))
            .env("STATE", text(&folder.path().join("state")))
            .env("ONEFOLD_LOG", "onefold=trace")
    };
    let pipeline = "pipelines/events.toml";
    for arguments in [
        &["check", pipeline][..],
        &["run", pipeline],
        &["--log-format", "json", "backfill", pipeline, "--json"],
        &["evaluate", pipeline, "--truth", text(&truth)],
        &["evaluate", pipeline, "--truth", text(&broken)],
        // What was asked for is shown, but not where it was not found or could not be read.
        &["lookup", pipeline, "--email", "canarymail8@example.org"],
        &["lookup", pipeline, "--phone", "canaryphone"],
        &["why", pipeline, "w1", "canarymail7@example.org"],
    ] {
        let ran = command(arguments).run();
        assert!(ran.code.is_some_and(|code| code < 3), "{arguments:?}: {:?}", ran.code);
        assert_silent(&ran.output, &format!("{arguments:?}"));
        assert_silent(&ran.log, &format!("{arguments:?}, on standard error,"));
    }

    // The canaries were really there.
    let report = command(&["run", pipeline, "--json"]).report();
    assert_eq!((&report["resolved"], &report["dead_lettered"]), (&4.into(), &8.into()));
    let found = command(&["lookup", pipeline, "--email", "canarymail7@example.org"]).succeed();
    assert!(found.output.contains("Canarysurname"));
    assert_silent(&found.log, "lookup, on standard error,");

    // The logs of the tables hold keys and times only.
    let pattern = format!("{}/**/_delta_log/*.json", folder.path().join("out").display());
    let logs: Vec<_> = glob::glob(&pattern).expect("a pattern").collect();
    assert!(logs.len() > 5);
    for log in logs {
        let entry = fs::read_to_string(log.expect("a file")).expect("an entry is UTF-8");
        assert_silent(&entry, "the log of a table");
    }
}
