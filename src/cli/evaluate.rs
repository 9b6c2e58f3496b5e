//! `onefold evaluate`: how right are the published identities?

use std::path::PathBuf;
use std::process::ExitCode;

use super::{PipelineFile, output, settings};
use crate::error::{Context, Kind, Result};
use crate::evaluate::{read_truth, score};
use crate::pipeline::PublishedTables;

/// Score the published identities against a known truth.
///
/// The truth is a CSV file with the header `record_id,cluster_id` (rows of an export) or
/// `event_id,person_id` (events). Pairwise, B-cubed and exact-cluster precision, recall and F1 over
/// everything the truth names.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// The truth.
    #[arg(long, value_name = "CSV")]
    truth: PathBuf,

    /// Print the scores as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let truth = read_truth(&arguments.truth)?;
    let tables = PublishedTables::open(&plan.publish, settings(&plan))?;
    let scores = score(&tables.identities(truth.kind)?, &truth.rows);
    let text = if arguments.json {
        serde_json::to_string(&scores).context(Kind::Internal, "write scores as JSON")?
    } else {
        scores.to_string()
    };
    output::say(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
