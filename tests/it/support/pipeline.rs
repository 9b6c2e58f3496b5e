//! The shipped pipeline files, at another pace.

use std::fs;
use std::path::{Path, PathBuf};

use super::repository;

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

/// `events-kafka.toml` with other ends of the file in place of [`INTERVAL`].
pub(crate) fn kafka(folder: &Path, pace: &str) -> PathBuf {
    changed("events-kafka.toml", folder, &[(INTERVAL, pace)])
}
