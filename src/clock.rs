//! The only door to time: what time is it, where does that matter?
//!
//! Nothing that is published depends on it. It paces commits and publishing, and measures how long
//! things take.

use std::time::{Duration, Instant};

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
