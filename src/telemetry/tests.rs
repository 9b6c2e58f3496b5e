//! Every event as the line that it becomes.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::logging::{default_filter, read_filter, subscriber};
use super::*;
use crate::error::{Error, Kind};
use crate::record::Reason;

pub(crate) mod list;

use list::described;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no thread panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn logged(format: Format, filter: tracing_subscriber::EnvFilter, emit: impl FnOnce()) -> String {
    let lines = Lines::default();
    let subscriber = subscriber(format, filter, false, lines.clone());
    tracing::subscriber::with_default(subscriber, emit);
    let bytes = lines.0.lock().expect("no thread panicked").clone();
    String::from_utf8(bytes).expect("log lines are UTF-8")
}

#[track_caller]
fn check(emit: impl FnOnce(), expected: Value) {
    let line = logged(Format::Json, default_filter(Level::Trace), emit);
    let mut line: Value = serde_json::from_str(&line).expect("one JSON object");
    let timestamp = line.as_object_mut().and_then(|object| object.remove("timestamp"));
    assert!(timestamp.is_some_and(|t| t.as_str().is_some_and(|t| t.ends_with('Z'))));
    // The name is that of the type.
    let event = line.as_object_mut().and_then(|object| object.remove("event"));
    assert!(event.is_some_and(|name| described().iter().any(|it| it.name == name)));
    assert_eq!(line, expected);
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_life_of_a_pipeline() {
    check(
        || {
            PipelineStarted { pipeline: "retail", sources: 2, publish_url: "s3://b/t" }
                .emit(&Telemetry::default())
        },
        json!({"level": "INFO", "message": "pipeline started", "pipeline": "retail", "sources": 2,
            "publish_url": "s3://b/t"}),
    );
    let stopped = PipelineStopped {
        pipeline: "retail",
        cause: StopCause::Drained,
        sequence: 9,
        published: 8,
        duration: SECOND,
    };
    check(
        || stopped.emit(&Telemetry::default()),
        json!({"level": "INFO", "message": "pipeline stopped", "pipeline": "retail",
            "cause": "drained", "sequence": 9, "published": 8, "duration_ms": 1000}),
    );
    let progressed = PipelineProgressed {
        read: 6,
        resolved: 3,
        duplicate: 2,
        dead_lettered: 1,
        identities: 2,
        waiting: 4,
    };
    check(
        || progressed.emit(),
        json!({"level": "INFO", "message": "pipeline progressed", "read": 6, "resolved": 3,
            "duplicate": 2, "dead_lettered": 1, "identities": 2, "waiting": 4}),
    );
    let error = Error::data("row is damaged").context("open state");
    check(
        || CommandFailed { error: &error }.emit(),
        json!({"level": "ERROR", "message": "command failed", "kind": "Data",
            "error": "open state: row is damaged"}),
    );
    check(
        || HttpListening { address: "127.0.0.1:9187", tls: false }.emit(),
        json!({"level": "INFO", "message": "http listening", "address": "127.0.0.1:9187",
            "tls": false}),
    );
    let location = "src/a.rs:1:2";
    check(
        || ThreadPanicked { thread: "main", location, backtrace: "" }.emit(),
        json!({"level": "ERROR", "message": "thread panicked", "thread": "main",
            "location": "src/a.rs:1:2", "backtrace": ""}),
    );
    check(
        || ShutdownRequested { signal: "SIGTERM", timeout: SECOND }.emit(&Telemetry::default()),
        json!({"level": "INFO", "message": "shutdown requested", "signal": "SIGTERM",
            "timeout_ms": 1000}),
    );
}

#[test]
fn the_state() {
    check(
        || {
            StateOpened { sequence: 7, published: 6, epoch: 2, duration: SECOND }
                .emit(&Telemetry::default())
        },
        json!({"level": "INFO", "message": "state opened", "sequence": 7, "published": 6,
            "epoch": 2, "duration_ms": 1000}),
    );
    check(
        || {
            IndexBuilt { records: 3, corrected: 0, was_kept: true, duration: SECOND }
                .emit(&Telemetry::default())
        },
        json!({
            "level": "INFO", "message": "index built", "records": 3, "corrected": 0,
            "was_kept": true,
            "duration_ms": 1000,
        }),
    );
    let error = Error::data("it is damaged");
    check(
        || IndexNotKept { error: &error }.emit(),
        json!({"level": "WARN", "message": "index not kept: the next start takes longer",
            "error": "it is damaged"}),
    );
    check(
        || IndexNotRead { error: &error }.emit(),
        json!({"level": "WARN", "message": "index not read: it is made anew of the records",
            "error": "it is damaged"}),
    );
    check(
        || ModelTrained { records: 300, customers: 100, duration: SECOND }.emit(),
        json!({"level": "INFO", "message": "model trained", "records": 300, "customers": 100,
            "duration_ms": 1000}),
    );
    check(
        || ModelBuiltIn { records: 3, reason: "too_few_records" }.emit(),
        json!({"level": "INFO", "message": "model built in", "records": 3,
            "reason": "too_few_records"}),
    );
    let taken = JudgementsTaken { sequence: 7, judgements: 3, changes: 1, duration: SECOND };
    check(
        || taken.emit(&Telemetry::default()),
        json!({"level": "INFO", "message": "judgements taken", "sequence": 7, "judgements": 3,
            "changes": 1, "duration_ms": 1000}),
    );
    let batch = BatchCommitted {
        sequence: 7,
        read: 6,
        resolved: 3,
        duplicate: 2,
        dead_lettered: 1,
        duration: SECOND,
    };
    check(
        || batch.emit(&Telemetry::default()),
        json!({"level": "DEBUG", "message": "batch committed", "sequence": 7, "read": 6,
            "resolved": 3, "duplicate": 2, "dead_lettered": 1, "duration_ms": 1000}),
    );
}

#[test]
fn the_sources() {
    check(
        || {
            SourceResumed { source: "web", partition: "web/0", next_offset: 42 }
                .emit(&Telemetry::default())
        },
        json!({"level": "INFO", "message": "source resumed", "source": "web",
            "partition": "web/0", "next_offset": 42}),
    );
    check(
        || SourceFinished { source: "web", read: 5 }.emit(&Telemetry::default()),
        json!({"level": "INFO", "message": "source finished", "source": "web", "read": 5}),
    );
    let error = Error::unavailable("poll");
    let unavailable = SourceUnavailable { source: "web", retry_in: SECOND, error: &error };
    check(
        || unavailable.emit(&Telemetry::default()),
        json!({"level": "WARN", "message": "source unavailable", "source": "web",
            "retry_in_ms": 1000, "error": "poll"}),
    );
    check(
        || SourceRecovered { source: "web", attempts: 2 }.emit(&Telemetry::default()),
        json!({"level": "INFO", "message": "source recovered", "source": "web", "attempts": 2}),
    );
    check(
        || OffsetsNotAcknowledged { source: "web", error: &error }.emit(),
        json!({"level": "DEBUG", "message": "offsets not acknowledged", "source": "web",
            "error": "poll"}),
    );
    check(
        || OffsetsRefused { source: "web", group: "g", error: &error }.emit(),
        json!({"level": "WARN", "source": "web", "group": "g", "error": "poll",
            "message": "offsets refused: choose a `group` that no other consumer has"}),
    );
    check(
        || {
            RecordsRejected { source: "web", reason: Reason::BadTime, count: 4 }
                .emit(&Telemetry::default())
        },
        json!({"level": "WARN", "message": "records rejected", "source": "web",
            "reason": "bad_time", "count": 4}),
    );
}

#[test]
fn the_tables() {
    let published = TablesPublished {
        sequence: 7,
        profiles: 1,
        mappings: 2,
        changes: 3,
        interactions: 4,
        dead_letters: 5,
        duration: SECOND,
    };
    check(
        || published.emit(&Telemetry::default()),
        json!({"level": "INFO", "message": "tables published", "sequence": 7, "profiles": 1,
            "mappings": 2, "changes": 3, "interactions": 4,
            "dead_letters": 5, "duration_ms": 1000}),
    );
    let error = Error::unavailable("put log entry");
    check(
        || {
            PublishDelayed { sequence: 7, attempt: 1, retry_in: SECOND, error: &error }
                .emit(&Telemetry::default())
        },
        json!({"level": "WARN", "message": "publish delayed", "sequence": 7, "attempt": 1,
            "retry_in_ms": 1000, "error": "put log entry"}),
    );
    check(
        || CheckpointNotWritten { table: "profiles", version: 9, error: &error }.emit(),
        json!({"level": "WARN", "message": "checkpoint not written", "table": "profiles",
            "version": 9, "error": "put log entry"}),
    );
    check(
        || PublishHeldBack { sequence: 7 }.emit(),
        json!({"level": "WARN", "sequence": 7,
            "message": "publish held back until all is read"}),
    );
    let (carried, created, merged, split) = (4, 3, 2, 1);
    let carried =
        IdentitiesCarried { sequence: 7, carried, created, merged, split, duration: SECOND };
    check(
        || carried.emit(),
        json!({"level": "INFO", "message": "identities carried over", "sequence": 7, "carried": 4,
            "created": 3, "merged": 2, "split": 1, "duration_ms": 1000}),
    );
    let rematched = RecordsRematched {
        sequence: 7,
        records: 4,
        moved: 3,
        identities: 2,
        component_pairs: 9,
        duration: SECOND,
    };
    check(
        || rematched.emit(),
        json!({"level": "INFO", "message": "records matched again", "sequence": 7, "records": 4,
            "moved": 3, "identities": 2, "component_pairs": 9, "duration_ms": 1000}),
    );
}

fn finished() {
    SourceFinished { source: "web", read: 5 }.emit(&Telemetry::default());
}

#[test]
fn text_lines_are_for_people() {
    let line = logged(Format::Text, default_filter(Level::Info), finished);
    assert!(line.ends_with(" INFO source finished source=\"web\" read=5\n"), "{line}");
}

#[test]
fn the_level_bounds_what_is_logged() {
    let library = || tracing::info!(target: "object_store", "chatter");
    assert_eq!(logged(Format::Text, default_filter(Level::Info), library), "");
    assert_eq!(logged(Format::Text, default_filter(Level::Warn), finished), "");
    let filter = || read_filter("onefold=error,object_store=info").expect("a filter");
    assert_eq!(logged(Format::Text, filter(), finished), "");
    assert!(logged(Format::Text, filter(), library).contains("chatter"));
    assert_eq!(read_filter("onefold=loud").expect_err("no level").kind(), Kind::Invalid);
}

#[test]
fn events_of_libraries_say_where_they_come_from() {
    let library = || tracing::info!(target: "object_store", size = 3, level = "low", message = "own", "chatter");
    let line = logged(Format::Json, read_filter("info").expect("a filter"), library);
    let mut line: Value = serde_json::from_str(&line).expect("one JSON object");
    line.as_object_mut().and_then(|object| object.remove("timestamp"));
    let expected = json!({"level": "INFO", "target": "object_store", "message": "chatter", "size": 3,
        "level_": "low", "message_": "own"});
    assert_eq!(line, expected);
}

#[test]
fn names_are_read() {
    assert_eq!("json".parse::<Format>().expect("a format"), Format::Json);
    assert_eq!("xml".parse::<Format>().expect_err("no format").kind(), Kind::Invalid);
    assert_eq!("debug".parse::<Level>().expect("a level"), Level::Debug);
    assert_eq!("loud".parse::<Level>().expect_err("no level").kind(), Kind::Invalid);
}

#[test]
fn logging_begins_once() {
    // Whoever was the first in this process, a second time is refused.
    init_logging(Format::Text, Level::Error).ok();
    let second = init_logging(Format::Text, Level::Error);
    assert_eq!(second.expect_err("the second").kind(), Kind::Internal);
}

#[test]
fn customers_on_the_way_to_their_topics() {
    let telemetry = Telemetry::default();
    let of = "profiles";
    check(
        || TopicDelivered { of, messages: 5, omitted: 1 }.emit(&telemetry),
        json!({"level": "DEBUG", "message": "messages delivered to topic", "of": of, "messages": 5,
            "omitted": 1}),
    );
    let error = Error::unavailable("ask `h:1` for topic `customers`");
    check(
        || TopicDelayed { of, retry_in: SECOND, error: &error }.emit(),
        json!({"level": "WARN", "message": "messages to topic delayed", "of": of,
            "retry_in_ms": 1000, "error": "ask `h:1` for topic `customers`"}),
    );
    check(
        || TopicResumed { of, attempts: 3 }.emit(),
        json!({"level": "INFO", "message": "messages to topic resumed", "of": of, "attempts": 3}),
    );
    check(
        || TopicLeft { of, waiting: 7 }.emit(),
        json!({"level": "WARN", "message": "messages to topic left for the next start", "of": of,
            "waiting": 7}),
    );
    check(
        || TopicForgotten { waited: 7 }.emit(),
        json!({"level": "WARN", "message": "what waited is for no topic any more", "waited": 7}),
    );
    telemetry.topic_failed(of);
    telemetry.note(|facts| {
        facts.topics_waiting.insert(of, 2);
    });
    let text = telemetry.scrape().expect("it can be told");
    for (name, count) in
        [("delivered_total", 5), ("omitted_total", 1), ("failures_total", 1), ("waiting", 2)]
    {
        let sample = format!("onefold_publish_topic_{name}{{of=\"profiles\"}} {count}");
        assert!(text.lines().any(|line| line == sample), "{sample}");
    }
}

#[test]
fn dead_letters_on_the_way_to_their_topic() {
    let telemetry = Telemetry::default();
    check(
        || LettersDelivered { letters: 5, omitted: 1 }.emit(&telemetry),
        json!({"level": "DEBUG", "message": "dead letters delivered", "letters": 5, "omitted": 1}),
    );
    let error = Error::unavailable("ask `h:1` for topic `letters`");
    check(
        || LettersDelayed { retry_in: SECOND, error: &error }.emit(),
        json!({"level": "WARN", "message": "dead letters delayed", "retry_in_ms": 1000,
            "error": "ask `h:1` for topic `letters`"}),
    );
    check(
        || LettersResumed { attempts: 3 }.emit(),
        json!({"level": "INFO", "message": "dead letters resumed", "attempts": 3}),
    );
    check(
        || LettersLeft { waiting: 7 }.emit(),
        json!({"level": "WARN", "message": "dead letters left for the next start", "waiting": 7}),
    );
    check(
        || LettersForgotten { waited: 7 }.emit(),
        json!({"level": "WARN", "message": "dead letters are for no topic any more", "waited": 7}),
    );
    telemetry.letters_failed();
    telemetry.note(|facts| facts.letters_waiting = 2);
    let text = telemetry.scrape().expect("it can be told");
    for sample in ["delivered_total 5", "omitted_total 1", "failures_total 1", "waiting 2"] {
        let sample = format!("onefold_dead_letter_topic_{sample}");
        assert!(text.lines().any(|line| line == sample), "{sample}");
    }
}
