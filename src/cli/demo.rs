//! `onefold demo`: all of it, on made-up customers.

use std::process::ExitCode;

use crate::error::Result;

/// Placeholder
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
