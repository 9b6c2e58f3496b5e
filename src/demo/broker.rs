//! How does the demo have a Kafka broker without one being installed?
//!
//! librdkafka's mock cluster runs in the process, behind a real socket on the loopback device;
//! consumer and producer are the ordinary ones. `start → feed → any consumer at
//! bootstrap_servers()`.
//!
//! What it keeps, by its source and by the tests below: per partition at most 5 MiB of record
//! batches as they were sent, so compressed ones count by their compressed size, and at most
//! 100,000 batches. Beyond that the oldest batch is dropped without a word, and a consumer that had
//! not read it finds its offset out of range and jumps. A fetch returns one batch a partition,
//! found by a walk from the oldest: few large batches are read fast, many small ones slowly. A
//! fetch that finds nothing waits out `fetch.wait.max.ms` even if something arrives meanwhile, so a
//! consumer sets that low.
//!
//! Hence: lines are sent in large compressed batches, a topic gets as many partitions as hold it
//! even uncompressed ([`partitions_for`]), and [`feed`] fails rather than leave a gap.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{
    BaseProducer, BaseRecord, DefaultProducerContext, Producer, ProducerContext,
};
use rdkafka::{ClientConfig, ClientContext};

use super::{Channel, Line, Stream};
use crate::error::{Context, Error, Kind, Result};

/// What a partition is filled with at most; it keeps 5 MiB, and keys don't spread quite evenly.
const PARTITION_BYTES: usize = 4 * 1024 * 1024;
/// What Kafka writes beside the bytes of a message, generously.
const MESSAGE_OVERHEAD_BYTES: usize = 64;
/// How many messages are handed over before acknowledgements are looked for.
const MESSAGES_A_POLL: usize = 500;
/// How long to wait for room in the producer's queue before trying again.
const ROOM_WAIT: Duration = Duration::from_millis(20);
/// How long the broker may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// A Kafka broker in this process; it is gone, with all it holds, when this is dropped.
#[derive(Debug)]
pub struct Broker {
    bootstrap_servers: String,
    topics: Vec<String>,
    partitions: u32,
    /// Dropped to end the thread; nothing is ever sent.
    stop: Option<mpsc::Sender<()>>,
    /// The cluster is bound to the thread that made it, so it has one of its own.
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker with these topics, each of so many partitions.
    ///
    /// **Errors:** `Unavailable` where it cannot start or a topic cannot be made.
    pub fn start(topics: &[&str], partitions: u32) -> Result<Self> {
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let wanted = topics.clone();
        let (stop, stopped) = mpsc::channel();
        let (report, started) = mpsc::channel();
        let serve = move || match cluster(&wanted, partitions) {
            Ok(cluster) => {
                if report.send(Ok(cluster.bootstrap_servers())).is_ok() {
                    // Returns when the sender is dropped; then the cluster is dropped, here.
                    let _ = stopped.recv();
                }
            }
            Err(error) => {
                // Whoever would hear of it is gone only if the caller panicked.
                let _ = report.send(Err(error));
            }
        };
        let builder = thread::Builder::new().name("demo-broker".to_owned());
        let thread = builder.spawn(serve).context(Kind::Unavailable, "start broker thread")?;
        let bootstrap_servers = started
            .recv()
            .context(Kind::Internal, "hear from broker thread")?
            .context(Kind::Unavailable, "start broker")?;
        Ok(Self { bootstrap_servers, topics, partitions, stop: Some(stop), thread: Some(thread) })
    }

    /// Where clients connect: `host:port`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was already reported by its hook.
            let _ = thread.join();
        }
    }
}

fn cluster(
    topics: &[String],
    partitions: u32,
) -> KafkaResult<MockCluster<'static, DefaultProducerContext>> {
    let cluster = MockCluster::new(1)?;
    for topic in topics {
        cluster.create_topic(topic, partitions.try_into().unwrap_or(i32::MAX), 1)?;
    }
    Ok(cluster)
}

