//! How do things stand, at the moment when somebody asks?

use prometheus::{Counter, Gauge, GaugeVec};

use super::erasure::ErasureGauges;
use super::process;
use super::real;
use super::shelf::Shelf;
use crate::telemetry::facts::{Facts, Moment};
use crate::telemetry::pulse::Pulse;

/// Microseconds of a second.
const MICROS: f64 = 1e6;

pub(super) struct Gauges {
    build: GaugeVec,
    pipeline: GaugeVec,
    ready: Gauge,
    beat_age: Gauge,
    sequence: Gauge,
    published: Gauge,
    epoch: Gauge,
    records: Gauge,
    identities: Gauge,
    state_bytes: Gauge,
    paused: Gauge,
    disk_free: Gauge,
    disk_size: Gauge,
    letters_waiting: Gauge,
    topics_waiting: GaugeVec,
    table_files: Gauge,
    table_bytes: Gauge,
    open_duration: Gauge,
    index_duration: Gauge,
    commit: Since,
    publish: Since,
    lag: GaugeVec,
    newest_event: GaugeVec,
    newest_event_age: GaugeVec,
    unavailable: GaugeVec,
    erasures: ErasureGauges,
    process: Process,
}

/// When something was done last.
struct Since {
    timestamp: Gauge,
    age: Gauge,
}

impl Since {
    fn set(&self, moment: Moment) {
        self.timestamp.set(seconds(moment.micros));
        self.age.set(moment.clock.elapsed().as_secs_f64());
    }
}

/// What the operating system says of this process.
struct Process {
    memory: Gauge,
    files: Gauge,
    files_max: Gauge,
    cpu: Counter,
    started: Gauge,
}

impl Process {
    fn new(on: &mut Shelf) -> Self {
        Self {
            memory: on.gauge(
                "onefold_process_resident_memory_bytes",
                "Memory of this process that is in RAM.",
            ),
            files: on.gauge("onefold_process_open_fds", "Files and sockets that are open."),
            files_max: on
                .gauge("onefold_process_max_fds", "How many files and sockets may be open."),
            cpu: on.measure(
                "onefold_process_cpu_seconds_total",
                "Time that this process had of all processors.",
            ),
            started: on.gauge(
                "onefold_process_start_time_seconds",
                "When this process began to work, since 1970 in UTC.",
            ),
        }
    }

    fn set(&self, usage: &process::Usage, started: Moment) {
        self.memory.set(real(usage.memory));
        self.files.set(real(usage.files));
        self.files_max.set(real(usage.files_max));
        self.cpu.inc_by((usage.cpu.as_secs_f64() - self.cpu.get()).max(0.0));
        self.started.set(seconds(started.micros));
    }
}

