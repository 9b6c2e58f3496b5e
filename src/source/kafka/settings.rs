//! What is librdkafka told?

use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use super::context::Context;
use crate::error::{Error, Result};
use crate::source::{KafkaPlan, Positions};

/// What librdkafka is told unless the pipeline file says otherwise.
const DEFAULTS: [(&str, &str); 11] = [
    ("client.id", "onefold"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("auto.offset.reset", "earliest"),
    // What is fetched ahead of the pipeline, per source.
    ("queued.max.messages.kbytes", "65536"),
    ("queued.min.messages", "20000"),
    // A message that is larger than this still comes, alone.
    ("fetch.message.max.bytes", "1048576"),
    // A commit may take long; only a dead process should lose its partitions.
    ("max.poll.interval.ms", "3600000"),
    ("enable.partition.eof", "false"),
    // A damaged message must not pass as a sound one.
    ("check.crcs", "true"),
    // Partitions that are added to a topic are found within this time.
    ("topic.metadata.refresh.interval.ms", "60000"),
    // Where the partitions end, for the lag.
    ("statistics.interval.ms", "5000"),
];

/// What no pipeline file may change: positions are for the state to keep.
const FIXED: [(&str, &str); 2] =
    [("enable.auto.commit", "false"), ("enable.auto.offset.store", "false")];

/// A consumer of one source that starts behind positions; does not connect yet.
pub(super) fn consumer(
    source: &Arc<str>,
    plan: &KafkaPlan,
    start: &Positions,
) -> Result<BaseConsumer<Context>> {
    let mut config = ClientConfig::new();
    let given = plan.options.0.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in DEFAULTS.into_iter().chain(given).chain(FIXED) {
        config.set(key, value);
    }
    config.set("bootstrap.servers", &plan.brokers).set("group.id", &plan.group);
    config.set_log_level(RDKafkaLogLevel::Warning);
    let latest = matches!(config.get("auto.offset.reset"), Some("latest" | "largest" | "end"));
    // Only where a partition starts that has no position is for the pipeline file to say. Of a
    // position that is gone, the oldest message that is there tells what happened.
    config.set("auto.offset.reset", "earliest");
    let context = Context::new(source, start, latest);
    config.create_with_context(context).map_err(refused)
}

/// Says which option is refused, but never its value: it may be a secret, and librdkafka's own
/// words repeat it.
fn refused(error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, _, key, _) => Error::invalid(format!(
            "start the consumer: librdkafka refuses the key or the value of `{key}`; check \
             `kafka.options`"
        )),
        error => {
            Error::invalid("start the consumer; check `kafka` and its `options`").caused_by(error)
        }
    }
}
