//! The loop: messages in, commits out, tables published.
//!
//! ```text
//! sources ─threads→ intake ─thread→ prepare (all cores) → registry + resolver → one state commit
//!                                                        every interval ─thread→ tables
//! ```
//!
//! The one module that knows every stage. One thread owns the state, the index and the registry;
//! sources run ahead on threads of their own behind a bounded queue, which is their backpressure, and another thread has the
//! next micro-batch ready meanwhile.
//!
//! **Invariants:**
//! - A micro-batch is one atomic commit: records, facts, identities, outbox, positions and counters
//!   move together. Nothing is published but what a commit holds.
//! - A backfill's records wait to be resolved until all are read, and nothing is published before; a start that finds some
//!   waiting resolves them first.
//! - What a commit left to publish waits in its outbox until all tables have it. Where the tables'
//!   store is away, the job commits on and publishes later; a publish that was cut short, by a
//!   crash or by the store, is made up for by the next one, of whatever commit.
//! - Dead letters that go to a topic wait in an outbox of their own, whatever becomes of the tables.
//! - Tables are written aside, from a view of one commit, while messages are taken on; at the end of a run, and where
//!   customers are forgotten, the loop waits for them.
//! - A source that is away is waited for; anything else that goes wrong ends the job with an error,
//!   which loses nothing: the next start goes on behind the last commit.
//! - Offsets are acknowledged after publishing, as a courtesy.
//!
//! **Memory:** the registry and the resolver's index hold every record, and nothing bounds them
//! yet; `memory` of `[state]` bounds the store's cache of blocks, an eighth of it. Between source
//! and commit there are at most two batches in the queue, up to two in the micro-batch at hand and in the next one, and
//! one in each source's hand, each of `batch` messages and 64 MiB at most. What waits to be published
//! waits on disk, and goes to the tables, and dead letters to their topic, 8 MiB at a time; a table's writer holds a row group
//! of 64 MiB, twice while it ends it.

mod ahead;
mod backoff;
mod batch;
mod breaker;
mod carry;
mod check;
mod chore;
mod courier;
mod dead_letter;
mod disk;
mod erasure;
mod evidence;
mod gather;
#[cfg(test)]
mod golden;
mod identify;
mod index;
mod intake;
mod job;
mod judge;
mod ledger;
mod letters;
mod model;
mod opening;
mod plain;
mod publish;
mod query;
mod registry;
mod rematch;
mod report;
mod review;
mod snapshot;
mod status;
mod subject;
mod tables;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod topics;
mod vacuum;
mod window;

pub use check::{Finding, Findings, check};
pub use dead_letter::{
    Closed, DeadLetterFilter, DeadLetters, DryRun, Group, Letter, ListedLetter, Listing, replay,
    try_replay,
};
pub use erasure::{
    Carriers, ErasurePreview, ErasureRequest, Receipt, TableTrace, erase, erase_asked,
    preview_erasure, receipt_of,
};
pub use evidence::write_evidence;
pub use gather::{Gathered, gather, kept_records};
pub use job::{Given, Job, Judged, Replayed, Standing};
pub use judge::{export_judgements, judge, judged_pair, judgements, judgements_of_file};
pub use ledger::{time, time_text};
pub use model::learn;
pub use query::{Inspection, inspect};
pub use rematch::{Rematched, preview, rematch};
pub use report::{Ending, Options, Progress, Report, Stop, Times};
pub use review::{Listed, Review, Reviewed, ReviewedRecord, review};
pub use snapshot::{Restored, Snapshot, restore_snapshot, snapshots, take_snapshot, verify_state};
pub use status::{StateStatus, Status, TableStatus, by_source, status};
pub use subject::{SubjectRows, subject_data};
pub use tables::{Customer, LookupKey, PublishedTables};
pub use vacuum::{VacuumAct, Vacuumed, vacuum};
