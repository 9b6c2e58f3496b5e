//! Snapshots of the state.

use std::time::Duration;

use tracing::{info, warn};

use super::milliseconds;
use crate::error::Error;

/// A snapshot of the state lies at its place.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotTaken {
    /// The commit that it holds.
    pub sequence: u64,
    /// Its size.
    pub bytes: u64,
    /// How long it took.
    pub duration: Duration,
}

impl SnapshotTaken {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, bytes, duration } = self;
        info!(
            name: "snapshot_taken",
            sequence, bytes, duration_ms = milliseconds(duration),
            "snapshot taken"
        );
    }
}

/// A snapshot of the state could not be taken; the job goes on, and tries again after the interval.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotFailed<'a> {
    /// The commit that it was to hold.
    pub sequence: u64,
    /// Why.
    pub error: &'a Error,
}

impl SnapshotFailed<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { sequence, error } = self;
        warn!(name: "snapshot_failed", sequence, %error, "snapshot failed");
    }
}
