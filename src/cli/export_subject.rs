//! `onefold export-subject`: what is known of a person, all of it?

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::subject::Subject;
use super::{PipelineFile, output, settings};
use crate::error::{Context, Kind, Result};
use crate::pipeline::{self, SubjectRows};
use crate::report::{Section, subject_page};

/// Give a person all that is known of them: every row of every table, with what its columns mean.
///
/// Reads the published tables, so it works while the job runs. Prints JSON; a page to read is written
/// with --html. Both hold personal values. Exits 1 where nobody carries the identifier.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(flatten)]
    subject: Subject,

    /// Export every customer who carries the identifier, where several do.
    #[arg(long)]
    all: bool,

    /// Write a page of HTML to a new file, which only you may read, instead of printing JSON.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let key = arguments.subject.key();
    let tables = pipeline::subject_data(&plan, settings(&plan), &key, arguments.all)?;
    if tables.is_empty() {
        output::complain("no profile carries that identifier");
        return Ok(ExitCode::FAILURE);
    }
    match &arguments.html {
        Some(path) => {
            let sections: Vec<Section<'_>> = tables.iter().map(section).collect();
            write_new(path, &subject_page(&plan.name, &sections))?;
            output::say(&format!("written: {}", path.display()))?;
        }
        None => {
            let all = json!({"pipeline": plan.name, "tables": as_json(&tables)});
            let text = serde_json::to_string_pretty(&all);
            output::say(&text.context(Kind::Internal, "write rows as JSON")?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn section(table: &SubjectRows) -> Section<'_> {
    let spec = table.table;
    let columns = spec.columns.iter().map(|column| (column.name, column.about)).collect();
    Section { name: spec.name, about: spec.about, columns, rows: &table.rows }
}

fn as_json(tables: &[SubjectRows]) -> Value {
    let table = |it: &SubjectRows| {
        let columns = it.table.columns.iter();
        let columns: Map<String, Value> =
            columns.map(|column| (column.name.to_owned(), column.about.into())).collect();
        let said = json!({"about": it.table.about, "columns": columns, "rows": it.rows});
        (it.table.name.to_owned(), said)
    };
    tables.iter().map(table).collect::<Map<_, _>>().into()
}

/// Writes a file that is not there yet, for its owner alone.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let act =
        || format!("--html {}: cannot be made; name a file that is not there yet", path.display());
    let mut file = file.context(Kind::Invalid, act())?;
    file.write_all(text.as_bytes()).context(Kind::Unavailable, format!("write {}", path.display()))
}
