use std::collections::{BTreeMap, BTreeSet};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, DefaultConsumerContext};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::record::Reason;
use crate::source::Options;

const WAIT: Duration = Duration::from_millis(200);

/// Far more than any of these tests needs.
const PATIENCE: Duration = Duration::from_secs(60);

type Broker = MockCluster<'static, DefaultProducerContext>;

fn broker(topics: &[&str]) -> Broker {
    let broker = MockCluster::new(1).expect("a mock cluster starts");
    for topic in topics {
        broker.create_topic(topic, 3, 1).expect("the topic is made");
    }
    broker
}

/// Puts `count` messages into each of the three partitions.
fn produce(broker: &Broker, topic: &str, count: usize) {
    let mut config = ClientConfig::new();
    let producer: BaseProducer =
        config.set("bootstrap.servers", broker.bootstrap_servers()).create().expect("a producer");
    for partition in 0..3 {
        for i in 0..count {
            let payload = format!("{topic}/{partition}:{i}");
            let record: BaseRecord<'_, (), str> = BaseRecord::to(topic);
            producer.send(record.partition(partition).payload(&payload)).expect("it is queued");
        }
    }
    producer.flush(PATIENCE).expect("it is delivered");
}

fn plan(broker: &Broker, topics: &[&str]) -> KafkaPlan {
    let options = [("auto.commit.interval.ms", "100")];
    KafkaPlan {
        brokers: broker.bootstrap_servers(),
        topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        group: "g".to_owned(),
        on_gap: OnGap::Continue,
        options: Options(options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()),
    }
}

fn start(positions: &[(&str, u64)]) -> Positions {
    positions.iter().map(|(at, next)| (("s".into(), (*at).into()), *next)).collect()
}

fn source_at(plan: &KafkaPlan, positions: &[(&str, u64)]) -> KafkaSource {
    open(&"s".into(), plan, &start(positions)).expect("the consumer starts")
}

/// Reads until `count` messages came, a few at a time.
fn read(source: &mut KafkaSource, count: usize) -> Vec<Message> {
    let waited = Stopwatch::start();
    let mut all: Vec<Message> = Vec::new();
    while all.len() < count {
        if waited.elapsed() >= PATIENCE {
            let mut came: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
            for message in &all {
                let at = &message.origin;
                came.entry(Arc::clone(&at.partition)).or_default().push(at.offset);
            }
            panic!("{} of {count} messages came: {came:?}", all.len());
        }
        let batch = source.next(7, WAIT).expect("the broker is read").expect("topics do not end");
        assert!(batch.messages.len() <= 7);
        assert!(batch.idle || !batch.messages.is_empty());
        all.extend(batch.messages);
    }
    all
}

/// Looks on, with nothing to be read, until something is so.
#[track_caller]
fn until(source: &mut KafkaSource, what: &str, so: impl Fn(&KafkaSource) -> bool) {
    let waited = Stopwatch::start();
    while !so(source) {
        assert!(waited.elapsed() < PATIENCE, "waited too long until {what}");
        let batch = source.next(7, WAIT).expect("it is read").expect("topics do not end");
        assert_eq!(batch.messages, [], "until {what}");
    }
}

fn producer(broker: &Broker) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers());
    config.set("message.max.bytes", "20000000").create().expect("a producer")
}

fn texts(messages: &[Message]) -> BTreeSet<String> {
    let text = |m: &Message| String::from_utf8_lossy(&m.payload).into_owned();
    messages.iter().map(text).collect()
}

#[test]
fn several_topics_are_read_from_their_beginnings() {
    let broker = broker(&["a", "b"]);
    produce(&broker, "a", 20);
    produce(&broker, "b", 10);
    let mut source = source_at(&plan(&broker, &["a", "b"]), &[]);
    assert!(!source.is_ready(), "nobody has asked for the partitions yet");
    let messages = read(&mut source, 90);
    until(&mut source, "all partitions are known to be read", KafkaSource::is_ready);
    assert_eq!(messages.len(), 90);
    assert_eq!(texts(&messages).len(), 90);
    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    for message in &messages {
        let Origin { source, partition, offset } = &message.origin;
        assert_eq!(&**source, "s");
        assert_eq!(message.payload, format!("{partition}:{offset}"));
        let expected = next.entry(partition).or_default();
        assert_eq!(offset, expected, "each partition in order");
        *expected += 1;
    }
    assert!(source.next(7, Duration::ZERO).expect("it is read").expect("no end").idle);
    // What comes later is read, too.
    produce(&broker, "a", 1);
    assert_eq!(read(&mut source, 3).iter().map(|m| m.origin.offset).max(), Some(20));
}

