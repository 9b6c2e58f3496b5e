//! `onefold demo`: all of it, on made-up customers.

mod summary;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;

use self::summary::Summary;
use super::output;
use super::progress::Display;
use crate::clock::Stopwatch;
use crate::config;
use crate::demo::broker::{Broker, feed, partitions_for};
use crate::demo::{self, Stream, generate};
use crate::error::{Context, Error, Kind, Result};
use crate::pipeline::{Ending, Job, Options, Report, Stop};

/// Show what Onefold does: made-up customers through a Kafka broker in this process into tables.
///
/// Makes the history of a few thousand customers in four channels, with all that makes such data
/// hard, streams it through the same job that `onefold run` is, publishes tables, and scores the
/// result against the truth.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many customers.
    #[arg(long, default_value_t = 3_000, value_parser = customers())]
    customers: u32,

    /// Which made-up history.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Where tables, state, the pipeline file and the truth go; an earlier demo there is replaced.
    #[arg(long, default_value = "./onefold-demo", value_name = "FOLDER")]
    out: PathBuf,

    /// Only write the made-up events and the truth about them to this folder, as files.
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    only_events: Option<PathBuf>,
}

fn customers() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(10..=200_000)
}

/// The shipped pipeline; the demo is what it reads.
const PIPELINE: &str = include_str!("../../../pipelines/events-kafka.toml");
const PIPELINE_FILE: &str = "pipeline.toml";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let clock = Stopwatch::start();
    let settings = demo::Settings {
        customers: arguments.customers,
        seed: arguments.seed,
        ..demo::Settings::default()
    };
    if let Some(folder) = &arguments.only_events {
        fs::create_dir_all(folder)
            .context(Kind::Unavailable, format!("make folder {}", folder.display()))?;
        generate(&settings).write_to(folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    prepare_folder(&arguments.out)?;
    output::complain("making up customers …");
    let stream = generate(&settings);
    stream.write_to(&arguments.out.join("events"))?;
    output::complain("starting a Kafka broker in this process …");
    let topics = demo::Channel::ALL.map(demo::Channel::name);
    let broker = Broker::start(&topics, partitions_for(&stream))?;
    let pipeline = write_pipeline(&arguments.out, &broker)?;
    let report = resolve(&pipeline, &broker, &stream)?;
    let summary = Summary::of(&pipeline, &stream, &report, clock.elapsed())?;
    output::say(&summary.to_string())?;
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

/// Writes the shipped pipeline with its variables filled in, so that `lookup` and `why` work
/// afterwards.
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
