//! The loop: messages in, commits out, tables published.
//!
//! ```text
//! sources ─threads→ intake → prepare (all cores) → registry + resolver → one state commit → (every interval) publish
//! ```
//!
//! The one module that knows every stage. One thread owns the state, the index and the registry;
//! sources run ahead on threads of their own behind a bounded queue, which is their backpressure.
//!
//! **Invariants:** a micro-batch is one atomic commit: records, facts, identities, outbox,
//! positions and counters move together. Nothing is published but what a commit holds, and nothing
//! is committed while a publish is under way, so a publish that was cut short is repeated from the
//! same commit. Offsets are acknowledged after publishing, as a courtesy.

mod batch;
mod identify;
mod intake;
mod job;
mod model;
mod publish;
mod query;
mod registry;
mod tables;

pub use job::{Ending, Job, Options, Progress, Report, Stop, Times};
pub use query::{Inspection, RecordView, Why, check, inspect};
pub use tables::{LookupKey, PublishedTables};