#[test]
fn the_positions_of_the_state_count_and_not_those_of_the_group() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 20);
    let plan = plan(&broker, &["a"]);
    let mut source = source_at(&plan, &[]);
    read(&mut source, 60);
    source.acknowledge(&start(&[("a/0", 20), ("a/1", 20), ("a/2", 20)]));
    drop(source);
    let mut source = source_at(&plan, &[("a/0", 15), ("a/1", 20)]);
    let messages = read(&mut source, 25);
    assert_eq!(messages.len(), 25);
    let from = |at: &str| {
        messages.iter().filter(|m| &*m.origin.partition == at).map(|m| m.origin.offset).min()
    };
    assert_eq!((from("a/0"), from("a/1"), from("a/2")), (Some(15), None, Some(0)));
    assert!(source.next(7, WAIT).expect("it is read").expect("no end").messages.is_empty());
}

#[test]
fn acknowledged_positions_reach_the_group() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 5);
    let plan = plan(&broker, &["a"]);
    let mut source = source_at(&plan, &[]);
    read(&mut source, 15);
    let mut positions = start(&[("a/0", 3), ("a/2", 5)]);
    positions.insert(("other".into(), "a/1".into()), 4);
    source.acknowledge(&positions);
    let expected = [Offset::Offset(3), Offset::Invalid, Offset::Offset(5)];
    until(&mut source, "the group has them", |source| committed(source) == expected);
    // What is known at the end is committed before it is gone, and what the state has at a start.
    source.acknowledge(&start(&[("a/1", 4)]));
    drop(source);
    let mut source = source_at(&plan, &[("a/0", 5), ("a/1", 5), ("a/2", 5)]);
    assert_eq!(committed(&source), [3, 4, 5].map(Offset::Offset));
    until(&mut source, "the group has them", |source| committed(source) == [Offset::Offset(5); 3]);
    assert_eq!(source.unacknowledged(), 0);
}

/// The offsets of the group, of the three partitions of `a`.
fn committed(source: &KafkaSource) -> [Offset; 3] {
    let mut asked = TopicPartitionList::new();
    for partition in 0..3 {
        asked.add_partition("a", partition);
    }
    let told = source.consumer.committed_offsets(asked, PATIENCE).expect("it answers");
    let offsets: Vec<Offset> = told.elements().iter().map(|e| e.offset()).collect();
    offsets.try_into().expect("three were asked for")
}

/// A consumer that lives in the group as a member.
fn member(broker: &Broker) -> BaseConsumer<DefaultConsumerContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap_servers()).set("group.id", "g");
    let member: BaseConsumer = config.create().expect("a consumer");
    member.subscribe(&["a"]).expect("it subscribes");
    let waited = Stopwatch::start();
    while member.assignment().expect("it answers").count() == 0 {
        assert!(waited.elapsed() < PATIENCE, "the member has partitions");
        member.poll(WAIT);
    }
    member
}

#[test]
fn each_source_reads_all_whoever_else_has_the_group() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 10);
    let plan = plan(&broker, &["a"]);
    // Neither leaves: to a broker they are as a process that was killed.
    let member = member(&broker);
    let mut first = source_at(&plan, &[]);
    assert_eq!(texts(&read(&mut first, 30)).len(), 30);
    let mut second = source_at(&plan, &[("a/0", 4)]);
    assert_eq!(texts(&read(&mut second, 26)).len(), 26);
    assert!(first.is_ready() && second.is_ready());
    assert_eq!(member.assignment().expect("it answers").count(), 3, "it keeps what it has");

    // Only the offsets are refused. That is told once, and counted each time.
    let positions = start(&[("a/0", 10), ("a/1", 10), ("a/2", 10)]);
    first.acknowledge(&positions);
    let refused = |source: &KafkaSource| source.consumer.context().known().is_refused();
    until(&mut first, "they are refused", refused);
    let (waited, mut count) = (Stopwatch::start(), 0);
    while count < 3 {
        assert!(waited.elapsed() < PATIENCE, "each is counted");
        assert_eq!(first.next(7, WAIT).expect("it is read").expect("no end").messages, []);
        count += first.unacknowledged();
    }
    produce(&broker, "a", 1);
    assert_eq!((read(&mut first, 3).len(), read(&mut second, 3).len()), (3, 3));
    assert!(first.is_ready());
}

