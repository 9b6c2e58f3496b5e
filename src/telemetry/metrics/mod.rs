//! What can be counted and measured of a job, and how is it told to Prometheus?
//!
//! Counters and histograms are fed where an event is [emitted](crate::telemetry::BatchCommitted::emit)
//! or a stage ends; gauges that say how things stand are set from the [`Facts`](super::Facts) when
//! somebody asks. One [`Metrics`] a job: there is no registry of the process.
//!
//! **Invariants:** every name begins with `onefold_`; units are seconds and bytes, and stand in the
//! name; counters end in `_total`. A label's values are the names of a pipeline's sources, the
//! partitions of their topics, and words of this program, so their number is bounded and none is a
//! personal value. `schemas/metrics.md` lists all of them.

mod erasure;
mod gauges;
mod letters;
mod process;
mod shelf;
mod topics;
mod vacuum;
mod work;

pub use process::disk_space;
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Registry, TextEncoder};

use self::erasure::ErasureCounters;
use self::gauges::Gauges;
use self::letters::Letters;
pub use self::shelf::Spec;
use self::shelf::{LONG, SHORT, Shelf};
use self::topics::Topics;
use self::vacuum::VacuumCounters;
pub use self::work::Matching;
use self::work::Work;
use super::facts::Facts;
use super::pulse::Pulse;
use crate::error::{Context, Kind, Result};

/// A part of the work on one micro-batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Messages become events, and what those say of a person is normalised.
    Prepare,
    /// Candidates are found and scored, components decided, identities kept.
    Resolve,
    /// The micro-batch is made durable.
    Commit,
}

impl Stage {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Resolve => "resolve",
            Self::Commit => "commit",
        }
    }
}

/// The counters, histograms and gauges of one job.
pub struct Metrics {
    registry: Registry,
    specs: Vec<Spec>,
    gauges: Gauges,
    pub(super) messages_read: IntCounter,
    pub(super) events_resolved: IntCounter,
    pub(super) events_duplicate: IntCounter,
    pub(super) dead_lettered: IntCounterVec,
    source_messages: IntCounterVec,
    pub(super) source_outages: IntCounterVec,
    uncommitted_offsets: IntCounterVec,
    pub(super) batch_duration: Histogram,
    stage_duration: HistogramVec,
    pub(super) publish_duration: Histogram,
    pub(super) publish_failures: IntCounter,
    pub(super) rows_published: IntCounterVec,
    pub(super) judgements: IntCounter,
    pub(super) letters: Letters,
    pub(super) topics: Topics,
    pub(super) vacuum: VacuumCounters,
    pub(super) erasures: ErasureCounters,
    work: Work,
    http_requests: IntCounterVec,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut on = Shelf::default();
        Self {
            messages_read: on.counter(
                "onefold_messages_read_total",
                "Messages taken into commits; equals resolved, duplicate and dead-lettered together.",
            ),
            events_resolved: on.counter("onefold_events_resolved_total", "Events that count."),
            events_duplicate: on
                .counter("onefold_events_duplicate_total", "Events that were known already."),
            dead_lettered: on.counters(
                "onefold_messages_dead_lettered_total",
                "Messages that could not be used and are in the dead letters.",
                &["source", "reason"],
            ),
            source_messages: on.counters(
                "onefold_source_messages_total",
                "Messages taken from a source, also those that it gave before.",
                &["source"],
            ),
            source_outages: on.counters(
                "onefold_source_outages_total",
                "How often a source's broker or store was found away.",
                &["source"],
            ),
            uncommitted_offsets: on.counters(
                "onefold_source_offset_commits_failed_total",
                "How often a broker did not take a source's offsets; only what looks at its group \
                 misses them.",
                &["source"],
            ),
            batch_duration: on.histogram(
                "onefold_batch_duration_seconds",
                "A micro-batch from its first stage to its durable commit.",
                SHORT,
            ),
            stage_duration: on.histograms(
                "onefold_stage_duration_seconds",
                "One stage of a micro-batch: prepare, resolve, or commit.",
                SHORT,
                &["stage"],
            ),
            publish_duration: on.histogram(
                "onefold_publish_duration_seconds",
                "Publishing to all tables what was committed since the last time.",
                LONG,
            ),
            publish_failures: on.counter(
                "onefold_publish_failures_total",
                "How often the tables' store was away when it was to be published.",
            ),
            rows_published: on.counters(
                "onefold_rows_published_total",
                "Rows written to a table.",
                &["table"],
            ),
            judgements: on
                .counter("onefold_judgements_taken_total", "Judgements taken into the state."),
            letters: Letters::new(&mut on),
            topics: Topics::new(&mut on),
            vacuum: VacuumCounters::new(&mut on),
            erasures: ErasureCounters::new(&mut on),
            work: Work::new(&mut on),
            http_requests: http_requests(&mut on),
            gauges: Gauges::new(&mut on),
            registry: on.registry,
            specs: on.specs,
        }
    }
}

fn http_requests(on: &mut Shelf) -> IntCounterVec {
    let name = "onefold_http_requests_total";
    on.counters(name, "Requests to this endpoint.", &["path", "status"])
}

impl Metrics {
    /// All metrics, by name.
    pub fn specs(&self) -> Vec<Spec> {
        let mut specs = self.specs.clone();
        specs.sort_by_key(|spec| spec.name);
        specs
    }

    /// Messages came from a source.
    pub fn came(&self, source: &str, count: u64) {
        self.source_messages.with_label_values(&[source]).inc_by(count);
    }

    /// A broker did not take a source's offsets.
    pub fn not_acknowledged(&self, source: &str, count: u64) {
        self.uncommitted_offsets.with_label_values(&[source]).inc_by(count);
    }

    /// How long a stage of a micro-batch took.
    pub(super) fn took(&self, stage: Stage, duration: Duration) {
        self.stage_duration.with_label_values(&[stage.name()]).observe(duration.as_secs_f64());
    }

    /// How much work matching was.
    pub fn matched(&self, work: Matching) {
        self.work.add(work);
    }

    /// Counts an answer; `path` is one of those that are served, or a word for all others.
    pub fn answered(&self, path: &'static str, status: u16) {
        self.http_requests.with_label_values(&[path, &status.to_string()]).inc();
    }

    /// All metrics in Prometheus' text format, as of now.
    pub(super) fn text(&self, facts: &Facts, pulse: &Pulse) -> Result<String> {
        self.gauges.set(facts, pulse);
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.context(Kind::Internal, "write the metrics")
    }
}

/// A count as a measure.
#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
