//! `onefold how`: in which steps did an identity come together?

use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::{Error, Result};
use crate::pipeline::inspect;

/// Explain how an identity came together: its records, and the merges that joined them.
///
/// Each step shows what the two groups said together, field by field. Reads the state, which a
/// running job keeps to itself: ask when it has stopped.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// An identity id, also of one that was merged since, or a record as for `onefold why`.
    #[arg(value_name = "IDENTITY")]
    identity: String,

    /// Print the explanation as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let inspection = inspect(&arguments.pipeline.load_without_sources()?)?;
    let found = inspection.find_identity(&arguments.identity);
    let identity = found.map_err(|error: Error| error.context("IDENTITY"))?;
    output::answer(&inspection.how(identity)?, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}
