//! What is a job told, and what does it tell?

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::resolve::Work;
use crate::state::Counters;

/// When a job ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// When every source is exhausted, which Kafka never is.
    Exhausted,
    /// Also when no message came for so long.
    Idle(Duration),
}

/// How a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When it ends by itself.
    pub ending: Ending,
    /// Whether records are resolved as they come, and tables published at the pipeline's interval. Otherwise both is done
    /// once, when all is read: the same identities, for less work.
    pub interim: bool,
}

/// Asks a running job to drain, commit and stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<OnceLock<Stopwatch>>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.get_or_init(Stopwatch::start);
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        self.0.get().is_some()
    }

    /// The time since it was first asked; `None` where it was not.
    pub fn asked_for(&self) -> Option<Duration> {
        self.0.get().map(Stopwatch::elapsed)
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// What became of the messages, since the state began.
    pub counters: Counters,
    /// Messages that this run read.
    pub messages: u64,
    /// Live identities.
    pub identities: u64,
    /// Records that were read and wait to be matched, as those of a backfill do until all is read.
    pub waiting: u64,
    /// Whether tables are being written.
    pub publishing: bool,
}

/// What a job did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What became of the messages, since the state began.
    pub counters: Counters,
    /// Messages that this run read.
    pub messages: u64,
    /// Live identities.
    pub identities: u64,
    /// Record nodes.
    pub records: u64,
    /// Micro-batches that were committed.
    pub commits: u64,
    /// How often tables were published.
    pub publishes: u64,
    /// How much matching work there was.
    pub work: Work,
    /// Time in each part of the loop.
    pub time: Times,
    /// Bytes of the state on disk.
    pub state_bytes: u64,
    /// Files of the tables, and their bytes.
    pub tables: (u64, u64),
    /// The precision that the model expects of the clusters; `None` where it was not trained.
    pub expected_precision: Option<f64>,
    /// Identifiers that more than one person seems to use.
    pub shared_identifiers: u64,
}

/// Time in each part of the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the parts' own")]
pub struct Times {
    pub open: Duration,
    pub wait: Duration,
    pub prepare: Duration,
    pub resolve: Duration,
    pub commit: Duration,
    pub publish: Duration,
    pub total: Duration,
}
