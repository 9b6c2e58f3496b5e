//! Killed before and after each durable step, again and again, the job ends with the very rows of one that never was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use onefold::demo::Channel;
use onefold::failpoint::{Step, VARIABLE};
use onefold::sink::letters::LETTER;
use onefold::sink::tables;
use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::events::stream;
use crate::support::pipeline;
use crate::support::program::{Program, Ran, onefold};
use crate::support::python::Python;
use crate::support::tables::{Tables, word};
use crate::support::{folder, text};

/// Many commits, and a publish as often as may be. One file, so that each commit holds the same messages in every run.
const PACE: &str = "interval = \"1ms\"\n[run]\nbatch = 25\n";

/// Somebody who may be written to, and somebody whose mailbox bounced, so that no table is empty.
const CONSENTS: &str = r#"{"event_id":"yes","channel":"web","type":"consent","ts":"2024-03-01T09:00:00.000Z","cookie_id":"00000000000000aa","login_email":"ada@lovelace.example.org","purpose":"marketing_email","state":"granted"}
{"event_id":"no","channel":"web","type":"bounced","ts":"2024-03-01T09:00:00.000Z","cookie_id":"00000000000000bb","login_email":"carl@gauss.example.org"}
"#;
const SUPPRESSION: &str =
    "[source.web.suppression]\nwhen = { \"/type\" = \"bounced\" }\nchannel = \"email\"\n";

/// Somebody who comes, and asks to be forgotten.
const REQUEST: &str = r#"{"event_id":"come","channel":"web","type":"login","ts":"2024-03-01T09:00:00.000Z","cookie_id":"00000000000000cc","login_email":"emmy@noether.example.org"}
{"event_id":"forget","channel":"web","type":"forget_me","ts":"2024-03-02T09:00:00.000Z","cookie_id":"00000000000000cc","login_email":"emmy@noether.example.org"}
"#;
const ERASURE: &str = "[source.web.erasure]\nwhen = { \"/type\" = \"forget_me\" }\n";

/// The passages of a point at which it is deadly, one after the other on one state. Each next start is killed the later.
const PASSAGES: [u32; 6] = [1, 2, 3, 5, 9, 17];

/// Every 20 entries a log gets a checkpoint, and every start puts one.
const STARTS_TO_A_CHECKPOINT: usize = 25;

/// A pipeline over nothing but the web's events in a folder of its own.
struct Job {
    program: Program,
    folder: tempfile::TempDir,
}

impl Job {
    /// Where dead letters go to a topic, it is made anew under the name of the folder.
    fn new(letters: Option<&Broker>) -> Self {
        Self::with(letters, "", "")
    }

    /// One with more in its file, and more events.
    fn with(letters: Option<&Broker>, settings: &str, events: &str) -> Self {
        let folder = folder();
        let mut pace = PACE.to_owned() + SUPPRESSION + settings;
        if let Some(broker) = letters {
            let topic = topic(folder.path());
            broker.create_topic(&topic, 3);
            let brokers = broker.address();
            pace +=
                &format!("[dead_letters.kafka]\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"\n");
        }
        let lines = stream(90).lines.into_iter().filter(|line| line.channel == Channel::Web);
        let lines = lines.map(|line| line.text + "\n").collect::<String>() + CONSENTS + events;
        fs::write(folder.path().join("web.jsonl"), lines).expect("write events");
        for silent in ["email", "phone", "store"] {
            fs::write(folder.path().join(format!("{silent}.jsonl")), "").expect("write no events");
        }
        let changes = [(pipeline::INTERVAL, pace.as_str())];
        let pipeline = pipeline::changed("events.toml", folder.path(), &changes);
        let program = program(folder.path(), &["run", text(&pipeline), "--json"]);
        Self { program, folder }
    }

    /// An erasure from it.
    fn erasing(&self, subject: &[&str]) -> Program {
        let pipeline = self.folder.path().join("events.toml");
        let arguments = ["erase", text(&pipeline), "--at", "2040-01-01T00:00:00Z"];
        program(self.folder.path(), &[&arguments, subject].concat())
    }

    /// Runs it with a point armed; whether it died there.
    #[track_caller]
    fn dies_at(&self, point: &str) -> bool {
        let Ran { code, log, .. } = self.program.clone().env(VARIABLE, point).run();
        assert!(matches!(code, None | Some(0)), "{point}: {code:?}: {log}");
        code.is_none()
    }

    /// The rows of every table, each but for the version of a profile, which tells when it was published.
    fn rows(&self) -> BTreeMap<&'static str, BTreeSet<String>> {
        let tables = Tables::local(&self.folder.path().join("out"));
        let of = |spec: &'static onefold::sink::TableSpec| {
            let columns: Vec<&str> = spec.columns.iter().map(|column| column.name).collect();
            let rows = tables.rows(spec, &columns);
            let count = rows.len();
            // Dead letters say in which file they stood.
            let own = |row: Value| plain(row).replace(text(self.folder.path()), "");
            let rows: BTreeSet<String> = rows.into_iter().map(own).collect();
            assert_eq!(rows.len(), count, "{}: no row is there twice", spec.name);
            (spec.name, rows)
        };
        tables::ALL.into_iter().map(of).collect()
    }
}

