//! `onefold vacuum`: delete what no version of the tables needs.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::{PipelineFile, output};
use crate::config;
use crate::error::{Error, Result};
use crate::pipeline::{self, VacuumAct, Vacuumed};

/// Delete the files of the tables that no version needs any more.
///
/// A running job does so by itself; by hand it may be done beside it. To keep less than a day, up to nothing but the
/// present version (`--retention 0s`), the job must not be running, nor anybody reading an earlier version. Earlier
/// versions can neither be read then nor restored.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// Keep versions that were the present one within this time, e.g. `2d` or `0s`. Default: the pipeline's
    /// `publish.retention`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    retention: Option<Duration>,

    /// Delete nothing, only say what would be deleted.
    #[arg(long)]
    dry_run: bool,

    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration> {
    config::duration(text).ok_or_else(|| Error::invalid("give a duration, such as 0s, 12h or 7d"))
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let act = if arguments.dry_run { VacuumAct::Count } else { VacuumAct::Delete };
    let tables = pipeline::vacuum(&plan, arguments.retention, act)?;
    if arguments.json {
        let tables = tables.iter().map(|(name, it)| {
            let counts = json!({
                "files": it.files,
                "log_files": it.log_files,
                "bytes": it.bytes,
                "oldest_version": it.oldest,
            });
            ((*name).to_owned(), counts)
        });
        let tables: serde_json::Map<_, _> = tables.collect();
        output::say(&json!({ "deleted": act == VacuumAct::Delete, "tables": tables }).to_string())?;
    } else {
        output::say(as_text(&tables, act).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(tables: &[(&str, Vacuumed)], act: VacuumAct) -> String {
    let number = output::number;
    let mut text = String::new();
    for (name, it) in tables {
        let (files, log_files) = (number(it.files), number(it.log_files));
        let (bytes, oldest) = (output::bytes(it.bytes), number(it.oldest));
        writeln!(
            text,
            "{name:20} {files:>9} files {log_files:>9} log files {bytes:>11}  reads back to version {oldest}"
        )
        .expect("a text takes what is written to it");
    }
    let sum = |of: fn(&Vacuumed) -> u64| tables.iter().map(|(_, it)| of(it)).sum::<u64>();
    let (files, bytes) =
        (number(sum(|it| it.files + it.log_files)), output::bytes(sum(|it| it.bytes)));
    let what = match act {
        VacuumAct::Delete => "deleted",
        VacuumAct::Count => "would delete",
    };
    format!("{text}{what} {files} files, {bytes}")
}
