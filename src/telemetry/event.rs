//! Which events are there, how is each logged, and which metrics does it feed?
//!
//! An event's name is that of its type in small letters, and as stable as its fields: JSON lines
//! hold it as `event`. `schemas/events.md` lists all of them.

mod disk;
mod erasure;
mod index;
mod letters;
mod matching;
mod plain;
mod process;
mod snapshot;
mod source;
mod topics;
mod vacuum;

use std::time::Duration;

use tracing::{debug, info, warn};

pub use disk::{IntakePaused, IntakeResumed};
pub use erasure::{Erased, ErasuresBegun, ErasuresDelayed, ErasuresUndecided, InteractionsExpired};
pub use index::{IndexBuilt, IndexNotKept, IndexNotRead};
pub use letters::{
    LettersDelayed, LettersDelivered, LettersForgotten, LettersLeft, LettersResumed,
};
pub use matching::{
    IdentitiesCarried, JudgementsTaken, ModelBuiltIn, ModelTrained, RecordsRematched,
};
pub use plain::{PlainTablesFailed, PlainTablesWritten};
pub use process::{CommandFailed, HttpListening, ShutdownRequested, ThreadPanicked};
pub use snapshot::{SnapshotFailed, SnapshotTaken};
pub use source::{
    BatchUnreadable, OffsetsLost, OffsetsNotAcknowledged, OffsetsRefused, SourceLagged,
};
pub use topics::{TopicDelayed, TopicDelivered, TopicForgotten, TopicLeft, TopicResumed};
pub use vacuum::{TablesVacuumed, VacuumFailed};

use super::facts::Moment;
use super::handle::Telemetry;
use super::pulse::Activity;
use crate::error::Error;
use crate::record::Reason;

/// A pipeline begins to work.
#[derive(Clone, Copy, Debug)]
pub struct PipelineStarted<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// How many sources it reads.
    pub sources: usize,
    /// Where its tables are.
    pub publish_url: &'a str,
}

impl PipelineStarted<'_> {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { pipeline, sources, publish_url } = self;
        info!(name: "pipeline_started", pipeline, sources, publish_url, "pipeline started");
        to.note(|facts| pipeline.clone_into(&mut facts.pipeline));
    }
}

/// How far a pipeline is; now and then.
#[derive(Clone, Copy, Debug)]
pub struct PipelineProgressed {
    /// Messages read, since the state began; so are the other counts.
    pub read: u64,
    /// Events that count.
    pub resolved: u64,
    /// Events that were known already.
    pub duplicate: u64,
    /// Messages that could not be used.
    pub dead_lettered: u64,
    /// Live identities.
    pub identities: u64,
    /// Records that were read and wait to be matched.
    pub waiting: u64,
}

impl PipelineProgressed {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { read, resolved, duplicate, dead_lettered, identities, waiting } = self;
        info!(
            name: "pipeline_progressed",
            read, resolved, duplicate, dead_lettered, identities, waiting,
            "pipeline progressed"
        );
    }
}

/// Why a pipeline stopped without failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// All its sources are bounded and were read to the end.
    Finished,
    /// No message came for as long as it was told to wait.
    Idle,
    /// It was asked to stop, drained and committed.
    Drained,
    /// Too many messages could not be used; what was committed before is published.
    Tripped,
}

impl StopCause {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::Drained => "drained",
            Self::Tripped => "tripped",
        }
    }
}

/// A pipeline ended as it should.
#[derive(Clone, Copy, Debug)]
pub struct PipelineStopped<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// Why.
    pub cause: StopCause,
    /// The last commit.
    pub sequence: u64,
    /// The last commit that is in the tables.
    pub published: u64,
    /// How long it ran.
    pub duration: Duration,
}

impl PipelineStopped<'_> {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { pipeline, cause, sequence, published, duration } = self;
        let (cause, duration_ms) = (cause.name(), milliseconds(duration));
        info!(
            name: "pipeline_stopped",
            pipeline, cause, sequence, published, duration_ms,
            "pipeline stopped"
        );
        to.beat(Activity::Ended);
    }
}

