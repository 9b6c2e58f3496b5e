//! Dead letters on the way to their topic.

use std::time::Duration;

use tracing::{debug, info, warn};

use super::milliseconds;
use crate::error::Error;
use crate::telemetry::Telemetry;

/// The topic of the dead letters has some more of them.
#[derive(Clone, Copy, Debug)]
pub struct LettersDelivered {
    /// How many.
    pub letters: u64,
    /// Those of them whose payload is too large for the broker: they came without.
    pub omitted: u64,
}

impl LettersDelivered {
    /// Logs it at `DEBUG`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { letters, omitted } = self;
        debug!(name: "letters_delivered", letters, omitted, "dead letters delivered");
        let counted = &to.metrics().letters;
        counted.delivered.inc_by(letters);
        counted.omitted.inc_by(omitted);
    }
}

/// The topic of the dead letters is away: they wait in the state, and the job goes on. Told once an absence.
#[derive(Clone, Copy, Debug)]
pub struct LettersDelayed<'a> {
    /// When it is tried again for the first time.
    pub retry_in: Duration,
    /// Why.
    pub error: &'a Error,
}

impl LettersDelayed<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { retry_in, error } = self;
        warn!(
            name: "letters_delayed",
            retry_in_ms = milliseconds(retry_in), %error,
            "dead letters delayed"
        );
    }
}

/// The topic of the dead letters, which was away, takes them again.
#[derive(Clone, Copy, Debug)]
pub struct LettersResumed {
    /// How often it was tried in vain.
    pub attempts: u32,
}

impl LettersResumed {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { attempts } = self;
        info!(name: "letters_resumed", attempts, "dead letters resumed");
    }
}

/// A job ended before the topic of the dead letters had all: the next start delivers them.
#[derive(Clone, Copy, Debug)]
pub struct LettersLeft {
    /// How many wait in the state.
    pub waiting: u64,
}

impl LettersLeft {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { waiting } = self;
        warn!(name: "letters_left", waiting, "dead letters left for the next start");
    }
}

/// The pipeline file names no topic for dead letters any more: those that waited for it are in their table alone.
#[derive(Clone, Copy, Debug)]
pub struct LettersForgotten {
    /// How many waited.
    pub waited: u64,
}

impl LettersForgotten {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { waited } = self;
        warn!(name: "letters_forgotten", waited, "dead letters are for no topic any more");
    }
}