impl Gauges {
    pub(super) fn new(on: &mut Shelf) -> Self {
        Self {
            build: on.gauges(
                "onefold_build_info",
                "The version that runs; always 1.",
                &["version"],
            ),
            pipeline: on.gauges(
                "onefold_pipeline_info",
                "The pipeline that runs; always 1.",
                &["pipeline"],
            ),
            ready: on.gauge("onefold_ready", "1 where /ready answers 200, else 0."),
            beat_age: on.gauge(
                "onefold_loop_beat_age_seconds",
                "Time since the job's loop last showed that it gets on.",
            ),
            sequence: on.gauge("onefold_commit_sequence", "The last commit."),
            published: on
                .gauge("onefold_published_sequence", "The last commit that is in all tables."),
            epoch: on.gauge("onefold_writer_epoch", "How often the state was taken by a writer."),
            records: on.gauge("onefold_records", "Record nodes."),
            identities: on.gauge("onefold_identities", "Live identities."),
            state_bytes: on
                .gauge("onefold_state_bytes", "The state on disk, as of the last publish."),
            paused: on.gauge(
                "onefold_intake_paused",
                "1 where no messages are taken, for the disk of the state is full, else 0.",
            ),
            disk_free: on
                .gauge("onefold_state_disk_free_bytes", "What is free on the disk of the state."),
            disk_size: on.gauge("onefold_state_disk_size_bytes", "The disk of the state."),
            letters_waiting: on.gauge(
                "onefold_dead_letter_topic_waiting",
                "Dead letters that wait in the state for their topic; 0 where there is none.",
            ),
            topics_waiting: on.gauges(
                "onefold_publish_topic_waiting",
                "Rows that wait in the state for the topic of profiles or changes.",
                &["of"],
            ),
            table_files: on.gauge(
                "onefold_table_files",
                "Files of the published tables, as of the last publish.",
            ),
            table_bytes: on.gauge("onefold_table_bytes", "Bytes of the published tables' files."),
            open_duration: on
                .gauge("onefold_state_open_duration_seconds", "How long opening the state took."),
            index_duration: on.gauge(
                "onefold_index_build_duration_seconds",
                "How long building the index in memory took.",
            ),
            commit: Since {
                timestamp: on.gauge(
                    "onefold_last_commit_timestamp_seconds",
                    "When was last committed, since 1970 in UTC; the start, before the first commit.",
                ),
                age: on.gauge(
                    "onefold_last_commit_age_seconds",
                    "The time since the last commit, or since the start before the first.",
                ),
            },
            publish: Since {
                timestamp: on.gauge(
                    "onefold_last_publish_timestamp_seconds",
                    "When was last published, since 1970 in UTC; the start, before the first.",
                ),
                age: on.gauge(
                    "onefold_last_publish_age_seconds",
                    "The time since tables were last published, or since the start.",
                ),
            },
            lag: on.gauges(
                "onefold_source_lag_records",
                "Messages of a partition that are still to be read.",
                &["source", "partition"],
            ),
            newest_event: on.gauges(
                "onefold_source_newest_event_timestamp_seconds",
                "The latest time of an event in the last micro-batch of a source.",
                &["source"],
            ),
            newest_event_age: on.gauges(
                "onefold_source_newest_event_age_seconds",
                "The time since the latest event in the last micro-batch of a source.",
                &["source"],
            ),
            unavailable: on.gauges(
                "onefold_source_unavailable",
                "1 while a source's broker or store is away, else 0.",
                &["source"],
            ),
            erasures: ErasureGauges::new(on),
            process: Process::new(on),
        }
    }

    pub(super) fn set(&self, facts: &Facts, pulse: &Pulse) {
        self.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        if !facts.pipeline.is_empty() {
            self.pipeline.with_label_values(&[&facts.pipeline]).set(1.0);
        }
        self.ready.set(if pulse.reasons(facts).is_empty() { 1.0 } else { 0.0 });
        self.beat_age.set(pulse.since_beat().as_secs_f64());
        for (gauge, count) in [
            (&self.sequence, facts.sequence),
            (&self.published, facts.published),
            (&self.epoch, facts.epoch),
            (&self.records, facts.records),
            (&self.identities, facts.identities),
            (&self.state_bytes, facts.state_bytes),
            (&self.letters_waiting, facts.letters_waiting),
            (&self.table_files, facts.table_files),
            (&self.table_bytes, facts.table_bytes),
        ] {
            gauge.set(real(count));
        }
        self.open_duration.set(facts.open_duration.as_secs_f64());
        self.index_duration.set(facts.index_duration.as_secs_f64());
        self.commit.set(facts.last_commit.unwrap_or(facts.started));
        self.publish.set(facts.last_publish.unwrap_or(facts.started));
        for (of, waiting) in &facts.topics_waiting {
            self.topics_waiting.with_label_values(&[of]).set(real(*waiting));
        }
        self.set_sources(facts);
        self.erasures.set(facts);
        self.paused.set(f64::from(u8::from(facts.is_paused)));
        if let Some((free, size)) = process::disk_space(&facts.state_path) {
            self.disk_free.set(real(free));
            self.disk_size.set(real(size));
        }
        self.process.set(&process::usage(), facts.started);
    }

    fn set_sources(&self, facts: &Facts) {
        let now = seconds(crate::clock::now_micros());
        // Of a partition whose end is not known any more, nothing is said.
        self.lag.reset();
        for (source, told) in &facts.sources {
            self.unavailable.with_label_values(&[source]).set(if told.away { 1.0 } else { 0.0 });
            for (partition, records) in &told.lag {
                let labels = [source.as_str(), partition.as_str()];
                self.lag.with_label_values(&labels).set(real(*records));
            }
            if let Some(newest) = told.newest_event.map(seconds) {
                self.newest_event.with_label_values(&[source]).set(newest);
                self.newest_event_age.with_label_values(&[source]).set((now - newest).max(0.0));
            }
        }
    }
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
pub(super) fn seconds(micros: i64) -> f64 {
    micros as f64 / MICROS
}