#[test]
fn who_may_not_use_the_group_reads_all_the_same() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 2);
    let forbidden = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    broker.request_errors(RDKafkaApiKey::FindCoordinator, &[forbidden; 2]);
    let mut source = source_at(&plan(&broker, &["a"]), &[]);
    assert_eq!(read(&mut source, 6).len(), 6);
    until(&mut source, "it is told", |source| source.consumer.context().known().is_refused());
    assert!(source.is_ready());
}

#[test]
fn who_may_not_read_a_topic_is_told_at_once() {
    let broker = broker(&["a"]);
    let forbidden = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    broker.topic_error("a", forbidden).expect("the mock takes it");
    let error = fails(&mut source_at(&plan(&broker, &["a"]), &[]));
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("check user, password and rights"), "{error}");
}

#[test]
fn a_tombstone_is_faulty() {
    let broker = broker(&["a"]);
    let mut config = ClientConfig::new();
    let producer: BaseProducer =
        config.set("bootstrap.servers", broker.bootstrap_servers()).create().expect("a producer");
    let record: BaseRecord<'_, str, str> = BaseRecord::to("a").key("k");
    producer.send(record).expect("it is queued");
    producer.flush(PATIENCE).expect("it is delivered");
    let messages = read(&mut source_at(&plan(&broker, &["a"]), &[]), 1);
    let fault = messages[0].fault.as_ref().map(|fault| fault.reason);
    assert_eq!(fault, Some(Reason::MissingField));
    assert!(messages[0].payload.is_empty());
}

#[test]
fn reading_goes_on_when_the_broker_comes_back() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 5);
    let mut source = source_at(&plan(&broker, &["a"]), &[]);
    read(&mut source, 15);
    broker.broker_down(1).expect("it goes down");
    let waited = Stopwatch::start();
    while source.trouble.is_none() {
        assert!(waited.elapsed() < PATIENCE, "the trouble is noticed");
        let batch = source.next(7, WAIT).expect("it waits").expect("no end");
        assert!(batch.idle && batch.messages.is_empty());
    }
    assert!(!source.is_ready(), "silence means nothing now");
    broker.broker_up(1).expect("it comes back");
    until(&mut source, "the broker is back, though it has nothing new", KafkaSource::is_ready);
    produce(&broker, "a", 5);
    assert_eq!(texts(&read(&mut source, 15)).len(), 5 * 3, "each once");
    assert_eq!(source.trouble, None);
}

#[test]
fn a_source_whose_broker_is_away_is_let_go_of_without_its_last_offsets() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 1);
    let mut source = source_at(&plan(&broker, &["a"]), &[]);
    read(&mut source, 3);
    broker.broker_down(1).expect("it goes down");
    source.acknowledge(&start(&[("a/0", 1)]));
    let waited = Stopwatch::start();
    drop(source);
    assert!(waited.elapsed() < PATIENCE / 4, "a stop has half a minute, not only for this");
}

#[test]
fn errors_of_fetching_are_waited_out() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 5);
    let away = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    broker.request_errors(RDKafkaApiKey::Fetch, &[away; 3]);
    let mut source = source_at(&plan(&broker, &["a"]), &[]);
    assert_eq!(read(&mut source, 15).len(), 15);
}

