//! What shall run, resolved: valid, with units converted and defaults applied.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secrets::Secrets;
use crate::profile;
use crate::score::Changes;
use crate::source::{Options, SourcePlan};

/// What shall run: valid, with all defaults applied.
#[derive(Clone)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// Where events come from, by name; at least one.
    pub sources: Vec<SourcePlan>,
    /// When two records are one customer.
    pub matching: MatchPlan,
    /// Where the job keeps what it must remember.
    pub state: StatePlan,
    /// Where the tables go.
    pub publish: PublishPlan,
    /// What is forgotten by itself.
    pub retention: RetentionPlan,
    /// The topic of the dead letters; `None`: they are in their table alone.
    pub letter_topic: Option<LetterTopicPlan>,
    /// The pace of the job.
    pub run: RunPlan,
    /// The endpoint for probes and metrics; `None`: there is none.
    pub http: Option<HttpPlan>,
    /// What of all this is not to be shown.
    pub secrets: Secrets,
}

/// The settings without the secrets among them.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sources, matching, state, publish, .. } = self;
        let Self { retention, letter_topic, run, http, secrets, .. } = self;
        let places = (state, publish, retention, letter_topic);
        let shown = format!("{:?}", (name, sources, matching, places, run, http));
        write!(f, "Plan{}", secrets.hidden_in(&shown))
    }
}

/// When two records are one customer.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchPlan {
    /// The model file; `None` for the built-in defaults.
    pub model: Option<PathBuf>,
    /// The file of judgements; `None` where they are kept in the state alone.
    pub judgements: Option<PathBuf>,
    /// About how many customers there are.
    pub expected_customers: Option<u64>,
    /// Log-odds in bits from which two clusters are merged.
    pub threshold_bits: Option<f64>,
    /// A named threshold; not together with `threshold_bits`.
    pub operating_point: Option<OperatingPoint>,
    /// Records of one blocking key before it is narrowed.
    pub block_cap: usize,
    /// Records of one component before it is split.
    pub component_cap: usize,
    /// What is different of the model: fields of one's own, rules.
    pub changes: Changes,
}

/// How much is risked to find a customer's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OperatingPoint {
    Precise,
    Balanced,
    Broad,
}

/// Where the job keeps what it must remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePlan {
    /// A local folder.
    pub path: PathBuf,
    /// Its budget of memory in bytes.
    pub memory: u64,
    /// Bytes that must be free on its disk for messages to be taken.
    pub disk_reserve: u64,
    /// How long an event is known, in event time; `None`: for ever.
    pub event_window: Option<Duration>,
    /// Where snapshots go; `None`: nowhere.
    pub snapshot: Option<SnapshotPlan>,
}

/// Where snapshots of the state go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPlan {
    /// A folder or an object store URL.
    pub url: String,
    /// How often a running job takes one; `None`: never.
    pub interval: Option<Duration>,
    /// How many are kept.
    pub keep: usize,
    /// Options of the object store, over those of the environment.
    pub options: Options,
}

/// Where the tables go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishPlan {
    /// A local folder or an object store URL.
    pub url: String,
    /// How often changes are published.
    pub interval: Duration,
    /// How long a version is kept that is no longer the present one.
    pub retention: Duration,
    /// Within how long an erasure has left every file.
    pub erasure_bound: Duration,
    /// How often the tables are written as plain files besides; `None`: never.
    pub plain_interval: Option<Duration>,
    /// Options of the object store, over those of the environment.
    pub options: Options,
    /// The earlier output whose identity ids a new state takes over.
    pub carry_ids_from: Option<String>,
    /// What profiles are made by.
    pub profiles: profile::Settings,
    /// The topics that hear of customers; `None`: there are none.
    pub topics: Option<TopicsPlan>,
}

/// The topics that hear of customers, of which there is one at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsPlan {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// The topic of profiles.
    pub profiles: Option<String>,
    /// The topic of changes.
    pub changes: Option<String>,
    /// Settings of librdkafka.
    pub options: Options,
}

/// What is forgotten by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPlan {
    /// How long after the last sign of a customer; `None`: never.
    pub inactive: Option<Duration>,
    /// How long after an interaction it leaves its table; `None`: never.
    pub interactions: Option<Duration>,
}

/// The topic of the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterTopicPlan {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// Settings of librdkafka.
    pub options: Options,
}

/// The pace of the job, and what stops it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// The most messages in one micro-batch.
    pub batch: usize,
    /// How often results and positions are made durable.
    pub commit_interval: Duration,
    /// How long a stop may take to drain and commit.
    pub shutdown_timeout: Duration,
    /// What becomes of a message that cannot be used.
    pub on_error: OnError,
    /// How many such messages stop the job all the same.
    pub dead_letters_max: DeadLettersMax,
}

/// What becomes of a message that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// It is put aside, whole, and the job goes on.
    #[default]
    DeadLetter,
    /// The job stops before it.
    Stop,
}

/// How many messages of one source may be unusable before the job stops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeadLettersMax {
    /// The share that is still allowed, 0 to 1; 1 allows anything.
    pub share: f64,
    /// Of the messages of how long.
    pub per: Duration,
    /// The fewest messages of which the share counts.
    pub at_least: u64,
}

/// The endpoint for probes and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPlan {
    /// Where it listens; port 0 for a free one.
    pub address: SocketAddr,
    /// What a caller must know.
    pub token: Option<Token>,
    /// Whether the token is asked for everywhere, not only where something may be personal.
    pub token_for_all: bool,
    /// The certificate and its key, where it speaks TLS.
    pub tls: Option<TlsPlan>,
}

/// A secret that callers must know; it never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPlan {
    /// The certificate, then those that it is signed with.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}
