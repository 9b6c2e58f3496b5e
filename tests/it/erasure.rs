//! Forgetting people while a job runs, beside its work and without a stop.

use std::fs;
use std::path::Path;

use onefold::sink::tables::{IDENTITY_CHANGES, INTERACTIONS, PROFILES};

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::http::Endpoint;
use crate::support::pipeline;
use crate::support::program::{Program, onefold};
use crate::support::python::Python;
use crate::support::tables::{Tables, word};
use crate::support::{folder, text, wait_until};

const PACE: &str = r#"interval = "50ms"
erasure_bound = "2s"
[run]
batch = 40
commit_interval = "20ms"
[http]
address = "127.0.0.1:0"
[source.web.erasure]
when = { "/type" = "privacy_request", "/request" = "erasure" }
"#;

const COOKIE: &str = "00000000000000cc";
const EMAIL: &str = "emmy@noether.example.org";

/// Emmy asks by her browser; what she did by mail stands in another topic, behind all else.
fn ask(event: &str, time: &str) -> String {
    format!(
        r#"{{"event_id":"{event}","channel":"web","type":"privacy_request","request":"erasure","ts":"{time}","cookie_id":"{COOKIE}","login_email":"{EMAIL}"}}"#
    )
}

fn open(event: &str, at: u64) -> String {
    format!(r#"{{"event_id":"{event}","type":"open","ts":{at},"address":"{EMAIL}"}}"#)
}

/// Where a text stands below a folder, plain or as the bytes of a Parquet file.
fn places_of(wanted: &str, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(places_of(wanted, &path));
        } else if let Ok(bytes) = fs::read(&path)
            && String::from_utf8_lossy(&bytes).contains(wanted)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn job(folder: &Path, broker: &Broker) -> Program {
    let pipeline = pipeline::kafka(folder, PACE);
    onefold(&["run", text(&pipeline), "--json"])
        .env("KAFKA_BROKERS", &broker.address())
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
}

#[test]
fn a_running_job_forgets_who_asks_once_it_knows_all_that_they_did() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    broker.produce_one("web", 0, "emmy", Some(&ask("ask", "2024-06-01T09:00:00.000Z")), &[]);
    let stream = stream(90);
    broker.produce(&stream.lines);
    broker.produce_one("email", 0, "emmy", Some(&open("mail", 1_704_067_200)), &[]);

    let folder = folder();
    let program = job(folder.path(), &broker);
    let mut process = program.start(folder.path());
    let endpoint = Endpoint::of(&mut process);
    let mut done = |count: f64| {
        wait_until("the erasure is ended", || {
            assert!(!process.has_ended(), "{}", process.log());
            endpoint.metrics().sum("onefold_erasures_total") >= count
        });
    };
    done(1.0);
    let tables = Tables::local(&folder.path().join("out"));
    tables.assert_hold(&Expected::of(&stream));
    let changes = tables.rows(&IDENTITY_CHANGES, &["change"]);
    assert!(changes.iter().any(|row| word(row, "change") == "erased"));
    assert_eq!(places_of(EMAIL, folder.path()), Vec::<String>::new());
    assert_eq!(places_of(COOKIE, folder.path()), Vec::<String>::new());

    // What she did before that comes late, is not taken; what she does later, is.
    broker.produce_one("email", 0, "emmy", Some(&open("late", 1_704_067_201)), &[]);
    broker.produce_one("email", 0, "emmy", Some(&open("new", 1_717_400_000)), &[]);
    wait_until("she is back", || {
        let rows = tables.rows(&INTERACTIONS, &["event_id"]);
        let ids: Vec<String> = rows.iter().map(|row| word(row, "event_id")).collect();
        assert!(!ids.contains(&"late".to_owned()));
        ids.contains(&"new".to_owned())
    });
    // She asks again, and the job is killed before files are written anew: the next start does it.
    broker.produce_one("web", 0, "emmy", Some(&ask("again", "2024-07-01T09:00:00.000Z")), &[]);
    wait_until("she is out of the tables", || process.log().matches("erasures begun").count() >= 2);
    process.kill();
    let mut process = program.start(folder.path());
    let endpoint = Endpoint::of(&mut process);
    wait_until("it goes on", || {
        assert!(!process.has_ended(), "{}", process.log());
        endpoint.get("/ready").status == 200
    });
    assert_eq!(endpoint.metrics().sum("onefold_erasures_pending"), 0.0);
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    let emails = format!("{:?}", tables.rows(&PROFILES, &["emails"]));
    assert!(!emails.contains(EMAIL));
    assert_eq!(places_of(EMAIL, folder.path()), Vec::<String>::new());
    let receipts = fs::read_dir(folder.path().join("out/_onefold/receipts")).expect("receipts");
    assert_eq!(receipts.count(), 2);
    let log = process.log();
    assert!(!log.contains(EMAIL) && !log.contains(COOKIE));
}
