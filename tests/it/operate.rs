//! A running job can be watched: probes, metrics and status say what is so, from the start to the last commit.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use onefold::sink::tables::ALL;
use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::http::{Endpoint, Metrics};
use crate::support::pipeline;
use crate::support::process::Process;
use crate::support::program::onefold;
use crate::support::proxy::{Block, Proxy};
use crate::support::python::Python;
use crate::support::s3::S3;
use crate::support::tables::Tables;
use crate::support::{folder, repository, text, wait_until};

/// What a caller must know in these tests.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The endpoint on a free port.
const HTTP: &str = "[http]\naddress = \"127.0.0.1:0\"\ntoken = \"${TOKEN}\"\n";

/// What became of the messages, which the report calls by the same names.
const COUNTS: [(&str, &str); 4] = [
    ("onefold_messages_read_total", "read"),
    ("onefold_events_resolved_total", "resolved"),
    ("onefold_events_duplicate_total", "duplicate"),
    ("onefold_messages_dead_lettered_total", "dead_lettered"),
];

#[track_caller]
fn assert_reconciles(metrics: &Metrics, told: &Value) {
    let [read, parts @ ..] = COUNTS.map(|(metric, _)| metrics.sum(metric));
    assert_eq!(read, parts.iter().sum::<f64>(), "{metrics:?}");
    for (metric, count) in COUNTS {
        assert_eq!(Some(metrics.sum(metric)), told[count].as_f64(), "{metric}: {told}");
    }
}

#[track_caller]
fn report(process: &mut Process) -> Value {
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    serde_json::from_str(&process.output()).expect("it prints what it did")
}

#[test]
fn a_stream_is_watched_from_start_to_stop() {
    let Some(python) = Python::find() else { return };
    let broker = Broker::start(&python);
    let stream = stream(120);
    let expected = Expected::of(&stream);
    let folder = folder();
    let pace =
        format!("interval = \"100ms\"\n[run]\nbatch = 50\ncommit_interval = \"20ms\"\n{HTTP}");
    let pipeline = pipeline::kafka(folder.path(), &pace);
    let tables = Tables::local(&folder.path().join("out"));
    let mut process = onefold(&["run", text(&pipeline), "--json"])
        .env("KAFKA_BROKERS", &broker.address())
        .env("OUT", &tables.url)
        .env("STATE", text(&folder.path().join("state")))
        .env("TOKEN", TOKEN)
        .start(folder.path());

    // It answers before the state is open, and is ready once all partitions are read.
    let stranger = Endpoint::of(&mut process);
    let first = stranger.get("/ready");
    assert_eq!(first.status, 503, "{first:?}");
    assert_eq!(stranger.get("/health").status, 200);
    wait_until("it is ready", || stranger.get("/ready").status == 200);
    assert_eq!(stranger.get("/ready").json()["reasons"], serde_json::json!([]));
    assert_eq!(stranger.metrics().sum("onefold_ready"), 1.0);

    broker.produce(&stream.lines);
    let all = stream.lines.len() as f64;
    wait_until("all is read and published", || {
        stranger.metrics().tell_all_published(expected.events.len(), expected.refused.len())
    });
    let metrics = stranger.metrics();
    assert_eq!(metrics.sum("onefold_source_messages_total"), all);
    assert_eq!(metrics.sum("onefold_messages_dead_lettered_total"), expected.refused.len() as f64);
    for measured in [
        "onefold_batch_duration_seconds_count",
        "onefold_stage_duration_seconds_count",
        "onefold_publish_duration_seconds_count",
        "onefold_candidates_per_record_count",
        "onefold_largest_component_records_count",
        "onefold_identities",
        "onefold_state_bytes",
        "onefold_state_disk_free_bytes",
        "onefold_table_files",
        "onefold_table_bytes",
        "onefold_process_resident_memory_bytes",
        "onefold_process_open_fds",
        "onefold_last_commit_timestamp_seconds",
        "onefold_source_newest_event_timestamp_seconds",
    ] {
        assert!(metrics.sum(measured) > 0.0, "{measured}: {metrics:?}");
    }

    // The status tells where the partitions stand, to those who may know.
    assert_eq!(stranger.get("/status").status, 401);
    let friend = Endpoint::of(&mut process).with_token(TOKEN);
    let answer = friend.get("/status");
    assert_eq!(answer.status, 200, "{answer:?}");
    let status = answer.json();
    let sources = status["sources"].as_object().expect("sources").values();
    let positions = sources.flat_map(|source| source["positions"].as_object().expect("positions"));
    let read: u64 = positions.map(|(_, next)| next.as_u64().expect("an offset")).sum();
    assert_eq!(read, stream.lines.len() as u64, "{status}");
    assert_eq!(status["sequence"], status["published"]);
    assert_eq!(status["tables"].as_object().expect("tables").len(), ALL.len());
    assert_reconciles(&metrics, &status);

    process.terminate();
    let report = report(&mut process);
    assert_reconciles(&metrics, &report);
    assert_eq!(metrics.sum("onefold_identities"), report["identities"].as_f64().expect("a count"));
    assert_eq!(metrics.sum("onefold_records"), report["records"].as_f64().expect("a count"));
    assert!(stranger.try_get("/health").is_none(), "it has ended");
}

