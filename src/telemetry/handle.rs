//! Where is what a job tells kept, until somebody asks?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::facts::Facts;
use super::metrics::Metrics;
use super::pulse::{Activity, Health, Pulse};
use crate::error::Result;

/// What one job tells of itself: its metrics, how it stands, whether it gets on. Clones are the same
/// one; it may be told and asked from any thread.
#[derive(Clone, Default)]
pub struct Telemetry(Arc<Told>);

#[derive(Default)]
struct Told {
    metrics: Metrics,
    facts: Mutex<Facts>,
    pulse: Mutex<Pulse>,
    /// Gauges are set and written by one at a time.
    asking: Mutex<()>,
}

/// Numbers, texts and times are whole after any panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Telemetry {
    /// Its counters and histograms.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Notes down how things stand.
    pub fn note(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut lock(&self.0.facts));
    }

    /// The job's loop gets on.
    pub fn beat(&self, activity: Activity) {
        lock(&self.0.pulse).beat(activity);
    }

    /// It was asked to stop.
    pub(super) fn drain(&self) {
        lock(&self.0.pulse).drain();
    }

    /// It cannot go on.
    pub fn fail(&self) {
        lock(&self.0.pulse).fail();
    }

    /// A source has begun to read.
    pub fn source_ready(&self, source: &str) {
        self.note(|facts| facts.source(source).ready = true);
    }

    /// How many messages of each partition of a source are still to be read. Partitions that are not
    /// named are not the source's any more.
    pub fn source_lag(&self, source: &str, lag: BTreeMap<String, u64>) {
        self.note(|facts| facts.source(source).lag = lag);
    }

    /// Whether the job's loop gets on.
    pub fn health(&self) -> Health {
        lock(&self.0.pulse).health()
    }

    /// Why the job does not take messages in; empty where it does.
    pub fn unready(&self) -> Vec<String> {
        let pulse = *lock(&self.0.pulse);
        pulse.reasons(&lock(&self.0.facts))
    }

    /// All metrics in Prometheus' text format, as of now.
    ///
    /// **Errors:** internal.
    pub fn scrape(&self) -> Result<String> {
        let _one = lock(&self.0.asking);
        // A disk that hangs must not hold up the job.
        let (facts, pulse) = (lock(&self.0.facts).clone(), *lock(&self.0.pulse));
        self.0.metrics.text(&facts, &pulse)
    }

    /// How the job stands, for programs; names of files may be personal.
    pub fn status(&self) -> Value {
        lock(&self.0.facts).status()
    }
}
