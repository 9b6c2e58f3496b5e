//! The tables as plain files.

use std::time::Duration;

use tracing::{info, warn};

use super::milliseconds;
use crate::error::Error;

/// The tables are written as plain files besides.
#[derive(Clone, Copy, Debug)]
pub struct PlainTablesWritten {
    /// The commit that they are of.
    pub sequence: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// How long it took.
    pub duration: Duration,
}

impl PlainTablesWritten {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, rows, bytes, duration } = self;
        info!(
            name: "plain_tables_written",
            sequence, rows, bytes, duration_ms = milliseconds(duration),
            "plain tables written"
        );
    }
}

/// The tables could not be written as plain files; the job goes on, and tries again after the interval.
#[derive(Clone, Copy, Debug)]
pub struct PlainTablesFailed<'a> {
    /// Why.
    pub error: &'a Error,
}

impl PlainTablesFailed<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { error } = self;
        warn!(name: "plain_tables_failed", %error, "plain tables failed");
    }
}
