//! How many dead letters went to their topic?

use prometheus::IntCounter;

use super::shelf::Shelf;

/// What is counted of the deliveries.
pub(in crate::telemetry) struct Letters {
    pub(in crate::telemetry) delivered: IntCounter,
    pub(in crate::telemetry) omitted: IntCounter,
    pub(in crate::telemetry) failures: IntCounter,
}

impl Letters {
    pub(super) fn new(on: &mut Shelf) -> Self {
        Self {
            delivered: on.counter(
                "onefold_dead_letter_topic_delivered_total",
                "Dead letters that their topic acknowledged; one may be delivered twice.",
            ),
            omitted: on.counter(
                "onefold_dead_letter_topic_omitted_total",
                "Dead letters that were delivered without their payload, for it is too large for the broker.",
            ),
            failures: on.counter(
                "onefold_dead_letter_topic_failures_total",
                "How often the topic of the dead letters was away when letters were to be delivered.",
            ),
        }
    }
}
