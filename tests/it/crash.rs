//! Killed at any moment and started again, the job ends with what an undisturbed one has: nothing lost, nothing twice.

use std::sync::Arc;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use onefold::sink::open_store;

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::pipeline;
use crate::support::process::Process;
use crate::support::program::{Program, onefold};
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
    /// While it publishes, as soon as something new is in this folder.
    Within(&'static str),
    /// As soon as the consistent set has moved, before the state knows.
    Published,
}

/// A job on one broker and one place, which can be started again and again.
struct Job {
    program: Program,
    place: Place,
    folder: tempfile::TempDir,
}

impl Job {
    fn new(broker: &Broker, tables: &Tables) -> Self {
        let folder = folder();
        let pipeline = pipeline::kafka(folder.path(), PACE);
        let program = onefold(&["run", text(&pipeline), "--until-idle", "5s", "--json"])
            .env("KAFKA_BROKERS", &broker.address())
            .env("OUT", &tables.url)
            .env("STATE", text(&folder.path().join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
            .envs(&tables.options);
        Self { program, place: Place::of(tables), folder }
    }

    /// Starts the job and kills it at a moment; `false` where it ended before.
    fn kill_at(&self, moment: Moment) -> bool {
        let mut before = self.place.look(moment);
        // Each start puts a fence into every table's log.
        before.objects += 1;
        let mut process = self.program.start(self.folder.path());
        wait_until("the moment comes", || {
            process.has_ended() || self.has_come(moment, &process, &mut before)
        });
        let early = process.has_ended();
        process.kill();
        !early
    }

    fn has_come(&self, moment: Moment, process: &Process, before: &mut Look) -> bool {
        match moment {
            Moment::Start => process.log().contains("partitions assigned"),
            Moment::Commits(count) => process.log().matches("batch committed").count() >= count,
            Moment::Published => self.place.look(moment).latest != before.latest,
            Moment::Within(_) => {
                let now = self.place.look(moment);
                if now.latest == before.latest {
                    return now.objects > before.objects;
                }
                // The publish was over before it was seen; the next one may be seen.
                *before = now;
                false
            }
        }
    }
}

/// The place of the tables, as an onlooker sees it.
struct Place {
    runtime: tokio::runtime::Runtime,
    store: Arc<dyn ObjectStore>,
    root: Path,
}

/// What is at the place.
struct Look {
    /// The tag of the consistent set.
    latest: Option<String>,
    /// How many objects the folder holds that is watched.
    objects: usize,
}

impl Place {
    fn of(tables: &Tables) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (store, root) = open_store(&tables.url, &tables.options).expect("open the place");
        Self { runtime, store, root }
    }

    fn look(&self, moment: Moment) -> Look {
        let at = |path: &str| Path::from(format!("{}/{path}", self.root));
        self.runtime.block_on(async {
            let objects = match moment {
                Moment::Within(folder) => self.store.list(Some(&at(folder))).count().await,
                _ => 0,
            };
            // Before the first publish there is none.
            let latest = self.store.head(&at("_onefold/latest.json")).await.ok();
            Look { latest: latest.and_then(|object| object.e_tag), objects }
        })
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
    let job = Job::new(&broker, &hard);
    let moments = [
        Moment::Start,
        Moment::Commits(1),
        Moment::Within("profiles"),
        Moment::Published,
        Moment::Within("interactions"),
        Moment::Commits(9),
        Moment::Within("profiles/_delta_log"),
        Moment::Within("identity_map"),
    ];
    // Each time there is something new to read, and what was cut short before.
    let portion = stream.lines.len().div_ceil(moments.len());
    for (moment, lines) in moments.into_iter().zip(stream.lines.chunks(portion)) {
        broker.produce(lines);
        assert!(job.kill_at(moment), "it ended before {moment:?}");
    }
    let report = job.program.report();
    let undisturbed = Job::new(&broker, &calm).program.report();
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
