//! Killed at any moment and started again, the job ends with what an undisturbed one has: nothing lost, nothing twice.

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::pipeline;
use crate::support::program::{Program, onefold};
use crate::support::proxy::{Block, Proxy};
use crate::support::python::Python;
use crate::support::s3::S3;
use crate::support::tables::Tables;
use crate::support::{folder, text, wait_until};

/// Many commits, and a publish as often as may be.
const PACE: &str = "interval = \"50ms\"\n[run]\nbatch = 20\ncommit_interval = \"20ms\"\n";

/// When the job is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Before it has read anything.
    Start,
    /// After so many commits of this run, whatever is published.
    Commits(usize),
    /// While it publishes, at the first request to put such an object, or when the answer to it is under way.
    At(Block),
    /// The same, but not at the first such request: each start puts a fence into every table's log.
    AtSecond(Block),
}

/// A job on one broker and one place, which can be started again and again.
struct Job {
    program: Program,
    way: Proxy,
    folder: tempfile::TempDir,
}

impl Job {
    /// The job reaches the tables only by a proxy.
    fn new(broker: &Broker, s3: &S3, tables: &Tables) -> Self {
        let folder = folder();
        let way = Proxy::start(s3.port());
        let pipeline = pipeline::kafka(folder.path(), PACE);
        let program = onefold(&["run", text(&pipeline), "--until-idle", "5s", "--json"])
            .env("KAFKA_BROKERS", &broker.address())
            .env("OUT", &tables.url)
            .env("STATE", text(&folder.path().join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
            .envs(&tables.options)
            .env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{}", way.port));
        Self { program, way, folder }
    }

    /// Starts the job and kills it at a moment.
    #[track_caller]
    fn kill_at(&self, moment: Moment) {
        match moment {
            Moment::At(block) => self.way.block(block, 0),
            Moment::AtSecond(block) => self.way.block(block, 1),
            Moment::Start | Moment::Commits(_) => {}
        }
        let mut process = self.program.start(self.folder.path());
        wait_until("the moment comes", || {
            assert!(!process.has_ended(), "it ended before {moment:?}: {}", process.log());
            match moment {
                Moment::Start => process.log().contains("partitions assigned"),
                Moment::Commits(count) => process.log().matches("batch committed").count() >= count,
                Moment::At(_) | Moment::AtSecond(_) => self.way.has_caught(),
            }
        });
        process.kill();
        self.way.open();
    }
}

#[test]
fn a_job_that_is_killed_again_and_again_counts_every_event_once() {
    let Some(python) = Python::find() else { return };
    let (broker, s3) = (Broker::start(&python), S3::start(&python));
    let stream = stream(250);
    let expected = Expected::of(&stream);
    let place = |name: &str| Tables { url: s3.url(name), options: s3.environment() };

    let (calm, hard) = (place("calm"), place("hard"));
    let job = Job::new(&broker, &s3, &hard);
    let moments = [
        Moment::Start,
        Moment::Commits(1),
        // Some of these come when the next start makes up for what the last kill cut short.
        Moment::AtSecond(Block::Request("/profiles/_delta_log/")),
        Moment::AtSecond(Block::Answer("/profiles/_delta_log/")),
        Moment::AtSecond(Block::Answer("/interactions/_delta_log/")),
        Moment::Commits(9),
        Moment::At(Block::Request("/_onefold/latest.json")),
        Moment::At(Block::Answer("/_onefold/latest.json")),
        Moment::At(Block::Request("/interactions/part-")),
    ];
    // Each time there is something new to read, and what was cut short before.
    let portion = stream.lines.len().div_ceil(moments.len());
    for (moment, lines) in moments.into_iter().zip(stream.lines.chunks(portion)) {
        broker.produce(lines);
        job.kill_at(moment);
    }
    let report = job.program.report();
    let undisturbed = Job::new(&broker, &s3, &calm).program.report();
    let partition = calm.assert_hold(&expected);

    for count in ["read", "resolved", "duplicate", "dead_lettered", "records", "identities"] {
        assert_eq!(report[count], undisturbed[count], "{count}");
    }
    assert!(hard.assert_hold(&expected) == partition, "the same customers");
    let found = hard.read_by_others(&python);
    assert_eq!(found["duckdb"], found["polars"]);
    let calm = calm.read_by_others(&python);
    for part in ["profiles", "interactions"] {
        assert_eq!(found["duckdb"][part], calm["duckdb"][part], "{part}");
        assert_eq!(found["duckdb"]["rows"][part], calm["duckdb"]["rows"][part], "{part}");
    }
}

#[test]
fn a_backfill_that_is_killed_goes_on_where_it_was() {
    let stream = stream(250);
    let expected = Expected::of(&stream);
    let folder = folder();
    stream.write_to(&folder.path().join("events")).expect("write events");
    let pace = "interval = \"30s\"\n[run]\nbatch = 40\n";
    let pipeline = pipeline::changed("events.toml", folder.path(), &[(pipeline::INTERVAL, pace)]);
    let job = |name: &str| {
        onefold(&["backfill", text(&pipeline), "--json"])
            .env("EVENTS_DIR", text(&folder.path().join("events")))
            .env("OUT", text(&folder.path().join(name).join("out")))
            .env("STATE", text(&folder.path().join(name).join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
    };
    let out = |name: &str| Tables::local(&folder.path().join(name).join("out"));
    job("calm").report();
    let partition = out("calm").assert_hold(&expected);
    for commits in [1, 7] {
        let mut process = job("hard").start(folder.path());
        wait_until("it is in the middle of the work", || {
            process.log().matches("batch committed").count() >= commits
        });
        assert!(!process.has_ended(), "the stream was too short");
        process.kill();
    }
    let report = job("hard").report();
    assert_eq!(report["read"], stream.lines.len());
    assert!(report["messages"].as_u64() < report["read"].as_u64(), "what was committed is kept");
    assert!(out("hard").assert_hold(&expected) == partition, "the same customers");
}
