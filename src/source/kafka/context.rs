//! What is known of the partitions, and what librdkafka calls back.
//!
//! Where each partition starts is for our own state to say: at the state's position, else at the
//! beginning, or at the end where the pipeline file wants that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use serde::Deserialize;
use tracing::debug;

use crate::record::Micros;
use crate::source::{KafkaPlan, Lag, Positions};
use crate::telemetry::{OffsetsNotAcknowledged, OffsetsRefused};

/// How librdkafka marks what it logs of positions that the broker does not have.
const OFFSET_RESET: &str = "OFFSET";

/// What the callbacks share with whoever polls.
pub(super) struct Context {
    source: Arc<str>,
    /// The group under which offsets are committed.
    group: String,
    known: Mutex<Known>,
}

/// What is known of the partitions.
#[derive(Default)]
pub(super) struct Known {
    /// Whether a partition that has no position starts at its end.
    latest: bool,
    /// The next offset of each partition: of the state at first, then what was handed out.
    next: BTreeMap<Arc<str>, u64>,
    /// The partitions that are read, by topic.
    assigned: BTreeMap<String, BTreeSet<i32>>,
    /// Partitions of whose position the broker said that it does not have it.
    reset: BTreeSet<Arc<str>>,
    /// Where the broker says that each partition ends: the offset behind its last message.
    ends: BTreeMap<Arc<str>, u64>,
    /// The time of the newest message that was handed out.
    newest: BTreeMap<Arc<str>, Micros>,
    /// Offsets of this run that are lost.
    lost: BTreeMap<Arc<str>, u64>,
    /// How often offsets could not be committed since that was last asked.
    uncommitted: u64,
    /// Whether it was told that the broker refuses the group's offsets.
    refusal_told: bool,
}

/// How an offset follows those before it in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// It is the one that was expected, or none was; or those between are gone by compaction, or were
    /// of a transaction.
    Next,
    /// The broker no longer has those from `expected` on.
    Gap {
        /// The offset that was expected.
        expected: u64,
    },
    /// It was handed out before.
    Before,
    /// It lies before what was expected, and the broker does not have that: the partition is not the
    /// one that it was.
    Anew {
        /// The offset that was expected.
        expected: u64,
    },
}

impl Known {
    /// How the next message of a partition follows.
    pub(super) fn follows(&mut self, partition: &Arc<str>, offset: u64) -> Follows {
        let was_reset = self.reset.remove(partition);
        match self.next.get(partition).copied() {
            Some(expected) if offset < expected && was_reset => Follows::Anew { expected },
            Some(expected) if offset < expected => Follows::Before,
            Some(expected) if offset > expected && was_reset => Follows::Gap { expected },
            _ => Follows::Next,
        }
    }

    /// Takes note of a message that is handed out.
    pub(super) fn handed_out(&mut self, partition: &Arc<str>, offset: u64, at: Option<Micros>) {
        self.next.insert(Arc::clone(partition), offset + 1);
        if let Some(at) = at {
            let newest = self.newest.entry(Arc::clone(partition)).or_insert(at);
            *newest = at.max(*newest);
        }
    }

    /// Takes note of offsets that will never be handed out.
    pub(super) fn lose(&mut self, partition: &Arc<str>, count: u64) {
        *self.lost.entry(Arc::clone(partition)).or_default() += count;
    }

    /// Whether any partition is read.
    pub(super) fn is_assigned(&self) -> bool {
        !self.assigned.is_empty()
    }

    /// Takes up those partitions of a topic that are not read yet; returns where each starts.
    pub(super) fn take_up(&mut self, topic: &str, partitions: &[i32]) -> Vec<(i32, Offset)> {
        // A partition that was added to the topic since is new to all: none of it was skipped.
        let end = self.latest && !self.assigned.contains_key(topic);
        let assigned = self.assigned.entry(topic.to_owned()).or_default();
        let added = partitions.iter().copied().filter(|partition| assigned.insert(*partition));
        let start = |at: i32| match self.next.get(&*name(topic, at)).copied().map(i64::try_from) {
            Some(Ok(next)) => Offset::Offset(next),
            _ if end => Offset::End,
            _ => Offset::Beginning,
        };
        added.map(|partition| (partition, start(partition))).collect()
    }

