//! How do dead letters get into a topic?
//!
//! Each is produced as it was read: its bytes as the value, its key, its headers, and behind those
//! the ones that tell where it came from and why it could not be used ([`LETTER`] and the others).
//! What a broker finds too large comes without its payload, and says so ([`OMITTED`]).
//!
//! **Order.** The letters of one partition of a source go to one partition of the topic, in their
//! order. Within a producer, librdkafka keeps it (`enable.idempotence`), and a message never times
//! out. A letter that a broker may find too large is sent alone, so that what follows waits for it.
//! Should anything fail, the producer is done with: another one begins again with all that is not
//! acknowledged, so that a letter may come twice, but never the first time behind a later one.
//!
//! **Errors** of librdkafka name brokers and topics; no value of a letter is in them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use tracing::debug;

use crate::error::{Error, Result};
use crate::kafka;
use crate::record::{DeadLetter, Envelope, Origin};

/// Names the letter, the same however often it comes: source, partition and offset, as
/// `onefold dead-letter PIPELINE show` takes them.
pub const LETTER: &str = "onefold.letter";
/// The pipeline.
pub const PIPELINE: &str = "onefold.pipeline";
/// The source that it was read from.
pub const SOURCE: &str = "onefold.source";
/// The partition of the source: `topic/partition`, or a file.
pub const PARTITION: &str = "onefold.partition";
/// Its offset there.
pub const OFFSET: &str = "onefold.offset";
/// Why it could not be used.
pub const REASON: &str = "onefold.reason";
/// Which pointer or column, and what was expected there; never a value.
pub const DETAIL: &str = "onefold.detail";
/// What was left out, for the broker found it too large; absent where all is there.
pub const OMITTED: &str = "onefold.omitted";

/// What librdkafka is told unless the pipeline file says otherwise.
const DEFAULTS: [(&str, &str); 4] = [
    ("client.id", "onefold"),
    // A topic that is misspelt must not come into being.
    ("allow.auto.create.topics", "false"),
    // A letter may be of any size; the broker says what is too large.
    ("message.max.bytes", "1000000000"),
    ("batch.size", "65536"),
];

/// What no pipeline file may change: none is lost, and they stay in their order.
const FIXED: [(&str, &str); 3] =
    [("enable.idempotence", "true"), ("acks", "all"), ("message.timeout.ms", "0")];

/// A letter of this size is sent alone. Brokers take more than that, so what is smaller is refused
/// by those only that were told to take little. **Units:** bytes.
const ALONE_BYTES: usize = 64 << 10;
/// How long a broker may take to answer before it is asked again, and whether to go on.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// How often it is asked.
const QUESTIONS: usize = 4;
/// How long is waited for acknowledgements before it is asked whether to go on.
const POLL_WAIT: Duration = Duration::from_millis(10);

/// A topic for dead letters.
#[derive(Clone)]
pub struct LetterTopic {
    brokers: String,
    topic: String,
    options: BTreeMap<String, String>,
    pipeline: String,
}

/// What a delivery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Letters that the broker acknowledged.
    pub letters: u64,
    /// Those of them whose payload it found too large.
    pub omitted: u64,
}

impl LetterTopic {
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
    pub fn open(&self) -> Result<LetterProducer> {
        let config = kafka::settings(&self.brokers, &DEFAULTS, &self.options, &FIXED);
        let refused =
            |error| kafka::refused("start the producer", ("`options`", "`options`"), error);
        let producer = config.create_with_context(Reports::default()).map_err(refused)?;
        Ok(LetterProducer { producer, place: self.clone() })
    }

    /// Looks whether the topic is there.
    ///
    /// **Errors:** invalid, where it is not, or a setting is refused; unavailable.
    pub fn check(&self) -> Result<()> {
        self.open()?.partitions(&mut |_| true).map(drop)
    }
}

/// Produces letters to their topic. After an error it is of no more use.
pub struct LetterProducer {
    producer: BaseProducer<Reports>,
    place: LetterTopic,
}

/// How much of a letter is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    WithoutPayload,
    /// Nothing but our own headers.
    Bare,
}

