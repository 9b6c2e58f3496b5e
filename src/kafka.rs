//! What is a client of librdkafka told, whichever way its messages go?

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::error::Error;

/// The settings of a client: the defaults, over them what is given, and over that what no pipeline
/// file may change.
pub(crate) fn settings(
    brokers: &str,
    defaults: &[(&str, &str)],
    given: &BTreeMap<String, String>,
    fixed: &[(&str, &str)],
) -> ClientConfig {
    let mut config = ClientConfig::new();
    let given = given.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in defaults.iter().copied().chain(given).chain(fixed.iter().copied()) {
        config.set(key, value);
    }
    config.set("bootstrap.servers", brokers);
    config.set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// Says which option is refused, but never its value: it may be a secret, and librdkafka's own words
/// repeat it. `options` and `all` are where a pipeline file has the options and all settings.
pub(crate) fn refused(act: &str, (options, all): (&str, &str), error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, _, key, _) => Error::invalid(format!(
            "{act}: librdkafka refuses the key or the value of `{key}`; check {options}"
        )),
        error => Error::invalid(format!("{act}; check {all}")).caused_by(error),
    }
}
