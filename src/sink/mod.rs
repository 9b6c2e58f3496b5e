//! How do rows become tables that any tool can read, each change exactly once?
//!
//! Rows → columns ([`rows`]) → Parquet files of a table → one entry of the table's Delta log
//! ([`Table::append`], [`Table::upsert`]) → a consistent set of table versions ([`write_latest`]).
//! An upsert writes what changed and masks what that takes the place of (Delta's deletion vectors);
//! a share of what has piled up is put in order with every commit ([`Limits`]).
//!
//! Invariants:
//! - An entry of a log is put with create-only: of two writers, one loses and stops
//!   ([`Kind::Fenced`]). An answer that was lost is never guessed at: the entry is read back and
//!   compared by its id.
//! - An entry holds the data's change together with `txn(app, commit)`. Publishing a commit that
//!   the table already has does nothing, so a publisher may start over after any crash.
//! - No personal value reaches a log: statistics are kept of keys and event times only.
//! - Nothing depends on the wall clock; file names and ids are hashes of what is published.
//! - Memory is bounded by a few row groups and the keys of a commit, whatever the size of the table.
//!
//! The log writer is our own. `delta_kernel` was weighed: it brings an engine and an HTTP client of
//! its own, keeps the updates of deletion vectors behind an internal interface, and does not leave
//! the create-only put and the reading back of an unknown outcome to its caller, which is what
//! exactly-once rests on here. Tables that only grow are Delta protocol 1/2: no feature that a reader
//! could lack. Those whose rows are replaced are 3/7 with the one feature `deletionVectors`: a reader
//! that does not know it refuses them, and never shows a masked row.
//!
//! Dead letters may go to a topic, too ([`letters`]), and so may profiles and changes ([`feed`]).
//!
//! Files that were replaced stay, so that earlier versions can be read, until the vacuum takes them
//! ([`Table::vacuum`]); rows that are to be nowhere leave every file at once ([`Table::erase`]).
//!
//! A table has one writer; other tools may read it, not optimise it.
//!
//! [`Kind::Fenced`]: crate::error::Kind::Fenced

mod append;
mod compact;
mod definition;
mod erase;
mod evidence;
pub mod feed;
mod file;
mod json;
mod latest;
mod layout;
pub mod letters;
mod live;
mod log;
mod mask;
mod merge;
mod plain;
mod read;
mod restore;
pub mod rows;
mod seek;
mod spec;
mod store;
mod table;
pub mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod topic;
mod uploads;
mod upsert;
mod vacuum;

pub use erase::{Erased, Erasure, Gone, LetterPlace};
pub use evidence::match_evidence;
pub use json::json_rows;
pub use latest::{Latest, read_latest, replace_latest, write_latest};
pub use layout::Limits;
pub use plain::{PlainWhen, PlainWritten, write_plain};
pub use seek::Wanted;
pub use spec::{Column, Layout, TableSpec, Type};
pub use store::{check_store, open_store};
pub use table::{CommitInfo, Table, Written};
pub use uploads::delete_unfinished;
pub use vacuum::{UNDER_WAY, Vacuum, VacuumAct, Vacuumed, Writers, last_vacuum, note_vacuum};
