//! Profiles and changes in topics of a real broker: whatever is killed or away, they come to say what the tables say.

use std::collections::{BTreeMap, BTreeSet};

use onefold::sink::feed::{CHANGE, EPOCH};
use onefold::sink::tables::{IDENTITY_CHANGES, PROFILES};
use serde_json::Value;

use crate::support::broker::{Broker, Received};
use crate::support::http::Endpoint;
use crate::support::pipeline;
use crate::support::process::Process;
use crate::support::program::{Program, Ran, onefold};
use crate::support::python::Python;
use crate::support::tables::{Tables, word};
use crate::support::{folder, text, wait_until};

const TOPICS: [&str; 2] = ["customers", "changes"];

/// A job over one broker whose topics are at another, or at the same.
struct Job {
    sources: String,
    topics: String,
    tables: Tables,
    folder: tempfile::TempDir,
}

impl Job {
    fn new(sources: &Broker, topics: &Broker) -> Self {
        let folder = folder();
        let tables = Tables::local(&folder.path().join("out"));
        Self { sources: sources.address(), topics: topics.address(), tables, folder }
    }

    fn program(&self, command: &str, arguments: &[&str]) -> Program {
        let [profiles, changes] = TOPICS;
        let brokers = &self.topics;
        let pace = format!(
            "interval = \"50ms\"\n\
             [publish.topics]\nbrokers = \"{brokers}\"\nprofiles = \"{profiles}\"\nchanges = \"{changes}\"\n\
             [run]\nbatch = 20\ncommit_interval = \"20ms\"\nshutdown_timeout = \"4s\"\n\
             [http]\naddress = \"127.0.0.1:0\"\n"
        );
        let folder = self.folder.path();
        let pipeline = pipeline::kafka(folder, &pace);
        let mut whole = vec![command, text(&pipeline)];
        whole.extend(arguments);
        onefold(&whole)
            .env("KAFKA_BROKERS", &self.sources)
            .env("USER", "ada")
            .env("OUT", text(&folder.join("out")))
            .env("STATE", text(&folder.join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
    }

    fn start(&self) -> Process {
        self.program("run", &["--json"]).start(self.folder.path())
    }

    /// Starts it, and kills it once a topic has something.
    #[track_caller]
    fn kill_once_delivering(&self) {
        let mut process = self.start();
        wait_until("messages are delivered", || {
            assert!(!process.has_ended(), "{}", process.log());
            process.log().contains("messages delivered to topic")
        });
        process.kill();
    }

    /// Runs until nothing comes any more.
    #[track_caller]
    fn catch_up(&self) -> Ran {
        self.program("run", &["--json", "--until-idle", "2s"]).succeed()
    }

    /// A table's rows by a column, without what says when they were written.
    fn rows(&self, spec: &'static onefold::sink::TableSpec) -> Vec<Value> {
        let columns: Vec<&str> = spec.columns.iter().map(|column| column.name).collect();
        self.tables.rows(spec, &columns)
    }

    /// What the topic holds of each customer in the end is the table.
    #[track_caller]
    fn assert_profiles(&self, topics: &Broker) -> Vec<Received> {
        let received = topics.consume(TOPICS[0]);
        let mut epochs: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        let mut last: BTreeMap<String, Option<Value>> = BTreeMap::new();
        for message in &received {
            let key = message.key.clone().expect("each is of a customer");
            let epoch = message.header(EPOCH).and_then(|it| it.parse().ok()).expect("a number");
            let before = epochs.insert(key.clone(), epoch);
            assert!(before <= Some(epoch), "no older one comes behind a newer one");
            let key = String::from_utf8(key).expect("an id");
            last.insert(key, message.payload.as_deref().map(profile));
        }
        let held: BTreeMap<String, Value> =
            last.into_iter().filter_map(|(key, row)| Some((key, row?))).collect();
        let rows = self.rows(&PROFILES).into_iter();
        let rows = rows.map(|row| (word(&row, "identity_id"), without_version(row)));
        assert_eq!(held, rows.collect());
        received
    }

    /// What the topic of changes says, read once each, is the table, and with what was erased leads to the map.
    #[track_caller]
    fn assert_changes(&self, topics: &Broker) {
        let mut said: BTreeMap<String, Value> = BTreeMap::new();
        let mut latest: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for message in topics.consume(TOPICS[1]) {
            let name = message.header(CHANGE).expect("each has a name");
            let row = json(message.payload.as_deref().expect("a row"));
            if let Some(before) = said.insert(name, row.clone()) {
                assert_eq!(before, row, "it comes twice as it was");
                continue;
            }
            let epoch = row["epoch"].as_u64().expect("a number");
            let before = latest.insert(message.key.expect("a customer"), epoch);
            assert!(before <= Some(epoch), "those of a customer come in their order");
        }
        let mut keys: BTreeMap<String, (u64, Option<String>)> = BTreeMap::new();
        for row in said.values().filter(|row| row["record_key"].is_string()) {
            let epoch = row["epoch"].as_u64().expect("a number");
            let last = keys.entry(word(row, "record_key")).or_default();
            if last.0 <= epoch {
                *last = (epoch, (row["change"] == "assigned").then(|| word(row, "identity_id")));
            }
        }
        let keys: BTreeMap<_, _> =
            keys.into_iter().filter_map(|(key, (_, identity))| Some((key, identity?))).collect();
        assert_eq!(keys, self.tables.identity_map());
        let said: BTreeSet<String> = said.values().map(Value::to_string).collect();
        for row in self.rows(&IDENTITY_CHANGES) {
            assert!(said.contains(&row.to_string()), "{row}");
        }
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn profile(bytes: &[u8]) -> Value {
    without_version(json(bytes))
}

fn without_version(mut row: Value) -> Value {
    row.as_object_mut().expect("a row").remove("version");
    row
}

/// Produces events of as many people as there are tens.
fn produce(broker: &Broker, events: std::ops::Range<usize>) {
    for at in events {
        let person = at / 2 % 10;
        let payload = format!(
            r#"{{"event_id":"e{at}","type":"open","ts":{},"address":"person{person}@example.org"}}"#,
            1_704_067_200 + at
        );
        let partition = i32::try_from(at % 3).expect("it is small");
        broker.produce_one("email", partition, &format!("k{at}"), Some(&payload), &[]);
    }
}

fn broker(python: &Python) -> Broker {
    let broker = Broker::start(python);
    TOPICS.iter().for_each(|topic| broker.create_topic(topic, 3));
    broker
}

#[test]
fn topics_come_to_say_what_the_tables_say_though_the_job_is_killed() {
    let Some(python) = Python::find() else { return };
    let broker = broker(&python);
    let job = Job::new(&broker, &broker);
    for round in 0..3 {
        produce(&broker, 10 * round..10 * round + 10);
        job.kill_once_delivering();
    }
    job.catch_up();
    assert_eq!(job.rows(&PROFILES).len(), 10);
    let received = job.assert_profiles(&broker);
    job.assert_changes(&broker);

    // Nothing is sent twice without a reason.
    job.catch_up();
    assert_eq!(broker.consume(TOPICS[0]).len(), received.len());

    let map = job.tables.identity_map();
    let mut records = map.iter();
    let (left, of) = records.next().expect("a record");
    let (right, other) = records.find(|(_, id)| *id != of).expect("another customer");
    job.program("judge", &["together", left, right, "--reason", "the same"]).succeed();
    job.kill_once_delivering();
    job.catch_up();
    assert_eq!(job.rows(&PROFILES).len(), 9);
    job.assert_profiles(&broker);
    job.assert_changes(&broker);
    job.program("judge", &["withdraw", left, right]).succeed();
    job.catch_up();
    assert_eq!(job.rows(&PROFILES).len(), 10);
    job.assert_profiles(&broker);
    job.assert_changes(&broker);

    let kept = if job.tables.identity_map()[left] == *of { of } else { other };
    let erased = job.program("erase", &["--id", kept]).succeed();
    assert!(erased.output.contains("earlier profiles in the topic customers"), "{}", erased.output);
    let received = job.assert_profiles(&broker);
    let gone = received.iter().rev().find(|it| it.key.as_deref() == Some(kept.as_bytes()));
    assert_eq!(gone.expect("it was there").payload, None, "the receipt comes behind that");
    job.assert_changes(&broker);
}

#[test]
fn a_broker_that_is_away_stops_nothing_and_gets_all_when_it_is_back() {
    let Some(python) = Python::find() else { return };
    let sources = Broker::start(&python);
    let mut topics = broker(&python);
    topics.kill();
    let job = Job::new(&sources, &topics);
    produce(&sources, 0..30);
    let mut process = job.start();
    let endpoint = Endpoint::of(&mut process);
    wait_until("its absence is told", || {
        process.log().matches("messages to topic delayed").count() == 2
    });
    produce(&sources, 30..40);
    wait_until("all is read and published", || {
        assert!(!process.has_ended(), "{}", process.log());
        endpoint.metrics().tell_all_published(40, 0)
    });
    let metrics = endpoint.metrics();
    assert!(metrics.sum("onefold_publish_topic_waiting") >= 20.0);
    assert_eq!(metrics.sum("onefold_publish_topic_delivered_total"), 0.0);
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    assert!(process.log().contains("messages to topic left for the next start"));

    // An erasure does not wait for ever, and says what it did not reach.
    let gone = job.tables.identity_map().into_values().next().expect("a customer");
    let erased = job.program("erase", &["--id", &gone]).succeed();
    assert!(erased.output.contains("customers, which was away"), "{}", erased.output);

    topics.restart();
    TOPICS.iter().for_each(|topic| topics.create_topic(topic, 3));
    let mut process = job.start();
    let endpoint = Endpoint::of(&mut process);
    wait_until("all is delivered", || {
        assert!(!process.has_ended(), "{}", process.log());
        let metrics = endpoint.metrics();
        metrics.sum("onefold_publish_topic_delivered_total") > 0.0
            && metrics.sum("onefold_publish_topic_waiting") == 0.0
    });
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    let received = job.assert_profiles(&topics);
    assert!(
        received
            .iter()
            .any(|it| it.payload.is_none() && it.key.as_deref() == Some(gone.as_bytes()))
    );
    job.assert_changes(&topics);
}
