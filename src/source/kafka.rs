//! Topics in, messages out: from which offset on, and what if the broker is away?
//!
//! **Partitions.** A state has one writer, and that reads all partitions of the topics, each from
//! where our own state says ([`context`]): they are assigned by hand, nobody shares them out, and a
//! start after any end waits for nobody. Under the group's name offsets are only committed, so that
//! the usual tools see how far reading is; they are never read, and whoever else has the group loses
//! nothing. A topic that is not there is asked for again and again; a partition that is added to one
//! is found within `topic.metadata.refresh.interval.ms`, and read from its beginning.
//!
//! **Fetching.** librdkafka fetches ahead into a bounded queue and pauses by itself when that is
//! full; while nobody takes what was read, [`KafkaSource::hold`] pauses the partitions, and only
//! what librdkafka tells of them is heard.
//!
//! **Offsets.** A message further on than was expected, after the broker said that it has not the
//! position, is a gap: retention passed us. It is told and counted, and reading goes on, or ends
//! where the pipeline file wants that. A message before what was expected is another topic under
//! the same name, or one that lost its end: reading stops, for reading it again, or leaving it out,
//! is for a person to decide. A batch that cannot be read, damaged or of an unknown compression, is
//! told again and again: its partition waits there, the others go on.

mod closing;
mod context;
mod copy;
mod sample;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

pub(super) use self::sample::sample;
use closing::Closing;
use context::{Follows, is_refusal_of_group, parts};
use copy::Copier;
use settings::{consumer, refresh_interval};

use super::plan::OnGap;
use super::{BATCH_BYTES_MAX, Batch, KafkaPlan, Lag, Message, Positions, Source};
use crate::clock::Stopwatch;
use crate::error::{Context as _, Error, Kind, Result};
use crate::record::Origin;
use crate::telemetry::{BatchUnreadable, OffsetsLost};

/// How long a broker may take to answer a question.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The same, where nothing is read yet.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// The same, where messages wait meanwhile.
const GLANCE_WAIT: Duration = Duration::from_secs(1);
/// How often the broker is asked for what cannot be read.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is said that batches cannot be read.
const UNREADABLE_EVERY: Duration = Duration::from_secs(60);

/// A consumer of the topics of one source.
pub(super) struct KafkaSource {
    source: Arc<str>,
    consumer: Closing,
    topics: Vec<String>,
    on_gap: OnGap,
    copier: Copier,
    /// What keeps the broker from being read at present.
    trouble: Option<RDKafkaErrorCode>,
    /// What ended the last batch.
    failure: Option<Error>,
    connected: bool,
    /// Whether all partitions of the topics were there at the last look, and are read.
    whole: bool,
    /// Since that look.
    looked: Option<Stopwatch>,
    /// How often to look where all is read; `None` is never.
    refresh: Option<Duration>,
    /// Topics that cannot be read, and why.
    missing: BTreeMap<String, RDKafkaErrorCode>,
    unreadable: Unreadable,
    /// What came while the source was held; next to be handed out.
    held: Option<Message>,
    /// Whether the partitions are paused. librdkafka reads one anew that is resumed without need.
    paused: bool,
}

/// Batches that could not be read.
#[derive(Default)]
struct Unreadable {
    /// Since it was last told.
    told: Option<Stopwatch>,
    /// How many since then.
    count: u64,
}

impl Unreadable {
    /// Whether some partition could not go on, a short time ago.
    fn is_recent(&self) -> bool {
        self.told.as_ref().is_some_and(|told| told.elapsed() < UNREADABLE_EVERY)
    }
}

/// Makes ready to read the topics; does not ask the broker yet.
pub(super) fn open(source: &Arc<str>, plan: &KafkaPlan, start: &Positions) -> Result<KafkaSource> {
    Ok(KafkaSource {
        source: Arc::clone(source),
        consumer: consumer(source, plan, start)?.into(),
        topics: plan.topics.clone(),
        on_gap: plan.on_gap,
        copier: Copier::new(source),
        trouble: None,
        failure: None,
        connected: false,
        whole: false,
        looked: None,
        refresh: refresh_interval(plan),
        missing: BTreeMap::new(),
        unreadable: Unreadable::default(),
        held: None,
        paused: false,
    })
}

/// Asks the broker for the topics.
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

