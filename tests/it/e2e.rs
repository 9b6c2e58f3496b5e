//! Events through a real broker into tables on a real S3 server, read by real readers.

use std::collections::BTreeMap;

use onefold::demo::Channel;
use onefold::sink::tables::DEAD_LETTERS;
use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::events::{Expected, malformed, stream};
use crate::support::program::onefold;
use crate::support::python::Python;
use crate::support::s3::S3;
use crate::support::tables::{Tables, word};
use crate::support::{folder, text};

#[test]
fn events_of_a_broker_become_tables_on_s3_that_others_read() {
    let Some(python) = Python::find() else { return };
    let (broker, s3) = (Broker::start(&python), S3::start(&python));
    let stream = stream(400);
    let expected = Expected::of(&stream);
    let placed = broker.produce(&stream.lines);
    let state = folder();
    let tables = Tables { url: s3.url("out"), options: s3.environment() };
    let report = onefold(&["run", "pipelines/events-kafka.toml", "--until-idle", "5s", "--json"])
        .env("KAFKA_BROKERS", &broker.address())
        .env("OUT", &tables.url)
        .env("STATE", text(state.path()))
        .envs(&tables.options)
        .report();

    let (read, refused) = (stream.lines.len(), stream.malformed.len());
    assert_eq!(report["read"], read);
    assert_eq!(report["resolved"], expected.events.len());
    assert_eq!(report["duplicate"], stream.redelivered);
    assert_eq!(report["dead_lettered"], refused);
    assert_eq!(read, expected.events.len() + stream.redelivered + refused);

    let partition = tables.assert_hold(&expected);
    assert_eq!(report["identities"], partition.len());
    let letters = tables.rows(&DEAD_LETTERS, &["partition", "offset"]);
    let mut found: Vec<_> =
        letters.iter().map(|row| (word(row, "partition"), row["offset"].as_u64())).collect();
    let mut positions: Vec<_> = malformed(&stream)
        .iter()
        .flat_map(|line| &placed[&line.event_id])
        .map(|(partition, offset)| (partition.clone(), Some(*offset)))
        .collect();
    found.sort();
    positions.sort();
    assert_eq!(found, positions, "dead letters say where the broken lines stand");

    assert_others_agree(&tables.read_by_others(&python), &report, &expected);
}

/// What DuckDB and Polars counted and summed is what the pipeline says, and what the events say.
fn assert_others_agree(found: &Value, report: &Value, expected: &Expected) {
    let sums = |(purchases, returns): (i64, i64)| json!({ "purchase_minor": purchases, "return_minor": returns });
    let money: BTreeMap<_, _> =
        expected.money.iter().map(|(currency, money)| (currency, sums(*money))).collect();
    let money = json!(money);
    for reader in ["duckdb", "polars"] {
        let found = &found[reader];
        let rows = &found["rows"];
        assert_eq!(rows["profiles"], report["identities"], "{reader}");
        assert_eq!(rows["identity_map"], report["records"], "{reader}");
        assert_eq!(rows["interactions"], report["resolved"], "{reader}");
        assert_eq!(rows["dead_letters"], report["dead_lettered"], "{reader}");
        assert_eq!(found["profiles"], money, "{reader}");
        assert_eq!(found["interactions"], money, "{reader}");
    }
    assert_eq!(found["duckdb"], found["polars"]);
}

#[test]
fn files_on_s3_become_tables_on_s3() {
    let Some(python) = Python::find() else { return };
    let s3 = S3::start(&python);
    let stream = stream(120);
    let expected = Expected::of(&stream);
    let tables = Tables { url: s3.url("out"), options: s3.environment() };
    for channel in Channel::ALL {
        let lines = stream.lines.iter().filter(|line| line.channel == channel);
        let text: String = lines.map(|line| format!("{}\n", line.text)).collect();
        s3.put(&format!("events/{}.jsonl", channel.name()), text);
    }
    let state = folder();
    let report = onefold(&["backfill", "pipelines/events.toml", "--json"])
        .env("EVENTS_DIR", &s3.url("events"))
        .env("OUT", &tables.url)
        .env("STATE", text(state.path()))
        .envs(&tables.options)
        .report();
    assert_eq!(report["read"], stream.lines.len());
    tables.assert_hold(&expected);
    assert_others_agree(&tables.read_by_others(&python), &report, &expected);
}
