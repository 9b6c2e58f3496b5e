//! `onefold rematch`: match all records again, by another model.

use std::process::ExitCode;

use super::{PipelineFile, diff, output};
use crate::error::Result;
use crate::pipeline::rematch;

/// Match all records of the state again, by the model that the pipeline's [match] asks for now.
///
/// A state is by one model, so a job refuses to go on under another. This makes the other model the state's: all records
/// that it keeps are matched again, identities keep their ids by largest overlap (`identity_changes` says carried,
/// created, merged and split, with the cause `model`), all in one commit, which is then published. No source is read.
/// The job must not be running; `onefold diff` shows beforehand what would change. Where the model is the state's
/// already, nothing happens.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// How many of the largest movers to show.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    largest: usize,

    /// Print what changed as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    let done = rematch(&plan)?;
    let text = if arguments.json {
        let mut json = diff::as_json(&done.difference, arguments.largest);
        json["commit"] = done.commit.into();
        json.to_string()
    } else {
        match done.commit {
            None => "the state is by this model already: nothing to do".to_owned(),
            Some(commit) => {
                let difference = diff::as_text(&done.difference, arguments.largest);
                format!("{difference}\n\nPublished as commit {commit}.")
            }
        }
    };
    output::say(&text)?;
    Ok(ExitCode::SUCCESS)
}
