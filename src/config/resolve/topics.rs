//! `[publish.topics]` as written in, a plan out: which topics hear of customers?

use super::client;
use super::letters::{RESERVED, reads};
use crate::config::plan::{LetterTopicPlan, TopicsPlan};
use crate::config::problem::At;
use crate::config::settings::TopicsSettings;
use crate::source::SourcePlan;

/// Resolves the topics; takes note of what is wrong, and is of use where nothing is.
pub(super) fn plan(
    settings: &TopicsSettings,
    sources: &[SourcePlan],
    letters: Option<&LetterTopicPlan>,
    at: &At,
) -> TopicsPlan {
    let TopicsSettings { brokers, profiles, changes, options: given } = settings;
    let options = client(brokers, given, &RESERVED, at);
    if profiles.is_none() && changes.is_none() {
        at.note(at.problem("names no topic; give `profiles`, `changes` or both"));
    }
    for (key, topic) in [("profiles", profiles), ("changes", changes)] {
        let Some(topic) = topic else { continue };
        let place = at.under(key);
        if topic.trim().is_empty() {
            place.note(place.wrong(topic, "name a topic"));
        }
        if let Some(source) = sources.iter().find(|source| reads(source, brokers, topic)) {
            let remedy = format!("is read by source `{}`; name a topic of its own", source.name);
            place.note(place.wrong(topic, remedy));
        }
        if letters.is_some_and(|letters| letters.topic == *topic) {
            place.note(place.wrong(topic, "is that of the dead letters; name a topic of its own"));
        }
    }
    if let (Some(topic), true) = (changes, changes == profiles) {
        let place = at.under("changes");
        let remedy = "is that of profiles, which keeps one message a customer; name another";
        place.note(place.wrong(topic, remedy));
    }
    TopicsPlan {
        brokers: brokers.clone(),
        profiles: profiles.clone(),
        changes: changes.clone(),
        options,
    }
}