fn program(folder: &Path, arguments: &[&str]) -> Program {
    onefold(arguments)
        .env("EVENTS_DIR", text(folder))
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
}

/// The name of a topic for a job's letters.
fn topic(folder: &Path) -> String {
    let name = folder.file_name().expect("it has a name").display().to_string();
    format!("letters-{}", name.trim_start_matches('.'))
}

/// Every letter of the table is in the topic, and no other.
#[track_caller]
fn assert_delivered(job: &Job, broker: &Broker, when: &str) {
    let tables = Tables::local(&job.folder.path().join("out"));
    let rows = tables.rows(&tables::DEAD_LETTERS, &["source", "partition", "offset"]);
    let name = |row: &Value| {
        format!("{} {} {}", word(row, "source"), word(row, "partition"), row["offset"])
    };
    let expected: BTreeSet<String> = rows.iter().map(name).collect();
    let received = broker.consume(&topic(job.folder.path()));
    let names = received.iter().map(|it| it.header(LETTER).expect("each has a name"));
    let found: BTreeSet<String> = names.collect();
    assert_eq!(found, expected, "{when}: letters of the topic");
}

fn plain(mut row: Value) -> String {
    row.as_object_mut().expect("a row").remove("version");
    row.to_string()
}

/// Kills a job at the points of each step, and compares what it ends with.
#[track_caller]
fn assert_survives(steps: &[Step]) {
    assert_survives_with(steps, None, &|| Job::new(None));
}

#[track_caller]
fn assert_survives_with(steps: &[Step], letters: Option<&Broker>, make: &dyn Fn() -> Job) {
    let calm = make();
    let report = calm.program.report();
    let expected = calm.rows();
    let has_rows = |(table, rows): (&&str, &BTreeSet<String>)| {
        !rows.is_empty() || *table == tables::DEAD_LETTER_REPLAYS.name
    };
    assert!(expected.iter().all(has_rows), "every table has rows");
    for (step, moment) in steps.iter().flat_map(|step| [(step, "before"), (step, "after")]) {
        let job = make();
        let point = |times| format!("{}:{moment}:{times}", step.name());
        let dies_at = |times: &u32| job.dies_at(&point(*times));
        let deaths = match step {
            Step::Checkpoint | Step::CheckpointHint => {
                let starts = std::iter::repeat_n(1, STARTS_TO_A_CHECKPOINT);
                starts.skip_while(|times| !dies_at(times)).take(3).filter(dies_at).count()
            }
            _ => PASSAGES.into_iter().filter(dies_at).count(),
        };
        assert!(deaths > 0, "{} {moment}: the job never came there", step.name());
        let last = job.program.report();
        for count in ["read", "resolved", "duplicate", "dead_lettered", "records", "identities"] {
            assert_eq!(last[count], report[count], "{} {moment}: {count}", step.name());
        }
        let rows = job.rows();
        for (table, expected) in &expected {
            assert!(rows[table] == *expected, "{} {moment}: rows of {table}", step.name());
        }
        assert_consistent(&job.folder.path().join("out"));
        if let Some(broker) = letters {
            assert_delivered(&job, broker, &format!("{} {moment}", step.name()));
        }
    }
}

/// The consistent set names the versions that the tables have, no later start having fenced them.
#[track_caller]
fn assert_consistent(out: &Path) {
    let latest = fs::read_to_string(out.join("_onefold/latest.json")).expect("it was published");
    let latest: Value = serde_json::from_str(&latest).expect("JSON");
    for (table, version) in latest["tables"].as_object().expect("versions") {
        let version = version.as_u64().expect("a version");
        let entry = out.join(table).join("_delta_log").join(format!("{version:020}.json"));
        assert!(entry.exists(), "version {version} of {table} is there");
    }
}

