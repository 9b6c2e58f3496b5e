//! How do messages get into a topic, each at least once and in their order?
//!
//! **Order.** Messages of one route, or of one key, go to one partition of the topic, in their order.
//! Within a producer, librdkafka keeps it (`enable.idempotence`), and a message never times out. One
//! that a broker may find too large is sent alone, so that what follows waits for it. Should anything
//! fail, the producer is done with: another one begins again with all that is not acknowledged, so
//! that a message may come twice, but never the first time behind a later one.
//!
//! What a broker finds too large comes with less ([`Part`]), and says so ([`OMITTED`]).
//!
//! **Errors** of librdkafka name brokers and topics; no value of a message is in them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use tracing::debug;

use crate::error::{Error, Result};
use crate::kafka;

/// What was left out, for the broker found it too large; absent where all is there.
pub const OMITTED: &str = "onefold.omitted";

/// What can be produced to a topic.
pub trait Mail {
    /// About how large it is. **Units:** bytes.
    fn bytes(&self) -> usize;
    /// What is of one route stays in its order; `None` where the key decides, as with any producer.
    fn route(&self) -> Option<u64>;
    /// The message's key.
    fn key(&self, part: Part) -> Option<&[u8]>;
    /// Its value; `None` for a tombstone.
    fn value(&self, part: Part) -> Option<&[u8]>;
    /// Its headers, [`OMITTED`] among them where it is not whole.
    fn headers(&self, part: Part, pipeline: &str) -> OwnedHeaders;
}

/// How much of a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// All but its payload.
    WithoutPayload,
    /// The least that tells what it was.
    Bare,
}

/// What librdkafka is told unless the pipeline file says otherwise.
const DEFAULTS: [(&str, &str); 5] = [
    ("client.id", "onefold"),
    // A topic that is misspelt must not come into being.
    ("allow.auto.create.topics", "false"),
    // A message may be of any size; the broker says what is too large.
    ("message.max.bytes", "1000000000"),
    ("batch.size", "65536"),
    // As Java's clients do, so that others find the partition of a key.
    ("partitioner", "murmur2_random"),
];

/// What no pipeline file may change: none is lost, and they stay in their order.
const FIXED: [(&str, &str); 3] =
    [("enable.idempotence", "true"), ("acks", "all"), ("message.timeout.ms", "0")];

/// A message of this size is sent alone. Brokers take more than that, so what is smaller is refused
/// by those only that were told to take little. **Units:** bytes.
pub(super) const ALONE_BYTES: usize = 64 << 10;
/// How long a broker may take to answer before it is asked again, and whether to go on.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// How often it is asked.
const QUESTIONS: usize = 4;
/// How long is waited for acknowledgements before it is asked whether to go on.
const POLL_WAIT: Duration = Duration::from_millis(10);

/// A topic that is produced to.
#[derive(Clone)]
pub struct Topic {
    brokers: String,
    topic: String,
    options: BTreeMap<String, String>,
    pipeline: String,
}

/// What a delivery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages that the broker acknowledged.
    pub messages: u64,
    /// Those of them whose payload it found too large.
    pub omitted: u64,
}

impl Topic {
    /// Names a topic; `options` are librdkafka's, and may hold secrets.
    pub fn new(
        brokers: &str,
        topic: &str,
        options: &BTreeMap<String, String>,
        pipeline: &str,
    ) -> Self {
        let [brokers, topic, pipeline] = [brokers, topic, pipeline].map(str::to_owned);
        Self { brokers, topic, options: options.clone(), pipeline }
    }

    /// A producer, which does not connect yet.
    ///
    /// **Errors:** invalid, where a setting is refused.
    pub fn open(&self) -> Result<TopicProducer> {
        let config = kafka::settings(&self.brokers, &DEFAULTS, &self.options, &FIXED);
        let refused =
            |error| kafka::refused("start the producer", ("`options`", "`options`"), error);
        let producer = config.create_with_context(Reports::default()).map_err(refused)?;
        Ok(TopicProducer { producer, place: self.clone() })
    }

    /// Looks whether the topic is there.
    ///
    /// **Errors:** invalid, where it is not, or a setting is refused; unavailable.
    pub fn check(&self) -> Result<()> {
        self.open()?.partitions(&mut |_| true).map(drop)
    }
}

/// Produces messages to a topic. After an error it is of no more use.
pub struct TopicProducer {
    producer: BaseProducer<Reports>,
    place: Topic,
}

