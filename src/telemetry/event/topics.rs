//! Profiles and changes on the way to their topics.

use std::time::Duration;

use tracing::{debug, info, warn};

use super::milliseconds;
use crate::error::Error;
use crate::telemetry::Telemetry;

/// A topic has some more messages.
#[derive(Clone, Copy, Debug)]
pub struct TopicDelivered {
    /// `profiles` or `changes`.
    pub of: &'static str,
    /// How many.
    pub messages: u64,
    /// Those of them whose value is too large for the broker: they came with the identity alone.
    pub omitted: u64,
}

impl TopicDelivered {
    /// Logs it at `DEBUG`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { of, messages, omitted } = self;
        debug!(name: "topic_delivered", of, messages, omitted, "messages delivered to topic");
        let counted = &to.metrics().topics;
        counted.delivered.with_label_values(&[of]).inc_by(messages);
        counted.omitted.with_label_values(&[of]).inc_by(omitted);
    }
}

/// A topic is away: what is for it waits in the state, and the job goes on. Told once an absence.
#[derive(Clone, Copy, Debug)]
pub struct TopicDelayed<'a> {
    /// `profiles` or `changes`.
    pub of: &'static str,
    /// When it is tried again for the first time.
    pub retry_in: Duration,
    /// Why.
    pub error: &'a Error,
}

impl TopicDelayed<'_> {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { of, retry_in, error } = self;
        warn!(
            name: "topic_delayed",
            of, retry_in_ms = milliseconds(retry_in), %error,
            "messages to topic delayed"
        );
    }
}

/// A topic, which was away, takes messages again.
#[derive(Clone, Copy, Debug)]
pub struct TopicResumed {
    /// `profiles` or `changes`.
    pub of: &'static str,
    /// How often it was tried in vain.
    pub attempts: u32,
}

impl TopicResumed {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { of, attempts } = self;
        info!(name: "topic_resumed", of, attempts, "messages to topic resumed");
    }
}

/// A job or a command ended before a topic had all: the next start of the job delivers it.
#[derive(Clone, Copy, Debug)]
pub struct TopicLeft {
    /// `profiles` or `changes`.
    pub of: &'static str,
    /// How many rows wait in the state.
    pub waiting: u64,
}

impl TopicLeft {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { of, waiting } = self;
        warn!(name: "topic_left", of, waiting, "messages to topic left for the next start");
    }
}

/// The pipeline file names other topics than before, or none: what waited for those is forgotten.
#[derive(Clone, Copy, Debug)]
pub struct TopicForgotten {
    /// How many rows waited.
    pub waited: u64,
}

impl TopicForgotten {
    /// Logs it at `WARN`.
    pub fn emit(self) {
        let Self { waited } = self;
        warn!(name: "topic_forgotten", waited, "what waited is for no topic any more");
    }
}
