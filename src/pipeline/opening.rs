//! How does a pipeline open its state?

use crate::config::StatePlan;
use crate::error::{Error, Kind, Result};
use crate::state::{self, Store};

/// The store's cache gets this part of the state's memory: the index in memory needs the most.
const CACHE_SHARE: u64 = 8;
/// The store's write buffers get this part of it.
const WRITE_BUFFER_SHARE: u64 = 16;

/// The state's share of the memory budget, which so far is what the store uses.
pub(super) fn state_options(plan: &StatePlan) -> state::Options {
    state::Options {
        cache_bytes: plan.memory / CACHE_SHARE,
        write_buffer_bytes: plan.memory / WRITE_BUFFER_SHARE,
        ..state::Options::default()
    }
}

/// Opens the state within its share of the memory budget.
pub(super) fn open_state(plan: &StatePlan) -> Result<Store> {
    Store::open(&plan.path, &state_options(plan)).map_err(damaged)
}

/// Says what to do about a state that is damaged.
fn damaged(error: Error) -> Error {
    if error.kind() != Kind::Data {
        return error;
    }
    error.context(
        "the state cannot be used as it is, nothing was changed: move it away and restore a snapshot \
         (`onefold state PIPELINE restore`), or read the sources anew into a new publish.url with \
         publish.carry_ids_from",
    )
}

/// Opens the state of a pipeline that has run.
///
/// **Errors:** `Invalid` where there is none yet.
pub(super) fn open_existing_state(plan: &StatePlan) -> Result<Store> {
    if !plan.path.exists() {
        return Err(Error::invalid(format!(
            "[state] path = {}: there is no state yet: run the pipeline first",
            plan.path.display()
        )));
    }
    open_state(plan)
}

/// Opens the state of a pipeline whose records all have their identities.
///
/// **Errors:** `Invalid` where there is none yet, or a backfill was stopped before its end.
pub(super) fn open_resolved_state(plan: &StatePlan) -> Result<Store> {
    let store = open_existing_state(plan)?;
    if store.view().is_unresolved()? { Err(unresolved()) } else { Ok(store) }
}

/// A backfill has not come to its end: nothing is known yet of who belongs together.
pub(super) fn unresolved() -> Error {
    Error::invalid(
        "[state] path: a backfill was stopped before its end, and its records are not matched yet: run it again, \
         and it goes on where it was",
    )
}