impl TopicProducer {
    /// Handles what came meanwhile; to be called now and then while nothing is delivered.
    pub fn idle(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// What the client said last of what is in its way, since that was last asked.
    pub fn trouble(&self) -> Option<String> {
        self.reports().trouble.take()
    }

    /// Delivers messages in their order, and waits until all are acknowledged, or `goes_on`, which is
    /// told how many answers came, says no more.
    ///
    /// **Errors:** unavailable, where brokers or topic are away, or it was not to go on; what the
    /// topic then has of them is not known.
    pub fn deliver<M: Mail>(
        &self,
        messages: &[M],
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Delivered> {
        let partitions = self.partitions(goes_on)?;
        let (mut omitted, mut before) = (0, 0);
        let is_small = |message: &M| message.bytes() < ALONE_BYTES;
        for some in messages.chunk_by(|left, right| is_small(left) && is_small(right)) {
            let mut goes_on = |answers| goes_on(before + answers);
            for at in self.send(some, Part::Whole, partitions, &mut goes_on)? {
                let one = &some[at..=at];
                // In a batch, it may be the batch that is too large.
                let is_taken = |part| {
                    let refused = self.send(one, part, partitions, &mut goes_on)?;
                    Ok(refused.is_empty())
                };
                omitted += u64::from(self.send_less(some.len() > 1, is_taken)?);
            }
            before += some.len();
        }
        Ok(Delivered { messages: messages.len() as u64, omitted })
    }

    /// Sends one message that was refused; returns whether something was left out.
    fn send_less(
        &self,
        again: bool,
        mut is_taken: impl FnMut(Part) -> Result<bool>,
    ) -> Result<bool> {
        if again && is_taken(Part::Whole)? {
            return Ok(false);
        }
        if is_taken(Part::WithoutPayload)? || is_taken(Part::Bare)? {
            return Ok(true);
        }
        let topic = &self.place.topic;
        Err(Error::unavailable(format!("topic `{topic}` takes no message, however small")))
    }

    /// Sends messages and waits until all are acknowledged; returns those that are too large.
    fn send<M: Mail>(
        &self,
        messages: &[M],
        part: Part,
        partitions: u64,
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<usize>> {
        let mut refused = Vec::new();
        let mut acknowledged = 0;
        let mut sent = 0;
        while acknowledged + refused.len() < messages.len() {
            while let Some(message) = messages.get(sent) {
                match self.enqueue(sent, message, part, partitions) {
                    Ok(()) => {}
                    Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => break,
                    Err(error) if is_too_large(&error) => refused.push(sent),
                    Err(error) => return Err(self.failed(error)),
                }
                sent += 1;
            }
            self.producer.poll(POLL_WAIT);
            for (at, delivered) in std::mem::take(&mut self.reports().delivered) {
                match delivered {
                    Ok(()) => acknowledged += 1,
                    Err(error) if is_too_large(&error) => refused.push(at),
                    Err(error) => return Err(self.failed(error)),
                }
            }
            let answers = acknowledged + refused.len();
            if answers < messages.len() && !goes_on(answers) {
                return Err(Error::unavailable("the delivery was stopped"));
            }
        }
        refused.sort_unstable();
        Ok(refused)
    }

    /// Hands one message over to librdkafka; `at` is what it is known by.
    fn enqueue(
        &self,
        at: usize,
        message: &impl Mail,
        part: Part,
        partitions: u64,
    ) -> std::result::Result<(), KafkaError> {
        let topic = self.place.topic.as_str();
        let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, at);
        record.partition = message.route().map(|route| partition(route, partitions));
        record.payload = message.value(part);
        record.key = message.key(part);
        record.headers = Some(message.headers(part, &self.place.pipeline));
        self.producer.send(record).map_err(|(error, _)| error)
    }

    /// How many partitions the topic has.
    fn partitions(&self, goes_on: &mut dyn FnMut(usize) -> bool) -> Result<u64> {
        let Topic { brokers, topic, .. } = &self.place;
        let client = self.producer.client();
        let mut asked = 0;
        let told = loop {
            asked += 1;
            match client.fetch_metadata(Some(topic), ANSWER_WAIT) {
                Err(_) if asked < QUESTIONS && goes_on(0) => {}
                told => break told,
            }
        };
        let act = || format!("ask `{brokers}` for topic `{topic}`");
        let told = told.map_err(|error| Error::unavailable(act()).caused_by(error))?;
        let found = told.topics().iter().find(|it| it.name() == topic && it.error().is_none());
        match found.map_or(0, |topic| topic.partitions().len()) {
            0 => Err(Error::invalid(format!(
                "topic `{topic}` is not there, or not for this user; create it, or check `topic`"
            ))),
            count => Ok(count as u64),
        }
    }

    fn failed(&self, error: KafkaError) -> Error {
        let topic = &self.place.topic;
        Error::unavailable(format!("produce to topic `{topic}`")).caused_by(error)
    }

    fn reports(&self) -> MutexGuard<'_, Heard> {
        self.producer.context().heard()
    }
}

/// The partition of a route, of so many.
fn partition(route: u64, partitions: u64) -> i32 {
    let chosen = route % partitions;
    i32::try_from(chosen).expect("a broker numbers partitions by 32 bits")
}

fn is_too_large(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{MessageBatchTooLarge, MessageSizeTooLarge};
    matches!(error, KafkaError::MessageProduction(MessageSizeTooLarge | MessageBatchTooLarge))
}

/// What librdkafka calls back.
#[derive(Default)]
struct Reports(Mutex<Heard>);

/// What was heard since that was last asked.
#[derive(Default)]
struct Heard {
    /// What became of messages.
    delivered: Vec<(usize, std::result::Result<(), KafkaError>)>,
    trouble: Option<String>,
}

impl Reports {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        // Lists are whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What needs a person comes as an error too.
        debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "librdkafka");
        self.heard().trouble = Some(error.to_string());
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, at: usize) {
        let delivered = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        self.heard().delivered.push((at, delivered));
    }
}
