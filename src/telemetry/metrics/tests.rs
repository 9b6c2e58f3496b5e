//! The list of metrics, and what is told of a job.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::*;
use crate::contract::assert_is_current;
use crate::record::Reason;
use crate::telemetry::{
    BatchCommitted, PipelineStarted, PublishDelayed, RecordsRejected, SourceRecovered,
    SourceUnavailable, StateOpened, TablesPublished, Telemetry,
};

fn page() -> String {
    let mut page = "# Metrics\n\n\
        What `/metrics` tells, in Prometheus' text format. Names, types, units and labels are a contract: one may be added;\n\
        renaming or removing one, or changing what it means, is a new contract and says so here. Labels hold names of\n\
        sources, partitions of topics and words of the program, never a personal value.\n\n\
        Generated from the code and compared with it by a test; `ONEFOLD_RENEW=1 cargo test --lib is_current` writes it anew.\n\n\
        | Metric | Type | Unit | Labels | Meaning |\n|---|---|---|---|---|\n"
        .to_owned();
    for spec in Metrics::default().specs() {
        let labels: Vec<String> = spec.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, unit) = (spec.name, spec.kind, spec.unit().unwrap_or_default());
        writeln!(page, "| `{name}` | {kind} | {unit} | {} | {} |", labels.join(", "), spec.help)
            .expect("texts take all");
    }
    page
}

#[test]
fn the_list_of_metrics_is_current() {
    assert_is_current("schemas/metrics.md", &page());
}

#[test]
fn names_follow_the_convention() {
    let legal = |c: char| c.is_ascii_lowercase() || c == '_';
    for spec in Metrics::default().specs() {
        assert!(spec.name.starts_with("onefold_"), "{spec:?}");
        assert!(spec.name.chars().all(legal), "{spec:?}");
        assert_eq!(spec.kind == "counter", spec.name.ends_with("_total"), "{spec:?}");
        assert!(spec.help.ends_with('.'), "{spec:?}");
        assert!(spec.labels.iter().all(|label| label.chars().all(legal)), "{spec:?}");
    }
}

/// The values of what is told, by name and labels.
fn values(telemetry: &Telemetry) -> BTreeMap<String, f64> {
    let text = telemetry.scrape().expect("it can be told");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    samples.map(sample).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn events_feed_their_metrics() {
    let telemetry = Telemetry::default();
    let error = crate::error::Error::unavailable("poll");
    PipelineStarted { pipeline: "retail", sources: 2, publish_url: "out" }.emit(&telemetry);
    StateOpened { sequence: 7, published: 6, epoch: 2, duration: SECOND }.emit(&telemetry);
    for _ in 0..2 {
        let (read, resolved, duplicate, dead_lettered) = (6, 3, 2, 1);
        BatchCommitted { sequence: 8, read, resolved, duplicate, dead_lettered, duration: SECOND }
            .emit(&telemetry);
        RecordsRejected { source: "web", reason: Reason::BadTime, count: 1 }.emit(&telemetry);
    }
    SourceUnavailable { source: "web", retry_in: SECOND, error: &error }.emit(&telemetry);
    SourceUnavailable { source: "app", retry_in: SECOND, error: &error }.emit(&telemetry);
    SourceRecovered { source: "app", attempts: 1 }.emit(&telemetry);
    PublishDelayed { sequence: 8, attempt: 1, retry_in: SECOND, error: &error }.emit(&telemetry);
    let (profiles, mappings, changes, interactions, dead_letters) = (1, 2, 3, 4, 5);
    let rows = TablesPublished {
        sequence: 8,
        profiles,
        mappings,
        changes,
        interactions,
        dead_letters,
        duration: SECOND,
    };
    rows.emit(&telemetry);
    let values = values(&telemetry);
    for (name, expected) in [
        ("onefold_messages_read_total", 12.0),
        ("onefold_events_resolved_total", 6.0),
        ("onefold_events_duplicate_total", 4.0),
        (r#"onefold_messages_dead_lettered_total{reason="bad_time",source="web"}"#, 2.0),
        ("onefold_batch_duration_seconds_sum", 2.0),
        ("onefold_batch_duration_seconds_count", 2.0),
        ("onefold_publish_duration_seconds_count", 1.0),
        ("onefold_publish_failures_total", 1.0),
        (r#"onefold_rows_published_total{table="interactions"}"#, 4.0),
        (r#"onefold_source_outages_total{source="app"}"#, 1.0),
        (r#"onefold_source_unavailable{source="app"}"#, 0.0),
        (r#"onefold_source_unavailable{source="web"}"#, 1.0),
        (r#"onefold_pipeline_info{pipeline="retail"}"#, 1.0),
        ("onefold_commit_sequence", 8.0),
        ("onefold_published_sequence", 8.0),
        ("onefold_writer_epoch", 2.0),
        ("onefold_ready", 0.0),
    ] {
        assert_eq!(values.get(name), Some(&expected), "{name}");
    }
}

#[test]
fn what_is_measured_is_told() {
    let telemetry = Telemetry::default();
    telemetry.took(Stage::Commit, SECOND);
    telemetry.metrics().came("web", 9);
    telemetry.metrics().answered("/health", 200);
    telemetry.metrics().matched(Matching {
        events: 4,
        candidates: 20,
        components: 3,
        component_pairs: 7,
        largest_component: 5,
    });
    let hour_ago = crate::clock::now_micros() - 3_600_000_000;
    telemetry.note(|facts| facts.source("web").newest_event = Some(hour_ago));
    telemetry.metrics().not_acknowledged("web", 2);
    telemetry.source_lag("web", [("web/0", 5), ("web/1", 0)].map(|(p, n)| (p.into(), n)).into());
    let first = values(&telemetry);
    for (name, expected) in [
        (r#"onefold_stage_duration_seconds_sum{stage="commit"}"#, 1.0),
        (r#"onefold_source_messages_total{source="web"}"#, 9.0),
        (r#"onefold_http_requests_total{path="/health",status="200"}"#, 1.0),
        ("onefold_candidate_pairs_total", 20.0),
        ("onefold_candidates_per_record_sum", 5.0),
        ("onefold_components_decided_total", 3.0),
        ("onefold_component_pairs_total", 7.0),
        ("onefold_largest_component_records_sum", 5.0),
        (r#"onefold_source_offset_commits_failed_total{source="web"}"#, 2.0),
        (r#"onefold_source_lag_records{partition="web/0",source="web"}"#, 5.0),
        (r#"onefold_source_lag_records{partition="web/1",source="web"}"#, 0.0),
    ] {
        assert_eq!(first.get(name), Some(&expected), "{name}");
    }
    let age = first[r#"onefold_source_newest_event_age_seconds{source="web"}"#];
    assert!((3600.0..3700.0).contains(&age), "{age}");
    let since = first["onefold_last_commit_age_seconds"];
    assert!((0.0..60.0).contains(&since), "before the first commit, it counts from the start");

    // A partition that went to another is not told of any more.
    telemetry.source_lag("web", [("web/1".to_owned(), 3)].into());
    let then = values(&telemetry);
    assert_eq!(then.get(r#"onefold_source_lag_records{partition="web/0",source="web"}"#), None);
    assert_eq!(then[r#"onefold_source_lag_records{partition="web/1",source="web"}"#], 3.0);
    assert!(
        then["onefold_process_cpu_seconds_total"] >= first["onefold_process_cpu_seconds_total"]
    );
    assert!(then["onefold_process_resident_memory_bytes"] > 0.0);
}
