//! Dead letters in a topic of a real broker: whole, at least once, and whatever becomes of that broker.

use std::collections::{BTreeMap, BTreeSet};

use onefold::sink::letters::{DETAIL, LETTER, OFFSET, OMITTED, PARTITION, REASON, SOURCE};
use onefold::sink::tables::{DEAD_LETTERS, INTERACTIONS};
use serde_json::Value;

use crate::support::broker::{Broker, Received};
use crate::support::http::Endpoint;
use crate::support::pipeline;
use crate::support::process::Process;
use crate::support::program::{Program, Ran, onefold};
use crate::support::python::Python;
use crate::support::tables::{Tables, word};
use crate::support::{folder, text, wait_until};

const TOPIC: &str = "letters";

/// A job over one broker whose letters go to another, or to the same.
struct Job {
    sources: String,
    tables: Tables,
    folder: tempfile::TempDir,
}

impl Job {
    fn new(sources: &Broker) -> Self {
        let folder = folder();
        let tables = Tables::local(&folder.path().join("out"));
        Self { sources: sources.address(), tables, folder }
    }

    /// A start of it; `more` stands below `[run]`, and without a broker there is no topic for letters.
    fn program(&self, letters: Option<&Broker>, more: &str) -> Program {
        let mut pace =
            format!("interval = \"50ms\"\n[run]\nbatch = 20\ncommit_interval = \"20ms\"\n{more}");
        if let Some(broker) = letters {
            let brokers = broker.address();
            pace += &format!(
                "[dead_letters.kafka]\nbrokers = \"{brokers}\"\ntopic = \"{TOPIC}\"\n\
                 options = {{ \"message.max.bytes\" = 2000000 }}\n"
            );
        }
        let folder = self.folder.path();
        let pipeline = pipeline::kafka(folder, &pace);
        onefold(&["run", text(&pipeline), "--json"])
            .env("KAFKA_BROKERS", &self.sources)
            .env("OUT", text(&folder.join("out")))
            .env("STATE", text(&folder.join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
    }

    fn start(&self, letters: &Broker, more: &str) -> Process {
        self.program(Some(letters), more).start(self.folder.path())
    }

    /// Runs until nothing comes any more.
    #[track_caller]
    fn catch_up(&self, letters: Option<&Broker>, more: &str) -> Ran {
        self.program(letters, more).arguments(&["--until-idle", "3s"]).succeed()
    }

    /// The letters of the table, by the name that they have in the topic.
    fn letters(&self) -> BTreeMap<String, Value> {
        let columns: Vec<&str> = DEAD_LETTERS.columns.iter().map(|column| column.name).collect();
        let rows = self.tables.rows(&DEAD_LETTERS, &columns);
        let name = |row: &Value| {
            format!("{} {} {}", word(row, "source"), word(row, "partition"), row["offset"])
        };
        rows.into_iter().map(|row| (name(&row), row)).collect()
    }
}

fn event(id: &str) -> String {
    format!(r#"{{"event_id":"{id}","type":"open","ts":1704067200,"address":"a7@example.org"}}"#)
}

/// Produces messages of which every other one cannot be used.
fn produce(broker: &Broker, from: usize, count: usize) {
    for at in from..from + count {
        let good = event(&format!("e{at}"));
        let payload = if at % 2 == 0 { good } else { good.replace('}', "") };
        let partition = i32::try_from(at % 3).expect("it is small");
        broker.produce_one("email", partition, &format!("k{at}"), Some(&payload), &[]);
    }
}

fn names(received: &[Received]) -> Vec<String> {
    received.iter().map(|it| it.header(LETTER).expect("each has a name")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of each partition of the source, the letters first came in their order.
#[track_caller]
fn assert_in_order(received: &[Received]) {
    let mut latest: BTreeMap<String, (i32, u64)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for letter in received {
        if !seen.insert(letter.header(LETTER)) {
            continue;
        }
        let partition = letter.header(PARTITION).expect("it is told");
        let offset = letter.header(OFFSET).and_then(|text| text.parse().ok()).expect("a number");
        if let Some((place, before)) = latest.insert(partition, (letter.partition, offset)) {
            assert_eq!(place, letter.partition);
            assert!(before < offset, "{before} before {offset}");
        }
    }
}

#[test]
fn letters_come_whole_with_what_is_known_of_them() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    broker.create_topic(TOPIC, 3);
    let huge = " ".repeat(3 << 20);
    let messages = [
        ("good", Some(event("e1"))),
        ("broken", Some(event("e2").replace('}', "\u{1}\u{fffd}"))),
        ("tombstone", None),
        ("large", Some(format!("{}{}", " ".repeat(1 << 20), event("e3")))),
        ("huge", Some(format!("{huge}{}", event("e4")))),
        ("last", Some(event("e5").replace("1704067200", "\"soon\""))),
    ];
    for (key, payload) in &messages {
        let headers = [("trace", "t-7"), (REASON, "theirs")];
        broker.produce_one("email", 1, key, payload.as_deref(), &headers);
    }
    let job = Job::new(&broker);
    let report = job.catch_up(Some(&broker), "").report();
    assert_eq!((&report["resolved"], &report["dead_lettered"]), (&1.into(), &5.into()));
    let received = broker.consume(TOPIC);
    assert_eq!(names(&received).len(), 5, "each once, since nothing went wrong");
    assert_in_order(&received);
    let rows = job.letters();
    for letter in &received {
        let row = &rows[&letter.header(LETTER).expect("a name")];
        let own: Vec<_> =
            letter.headers.iter().filter(|(name, _)| !name.starts_with("onefold.")).collect();
        assert_eq!(own, [&("trace".to_owned(), Some(b"t-7".to_vec()))]);
        assert_eq!(hex(letter.key.as_ref().expect("a key")), word(row, "key"));
        for (header, column) in
            [(SOURCE, "source"), (PARTITION, "partition"), (REASON, "reason"), (DETAIL, "detail")]
        {
            assert_eq!(letter.header(header).as_deref(), Some(word(row, column).as_str()));
        }
        let payload = hex(letter.payload.as_deref().unwrap_or_default());
        match letter.header(OMITTED) {
            None => assert_eq!(payload, word(row, "payload")),
            Some(omitted) => {
                assert_eq!((omitted.as_str(), payload.as_str()), ("payload", ""));
                assert!(word(row, "payload").len() > 6 << 20, "the table has it");
            }
        }
    }
    let omitted: Vec<_> = received.iter().filter(|it| it.header(OMITTED).is_some()).collect();
    assert_eq!(omitted.len(), 1);
    assert_eq!(omitted[0].header(OFFSET).as_deref(), Some("4"));

    // Nothing is sent twice, and no letter comes of what is read from the topic.
    let report = job.catch_up(Some(&broker), "").report();
    assert_eq!(report["messages"], 0);
    assert_eq!(broker.consume(TOPIC), received);
}

#[test]
fn a_job_that_is_killed_again_and_again_delivers_every_letter() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    broker.create_topic(TOPIC, 3);
    produce(&broker, 0, 90);
    let job = Job::new(&broker);
    for round in 0..3 {
        let mut process = job.start(&broker, "");
        wait_until("letters are delivered", || {
            assert!(!process.has_ended(), "{}", process.log());
            process.log().contains("dead letters delivered")
        });
        process.kill();
        produce(&broker, 90 + 10 * round, 10);
    }
    let report = job.catch_up(Some(&broker), "").report();
    assert_eq!(report["dead_lettered"], 60);
    let received = broker.consume(TOPIC);
    let found: BTreeSet<String> = names(&received).into_iter().collect();
    assert_eq!(found, job.letters().into_keys().collect());
    assert_eq!(found.len(), 60);
    assert_in_order(&received);
}

#[test]
fn a_topic_that_is_away_stops_nothing_and_gets_all_when_it_is_back() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    let mut other = Broker::start(&python);
    other.kill();
    produce(&broker, 0, 40);
    let more = "shutdown_timeout = \"4s\"\n[http]\naddress = \"127.0.0.1:0\"\n";
    let job = Job::new(&broker);
    let mut process = job.start(&other, more);
    let endpoint = Endpoint::of(&mut process);
    wait_until("its absence is told", || process.log().contains("dead letters delayed"));
    produce(&broker, 40, 20);
    wait_until("all is read and published", || {
        assert!(!process.has_ended(), "{}", process.log());
        endpoint.metrics().tell_all_published(30, 30)
    });
    assert_eq!(job.letters().len(), 30);
    assert_eq!(job.tables.rows(&INTERACTIONS, &["event_id"]).len(), 30);
    let metrics = endpoint.metrics();
    assert_eq!(metrics.sum("onefold_dead_letter_topic_waiting"), 30.0);
    assert_eq!(metrics.sum("onefold_dead_letter_topic_delivered_total"), 0.0);
    wait_until("it is tried again", || {
        endpoint.metrics().sum("onefold_dead_letter_topic_failures_total") >= 3.0
    });
    assert_eq!(process.log().matches("dead letters delayed").count(), 1, "told once");

    // A stop leaves them for the next start, in its time.
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    assert!(process.log().contains("dead letters left for the next start"), "{}", process.log());
    assert!(process.log().contains("waiting=30"), "{}", process.log());

    // Nor does the next start need the topic; what is there when it is back gets it.
    let mut process = job.start(&other, more);
    let endpoint = Endpoint::of(&mut process);
    wait_until("its absence is told", || process.log().contains("dead letters delayed"));
    other.restart();
    other.create_topic(TOPIC, 3);
    produce(&broker, 60, 10);
    wait_until("all letters are delivered", || {
        assert!(!process.has_ended(), "{}", process.log());
        let metrics = endpoint.metrics();
        metrics.sum("onefold_dead_letter_topic_delivered_total") == 35.0
            && metrics.sum("onefold_dead_letter_topic_waiting") == 0.0
    });
    assert!(process.log().contains("dead letters resumed"), "{}", process.log());
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    let received = other.consume(TOPIC);
    let found: BTreeSet<String> = names(&received).into_iter().collect();
    assert_eq!(found, job.letters().into_keys().collect());
    assert_eq!(found.len(), 35);
    assert_in_order(&received);
}

#[test]
fn only_letters_of_the_time_with_a_topic_go_there() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    let mut other = Broker::start(&python);
    produce(&broker, 0, 10);
    let job = Job::new(&broker);
    let brief = "shutdown_timeout = \"1s\"\n";
    job.catch_up(None, brief);
    // With a topic that is away, they wait; without one, they are forgotten.
    other.kill();
    produce(&broker, 10, 10);
    let ran = job.catch_up(Some(&other), brief);
    assert!(ran.log.contains("dead letters left for the next start"), "{}", ran.log);
    let ran = job.catch_up(None, brief);
    assert!(ran.log.contains("dead letters are for no topic any more"), "{}", ran.log);
    assert!(ran.log.contains("waited=5"), "{}", ran.log);

    other.restart();
    other.create_topic(TOPIC, 3);
    produce(&broker, 20, 10);
    job.catch_up(Some(&other), "");
    assert_eq!(job.letters().len(), 15);
    assert_eq!(other.consume(TOPIC).len(), 5);
}
