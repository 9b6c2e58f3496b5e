//! The index in memory.

use std::time::Duration;

use tracing::{info, warn};

use super::milliseconds;
use crate::error::Error;
use crate::telemetry::Telemetry;

/// The index in memory is there.
#[derive(Clone, Copy, Debug)]
pub struct IndexBuilt {
    /// How many records it holds.
    pub records: u64,
    /// How many rows for explanations the state lacked or had wrong; none, unless another version
    /// of the program wrote it.
    pub corrected: u64,
    /// It is as a job left it; else it was made anew of the records.
    pub was_kept: bool,
    /// How long it took.
    pub duration: Duration,
}

impl IndexBuilt {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { records, corrected, was_kept, duration } = self;
        info!(
            name: "index_built",
            records, corrected, was_kept, duration_ms = milliseconds(duration),
            "index built"
        );
        to.note(|facts| (facts.records, facts.index_duration) = (records, duration));
    }
}

/// The index was not left to the next start, which makes it anew.
#[derive(Clone, Copy, Debug)]
pub struct IndexNotKept<'a> {
    /// Why.
    pub error: &'a Error,
}

impl IndexNotKept<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { error } = self;
        warn!(name: "index_not_kept", %error, "index not kept: the next start takes longer");
    }
}

/// The index that the last job left cannot be used, and is made anew.
#[derive(Clone, Copy, Debug)]
pub struct IndexNotRead<'a> {
    /// Why.
    pub error: &'a Error,
}

impl IndexNotRead<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { error } = self;
        warn!(name: "index_not_read", %error, "index not read: it is made anew of the records");
    }
}
