//! What happens to sources that never end, and how is that logged?

use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::milliseconds;

/// How far a source is behind, over its partitions; at each publish.
#[derive(Clone, Copy, Debug)]
pub struct SourceLagged<'a> {
    /// The source's name.
    pub source: &'a str,
    /// How many partitions are read here.
    pub partitions: usize,
    /// Messages that are still to be read, as far as the broker tells.
    pub records: Option<u64>,
    /// How long ago the newest message that was read was written; of the partition that is furthest
    /// behind. A topic in which nothing is written gets older, too.
    pub age: Option<Duration>,
    /// Offsets of this run that are lost.
    pub lost: u64,
}

impl SourceLagged<'_> {
    /// Logs it at `DEBUG`.
    pub fn emit(self) {
        let Self { source, partitions, records, age, lost } = self;
        let age_ms = age.map(milliseconds);
        debug!(
            name: "source_lagged",
            source, partitions, records, age_ms, lost,
            "source lag"
        );
    }
}

/// Partitions of a source's topics are with other members of its group for longer than a rebalance
/// takes: the state gets only part of the topics.
#[derive(Clone, Copy, Debug)]
pub struct PartitionsElsewhere<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The consumer group.
    pub group: &'a str,
    /// How many partitions are read here.
    pub owned: usize,
    /// How many the topics have.
    pub partitions: usize,
}

impl PartitionsElsewhere<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { source, group, owned, partitions } = self;
        warn!(
            name: "partitions_elsewhere",
            source,
            group,
            owned,
            partitions,
            "partitions are with another member of the group: this state gets only part of the \
             topics; let one job have the group, or give each its own"
        );
    }
}

/// All partitions of a source's topics are read here again.
#[derive(Clone, Copy, Debug)]
pub struct PartitionsBack<'a> {
    /// The source's name.
    pub source: &'a str,
    /// How many partitions the topics have.
    pub partitions: usize,
}

impl PartitionsBack<'_> {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { source, partitions } = self;
        info!(
            name: "partitions_back",
            source, partitions,
            "all partitions are read here again"
        );
    }
}

/// Messages of a partition can no longer be had: the broker let them go before they were read.
#[derive(Clone, Copy, Debug)]
pub struct OffsetsLost<'a> {
    /// The source's name.
    pub source: &'a str,
    /// `topic/partition`.
    pub partition: &'a str,
    /// The offset that came next.
    pub expected: u64,
    /// The offset that reading goes on with.
    pub found: u64,
    /// How many offsets lie between.
    pub lost: u64,
}

impl OffsetsLost<'_> {
    /// Logs it at `ERROR`.
    pub fn emit(self) {
        let Self { source, partition, expected, found, lost } = self;
        error!(
            name: "offsets_lost",
            source, partition, expected, found, lost,
            "offsets lost"
        );
    }
}

/// Batches came from a broker that are damaged, or of a compression that is not known: their
/// partitions wait.
#[derive(Clone, Copy, Debug)]
pub struct BatchUnreadable<'a> {
    /// The source's name.
    pub source: &'a str,
    /// How often since this was last told; the same batch may come again.
    pub count: u64,
    /// What is wrong with it.
    pub error: &'a dyn std::error::Error,
}

impl BatchUnreadable<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { source, count, error } = self;
        warn!(name: "batch_unreadable", source, count, %error, "batch unreadable");
    }
}