#[test]
fn a_drain_is_alive_and_not_ready() {
    let Some(python) = Python::find() else { return };
    let s3 = S3::start(&python);
    let way = Proxy::start(s3.port());
    let folder = folder();
    let patience = "interval = \"30s\"\noptions = { timeout = \"1 second\" }\n";
    let pipeline = pipeline::changed(
        "events.toml",
        folder.path(),
        &[(pipeline::INTERVAL, &format!("{patience}{HTTP}"))],
    );
    way.block(Block::Request("/_onefold/latest.json"), 0);
    let mut process = onefold(&["run", text(&pipeline), "--json"])
        .env("EVENTS_DIR", text(&repository("tests/data/events")))
        .env("OUT", &s3.url("out"))
        .env("STATE", text(&folder.path().join("state")))
        .env("TOKEN", TOKEN)
        .envs(&s3.environment())
        .env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{}", way.port))
        .start(folder.path());
    let endpoint = Endpoint::of(&mut process);
    wait_until("it publishes what it read", || {
        assert!(!process.has_ended(), "it ended: {}", process.log());
        way.has_caught()
    });
    assert_eq!((endpoint.get("/health").status, endpoint.get("/ready").status), (200, 200));
    wait_until("publishing fails", || {
        endpoint.metrics().sum("onefold_publish_failures_total") > 0.0
    });

    process.terminate();
    wait_until("it says that it stops", || endpoint.get("/ready").status == 503);
    let ready = endpoint.get("/ready").json();
    let reason = ready["reasons"][0].as_str().expect("a reason");
    assert!(reason.starts_with("stopping"), "{ready}");
    let health = endpoint.get("/health");
    assert_eq!(health.status, 200, "{health:?}");
    assert_eq!(health.json()["doing"], "publishing");
    let metrics = endpoint.metrics();
    assert_eq!(metrics.sum("onefold_published_sequence"), 0.0);
    assert!(metrics.sum("onefold_messages_read_total") > 0.0);

    way.open();
    let report = report(&mut process);
    assert_reconciles(&metrics, &report);
    assert!(process.log().contains("pipeline stopped"), "{}", process.log());
}

/// A job that waits for a broker that is not there.
fn waiting(folder: &Path, http: &str) -> Process {
    let pace = format!("interval = \"1s\"\n{http}");
    let pipeline = pipeline::kafka(folder, &pace);
    onefold(&["run", text(&pipeline)])
        .env("KAFKA_BROKERS", "127.0.0.1:1")
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
        .env("TOKEN", TOKEN)
        .start(folder)
}

#[test]
fn a_job_whose_broker_is_away_is_alive_and_not_ready() {
    let folder = folder();
    let mut process = waiting(folder.path(), HTTP);
    let endpoint = Endpoint::of(&mut process);
    wait_until("it waits for the brokers", || {
        let answer = endpoint.get("/ready");
        assert_eq!(answer.status, 503);
        answer.body.contains("source web is")
    });
    assert_eq!(endpoint.get("/health").status, 200);
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}

#[test]
fn tls_is_spoken_where_it_is_asked_for() {
    let folder = folder();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", text(&key), "-out", text(&certificate)])
        .output()
        .expect("run openssl, which ca-certificates brings");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let tls = format!(
        "{HTTP}token_for = \"all\"\ntls = {{ certificate = \"{}\", key = \"{}\" }}\n",
        text(&certificate),
        text(&key)
    );
    let mut process = waiting(folder.path(), &tls);
    let plain = Endpoint::of(&mut process);
    assert!(plain.try_get("/health").is_none(), "plain HTTP is not answered");
    let stranger = Endpoint::of(&mut process).with_tls(&certificate);
    assert_eq!(stranger.get("/health").status, 401);
    let friend = stranger.with_token(TOKEN);
    let answer = friend.get("/health");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
    assert_eq!(friend.get("/status").json()["pipeline"], "retail");
    assert!(process.log().contains("tls=true"), "{}", process.log());
}

