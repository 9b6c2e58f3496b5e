//! `onefold check`: would it run?

use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::check;

/// Check a pipeline without running it.
///
/// Reads the file and resolves every setting, reads the model, asks brokers for their topics, lists
/// files, looks at the state, and opens the place where tables go, where it leaves one small file
/// (`_onefold/check`). Reads no message and makes no state. Names file, key, value and remedy of
/// everything that is wrong, one a line, and exits 2.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    let problems = check(&plan);
    let file = arguments.pipeline.pipeline.display();
    if problems.is_empty() {
        let sources: Vec<&str> = plan.sources.iter().map(|source| &*source.name).collect();
        let (sources, state) = (sources.join(", "), plan.state.path.display());
        let url = &plan.publish.url;
        let name = &plan.name;
        output::say(&format!(
            "{file}: ok: {name} reads {sources}, keeps its state in {state}, publishes to {url}"
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    for problem in &problems {
        output::complain(&format!("error: {file}: {problem}"));
    }
    Ok(ExitCode::from(2))
}
