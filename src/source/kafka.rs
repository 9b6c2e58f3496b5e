//! Topics in, messages out: from which offset on, and what if the broker is away?
//!
//! The group only shares out partitions. Where each starts is for our own state to say, so
//! [`Context::rebalance`] sets the offset of every partition as it is assigned: what was handed out
//! in this run, else the state's position, else the beginning. librdkafka fetches ahead into a
//! bounded queue and pauses by itself when that is full.

mod sample;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList};
use tracing::{debug, info, warn};

pub(super) use self::sample::sample;
use super::{BATCH_BYTES_MAX, Batch, Fault, KafkaPlan, Message, Positions, Source};
use crate::clock::Stopwatch;
use crate::error::{Context as _, Error, Kind, Result};
use crate::record::{Origin, Reason};

/// What librdkafka is told unless the pipeline file says otherwise.
const DEFAULTS: [(&str, &str); 7] = [
    ("client.id", "onefold"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("auto.offset.reset", "earliest"),
    // What is fetched ahead of the pipeline, per source.
    ("queued.max.messages.kbytes", "65536"),
    ("queued.min.messages", "20000"),
    // A commit may take long; only a dead process should lose its partitions.
    ("max.poll.interval.ms", "3600000"),
    ("enable.partition.eof", "false"),
];

/// What no pipeline file may change: positions are for the state to keep.
const FIXED: [(&str, &str); 2] =
    [("enable.auto.commit", "false"), ("enable.auto.offset.store", "false")];

/// How long a broker may take to answer a question.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// How librdkafka marks what it logs of positions that the broker does not have.
const OFFSET_RESET: &str = "OFFSET";

/// A consumer of the topics of one source.
pub(super) struct KafkaSource {
    source: Arc<str>,
    consumer: BaseConsumer<Context>,
    partitions: Partitions,
    /// What keeps the broker from being read at present.
    trouble: Option<RDKafkaErrorCode>,
    /// What ended the last batch.
    failure: Option<Error>,
    connected: bool,
}

/// Subscribes to the topics; does not wait for the broker.
pub(super) fn open(source: &Arc<str>, plan: &KafkaPlan, start: &Positions) -> Result<KafkaSource> {
    let consumer = consumer(source, plan, start)?;
    let topics: Vec<&str> = plan.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).context(Kind::Invalid, "subscribe; check `topics`")?;
    Ok(KafkaSource {
        source: Arc::clone(source),
        consumer,
        partitions: Partitions { source: Arc::clone(source), names: BTreeMap::new() },
        trouble: None,
        failure: None,
        connected: false,
    })
}

/// Asks the broker for the topics, without joining the group.
pub(super) fn check(source: &Arc<str>, plan: &KafkaPlan) -> Result<()> {
    let consumer = consumer(source, plan, &Positions::new())?;
    for topic in &plan.topics {
        let told = consumer
            .fetch_metadata(Some(topic), ANSWER_WAIT)
            .context(Kind::Unavailable, format!("ask `{}` for topics", plan.brokers))?;
        let there = told.topics().iter().any(|t| t.name() == topic && t.error().is_none());
        if !there {
            return Err(Error::invalid(format!(
                "topic `{topic}` is not there, or not for this user; create it, or check `topics`"
            )));
        }
    }
    Ok(())
}

fn consumer(
    source: &Arc<str>,
    plan: &KafkaPlan,
    start: &Positions,
) -> Result<BaseConsumer<Context>> {
    let mut config = ClientConfig::new();
    let given = plan.options.0.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in DEFAULTS.into_iter().chain(given).chain(FIXED) {
        config.set(key, value);
    }
    config.set("bootstrap.servers", &plan.brokers).set("group.id", &plan.group);
    config.set_log_level(RDKafkaLogLevel::Warning);
    let latest = matches!(config.get("auto.offset.reset"), Some("latest" | "largest" | "end"));
    let mine = start.iter().filter(|((name, _), _)| name == source);
    let context = Context {
        source: Arc::clone(source),
        next: Mutex::new(mine.map(|((_, at), next)| (Arc::clone(at), *next)).collect()),
        unseen: if latest { Offset::End } else { Offset::Beginning },
        assigned: AtomicBool::new(false),
    };
    config.create_with_context(context).map_err(refused)
}

