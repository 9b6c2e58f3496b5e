//! `onefold backfill`: history in bulk.

use std::process::ExitCode;

use super::{PipelineFile, read_instead, run};
use crate::error::{Error, Result};
use crate::pipeline::{Ending, Options};
use crate::source::Input;

/// Read files to their end in bulk, and publish once.
///
/// Gives the same identities as streaming the same events, for less work: records are matched
/// once all are read. A backfill that was stopped goes on where it was.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// Files to read instead of those of the pipeline, which must have one source; may be given
    /// several times.
    #[arg(long, value_name = "URL")]
    input: Vec<String>,

    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut plan = arguments.pipeline.load()?;
    read_instead(&mut plan, &arguments.input)?;
    if let Some(source) = plan.sources.iter().find(|s| matches!(s.input, Input::Kafka(_))) {
        return Err(Error::invalid(format!(
            "[source.{}] kafka: a backfill reads files, which end: use onefold run, or --until-idle with it",
            source.name
        )));
    }
    let options = Options { ending: Ending::Exhausted, interim: false };
    run::execute(plan, options, arguments.json)
}
