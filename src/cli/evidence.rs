//! `onefold evidence`: why was every merge made?

use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::{inspect, write_evidence};

/// Write the evidence of every merge as the table `match_evidence`: one row per merge and field.
///
/// A Delta Lake table (Parquet) beside the published ones, or where `--out` says; its bits add up to
/// each merge's weight, and it holds no personal value. Reads the state, which a running job keeps
/// to itself: ask when it has stopped. Asked again after more commits, it adds the newer evidence,
/// told apart by the column `epoch`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// A folder or an object store URL; default: the pipeline's `publish.url`.
    #[arg(long, value_name = "URL")]
    out: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let inspection = inspect(&plan)?;
    let mut place = plan.publish.clone();
    if let Some(url) = &arguments.out {
        place.url.clone_from(url);
    }
    let written = write_evidence(&plan, &inspection, &place)?;
    let (rows, bytes) = (output::number(written.rows), output::bytes(written.bytes));
    output::say(&format!("match_evidence: {rows} rows, {bytes}, in {}", place.url))?;
    Ok(ExitCode::SUCCESS)
}
