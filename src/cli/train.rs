//! `onefold train`: learn a model from records without labels.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::{Context, Kind, Result};
use crate::evaluate::{read_truth, score};
use crate::pipeline::{Gathered, gather};
use crate::score::Model;
use crate::train::{Settings, Trained, train};

/// Learn a model from records, without labels.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// Where the model goes.
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,

    /// A truth file to compare the expected precision with.
    #[arg(long, value_name = "CSV")]
    truth: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    let gathered = gather(&plan)?;
    let records: Vec<_> = gathered.records.iter().map(|(k, v)| (*k, v.clone())).collect();
    let base = Model::default_with(records.len() as f64 / 4.0);
    let clock = crate::clock::Stopwatch::start();
    let trained = train(&base, records.clone(), &Settings::default())?;
    output::say(&format!("trained in {:.1} s", clock.elapsed().as_secs_f64()))?;
    let path = arguments.out.display();
    fs::write(&arguments.out, trained.model.to_json())
        .context(Kind::Unavailable, format!("--out {path}: write the model"))?;
    output::say(&summary(&trained))?;
    if let Some(truth) = &arguments.truth {
        compare(&gathered, &trained, truth)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(trained: &Trained) -> String {
    let report = &trained.report;
    let p = &trained.model.parameters;
    let mut s = format!(
        "{} records, {} candidates, {} customers; prior {:.2} household {:.2} threshold {:.1}\n",
        report.records,
        report.candidates,
        report.customers,
        p.prior_bits,
        p.household_bits,
        p.threshold_bits
    );
    for x in &report.sessions {
        s += &format!("{} {} {:.0} {}\n", x.rule, x.pairs, x.matches, x.rounds);
    }
    s
}

fn compare(gathered: &Gathered, trained: &Trained, truth: &PathBuf) -> Result<()> {
    let truth = read_truth(truth)?;
    for expected in &trained.report.expected {
        let clusters = trained.report.clusters_at(expected.threshold_bits);
        let of: BTreeMap<_, _> = clusters.into_iter().collect();
        let predicted: Vec<(String, String)> = gathered
            .references
            .iter()
            .map(|(id, key)| (id.to_string(), of[key].to_string()))
            .collect();
        let scores = score(&predicted, &truth.rows);
        output::say(&format!(
            "{:+.1}  expected P {:.4} R {:.4}  true P {:.4} R {:.4} F1 {:.4}  B3 {:.4} exact {:.4}",
            expected.threshold_bits,
            expected.precision,
            expected.recall,
            scores.pairwise.precision,
            scores.pairwise.recall,
            scores.pairwise.f1,
            scores.bcubed.f1,
            scores.exact.f1
        ))?;
    }
    Ok(())
}