#[test]
fn a_setting_that_is_refused_is_named_without_its_value() {
    let broker = broker(&["a"]);
    let mut plan = plan(&broker, &["a"]);
    plan.options.0.insert("security.protocl".into(), "hunter2".into());
    let error = open(&"s".into(), &plan, &Positions::new()).err().expect("it is refused");
    assert_eq!(error.kind(), Kind::Invalid);
    let text = error.to_string();
    assert!(text.contains("security.protocl"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_check_asks_for_the_topics() {
    let broker = broker(&["a"]);
    check(&"s".into(), &plan(&broker, &["a"])).expect("the topic is there");
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    broker.topic_error("none", unknown).expect("the mock takes it");
    let error = check(&"s".into(), &plan(&broker, &["a", "none"])).expect_err("it is not there");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().starts_with("topic `none` is not there"), "{error}");
}

#[test]
fn a_sample_is_of_the_last_messages_of_all_partitions() {
    let broker = broker(&["a", "b", "empty"]);
    produce(&broker, "a", 100);
    produce(&broker, "b", 2);
    let plan = plan(&broker, &["a", "b", "empty"]);
    let messages = sample(&"s".into(), &plan, 90, PATIENCE).expect("it is read");
    let mut read: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for message in &messages {
        read.entry(&message.origin.partition).or_default().push(message.origin.offset);
    }
    // A tenth of 90 of each of nine partitions.
    for partition in 0..3 {
        assert_eq!(read[format!("a/{partition}").as_str()], (90..100).collect::<Vec<u64>>());
        assert_eq!(read[format!("b/{partition}").as_str()], [0, 1]);
    }
    assert_eq!(messages.len(), 36);
    // That hinders nobody who reads afterwards, from the beginning.
    let mut source = source_at(&plan, &[]);
    assert_eq!(self::read(&mut source, 306).len(), 306);
}

#[test]
fn a_sample_of_an_absent_broker_gives_up() {
    let plan = KafkaPlan { brokers: "127.0.0.1:1".to_owned(), ..plan(&broker(&[]), &["a"]) };
    let error = sample(&"s".into(), &plan, 5, WAIT).expect_err("nobody answers");
    assert_eq!(error.kind(), Kind::Unavailable);
}

#[test]
fn what_retention_took_is_told_and_counted() {
    let broker = broker(&["a"]);
    // The mock keeps about 5 MB of a partition.
    let producer = producer(&broker);
    let payload = "x".repeat(500_000);
    for _ in 0..30 {
        let record: BaseRecord<'_, (), str> = BaseRecord::to("a").partition(0).payload(&payload);
        producer.send(record).expect("it is queued");
        producer.flush(PATIENCE).expect("it is delivered");
    }
    let mut plan = plan(&broker, &["a"]);
    let mut source = source_at(&plan, &[("a/0", 2)]);
    let begun = read(&mut source, 1);
    let first = begun[0].origin.offset;
    assert!(first > 2, "the mock let the first messages go");
    let lag = |source: &KafkaSource| source.lag().into_iter().find(|lag| &*lag.partition == "a/0");
    assert_eq!(lag(&source).map(|lag| lag.lost), Some(first - 2));
    let rest = read(&mut source, 30 - first as usize - begun.len());
    let last = begun.iter().chain(&rest).last().map(|m| m.origin.offset);
    assert_eq!(last, Some(29), "reading goes on, and nothing more is missing");
    assert_eq!(lag(&source).map(|lag| lag.lost), Some(first - 2));
    drop(source);

    plan.on_gap = OnGap::Stop;
    let error = fails(&mut source_at(&plan, &[("a/0", 2)]));
    assert_eq!(error.kind(), Kind::Data);
    let text = error.to_string();
    assert!(text.starts_with(&format!("a/0: {} offsets from 2 on are lost", first - 2)), "{text}");
}

#[test]
fn a_position_behind_the_end_is_never_read_anew() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 5);
    let mut source = source_at(&plan(&broker, &["a"]), &[("a/1", 1_000), ("a/0", 5), ("a/2", 5)]);
    let error = fails(&mut source);
    assert_eq!(error.kind(), Kind::Data);
    let text = error.to_string();
    assert!(text.starts_with("a/1: the position is 1000"), "{text}");
    assert!(text.contains("give the source a new name"), "{text}");
}

/// Reads until that fails; nothing may come before.
#[track_caller]
fn fails(source: &mut KafkaSource) -> Error {
    let waited = Stopwatch::start();
    loop {
        assert!(waited.elapsed() < PATIENCE, "it does not fail");
        match source.next(7, WAIT) {
            Ok(batch) => assert_eq!(batch.expect("topics do not end").messages, []),
            Err(error) => return error,
        }
    }
}

