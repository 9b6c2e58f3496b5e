//! `onefold erase`: how is somebody forgotten?

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::subject::Subject;
use super::{PipelineFile, output, settings, time};
use crate::clock::now_micros;
use crate::config::Plan;
use crate::error::{Context, Kind, Result};
use crate::pipeline::{self, ErasureRequest};

/// Forget a person: take all of their records out of the state, the tables and the snapshots.
///
/// The customer who carries the identifier is erased whole, with every record, event and dead letter;
/// whoever was merged with them by mistake is told apart as if they had never come. What is left is a
/// keyed mark of each event and record, by which a replay is known and refused, and a receipt that
/// names nobody. Earlier versions of the tables go, too: no time travel leads back behind an erasure.
///
/// Prints the receipt as JSON, which also lies at `_onefold/receipts` of `publish.url`. Exits 1 where
/// nobody carries the identifier. The job must not be running; an erasure that is cut short is ended
/// by the next start of the pipeline.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    #[command(flatten)]
    subject: Subject,

    /// Do not erase: tell whether this state signed a receipt, and whether it is as it was signed.
    #[arg(
        long,
        group = "subject",
        value_name = "RECEIPT",
        conflicts_with_all = ["email", "phone", "id", "name", "born"]
    )]
    verify: Option<PathBuf>,

    /// Erase those who asked for it by events (`[source.NAME.erasure]`) at once, and list the requests of which it cannot
    /// be told for certain who is meant: then erase who is by --id, and the request by the --id of its record. Prints
    /// JSON, and exits 1 where such requests are left.
    #[arg(long, group = "subject", conflicts_with_all = ["dry_run", "at", "all"])]
    requests: bool,

    /// Erase every customer who carries the identifier, where several do.
    #[arg(long)]
    all: bool,

    /// Up to when what their records said never counts again, e.g. `2026-03-01T09:00:00Z`. Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// Only say what would be erased.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    if let Some(path) = &arguments.verify {
        let act = || format!("--verify {}", path.display());
        let bytes = std::fs::read(path).context(Kind::Invalid, act())?;
        let receipt = pipeline::receipt_of(&plan, &bytes)?;
        output::say(&format!("receipt {} was signed by this state", receipt.receipt))?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.requests {
        return requests(plan);
    }
    let request = request(arguments, &plan)?;
    if arguments.dry_run {
        let found = pipeline::preview_erasure(plan, &request)?;
        let [identities, records, letters] =
            [found.identities, found.records, found.dead_letters].map(output::number);
        output::say(&format!(
            "would erase {identities} customers: {records} records, {letters} dead letters"
        ))?;
        return Ok(if found.identities > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let Some(receipt) = pipeline::erase(plan, &request)? else {
        output::complain("nobody carries that identifier");
        return Ok(ExitCode::FAILURE);
    };
    let text = serde_json::to_string_pretty(&receipt).context(Kind::Internal, "write a receipt")?;
    output::say(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Erases those who asked for it.
fn requests(plan: Plan) -> Result<ExitCode> {
    let (receipts, left) = pipeline::erase_asked(plan)?;
    let undecided = left.iter().map(|it| {
        let customers: Vec<String> = it.identities.iter().map(ToString::to_string).collect();
        json!({"request": it.request.to_string(), "customers": customers})
    });
    let told = json!({"receipts": receipts, "undecided": undecided.collect::<Vec<_>>()});
    let text = serde_json::to_string_pretty(&told).context(Kind::Internal, "write receipts")?;
    output::say(&text)?;
    Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn request(arguments: &Arguments, plan: &Plan) -> Result<ErasureRequest> {
    let by = arguments.subject.key();
    let at = arguments.at.as_deref().map(time).transpose()?.unwrap_or_else(now_micros);
    Ok(ErasureRequest { by, settings: settings(plan), all: arguments.all, at })
}