/// Says which option is refused, but never its value: it may be a secret, and librdkafka's own
/// words repeat it.
fn refused(error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, _, key, _) => Error::invalid(format!(
            "start the consumer: librdkafka refuses the key or the value of `{key}`; check \
             `kafka.options`"
        )),
        error => {
            Error::invalid("start the consumer; check `kafka` and its `options`").caused_by(error)
        }
    }
}

impl Source for KafkaSource {
    fn next(&mut self, limit: usize, wait: Duration) -> Result<Option<Batch>> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let waited = Stopwatch::start();
        let mut batch = Batch::default();
        let mut bytes = 0;
        while batch.messages.len() < limit && bytes < BATCH_BYTES_MAX {
            let first = batch.messages.is_empty();
            let wait = if first { wait.saturating_sub(waited.elapsed()) } else { Duration::ZERO };
            // The message borrows from the consumer, so it is copied before anything else is
            // touched.
            let polled = self.consumer.poll(wait);
            let polled = polled.map(|polled| polled.map(|m| self.partitions.message(&m)));
            match polled {
                Some(Ok(message)) => {
                    self.received();
                    let Origin { partition, offset, .. } = &message.origin;
                    self.consumer.context().handed_out(partition, *offset);
                    bytes += message.payload.len();
                    batch.messages.push(message);
                }
                Some(Err(error)) => match self.failed(error) {
                    Ok(()) => {}
                    Err(error) if first => return Err(error),
                    Err(error) => {
                        // What was read before is handed out first.
                        self.failure = Some(error);
                        break;
                    }
                },
                None if first && waited.elapsed() < wait => {}
                None => {
                    batch.idle = true;
                    break;
                }
            }
        }
        Ok(Some(batch))
    }

    /// Whether the group has shared out the partitions: after a crash, that waits until the group
    /// has given up the process that is gone.
    fn is_ready(&self) -> bool {
        self.consumer.context().assigned.load(Ordering::Acquire)
    }

    fn acknowledge(&mut self, positions: &Positions) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        for ((source, at), next) in positions {
            let Some((topic, partition)) = parts(at).filter(|_| *source == self.source) else {
                continue;
            };
            let Ok(next) = i64::try_from(*next) else { continue };
            offsets
                .add_partition_offset(topic, partition, Offset::Offset(next))
                .context(Kind::Internal, "list offsets")?;
        }
        if offsets.count() > 0
            && let Err(error) = self.consumer.commit(&offsets, CommitMode::Async)
        {
            debug!(source = %self.source, %error, "group offsets were not committed");
        }
        Ok(())
    }
}

impl KafkaSource {
    /// Takes note that the broker answers.
    fn received(&mut self) {
        self.connected = true;
        if self.trouble.take().is_some() {
            info!(source = %self.source, "the broker is back");
        }
    }

    /// Goes on where librdkafka does: it connects again and again by itself.
    fn failed(&mut self, error: KafkaError) -> Result<()> {
        use RDKafkaErrorCode as Code;
        let code = match &error {
            KafkaError::MessageConsumption(code) => *code,
            KafkaError::MessageConsumptionFatal(_) => {
                return Err(Error::unavailable("read from Kafka").caused_by(error));
            }
            _ => {
                debug!(source = %self.source, %error, "the consumer reports");
                return Ok(());
            }
        };
        let refused = matches!(
            code,
            Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
        );
        // Later on it is the broker that changed, and it may change back.
        if refused && !self.connected {
            let act = "read from Kafka; check user, password and rights in `kafka.options`";
            return Err(Error::invalid(act).caused_by(error));
        }
        // librdkafka reports one absence under several codes in turn; it is said once.
        if self.trouble.replace(code).is_none() {
            warn!(source = %self.source, %error, "the broker cannot be read; trying again");
        }
        Ok(())
    }
}

