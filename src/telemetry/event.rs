//! Which events are there, and how is each logged?

use std::time::Duration;

use tracing::{debug, error, info, warn};

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
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { pipeline, sources, publish_url } = self;
        info!(pipeline, sources, publish_url, "pipeline started");
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
}

impl PipelineProgressed {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { read, resolved, duplicate, dead_lettered, identities } = self;
        info!(read, resolved, duplicate, dead_lettered, identities, "pipeline progressed");
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
}

impl StopCause {
    /// The name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::Drained => "drained",
        }
    }
}

/// A job learnt its model from its own records, since the pipeline names none.
#[derive(Clone, Copy, Debug)]
pub struct ModelTrained {
    /// Records that it learnt from.
    pub records: usize,
    /// About how many customers they speak of.
    pub customers: usize,
    /// How long it took.
    pub duration: Duration,
}

impl ModelTrained {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { records, customers, duration } = self;
        info!(records, customers, duration_ms = milliseconds(duration), "model trained");
    }
}

/// A job decides by the built-in model, though the pipeline names none: it could not learn one.
#[derive(Clone, Copy, Debug)]
pub struct ModelBuiltIn<'a> {
    /// Records that it found.
    pub records: usize,
    /// Why it did not learn from them.
    pub reason: &'a str,
}

impl ModelBuiltIn<'_> {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { records, reason } = self;
        info!(records, reason, "model built in");
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
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { pipeline, cause, sequence, published, duration } = self;
        let (cause, duration_ms) = (cause.name(), milliseconds(duration));
        info!(pipeline, cause, sequence, published, duration_ms, "pipeline stopped");
    }
}

/// A command cannot go on.
#[derive(Clone, Copy, Debug)]
pub struct CommandFailed<'a> {
    /// Why.
    pub error: &'a Error,
}

impl CommandFailed<'_> {
    /// Logs it at `ERROR`.
    pub fn emit(self) {
        let Self { error } = self;
        error!(kind = ?error.kind(), %error, "command failed");
    }
}

/// The process was asked to stop.
#[derive(Clone, Copy, Debug)]
pub struct ShutdownRequested<'a> {
    /// The signal, e.g. `SIGTERM`.
    pub signal: &'a str,
    /// How long draining may take.
    pub timeout: Duration,
}

impl ShutdownRequested<'_> {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { signal, timeout } = self;
        info!(signal, timeout_ms = milliseconds(timeout), "shutdown requested");
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
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, published, epoch, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(sequence, published, epoch, duration_ms, "state opened");
    }
}

/// The index in memory was made from the state's rows.
#[derive(Clone, Copy, Debug)]
pub struct IndexBuilt {
    /// How many records it holds.
    pub records: u64,
    /// How many rows for explanations the state lacked or had wrong; none, unless another version
    /// of the program wrote it.
    pub corrected: u64,
    /// How long it took.
    pub duration: Duration,
}

impl IndexBuilt {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { records, corrected, duration } = self;
        info!(records, corrected, duration_ms = milliseconds(duration), "index built");
    }
}

/// Judgements were taken into the state.
#[derive(Clone, Copy, Debug)]
pub struct JudgementsTaken {
    /// The commit that holds them.
    pub sequence: u64,
    /// How many.
    pub judgements: u64,
    /// Identities that were created, merged or split by them.
    pub changes: u64,
    /// How long it took.
    pub duration: Duration,
}

impl JudgementsTaken {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, judgements, changes, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(sequence, judgements, changes, duration_ms, "judgements taken");
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
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { source, partition, next_offset } = self;
        info!(source, partition, next_offset, "source resumed");
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
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { source, read } = self;
        info!(source, read, "source finished");
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
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { source, retry_in, error } = self;
        warn!(source, retry_in_ms = milliseconds(retry_in), %error, "source unavailable");
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
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { source, attempts } = self;
        info!(source, attempts, "source recovered");
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
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { source, reason, count } = self;
        warn!(source, reason = reason.name(), count, "records rejected");
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
    /// Logs it at `DEBUG`.
    pub fn emit(self) {
        let Self { sequence, read, resolved, duplicate, dead_lettered, duration } = self;
        let duration_ms = milliseconds(duration);
        debug!(sequence, read, resolved, duplicate, dead_lettered, duration_ms, "batch committed");
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
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, profiles, mappings, changes, interactions, .. } = self;
        let (dead_letters, duration_ms) = (self.dead_letters, milliseconds(self.duration));
        info!(
            sequence,
            profiles,
            mappings,
            changes,
            interactions,
            dead_letters,
            duration_ms,
            "tables published"
        );
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
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { sequence, attempt, retry_in, error } = self;
        warn!(sequence, attempt, retry_in_ms = milliseconds(retry_in), %error, "publish delayed");
    }
}

/// A snapshot of the state lies at its place.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotTaken {
    /// The commit that it holds.
    pub sequence: u64,
    /// Its size.
    pub bytes: u64,
    /// How long it took.
    pub duration: Duration,
}

impl SnapshotTaken {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, bytes, duration } = self;
        info!(sequence, bytes, duration_ms = milliseconds(duration), "snapshot taken");
    }
}

/// A snapshot of the state could not be taken; the job goes on, and tries again after the interval.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotFailed<'a> {
    /// The commit that it was to hold.
    pub sequence: u64,
    /// Why.
    pub error: &'a Error,
}

impl SnapshotFailed<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { sequence, error } = self;
        warn!(sequence, %error, "snapshot failed");
    }
}

/// A state that carries ids over from an earlier output was stopped before all was read: it has published nothing.
#[derive(Clone, Copy, Debug)]
pub struct PublishHeldBack {
    /// The commit that will be published with what is still to be read.
    pub sequence: u64,
}

impl PublishHeldBack {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { sequence } = self;
        warn!(sequence, "publish held back until all is read and ids are carried over");
    }
}

/// Identity ids were taken over from an earlier output.
#[derive(Clone, Copy, Debug)]
pub struct IdentitiesCarried {
    /// The commit.
    pub sequence: u64,
    /// Ids that go on.
    pub carried: u64,
    /// New ids of records that were not there.
    pub created: u64,
    /// Ids that ended in another.
    pub merged: u64,
    /// New ids of records of another.
    pub split: u64,
    /// How long it took.
    pub duration: Duration,
}

impl IdentitiesCarried {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, carried, created, merged, split, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(sequence, carried, created, merged, split, duration_ms, "identities carried over");
    }
}

/// All records of a state were matched again, by another model.
#[derive(Clone, Copy, Debug)]
pub struct RecordsRematched {
    /// The commit.
    pub sequence: u64,
    /// How many records.
    pub records: u64,
    /// Those that are in another identity now.
    pub moved: u64,
    /// Live identities now.
    pub identities: u64,
    /// Pairs that were weighed within components.
    pub component_pairs: u64,
    /// How long it took.
    pub duration: Duration,
}

impl RecordsRematched {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, records, moved, identities, component_pairs, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(
            sequence,
            records, moved, identities, component_pairs, duration_ms, "records matched again"
        );
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
