//! What is librdkafka told?

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::base_consumer::BaseConsumer;

use super::context::Context;
use crate::error::Result;
use crate::kafka;
use crate::source::{KafkaPlan, Positions};

/// What librdkafka is told unless the pipeline file says otherwise.
const DEFAULTS: [(&str, &str); 9] = [
    ("client.id", "onefold"),
    ("auto.offset.reset", "earliest"),
    // What is fetched ahead of the pipeline, per source.
    ("queued.max.messages.kbytes", "65536"),
    ("queued.min.messages", "20000"),
    // A message that is larger than this still comes, alone.
    ("fetch.message.max.bytes", "1048576"),
    ("enable.partition.eof", "false"),
    // A damaged message must not pass as a sound one.
    ("check.crcs", "true"),
    // Topics and partitions that are added are found within this time.
    (REFRESH, "60000"),
    // Where the partitions end, for the lag.
    ("statistics.interval.ms", "5000"),
];

/// How often partitions are looked for, in milliseconds.
const REFRESH: &str = "topic.metadata.refresh.interval.ms";

/// What no pipeline file may change: offsets are committed once they are stored, and they are stored
/// once the state has them.
const FIXED: [(&str, &str); 2] =
    [("enable.auto.commit", "true"), ("enable.auto.offset.store", "false")];

/// How often partitions are looked for where all are read; `None` where the pipeline file wants
/// never.
pub(super) fn refresh_interval(plan: &KafkaPlan) -> Option<Duration> {
    let default = DEFAULTS.iter().find(|(key, _)| *key == REFRESH).map(|(_, value)| *value);
    let given = plan.options.0.get(REFRESH).map(String::as_str).or(default);
    Some(Duration::from_millis(given?.parse().ok()?))
}

/// A consumer of one source that starts behind positions; does not connect yet.
pub(super) fn consumer(
    source: &Arc<str>,
    plan: &KafkaPlan,
    start: &Positions,
) -> Result<BaseConsumer<Context>> {
    let mut config = kafka::settings(&plan.brokers, &DEFAULTS, &plan.options.0, &FIXED);
    config.set("group.id", &plan.group);
    let latest = matches!(config.get("auto.offset.reset"), Some("latest" | "largest" | "end"));
    // Only where a partition starts that has no position is for the pipeline file to say. Of a
    // position that is gone, the oldest message that is there tells what happened.
    config.set("auto.offset.reset", "earliest");
    let context = Context::new(source, plan, start, latest);
    let places = ("`kafka.options`", "`kafka` and its `options`");
    let refused = |error| kafka::refused("start the consumer", places, error);
    config.create_with_context(context).map_err(refused)
}
