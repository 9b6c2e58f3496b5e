//! `onefold run`: the streaming job.

use std::process::ExitCode;
use std::time::Duration;

use super::progress::Display;
use super::{PipelineFile, output};
use crate::config::Plan;
use crate::error::{Context, Error, Kind, Result};
use crate::pipeline::{Ending, Job, Options, Report, Stop};
use crate::telemetry::{CommandFailed, ShutdownRequested, Telemetry};
use crate::web::Server;

/// Run a pipeline as a streaming job.
///
/// Reads the pipeline's sources (Kafka topics, or files as bounded streams), keeps its state, and
/// publishes tables at the pipeline's interval. On SIGTERM or Ctrl-C it takes in no more, commits,
/// publishes and exits 0. Started again, it goes on where it stopped; after a crash too.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// Also end when no message came for so long, e.g. `10s`: to catch up with a topic and stop. The time until the
    /// brokers have shared out the partitions does not count.
    #[arg(long, value_name = "DURATION")]
    until_idle: Option<String>,

    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    let ending = match &arguments.until_idle {
        None => Ending::Exhausted,
        Some(text) => Ending::Idle(duration(text)?),
    };
    let options = Options { ending, interim: true };
    execute(plan, options, arguments.json)
}

/// Opens the job, runs it to its end, and says what it did.
pub(super) fn execute(plan: Plan, options: Options, json: bool) -> Result<ExitCode> {
    let (stop, telemetry) = (Stop::default(), Telemetry::from_environment()?);
    stop_on_signals(&stop, plan.run.shutdown_timeout, &telemetry)?;
    // Until the end, so that the start and the last commit can be watched.
    let _server = plan.http.as_ref().map(|http| Server::start(http, &telemetry)).transpose()?;
    let ran = Job::open_told(plan, &telemetry).and_then(|mut job| {
        let mut display = Display::start(None);
        let ran = job.run(options, &stop, &mut |progress| display.show(progress));
        display.finish();
        ran
    });
    telemetry.flush();
    let report = ran.inspect_err(|_| telemetry.fail())?;
    output::say(&if json { as_json(&report) } else { as_text(&report) })?;
    Ok(ExitCode::SUCCESS)
}

fn duration(text: &str) -> Result<Duration> {
    crate::config::duration(text).ok_or_else(|| {
        Error::invalid("--until-idle: not a duration: write a number and a unit, e.g. 500ms or 10s")
    })
}

/// Asks the job to stop on SIGTERM or Ctrl-C; a second signal, or one that is not obeyed in time,
/// ends the process.
pub(super) fn stop_on_signals(stop: &Stop, timeout: Duration, telemetry: &Telemetry) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(Kind::Unavailable, "start the signal runtime")?;
    let (stop, telemetry) = (stop.clone(), telemetry.clone());
    let (ready, started) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                let signals = signal(SignalKind::terminate())
                    .and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
                let (mut term, mut interrupt) = match signals {
                    Ok(signals) => signals,
                    Err(error) => return ready.send(Err(error)).unwrap_or_default(),
                };
                ready.send(Ok(())).unwrap_or_default();
                let signal = tokio::select! {
                    _ = term.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                ShutdownRequested { signal, timeout }.emit(&telemetry);
                if output::is_watched() {
                    output::complain("\nstopping: committing and publishing what was read");
                }
                stop.ask();
                tokio::select! {
                    _ = term.recv() => {}
                    _ = interrupt.recv() => {}
                    () = tokio::time::sleep(timeout) => {}
                }
                let error = Error::unavailable(
                    "stopped before all was published; nothing is lost, the next start publishes",
                );
                CommandFailed { error: &error }.emit();
                std::process::exit(1);
            });
        })
        .context(Kind::Unavailable, "start the signal thread")?;
    let heard = started.recv().context(Kind::Internal, "hear from the signal thread")?;
    heard.context(Kind::Unavailable, "listen for signals")
}

/// What a run did, for people.
fn as_text(report: &Report) -> String {
    let counters = report.counters;
    let number = output::number;
    format!(
        "{} events read = {} resolved + {} duplicate + {} dead-lettered\n\
         {} records in {} identities\n\
         {} commits, {} publishes; tables {} in {} files, state {}\n\
         {:.1} s: {:.1} s reading, {:.1} s preparing, {:.1} s matching, {:.1} s committing, {:.1} s publishing",
        number(counters.read),
        number(counters.resolved),
        number(counters.duplicate),
        number(counters.dead_lettered),
        number(report.records),
        number(report.identities),
        number(report.commits),
        number(report.publishes),
        output::bytes(report.tables.1),
        number(report.tables.0),
        output::bytes(report.state_bytes),
        report.time.total.as_secs_f64(),
        report.time.wait.as_secs_f64(),
        report.time.prepare.as_secs_f64(),
        report.time.resolve.as_secs_f64(),
        report.time.commit.as_secs_f64(),
        report.time.publish.as_secs_f64(),
    )
}

/// What a run did, for programs.
fn as_json(report: &Report) -> String {
    let seconds = |time: Duration| time.as_secs_f64();
    serde_json::json!({
        "read": report.counters.read,
        "resolved": report.counters.resolved,
        "duplicate": report.counters.duplicate,
        "dead_lettered": report.counters.dead_lettered,
        "messages": report.messages,
        "records": report.records,
        "identities": report.identities,
        "shared_identifiers": report.shared_identifiers,
        "expected_precision": report.expected_precision,
        "commits": report.commits,
        "publishes": report.publishes,
        "state_bytes": report.state_bytes,
        "table_files": report.tables.0,
        "table_bytes": report.tables.1,
        "candidates": report.work.candidates,
        "components": report.work.components,
        "component_pairs": report.work.component_pairs,
        "largest_component": report.work.largest_component,
        "seconds": {
            "open": seconds(report.time.open),
            "wait": seconds(report.time.wait),
            "prepare": seconds(report.time.prepare),
            "resolve": seconds(report.time.resolve),
            "commit": seconds(report.time.commit),
            "publish": seconds(report.time.publish),
            "total": seconds(report.time.total),
        },
    })
    .to_string()
}
