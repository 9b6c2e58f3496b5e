//! `onefold check`: would it run?

use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::check;

/// Check a pipeline without running it.
///
/// Does everything that `run` does short of working: reads the file, resolves every setting, opens
/// the model, the sources and the place where tables go. Names file, key, value and remedy of what
/// is wrong, and exits 2.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    check(&plan)?;
    let sources: Vec<&str> = plan.sources.iter().map(|source| &*source.name).collect();
    output::say(&format!(
        "{}: ok: reads {}, keeps its state in {}, publishes to {}",
        plan.name,
        sources.join(", "),
        plan.state.path.display(),
        plan.publish.url
    ))?;
    Ok(ExitCode::SUCCESS)
}
