//! Topics in, messages out: from which offset on, whose partitions, and what if the broker is away?
//!
//! **Positions.** The group only shares out partitions; each goes on where our own state says
//! ([`context`]). librdkafka fetches ahead into a bounded queue and pauses by itself when that is
//! full; while nobody takes what was read, [`KafkaSource::hold`] pauses the partitions and stays a
//! member of the group.
//!
//! **Partitions.** A state has one writer, so one member of the group should own all partitions of
//! the topics. Where others hold some, the source goes on with what it has, says so and is not
//! ready; what another member gives back is read from the state's position, so nothing is lost or
//! read twice. A partition that is added to a topic is read from its beginning.
//!
//! **Offsets.** A message further on than was expected, after the broker said that it has not the
//! position, is a gap: retention passed us. It is told and counted, and reading goes on, or ends
//! where the pipeline file wants that. A message before what was expected is another topic under
//! the same name, or one that lost its end: reading stops, for reading it again, or leaving it out,
//! is for a person to decide. A batch that cannot be read, damaged or of an unknown compression, is
//! told again and again: its partition waits there, the others go on.

mod context;
mod copy;
mod sample;
mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

pub(super) use self::sample::sample;
use context::{Context, Follows, parts};
use copy::Copier;
use settings::consumer;

use super::plan::OnGap;
use super::{BATCH_BYTES_MAX, Batch, KafkaPlan, Lag, Message, Positions, Source};
use crate::clock::Stopwatch;
use crate::error::{Context as _, Error, Kind, Result};
use crate::record::Origin;
use crate::telemetry::{BatchUnreadable, OffsetsLost, PartitionsBack, PartitionsElsewhere};

/// How long a broker may take to answer a question.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The same, where messages wait meanwhile.
const GLANCE_WAIT: Duration = Duration::from_secs(1);
/// How often it is asked whether all partitions are ours, where they are not.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long partitions may be with another member before that is said: a rebalance takes a moment.
const SHARED_GRACE: Duration = Duration::from_secs(5);
/// How often it is said that batches cannot be read.
const UNREADABLE_EVERY: Duration = Duration::from_secs(60);

/// A consumer of the topics of one source.
pub(super) struct KafkaSource {
    source: Arc<str>,
    consumer: BaseConsumer<Context>,
    topics: Vec<String>,
    group: String,
    on_gap: OnGap,
    copier: Copier,
    /// What keeps the broker from being read at present.
    trouble: Option<RDKafkaErrorCode>,
    /// What ended the last batch.
    failure: Option<Error>,
    connected: bool,
    sharing: Sharing,
    unreadable: Unreadable,
    /// What came while the source was held; next to be handed out.
    held: Option<Message>,
    /// The partitions that were paused. One that is taken away and given back stays paused, and
    /// librdkafka reads one anew that is resumed without need, so each is resumed once, here.
    paused: BTreeSet<(String, i32)>,
}