impl Source for KafkaSource {
    fn next(&mut self, limit: usize, wait: Duration) -> Result<Option<Batch>> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.resume().context(Kind::Unavailable, "resume partitions")?;
        self.look_around()?;
        let waited = Stopwatch::start();
        let mut batch = Batch::default();
        let mut bytes = 0;
        while batch.messages.len() < limit && bytes < BATCH_BYTES_MAX {
            let first = batch.messages.is_empty();
            let wait = if first { wait.saturating_sub(waited.elapsed()) } else { Duration::ZERO };
            match self.poll(wait) {
                Ok(Some(message)) => {
                    bytes += message.payload.len();
                    batch.messages.push(message);
                }
                Err(error) if first => return Err(error),
                Err(error) => {
                    // What was read before is handed out first.
                    self.failure = Some(error);
                    break;
                }
                Ok(None) if first && waited.elapsed() < wait => {}
                Ok(None) => {
                    batch.idle = true;
                    break;
                }
            }
        }
        Ok(Some(batch))
    }

    /// Whether all partitions of the topics are there, and all can be read.
    fn is_ready(&self) -> bool {
        self.whole && self.trouble.is_none() && !self.unreadable.is_recent()
    }

    fn hold(&mut self) {
        if let Err(error) = self.pause() {
            debug!(source = %self.source, %error, "partitions were not paused");
        }
        // One at most came in the time before they were paused.
        if self.held.is_none() && self.failure.is_none() {
            match self.poll(Duration::ZERO) {
                Ok(message) => self.held = message,
                Err(error) => self.failure = Some(error),
            }
        }
    }

    fn lag(&self) -> Vec<Lag> {
        self.consumer.context().known().lag()
    }

    /// librdkafka commits them every `auto.commit.interval.ms` and at the end; what the broker did
    /// not take, again and again.
    fn acknowledge(&mut self, positions: &Positions) {
        let mut offsets = TopicPartitionList::new();
        for ((source, at), next) in positions {
            let Some((topic, partition)) = parts(at).filter(|_| *source == self.source) else {
                continue;
            };
            if let Ok(next) = i64::try_from(*next) {
                // Only an offset that is no offset is refused.
                offsets.add_partition_offset(topic, partition, Offset::Offset(next)).ok();
            }
        }
        // Those of partitions that are not read yet are refused; they are stored once they are read.
        self.consumer.store_offsets(&offsets).ok();
    }

    fn unacknowledged(&mut self) -> u64 {
        self.consumer.context().known().take_uncommitted()
    }
}

impl KafkaSource {
    /// Pauses the partitions, where they are not.
    fn pause(&mut self) -> KafkaResult<()> {
        if !self.paused {
            self.consumer.pause(&self.consumer.assignment()?)?;
            self.paused = true;
        }
        Ok(())
    }

    /// Resumes the partitions, where they are paused.
    fn resume(&mut self) -> KafkaResult<()> {
        if self.paused {
            self.consumer.resume(&self.consumer.assignment()?)?;
            self.paused = false;
        }
        Ok(())
    }

