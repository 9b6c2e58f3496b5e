//! Who is forgotten.

use std::time::Duration;

use tracing::{info, warn};

use super::milliseconds;
use crate::error::Error;
use crate::record::Micros;
use crate::telemetry::facts::Moment;
use crate::telemetry::handle::Telemetry;

/// Customers are out of the state, and out of the tables with the next publish; files follow.
#[derive(Clone, Copy, Debug)]
pub struct ErasuresBegun {
    /// The commit without them.
    pub sequence: u64,
    /// Erasures that this commit begins.
    pub erasures: u64,
    /// Records that are no more.
    pub records: u64,
}

impl ErasuresBegun {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { sequence, erasures, records } = self;
        info!(name: "erasures_begun", sequence, erasures, records, "erasures begun");
        to.note(|facts| {
            facts.sequence = sequence;
            facts.last_commit = Some(Moment::default());
        });
    }
}

/// Customers asked by events to be forgotten, and it cannot be told for certain who they are: an operator must say.
#[derive(Clone, Copy, Debug)]
pub struct ErasuresUndecided {
    /// How many requests wait for that.
    pub requests: u64,
}

impl ErasuresUndecided {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { requests } = self;
        warn!(name: "erasures_undecided", requests, "erasures undecided: see `onefold erase --requests`");
    }
}

/// An erasure could not be taken up or ended; it is tried again.
#[derive(Clone, Copy, Debug)]
pub struct ErasuresDelayed<'a> {
    /// How often in a row.
    pub attempt: u32,
    /// When it is tried again, at the earliest.
    pub retry_in: Duration,
    /// Why.
    pub error: &'a Error,
}

impl ErasuresDelayed<'_> {
    /// Logs it at `WARN`, and counts it.
    pub fn emit(self, to: &Telemetry) {
        let Self { attempt, retry_in, error } = self;
        let retry_in_ms = milliseconds(retry_in);
        warn!(name: "erasures_delayed", attempt, retry_in_ms, %error, "erasures delayed");
        to.metrics().erasures.failures.inc();
    }
}

/// Somebody was erased, from the state and from all that was made of it.
#[derive(Clone, Copy, Debug)]
pub struct Erased {
    /// The commit without them.
    pub sequence: u64,
    /// How many erasures were ended.
    pub erasures: u64,
    /// How many records are no more.
    pub records: u64,
    /// How long it took.
    pub duration: Duration,
}

impl Erased {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { sequence, erasures, records, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(name: "erased", sequence, erasures, records, duration_ms, "erased");
        to.metrics().erasures.done.inc_by(erasures);
        to.note(|facts| {
            facts.sequence = sequence;
            facts.last_commit = Some(Moment::default());
        });
    }
}

/// Interactions that happened longer ago than they are kept left their table.
#[derive(Clone, Copy, Debug)]
pub struct InteractionsExpired {
    /// Their rows.
    pub rows: u64,
    /// How long it took.
    pub duration: Duration,
}

impl InteractionsExpired {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { rows, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(name: "interactions_expired", rows, duration_ms, "interactions expired");
    }
}

impl Telemetry {
    /// Tells how erasures stand: how many are begun and not ended, since when the oldest, and how many requests wait for
    /// somebody to say who is meant.
    pub fn erasures_stand(&self, pending: u64, since: Option<Micros>, undecided: u64) {
        self.note(|facts| {
            (facts.erasures_pending, facts.erasures_undecided) = (pending, undecided);
            facts.erasures_since = since;
        });
    }
}
