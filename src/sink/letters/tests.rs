//! Letters in a topic of the broker that librdkafka brings along.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::*;
use crate::error::Kind;
use crate::record::Reason;
use crate::sink::topic::{ALONE_BYTES, Delivered, Topic};

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("letters", partitions, 1).unwrap();
    cluster
}

fn topic(cluster: &Cluster, options: &[(&str, &str)]) -> Topic {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Topic::new(&cluster.bootstrap_servers(), "letters", &options.collect(), "shop")
}

fn letter(partition: &str, offset: u64, payload: &[u8]) -> DeadLetter {
    DeadLetter {
        origin: Origin { source: "web".into(), partition: partition.into(), offset },
        reason: Reason::BadTime,
        detail: "/ts: expected a time".to_owned(),
        payload: bytes::Bytes::copy_from_slice(payload),
        envelope: None,
    }
}

/// A message: partition, key, value, and headers.
#[derive(Debug)]
struct Found {
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Found {
    /// The last header of a name, as a text.
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().rfind(|(key, _)| key == name)?;
        Some(std::str::from_utf8(found.1.as_deref()?).unwrap())
    }
}

fn consume(cluster: &Cluster, partitions: i32, count: usize) -> Vec<Found> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "test")
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset("letters", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        let message = consumer.poll(Duration::from_secs(20)).expect("it comes").unwrap();
        let headers = message.headers().unwrap().iter();
        found.push(Found {
            partition: message.partition(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(|it| (it.key.to_owned(), it.value.map(<[u8]>::to_vec))).collect(),
        });
    }
    assert!(consumer.poll(Duration::from_millis(200)).is_none(), "nothing more was sent");
    found
}

fn go_on(_: usize) -> bool {
    true
}

#[test]
fn a_letter_comes_as_it_was_read_and_says_why() {
    let cluster = cluster(1);
    let topic = topic(&cluster, &[]);
    topic.check().unwrap();
    let header = |name: &str, value: Option<&[u8]>| crate::record::Header {
        name: name.into(),
        value: value.map(<[u8]>::to_vec),
    };
    let mut first = letter("web/0", 7, b"{\xff\x00");
    first.envelope = Some(Box::new(Envelope {
        key: Some(b"k\x00".to_vec()),
        headers: vec![
            header("trace", Some(b"1")),
            header("trace", None),
            header(REASON, Some(b"x")),
        ],
    }));
    let letters = [first, letter("web/0", 8, b"")];
    let delivered = topic.open().unwrap().deliver(&letters, &mut go_on).unwrap();
    assert_eq!(delivered, Delivered { messages: 2, omitted: 0 });
    let found = consume(&cluster, 1, 2);
    assert_eq!(found[0].key.as_deref(), Some(&b"k\x00"[..]));
    assert_eq!(found[0].value.as_deref(), Some(&b"{\xff\x00"[..]));
    assert_eq!(found[0].headers[0], ("trace".to_owned(), Some(b"1".to_vec())));
    assert_eq!(found[0].headers[1], ("trace".to_owned(), None));
    for (name, value) in [
        (LETTER, "web web/0 7"),
        (PIPELINE, "shop"),
        (SOURCE, "web"),
        (PARTITION, "web/0"),
        (OFFSET, "7"),
        (REASON, "bad_time"),
        (DETAIL, "/ts: expected a time"),
    ] {
        assert_eq!(found[0].header(name), Some(value));
    }
    assert_eq!(found[0].header(OMITTED), None);
    assert_eq!((&found[1].key, found[1].value.as_deref()), (&None, Some(&b""[..])));
    assert_eq!(found[1].header(LETTER), Some("web web/0 8"));
}

