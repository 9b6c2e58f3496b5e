//! The last messages of some topics: what is there to be read?
//!
//! Nothing is stored, so nothing is committed, and a job that runs beside notices nothing.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::copy::Copier;
use super::settings::consumer;
use crate::clock::Stopwatch;
use crate::error::{Context as _, Kind, Result};
use crate::source::{KafkaPlan, Message, Positions};

/// Each partition costs a question to the broker.
const PARTITIONS_MAX: usize = 24;

/// Reads up to `limit` of the last messages; gives up after `wait`.
///
/// **Errors:** unavailable, where the broker is away.
pub(in crate::source) fn sample(
    source: &Arc<str>,
    plan: &KafkaPlan,
    limit: usize,
    wait: Duration,
) -> Result<Vec<Message>> {
    let clock = Stopwatch::start();
    let left = || wait.saturating_sub(clock.elapsed());
    let consumer = consumer(source, plan, &Positions::new())?;
    let mut partitions = Vec::new();
    for topic in &plan.topics {
        let told = consumer
            .fetch_metadata(Some(topic), left())
            .context(Kind::Unavailable, "ask for partitions")?;
        let topics = told.topics().iter().filter(|told| told.name() == topic);
        let found = topics.flat_map(|topic| topic.partitions());
        partitions.extend(found.map(|partition| (topic.as_str(), partition.id())));
    }
    // Some of each topic.
    partitions.sort_by_key(|(_, partition)| *partition);
    partitions.truncate(PARTITIONS_MAX);
    let share = i64::try_from(limit.div_ceil(partitions.len().max(1))).unwrap_or(i64::MAX);
    let mut assigned = TopicPartitionList::new();
    let mut expected = 0;
    for (topic, partition) in partitions {
        let (low, high) = consumer
            .fetch_watermarks(topic, partition, left())
            .context(Kind::Unavailable, "ask for the last offsets")?;
        let from = low.max(high - share);
        if from < high {
            expected += usize::try_from(high - from).unwrap_or(0);
            assigned
                .add_partition_offset(topic, partition, Offset::Offset(from))
                .context(Kind::Internal, "list offsets")?;
        }
    }
    consumer.assign(&assigned).context(Kind::Unavailable, "read the last messages")?;
    let mut copier = Copier::new(source);
    let mut messages = Vec::new();
    // Offsets may be missing where a topic was compacted; then the time runs out.
    while messages.len() < expected.min(limit) && !left().is_zero() {
        if let Some(Ok(message)) = consumer.poll(left()) {
            messages.push(copier.copy(&message).0);
        }
    }
    Ok(messages)
}
