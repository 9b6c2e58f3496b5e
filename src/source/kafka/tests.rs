use std::collections::BTreeSet;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::RDKafkaApiKey;

use super::*;
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
    let options = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "100")];
    KafkaPlan {
        brokers: broker.bootstrap_servers(),
        topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        group: "g".to_owned(),
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
    let mut all = Vec::new();
    while all.len() < count {
        assert!(waited.elapsed() < PATIENCE, "{} of {count} messages came", all.len());
        let batch = source.next(7, WAIT).expect("the broker is read").expect("topics do not end");
        assert!(batch.messages.len() <= 7);
        assert!(batch.idle || !batch.messages.is_empty());
        all.extend(batch.messages);
    }
    all
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
    assert!(!source.is_ready(), "the group has not shared out the partitions yet");
    let messages = read(&mut source, 90);
    assert!(source.is_ready());
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
    source.acknowledge(&start(&[("a/0", 20), ("a/1", 20), ("a/2", 20)])).expect("it is sent");
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
    source.acknowledge(&positions).expect("it is sent");
    let mut asked = TopicPartitionList::new();
    for partition in 0..3 {
        asked.add_partition("a", partition);
    }
    let waited = Stopwatch::start();
    let expected = [Offset::Offset(3), Offset::Invalid, Offset::Offset(5)];
    loop {
        let told = source.consumer.committed_offsets(asked.clone(), PATIENCE).expect("it answers");
        let offsets: Vec<Offset> = told.elements().iter().map(|e| e.offset()).collect();
        if offsets == expected {
            break;
        }
        assert!(waited.elapsed() < PATIENCE, "the group holds {offsets:?}");
    }
}

#[test]
fn a_second_consumer_takes_over_where_the_first_is_let_go() {
    let broker = broker(&["a"]);
    produce(&broker, "a", 10);
    let plan = plan(&broker, &["a"]);
    let mut first = source_at(&plan, &[]);
    let mut all = read(&mut first, 30);
    // The other takes some partitions; it knows of no position, so it reads them from the
    // beginning.
    let mut second = source_at(&plan, &[]);
    let waited = Stopwatch::start();
    let mut taken = Vec::new();
    while taken.is_empty() {
        assert!(waited.elapsed() < PATIENCE, "the second consumer gets a partition");
        let batch = first.next(7, WAIT).expect("it is read").expect("no end");
        assert_eq!(batch.messages, [], "what stays is not read again");
        taken.extend(second.next(7, WAIT).expect("it is read").expect("no end").messages);
    }
    assert_eq!(taken[0].origin.offset, 0);
    drop(second);
    // It comes back to the first, which goes on where it was.
    produce(&broker, "a", 1);
    all.extend(read(&mut first, 3));
    let places: BTreeSet<_> = all.iter().map(|m| m.origin.clone()).collect();
    assert_eq!(places.len(), 33, "nothing came twice");
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
    broker.broker_up(1).expect("it comes back");
    produce(&broker, "a", 5);
    assert_eq!(texts(&read(&mut source, 15)).len(), 5 * 3, "each once");
    assert_eq!(source.trouble, None);
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
    // Who joins the group afterwards has it alone, from the beginning.
    let mut source = source_at(&plan, &[]);
    assert_eq!(self::read(&mut source, 306).len(), 306);
}

#[test]
fn a_sample_of_an_absent_broker_gives_up() {
    let plan = KafkaPlan { brokers: "127.0.0.1:1".to_owned(), ..plan(&broker(&[]), &["a"]) };
    let error = sample(&"s".into(), &plan, 5, WAIT).expect_err("nobody answers");
    assert_eq!(error.kind(), Kind::Unavailable);
}
