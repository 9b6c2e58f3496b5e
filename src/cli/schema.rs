//! `onefold schema`: what can be written in a pipeline file?

use std::process::ExitCode;

use super::output;
use crate::config;
use crate::error::Result;

/// Print the JSON Schema of pipeline files, for editors.
///
/// Editors that know TOML complete and check a file whose first line names the schema:
/// `#:schema pipeline.schema.json`. With `--reference`, every key with its type, default and
/// meaning as a page of Markdown.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the manual instead.
    #[arg(long)]
    reference: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let text = if arguments.reference { config::reference() } else { config::schema_text() };
    output::say(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
