//! `onefold why-not`: why do two records not belong together?

use std::process::ExitCode;

use super::why::TwoRecords;
use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::inspect;

/// Explain why two records do not belong together: what their identities say together, and what is
/// missing.
///
/// Shows the weight of the two identities as the matcher would weigh their merge, field by field,
/// how far it is from the threshold, what rules it out, and whether any candidate pair links them.
/// Records are named as for `onefold why`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(flatten)]
    records: TwoRecords,

    /// Print the explanation as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let inspection = inspect(&arguments.pipeline.load_without_sources()?)?;
    let (left, right) = arguments.records.find(&inspection)?;
    output::answer(&inspection.why_not(left, right)?, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}
