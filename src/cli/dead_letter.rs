//! `onefold dead-letter`: what could not be used, and what if it is mended?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::{PipelineFile, output};
use crate::error::{Context, Error, Kind, Result};
use crate::pipeline::{
    self, Closed, DeadLetterFilter, DeadLetters, ListedLetter, Listing, Replayed,
};
use crate::record::Origin;

/// Look at messages that could not be used, and replay them.
///
/// A dead letter is open until a replay can use it. Mend the pipeline file and `replay`; or `export`, mend the payloads
/// in the file, and `replay FILE`. What a replay can use becomes an event of its source, once, however often it is
/// replayed; what it cannot use stays open.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Count dead letters by source and reason, and say where the first stand. Shows nothing of what they hold.
    List(ListArguments),
    /// Show one dead letter whole, as JSON: it holds personal data.
    Show(ShowArguments),
    /// Write dead letters to a file, one JSON object a line, to be mended: it holds personal data.
    ///
    /// A line names its letter by `source`, `partition` and `offset`. Its `payload` is the message, as a text; you may
    /// put a JSON object in its place. Bytes that are no text stand in `payload_hex`.
    Export(ExportArguments),
    /// Read dead letters again: those of a file, or all that are open.
    ///
    /// Those that can be used are committed and published as events of their source, and closed. The counts go along:
    /// `read` stays, `dead_lettered` falls, `resolved` or `duplicate` rises. The job must not be running, but for a
    /// dry run.
    Replay(ReplayArguments),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Only of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Only for this reason: malformed, missing_field, wrong_type, bad_time or too_large.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,

    /// Only from this offset of each partition on.
    #[arg(long, value_name = "OFFSET")]
    since_offset: Option<u64>,
}

impl Which {
    fn filter(&self, all: bool) -> DeadLetterFilter {
        DeadLetterFilter {
            source: self.source.clone(),
            reason: self.reason.clone(),
            since_offset: self.since_offset,
            closed: if all { Closed::With } else { Closed::Without },
        }
    }
}

#[derive(Debug, clap::Args)]
struct ListArguments {
    #[command(flatten)]
    which: Which,

    /// How many places at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// Also those that are closed.
    #[arg(long)]
    all: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArguments {
    /// The source.
    #[arg(value_name = "SOURCE")]
    source: String,

    /// `topic/partition`, or the file's URL or path.
    #[arg(value_name = "PARTITION")]
    partition: String,

    /// The offset, or the line from 0.
    #[arg(value_name = "OFFSET")]
    offset: u64,
}

#[derive(Debug, clap::Args)]
struct ExportArguments {
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,

    #[command(flatten)]
    which: Which,

    /// Also those that are closed.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct ReplayArguments {
    /// A file of letters, as of `export`. Default: all that are open, as they are.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    which: Which,

    /// Change nothing: say what could be used.
    #[arg(long)]
    dry_run: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let text = match &arguments.act {
        Act::List(list) => {
            let filter = list.which.filter(list.all);
            let listing = DeadLetters::open(&plan)?.list(&filter, list.limit)?;
            if list.json { json(&listing)? } else { as_text(&listing) }
        }
        Act::Show(ShowArguments { source, partition, offset }) => {
            let (source, partition) = (source.as_str().into(), partition.as_str().into());
            let origin = Origin { source, partition, offset: *offset };
            let letter = DeadLetters::open(&plan)?.show(&origin)?.ok_or_else(|| {
                Error::invalid("no dead letter at that place: see `onefold dead-letter … list`")
            })?;
            json(&letter.as_json())?
        }
        Act::Export(ExportArguments { out, which, all }) => {
            let count = DeadLetters::open(&plan)?.export(&which.filter(*all), out)?;
            let count = output::number(count);
            format!("{count} dead letters in {}, which holds personal data", out.display())
        }
        Act::Replay(replay) => {
            let ReplayArguments { file, which, dry_run, json: as_json } = replay;
            let (file, filter) = (file.as_deref(), which.filter(false));
            let replayed = match dry_run {
                true => pipeline::try_replay(&plan, file, &filter)?,
                false => pipeline::replay(plan, file, &filter)?,
            };
            if *as_json { json(&replayed)? } else { outcome(&replayed, *dry_run) }
        }
    };
    output::say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn json(answer: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(answer).context(Kind::Internal, "write an answer as JSON")
}

/// What there is, for people.
fn as_text(listing: &Listing) -> String {
    if listing.groups.is_empty() {
        return "no dead letters".into();
    }
    let number = output::number;
    let mut lines: Vec<String> = Vec::new();
    for group in &listing.groups {
        let closed = match group.closed {
            0 => String::new(),
            closed => format!(", {} closed", number(closed)),
        };
        let open = number(group.open);
        lines.push(format!("{}  {}: {open} open{closed}", group.source, group.reason));
    }
    if !listing.letters.is_empty() {
        lines.push(String::new());
    }
    let place = |letter: &ListedLetter| {
        let ListedLetter { origin, reason, detail, outcome } = letter;
        let Origin { source, partition, offset } = origin;
        let outcome = outcome.as_ref().map(|outcome| format!("  ({outcome})")).unwrap_or_default();
        format!("{source} {partition} {offset}  {reason}: {detail}{outcome}")
    };
    lines.extend(listing.letters.iter().map(place));
    lines.join("\n")
}

/// What a replay did, for people.
fn outcome(replayed: &Replayed, dry_run: bool) -> String {
    let Replayed { resolved, duplicate, unusable, closed, unknown } = replayed;
    let number = |count: &u64| output::number(*count);
    let mut lines = vec![match dry_run {
        true => format!("{} could be used", number(resolved)),
        false => {
            format!("{} resolved, {} duplicate; published", number(resolved), number(duplicate))
        }
    }];
    for (reason, count) in unusable {
        lines.push(format!("{} still {reason}: they stay open", number(count)));
    }
    if *closed > 0 {
        lines.push(format!("{} closed before", number(closed)));
    }
    if *unknown > 0 {
        let unknown = number(unknown);
        lines.push(format!("{unknown} left out: no dead letter of this pipeline's sources"));
    }
    lines.join("\n")
}
