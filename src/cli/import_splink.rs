//! `onefold import-splink`: a model of Splink's, as one of ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use super::output;
use crate::error::{Context, Error, Kind, Result};
use crate::splink::import;

/// Make a model file of a model that was trained with Splink.
///
/// Reads the JSON that Splink 3, 4 or 5 saves (linker.misc.save_model_to_json), and takes over its comparisons, their m
/// and u, the prior and the blocking rules, so that a pair weighs what it weighs there. Says line by line what became of
/// each part, and why, where a part has no counterpart; a `~` marks those. Values are compared as Onefold normalises
/// them. Columns are recognised by common names (first_name, surname, dob, postcode ...); others become fields of your
/// own, which the pipeline file declares as the report says.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Splink's settings or model file (JSON).
    #[arg(value_name = "SETTINGS.json")]
    settings: PathBuf,

    /// Where the model file goes.
    #[arg(long, value_name = "MODEL.json")]
    out: PathBuf,

    /// The field that a column is, e.g. `full_dob=birth_date`; may be given several times.
    #[arg(long = "column", value_name = "COLUMN=FIELD", value_parser = column)]
    columns: Vec<(String, String)>,
}

fn column(text: &str) -> Result<(String, String), String> {
    let (column, field) = text.split_once('=').ok_or("write it as COLUMN=FIELD")?;
    if column.is_empty() || field.is_empty() {
        return Err("write it as COLUMN=FIELD".into());
    }
    Ok((column.to_owned(), field.to_owned()))
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let file = arguments.settings.display();
    let text = fs::read_to_string(&arguments.settings)
        .map_err(|error| Error::invalid(format!("{file}: cannot be read")).caused_by(error))?;
    let columns: BTreeMap<String, String> = arguments.columns.iter().cloned().collect();
    let import = import(&text, &columns).map_err(|error| error.context(file.to_string()))?;
    let out = arguments.out.display();
    fs::write(&arguments.out, import.model.to_json())
        .context(Kind::Unavailable, format!("--out {out}: write model file"))?;
    let mark = |mapped: bool| if mapped { " " } else { "~" };
    let mut lines: Vec<String> =
        import.notes.iter().map(|note| format!("{} {}", mark(note.mapped), note.text)).collect();
    let parameters = &import.model.parameters;
    lines.push(String::new());
    lines.push(format!(
        "{out}: {} fields, {} blocking rules, prior {:+.2} bits; records are merged from {:+.2} bits \
         (match.threshold_bits changes that). Use it as: [match] model = \"{out}\"",
        import.model.used().count(),
        import.model.rules.len(),
        parameters.prior_bits,
        parameters.threshold_bits,
    ));
    output::say(&lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