#[test]
fn letters_of_a_partition_stay_together_and_in_their_order() {
    let cluster = cluster(4);
    let sizes = [3, ALONE_BYTES, 10, 2 * ALONE_BYTES, 1, 1];
    let letters: Vec<DeadLetter> = (0..60)
        .flat_map(|offset| {
            let payload = vec![b'x'; sizes[offset as usize % sizes.len()]];
            ["web/0", "web/1", "web/2"].map(|partition| letter(partition, offset, &payload))
        })
        .collect();
    let mut told = 0;
    let mut goes_on = |answers| {
        assert!(answers >= told, "{answers} < {told}");
        told = answers;
        true
    };
    topic(&cluster, &[]).open().unwrap().deliver(&letters, &mut goes_on).unwrap();
    let found = consume(&cluster, 4, letters.len());
    for of in ["web/0", "web/1", "web/2"] {
        let mine: Vec<&Found> =
            found.iter().filter(|found| found.header(PARTITION) == Some(of)).collect();
        assert!(mine.iter().all(|found| found.partition == mine[0].partition));
        let offsets: Vec<u64> =
            mine.iter().map(|found| found.header(OFFSET).unwrap().parse().unwrap()).collect();
        assert_eq!(offsets, (0..60).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_too_large_comes_without_its_payload() {
    let cluster = cluster(1);
    let topic = topic(&cluster, &[("message.max.bytes", "2000")]);
    let producer = topic.open().unwrap();
    let mut heavy = letter("web/0", 2, b"{}");
    heavy.envelope = Some(Box::new(Envelope { key: Some(vec![b'k'; 4000]), headers: Vec::new() }));
    let letters = [letter("web/0", 0, b"{}"), letter("web/0", 1, &[b'x'; 4000]), heavy];
    let delivered = producer.deliver(&letters, &mut go_on).unwrap();
    assert_eq!(delivered, Delivered { messages: 3, omitted: 2 });

    // The broker says so, of a batch as a whole, and then of a letter.
    let too_large = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    cluster.request_errors(RDKafkaApiKey::Produce, &[too_large]);
    let letters = [letter("web/0", 3, b"{}"), letter("web/0", 4, b"{}")];
    let delivered = producer.deliver(&letters, &mut go_on).unwrap();
    assert_eq!(delivered, Delivered { messages: 2, omitted: 0 });
    cluster.request_errors(RDKafkaApiKey::Produce, &[too_large]);
    let delivered = producer.deliver(&[letter("web/0", 5, b"{}")], &mut go_on).unwrap();
    assert_eq!(delivered, Delivered { messages: 1, omitted: 1 });

    let found = consume(&cluster, 1, 6);
    let told: Vec<_> = found
        .iter()
        .map(|found| (found.header(OFFSET).unwrap(), found.value.clone(), found.header(OMITTED)))
        .collect();
    let (whole, empty) = (|| Some(b"{}".to_vec()), || Some(Vec::new()));
    assert_eq!(
        told,
        [
            ("0", whole(), None),
            ("1", empty(), Some("payload")),
            ("2", empty(), Some("payload, key, headers")),
            ("3", whole(), None),
            ("4", whole(), None),
            ("5", empty(), Some("payload")),
        ]
    );
    assert!(found[2].key.is_none());
}

#[test]
fn a_broker_that_is_away_is_told_and_a_wait_can_be_ended() {
    let cluster = cluster(1);
    let producer = topic(&cluster, &[]).open().unwrap();
    producer.deliver(&[letter("web/0", 0, b"{}")], &mut go_on).unwrap();
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    cluster.request_errors(RDKafkaApiKey::Produce, &[refused; 100]);
    let mut asked = 0;
    let mut three_times = |_: usize| {
        asked += 1;
        asked < 3
    };
    let error = producer.deliver(&[letter("web/0", 1, b"canary")], &mut three_times).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    drop(producer);

    let elsewhere = Topic::new("127.0.0.1:1", "letters", &BTreeMap::new(), "shop");
    let error = elsewhere.check().unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("ask `127.0.0.1:1` for topic `letters`"), "{error}");
}

#[test]
fn what_cannot_be_produced_to_is_refused() {
    let cluster = cluster(1);
    let refused = |options: &[(&str, &str)]| {
        let error = topic(&cluster, options).open().map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        error.to_string()
    };
    let said = refused(&[("sasl.mechanism", "carrier pigeon canary")]);
    assert!(said.contains("`sasl.mechanism`") || said.contains("check `options`"), "{said}");
    assert!(!refused(&[("security.protocol", "canary")]).contains("canary"));
    // Nobody takes back what keeps the letters.
    assert!(topic(&cluster, &[("enable.idempotence", "false"), ("acks", "0")]).open().is_ok());
}