/// How many partitions a topic needs so that the broker keeps every line of every channel.
pub fn partitions_for(stream: &Stream) -> u32 {
    let bytes = |channel: Channel| -> usize {
        let lines = stream.lines.iter().filter(|line| line.channel == channel);
        lines.map(|line| line.text.len() + line.event_id.len() + MESSAGE_OVERHEAD_BYTES).sum()
    };
    let most = Channel::ALL.map(bytes).into_iter().max().unwrap_or(0);
    u32::try_from(most / PARTITION_BYTES + 1).unwrap_or(u32::MAX)
}

/// Produces every line to the topic of its channel, in order of arrival, and waits until the broker
/// has all.
///
/// The key is the event id, so that a redelivery lands in the partition of the first; the message's
/// time is that of arrival. `progress` is told, now and then and at the end, how many lines the
/// broker has.
///
/// **Errors:** `Invalid` where the broker lacks a channel's topic, or has too few partitions to
/// keep all; `Unavailable` where it doesn't take the lines.
pub fn feed(broker: &Broker, stream: &Stream, progress: &mut dyn FnMut(u64)) -> Result<()> {
    let lacks = |line: &&Line| broker.topics.iter().all(|topic| topic != line.channel.name());
    if let Some(line) = stream.lines.iter().find(lacks) {
        return Err(Error::invalid(format!("the broker has no topic {}", line.channel.name())));
    }
    let producer = producer(broker).context(Kind::Unavailable, "connect to broker")?;
    for lines in stream.lines.chunks(MESSAGES_A_POLL) {
        for line in lines {
            produce(&producer, line)?;
        }
        producer.poll(Duration::ZERO);
        progress(producer.context().delivered());
    }
    producer.flush(ANSWER_WAIT).context(Kind::Unavailable, "flush to broker")?;
    progress(producer.context().delivered());

    let failed = producer.context().failed.load(Ordering::Relaxed);
    if failed > 0 {
        return Err(Error::unavailable(format!("the broker did not take {failed} lines")));
    }
    check_kept(broker, &producer)
}

/// Counts what the broker acknowledged.
#[derive(Default)]
struct Acknowledgements {
    delivered: AtomicU64,
    failed: AtomicU64,
}

impl Acknowledgements {
    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = if result.is_ok() { &self.delivered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn producer(broker: &Broker) -> KafkaResult<BaseProducer<Acknowledgements>> {
    ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        // A retry neither repeats nor reorders.
        .set("enable.idempotence", "true")
        .set("compression.type", "zstd")
        .set("linger.ms", "100")
        .create_with_context(Acknowledgements::default())
}

/// Hands one line over, waiting while the producer's queue is full.
fn produce(producer: &BaseProducer<Acknowledgements>, line: &Line) -> Result<()> {
    let mut record = BaseRecord::to(line.channel.name())
        .key(&line.event_id)
        .payload(&line.text)
        .timestamp(line.arrival);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(ROOM_WAIT);
            }
            Err((error, _)) => {
                return Err(Error::unavailable("produce to broker").caused_by(error));
            }
        }
    }
}

