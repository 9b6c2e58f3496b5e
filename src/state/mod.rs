//! What must outlive a restart?
//!
//! One micro-batch is one [`Commit`]: facts only, no list that was read and modified.
//! [`Store::commit`] writes it as one atomic, fsynced batch; [`Store::view`] reads the state as it
//! was at one commit; what is to be published waits in the outbox until [`Store::clear_outbox`], and
//! what goes to a topic, until that has it ([`Store::clear_letters`], [`Store::clear_forwarded`]).
//! The index that the matcher reads is in memory, made on open from the rows of [`View::records`],
//! [`View::edges`] and [`View::members`], or as it was kept ([`Store::keep_index`]); what is in it is no part of this module.
//!
//! A state is a folder:
//!
//! ```text
//! format     says that this is a state, and of which format
//! lock       held by the process that has it open
//! witness    the last batch that was acknowledged
//! settled    says that all rows are written out, after a job ended well
//! index      the index as of the last commit, after a job ended well; may be missing
//! rows/      the keyspaces of the embedded store, and its journals
//! ```
//!
//! Invariants, each with a test that would fail without it:
//! - A commit is there whole or not at all, source positions and counters included.
//! - What was acknowledged is there after a crash, or opening fails. The store alone would cut its
//!   journal at the first damaged byte and drop everything behind it in silence. So every batch
//!   carries a number; before the store opens, its journals are read through: numbers must ascend
//!   without a gap up to the batch in `witness`, and journals that are no longer written must end
//!   with a whole batch. Damage is found before anything is cut. Only an incomplete batch that
//!   nobody was told of, the torn tail of a crash, is dropped.
//! - One process at a time. A second one gets [`Kind::Fenced`](crate::error::Kind::Fenced).
//! - After a write failed, nothing more is written: what reached the disk is unknown until the next
//!   open.
//!
//! What a person asks of a state ([`Reader`]) is answered from a few rows: `nodes` and `clusters` are
//! `records` and `members` read the other way round; `shared` and `capped` keep what the matcher's
//! index knows of all records together. They move in the same commit as what they are derived from,
//! and the matcher never reads them.
//!
//! `witness` is written after the batch is durable and synced only with every publish, so it costs
//! nothing. If a power cut rolls it back *and* the journal is damaged, the state opens at an
//! earlier commit, source positions included, and the sources are read again from there.

mod before;
mod commit;
mod database;
mod erasure;
mod folder;
mod forward;
mod index;
mod journal;
mod keyspace;
mod letters;
mod reader;
mod rewrite;
mod row;
mod settled;
mod snapshot;
mod store;
mod upgrade;
mod verify;
mod view;
mod window;

#[cfg(test)]
mod tests;

pub use commit::Commit;
pub use erasure::{ErasedRecord, Erasure, ErasureAsked, PendingErasure};
pub use folder::check;
pub use forward::{Followed, Forwarded, Place, Said, Waiting};
pub use index::KeptIndex;
pub use reader::Reader;
pub use row::{
    Counters, Edge, IdentityRow, MappingChange, Model, NodeId, Positions, RecordRow, Status,
};
pub use snapshot::{refuse_a_state, restore_snapshot, write_snapshot};
pub use store::{Options, Store};
pub use verify::Report;
pub use view::View;
pub use window::LatestTimes;
