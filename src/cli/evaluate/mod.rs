//! `onefold evaluate`: how right are the published identities, and where are they wrong?

mod evidence;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{PipelineFile, output, settings};
use crate::config::Plan;
use crate::error::{Context, Error, Kind, Result};
use crate::evaluate::{Assessment, Truth, assess, read_truth};
use crate::pipeline::PublishedTables;
use crate::report::{Case, Heading, assessment_page, cases_text};

/// The first ids of a part that JSON names.
const IDS_OF_PART: usize = 3;

/// Score the published identities against a known truth, and show where they are wrong.
///
/// The truth is a CSV file with the header `record_id,cluster_id` (rows of an export),
/// `event_id,person_id` (events), or `CLUSTER_ID,RECORD_ID,DATA_SOURCE` (as the keys of Senzing's
/// truth sets), where a data source is the name of a source or channel of the pipeline. What the
/// truth names is scored: pairwise, B-cubed and exact-cluster precision, recall and F1, pairs by
/// channel, and clusters by size. What it does not name is left out; what is not published counts
/// as a cluster of one.
///
/// The worst mistakes are listed with the evidence of the pair that decided. That takes the state,
/// so the job must not be running; without it, they are listed without. Text and JSON show ids and
/// weights, but no value of a record. The page of `--html` shows the records side by side, so it
/// holds personal values: keep it where you keep those.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// The truth.
    #[arg(long, value_name = "CSV")]
    truth: PathBuf,

    /// Print everything as JSON.
    #[arg(long)]
    json: bool,

    /// Also write an error analysis to this file, as a page that stands alone. It holds personal
    /// values.
    #[arg(long, value_name = "PAGE")]
    html: Option<PathBuf>,

    /// How many of the worst false merges, and of the worst missed ones, are listed; 0 leaves the
    /// state alone.
    #[arg(long, value_name = "N", default_value_t = 5)]
    errors: usize,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load_without_sources()?;
    let truth = read_truth(&arguments.truth)?;
    let tables = PublishedTables::open(&plan.publish, settings(&plan))?;
    let found = assess(&tables.placed(truth.kind)?, &truth, arguments.errors);
    check_fits(&plan, &truth, &found)?;

    let worst = &found.mistakes.worst;
    let (cases, without) = match worst.is_empty() {
        true => (Vec::new(), None),
        false => evidence::gather(&plan, worst)?,
    };
    if let Some(page) = &arguments.html {
        let heading = Heading {
            pipeline: plan.name.clone(),
            truth: arguments.truth.display().to_string(),
            without_evidence: without.clone(),
        };
        write(page, &assessment_page(&heading, &found, &cases))?;
    }
    if arguments.json {
        let text = serde_json::to_string(&as_json(&found, &cases, without.as_deref())?)
            .context(Kind::Internal, "write scores as JSON")?;
        output::say(&text)?;
    } else {
        output::say(&as_text(&found, &cases, without.as_deref(), arguments.html.as_deref()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A truth of which nothing is published is the truth of something else.
fn check_fits(plan: &Plan, truth: &Truth, found: &Assessment) -> Result<()> {
    if found.unpublished < truth.rows.len() || truth.rows.is_empty() {
        return Ok(());
    }
    let (id, _, source) = truth.kind.columns();
    let remedy = match source {
        None => format!("check that the column {id} holds what the pipeline calls so"),
        Some(source) => {
            let names: Vec<&str> = plan.sources.iter().map(|source| &*source.name).collect();
            format!("the column {source} names sources or channels; there are {}", names.join(", "))
        }
    };
    Err(Error::invalid(format!("none of the truth's ids is published: {remedy}")))
}

fn write(page: &Path, text: &str) -> Result<()> {
    fs::write(page, text).context(Kind::Invalid, format!("write page {}", page.display()))
}

fn as_text(
    found: &Assessment,
    cases: &[Case<'_>],
    without: Option<&str>,
    page: Option<&Path>,
) -> String {
    let mut text = found.to_string();
    if !cases.is_empty() {
        text += &format!("\n\n{}", cases_text(&found.mistakes, cases));
    }
    if let Some(reason) = without {
        text += &format!("\n\nWithout their evidence: {reason}");
    }
    if let Some(page) = page {
        text += &format!("\n\nError analysis, with personal values: {}", page.display());
    }
    text
}

/// Everything but values of records.
fn as_json(found: &Assessment, cases: &[Case<'_>], without: Option<&str>) -> Result<Value> {
    let mut json = serde_json::to_value(found).context(Kind::Internal, "write scores as JSON")?;
    json["false_merges"] = json!(found.mistakes.false_merges);
    json["missed_merges"] = json!(found.mistakes.missed_merges);
    json["errors"] = cases.iter().map(case_json).collect();
    json["without_evidence"] = json!(without);
    Ok(json)
}

fn case_json(case: &Case<'_>) -> Value {
    let mistake = case.mistake;
    let parts: Vec<Value> = mistake
        .parts
        .iter()
        .map(|part| {
            let ids = part.members.iter().take(IDS_OF_PART).map(|member| &member.id);
            json!({
                "cluster": part.cluster,
                "records": part.members.len(),
                "ids": ids.collect::<Vec<_>>(),
            })
        })
        .collect();
    let decisive = case.decisive.as_ref().map(|pair| {
        let fields: Vec<Value> = pair
            .lines
            .iter()
            .map(|line| json!({ "field": line.field, "level": line.level, "bits": line.bits }))
            .collect();
        json!({
            "ids": pair.ids,
            "record_keys": pair.records,
            "one_record": pair.is_one_record(),
            "fields": fields,
            "prior_bits": pair.prior_bits,
            "household_bits": pair.household_bits(),
            "weight_bits": pair.weight_bits,
            "threshold_bits": pair.threshold_bits,
            "rules": pair.rules,
        })
    });
    json!({
        "kind": mistake.kind,
        "cluster": mistake.cluster,
        "records": mistake.records(),
        "wrong_pairs": mistake.wrong_pairs,
        "share": mistake.share,
        "parts": parts,
        "decisive": decisive,
    })
}
