//! How many messages about customers went to their topics?

use prometheus::IntCounterVec;

use super::shelf::Shelf;

/// What is counted of the deliveries.
pub(in crate::telemetry) struct Topics {
    pub(in crate::telemetry) delivered: IntCounterVec,
    pub(in crate::telemetry) omitted: IntCounterVec,
    pub(in crate::telemetry) failures: IntCounterVec,
}

impl Topics {
    pub(super) fn new(on: &mut Shelf) -> Self {
        Self {
            delivered: on.counters(
                "onefold_publish_topic_delivered_total",
                "Messages of profiles or changes that their topic acknowledged; one may be delivered twice.",
                &["of"],
            ),
            omitted: on.counters(
                "onefold_publish_topic_omitted_total",
                "Those that were delivered with the identity alone, for they are too large for the broker.",
                &["of"],
            ),
            failures: on.counters(
                "onefold_publish_topic_failures_total",
                "How often the topic of profiles or changes was away when messages were to be delivered.",
                &["of"],
            ),
        }
    }
}
