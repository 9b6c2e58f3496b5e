//! `onefold demo`: all of it, on made-up customers.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output::{bytes, number};
use super::progress::Display;
use super::{output, settings};
use crate::clock::Stopwatch;
use crate::config;
use crate::demo::broker::{Broker, feed, partitions_for};
use crate::demo::{self, KeptApart, SharedKind, Stream, generate, kept_apart};
use crate::error::{Context, Error, Kind, Result};
use crate::evaluate::{Scores, TruthKind, score};
use crate::pipeline::{Ending, Job, Options, PublishedTables, Report, Stop};

/// Show what Onefold does: made-up customers through a Kafka broker in this process into tables.
///
/// Makes the history of a few thousand customers in four channels, with all that makes such data hard, streams it
/// through the same job that `onefold run` is, publishes tables, and scores the result against the truth.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many customers.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(10..=50_000))]
    customers: u32,

    /// Which made-up history.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Where tables, state, the pipeline file and the truth go; an earlier demo there is replaced.
    #[arg(long, default_value = "./onefold-demo", value_name = "FOLDER")]
    out: PathBuf,
}

/// The shipped pipeline; the demo is what it reads.
const PIPELINE: &str = include_str!("../../pipelines/events-kafka.toml");
const PIPELINE_FILE: &str = "pipeline.toml";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let clock = Stopwatch::start();
    prepare_folder(&arguments.out)?;
    output::complain("making up customers …");
    let settings = demo::Settings {
        customers: arguments.customers,
        seed: arguments.seed,
        ..demo::Settings::default()
    };
    let stream = generate(&settings);
    stream.write_to(&arguments.out.join("events"))?;
    output::complain("starting a Kafka broker in this process …");
    let topics = demo::Channel::ALL.map(demo::Channel::name);
    let broker = Broker::start(&topics, partitions_for(&stream))?;
    let pipeline = write_pipeline(&arguments.out, &broker)?;
    let report = resolve(&pipeline, &broker, &stream)?;
    let summary = summary(&pipeline, &stream, &report, clock)?;
    output::say(&summary)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder, in the place of an earlier demo; whatever else is there is left alone.
fn prepare_folder(out: &Path) -> Result<()> {
    let name = out.display();
    if out.join(PIPELINE_FILE).exists() && out.join("events").exists() {
        fs::remove_dir_all(out)
            .context(Kind::Unavailable, format!("remove the earlier demo in {name}"))?;
    }
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::invalid(format!(
            "--out {name}: there is something else in that folder: name another, or an empty one"
        )));
    }
    fs::create_dir_all(out.join("events")).context(Kind::Unavailable, format!("make folder {name}"))
}

/// Writes the shipped pipeline with its variables filled in, so that `lookup` and `why` work afterwards.
fn write_pipeline(out: &Path, broker: &Broker) -> Result<PathBuf> {
    let place = |name: &str| out.join(name).display().to_string().replace('\\', "/");
    let text = PIPELINE
        .replace("${KAFKA_BROKERS}", broker.bootstrap_servers())
        .replace("${STATE:-./state}", &place("state"))
        .replace("${OUT:-./out}", &place("tables"))
        // An empty fetch of the broker in this process waits its whole time out.
        .replace(
            "group = \"onefold-retail\"",
            "group = \"demo\", options = { \"fetch.wait.max.ms\" = \"10\" }",
        );
    let path = out.join(PIPELINE_FILE);
    fs::write(&path, text).context(Kind::Unavailable, "write the demo's pipeline file")?;
    Ok(path)
}

/// Streams the history through the job, while a thread feeds the broker.
fn resolve(pipeline: &Path, broker: &Broker, stream: &Stream) -> Result<Report> {
    let plan = config::load(pipeline, &|_| None)?;
    let lines = stream.lines.len() as u64;
    let stop = Stop::default();
    let mut display = Display::start(Some(lines));
    let ran = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| {
            let fed = feed(broker, stream, &mut |_| {});
            if fed.is_err() {
                stop.ask();
            }
            fed
        });
        let options = Options { ending: Ending::Exhausted, interim: true };
        let ran = Job::open(plan).and_then(|mut job| {
            job.run(options, &stop, &mut |progress| {
                display.show(progress);
                if progress.counters.read >= lines {
                    stop.ask();
                }
            })
        });
        let fed = feeding.join().map_err(|_| Error::internal("the feeding thread panicked"));
        fed.flatten().and(ran)
    });
    display.finish();
    ran
}

