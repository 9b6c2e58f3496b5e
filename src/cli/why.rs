//! `onefold why`: why do two records belong together, or not?

use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::{Inspection, inspect};
use crate::state::NodeId;

/// Explain why two records belong together, or do not: the evidence in bits, field by field.
///
/// Shows how the fields agree, what their bits are made of, which blocking keys brought the records
/// together and, where they are of one identity, the merges that joined them. A record is named by
/// one of its events (`event id`, or `channel:id`), by its source's row key (`id`, or `source:id`),
/// or by its record key. Reads the state, which a running job keeps to itself: ask when it has
/// stopped.
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

/// The records that a question is about.
#[derive(Debug, clap::Args)]
pub(super) struct TwoRecords {
    /// A record.
    #[arg(value_name = "A")]
    left: String,

    /// Another one.
    #[arg(value_name = "B")]
    right: String,
}

impl TwoRecords {
    pub(super) fn find(&self, inspection: &Inspection) -> Result<(NodeId, NodeId)> {
        let find = |name: &str, reference: &str| {
            inspection.find(reference).map_err(|error| error.context(name.to_owned()))
        };
        Ok((find("A", &self.left)?, find("B", &self.right)?))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let inspection = inspect(&arguments.pipeline.load_without_sources()?)?;
    let (left, right) = arguments.records.find(&inspection)?;
    output::answer(&inspection.why(left, right)?, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}
