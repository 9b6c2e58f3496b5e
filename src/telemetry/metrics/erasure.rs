//! Who is forgotten, and who is still to be?

use prometheus::{Gauge, IntCounter};

use super::real;
use super::shelf::Shelf;
use crate::clock::now_micros;
use crate::telemetry::facts::Facts;

/// What is counted of erasures.
pub(in crate::telemetry) struct ErasureCounters {
    pub(in crate::telemetry) done: IntCounter,
    pub(in crate::telemetry) failures: IntCounter,
}

impl ErasureCounters {
    pub(super) fn new(on: &mut Shelf) -> Self {
        Self {
            done: on.counter(
                "onefold_erasures_total",
                "Erasures that were ended: nothing is left in state, tables and snapshots.",
            ),
            failures: on.counter(
                "onefold_erasure_failures_total",
                "How often erasures could not be taken up or ended; it is tried again.",
            ),
        }
    }
}

/// How erasures stand.
pub(super) struct ErasureGauges {
    pending: Gauge,
    age: Gauge,
    undecided: Gauge,
}

impl ErasureGauges {
    pub(super) fn new(on: &mut Shelf) -> Self {
        Self {
            pending: on.gauge(
                "onefold_erasures_pending",
                "Erasures that are out of the present tables, and not yet out of every file.",
            ),
            age: on.gauge(
                "onefold_erasures_pending_age_seconds",
                "How long the oldest of them has been so; 0 where there is none.",
            ),
            undecided: on.gauge(
                "onefold_erasure_requests_undecided",
                "Requests by events that wait for an operator to say who is meant.",
            ),
        }
    }

    pub(super) fn set(&self, facts: &Facts) {
        self.pending.set(real(facts.erasures_pending));
        self.undecided.set(real(facts.erasures_undecided));
        let age = facts.erasures_since.map(|since| now_micros().saturating_sub(since).max(0));
        self.age.set(age.map_or(0.0, super::gauges::seconds));
    }
}
