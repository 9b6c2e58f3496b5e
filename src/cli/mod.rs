//! The command line: one file a subcommand.
//!
//! Exit codes: 0 done, 1 failed, 2 the configuration or an argument is wrong. What was asked for
//! goes to standard output, everything else to standard error: where somebody watches, a progress
//! bar and words; elsewhere log lines, as text or JSON.

mod backfill;
mod check;
mod dead_letter;
mod demo;
mod diff;
mod erase;
mod evaluate;
mod evidence;
mod export_subject;
mod how;
mod import_splink;
mod judge;
mod lookup;
mod output;
mod progress;
mod rematch;
mod review;
mod run;
mod schema;
mod state;
mod status;
mod subject;
mod train;
mod vacuum;
mod why;
mod why_not;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{self, Plan};
use crate::error::{Error, Kind, Result};
use crate::pipeline;
use crate::record::Micros;
use crate::source::Input;
use crate::telemetry::{CommandFailed, Format, Level, hide_in_lines, init_logging, log_panics};

/// Streams of customer events in, one identity per customer and one profile per identity out.
///
/// Onefold reads events from Kafka or files, finds which of them speak of one customer, and
/// publishes unified profiles as Delta Lake tables (Parquet) that DuckDB, Polars and Spark read.
///
/// Start with `onefold demo`, then copy a file of `pipelines/`, point it at your topics, and
/// `onefold check` it.
#[derive(Debug, Parser)]
#[command(name = "onefold", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// How log lines are written to standard error.
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Run(run::Arguments),
    Train(train::Arguments),
    Backfill(backfill::Arguments),
    Check(check::Arguments),
    Schema(schema::Arguments),
    Evaluate(evaluate::Arguments),
    ImportSplink(import_splink::Arguments),
    Lookup(lookup::Arguments),
    Why(why::Arguments),
    WhyNot(why_not::Arguments),
    How(how::Arguments),
    Evidence(evidence::Arguments),
    Diff(diff::Arguments),
    Rematch(rematch::Arguments),
    Review(review::Arguments),
    Judge(judge::Arguments),
    State(state::Arguments),
    Status(status::Arguments),
    Vacuum(vacuum::Arguments),
    DeadLetter(dead_letter::Arguments),
    Erase(erase::Arguments),
    ExportSubject(export_subject::Arguments),
}

impl Command {
    fn run(&self) -> Result<ExitCode> {
        match self {
            Self::Demo(arguments) => demo::run(arguments),
            Self::Run(arguments) => run::run(arguments),
            Self::Train(arguments) => train::run(arguments),
            Self::Backfill(arguments) => backfill::run(arguments),
            Self::Check(arguments) => check::run(arguments),
            Self::Schema(arguments) => schema::run(arguments),
            Self::Evaluate(arguments) => evaluate::run(arguments),
            Self::ImportSplink(arguments) => import_splink::run(arguments),
            Self::Lookup(arguments) => lookup::run(arguments),
            Self::Why(arguments) => why::run(arguments),
            Self::WhyNot(arguments) => why_not::run(arguments),
            Self::How(arguments) => how::run(arguments),
            Self::Evidence(arguments) => evidence::run(arguments),
            Self::Diff(arguments) => diff::run(arguments),
            Self::Rematch(arguments) => rematch::run(arguments),
            Self::Review(arguments) => review::run(arguments),
            Self::Judge(arguments) => judge::run(arguments),
            Self::State(arguments) => state::run(arguments),
            Self::Status(arguments) => status::run(arguments),
            Self::Vacuum(arguments) => vacuum::run(arguments),
            Self::DeadLetter(arguments) => dead_letter::run(arguments),
            Self::Erase(arguments) => erase::run(arguments),
            Self::ExportSubject(arguments) => export_subject::run(arguments),
        }
    }

    /// Which log lines there are, unless `ONEFOLD_LOG` says otherwise: who watches the progress bar
    /// need not read the same in lines.
    fn level(&self) -> Level {
        match self {
            Self::Demo(_) => Level::Error,
            _ if !output::is_watched() => Level::Info,
            _ => Level::Warn,
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let Arguments { command, log_format } = Arguments::parse();
    let format = match log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    log_panics();
    let error = match init_logging(format, command.level()) {
        Err(error) => {
            output::complain(&format!("error: {error}"));
            error
        }
        Ok(()) => match command.run() {
            Ok(code) => return code,
            Err(error) => {
                // Said once, in the form that was asked for.
                match format {
                    Format::Text => {
                        for line in error.to_string().lines() {
                            output::complain(&format!("error: {line}"));
                        }
                    }
                    Format::Json => CommandFailed { error: &error }.emit(),
                }
                error
            }
        },
    };
    if error.kind() == Kind::Invalid { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// The pipeline file of a command.
#[derive(Debug, clap::Args)]
struct PipelineFile {
    /// The pipeline file (TOML).
    #[arg(value_name = "PIPELINE")]
    pipeline: PathBuf,
}

impl PipelineFile {
    fn load(&self) -> Result<Plan> {
        load(&self.pipeline)
    }

    /// For a command that reads no source.
    fn load_without_sources(&self) -> Result<Plan> {
        config::load_without_sources(&self.pipeline, &variable).map(kept_secret)
    }
}

fn load(pipeline: &Path) -> Result<Plan> {
    config::load(pipeline, &variable).map(kept_secret)
}

/// A variable of the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The plan, whose secrets no line will show.
fn kept_secret(plan: Plan) -> Plan {
    let secrets = plan.secrets.clone();
    hide_in_lines(move |text| secrets.hidden_in(text));
    plan
}

/// How numbers without a country are read in what a person types: as in the first source that says
/// so.
fn settings(plan: &Plan) -> crate::normalise::Settings {
    let mut settings = plan.sources.iter().map(|source| &source.normalise);
    settings.find(|settings| settings.default_region.is_some()).cloned().unwrap_or_default()
}

/// A time given with `--at`.
fn time(text: &str) -> Result<Micros> {
    pipeline::time(text)
        .ok_or_else(|| Error::invalid("--at: not a time: write it as 2026-03-01T09:00:00Z"))
}

/// Sets the files of a pipeline's only source, where `input` names some.
fn read_instead(plan: &mut Plan, input: &[String]) -> Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    let [source] = plan.sources.as_mut_slice() else {
        return Err(Error::invalid(
            "--input: the pipeline has several sources: set their files there",
        ));
    };
    let Input::Files(files) = &mut source.input else {
        return Err(Error::invalid("--input: the pipeline's source must be of files"));
    };
    files.patterns = input.to_vec();
    Ok(())
}

/// Turns an error of writing to standard output into ours.
fn unwritable(error: std::io::Error) -> Error {
    Error::unavailable("write to standard output").caused_by(error)
}