fn summary(pipeline: &Path, stream: &Stream, report: &Report, clock: Stopwatch) -> Result<String> {
    let plan = config::load(pipeline, &|_| None)?;
    let tables = PublishedTables::open(&plan.publish, settings(&plan))?;
    let found = tables.identities(TruthKind::Events)?;
    let scores = score(&found, &stream.truth);
    let by_event: std::collections::BTreeMap<&str, &str> =
        found.iter().map(|(event, identity)| (event.as_str(), identity.as_str())).collect();
    let apart = kept_apart(&stream.shared, &stream.truth, |event| by_event.get(event).copied());
    let mut text = String::new();
    let filled = fill(&mut text, pipeline, stream, report, &scores, apart, clock, &by_event);
    filled.context(Kind::Internal, "write the summary")?;
    Ok(text)
}

#[expect(clippy::too_many_arguments, reason = "a summary has many parts, each used once")]
fn fill(
    text: &mut String,
    pipeline: &Path,
    stream: &Stream,
    report: &Report,
    scores: &Scores,
    apart: std::collections::BTreeMap<SharedKind, KeptApart>,
    clock: Stopwatch,
    by_event: &std::collections::BTreeMap<&str, &str>,
) -> std::fmt::Result {
    let counters = report.counters;
    writeln!(text)?;
    writeln!(text, "Events read           {:>9}", number(counters.read))?;
    writeln!(text, "  delivered twice     {:>9}  counted once", number(counters.duplicate))?;
    writeln!(
        text,
        "  unusable            {:>9}  kept in dead_letters",
        number(counters.dead_lettered)
    )?;
    writeln!(
        text,
        "Records               {:>9}  different ways in which customers showed up",
        number(report.records)
    )?;
    writeln!(
        text,
        "Customers found       {:>9}  of {} people; some never said who they are",
        number(report.identities),
        number(stream.people as u64)
    )?;
    let merged = report.records.saturating_sub(report.identities);
    writeln!(text, "Duplicates merged     {:>9}", number(merged))?;
    let (kept, shared) = apart.values().fold((0, 0), |(kept, all), count| {
        (kept + count.kept_apart as u64, all + count.identifiers as u64)
    });
    writeln!(
        text,
        "Shared identifiers    {:>9}  of {} kept their people apart:",
        number(kept),
        number(shared)
    )?;
    for (kind, count) in &apart {
        let label = kind.label();
        writeln!(text, "  {label:<22} {:>6}  of {}", count.kept_apart, count.identifiers)?;
    }
    writeln!(
        text,
        "\nAgainst the truth, over {} events:\n{scores}",
        number(scores.records as u64)
    )?;
    let folder = pipeline.with_file_name("tables");
    let folder = folder.display();
    writeln!(
        text,
        "Tables in {folder} ({}), after {:.0} s.\n",
        bytes(report.tables.1),
        clock.elapsed().as_secs_f64()
    )?;
    let example = Example::of(stream, by_event);
    let pipeline = pipeline.display();
    writeln!(text, "Try next:")?;
    writeln!(
        text,
        "  duckdb -c \"INSTALL delta; LOAD delta; SELECT given_name, surname, events, len(emails) AS emails FROM delta_scan('{folder}/profiles') WHERE known ORDER BY events DESC LIMIT 5\""
    )?;
    writeln!(text, "  onefold lookup {pipeline} --id {}", example.identity)?;
    write!(text, "  onefold why {pipeline} {} {}", example.events[0], example.events[1])
}

/// A customer worth looking at, and two of their events.
struct Example<'a> {
    identity: &'a str,
    events: [&'a str; 2],
}

impl<'a> Example<'a> {
    /// The first customer in the truth who was found again in two channels.
    fn of(stream: &'a Stream, by_event: &std::collections::BTreeMap<&'a str, &'a str>) -> Self {
        let mut first: std::collections::BTreeMap<&str, (&str, demo::Channel)> =
            std::collections::BTreeMap::new();
        for line in &stream.lines {
            let event = line.event_id.as_str();
            let Some(identity) = by_event.get(event).copied() else { continue };
            match first.get(identity) {
                Some((other, channel)) if *channel != line.channel => {
                    return Self { identity, events: [other, event] };
                }
                Some(_) => {}
                None => {
                    first.insert(identity, (event, line.channel));
                }
            }
        }
        Self { identity: "IDENTITY", events: ["EVENT", "EVENT"] }
    }
}