#[test]
fn a_source_that_is_held_keeps_little_and_hears_how_far_it_is_behind() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 50);
    let mut plan = plan(&broker, &["a"]);
    plan.options.0.insert("statistics.interval.ms".into(), "100".into());
    let mut source = source_at(&plan, &[]);
    let mut all = read(&mut source, 10);
    // How far a partition reaches is heard with its first messages; a held one fetches none.
    let partitions = |all: &[Message]| -> usize {
        all.iter().map(|m| &m.origin.partition).collect::<BTreeSet<_>>().len()
    };
    while partitions(&all) < 3 {
        all.extend(read(&mut source, 1));
    }
    let behind =
        |source: &KafkaSource| -> u64 { source.lag().iter().filter_map(|lag| lag.records).sum() };
    let waited = Stopwatch::start();
    let mut held = 0;
    while held < 10 || behind(&source) != 150 - all.len() as u64 {
        assert!(waited.elapsed() < PATIENCE, "it hears how far it is behind");
        source.hold();
        held += 1;
        std::thread::park_timeout(WAIT);
    }
    let missing = 150 - all.len();
    all.extend(read(&mut source, missing));
    let places: BTreeSet<_> = all.iter().map(|m| m.origin.clone()).collect();
    assert_eq!((all.len(), places.len()), (150, 150), "each once");
}

#[test]
fn partitions_and_topics_that_come_later_are_read_from_their_beginning() {
    let broker = broker(&["a", "b"]);
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    broker.topic_error("b", unknown).expect("the mock takes it");
    produce(&broker, "a", 2);
    let mut plan = plan(&broker, &["a", "b"]);
    let often = ("topic.metadata.refresh.interval.ms".to_owned(), "500".to_owned());
    plan.options.0.extend([often]);
    let mut source = source_at(&plan, &[]);
    assert_eq!(read(&mut source, 6).len(), 6);
    assert!(!source.is_ready(), "a topic is not there");
    broker.topic_error("b", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).expect("it is there now");
    produce(&broker, "b", 3);
    let texts = texts(&read(&mut source, 9));
    assert!(texts.iter().all(|text| text.starts_with("b/")), "{texts:?}");
    until(&mut source, "all is read", KafkaSource::is_ready);

    // Where the end is the start, it is so for what was there already: two of the three partitions.
    plan.topics = vec!["a".to_owned()];
    plan.options.0.extend([("auto.offset.reset".to_owned(), "latest".to_owned())]);
    let mut source = source_at(&plan, &[]);
    source.assign("a", &[0, 1]).expect("they are assigned");
    let texts = self::texts(&read(&mut source, 2));
    assert_eq!(texts, BTreeSet::from(["a/2:0", "a/2:1"].map(str::to_owned)));
    until(&mut source, "all is read", KafkaSource::is_ready);
    assert_eq!(source.lag().len(), 3);
    // The broker tells the ends after a while; nothing before them comes.
    let mut came: BTreeSet<Arc<str>> = BTreeSet::new();
    while came.len() < 3 {
        produce(&broker, "a", 1);
        for message in source.next(7, WAIT).expect("it is read").expect("no end").messages {
            assert!(message.origin.offset >= 2, "{:?}", message.origin);
            came.insert(message.origin.partition);
        }
    }
}

#[test]
fn messages_of_any_size_come_whole() {
    let broker = broker(&["a"]);
    let producer = producer(&broker);
    for (partition, bytes) in [(0, 3 << 20), (0, 10), (0, 1 << 20), (1, 0)] {
        let payload = vec![b'x'; bytes];
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to("a").partition(partition);
        producer.send(record.payload(&payload)).expect("it is queued");
    }
    producer.flush(PATIENCE).expect("it is delivered");
    let mut sizes: Vec<_> = read(&mut source_at(&plan(&broker, &["a"]), &[]), 4)
        .iter()
        .map(|m| (m.origin.partition.to_string(), m.payload.len(), m.fault.is_some()))
        .collect();
    sizes.sort_by(|a, b| a.0.cmp(&b.0));
    let at = |partition: &str, bytes| (partition.to_owned(), bytes, false);
    // An empty payload is no tombstone.
    assert_eq!(sizes, [at("a/0", 3 << 20), at("a/0", 10), at("a/0", 1 << 20), at("a/1", 0)]);
}