/// The state is open.
#[derive(Clone, Copy, Debug)]
pub struct StateOpened {
    /// The last commit.
    pub sequence: u64,
    /// The last commit that is in the tables.
    pub published: u64,
    /// The writer's epoch.
    pub epoch: u64,
    /// How long it took.
    pub duration: Duration,
}

impl StateOpened {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { sequence, published, epoch, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(name: "state_opened", sequence, published, epoch, duration_ms, "state opened");
        to.note(|facts| {
            (facts.sequence, facts.published) = (sequence, published);
            (facts.epoch, facts.open_duration) = (epoch, duration);
        });
    }
}

/// Dead letters were replayed.
#[derive(Clone, Copy, Debug)]
pub struct DeadLettersReplayed {
    /// The commit that holds them.
    pub sequence: u64,
    /// Those whose events count now.
    pub resolved: u64,
    /// Those whose events were known already.
    pub duplicate: u64,
}

impl DeadLettersReplayed {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, resolved, duplicate } = self;
        info!(
            name: "dead_letters_replayed",
            sequence, resolved, duplicate,
            "dead letters replayed"
        );
    }
}

/// Reading of a partition continues where the state says.
#[derive(Clone, Copy, Debug)]
pub struct SourceResumed<'a> {
    /// The source's name.
    pub source: &'a str,
    /// `topic/partition`, or the file's URL or path.
    pub partition: &'a str,
    /// The first offset that is read.
    pub next_offset: u64,
}

impl SourceResumed<'_> {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { source, partition, next_offset } = self;
        info!(name: "source_resumed", source, partition, next_offset, "source resumed");
        to.note(|facts| {
            facts.source(source).positions.insert(partition.to_owned(), next_offset);
        });
    }
}

/// A bounded source was read to the end.
#[derive(Clone, Copy, Debug)]
pub struct SourceFinished<'a> {
    /// The source's name.
    pub source: &'a str,
    /// How many messages were read in this run.
    pub read: u64,
}

impl SourceFinished<'_> {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { source, read } = self;
        info!(name: "source_finished", source, read, "source finished");
        to.source_ready(source);
    }
}

/// A source's broker or store is away; it is waited for.
#[derive(Clone, Copy, Debug)]
pub struct SourceUnavailable<'a> {
    /// The source's name.
    pub source: &'a str,
    /// When it is tried again for the first time.
    pub retry_in: Duration,
    /// Why.
    pub error: &'a Error,
}

impl SourceUnavailable<'_> {
    /// Logs it at `WARN`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { source, retry_in, error } = self;
        warn!(
            name: "source_unavailable",
            source, retry_in_ms = milliseconds(retry_in), %error,
            "source unavailable"
        );
        to.metrics().source_outages.with_label_values(&[source]).inc();
        to.note(|facts| facts.source(source).away = true);
    }
}

/// A source that was away can be read again.
#[derive(Clone, Copy, Debug)]
pub struct SourceRecovered<'a> {
    /// The source's name.
    pub source: &'a str,
    /// How often it was tried in vain.
    pub attempts: u32,
}

impl SourceRecovered<'_> {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { source, attempts } = self;
        info!(name: "source_recovered", source, attempts, "source recovered");
        to.note(|facts| facts.source(source).away = false);
    }
}

/// Messages of one source could not be used and are in the dead letters; once a batch and reason.
#[derive(Clone, Copy, Debug)]
pub struct RecordsRejected<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
}

impl RecordsRejected<'_> {
    /// Logs it at `WARN`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { source, reason, count } = self;
        warn!(name: "records_rejected", source, reason = reason.name(), count, "records rejected");
        let labels = [source, reason.name()];
        to.metrics().dead_lettered.with_label_values(&labels).inc_by(count);
    }
}

/// A micro-batch is durable. The counts are those of this batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchCommitted {
    /// The commit.
    pub sequence: u64,
    /// Messages read.
    pub read: u64,
    /// Events that count.
    pub resolved: u64,
    /// Events that were known already.
    pub duplicate: u64,
    /// Messages that could not be used.
    pub dead_lettered: u64,
    /// How long it took from the first message to the durable commit.
    pub duration: Duration,
}

