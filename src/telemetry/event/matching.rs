//! What happens now and then to how records are matched?

use std::time::Duration;

use tracing::info;

use super::milliseconds;
use crate::telemetry::Telemetry;
use crate::telemetry::facts::Moment;

/// A job learnt its model from its own records, since the pipeline names none.
#[derive(Clone, Copy, Debug)]
pub struct ModelTrained {
    /// Records that it learnt from.
    pub records: usize,
    /// About how many customers they speak of.
    pub customers: usize,
    /// How long it took.
    pub duration: Duration,
}

impl ModelTrained {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { records, customers, duration } = self;
        info!(
            name: "model_trained",
            records, customers, duration_ms = milliseconds(duration),
            "model trained"
        );
    }
}

/// A job decides by the built-in model, though the pipeline names none: it could not learn one.
#[derive(Clone, Copy, Debug)]
pub struct ModelBuiltIn<'a> {
    /// Records that it found.
    pub records: usize,
    /// Why it did not learn from them.
    pub reason: &'a str,
}

impl ModelBuiltIn<'_> {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { records, reason } = self;
        info!(name: "model_built_in", records, reason, "model built in");
    }
}

/// Judgements were taken into the state.
#[derive(Clone, Copy, Debug)]
pub struct JudgementsTaken {
    /// The commit that holds them.
    pub sequence: u64,
    /// How many.
    pub judgements: u64,
    /// Identities that were created, merged or split by them.
    pub changes: u64,
    /// How long it took.
    pub duration: Duration,
}

impl JudgementsTaken {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { sequence, judgements, changes, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(
            name: "judgements_taken",
            sequence, judgements, changes, duration_ms,
            "judgements taken"
        );
        to.metrics().judgements.inc_by(judgements);
        to.note(|facts| {
            facts.sequence = sequence;
            facts.last_commit = Some(Moment::default());
        });
    }
}

/// Identity ids were taken over from an earlier output.
#[derive(Clone, Copy, Debug)]
pub struct IdentitiesCarried {
    /// The commit.
    pub sequence: u64,
    /// Ids that go on.
    pub carried: u64,
    /// New ids of records that were not there.
    pub created: u64,
    /// Ids that ended in another.
    pub merged: u64,
    /// New ids of records of another.
    pub split: u64,
    /// How long it took.
    pub duration: Duration,
}

impl IdentitiesCarried {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, carried, created, merged, split, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(
            name: "identities_carried",
            sequence, carried, created, merged, split, duration_ms,
            "identities carried over"
        );
    }
}

/// All records of a state were matched again, by another model.
#[derive(Clone, Copy, Debug)]
pub struct RecordsRematched {
    /// The commit.
    pub sequence: u64,
    /// How many records.
    pub records: u64,
    /// Those that are in another identity now.
    pub moved: u64,
    /// Live identities now.
    pub identities: u64,
    /// Pairs that were weighed within components.
    pub component_pairs: u64,
    /// How long it took.
    pub duration: Duration,
}

impl RecordsRematched {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { sequence, records, moved, identities, component_pairs, duration } = self;
        let duration_ms = milliseconds(duration);
        info!(
            name: "records_rematched",
            sequence,
            records, moved, identities, component_pairs, duration_ms, "records matched again"
        );
    }
}
