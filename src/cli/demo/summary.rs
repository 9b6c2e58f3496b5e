//! What did the demo show? The words at its end.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result as Written};
use std::path::Path;
use std::time::Duration;

use crate::cli::output::{bytes, number};
use crate::cli::settings;
use crate::config;
use crate::demo::{Channel, KeptApart, SharedKind, Stream, kept_apart};
use crate::error::Result;
use crate::evaluate::{Scores, TruthKind, score};
use crate::pipeline::{PublishedTables, Report};

/// What a demo came to, as its last words.
pub(super) struct Summary<'a> {
    report: &'a Report,
    people: u64,
    scores: Scores,
    apart: BTreeMap<SharedKind, KeptApart>,
    example: Example,
    pipeline: &'a Path,
    took: Duration,
}

impl<'a> Summary<'a> {
    /// Compares what was published with what the stream knows to be true.
    pub(super) fn of(
        pipeline: &'a Path,
        stream: &Stream,
        report: &'a Report,
        took: Duration,
    ) -> Result<Self> {
        let plan = config::load(pipeline, &|_| None)?;
        let tables = PublishedTables::open(&plan.publish, settings(&plan))?;
        let found = tables.identities(TruthKind::Events)?;
        let by_event: BTreeMap<&str, &str> =
            found.iter().map(|(event, identity)| (event.as_str(), identity.as_str())).collect();
        Ok(Self {
            report,
            people: stream.people as u64,
            scores: score(&found, &stream.truth),
            apart: kept_apart(&stream.shared, &stream.truth, |event| by_event.get(event).copied()),
            example: Example::of(stream, &by_event),
            pipeline,
            took,
        })
    }

    fn counts(&self, f: &mut Formatter<'_>) -> Written {
        let counters = self.report.counters;
        let mut line = |label: &str, count: u64, remark: &str| {
            let text = format!("{label:<22}{:>9}  {remark}", number(count));
            writeln!(f, "{}", text.trim_end())
        };
        line("Events read", counters.read, "")?;
        line("  delivered twice", counters.duplicate, "counted once")?;
        line("  unusable", counters.dead_lettered, "kept in dead_letters")?;
        let records = self.report.records;
        line("Records", records, "different ways in which customers showed up")?;
        let people = format!(
            "for {} people: browsers and sales that never said whose they are count too",
            number(self.people)
        );
        line("Customers found", self.report.identities, &people)?;
        line("Duplicates merged", records.saturating_sub(self.report.identities), "")?;
        let kept = self.apart.values().map(|count| count.kept_apart as u64).sum();
        let shared = self.apart.values().map(|count| count.identifiers as u64).sum();
        let shared = format!("of {} kept their people apart:", number(shared));
        line("Shared identifiers", kept, &shared)?;
        for (kind, count) in &self.apart {
            let label = format!("  {}", kind.label());
            line(&label, count.kept_apart as u64, &format!("of {}", count.identifiers))?;
        }
        Ok(())
    }

    fn next_steps(&self, f: &mut Formatter<'_>) -> Written {
        let (folder, pipeline) = (self.pipeline.with_file_name("tables"), self.pipeline.display());
        let Example { identity, events: [left, right] } = &self.example;
        let onefold = std::env::args().next().unwrap_or_else(|| "onefold".into());
        writeln!(f, "Try next:")?;
        writeln!(
            f,
            "  duckdb -c \"INSTALL delta; LOAD delta; SELECT given_name, surname, events, \
             len(emails) AS emails FROM delta_scan('{}/profiles') WHERE known \
             ORDER BY events DESC LIMIT 5\"",
            folder.display()
        )?;
        writeln!(f, "  {onefold} lookup {pipeline} --id {identity}")?;
        write!(f, "  {onefold} why {pipeline} {left} {right}")
    }
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        writeln!(f)?;
        self.counts(f)?;
        let events = number(self.scores.records as u64);
        writeln!(f, "\nAgainst the truth, over {events} events:\n{}", self.scores)?;
        let folder = self.pipeline.with_file_name("tables");
        let (folder, size) = (folder.display(), bytes(self.report.tables.1));
        writeln!(f, "Tables in {folder} ({size}), after {:.0} s.\n", self.took.as_secs_f64())?;
        self.next_steps(f)
    }
}

/// A customer worth looking at, and two of their events.
struct Example {
    identity: String,
    events: [String; 2],
}

impl Example {
    /// The first customer in the stream who gave a name and an e-mail in one channel, and again in another.
    fn of(stream: &Stream, by_event: &BTreeMap<&str, &str>) -> Self {
        let mut first: BTreeMap<&str, (&str, Channel)> = BTreeMap::new();
        for line in &stream.lines {
            let event = line.event_id.as_str();
            if !["name\":\"", "email\":\""].iter().all(|field| line.text.contains(field)) {
                continue;
            }
            let Some(identity) = by_event.get(event).copied() else { continue };
            let (other, channel) = *first.entry(identity).or_insert((event, line.channel));
            if channel != line.channel {
                return Self { identity: identity.into(), events: [other.into(), event.into()] };
            }
        }
        Self { identity: "IDENTITY".into(), events: ["EVENT".into(), "EVENT".into()] }
    }
}
