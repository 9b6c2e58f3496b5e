//! What does the program tell those who run it?
//!
//! Every event is a type: its fields, their names in the log, its level and its message stand in
//! one place, and [`emit`](BatchCommitted::emit) is the only way to speak. Stages return counts;
//! the rim emits them, once a batch. [`init_logging`] sends the lines to standard error, as text
//! for people or as one JSON object a line for machines; standard output belongs to results.
//!
//! Some events also feed the [metrics](Metrics) of a job, and say how it stands: those are emitted to
//! its [`Telemetry`], a handle that the job and the HTTP endpoint share.
//!
//! Levels: `ERROR`, a person must look; `WARN`, unexpected but whole; `INFO`, a state changed;
//! `DEBUG`, a batch. Names of events, fields and messages are stable. No personal value is in any
//! field: sources, partitions, counts, reasons and errors only. What a pipeline file names as secret is
//! taken out of every line ([`hide_in_lines`]).

mod event;
mod facts;
mod handle;
mod hiding;
mod json;
mod logging;
mod metrics;
mod panics;
mod pulse;
mod traces;

#[cfg(test)]
mod tests;

pub use event::{
    BatchCommitted, BatchUnreadable, CheckpointNotWritten, CommandFailed, DeadLettersReplayed,
    Erased, ErasuresBegun, ErasuresDelayed, ErasuresUndecided, HttpListening, IdentitiesCarried,
    IndexBuilt, IndexNotKept, IndexNotRead, IntakePaused, IntakeResumed, InteractionsExpired,
    JudgementsTaken, LettersDelayed, LettersDelivered, LettersForgotten, LettersLeft,
    LettersResumed, ModelBuiltIn, ModelTrained, OffsetsLost, OffsetsNotAcknowledged,
    OffsetsRefused, PipelineProgressed, PipelineStarted, PipelineStopped, PlainTablesFailed,
    PlainTablesWritten, PublishDelayed, PublishHeldBack, RecordsRejected, RecordsRematched,
    ShutdownRequested, SnapshotFailed, SnapshotTaken, SourceFinished, SourceLagged,
    SourceRecovered, SourceResumed, SourceUnavailable, StateOpened, StopCause, TablesPublished,
    TablesVacuumed, ThreadPanicked, TopicDelayed, TopicDelivered, TopicForgotten, TopicLeft,
    TopicResumed, VacuumFailed,
};
pub use facts::{Facts, Moment, SourceFacts};
pub use handle::Telemetry;
pub use hiding::{hidden_in, hide_in_lines};
pub use logging::{Format, Level, init_logging};
pub use metrics::{Matching, Metrics, Spec, Stage, disk_space};
pub use panics::log_panics;
pub use pulse::{Activity, Health};
