//! `onefold judge`: what does a person know better?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::{PipelineFile, output, time};
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::pipeline::{self, Given, Judged, Standing};
use crate::record::{Judgement, Verdict};

/// Say that two records are one customer, or two, whatever the evidence says.
///
/// Judgements come before all evidence: records judged together are always one identity, records judged apart never
/// are, also as more records join them. They are kept in the state, decide at once, and are published; they hold
/// through replays and other models where the pipeline names a file for them (`judgements` of `[match]`), which is read
/// at each start and kept up to date. Of two judgements of one pair the later counts. Where records judged together
/// hold others judged apart, apart wins.
///
/// A record is named by one of its events (`event id`, or `channel:id`), by its source's row key (`id`, or
/// `source:id`), or by its record key. The job must not be running.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Two records are one customer.
    Together(PairArguments),
    /// Two records are two customers.
    Apart(PairArguments),
    /// Take back what was judged of two records: the evidence decides again.
    Withdraw(WithdrawArguments),
    /// Show what was judged, and whether it is obeyed.
    ///
    /// `in force`: obeyed. `asleep`: a record is not there; it takes effect when that comes. `overruled`: judged
    /// together, and kept apart by other judgements. `withdrawn`: taken back.
    List,
    /// Write all judgements to a file, for `judgements` of `[match]`, or for another state.
    Export(FileArgument),
    /// Give the judgements of a file: of an export, or of a review whose column `judgement` was filled in.
    ///
    /// A row needs `left`, `right` and `judgement` (together, apart or withdrawn); `reason`, `author` and `at` may be
    /// there, other columns are ignored, and so are rows whose judgement is empty. Nothing is taken from a file with
    /// a bad row.
    Import(ImportArguments),
}

#[derive(Debug, clap::Args)]
struct PairArguments {
    /// A record.
    #[arg(value_name = "A")]
    left: String,

    /// Another one.
    #[arg(value_name = "B")]
    right: String,

    /// Why, for those who ask later. Kept with the judgement, never logged.
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    by: By,
}

#[derive(Debug, clap::Args)]
struct WithdrawArguments {
    /// A record.
    #[arg(value_name = "A")]
    left: String,

    /// Another one.
    #[arg(value_name = "B")]
    right: String,

    /// Why, for those who ask later.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,

    #[command(flatten)]
    by: By,
}

#[derive(Debug, clap::Args)]
struct By {
    /// Who judges. Default: the USER variable.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,

    /// When it was judged, e.g. `2026-03-01T09:00:00Z`. Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

#[derive(Debug, clap::Args)]
struct FileArgument {
    /// The file; how it is written goes by its end: .csv, .json or .jsonl.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct ImportArguments {
    #[command(flatten)]
    file: FileArgument,

    /// Who judged, in rows that do not say. Default: the USER variable.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    let text = match &arguments.act {
        Act::Together(pair) => judge_pair(plan, pair, Verdict::Together)?,
        Act::Apart(pair) => judge_pair(plan, pair, Verdict::Apart)?,
        Act::Withdraw(pair) => {
            let WithdrawArguments { left, right, reason, by } = pair;
            judge(plan, [left, right], Verdict::Withdrawn, reason, by)?
        }
        Act::List => list(&pipeline::judgements(&plan)?),
        Act::Export(FileArgument { file }) => {
            let count = pipeline::export_judgements(&plan, file)?;
            format!("{} judgements in {}", output::number(count as u64), file.display())
        }
        Act::Import(import) => import_file(plan, &import.file.file, import.author.as_deref())?,
    };
    output::say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn judge_pair(plan: Plan, pair: &PairArguments, verdict: Verdict) -> Result<String> {
    let PairArguments { left, right, reason, by } = pair;
    if reason.trim().is_empty() {
        return Err(Error::invalid("--reason: it is empty: say why, for those who ask later"));
    }
    judge(plan, [left, right], verdict, reason, by)
}

fn judge(
    plan: Plan,
    [left, right]: [&str; 2],
    verdict: Verdict,
    reason: &str,
    by: &By,
) -> Result<String> {
    let author = author(by.author.as_deref()).ok_or_else(|| {
        Error::invalid("--author: who judges? Give a name; the USER variable is not set")
    })?;
    let at = by.at.as_deref().map(time).transpose()?;
    let pair = pipeline::judged_pair(&plan, left, right)?;
    let reason = reason.trim().to_owned();
    let judged = pipeline::judge(plan, vec![Given { pair, verdict, reason, author, at }])?;
    let [left, right] = pair.keys();
    Ok(format!("{}: {left} and {right}\n{}", verdict.name(), outcome(&judged)))
}

/// Who judges, if anybody says.
fn author(given: Option<&str>) -> Option<String> {
    let name = given.map(str::to_owned).or_else(|| std::env::var("USER").ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn import_file(plan: Plan, file: &Path, by: Option<&str>) -> Result<String> {
    let given = pipeline::judgements_of_file(&plan, file, author(by).as_deref())?;
    if given.is_empty() {
        return Ok("no row of the file has a judgement: nothing was changed".into());
    }
    Ok(outcome(&pipeline::judge(plan, given)?))
}

/// What became of judgements, in words.
fn outcome(judged: &Judged) -> String {
    let number = |count: usize| output::number(count as u64);
    let mut lines = vec![format!("judgements: {} taken", number(judged.taken))];
    if judged.known > 0 {
        let known = number(judged.known);
        lines[0] += &format!(", {known} known already or older than what was judged since");
    }
    if judged.asleep > 0 {
        let asleep = number(judged.asleep);
        lines.push(format!("asleep: {asleep}, until the records come that are not there"));
    }
    if judged.overruled > 0 {
        let overruled = number(judged.overruled);
        lines.push(format!(
            "overruled: {overruled}, because other judgements keep the records apart: see `onefold judge … list`"
        ));
    }
    let change = |(name, count): (&&str, &u64)| format!("{} {name}", output::number(*count));
    let changes: Vec<String> = judged.changes.iter().map(change).collect();
    lines.push(match changes.as_slice() {
        [] => "identities: as they were".into(),
        changes => format!("identities: {}; published", changes.join(", ")),
    });
    lines.join("\n")
}

/// All judgements, for people.
fn list(judgements: &[(Judgement, Standing)]) -> String {
    if judgements.is_empty() {
        return "nothing was judged".into();
    }
    let block = |(judgement, standing): &(Judgement, Standing)| {
        let [left, right] = judgement.pair.keys();
        let at = pipeline::time_text(judgement.at);
        let reason = match judgement.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        let standing = match standing {
            Standing::Withdrawn => String::new(),
            standing => format!("  ({})", standing.name()),
        };
        format!(
            "{:<9}  {left}  {right}{standing}\n           {at} by {}{reason}",
            judgement.verdict.name(),
            judgement.author
        )
    };
    judgements.iter().map(block).collect::<Vec<_>>().join("\n")
}