/// Copies messages out of the consumer's queue.
struct Partitions {
    source: Arc<str>,
    /// `topic/partition` of each partition, so that messages share the text.
    names: BTreeMap<String, BTreeMap<i32, Arc<str>>>,
}

impl Partitions {
    fn message(&mut self, message: &BorrowedMessage<'_>) -> Message {
        let (topic, partition) = (message.topic(), message.partition());
        if !self.names.contains_key(topic) {
            self.names.insert(topic.to_owned(), BTreeMap::new());
        }
        let names = self.names.get_mut(topic).expect("the topic was put there");
        let at = names.entry(partition).or_insert_with(|| name(topic, partition));
        let origin = Origin {
            source: Arc::clone(&self.source),
            partition: Arc::clone(at),
            offset: u64::try_from(message.offset()).expect("a delivered message has an offset"),
        };
        // A tombstone says that a key is gone from a compacted topic; it names no event.
        let fault = message.payload().is_none().then(|| Fault {
            reason: Reason::MissingField,
            detail: "expected a payload".to_owned(),
        });
        let payload = message.payload().map(Bytes::copy_from_slice).unwrap_or_default();
        Message { origin, payload, fault }
    }
}

/// What librdkafka calls back.
struct Context {
    source: Arc<str>,
    /// The next offset of each partition: of the state at first, then what was handed out.
    next: Mutex<BTreeMap<Arc<str>, u64>>,
    /// Where a partition starts that has no position.
    unseen: Offset,
    /// Whether the group has ever shared out the partitions.
    assigned: AtomicBool,
}

impl Context {
    fn positions(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, u64>> {
        // A map of numbers is whole after any panic.
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handed_out(&self, partition: &Arc<str>, offset: u64) {
        self.positions().insert(Arc::clone(partition), offset + 1);
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        assigned: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        info!(source = %self.source, partitions = assigned.count(), "partitions assigned");
        let partitions: Vec<_> =
            assigned.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect();
        for (topic, partition) in partitions {
            let next = self.positions().get(&*name(&topic, partition)).copied();
            let offset = match next.map(i64::try_from) {
                Some(Ok(next)) => Offset::Offset(next),
                _ => self.unseen,
            };
            debug!(source = %self.source, topic, partition, ?offset, "partition assigned");
            assigned.set_partition_offset(&topic, partition, offset)?;
        }
        self.assigned.store(true, Ordering::Release);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(assigned),
            _ => consumer.assign(assigned),
        }
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        revoked: &TopicPartitionList,
    ) -> KafkaResult<()> {
        info!(source = %self.source, partitions = revoked.count(), "partitions revoked");
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(revoked),
            _ => consumer.unassign(),
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let done = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.assign(consumer, partitions)
            }
            _ => self.revoke(consumer, partitions),
        };
        if let Err(error) = done {
            warn!(source = %self.source, %error, "the rebalance failed; the group will try again");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(source = %self.source, %error, "group offsets were not committed");
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == OFFSET_RESET && matches!(level, RDKafkaLogLevel::Warning) {
            // Retention removed what was not yet read, or the topic was created anew.
            warn!(source = %self.source, message, "the broker no longer has the position");
        } else {
            // What needs a person comes as an error too, and is logged where it is handled.
            debug!(source = %self.source, ?level, facility, message, "librdkafka");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(source = %self.source, %error, reason, "librdkafka");
    }
}

fn name(topic: &str, partition: i32) -> Arc<str> {
    format!("{topic}/{partition}").into()
}

fn parts(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('/')?;
    Some((topic, partition.parse().ok()?))
}

#[cfg(test)]
mod tests;