#[test]
fn a_kill_at_any_step_of_the_state_loses_and_repeats_nothing() {
    assert_survives(&[Step::StateFormat, Step::StateBatch, Step::StateWitness]);
}

#[test]
fn a_kill_as_a_job_ends_or_begins_loses_and_repeats_nothing() {
    assert_survives(&[Step::StateSettle, Step::StateUnsettle, Step::StateIndex, Step::Latest]);
}

#[test]
fn a_kill_at_any_step_of_publishing_loses_and_repeats_nothing() {
    assert_survives(&[Step::DataFile, Step::LogEntry]);
}

#[test]
fn a_kill_at_a_checkpoint_loses_and_repeats_nothing() {
    assert_survives(&[Step::Checkpoint, Step::CheckpointHint]);
}

#[test]
fn an_erasure_that_is_killed_at_any_step_is_ended_by_the_next_start() {
    let calm = Job::new(None);
    calm.program.report();
    let profiles = Tables::local(&calm.folder.path().join("out"))
        .rows(&tables::PROFILES, &["identity_id", "emails"]);
    let carries = |row: &&Value| row["emails"].as_array().is_some_and(|emails| !emails.is_empty());
    let somebody = profiles.iter().find(carries).expect("somebody has an address");
    let (identity, email) = (word(somebody, "identity_id"), word(&somebody["emails"][0], "value"));
    let whole = calm.rows();
    calm.erasing(&["--id", &identity]).succeed();
    let expected = calm.rows();
    assert!(expected[tables::PROFILES.name].len() < whole[tables::PROFILES.name].len());

    let steps = [
        Step::StateBatch,
        Step::DataFile,
        Step::LogEntry,
        Step::Checkpoint,
        Step::CheckpointHint,
        Step::Latest,
        Step::Receipt,
        Step::StateRewrite,
        Step::StateSettle,
    ];
    for (step, moment) in steps.iter().flat_map(|step| [(step, "before"), (step, "after")]) {
        let job = Job::new(None);
        job.program.report();
        let dies_at = |times: &u32| {
            let point = format!("{}:{moment}:{times}", step.name());
            let ran = job.erasing(&["--email", &email]).env(VARIABLE, &point).run();
            // Once the first is done, nobody carries the address any more.
            assert!(matches!(ran.code, None | Some(0 | 1)), "{point}: {:?}: {}", ran.code, ran.log);
            ran.code.is_none()
        };
        let deaths = [1, 2, 4].into_iter().filter(dies_at).count();
        assert!(deaths > 0, "{} {moment}: the erasure never came there", step.name());
        job.erasing(&["--email", &email]).run();
        let rows = job.rows();
        for (table, expected) in &expected {
            // The ids of identities go by what came first, and that is the same in every run.
            assert!(rows[table] == *expected, "{} {moment}: rows of {table}", step.name());
        }
        assert_consistent(&job.folder.path().join("out"));
        let receipts = fs::read_dir(job.folder.path().join("out/_onefold/receipts"));
        assert_eq!(receipts.expect("receipts").count(), 1, "{} {moment}", step.name());
    }
}

#[test]
fn a_request_of_an_event_survives_a_kill_at_any_step_and_is_done_once() {
    let asking = || Job::with(None, ERASURE, REQUEST);
    let steps = [Step::StateBatch, Step::LogEntry, Step::Receipt, Step::StateRewrite];
    assert_survives_with(&steps, None, &asking);
    let job = asking();
    assert!(job.dies_at(&format!("{}:after:1", Step::Receipt.name())));
    job.program.report();
    let out = job.folder.path().join("out");
    let receipts = fs::read_dir(out.join("_onefold/receipts")).expect("receipts");
    assert_eq!(receipts.count(), 1);
    let rows = format!("{:?}", job.rows());
    assert!(rows.contains("ada@lovelace") && !rows.contains("emmy@"));
}

#[test]
fn a_kill_as_letters_go_to_their_topic_loses_none() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    let steps = [Step::Letters, Step::LettersCleared, Step::StateBatch];
    assert_survives_with(&steps, Some(&broker), &|| Job::new(Some(&broker)));
}