/// Makes sure that every partition still has its first message.
fn check_kept(broker: &Broker, producer: &BaseProducer<Acknowledgements>) -> Result<()> {
    for topic in &broker.topics {
        for partition in 0..broker.partitions.try_into().unwrap_or(i32::MAX) {
            let (first, _) = producer
                .client()
                .fetch_watermarks(topic, partition, ANSWER_WAIT)
                .context(Kind::Unavailable, "ask the broker what it keeps")?;
            if first > 0 {
                return Err(Error::invalid(format!(
                    "topic {topic} needs more than {} partitions to keep every line",
                    broker.partitions
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rdkafka::Message;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    use super::*;
    use crate::demo::{Settings, generate};
    use crate::error::Kind;

    const TOPICS: [&str; 4] = ["web", "email", "phone", "store"];

    /// Everything that a consumer group of one finds, topic by topic: (partition, key, payload).
    fn consume(broker: &Broker, count: usize) -> BTreeMap<String, Vec<(i32, String, String)>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "test")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "10")
            .create()
            .expect("the configuration is right");
        consumer.subscribe(&TOPICS).expect("subscribe");
        let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for read in 0..count {
            // A poll that handles a rebalance ends early, with nothing.
            let message = (0..60).find_map(|_| consumer.poll(Duration::from_secs(1)));
            let message = message.unwrap_or_else(|| panic!("only {read} of {count} messages came"));
            let message = message.expect("a message, no error");
            let text = |bytes: Option<&[u8]>| {
                String::from_utf8(bytes.unwrap_or_default().to_vec()).expect("lines are UTF-8")
            };
            let row = (message.partition(), text(message.key()), text(message.payload()));
            found.entry(message.topic().to_owned()).or_default().push(row);
        }
        assert!(consumer.poll(Duration::from_millis(300)).is_none(), "nothing more was sent");
        found
    }

    /// 60,000 lines, more than the demo has: each is there, once, in order within its partition.
    #[test]
    fn the_broker_keeps_every_line_until_it_is_read() {
        let stream = generate(&Settings { customers: 6_500, ..Settings::default() });
        assert!(stream.lines.len() > 60_000, "{}", stream.lines.len());
        let broker = Broker::start(&TOPICS, partitions_for(&stream)).expect("a broker");
        let mut told = Vec::new();
        feed(&broker, &stream, &mut |count| told.push(count)).expect("feed");
        assert!(told.is_sorted());
        assert_eq!(told.last().copied(), Some(stream.lines.len() as u64));

        let found = consume(&broker, stream.lines.len());
        for channel in Channel::ALL {
            let mut partitions: BTreeMap<&str, i32> = BTreeMap::new();
            let mut by_partition: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
            for (partition, key, payload) in &found[channel.name()] {
                let first = *partitions.entry(key).or_insert(*partition);
                assert_eq!(first, *partition, "a redelivery lies beside the first");
                by_partition.entry(*partition).or_default().push(payload);
            }
            assert_eq!(by_partition.len() as u32, partitions_for(&stream));
            let mut expected: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
            for line in stream.lines.iter().filter(|line| line.channel == channel) {
                let partition = partitions[line.event_id.as_str()];
                expected.entry(partition).or_default().push(&line.text);
            }
            assert_eq!(by_partition, expected);
        }
    }

    /// A stream of lines that no compression makes smaller.
    fn incompressible(megabytes: usize) -> Stream {
        let mut rng = crate::demo::rng::Rng::new(1);
        let mut stream = generate(&Settings { customers: 1, ..Settings::default() });
        let text = |rng: &mut crate::demo::rng::Rng| -> String {
            let letters = (0..100_000).map(|_| char::from(b' ' + (rng.below(95) as u8)));
            letters.collect()
        };
        stream.lines = (0..megabytes as i64 * 10)
            .map(|arrival| Line {
                channel: Channel::Web,
                arrival,
                event_id: rng.hex(24),
                text: text(&mut rng),
            })
            .collect();
        stream
    }

    #[test]
    fn lines_that_the_broker_had_to_drop_are_told() {
        let stream = incompressible(9);
        let broker = Broker::start(&TOPICS, 1).expect("a broker");
        let error = feed(&broker, &stream, &mut |_| {}).expect_err("9 MB don't fit into 5 MiB");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("web"));

        assert!(partitions_for(&stream) > 1);
        let broker = Broker::start(&TOPICS, partitions_for(&stream)).expect("a broker");
        feed(&broker, &stream, &mut |_| {}).expect("they fit into more partitions");
    }

    #[test]
    fn a_topic_that_is_missing_is_told() {
        let broker = Broker::start(&["web"], 1).expect("a broker");
        let stream = generate(&Settings { customers: 20, ..Settings::default() });
        let error = feed(&broker, &stream, &mut |_| {}).expect_err("there is no topic email");
        assert_eq!(error.kind(), Kind::Invalid);
    }

    #[test]
    fn a_broker_can_move_to_another_thread() {
        fn assert_send_and_sync<T: Send + Sync>() {}
        assert_send_and_sync::<Broker>();
    }
}
