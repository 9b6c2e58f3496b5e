//! `[dead_letters.kafka]` as written in, a plan out: which topic do the dead letters go to?

use std::collections::BTreeSet;

use super::client;
use crate::config::plan::LetterTopicPlan;
use crate::config::problem::At;
use crate::config::settings::LetterTopicSettings;
use crate::source::{Input, SourcePlan};

/// What is said of settings that would lose or mix up messages.
const KEPT: &str = "messages are delivered at least once and in their order; leave it out";

/// librdkafka settings that have a key of their own, or are not for a pipeline to decide.
pub(super) const RESERVED: [(&str, &str); 5] = [
    ("enable.idempotence", KEPT),
    ("acks", KEPT),
    ("request.required.acks", KEPT),
    ("message.timeout.ms", KEPT),
    ("delivery.timeout.ms", KEPT),
];

/// Resolves the topic; takes note of what is wrong, and is of use where nothing is.
pub(super) fn plan(
    settings: &LetterTopicSettings,
    sources: &[SourcePlan],
    at: &At,
) -> LetterTopicPlan {
    let LetterTopicSettings { brokers, topic, options: given } = settings;
    let options = client(brokers, given, &RESERVED, at);
    let place = at.under("topic");
    if topic.trim().is_empty() {
        place.note(place.wrong(topic, "name a topic"));
    }
    if let Some(source) = sources.iter().find(|source| reads(source, brokers, topic)) {
        let remedy = format!(
            "is read by source `{}`: what cannot be used would come back for ever; name a topic of \
             its own",
            source.name
        );
        place.note(place.wrong(topic, remedy));
    }
    LetterTopicPlan { brokers: brokers.clone(), topic: topic.clone(), options }
}

/// Whether a source reads a topic of one of these brokers.
pub(super) fn reads(source: &SourcePlan, brokers: &str, topic: &str) -> bool {
    let Input::Kafka(kafka) = &source.input else { return false };
    let theirs = addresses(&kafka.brokers);
    kafka.topics.iter().any(|it| it == topic) && !theirs.is_disjoint(&addresses(brokers))
}

fn addresses(brokers: &str) -> BTreeSet<String> {
    brokers.split(',').map(|broker| broker.trim().to_ascii_lowercase()).collect()
}