impl LetterProducer {
    /// Handles what came meanwhile; to be called now and then while nothing is delivered.
    pub fn idle(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// What the client said last of what is in its way, since that was last asked.
    pub fn trouble(&self) -> Option<String> {
        self.reports().trouble.take()
    }

    /// Delivers letters in their order, and waits until all are acknowledged, or `goes_on`, which is
    /// told how many answers came, says no more.
    ///
    /// **Errors:** unavailable, where brokers or topic are away, or it was not to go on; what the
    /// topic then has of the letters is not known.
    pub fn deliver(
        &self,
        letters: &[DeadLetter],
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Delivered> {
        let partitions = self.partitions(goes_on)?;
        let (mut omitted, mut before) = (0, 0);
        let is_small = |letter: &DeadLetter| letter.bytes() < ALONE_BYTES;
        for some in letters.chunk_by(|left, right| is_small(left) && is_small(right)) {
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
        Ok(Delivered { letters: letters.len() as u64, omitted })
    }

    /// Sends one letter that was refused; returns whether something was left out.
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
        Err(Error::unavailable(format!("topic `{topic}` takes no letter, however small")))
    }

    /// Sends letters and waits until all are acknowledged; returns those that are too large.
    fn send(
        &self,
        letters: &[DeadLetter],
        part: Part,
        partitions: u64,
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<usize>> {
        let mut refused = Vec::new();
        let mut acknowledged = 0;
        let mut sent = 0;
        while acknowledged + refused.len() < letters.len() {
            while let Some(letter) = letters.get(sent) {
                match self.enqueue(sent, letter, part, partitions) {
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
            if answers < letters.len() && !goes_on(answers) {
                return Err(Error::unavailable("the delivery of dead letters was stopped"));
            }
        }
        refused.sort_unstable();
        Ok(refused)
    }

    /// Hands one letter over to librdkafka; `at` is what it is known by.
    fn enqueue(
        &self,
        at: usize,
        letter: &DeadLetter,
        part: Part,
        partitions: u64,
    ) -> std::result::Result<(), KafkaError> {
        let topic = self.place.topic.as_str();
        let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, at);
        record.partition = Some(partition(&letter.origin, partitions));
        record.payload = Some(if part == Part::Whole { &letter.payload } else { &[] });
        let envelope = letter.envelope.as_deref().filter(|_| part != Part::Bare);
        record.key = envelope.and_then(|envelope| envelope.key.as_deref());
        record.headers = Some(headers(letter, envelope, part, &self.place.pipeline));
        self.producer.send(record).map_err(|(error, _)| error)
    }

    /// How many partitions the topic has.
    fn partitions(&self, goes_on: &mut dyn FnMut(usize) -> bool) -> Result<u64> {
        let LetterTopic { brokers, topic, .. } = &self.place;
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

/// The partition of the topic for a partition of a source, of so many.
fn partition(origin: &Origin, partitions: u64) -> i32 {
    let mut hasher = blake3::Hasher::new_derive_key("onefold dead letter partition");
    hasher.update(&(origin.source.len() as u64).to_le_bytes());
    hasher.update(origin.source.as_bytes());
    hasher.update(origin.partition.as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    let chosen = u64::from_le_bytes(number) % partitions;
    i32::try_from(chosen).expect("a broker numbers partitions by 32 bits")
}

/// What stands in the header [`LETTER`].
fn name(origin: &Origin) -> String {
    let Origin { source, partition, offset } = origin;
    format!("{source} {partition} {offset}")
}

/// The headers of a letter: its own first, so that the last of a name is ours.
fn headers(
    letter: &DeadLetter,
    envelope: Option<&Envelope>,
    part: Part,
    pipeline: &str,
) -> OwnedHeaders {
    let mut all = OwnedHeaders::new();
    for header in envelope.iter().flat_map(|envelope| &envelope.headers) {
        all = all.insert(Header { key: &header.name, value: header.value.as_deref() });
    }
    let DeadLetter { origin, reason, detail, payload: _, envelope: _ } = letter;
    let (letter, offset) = (name(origin), origin.offset.to_string());
    let omitted = match part {
        Part::Whole => None,
        Part::WithoutPayload => Some((OMITTED, "payload")),
        Part::Bare => Some((OMITTED, "payload, key, headers")),
    };
    let ours = [
        (LETTER, letter.as_str()),
        (PIPELINE, pipeline),
        (SOURCE, &origin.source),
        (PARTITION, &origin.partition),
        (OFFSET, &offset),
        (REASON, reason.name()),
        (DETAIL, detail),
    ];
    ours.into_iter()
        .chain(omitted)
        .fold(all, |all, (key, value)| all.insert(Header { key, value: Some(value.as_bytes()) }))
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
    /// What became of letters.
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

#[cfg(test)]
mod tests;
