//! How much work is matching?

use prometheus::{Histogram, IntCounter};

use super::real;
use super::shelf::{DECISIONS, RATIOS, Shelf};

/// How much matching work one micro-batch made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Events that count.
    pub events: u64,
    /// Candidate pairs that were scored.
    pub candidates: u64,
    /// Components that were decided anew.
    pub components: u64,
    /// Pairs inside them.
    pub component_pairs: u64,
    /// Records in the largest of them.
    pub largest_component: u64,
}

pub(super) struct Work {
    candidates: IntCounter,
    candidates_per_record: Histogram,
    components: IntCounter,
    component_pairs: IntCounter,
    largest_component: Histogram,
}

impl Work {
    pub(super) fn new(on: &mut Shelf) -> Self {
        Self {
            candidates: on
                .counter("onefold_candidate_pairs_total", "Candidate pairs that were scored."),
            candidates_per_record: on.histogram(
                "onefold_candidates_per_record",
                "Candidate pairs for each event of a micro-batch, on average.",
                RATIOS,
            ),
            components: on.counter(
                "onefold_components_decided_total",
                "Components that were decided, for the first time or anew.",
            ),
            component_pairs: on
                .counter("onefold_component_pairs_total", "Pairs weighed within components."),
            largest_component: on.histogram(
                "onefold_largest_component_records",
                "Records in the largest component that a micro-batch decided.",
                DECISIONS,
            ),
        }
    }

    pub(super) fn add(&self, work: Matching) {
        self.candidates.inc_by(work.candidates);
        self.components.inc_by(work.components);
        self.component_pairs.inc_by(work.component_pairs);
        if work.events > 0 {
            self.candidates_per_record.observe(real(work.candidates) / real(work.events));
        }
        if work.components > 0 {
            self.largest_component.observe(real(work.largest_component));
        }
    }
}
