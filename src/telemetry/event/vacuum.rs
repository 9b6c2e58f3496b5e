//! Vacuums of the tables.

use std::time::Duration;

use tracing::{info, warn};

use super::milliseconds;
use crate::error::Error;
use crate::telemetry::handle::Telemetry;

/// What no kept version of the tables needs is deleted.
#[derive(Clone, Copy, Debug)]
pub struct TablesVacuumed {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long it took.
    pub duration: Duration,
}

impl TablesVacuumed {
    /// Logs it at `INFO`, and counts it.
    pub fn emit(self, to: &Telemetry) {
        let Self { files, bytes, duration } = self;
        info!(
            name: "tables_vacuumed",
            files, bytes, duration_ms = milliseconds(duration),
            "tables vacuumed"
        );
        to.metrics().vacuum.files.inc_by(files);
        to.metrics().vacuum.bytes.inc_by(bytes);
    }
}

/// The tables could not be vacuumed; the job goes on, and tries again after some minutes.
#[derive(Clone, Copy, Debug)]
pub struct VacuumFailed<'a> {
    /// Why.
    pub error: &'a Error,
}

impl VacuumFailed<'_> {
    /// Logs it at `WARN`, and counts it.
    pub fn emit(self, to: &Telemetry) {
        let Self { error } = self;
        warn!(name: "vacuum_failed", %error, "vacuum failed");
        to.metrics().vacuum.failures.inc();
    }
}
