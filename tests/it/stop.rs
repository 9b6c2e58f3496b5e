//! Asked to stop, the job commits and publishes what it has read, exits 0, and goes on from there when it is started
//! again.

use onefold::sink::tables::INTERACTIONS;
use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::pipeline;
use crate::support::process::Process;
use crate::support::program::onefold;
use crate::support::python::Python;
use crate::support::tables::Tables;
use crate::support::{folder, text, wait_until};

/// Sends SIGTERM, and reads what the job says that it did.
#[track_caller]
fn stopped(process: &mut Process) -> Value {
    process.terminate();
    let status = process.wait();
    let log = process.log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("shutdown requested"), "{log}");
    serde_json::from_str(&process.output()).expect("it prints what it did")
}

#[test]
fn a_stop_drains_and_the_next_start_goes_on() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    let stream = stream(250);
    let expected = Expected::of(&stream);
    let folder = folder();
    let pace = "interval = \"100ms\"\n[run]\nbatch = 30\ncommit_interval = \"20ms\"\n";
    let pipeline = pipeline::kafka(folder.path(), pace);
    let tables = Tables::local(&folder.path().join("out"));
    let command = |arguments: &[&str]| {
        onefold(&[&["run", text(&pipeline), "--json"], arguments].concat())
            .env("KAFKA_BROKERS", &broker.address())
            .env("OUT", &tables.url)
            .env("STATE", text(&folder.path().join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
    };
    let job = command(&[]);

    // While there is nothing to read, there is nothing to commit.
    let mut process = job.start(folder.path());
    wait_until("it listens for signals", || folder.path().join("state/witness").exists());
    assert_eq!(stopped(&mut process)["read"], 0);

    broker.produce(&stream.lines);
    let mut process = job.start(folder.path());
    wait_until("it is in the middle of the work", || {
        process.log().matches("batch committed").count() >= 5
    });
    let report = stopped(&mut process);
    let read = report["read"].as_u64().expect("a count");
    assert!(read >= 5, "{report}");
    let published = tables.rows(&INTERACTIONS, &["event_id"]).len();
    assert_eq!(report["resolved"], published, "everything that was committed is published");

    // An idle job obeys, too.
    let mut process = job.start(folder.path());
    wait_until("it has read all", || {
        tables.rows(&INTERACTIONS, &["event_id"]).len() == expected.events.len()
    });
    let report = stopped(&mut process);
    assert_eq!(report["read"], stream.lines.len());
    assert_eq!(report["messages"], stream.lines.len() as u64 - read, "nothing was read twice");
    tables.assert_hold(&expected);

    // Nothing is left to be done.
    let report = command(&["--until-idle", "1s"]).report();
    assert_eq!((&report["messages"], &report["publishes"]), (&0.into(), &0.into()));
    tables.assert_hold(&expected);
}
