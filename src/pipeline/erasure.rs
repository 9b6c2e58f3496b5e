//! How is somebody forgotten?
//!
//! ```text
//! identifier → identities → one commit of the state without their records
//!            → tables, masked rows and earlier versions, too → snapshots → the state's own disk → receipt
//! ```
//!
//! The commit holds what must follow, so an erasure that is cut short is ended by the next start of
//! the pipeline, before anything else. What is left are keyed marks in the state, by which a replay of
//! the person's events is known, and a receipt that names nobody.
//!
//! **Not reached:** what others hold: the sources' topics and files, the topic of the dead letters,
//! copies that readers made, and backups of the state or of the tables other than the pipeline's own
//! snapshots. A receipt says so.

mod letters;
mod receipt;
#[cfg(test)]
mod tests;
mod traces;

use super::job::Job;
use super::tables::LookupKey;
use crate::config::Plan;
use crate::error::Result;
use crate::normalise;
use crate::record::{IdentityId, Micros, RecordKey};

pub(super) use letters::Traits;
pub use receipt::{Receipt, TableTrace, receipt_of};
pub(super) use traces::Traces;

/// Who is to be forgotten.
#[derive(Clone, Debug)]
pub struct ErasureRequest {
    /// By what the person is found.
    pub by: LookupKey,
    /// How numbers without a country are read in it.
    pub settings: normalise::Settings,
    /// Whether several customers who carry that are all meant.
    pub all: bool,
    /// When it was asked for: what records said until then never counts again.
    pub at: Micros,
}

/// Whom an erasure would take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErasurePreview {
    /// How many customers.
    pub identities: u64,
    /// How many records.
    pub records: u64,
    /// How many dead letters that name them.
    pub dead_letters: u64,
}

/// Erases whoever a request means from everything that the pipeline keeps and publishes; `None` where nobody carries the
/// identifier.
///
/// **Errors:** `Invalid` where several customers carry it and not all are meant, or while ids are still to be carried
/// over; `Fenced` while a job runs; `Unavailable` where a store is away: the next start ends what was begun.
pub fn erase(plan: Plan, request: &ErasureRequest) -> Result<Option<Receipt>> {
    Job::open(plan)?.erase(request)
}

/// A request by an event whose customer cannot be told for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carriers {
    /// The record of the event, which is a customer of its own.
    pub request: RecordKey,
    /// Who else carries one of its identifiers, ascending.
    pub identities: Vec<IdentityId>,
}

/// Erases those who asked for it by events, as the end of a job over files does; the receipts, and the requests that
/// are left for an operator.
///
/// **Errors:** as of [`erase`].
pub fn erase_asked(plan: Plan) -> Result<(Vec<Receipt>, Vec<Carriers>)> {
    Job::open(plan)?.erase_asked()
}

/// Says whom an erasure would take, and changes nothing that anybody sees.
///
/// **Errors:** as of [`erase`].
pub fn preview_erasure(plan: Plan, request: &ErasureRequest) -> Result<ErasurePreview> {
    Job::open(plan)?.preview_erasure(request)
}
