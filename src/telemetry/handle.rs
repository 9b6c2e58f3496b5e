//! Where is what a job tells kept, until somebody asks?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::facts::Facts;
use super::metrics::{Metrics, Stage};
use super::pulse::{Activity, Health, Pulse};
use super::traces::Traces;
use crate::error::Result;

/// What one job tells of itself: its metrics, how it stands, whether it gets on. Clones are the same
/// one; it may be told and asked from any thread.
#[derive(Clone, Default)]
pub struct Telemetry(Arc<Told>);

#[derive(Default)]
struct Told {
    metrics: Metrics,
    traces: Traces,
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
    /// One whose spans go where the environment says; see `OTEL_EXPORTER_OTLP_ENDPOINT`.
    ///
    /// **Errors:** invalid, where what it says cannot be used.
    pub fn from_environment() -> Result<Self> {
        Ok(Self(Arc::new(Told { traces: Traces::from_environment()?, ..Told::default() })))
    }

    pub(super) fn traces(&self) -> &Traces {
        &self.0.traces
    }

    /// A stage of a micro-batch is done.
    pub fn took(&self, stage: Stage, duration: Duration) {
        self.0.metrics.took(stage, duration);
        self.0.traces.stage(stage, duration);
        self.beat(Activity::Working);
    }

    /// The topic of the dead letters was found away.
    pub fn letters_failed(&self) {
        self.0.metrics.letters.failures.inc();
    }

    /// A topic of customers was found away: that of `profiles`, or of `changes`.
    pub fn topic_failed(&self, of: &'static str) {
        self.0.metrics.topics.failures.with_label_values(&[of]).inc();
    }

    /// Sends what still waits to be sent.
    pub fn flush(&self) {
        self.0.traces.flush();
    }

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

    /// How many messages of each partition of a source are still to be read. Of partitions that are
    /// not named, that is not known any more.
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
