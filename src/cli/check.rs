//! `onefold check`: would it run?

use std::process::ExitCode;

use super::{PipelineFile, output, variable};
use crate::config;
use crate::error::Result;
use crate::pipeline::{Finding, check};
use crate::telemetry::hide_in_lines;

/// Check a pipeline without running it.
///
/// Reads the file and resolves every setting, reads the model, asks brokers for their topics, lists
/// files, looks at the state and at the published tables' columns, and opens the place where tables
/// go, where it leaves one small file (`_onefold/check`). Reads some messages of each source, the
/// first of files and the last of topics, to see whether they would be understood; moves no
/// position and makes no state. Names file, line, key, value and remedy of everything that is
/// wrong, one a line, and exits 2. What only looks wrong is a warning. Secrets are not shown.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let path = &arguments.pipeline.pipeline;
    let examined = config::examine(path, &variable)?;
    let mut problems: Vec<String> = examined.problems().iter().map(ToString::to_string).collect();
    let mut warnings = Vec::new();
    if let Some(draft) = examined.draft() {
        let secrets = draft.secrets.clone();
        hide_in_lines(move |text| secrets.hidden_in(text));
        let found = check(draft, &|key| examined.is_sound(key));
        let told = |found: &Finding| examined.about(&found.key, &found.text);
        problems.extend(found.problems.iter().map(told));
        warnings.extend(found.warnings.iter().map(told));
    }
    for warning in &warnings {
        output::complain_as_is(&format!("warning: {warning}"));
    }
    for problem in &problems {
        output::complain_as_is(&format!("error: {problem}"));
    }
    if !problems.is_empty() {
        return Ok(ExitCode::from(2));
    }
    let plan = examined.plan()?;
    let sources: Vec<&str> = plan.sources.iter().map(|source| &*source.name).collect();
    let (sources, state, url) = (sources.join(", "), plan.state.path.display(), &plan.publish.url);
    let text =
        format!("{} reads {sources}, keeps its state in {state}, publishes to {url}", plan.name);
    output::say(&format!("{}: ok: {}", path.display(), plan.secrets.hidden_in(&text)))?;
    Ok(ExitCode::SUCCESS)
}
