//! Letters from a state to the broker that librdkafka brings along.

use std::path::Path;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::{BaseProducer, Producer};

use super::*;
use crate::clock::Stopwatch;
use crate::error::Kind;
use crate::pipeline::courier::TICK;
use crate::record::{Origin, Reason};
use crate::source::Options;
use crate::state::{self, Commit};

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn plan(cluster: &Cluster) -> LetterTopicPlan {
    let (brokers, topic) = (cluster.bootstrap_servers(), "letters".to_owned());
    LetterTopicPlan { brokers, topic, options: Options::default() }
}

fn store(path: &Path) -> Store {
    Store::open(path, &state::Options::default()).unwrap()
}

fn commit(store: &mut Store, offsets: std::ops::Range<u64>) -> u64 {
    let letter = |offset| DeadLetter {
        origin: Origin { source: "web".into(), partition: "web/0".into(), offset },
        reason: Reason::Malformed,
        detail: "expected JSON".to_owned(),
        payload: bytes::Bytes::from_static(b"{"),
        envelope: None,
    };
    let dead_letters: Vec<_> = offsets.map(letter).collect();
    let count = dead_letters.len() as u64;
    store.commit(&Commit { dead_letters, forwards_letters: true, ..Commit::default() }).unwrap();
    count
}

fn waiting(store: &Store) -> u64 {
    store.view().letters_waiting().unwrap()
}

fn metric(telemetry: &Telemetry, name: &str) -> u64 {
    let text = telemetry.scrape().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.expect("it is told").parse().unwrap()
}

/// How many messages the topic has.
fn in_topic(cluster: &Cluster) -> i64 {
    let mut config = rdkafka::ClientConfig::new();
    let client: BaseProducer =
        config.set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    client.client().fetch_watermarks("letters", 0, Duration::from_secs(20)).unwrap().1
}

#[test]
fn letters_wait_while_the_broker_is_away_and_go_when_it_is_back() {
    let cluster: Cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("letters", 1, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    commit(&mut store, 0..3);
    cluster.broker_down(1).unwrap();
    let telemetry = Telemetry::default();
    let mut courier = start(&plan(&cluster), "shop", &store, &telemetry).unwrap();
    let waited = Stopwatch::start();
    let failures = "onefold_dead_letter_topic_failures_total";
    while metric(&telemetry, failures) == 0 {
        let turn = Stopwatch::start();
        courier.turn(&mut store, load).unwrap();
        assert!(turn.elapsed() < Duration::from_secs(1), "the loop does not wait");
        assert!(waited.elapsed() < Duration::from_secs(60));
        std::thread::sleep(TICK);
    }
    // The job goes on meanwhile.
    courier.note(commit(&mut store, 3..5));
    courier.turn(&mut store, load).unwrap();
    assert_eq!(waiting(&store), 5);
    assert_eq!(metric(&telemetry, "onefold_dead_letter_topic_waiting"), 5);

    cluster.broker_up(1).unwrap();
    let waited = Stopwatch::start();
    assert!(
        courier.drain(&mut store, load, || waited.elapsed() < Duration::from_secs(60)).unwrap()
    );
    assert_eq!(waiting(&store), 0);
    assert_eq!(metric(&telemetry, "onefold_dead_letter_topic_waiting"), 0);
    assert_eq!(metric(&telemetry, "onefold_dead_letter_topic_delivered_total"), 5);
    assert_eq!(in_topic(&cluster), 5);
}

#[test]
fn what_is_not_delivered_in_time_is_left_for_the_next_start() {
    let cluster: Cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("letters", 1, 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    commit(&mut store, 0..4);
    cluster.broker_down(1).unwrap();
    let mut courier = start(&plan(&cluster), "shop", &store, &Telemetry::default()).unwrap();
    assert!(!courier.drain(&mut store, load, || false).unwrap());
    assert_eq!(waiting(&store), 4);
    drop(courier);

    cluster.broker_up(1).unwrap();
    let mut courier = start(&plan(&cluster), "shop", &store, &Telemetry::default()).unwrap();
    let waited = Stopwatch::start();
    assert!(
        courier.drain(&mut store, load, || waited.elapsed() < Duration::from_secs(60)).unwrap()
    );
    assert_eq!((waiting(&store), in_topic(&cluster)), (0, 4));
}

#[test]
fn a_setting_that_is_refused_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let options = [("security.protocol".to_owned(), "canary".to_owned())];
    let plan = LetterTopicPlan {
        brokers: "127.0.0.1:1".to_owned(),
        topic: "letters".to_owned(),
        options: Options(options.into()),
    };
    let started = start(&plan, "shop", &store, &Telemetry::default());
    let error = started.map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    let text = error.to_string();
    assert!(text.starts_with("dead_letters.kafka: ") && !text.contains("canary"), "{text}");
}