    /// The next message, in its place; `None` where there is none yet.
    fn poll(&mut self, wait: Duration) -> Result<Option<Message>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        // The message borrows from the consumer, so it is copied before anything else is touched.
        let polled = self.consumer.poll(wait);
        match polled.map(|polled| polled.map(|message| self.copier.copy(&message))) {
            None => Ok(None),
            Some(Ok((message, at))) => {
                self.received();
                if !self.place(&message.origin)? {
                    return Ok(None);
                }
                let Origin { partition, offset, .. } = &message.origin;
                self.consumer.context().known().handed_out(partition, *offset, at);
                Ok(Some(message))
            }
            Some(Err(error)) => self.failed(error).map(|()| None),
        }
    }

    /// Takes note that the broker answers.
    fn received(&mut self) {
        self.connected = true;
        if self.trouble.take().is_some() {
            info!(source = %self.source, "the broker is back");
        }
    }

    /// Looks how a message follows those before it; returns whether it is to be handed out.
    fn place(&mut self, origin: &Origin) -> Result<bool> {
        let Origin { partition, offset: found, .. } = origin;
        let follows = self.consumer.context().known().follows(partition, *found);
        let expected = match follows {
            Follows::Next => return Ok(true),
            // librdkafka went back further than it was told.
            Follows::Before => return Ok(false),
            Follows::Anew { expected } => {
                return Err(Error::data(format!(
                    "{partition}: the position is {expected}, and the broker, which does not have \
                     it, hands out {found}: the topic was created anew, or lost its end; to read it \
                     from its beginning, give the source a new name in the pipeline file: events \
                     that are known count once"
                )));
            }
            Follows::Gap { expected } => expected,
        };
        let lost = found - expected;
        self.consumer.context().known().lose(partition, lost);
        OffsetsLost { source: &self.source, partition, expected, found: *found, lost }.emit();
        if self.on_gap == OnGap::Stop {
            return Err(Error::data(format!(
                "{partition}: {lost} offsets from {expected} on are lost, and `on_gap` is `stop`; \
                 with `continue` reading goes on at {found}"
            )));
        }
        Ok(true)
    }

    /// Goes on where librdkafka does: it connects again and again by itself.
    fn failed(&mut self, error: KafkaError) -> Result<()> {
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
        if is_unreadable(code) {
            self.cannot_read(&error);
            return Ok(());
        }
        if is_refusal_of_group(code) {
            self.consumer.context().not_committed(&error);
            return Ok(());
        }
        self.check_rights(code)?;
        // librdkafka reports one absence under several codes in turn; it is said once.
        if self.trouble.replace(code).is_none() {
            warn!(source = %self.source, %error, "the broker cannot be read; trying again");
        }
        Ok(())
    }

    /// Takes note of a batch that cannot be read.
    fn cannot_read(&mut self, error: &KafkaError) {
        self.unreadable.count += 1;
        if !self.unreadable.is_recent() {
            self.unreadable.told = Some(Stopwatch::start());
            let count = std::mem::take(&mut self.unreadable.count);
            BatchUnreadable { source: &self.source, count, error }.emit();
        }
    }

    /// Fails where this user may not read, unless that was so before: later on it is the broker
    /// that changed, and it may change back.
    fn check_rights(&self, code: RDKafkaErrorCode) -> Result<()> {
        if !is_refusal(code) || self.connected {
            return Ok(());
        }
        let act = "read from Kafka; check user, password and rights in `kafka.options`";
        Err(Error::invalid(act).caused_by(KafkaError::MessageConsumption(code)))
    }

    /// Looks from time to time for partitions that are not read yet, and more often where something
    /// cannot be read.
    fn look_around(&mut self) -> Result<()> {
        let is_well = self.whole && self.trouble.is_none();
        let every = if is_well { self.refresh } else { Some(LOOK_EVERY) };
        let is_due = |since: &Stopwatch| every.is_some_and(|every| since.elapsed() >= every);
        if !self.looked.as_ref().is_none_or(is_due) {
            return Ok(());
        }
        let mut whole = true;
        for at in 0..self.topics.len() {
            let found = self.look_for(at);
            self.looked = Some(Stopwatch::start());
            match found? {
                Some(found) => whole &= found,
                // Of a broker that is away, nothing new is known.
                None => return Ok(()),
            }
        }
        self.whole = whole;
        // Where there is nothing to be read, this is the only answer that comes.
        if whole && self.trouble.is_some_and(|code| !is_refusal(code)) {
            self.received();
        }
        Ok(())
    }

    /// Looks for the partitions of a topic, and reads those that are not read yet; returns whether
    /// all can be. `None` where the broker does not answer.
    fn look_for(&mut self, at: usize) -> Result<Option<bool>> {
        let topic = &self.topics[at];
        let is_assigned = self.consumer.context().known().is_assigned();
        let wait = if is_assigned { GLANCE_WAIT } else { FIRST_WAIT };
        let Ok(told) = self.consumer.fetch_metadata(Some(topic), wait) else { return Ok(None) };
        let Some(told) = told.topics().iter().find(|told| told.name() == topic) else {
            return Ok(None);
        };
        if let Some(code) = told.error().map(RDKafkaErrorCode::from) {
            self.check_rights(code)?;
            if self.missing.insert(topic.clone(), code) != Some(code) {
                let source = &self.source;
                warn!(%source, topic, error = %code, "the topic cannot be read; trying again");
            }
            return Ok(Some(false));
        }
        if self.missing.remove(topic).is_some() {
            info!(source = %self.source, topic, "the topic can be read");
        }
        let partitions: Vec<i32> = told.partitions().iter().map(MetadataPartition::id).collect();
        self.assign(topic, &partitions).context(Kind::Unavailable, "assign partitions")?;
        let leads = |at: &MetadataPartition| at.leader() >= 0 && at.error().is_none();
        Ok(Some(!partitions.is_empty() && told.partitions().iter().all(leads)))
    }

    /// Reads those partitions of a topic that are not read yet.
    fn assign(&self, topic: &str, partitions: &[i32]) -> KafkaResult<()> {
        let added = self.consumer.context().known().take_up(topic, partitions);
        if added.is_empty() {
            return Ok(());
        }
        let (mut list, mut durable) = (TopicPartitionList::new(), TopicPartitionList::new());
        for (partition, offset) in &added {
            debug!(source = %self.source, topic, partition, ?offset, "partition assigned");
            list.add_partition_offset(topic, *partition, *offset)?;
            if matches!(offset, Offset::Offset(_)) {
                durable.add_partition_offset(topic, *partition, *offset)?;
            }
        }
        self.consumer.incremental_assign(&list)?;
        // The last run may have ended before it committed them.
        self.consumer.store_offsets(&durable)?;
        info!(source = %self.source, topic, partitions = added.len(), "partitions assigned");
        Ok(())
    }
}

/// Whether an error says that this user may not.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
    )
}

/// Whether an error says that a batch came and is no batch.
fn is_unreadable(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BadMessage
            | Code::BadCompression
            | Code::NotImplemented
            | Code::InvalidMessage
            | Code::MessageSizeTooLarge
    )
}

#[cfg(test)]
mod tests;
