//! What Kafka does to a job: brokers that die, workers that come and go, messages of all sizes.

use std::time::Duration;

use rdkafka::consumer::Consumer;

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::pipeline;
use crate::support::program::{Program, onefold};
use crate::support::python::Python;
use crate::support::s3::S3;
use crate::support::tables::Tables;
use crate::support::{folder, text, wait_until};

/// Many commits.
const PACE: &str = "interval = \"50ms\"\n[run]\nbatch = 20\ncommit_interval = \"20ms\"\n";

/// A job with state and tables in a folder of its own.
struct Job {
    program: Program,
    tables: Tables,
    folder: tempfile::TempDir,
}

impl Job {
    fn new(broker: &Broker) -> Self {
        let folder = folder();
        let pipeline = pipeline::kafka(folder.path(), PACE);
        let out = folder.path().join("out");
        let program = onefold(&["run", text(&pipeline), "--until-idle", "5s", "--json"])
            .env("KAFKA_BROKERS", &broker.address())
            .env("OUT", text(&out))
            .env("STATE", text(&folder.path().join("state")))
            .env("ONEFOLD_LOG", "onefold=debug");
        Self { program, tables: Tables::local(&out), folder }
    }
}

#[test]
fn a_broker_that_is_killed_and_comes_back_loses_and_repeats_nothing() {
    let Some(python) = Python::find() else { return };
    let s3 = S3::start(&python);
    let mut broker = Broker::on_s3(&python, &s3);
    let stream = stream(100);
    let (first, rest) = stream.lines.split_at(stream.lines.len() / 2);
    broker.produce(first);
    let job = Job::new(&broker);
    let mut process = job.program.start(job.folder.path());
    wait_until("it has read something", || {
        assert!(!process.has_ended(), "{}", process.log());
        process.log().contains("batch committed")
    });
    broker.kill();
    wait_until("it notices", || process.log().contains("the broker cannot be read"));
    broker.restart();
    broker.produce(rest);
    assert!(process.wait().success(), "{}", process.log());
    let report: serde_json::Value = serde_json::from_str(&process.output()).expect("a report");
    assert_eq!(report["read"], stream.lines.len());
    job.tables.assert_hold(&Expected::of(&stream));
}

#[test]
fn two_jobs_of_one_group_have_all_of_it_each() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    let stream = stream(100);
    let (first, rest) = stream.lines.split_at(stream.lines.len() / 2);
    broker.produce(first);
    let jobs = [Job::new(&broker), Job::new(&broker)];
    let mut processes = jobs.each_ref().map(|job| job.program.start(job.folder.path()));
    wait_until("both have read something", || {
        processes.iter_mut().all(|process| {
            assert!(!process.has_ended(), "{}", process.log());
            process.log().contains("batch committed")
        })
    });
    broker.produce(rest);
    let expected = Expected::of(&stream);
    for (job, mut process) in jobs.iter().zip(processes) {
        assert!(process.wait().success(), "{}", process.log());
        let report: serde_json::Value = serde_json::from_str(&process.output()).expect("a report");
        assert_eq!(report["read"], stream.lines.len());
        job.tables.assert_hold(&expected);
    }
}

#[test]
fn a_job_that_is_killed_leaves_no_member_to_wait_for() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    let stream = stream(100);
    broker.produce(&stream.lines);
    let job = Job::new(&broker);
    let mut process = job.program.start(job.folder.path());
    wait_until("it has read something", || process.log().contains("batch committed"));
    assert_eq!(broker.members("onefold-retail"), 0, "it reads as nobody's member");
    // The question is one that this broker answers.
    let member = broker.consumer("another");
    member.subscribe(&["web"]).expect("it subscribes");
    wait_until("another is a member", || {
        member.poll(Duration::from_millis(50));
        broker.members("another") == 1
    });
    process.kill();
    let report = job.program.report();
    assert_eq!(report["read"], stream.lines.len());
    job.tables.assert_hold(&Expected::of(&stream));
    let committed = broker.committed("onefold-retail");
    assert_eq!(committed, stream.lines.len() as u64, "lag tools see how far it is");
}
