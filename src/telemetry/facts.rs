//! How does a job stand: how far is it, and what does it hold?
//!
//! Set where something changes, by the job and by events; read by whoever asks, over HTTP.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::{self, Stopwatch};

/// How a job stands. Counts are since the state began.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The pipeline's name.
    pub pipeline: String,
    /// Where the state is.
    pub state_path: PathBuf,
    /// The last commit.
    pub sequence: u64,
    /// The last commit that is in the tables.
    pub published: u64,
    /// The writer's epoch.
    pub epoch: u64,
    /// Messages read.
    pub read: u64,
    /// Events that count.
    pub resolved: u64,
    /// Events that were known already.
    pub duplicate: u64,
    /// Messages that could not be used.
    pub dead_lettered: u64,
    /// Dead letters that wait for their topic.
    pub letters_waiting: u64,
    /// What waits for topics of customers, by what it is.
    pub topics_waiting: BTreeMap<&'static str, u64>,
    /// Erasures that are begun and not ended.
    pub erasures_pending: u64,
    /// When the oldest of them was begun. **Units:** microseconds since 1970.
    pub erasures_since: Option<i64>,
    /// Requests that wait for somebody to say who is meant.
    pub erasures_undecided: u64,
    /// Record nodes.
    pub records: u64,
    /// Live identities.
    pub identities: u64,
    /// Bytes of the state on disk, as of the last publish.
    pub state_bytes: u64,
    /// Files of the tables, as of the last publish.
    pub table_files: u64,
    /// Their bytes.
    pub table_bytes: u64,
    /// The version of each table, as of the last publish.
    pub tables: BTreeMap<String, u64>,
    /// What is known of each source.
    pub sources: BTreeMap<String, SourceFacts>,
    /// No messages are taken, for the disk of the state is full.
    pub is_paused: bool,
    /// How long opening the state took.
    pub open_duration: Duration,
    /// How long building the index took.
    pub index_duration: Duration,
    /// When the job began.
    pub started: Moment,
    /// When was last committed; `None` before the first commit of this process.
    pub last_commit: Option<Moment>,
    /// When was last published; `None` before the first time in this process.
    pub last_publish: Option<Moment>,
}

/// What is known of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// Whether reading has begun: its partitions are assigned, its files found.
    pub ready: bool,
    /// Whether its broker or store is away.
    pub away: bool,
    /// By partition, the first offset that is still to be read.
    pub positions: BTreeMap<String, u64>,
    /// By partition, how many messages are still to be read, where that is known.
    pub lag: BTreeMap<String, u64>,
    /// The latest time of an event in the last micro-batch. **Units:** microseconds since 1970.
    pub newest_event: Option<i64>,
}

/// A point in time, by the wall clock and by one that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Microseconds since 1970 in UTC.
    pub micros: i64,
    /// Runs since then.
    pub clock: Stopwatch,
}

impl Default for Moment {
    fn default() -> Self {
        Self { micros: clock::now_micros(), clock: Stopwatch::start() }
    }
}

impl Facts {
    /// What is known of a source, new where nothing is.
    pub fn source(&mut self, name: &str) -> &mut SourceFacts {
        if !self.sources.contains_key(name) {
            self.sources.insert(name.to_owned(), SourceFacts::default());
        }
        self.sources.get_mut(name).expect("it is there now")
    }

    /// All of it, for programs. Names of files are among the positions, and may name people.
    pub(super) fn status(&self) -> Value {
        let age = |moment: Option<Moment>| moment.map(|it| it.clock.elapsed().as_secs_f64());
        let source = |(name, told): (&String, &SourceFacts)| {
            let told = json!({
                "ready": told.ready,
                "away": told.away,
                "positions": told.positions,
                "lag": told.lag,
            });
            (name.clone(), told)
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pipeline": self.pipeline,
            "sequence": self.sequence,
            "published": self.published,
            "epoch": self.epoch,
            "read": self.read,
            "resolved": self.resolved,
            "duplicate": self.duplicate,
            "dead_lettered": self.dead_lettered,
            "dead_letters_waiting": self.letters_waiting,
            "topics_waiting": self.topics_waiting,
            "erasures_pending": self.erasures_pending,
            "erasure_requests_undecided": self.erasures_undecided,
            "records": self.records,
            "identities": self.identities,
            "state_bytes": self.state_bytes,
            "table_files": self.table_files,
            "table_bytes": self.table_bytes,
            "tables": self.tables,
            "sources": self.sources.iter().map(source).collect::<serde_json::Map<_, _>>(),
            "last_commit_age_seconds": age(self.last_commit),
            "last_publish_age_seconds": age(self.last_publish),
        })
    }
}