/// Whether all partitions are ours.
#[derive(Default)]
struct Sharing {
    whole: bool,
    /// Since the last look.
    looked: Option<Stopwatch>,
    /// Since partitions are with others.
    since: Option<Stopwatch>,
    told: bool,
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

/// Subscribes to the topics; does not wait for the broker.
pub(super) fn open(source: &Arc<str>, plan: &KafkaPlan, start: &Positions) -> Result<KafkaSource> {
    let consumer = consumer(source, plan, start)?;
    let topics: Vec<&str> = plan.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).context(Kind::Invalid, "subscribe; check `topics`")?;
    Ok(KafkaSource {
        source: Arc::clone(source),
        consumer,
        topics: plan.topics.clone(),
        group: plan.group.clone(),
        on_gap: plan.on_gap,
        copier: Copier::new(source),
        trouble: None,
        failure: None,
        connected: false,
        sharing: Sharing::default(),
        unreadable: Unreadable::default(),
        held: None,
        paused: BTreeSet::new(),
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

impl Source for KafkaSource {
    fn next(&mut self, limit: usize, wait: Duration) -> Result<Option<Batch>> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.resume().context(Kind::Unavailable, "resume partitions")?;
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
        self.look_around();
        Ok(Some(batch))
    }

    /// Whether all partitions of the topics are ours, and all can be read. After a crash, that
    /// waits until the group has given up the process that is gone.
    fn is_ready(&self) -> bool {
        self.sharing.whole && self.trouble.is_none() && !self.unreadable.is_recent()
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
    /// Pauses those partitions that are not paused.
    fn pause(&mut self) -> KafkaResult<()> {
        let (list, places) = self.ours(|place, paused| !paused.contains(place))?;
        self.consumer.pause(&list)?;
        self.paused.extend(places);
        Ok(())
    }

    /// Resumes those partitions that are paused.
    fn resume(&mut self) -> KafkaResult<()> {
        if self.paused.is_empty() {
            return Ok(());
        }
        let (list, places) = self.ours(|place, paused| paused.contains(place))?;
        self.consumer.resume(&list)?;
        self.paused.retain(|place| !places.contains(place));
        Ok(())
    }

    /// Those of our partitions that are asked for.
    fn ours(
        &self,
        asked: impl Fn(&(String, i32), &BTreeSet<(String, i32)>) -> bool,
    ) -> KafkaResult<(TopicPartitionList, BTreeSet<(String, i32)>)> {
        let assignment = self.consumer.assignment()?;
        let places =
            assignment.elements().into_iter().map(|e| (e.topic().to_owned(), e.partition()));
        let places: BTreeSet<_> = places.filter(|place| asked(place, &self.paused)).collect();
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &places {
            list.add_partition(topic, *partition);
        }
        Ok((list, places))
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
        use RDKafkaErrorCode as Code;
        let code = match &error {
            KafkaError::MessageConsumption(code) => *code,
            KafkaError::MessageConsumptionFatal(Code::FencedInstanceId) => {
                return Err(Error::fenced(format!(
                    "another member joined group `{}` under the same `group.instance.id`",
                    self.group
                ))
                .caused_by(error));
            }
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
        // Later on it is the broker that changed, and it may change back.
        if is_refusal(code) && !self.connected {
            let act = "read from Kafka; check user, password and rights in `kafka.options`";
            return Err(Error::invalid(act).caused_by(error));
        }
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

    /// Looks whether the broker answers and all partitions are ours, where that is not known.
    fn look_around(&mut self) {
        if self.consumer.context().known().take_changed() {
            self.sharing.whole = false;
            self.sharing.looked = None;
        }
        let is_due = self.sharing.looked.as_ref().is_none_or(|it| it.elapsed() >= LOOK_EVERY);
        let is_assigned = self.consumer.context().known().is_assigned();
        let is_known = self.sharing.whole && self.trouble.is_none();
        if is_known || !is_due || !is_assigned {
            return;
        }
        let counted = self.count_partitions();
        self.sharing.looked = Some(Stopwatch::start());
        let Some((owned, partitions)) = counted else { return };
        // Where there is nothing to be read, this is the only answer that comes.
        if self.trouble.is_some_and(|code| !is_refusal(code)) {
            self.received();
        }
        if owned < partitions {
            return self.tell_others(owned, partitions);
        }
        self.sharing.whole = true;
        self.sharing.since = None;
        if std::mem::take(&mut self.sharing.told) {
            PartitionsBack { source: &self.source, partitions }.emit();
        }
    }

    /// Says that other members hold partitions, once that lasts.
    fn tell_others(&mut self, owned: usize, partitions: usize) {
        let since = self.sharing.since.get_or_insert_with(Stopwatch::start);
        if since.elapsed() >= SHARED_GRACE && !self.sharing.told {
            self.sharing.told = true;
            let group = &self.group;
            PartitionsElsewhere { source: &self.source, group, owned, partitions }.emit();
        }
    }

    /// How many partitions of the topics are ours, and how many there are; `None` where the broker
    /// does not say, or cannot be read in part.
    fn count_partitions(&self) -> Option<(usize, usize)> {
        let (mut owned, mut partitions) = (0, 0);
        for topic in &self.topics {
            let told = self.consumer.fetch_metadata(Some(topic), GLANCE_WAIT).ok()?;
            let told = told.topics().iter().find(|told| told.name() == topic)?;
            let count = told.partitions().len();
            let leads = |at: &MetadataPartition| at.leader() >= 0 && at.error().is_none();
            if told.error().is_some() || count == 0 || !told.partitions().iter().all(leads) {
                return None;
            }
            partitions += count;
            owned += self.consumer.context().known().owned(topic, count);
        }
        Some((owned, partitions))
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
            | Code::GroupAuthorizationFailed
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
