//! What happens to sources that never end, and how is that logged?

use std::time::Duration;

use tracing::{debug, error, warn};

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

/// A broker refuses a source's offsets under its group, since a consumer lives in that group as a
/// member, or this user may not. Nothing rests on them but what looks at the group; told once.
#[derive(Clone, Copy, Debug)]
pub struct OffsetsRefused<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The consumer group.
    pub group: &'a str,
    /// What the broker says.
    pub error: &'a dyn std::error::Error,
}

impl OffsetsRefused<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { source, group, error } = self;
        warn!(
            name: "offsets_refused",
            source, group, %error,
            "offsets refused: choose a `group` that no other consumer has"
        );
    }
}

/// A source's broker did not hear how far its messages are durable. Nothing rests on it.
#[derive(Clone, Copy, Debug)]
pub struct OffsetsNotAcknowledged<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Why.
    pub error: &'a dyn std::error::Error,
}

impl OffsetsNotAcknowledged<'_> {
    /// Logs it at `DEBUG`.
    pub fn emit(self) {
        let Self { source, error } = self;
        debug!(name: "offsets_not_acknowledged", source, %error, "offsets not acknowledged");
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
