//! `onefold status`: how far is a pipeline?

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::{StateStatus, Status, by_source, status};

/// Show where positions, state and tables stand.
///
/// Reads what lies there and changes nothing. A running job keeps its state to itself: then the tables tell how far it
/// is, and the job itself under `/status` where `[http]` is set.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let status = status(&plan)?;
    let text = if arguments.json { as_json(&status).to_string() } else { as_text(&status) };
    output::say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(status: &Status) -> String {
    let number = output::number;
    let mut text = format!("pipeline   {}\n", status.pipeline);
    let path = status.state_path.display();
    let add = |text: &mut String, line: String| {
        writeln!(text, "{line}").expect("a text takes what is written to it");
    };
    match &status.state {
        StateStatus::Absent => add(&mut text, format!("state      {path}: there is none yet")),
        StateStatus::Running => {
            let asked = status.http.map_or_else(
                || "set [http] to ask it".to_owned(),
                |address| format!("ask it at {address}/status"),
            );
            add(&mut text, format!("state      {path}: a job has it open; {asked}"));
        }
        StateStatus::AtRest { sequence, published, epoch, counters, positions, is_settled } => {
            let (sequence, epoch) = (number(*sequence), number(*epoch));
            add(
                &mut text,
                format!("state      {path}: commit {sequence}, epoch {epoch}, no job has it open"),
            );
            add(
                &mut text,
                format!(
                    "events     {} read = {} resolved + {} duplicate + {} dead-lettered",
                    number(counters.read),
                    number(counters.resolved),
                    number(counters.duplicate),
                    number(counters.dead_lettered),
                ),
            );
            if !is_settled {
                let cut = "           its last job did not end well: the next start goes on behind the last commit";
                add(&mut text, cut.to_owned());
            }
            if status.unpublished() > Some(0) {
                let published = number(*published);
                add(
                    &mut text,
                    format!(
                        "           published up to {published}: the next start publishes the rest"
                    ),
                );
            }
            for (source, partitions) in by_source(positions) {
                for (partition, next) in partitions {
                    add(&mut text, format!("position   {source} {partition}: {}", number(next)));
                }
            }
        }
    }
    tell_tables(status, &mut text);
    if let Some(snapshot) = status.snapshot {
        add(&mut text, format!("snapshot   of commit {}", number(snapshot)));
    }
    text.trim_end().to_owned()
}

fn tell_tables(status: &Status, text: &mut String) {
    let number = output::number;
    let url = &status.publish_url;
    let set = match &status.latest {
        Some(latest) => {
            format!("a consistent set is published of commit {}", number(latest.commit))
        }
        None => "nothing is published yet".to_owned(),
    };
    writeln!(text, "tables     {url}: {set}").expect("a text takes what is written to it");
    for table in &status.tables {
        let commit = table.commit.map_or_else(|| "–".to_owned(), number);
        writeln!(
            text,
            "  {:<19} version {:>6}  commit {:>8}  {:>10} rows  {:>5} files  {:>10}",
            table.name,
            number(table.version),
            commit,
            number(table.rows),
            number(table.files),
            output::bytes(table.bytes),
        )
        .expect("a text takes what is written to it");
    }
}

fn as_json(status: &Status) -> Value {
    let state = match &status.state {
        StateStatus::Absent => json!({ "is": "absent" }),
        StateStatus::Running => json!({ "is": "running" }),
        StateStatus::AtRest { sequence, published, epoch, counters, positions, is_settled } => {
            json!({
                "is": "at rest",
                "commit": sequence,
                "published": published,
                "epoch": epoch,
                "read": counters.read,
                "resolved": counters.resolved,
                "duplicate": counters.duplicate,
                "dead_lettered": counters.dead_lettered,
                "positions": by_source(positions),
                "ended_well": is_settled,
            })
        }
    };
    let table = |table: &crate::pipeline::TableStatus| {
        let values = json!({
            "version": table.version,
            "commit": table.commit,
            "epoch": table.epoch,
            "rows": table.rows,
            "files": table.files,
            "bytes": table.bytes,
        });
        (table.name.to_owned(), values)
    };
    let tables: serde_json::Map<String, Value> = status.tables.iter().map(table).collect();
    json!({
        "pipeline": status.pipeline,
        "state": state,
        "latest": status.latest,
        "tables": tables,
        "snapshot": status.snapshot,
    })
}