#[test]
fn what_others_could_reach_wants_to_be_said() {
    let folder = folder();
    let refused = |http: &str, remedy: &str| {
        let mut process = waiting(folder.path(), http);
        assert_eq!(process.wait().code(), Some(2), "{}", process.log());
        assert!(process.log().contains(remedy), "{}", process.log());
        assert!(!process.log().contains(TOKEN), "a token is a secret: {}", process.log());
    };
    refused("[http]\naddress = \"0.0.0.0:0\"\n", "set `allow_remote = true` in [http]");
    refused("[http]\naddress = \"127.0.0.1:0\"\ntoken = \"short\"\n", "give 16 characters");
    let tls = "tls = { certificate = \"none.pem\", key = \"none.pem\" }\n";
    refused(&format!("{HTTP}{tls}"), "[http] tls.certificate = none.pem: cannot be read");
    let mut process =
        waiting(folder.path(), "[http]\naddress = \"0.0.0.0:0\"\nallow_remote = true\n");
    wait_until("it listens", || process.log().contains("http listening"));
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}

/// Names of metrics, as `schemas/metrics.md` lists them, and as Prometheus stores them.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(repository("schemas/metrics.md")).expect("the list of metrics");
    let mut names = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| `onefold_")) {
        let mut cells = row.split(" | ");
        let name = cells.next().expect("a name").trim_matches(['|', ' ', '`']);
        if cells.next() == Some("histogram") {
            names.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        } else {
            names.insert(name.to_owned());
        }
    }
    assert!(names.len() > 40, "{names:?}");
    names
}

/// The metrics that an expression names.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("onefold_")).map(ToOwned::to_owned).collect()
}

#[track_caller]
fn assert_documented(expression: &str) {
    let unknown: Vec<_> = named(expression).difference(&documented()).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:?} in {expression}");
    assert!(!named(expression).is_empty() || expression.contains("up"), "{expression}");
    let pairs = [('(', ')'), ('{', '}'), ('[', ']')];
    for (open, close) in pairs {
        assert_eq!(
            expression.matches(open).count(),
            expression.matches(close).count(),
            "{expression}"
        );
    }
}

/// Every `expr` of a document, wherever it stands.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(expression)) = members.get("expr") {
                found.push(expression.clone());
            }
            members.values().for_each(|member| expressions(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| expressions(element, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_names_metrics_that_are_there() {
    let text =
        fs::read_to_string(repository("packaging/grafana-dashboard.json")).expect("it is shipped");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 15, "{found:?}");
    for expression in found {
        assert_documented(&expression);
    }
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
    assert!(panels.iter().all(|panel| panel["title"].is_string()));
}

#[test]
fn every_alert_says_what_it_means_and_what_to_do() {
    let Some(python) = Python::find() else { return };
    let code = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let path = repository("packaging/alerts.yaml");
    let read = Command::new(python.program("python")).args(["-c", code, text(&path)]).output();
    let read = read.expect("run Python");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let alerts: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    let page = fs::read_to_string(repository("docs/operations.md")).expect("the operator's page");
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let anchor = |heading: &str| format!("#{}", heading.to_lowercase().replace(' ', "-"));
    let answered: BTreeSet<String> = headings.map(anchor).collect();
    let mut names = BTreeSet::new();
    for rule in alerts["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"))
    {
        assert_documented(rule["expr"].as_str().expect("an expression"));
        names.insert(rule["alert"].as_str().expect("a name").to_owned());
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("page" | "ticket")), "{rule}");
        let notes = &rule["annotations"];
        assert!(notes["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{rule}");
        let runbook = notes["runbook"].as_str().expect("a runbook");
        let anchor = runbook.strip_prefix("docs/operations.md").expect("the operator's page");
        assert!(answered.contains(anchor), "{rule}");
    }
    assert!(names.len() >= 10, "{names:?}");
}

/// What a collector would be sent.
#[cfg(feature = "otel")]
#[test]
fn spans_go_to_a_collector() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let collector = listener.local_addr().expect("it is bound");
    let folder = folder();
    let mut process = onefold(&["backfill", "pipelines/events.toml"])
        .env("EVENTS_DIR", text(&repository("tests/data/events")))
        .env("OUT", text(&folder.path().join("out")))
        .env("STATE", text(&folder.path().join("state")))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{collector}"))
        .start(folder.path());
    let (mut sent, _) = listener.accept().expect("it sends");
    let mut request = Vec::new();
    let mut part = [0; 4096];
    // The names of spans stand in the message as they are.
    while !["batch", "prepare", "resolve", "commit", "publish"]
        .iter()
        .all(|name| request.windows(name.len()).any(|window| window == name.as_bytes()))
    {
        let length = sent.read(&mut part).expect("it goes on");
        assert!(length > 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&part[..length]);
    }
    assert!(request.starts_with(b"POST /v1/traces HTTP/1.1"), "{request:?}");
    sent.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .expect("it listens");
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}
