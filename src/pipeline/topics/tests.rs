//! Profiles and changes from a state to the broker that librdkafka brings along.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::*;
use crate::clock::Stopwatch;
use crate::error::Kind;
use crate::pipeline::testing::{Shop, crm, web};
use crate::sink::feed::CHANGE;
use crate::source::Options;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster: Cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("customers", 2, 1).unwrap();
    cluster.create_topic("changes", 2, 1).unwrap();
    cluster
}

fn plan(cluster: &Cluster) -> TopicsPlan {
    TopicsPlan {
        brokers: cluster.bootstrap_servers(),
        profiles: Some("customers".to_owned()),
        changes: Some("changes".to_owned()),
        options: Options::default(),
    }
}

/// A message: key, name of the change, value.
type Found = (String, Option<String>, Option<Value>);

fn consume(cluster: &Cluster, topic: &str) -> Vec<Found> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "test")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..2 {
        all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let (mut found, mut ended) = (Vec::new(), 0);
    while ended < 2 {
        let Ok(message) = consumer.poll(Duration::from_secs(20)).expect("an answer comes") else {
            ended += 1;
            continue;
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().unwrap();
        let change = headers.iter().find(|header| header.key == CHANGE);
        found.push((
            text(message.key().unwrap()),
            change.map(|header| text(header.value.unwrap())),
            message.payload().map(|bytes| serde_json::from_slice(bytes).unwrap()),
        ));
    }
    found
}

/// What a compacted topic keeps: the records of each customer.
fn customers(cluster: &Cluster) -> BTreeMap<String, u64> {
    let last: BTreeMap<String, Option<Value>> =
        consume(cluster, "customers").into_iter().map(|(key, _, value)| (key, value)).collect();
    let records = |row: Value| row["records"].as_u64().unwrap();
    last.into_iter().filter_map(|(key, value)| Some((key, records(value?)))).collect()
}

fn present(shop: &Shop) -> BTreeMap<String, u64> {
    let live = shop.registry.live().into_iter();
    live.map(|id| (id.to_string(), shop.registry.members(&id).len() as u64)).collect()
}

fn drain(topics: &mut Topics, shop: &mut Shop) -> Complete {
    let waited = Stopwatch::start();
    let settings = Settings::default();
    let present =
        Present { registry: &shop.registry, resolver: &shop.resolver, settings: &settings };
    topics.drain(&mut shop.store, present, || waited.elapsed() < Duration::from_secs(60)).unwrap()
}

const ALL: Complete = Complete { profiles: true, changes: true };

fn email(name: &str) -> Value {
    json!({"email": format!("{name}@shop.example.org")})
}

fn both() -> Value {
    json!({"email": "ada@shop.example.org", "loyalty": "L-100"})
}

#[test]
fn a_new_topic_gets_everybody_and_then_what_changes() {
    let cluster = cluster();
    let mut shop = Shop::open();
    shop.send(&[web("e1", 1, email("ada")), web("e2", 2, json!({"loyalty": "L-100"}))]);
    let plan = plan(&cluster);
    assert_eq!(shop.store.follow(followed(Some(&plan))).unwrap(), 0);
    assert_eq!(shop.store.forwarded(Forwarded::Profiles), 2);
    assert_eq!(shop.store.forwarded(Forwarded::Changes), 0, "from then on");
    let telemetry = Telemetry::default();
    let mut topics = Topics::start(&plan, "shop", &shop.store, &telemetry).unwrap();
    assert_eq!(drain(&mut topics, &mut shop), ALL);
    assert_eq!(customers(&cluster), present(&shop));
    assert_eq!(customers(&cluster).len(), 2);

    // They become one; what is waiting then survives a restart, and comes once more where it was not cleared.
    let commit = shop.send(&[crm("r", 3, both())]);
    assert_eq!(shop.registry.identities(), 1);
    let mut shop = shop.restart();
    assert_eq!(shop.store.follow(followed(Some(&plan))).unwrap(), 0);
    let said = (commit.changes.len() + commit.moves.len()) as u64;
    assert_eq!(shop.store.forwarded(Forwarded::Changes), said);
    drop(topics);
    let mut topics = Topics::start(&plan, "shop", &shop.store, &telemetry).unwrap();
    assert_eq!(drain(&mut topics, &mut shop), ALL);
    assert_eq!(customers(&cluster), present(&shop));
    let names: Vec<String> =
        consume(&cluster, "changes").into_iter().map(|(_, name, _)| name.unwrap()).collect();
    assert_eq!(names.len() as u64, said);
    for row in &commit.moves {
        assert!(names.contains(&format!("2 {} assigned", row.record)), "{names:?}");
    }
    let ended = commit.changes[0].identity;
    assert!(names.contains(&format!("2 {ended} merged")), "{names:?}");

    // Without topics nothing waits; with them again, the topic gets everybody, and who is no more.
    shop.send(&[web("e3", 4, email("bob"))]);
    assert!(shop.store.follow(Followed::default()).unwrap() > 0);
    shop.send(&[web("e4", 5, email("eve"))]);
    assert_eq!(shop.store.forwarded(Forwarded::Profiles), 0);
    shop.store.follow(followed(Some(&plan))).unwrap();
    assert_eq!(shop.store.forwarded(Forwarded::Profiles), 4);
    assert_eq!(drain(&mut topics, &mut shop), ALL);
    assert_eq!(customers(&cluster), present(&shop));
}

#[test]
fn what_waits_for_a_broker_that_is_away_goes_when_it_is_back() {
    let cluster = cluster();
    let mut shop = Shop::open();
    let plan = plan(&cluster);
    shop.store.follow(followed(Some(&plan))).unwrap();
    shop.send(&[web("e1", 1, email("ada"))]);
    cluster.broker_down(1).unwrap();
    let telemetry = Telemetry::default();
    let mut topics = Topics::start(&plan, "shop", &shop.store, &telemetry).unwrap();
    let failed = |telemetry: &Telemetry| {
        let text = telemetry.scrape().unwrap();
        text.lines().filter(|it| it.starts_with("onefold_publish_topic_failures_total")).count()
    };
    let waited = Stopwatch::start();
    let settings = Settings::default();
    while failed(&telemetry) < 2 {
        let turn = Stopwatch::start();
        let present =
            Present { registry: &shop.registry, resolver: &shop.resolver, settings: &settings };
        topics.turn(&mut shop.store, present).unwrap();
        assert!(turn.elapsed() < Duration::from_secs(1), "the loop does not wait");
        assert!(waited.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    // The job goes on meanwhile; what was on the way is out of date when it arrives.
    shop.send(&[web("e2", 2, json!({"loyalty": "L-100"})), crm("r", 3, both())]);
    cluster.broker_up(1).unwrap();
    assert_eq!(drain(&mut topics, &mut shop), ALL);
    assert_eq!(customers(&cluster), present(&shop));
    assert_eq!(shop.store.forwarded(Forwarded::Changes), 0);
}

#[test]
fn of_what_is_erased_only_that_is_still_said() {
    let cluster = cluster();
    let mut shop = Shop::open();
    shop.store.follow(followed(Some(&plan(&cluster)))).unwrap();
    let commit = shop.send(&[web("e1", 1, email("ada")), web("e2", 2, email("bob"))]);
    let before = shop.store.forwarded(Forwarded::Changes);
    let gone = commit.moves[0].record;
    let under_way = shop.store.view().changes_waiting(None, usize::MAX).unwrap();
    let before_it = [(gone, commit.moves[0].epoch - 1)].into();
    shop.store.forget_moves_of(&before_it).unwrap();
    assert_eq!(shop.store.forwarded(Forwarded::Changes), before, "it came later");
    shop.store.forget_moves_of(&[(gone, commit.moves[0].epoch)].into()).unwrap();
    assert_eq!(shop.store.forwarded(Forwarded::Changes), before - 1);
    let waiting = shop.store.view().changes_waiting(None, usize::MAX).unwrap();
    let of_gone = |said: &Said| matches!(said, Said::Record(row) if row.record == gone);
    assert!(!waiting.rows.iter().any(of_gone));
    assert_eq!(waiting.rows.len() as u64, before - 1);
    // What was on the way meanwhile is cleared for what it is by now.
    let cleared = shop.store.clear_forwarded(Forwarded::Changes, &under_way.places).unwrap();
    assert_eq!((cleared, shop.store.forwarded(Forwarded::Changes)), (before - 1, 0));
}

#[test]
fn a_setting_that_is_refused_is_told_at_the_start() {
    let shop = Shop::open();
    let cluster = cluster();
    let options = Options([("security.protocol".to_owned(), "canary".to_owned())].into());
    let plan = TopicsPlan { options, ..plan(&cluster) };
    let started = Topics::start(&plan, "shop", &shop.store, &Telemetry::default());
    let error = started.map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    let text = error.to_string();
    assert!(text.starts_with("publish.topics: ") && !text.contains("canary"), "{text}");
}
