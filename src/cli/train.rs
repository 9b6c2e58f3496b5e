//! `onefold train`: learn a model from records without labels.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{PipelineFile, output, read_instead};
use crate::clock::Stopwatch;
use crate::error::{Context, Kind, Result};
use crate::evaluate::{read_truth, score};
use crate::pipeline::{Gathered, gather, kept_records, learn};
use crate::record::RecordKey;
use crate::report::{CurvePoint, model_page_with_curve, model_table};
use crate::score::Expected;
use crate::train::Trained;

/// Learn a model from records, without labels.
///
/// Reads the files of the pipeline, or with `--from-state` the records that its job keeps, and writes a model file: how
/// likely one customer's records agree on each field and two people's, how common each value is, how likely two records
/// are of one customer at all, and the threshold. Name the file in `[match] model`; a job that has a state is brought
/// under it by `onefold rematch`. A backfill without a model learns the same one by itself.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// Where the model goes.
    #[arg(long, value_name = "MODEL.json")]
    out: PathBuf,

    /// Also write a page with the match weights of every level and the expected precision. It lists common values of
    /// the records.
    #[arg(long, value_name = "PAGE.html")]
    report: Option<PathBuf>,

    /// Files to read instead of those of the pipeline, which must have one source; may be given several times.
    #[arg(long, value_name = "URL")]
    input: Vec<String>,

    /// Learn from the records in the pipeline's state; no job may be running on it.
    #[arg(long, conflicts_with_all = ["input", "truth"])]
    from_state: bool,

    /// Where the truth is known: print beside what is expected of each threshold what it is.
    #[arg(long, value_name = "CSV")]
    truth: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut plan = if arguments.from_state {
        arguments.pipeline.load_without_sources()?
    } else {
        arguments.pipeline.load()?
    };
    read_instead(&mut plan, &arguments.input)?;
    let mut gathered = if arguments.from_state { kept_records(&plan)? } else { gather(&plan)? };
    let clock = Stopwatch::start();
    let trained = learn(&plan, std::mem::take(&mut gathered.records).into_iter().collect())?;
    let seconds = clock.elapsed().as_secs_f64();
    write(&arguments.out, "--out", &trained.model.to_json())?;
    if let Some(page) = &arguments.report {
        write(page, "--report", &page_of(&trained))?;
    }
    let truth = arguments.truth.as_deref().map(|truth| true_scores(&gathered, &trained, truth));
    output::say(&summary(&trained, seconds, truth.transpose()?.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, argument: &str, text: &str) -> Result<()> {
    let path_name = path.display();
    fs::write(path, text).context(Kind::Invalid, format!("{argument} {path_name}: write file"))
}

fn page_of(trained: &Trained) -> String {
    let point = |expected: &Expected| CurvePoint {
        threshold_bits: expected.threshold_bits,
        precision: expected.precision,
        recall: Some(expected.recall),
    };
    let points: Vec<CurvePoint> = expected(trained).iter().map(point).collect();
    model_page_with_curve(&trained.model, &points)
}

fn expected(trained: &Trained) -> &[Expected] {
    trained.model.training.as_ref().map(|training| &*training.expected).unwrap_or_default()
}

/// What is true at each threshold: pairwise precision and recall, F1 over pairs, over records, over clusters.
fn true_scores(gathered: &Gathered, trained: &Trained, truth: &Path) -> Result<Vec<[f64; 5]>> {
    let truth = read_truth(truth)?;
    let at = |expected: &Expected| {
        let clusters: FxHashMap<RecordKey, usize> =
            trained.report.clusters_at(expected.threshold_bits).into_iter().collect();
        let named = |(id, key): &(Arc<str>, RecordKey)| (id.to_string(), clusters[key].to_string());
        let predicted: Vec<(String, String)> = gathered.references.iter().map(named).collect();
        let scores = score(&predicted, &truth.rows);
        let pairs = scores.pairwise;
        [pairs.precision, pairs.recall, pairs.f1, scores.bcubed.f1, scores.exact.f1]
    };
    Ok(expected(trained).iter().map(at).collect())
}

fn summary(trained: &Trained, seconds: f64, truth: Option<&[[f64; 5]]>) -> String {
    let (report, model) = (&trained.report, &trained.model);
    let mut text = format!(
        "{} records, {} candidate pairs, about {} customers; learnt in {seconds:.1} s\n\n",
        output::number(report.records as u64),
        output::number(report.candidates as u64),
        output::number(report.customers as u64),
    );
    text += &format!("{:<36} {:>10} {:>10} {:>7}\n", "blocking rule", "pairs", "matches", "rounds");
    for session in &report.sessions {
        let (pairs, rounds) = (output::number(session.pairs as u64), session.rounds);
        writeln!(text, "{:<36} {pairs:>10} {:>10.0} {rounds:>7}", session.rule, session.matches)
            .expect("a text grows");
    }
    text += "\n";
    text += &model_table(model);
    text += "\n\nthreshold   expected precision   recall";
    if truth.is_some() {
        text += "     true precision   recall   F1 pairs   records   clusters";
    }
    for (at, expected) in expected(trained).iter().enumerate() {
        let chosen = expected.threshold_bits == model.parameters.threshold_bits;
        let (mark, precision) = (if chosen { "→" } else { " " }, expected.precision);
        write!(text, "\n{mark} {:>+7.1}   {precision:>18.3}", expected.threshold_bits)
            .expect("a text grows");
        write!(text, "   {:>6.3}", expected.recall).expect("a text grows");
        if let Some([precision, recall, pairs, records, clusters]) = truth.map(|rows| rows[at]) {
            write!(text, "   {precision:>16.4}   {recall:.4}   {pairs:>8.4}")
                .expect("a text grows");
            write!(text, "   {records:>7.4}   {clusters:>8.4}").expect("a text grows");
        }
    }
    text
}
