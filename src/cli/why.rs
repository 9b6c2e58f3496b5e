//! `onefold why`: why do two records belong together, or not?

use std::process::ExitCode;

use super::{PipelineFile, output};
use crate::error::Result;
use crate::pipeline::{Why, inspect};
use crate::record::Field;
use crate::score::Model;

/// Explain why two records belong together, or do not: the evidence in bits, field by field.
///
/// A record is named by one of its events (`event id`, or `channel:id`), by its source's row key
/// (`id`, or `source:id`), or by its record key. Reads the state, so the job must not be running.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pipeline: PipelineFile,

    /// A record.
    #[arg(value_name = "A")]
    left: String,

    /// Another one.
    #[arg(value_name = "B")]
    right: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let plan = arguments.pipeline.load()?;
    let inspection = inspect(&plan)?;
    let find = |name: &str, reference: &str| {
        inspection.find(reference).map_err(|error| error.context(name.to_owned()))
    };
    let (left, right) = (find("A", &arguments.left)?, find("B", &arguments.right)?);
    let why = inspection.why(left, right)?;
    output::say(&explanation(&why, inspection.model()))?;
    Ok(ExitCode::SUCCESS)
}

/// The explanation as text.
fn explanation(why: &Why, model: &Model) -> String {
    let [left, right] = &why.records;
    let together = left.belongs_to.is_some() && left.belongs_to == right.belongs_to;
    let name =
        |id: Option<crate::record::IdentityId>| id.map_or("none".into(), |id| id.to_string());
    let mut lines = vec![
        if left.record == right.record {
            format!("one record: the same content is the same record ({})", name(left.belongs_to))
        } else if together {
            format!("together: both belong to identity {}", name(left.belongs_to))
        } else {
            format!("apart: identities {} and {}", name(left.belongs_to), name(right.belongs_to))
        },
        String::new(),
        format!("{:<14} {:<26} {:<26} {:>7}  level", "field", "A", "B", "bits"),
    ];
    let mut evidence_bits = 0.0;
    for field in Field::ALL {
        let (a, b) = (left.identity.value(field), right.identity.value(field));
        if a.is_none() && b.is_none() {
            continue;
        }
        let bits = why.evidence.bits[field as usize];
        evidence_bits += bits;
        let (a, b) = (a.unwrap_or("–"), b.unwrap_or("–"));
        let label = level_label(why, model, field);
        lines.push(format!(
            "{:<14} {a:<26} {b:<26} {bits:>+7.2}  {label}",
            model.field(field).name()
        ));
    }
    lines.push(String::new());
    lines.push(format!("{:>+8.2}  evidence of the fields", evidence_bits));
    lines.push(format!(
        "{:>+8.2}  prior: two records are rarely one customer",
        model.parameters.prior_bits
    ));
    let stranger = evidence_bits + model.parameters.prior_bits;
    lines.push(format!("{:>+8.2}  the household discount", why.weight_bits - stranger));
    lines.push(format!(
        "{:>+8.2}  match weight of the pair; groups merge from {:+.2}",
        why.weight_bits, model.parameters.threshold_bits
    ));
    lines.push(String::new());
    lines.push(if why.rules.is_empty() {
        "no blocking rule brings them together: only a third record can".into()
    } else {
        format!("they meet under: {}", why.rules.join(", "))
    });
    lines.join("\n")
}

fn level_label(why: &Why, model: &Model, field: Field) -> String {
    let level = why.evidence.levels[field as usize];
    if level == 0 {
        return "missing: says nothing".into();
    }
    let mut label = model.field(field).label(level);
    let people = why.people.iter().find(|(of, _)| *of == field).map(|(_, people)| *people);
    if let Some(people @ 2.0..) = people.filter(|_| model.is_identifier(field)) {
        label += &format!(", used by about {people:.0} people");
    }
    if why.evidence.swapped && matches!(field, Field::Given | Field::Surname) {
        label += ", crosswise";
    }
    label
}
