//! Where can a crash come between two durable steps?
//!
//! Before and after every step that makes something durable stands a named point ([`around`]). In
//! builds with debug assertions, and only there, the variable
//! `ONEFOLD_FAILPOINT` names one, and the process ends there as if it were killed: no destructor
//! runs, nothing is flushed. `log_entry:before:3` means the third time. In other builds the points
//! are nothing.
//!
//! The variable is read once and a process dies but once, so the points of one process are those of
//! one pipeline; tests start a process each.

/// What is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The file that says which format a state is of.
    StateFormat,
    /// A batch of rows of the state: the epoch, the model, a commit, the cleared outbox.
    StateBatch,
    /// The note of the last batch that was acknowledged.
    StateWitness,
    /// The note that the rows are written out to tables, as a job ends.
    StateSettle,
    /// The end of that note, before anything is written again.
    StateUnsettle,
    /// The index that is kept as a job ends.
    StateIndex,
    /// The rows that were written anew, in the place of those that were.
    StateRewrite,
    /// A file of judgements.
    Ledger,
    /// A data file of a table.
    DataFile,
    /// An entry of a table's log: its creation, a fence, a commit.
    LogEntry,
    /// A checkpoint of a table's log.
    Checkpoint,
    /// The note of the last checkpoint.
    CheckpointHint,
    /// The consistent set of table versions.
    Latest,
    /// The receipt of an erasure.
    Receipt,
    /// Dead letters in their topic.
    Letters,
    /// Their end in the outbox.
    LettersCleared,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 16] = [
        Self::StateFormat,
        Self::StateBatch,
        Self::StateWitness,
        Self::StateSettle,
        Self::StateUnsettle,
        Self::StateIndex,
        Self::StateRewrite,
        Self::Ledger,
        Self::DataFile,
        Self::LogEntry,
        Self::Checkpoint,
        Self::CheckpointHint,
        Self::Latest,
        Self::Receipt,
        Self::Letters,
        Self::LettersCleared,
    ];

    /// The name in `ONEFOLD_FAILPOINT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StateFormat => "state_format",
            Self::StateBatch => "state_batch",
            Self::StateWitness => "state_witness",
            Self::StateSettle => "state_settle",
            Self::StateUnsettle => "state_unsettle",
            Self::StateIndex => "state_index",
            Self::StateRewrite => "state_rewrite",
            Self::Ledger => "ledger",
            Self::DataFile => "data_file",
            Self::LogEntry => "log_entry",
            Self::Checkpoint => "checkpoint",
            Self::CheckpointHint => "checkpoint_hint",
            Self::Latest => "latest",
            Self::Receipt => "receipt",
            Self::Letters => "letters",
            Self::LettersCleared => "letters_cleared",
        }
    }
}

/// The variable that names the point at which the process dies.
pub const VARIABLE: &str = "ONEFOLD_FAILPOINT";

/// Does what makes a step durable, between its two points: before the second, nobody knows yet how
/// it went.
pub fn around<T>(step: Step, act: impl FnOnce() -> T) -> T {
    reach(step, "before");
    let done = act();
    reach(step, "after");
    done
}

/// The same of what takes its time.
pub async fn around_async<T>(step: Step, act: impl Future<Output = T>) -> T {
    reach(step, "before");
    let done = act.await;
    reach(step, "after");
    done
}

#[cfg(not(debug_assertions))]
#[inline(always)]
fn reach(_: Step, _: &str) {}

#[cfg(debug_assertions)]
fn reach(step: Step, moment: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static POINT: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static REACHED: AtomicU64 = AtomicU64::new(0);

    let read = || read(&std::env::var(VARIABLE).ok()?);
    let Some((point, times)) = POINT.get_or_init(read) else { return };
    let is_it = point.strip_prefix(step.name()).and_then(|rest| rest.strip_prefix(':'));
    if is_it == Some(moment) && REACHED.fetch_add(1, Ordering::AcqRel) + 1 == *times {
        tracing::warn!(point, times, "failpoint reached");
        std::process::abort();
    }
}

/// A point and how often it is passed, the last time included.
#[cfg(debug_assertions)]
fn read(text: &str) -> Option<(String, u64)> {
    let (point, times) = text.rsplit_once(':')?;
    Some((point.to_owned(), times.parse().ok()?))
}
