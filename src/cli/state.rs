//! `onefold state`: snapshots of the state, and the way back.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::{self, Snapshot};

/// Verify a state, take a snapshot of it, or restore it from one.
///
/// The job must not be running; with `[state.snapshot] interval` it takes snapshots by itself.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(subcommand)]
    act: Act,

    /// Print the outcome as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Read everything and check that it fits together.
    Verify,
    /// Write all of the state to `[state.snapshot] url`.
    Snapshot,
    /// Show the snapshots that there are.
    List,
    /// Make the state anew from a snapshot, and put the tables back to its commit.
    ///
    /// There must be no state: move a damaged one away. When the job is started afterwards, it reads the sources
    /// again from where the snapshot was.
    Restore {
        /// The snapshot of this commit. Default: the latest.
        #[arg(long, value_name = "NUMBER")]
        commit: Option<u64>,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let (text, json) = match arguments.act {
        Act::Verify => {
            let report = pipeline::verify_state(&plan)?;
            let number = output::number;
            let text = format!(
                "the state fits together: commit {}, {} records in {} identities, {} events known, {}",
                number(report.sequence),
                number(report.records),
                number(report.identities_live),
                number(report.events),
                output::bytes(report.disk_bytes),
            );
            let json = json!({
                "commit": report.sequence,
                "records": report.records,
                "edges": report.edges,
                "identities": report.identities_live,
                "identities_gone": report.identities_gone,
                "events_known": report.events,
                "judgements": report.judgements,
                "disk_bytes": report.disk_bytes,
            });
            (text, json)
        }
        Act::Snapshot => {
            let taken = pipeline::take_snapshot(&plan)?;
            (format!("wrote {}", as_text(&taken)), as_json(&taken))
        }
        Act::List => {
            let found = pipeline::snapshots(&plan)?;
            let lines: Vec<String> = found.iter().map(as_text).collect();
            let text = if found.is_empty() { "no snapshots".into() } else { lines.join("\n") };
            (text, found.iter().map(as_json).collect())
        }
        Act::Restore { commit } => {
            let restored = pipeline::restore_snapshot(&plan, commit)?;
            let tables = match restored.put_back.join(", ") {
                none if none.is_empty() => "the tables were not later".to_owned(),
                tables => format!("put back to it: {tables}"),
            };
            let sequence = output::number(restored.sequence);
            let text = format!(
                "the state stands at commit {sequence}; {tables}\nstart the job: it reads on from there"
            );
            (text, json!({ "commit": restored.sequence, "put_back": restored.put_back }))
        }
    };
    output::say(&if arguments.json { json.to_string() } else { text })?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(snapshot: &Snapshot) -> String {
    format!("commit {:>12}  {}", output::number(snapshot.sequence), output::bytes(snapshot.bytes))
}

fn as_json(snapshot: &Snapshot) -> serde_json::Value {
    json!({ "commit": snapshot.sequence, "bytes": snapshot.bytes })
}
