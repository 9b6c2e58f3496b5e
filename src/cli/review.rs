//! `onefold review`: what would a person best judge?

use std::path::PathBuf;
use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::{self, Review, Reviewed};
use crate::record::Field;

/// List the pairs of records that a person would best judge.
///
/// Half of the list are decisions nearest the threshold; half those with the largest effect: the pairs of records that
/// the opposite decision would join or part, times the chance that it is right. Two records stand for their groups:
/// judged together they join them, judged apart they part them. What was judged is not listed again.
///
/// With `--out`, write `together` or `apart` into the column `judgement` where you know (and why, into `reason`), leave
/// the others empty, and give the file to `onefold judge PIPELINE import FILE`. Reads the state, so the job must not be
/// running. The list holds personal data.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// How many pairs at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// A file to write instead: .csv, .json or .jsonl.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    let review = pipeline::review(&plan, arguments.limit)?;
    let text = match &arguments.out {
        Some(file) => {
            review.write(file)?;
            format!("{} pairs in {}", output::number(review.pairs.len() as u64), file.display())
        }
        None => as_text(&review),
    };
    output::say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(review: &Review) -> String {
    if review.pairs.is_empty() {
        return "nothing is near the threshold".into();
    }
    let pairs = review.pairs.iter().zip(1..);
    let blocks = pairs.map(|(pair, number)| block(pair, number, review.threshold_bits));
    blocks.collect::<Vec<_>>().join("\n\n")
}

fn block(pair: &Reviewed, number: usize, threshold_bits: f64) -> String {
    let [left, right] = &pair.records;
    let [of_left, of_right] = pair.sizes.map(|size| output::number(size as u64));
    let mut lines = vec![
        format!(
            "{number}. {} at {:+.2} bits (groups merge from {threshold_bits:+.2}); {}",
            pair.decided(),
            pair.weight_bits,
            pair.listed.name()
        ),
        format!("   {:<14} {:<33} {}", "record", left.reference(), right.reference()),
        format!("   {:<14} {of_left:<33} {of_right}", "in a group of"),
    ];
    let mut line = |name: &str, a: Option<&str>, b: Option<&str>| {
        if a.is_some() || b.is_some() {
            let (a, b) = (a.unwrap_or("–"), b.unwrap_or("–"));
            lines.push(format!("   {name:<14} {a:<33} {b}"));
        }
    };
    for field in Field::ALL {
        line(field.name(), left.content.value(field), right.content.value(field));
    }
    let [a, b] = pair.records.each_ref().map(|record| record.content.name_tokens.join(" "));
    line("other names", (!a.is_empty()).then_some(&*a), (!b.is_empty()).then_some(&*b));
    lines.join("\n")
}