#[test]
fn key_headers_and_time_come_with_a_message() {
    let broker = broker(&["a"]);
    let producer = producer(&broker);
    let none: Header<'_, &str> = Header { key: "none", value: None };
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some("7") })
        .insert(none)
        .insert(Header { key: "trace", value: Some("8") });
    let record: BaseRecord<'_, str, str> = BaseRecord::to("a").key("k").payload("{}");
    let at = 1_700_000_000_123;
    producer.send(record.headers(headers).timestamp(at)).expect("it is queued");
    producer.flush(PATIENCE).expect("it is delivered");
    let mut source = source_at(&plan(&broker, &["a"]), &[]);
    let messages = read(&mut source, 1);
    let envelope = messages[0].envelope.as_ref().expect("there is something to keep");
    assert_eq!(envelope.key.as_deref(), Some(&b"k"[..]));
    let headers: Vec<_> =
        envelope.headers.iter().map(|h| (h.name.as_str(), h.value.as_deref())).collect();
    let value = |text: &'static [u8]| Some(text);
    assert_eq!(headers, [("trace", value(b"7")), ("none", None), ("trace", value(b"8"))]);
    let newest = source.lag().iter().filter_map(|lag| lag.newest_message_at).max();
    assert_eq!(newest, Some(at * 1000));
}

#[test]
fn the_lag_is_what_is_still_to_be_handed_out() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 30);
    let mut plan = plan(&broker, &["a"]);
    plan.options.0.insert("statistics.interval.ms".into(), "100".into());
    let mut source = source_at(&plan, &[]);
    let behind =
        |source: &KafkaSource| -> u64 { source.lag().iter().filter_map(|lag| lag.records).sum() };
    let mut seen = read(&mut source, 1).len() as u64;
    let waited = Stopwatch::start();
    while behind(&source) == 0 {
        assert!(waited.elapsed() < PATIENCE && seen < 80, "the broker tells its ends");
        std::thread::park_timeout(WAIT);
        seen += read(&mut source, 1).len() as u64;
    }
    read(&mut source, usize::try_from(90 - seen).expect("it is small"));
    until(&mut source, "nothing is left", |source| {
        source.lag().len() == 3 && source.lag().iter().all(|lag| lag.records == Some(0))
    });
}