    /// Whether it was told that the broker refuses the group's offsets.
    #[cfg(test)]
    pub(super) fn is_refused(&self) -> bool {
        self.refusal_told
    }

    /// How often offsets could not be committed since this was last asked.
    pub(super) fn take_uncommitted(&mut self) -> u64 {
        std::mem::take(&mut self.uncommitted)
    }

    /// How far reading is behind, of the partitions that are read.
    pub(super) fn lag(&self) -> Vec<Lag> {
        let names = self
            .assigned
            .iter()
            .flat_map(|(topic, all)| all.iter().map(|partition| name(topic, *partition)));
        let lag = |partition: Arc<str>| Lag {
            next: self.next.get(&partition).copied().unwrap_or_default(),
            records: self.ends.get(&partition).and_then(|end| {
                let next = self.next.get(&partition).copied().unwrap_or_default();
                end.checked_sub(next)
            }),
            newest_message_at: self.newest.get(&partition).copied(),
            lost: self.lost.get(&partition).copied().unwrap_or_default(),
            partition,
        };
        names.map(lag).collect()
    }
}

impl Context {
    pub(super) fn new(
        source: &Arc<str>,
        plan: &KafkaPlan,
        start: &Positions,
        latest: bool,
    ) -> Self {
        let mine = start.iter().filter(|((name, _), _)| name == source);
        let next = mine.map(|((_, at), next)| (Arc::clone(at), *next)).collect();
        let known = Mutex::new(Known { latest, next, ..Known::default() });
        Self { source: Arc::clone(source), group: plan.group.clone(), known }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        // Maps of numbers are whole after any panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that offsets were not committed; only what looks at the broker misses them.
    pub(super) fn not_committed(&self, error: &KafkaError) {
        let mut known = self.known();
        known.uncommitted += 1;
        let is_refused = error.rdkafka_error_code().is_some_and(is_refusal_of_group);
        let is_told = is_refused && std::mem::replace(&mut known.refusal_told, true);
        drop(known);
        let source = &self.source;
        if is_refused && !is_told {
            OffsetsRefused { source, group: &self.group, error }.emit();
        } else {
            OffsetsNotAcknowledged { source, error }.emit();
        }
    }

    /// Takes note of the ends of partitions that librdkafka tells with its statistics.
    fn note_ends(&self, statistics: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics) else { return };
        let mut known = self.known();
        for (topic, told) in statistics.topics {
            for (partition, told) in told.partitions {
                let end = u64::try_from(told.hi_offset).ok();
                if let (Ok(partition), Some(end)) = (partition.parse(), end) {
                    known.ends.insert(name(&topic, partition), end);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            self.not_committed(&error);
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What needs a person comes as an error too, and is logged where it is handled.
        debug!(source = %self.source, ?level, facility, message, "librdkafka");
        if facility != OFFSET_RESET {
            return;
        }
        // Retention removed what was not yet read, or the topic was created anew: which of them,
        // the next message tells.
        let mut known = self.known();
        let named = |at: &&Arc<str>| {
            parts(at).is_some_and(|(topic, partition)| {
                message.contains(&format!("{topic} [{partition}]: offset reset"))
            })
        };
        let reset: Vec<_> = known.next.keys().filter(named).cloned().collect();
        known.reset.extend(reset);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(source = %self.source, %error, reason, "librdkafka");
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.note_ends(statistics);
    }
}

/// What we read of librdkafka's statistics.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: BTreeMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    #[serde(default)]
    partitions: BTreeMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    /// The broker's high watermark as of the last fetch; negative where it is not known.
    #[serde(default = "unknown")]
    hi_offset: i64,
}

fn unknown() -> i64 {
    -1
}

/// Whether an error says that offsets of this group are not ours to commit: a consumer lives in it
/// as a member, or this user may not.
pub(super) fn is_refusal_of_group(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::RebalanceInProgress
            | Code::StaleMemberEpoch
            | Code::GroupAuthorizationFailed
    )
}

/// `topic/partition`.
pub(super) fn name(topic: &str, partition: i32) -> Arc<str> {
    format!("{topic}/{partition}").into()
}

pub(super) fn parts(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('/')?;
    Some((topic, partition.parse().ok()?))
}
