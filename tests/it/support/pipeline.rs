//! The shipped pipeline files, at another pace.

use std::fs;
use std::path::{Path, PathBuf};

use super::repository;

/// A group gives a killed member up after this time, and lets a new one in after half of it.
const KAFKA_OPTIONS: &str =
    r#"options = { "session.timeout.ms" = "2000", "heartbeat.interval.ms" = "200" }"#;

/// The line of the shipped files that says how often is published; `[publish]` is their last section.
pub(crate) const INTERVAL: &str = "interval = \"30s\"\n";

/// Writes a shipped pipeline file to `folder` with texts replaced, each of which must be there.
#[track_caller]
pub(crate) fn changed(name: &str, folder: &Path, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = fs::read_to_string(repository("pipelines").join(name)).expect("it is shipped");
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    let path = folder.join(name);
    fs::write(&path, text).expect("write the pipeline file");
    path
}

/// `events-kafka.toml` whose members join fast, with other ends of the file in place of [`INTERVAL`].
pub(crate) fn kafka(folder: &Path, pace: &str) -> PathBuf {
    let group = "group = \"onefold-retail\"";
    let fast = format!("{group}, {KAFKA_OPTIONS}");
    changed("events-kafka.toml", folder, &[(group, &fast), (INTERVAL, pace)])
}
