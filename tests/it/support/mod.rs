//! What the integration tests share: real servers, the built program, its tables, and made-up events.

pub(crate) mod broker;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod pipeline;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod random;
pub(crate) mod s3;
pub(crate) mod tables;

use std::path::{Path, PathBuf};
use std::time::Duration;

use onefold::clock::Stopwatch;

/// Far more than anything that is waited for takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A file or folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder that is gone when it is dropped.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the tests' paths are UTF-8")
}

/// Looks again and again until `found` is true.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut found: impl FnMut() -> bool) {
    let waited = Stopwatch::start();
    while !found() {
        assert!(waited.elapsed() < PATIENCE, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
