//! The only door to time and chance: what time is it, where does that matter?
//!
//! Nothing that is published depends on it, but for which of two judgements of one pair is the later. It paces commits
//! and publishing, and measures how long things take.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point from which time is measured.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A number that no other process has drawn, as far as chance can tell: it tells two writers apart that are alike in
/// everything else.
pub fn nonce() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// Microseconds since 1970-01-01T00:00:00Z, by the wall clock; 0 where that stands before.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
