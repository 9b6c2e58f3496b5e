//! The disk of the state.

use tracing::{info, warn};

use crate::telemetry::Telemetry;

/// The disk of the state is nearly full: no messages are taken until there is room.
#[derive(Clone, Copy, Debug)]
pub struct IntakePaused {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that must be.
    pub reserve: u64,
}

impl IntakePaused {
    /// Logs it at `WARN`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { free, reserve } = self;
        warn!(name: "intake_paused", free, reserve, "intake paused: the disk of the state is full");
        to.note(|facts| facts.is_paused = true);
    }
}

/// There is room on the disk of the state again.
#[derive(Clone, Copy, Debug)]
pub struct IntakeResumed {
    /// Bytes that are free.
    pub free: u64,
    /// Bytes that must be.
    pub reserve: u64,
}

impl IntakeResumed {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { free, reserve } = self;
        info!(name: "intake_resumed", free, reserve, "intake resumed");
        to.note(|facts| facts.is_paused = false);
    }
}