#[test]
fn injected_errors_lose_and_repeat_nothing() {
    use RDKafkaRespErr as Err;
    let broker = MockCluster::new(2).expect("a mock cluster starts");
    broker.create_topic("a", 3, 2).expect("the topic is made");
    produce(&broker, "a", 20);
    let errors = [
        (RDKafkaApiKey::FindCoordinator, Err::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
        (RDKafkaApiKey::Fetch, Err::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR),
        (RDKafkaApiKey::ListOffsets, Err::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE),
        (RDKafkaApiKey::OffsetCommit, Err::RD_KAFKA_RESP_ERR_NOT_COORDINATOR),
        (RDKafkaApiKey::OffsetCommit, Err::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID),
    ];
    for (api, error) in errors {
        broker.request_errors(api, &[error; 2]);
    }
    let mut source = source_at(&plan(&broker, &["a"]), &[]);
    let mut all = read(&mut source, 60);
    // The leaders move, the network becomes slow, and commits fail meanwhile.
    for partition in 0..3 {
        broker.partition_leader("a", partition, Some(partition % 2 + 1)).expect("it moves");
    }
    for id in [1, 2] {
        broker.broker_round_trip_time(id, Duration::from_millis(150)).expect("it is slow");
    }
    let commit_fails = RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
    broker.request_errors(RDKafkaApiKey::OffsetCommit, &[commit_fails; 5]);
    source.acknowledge(&start(&[("a/0", 20), ("a/1", 20)]));
    produce(&broker, "a", 20);
    let missing = 120 - all.len();
    all.extend(read(&mut source, missing));
    let places: BTreeSet<_> = all.iter().map(|m| m.origin.clone()).collect();
    assert_eq!((all.len(), places.len()), (120, 120), "each once");
    assert!(source.lag().iter().all(|lag| lag.lost == 0));
    let expected = [Offset::Offset(20), Offset::Offset(20), Offset::Invalid];
    until(&mut source, "the offsets come at last", |source| {
        source.consumer.context().known().is_refused() && committed(source) == expected
    });
    assert!(source.unacknowledged() > 0);
}

/// A batch of one record as a broker stores it, with some of its bytes changed.
fn raw_batch(attributes: u16, crc: u32) -> Vec<u8> {
    let record = b"\x10\x00\x00\x00\x01\x04hi\x00";
    let mut batch = Vec::new();
    batch.extend(0_i64.to_be_bytes()); // base offset
    batch.extend((49 + record.len() as u32).to_be_bytes());
    batch.extend(0_i32.to_be_bytes()); // leader epoch
    batch.push(2); // magic
    batch.extend(crc.to_be_bytes());
    batch.extend(attributes.to_be_bytes());
    batch.extend(0_i32.to_be_bytes()); // last offset delta
    batch.extend([0; 16]); // timestamps
    batch.extend([255; 14]); // producer
    batch.extend(1_i32.to_be_bytes());
    batch.extend(record);
    batch
}

/// Sends a batch as it is.
fn produce_raw(broker: &Broker, topic: &str, partition: i32, batch: &[u8]) {
    use std::io::{Read, Write};
    let text = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let mut request = [0_u16.to_be_bytes(), 7_u16.to_be_bytes()].concat(); // Produce, version 7
    request.extend(1_i32.to_be_bytes());
    request.extend(text("test"));
    request.extend((-1_i16).to_be_bytes()); // no transaction
    request.extend((-1_i16).to_be_bytes()); // all replicas
    request.extend(5_000_i32.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    request.extend(text(topic));
    request.extend(1_i32.to_be_bytes());
    request.extend(partition.to_be_bytes());
    request.extend((batch.len() as u32).to_be_bytes());
    request.extend(batch);
    let mut connection =
        std::net::TcpStream::connect(broker.bootstrap_servers()).expect("it answers");
    connection.write_all(&(request.len() as u32).to_be_bytes()).expect("it is sent");
    connection.write_all(&request).expect("it is sent");
    let mut length = [0; 4];
    connection.read_exact(&mut length).expect("it answers");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    connection.read_exact(&mut answer).expect("it answers");
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    assert_eq!(answer[at..at + 2], [0, 0], "the broker takes it");
}

#[test]
fn a_batch_that_cannot_be_read_is_told_and_keeps_nobody_else() {
    let unknown_compression = raw_batch(7, crc32c(&raw_batch(7, 0)[21..]));
    for batch in [raw_batch(0, 0x0bad_0bad), unknown_compression] {
        let broker = broker(&["a"]);
        produce(&broker, "a", 2);
        produce_raw(&broker, "a", 1, &batch);
        produce(&broker, "a", 2);
        let mut source = source_at(&plan(&broker, &["a"]), &[]);
        let mut all = read(&mut source, 10);
        let waited = Stopwatch::start();
        while source.unreadable.told.is_none() {
            assert!(waited.elapsed() < PATIENCE, "it is told");
            all.extend(source.next(7, WAIT).expect("it is not fatal").expect("no end").messages);
        }
        assert!(!source.is_ready(), "a partition waits");
        let of_one = |m: &&Message| &*m.origin.partition == "a/1";
        let offsets: Vec<_> = all.iter().filter(of_one).map(|m| m.origin.offset).collect();
        assert_eq!(offsets, [0, 1], "nothing is skipped");
        assert_eq!(all.len(), 10, "nothing of the others is missing");
    }
}

#[test]
fn a_batch_as_a_broker_stores_it_is_read() {
    let broker = broker(&["a"]);
    produce_raw(&broker, "a", 1, &raw_batch(0, crc32c(&raw_batch(0, 0)[21..])));
    assert_eq!(read(&mut source_at(&plan(&broker, &["a"]), &[]), 1)[0].payload, "hi");
}

/// The checksum of Kafka's batches.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => crc >> 1 ^ 0x82f6_3b78,
            _ => crc >> 1,
        })
    })
}