impl BatchCommitted {
    /// Logs it at `DEBUG`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { sequence, read, resolved, duplicate, dead_lettered, duration } = self;
        let duration_ms = milliseconds(duration);
        debug!(
            name: "batch_committed",
            sequence, read, resolved, duplicate, dead_lettered, duration_ms,
            "batch committed"
        );
        let metrics = to.metrics();
        metrics.messages_read.inc_by(read);
        metrics.events_resolved.inc_by(resolved);
        metrics.events_duplicate.inc_by(duplicate);
        metrics.batch_duration.observe(duration.as_secs_f64());
        to.traces().batch(sequence, read, duration);
        to.note(|facts| {
            facts.sequence = sequence;
            facts.read += read;
            facts.resolved += resolved;
            facts.duplicate += duplicate;
            facts.dead_lettered += dead_lettered;
            facts.last_commit = Some(Moment::default());
        });
    }
}

/// All tables hold all commits up to one.
#[derive(Clone, Copy, Debug)]
pub struct TablesPublished {
    /// The last commit that they hold.
    pub sequence: u64,
    /// Rows written to `profiles`.
    pub profiles: u64,
    /// Rows written to `identity_map`.
    pub mappings: u64,
    /// Rows written to `identity_changes`.
    pub changes: u64,
    /// Rows written to `interactions`.
    pub interactions: u64,
    /// Rows written to `dead_letters`.
    pub dead_letters: u64,
    /// How long it took.
    pub duration: Duration,
}

impl TablesPublished {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { sequence, profiles, mappings, changes, interactions, .. } = self;
        let (dead_letters, duration_ms) = (self.dead_letters, milliseconds(self.duration));
        info!(
            name: "tables_published",
            sequence,
            profiles,
            mappings,
            changes,
            interactions,
            dead_letters,
            duration_ms,
            "tables published"
        );
        let metrics = to.metrics();
        metrics.publish_duration.observe(self.duration.as_secs_f64());
        to.traces().publish(sequence, Some(self.duration));
        for (table, rows) in [
            ("profiles", profiles),
            ("identity_map", mappings),
            ("identity_changes", changes),
            ("interactions", interactions),
            ("dead_letters", dead_letters),
        ] {
            metrics.rows_published.with_label_values(&[table]).inc_by(rows);
        }
        to.note(|facts| {
            facts.published = sequence;
            facts.last_publish = Some(Moment::default());
        });
    }
}

/// A table's log got no checkpoint; the next commit tries again, readers only read more entries.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointNotWritten<'a> {
    /// The table.
    pub table: &'a str,
    /// Its version.
    pub version: u64,
    /// Why.
    pub error: &'a Error,
}

impl CheckpointNotWritten<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { table, version, error } = self;
        warn!(name: "checkpoint_not_written", table, version, %error, "checkpoint not written");
    }
}

/// The tables' store is away; publishing is tried again, nothing is lost.
#[derive(Clone, Copy, Debug)]
pub struct PublishDelayed<'a> {
    /// The commit that was to be published.
    pub sequence: u64,
    /// How often in a row it failed.
    pub attempt: u32,
    /// When it is tried again.
    pub retry_in: Duration,
    /// Why.
    pub error: &'a Error,
}

impl PublishDelayed<'_> {
    /// Logs it at `WARN`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { sequence, attempt, retry_in, error } = self;
        warn!(
            name: "publish_delayed",
            sequence, attempt, retry_in_ms = milliseconds(retry_in), %error,
            "publish delayed"
        );
        to.metrics().publish_failures.inc();
        to.traces().publish(sequence, None);
    }
}

/// A job that resolves records, or carries ids over, when all is read was stopped before that: it has published nothing.
#[derive(Clone, Copy, Debug)]
pub struct PublishHeldBack {
    /// The commit that will be published with what is still to be read.
    pub sequence: u64,
}

impl PublishHeldBack {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { sequence } = self;
        warn!(
            name: "publish_held_back",
            sequence,
            "publish held back until all is read"
        );
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
