//! `onefold diff`: what is different between two outputs, or would be under another model?

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output::{self, number};
use crate::cluster::{Difference, Flow, Membership, carry};
use crate::config::Plan;
use crate::error::{Context, Error, Kind, Result};
use crate::pipeline::{PublishedTables, preview};

/// Show what is different between two outputs, or what another model would change.
///
/// `onefold diff A B` compares the `identity_map` of two published outputs, each a folder, a URL, or the pipeline file
/// that publishes there. Jobs may be running.
///
/// `onefold diff PIPELINE --model NEW.json` matches the records of the pipeline's state again under another model, in
/// memory, and compares the outcome with the state's identities; without --model, under what the pipeline's [match]
/// says now. The job must not be running. Nothing is changed: `onefold rematch` does that.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An output, or a pipeline file.
    #[arg(value_name = "A")]
    before: String,

    /// The output to compare it with.
    #[arg(value_name = "B", conflicts_with = "model")]
    after: Option<String>,

    /// The model file to try on the state of pipeline A.
    #[arg(long, value_name = "JSON")]
    model: Option<PathBuf>,

    /// Compare B under the ids of A, each given to the identity that holds most of its records: for outputs that were
    /// made apart, whose ids mean nothing to each other.
    #[arg(long, requires = "after")]
    by_overlap: bool,

    /// How many of the largest movers to show.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    largest: usize,

    /// Also write every record that moved, came or went to this file.
    #[arg(long, value_name = "CSV")]
    moves: Option<PathBuf>,

    /// Print the difference as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let difference = match &arguments.after {
        Some(after) => {
            let before = published("A", &arguments.before)?;
            let mut after = published("B", after)?;
            if arguments.by_overlap {
                after = carry(&before, &after);
            }
            Difference::between(&before, &after)
        }
        None => under_another_model(arguments)?,
    };
    if let Some(path) = &arguments.moves {
        write_moves(path, &difference)?;
    }
    let text = match arguments.json {
        true => as_json(&difference, arguments.largest).to_string(),
        false => as_text(&difference, arguments.largest),
    };
    output::say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn load(pipeline: &str) -> Result<Plan> {
    super::load(Path::new(pipeline))
}

fn is_pipeline(reference: &str) -> bool {
    Path::new(reference).extension().is_some_and(|extension| extension == "toml")
}

/// Who is in which identity in a published output.
fn published(name: &str, reference: &str) -> Result<Membership> {
    let tables = if is_pipeline(reference) {
        let publish = load(reference)?.publish;
        PublishedTables::at(&publish.url, &publish.options.0)
    } else {
        PublishedTables::at(reference, &std::collections::BTreeMap::new())
    };
    let membership = tables.and_then(|tables| tables.membership());
    membership.map_err(|error| error.context(format!("{name} = {reference}")))
}

fn under_another_model(arguments: &Arguments) -> Result<Difference> {
    if !is_pipeline(&arguments.before) {
        return Err(Error::invalid(
            "B: give a second output to compare with, or a pipeline file (.toml) as A to try a model on its state",
        ));
    }
    let mut plan = load(&arguments.before)?;
    if arguments.model.is_some() {
        plan.matching.model.clone_from(&arguments.model);
    }
    preview(&plan)
}

fn write_moves(path: &Path, difference: &Difference) -> Result<()> {
    let mut text = "record_key,from_identity_id,to_identity_id\n".to_owned();
    let name =
        |id: Option<_>| id.map_or(String::new(), |id: crate::record::IdentityId| id.to_string());
    for moved in &difference.moves {
        let (from, to) = (name(moved.from), name(moved.to));
        writeln!(text, "{},{from},{to}", moved.record).context(Kind::Internal, "write a text")?;
    }
    fs::write(path, text).context(Kind::Unavailable, format!("--moves {}", path.display()))
}

/// The difference, for people.
pub(super) fn as_text(difference: &Difference, largest: usize) -> String {
    let Difference { records: r, identities: i, pairs: p, flows, .. } = difference;
    let counts = |counts: &[(u64, &str)]| {
        let said = counts.iter().filter(|(count, _)| *count > 0);
        said.map(|(count, what)| format!("{} {what}", number(*count)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let row = |name: &str, before: u64, after: u64, parts: &[(u64, &str)]| {
        format!("{name:<12}{:>12}{:>12}   {}", number(before), number(after), counts(parts))
            .trim_end()
            .to_owned()
    };
    let mut lines = vec![format!("{:<12}{:>12}{:>12}", "", "before", "after")];
    let parts = [(r.same, "same"), (r.moved, "moved"), (r.come, "new"), (r.gone, "gone")];
    lines.push(row("records", r.before, r.after, &parts));
    let parts = [
        (i.unchanged, "unchanged"),
        (i.changed, "changed"),
        (i.renamed, "renamed"),
        (i.created, "created"),
        (i.split, "split off"),
        (i.merged, "merged away"),
        (i.vanished, "vanished"),
    ];
    lines.push(row("identities", i.before, i.after, &parts));
    let parts = [(p.both, "both"), (p.after - p.both, "joined"), (p.before - p.both, "parted")];
    lines.push(row("pairs", p.before, p.after, &parts));
    if difference.is_empty() {
        lines.push("\nNo record is in another identity.".into());
    }
    if largest > 0 && !flows.is_empty() {
        lines.push(format!("\nThe largest movers, {} in all:", number(flows.len() as u64)));
        let flow = |flow: &Flow| {
            format!(
                "{:>8}  of {:>6} in {}  to {} of {}",
                number(flow.records),
                number(flow.from_records),
                flow.from,
                flow.to,
                number(flow.to_records)
            )
        };
        lines.extend(flows.iter().take(largest).map(flow));
    }
    lines.join("\n")
}

/// The difference, for programs.
pub(super) fn as_json(difference: &Difference, largest: usize) -> Value {
    let Difference { records: r, identities: i, pairs: p, flows, .. } = difference;
    let flow = |flow: &Flow| {
        json!({
            "records": flow.records,
            "from": flow.from.to_string(),
            "from_records": flow.from_records,
            "to": flow.to.to_string(),
            "to_records": flow.to_records,
        })
    };
    json!({
        "records": {
            "before": r.before, "after": r.after, "same": r.same, "moved": r.moved, "new": r.come,
            "gone": r.gone,
        },
        "identities": {
            "before": i.before, "after": i.after, "unchanged": i.unchanged, "changed": i.changed,
            "renamed": i.renamed, "created": i.created, "split": i.split, "merged": i.merged,
            "vanished": i.vanished,
        },
        "pairs": { "before": p.before, "after": p.after, "both": p.both },
        "ways": flows.len(),
        "largest_movers": flows.iter().take(largest).map(flow).collect::<Vec<_>>(),
    })
}
