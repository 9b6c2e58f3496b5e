//! What librdkafka calls back: which partitions are ours, and where does each go on?
//!
//! The group only shares out the partitions. Where each starts is for our own state to say: what
//! was handed out in this run, else the state's position, else the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use serde::Deserialize;
use tracing::{debug, info, warn};

use crate::record::Micros;
use crate::source::{Lag, Positions};

/// How librdkafka marks what it logs of positions that the broker does not have.
const OFFSET_RESET: &str = "OFFSET";

/// What the callbacks share with whoever polls.
pub(super) struct Context {
    source: Arc<str>,
    /// Whether a partition that has no position starts at its end.
    latest: bool,
    known: Mutex<Known>,
}

/// What is known of the partitions.
#[derive(Default)]
pub(super) struct Known {
    /// The next offset of each partition: of the state at first, then what was handed out.
    next: BTreeMap<Arc<str>, u64>,
    /// The partitions that the group gave to us, by topic.
    owned: BTreeMap<String, BTreeSet<i32>>,
    /// How many partitions each topic had when that was first asked.
    first: BTreeMap<String, usize>,
    /// Whether the group has ever shared out the partitions.
    assigned: bool,
    /// Whether it did so since that was last asked.
    changed: bool,
    /// Partitions of whose position the broker said that it does not have it.
    reset: BTreeSet<Arc<str>>,
    /// Where the broker says that each partition ends: the offset behind its last message.
    ends: BTreeMap<Arc<str>, u64>,
    /// The time of the newest message that was handed out.
    newest: BTreeMap<Arc<str>, Micros>,
    /// Offsets of this run that are lost.
    lost: BTreeMap<Arc<str>, u64>,
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

    /// Whether the group has ever shared out the partitions.
    pub(super) fn is_assigned(&self) -> bool {
        self.assigned
    }

    /// Whether the partitions were shared out since this was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// How many of a topic's partitions are ours; `partitions` is how many it has.
    pub(super) fn owned(&mut self, topic: &str, partitions: usize) -> usize {
        self.first.entry(topic.to_owned()).or_insert(partitions);
        self.owned.get(topic).map_or(0, BTreeSet::len)
    }

    /// How far reading is behind, of the partitions that are ours.
    pub(super) fn lag(&self) -> Vec<Lag> {
        let names = self
            .owned
            .iter()
            .flat_map(|(topic, ours)| ours.iter().map(|partition| name(topic, *partition)));
        let lag = |partition: Arc<str>| Lag {
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

    /// Where reading of a partition starts.
    fn start(&self, topic: &str, partition: i32, latest: bool) -> Offset {
        let next = self.next.get(&*name(topic, partition)).copied();
        // A partition that was added to the topic since is new to all: none of it was skipped.
        let is_new = usize::try_from(partition)
            .is_ok_and(|at| self.first.get(topic).is_some_and(|first| at >= *first));
        match next.map(i64::try_from) {
            Some(Ok(next)) => Offset::Offset(next),
            _ if latest && !is_new => Offset::End,
            _ => Offset::Beginning,
        }
    }
}

impl Context {
    pub(super) fn new(source: &Arc<str>, start: &Positions, latest: bool) -> Self {
        let mine = start.iter().filter(|((name, _), _)| name == source);
        let next = mine.map(|((_, at), next)| (Arc::clone(at), *next)).collect();
        let known = Mutex::new(Known { next, ..Known::default() });
        Self { source: Arc::clone(source), latest, known }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        // Maps of numbers are whole after any panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where reading of a partition starts.
    #[cfg(test)]
    pub(super) fn start(&self, topic: &str, partition: i32) -> Offset {
        self.known().start(topic, partition, self.latest)
    }

    fn assign(
        &self,
        consumer: &BaseConsumer<Self>,
        assigned: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        info!(source = %self.source, partitions = assigned.count(), "partitions assigned");
        let partitions = places(assigned);
        let is_cooperative =
            matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let mut known = self.known();
        if !is_cooperative {
            known.owned.clear();
        }
        for (topic, partition) in partitions {
            let offset = known.start(&topic, partition, self.latest);
            debug!(source = %self.source, topic, partition, ?offset, "partition assigned");
            assigned.set_partition_offset(&topic, partition, offset)?;
            known.reset.remove(&*name(&topic, partition));
            known.owned.entry(topic).or_default().insert(partition);
        }
        (known.assigned, known.changed) = (true, true);
        drop(known);
        if is_cooperative {
            consumer.incremental_assign(assigned)
        } else {
            consumer.assign(assigned)
        }
    }

    fn revoke(
        &self,
        consumer: &BaseConsumer<Self>,
        revoked: &TopicPartitionList,
    ) -> KafkaResult<()> {
        info!(source = %self.source, partitions = revoked.count(), "partitions revoked");
        let is_cooperative =
            matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let mut known = self.known();
        for (topic, partition) in places(revoked) {
            if let Some(ours) = known.owned.get_mut(&topic) {
                ours.remove(&partition);
            }
        }
        if !is_cooperative {
            known.owned.clear();
        }
        known.changed = true;
        drop(known);
        if is_cooperative { consumer.incremental_unassign(revoked) } else { consumer.unassign() }
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

fn places(list: &TopicPartitionList) -> Vec<(String, i32)> {
    list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect()
}

/// `topic/partition`.
pub(super) fn name(topic: &str, partition: i32) -> Arc<str> {
    format!("{topic}/{partition}").into()
}

pub(super) fn parts(name: &str) -> Option<(&str, i32)> {
    let (topic, partition) = name.rsplit_once('/')?;
    Some((topic, partition.parse().ok()?))
}
