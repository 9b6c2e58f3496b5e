//! What does a model of Splink's say, as one of ours?
//!
//! `settings or model JSON → comparisons, blocking rules, prior → Model and a report, line by line`
//!
//! Each level's condition is SQL; `sql` reads it, `level` finds its counterpart. Levels keep their order, m and u,
//! so that a pair's match weight is Splink's: the prior's bits and log2(m / u) of each comparison, nothing else. What
//! does not map is told, never guessed. **Not there:** term frequencies, which such a file does not hold.
//!
//! **Source:** the JSON of `linker.misc.save_model_to_json`, Splink 3 to 5.

mod columns;
mod level;
mod rule;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::record::Field;
use crate::score::{FieldModel, Level, Model};

use columns::Columns;
use level::Meaning;

/// What an import made.
#[derive(Clone, Debug)]
pub struct Import {
    /// The model.
    pub model: Model,
    /// What became of each part of the file, in its order.
    pub notes: Vec<Note>,
}

/// What became of a part of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether it means here what it means there.
    pub mapped: bool,
    /// The part and what became of it, and why.
    pub text: String,
}

/// A settings or model file, as far as it matters.
#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(default)]
    probability_two_random_records_match: Option<f64>,
    #[serde(default)]
    comparisons: Vec<Comparison>,
    #[serde(default)]
    blocking_rules_to_generate_predictions: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Comparison {
    #[serde(default)]
    output_column_name: Option<String>,
    #[serde(default)]
    comparison_levels: Vec<ComparisonLevel>,
}

#[derive(Debug, Deserialize)]
struct ComparisonLevel {
    sql_condition: String,
    #[serde(default)]
    is_null_level: bool,
    /// A number, or words where the level was never seen.
    #[serde(default)]
    m_probability: Option<Value>,
    #[serde(default)]
    u_probability: Option<Value>,
    #[serde(default)]
    tf_adjustment_column: Option<String>,
}

/// A probability of none or all is written as nearly so: its logarithm must be finite.
const LEAST: f64 = 1e-12;
/// Splink's own default.
const PRIOR: f64 = 0.0001;

/// Makes a model of a file's text. `names` are the fields that columns stand for, where their names do not say it.
///
/// **Errors:** `Invalid` where the text is no such file, or no comparison of it maps.
pub fn import(text: &str, names: &BTreeMap<String, String>) -> Result<Import> {
    let settings: Settings = serde_json::from_str(text).map_err(|error| {
        Error::invalid("not a settings or model file of Splink's").caused_by(error)
    })?;
    if settings.comparisons.is_empty() {
        return Err(Error::invalid(
            "not a settings or model file of Splink's: it has no `comparisons`; save one with \
             linker.misc.save_model_to_json",
        ));
    }
    let mut importer =
        Importer { columns: Columns::new(names)?, model: bare(&settings), notes: Vec::new() };
    for (index, comparison) in settings.comparisons.iter().enumerate() {
        importer.comparison(index, comparison);
    }
    if importer.model.used().next().is_none() {
        let why: Vec<&str> = importer.notes.iter().map(|note| note.text.as_str()).collect();
        return Err(Error::invalid(format!("no comparison maps:\n{}", why.join("\n"))));
    }
    importer.rules(&settings.blocking_rules_to_generate_predictions);
    // Read again, which checks it.
    let model = Model::from_json(&importer.model.to_json())?;
    Ok(Import { model, notes: importer.notes })
}

/// A model without fields and rules, whose weights are plain sums.
fn bare(settings: &Settings) -> Model {
    let prior = settings.probability_two_random_records_match.unwrap_or(PRIOR);
    let prior = prior.clamp(LEAST, 1.0 - LEAST);
    let prior_bits = (prior / (1.0 - prior)).log2();
    let mut model = Model::default_with((-prior_bits).exp2());
    model.provenance = "imported from Splink".into();
    model.parameters.prior_bits = prior_bits;
    model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
    model.parameters.threshold_bits = 0.0;
    model.parameters.edge_bits = 0.0;
    model.fields = Field::ALL.map(FieldModel::unused).into();
    model.swaps = Vec::new();
    model.conflicts = Vec::new();
    model.rules = Vec::new();
    model
}

/// The levels of one comparison, as far as they map.
#[derive(Default)]
struct Levels {
    levels: Vec<Level>,
    m: Vec<f64>,
    u: Vec<f64>,
    columns: Vec<String>,
    /// What unmapped levels would have had: it goes to the next level that maps.
    rest: (f64, f64),
}

struct Importer {
    columns: Columns,
    model: Model,
    notes: Vec<Note>,
}

impl Importer {
    fn note(&mut self, mapped: bool, text: String) {
        self.notes.push(Note { mapped, text });
    }

    fn comparison(&mut self, index: usize, comparison: &Comparison) {
        let given = comparison.output_column_name.as_deref();
        let name = given.map_or_else(|| format!("number {}", index + 1), str::to_owned);
        let before = self.notes.len();
        let levels = match self.levels(&name, comparison) {
            Ok(levels) => levels,
            Err(why) => return self.note(false, format!("comparison {name}: left out: {why}")),
        };
        let field = match self.columns.field(&levels.columns, &levels.levels) {
            Ok(field) if self.model.field(field).is_used() => {
                let taken = self.model.field(field).name().to_owned();
                let why = format!("{taken} is compared already; name another field with --column");
                return self.note(false, format!("comparison {name}: left out: {why}"));
            }
            Ok(field) => field,
            Err(why) => return self.note(false, format!("comparison {name}: left out: {why}")),
        };
        let model = FieldModel {
            name: self.columns.name(field),
            levels: levels.levels,
            m: levels.m,
            u: levels.u,
            // Agreement says nothing of a household mate: there are none.
            household_share: 1.0,
            ..FieldModel::unused(field)
        };
        let text = format!("comparison {name} -> {}: {} levels", model.name(), model.levels.len());
        self.notes.insert(before, Note { mapped: true, text });
        if let Some(kind) = self.columns.kind(field) {
            let mut text =
                format!("  in the pipeline: [match.field.{}] kind = \"{kind}\"", model.name());
            if let [latitude, longitude] = levels.columns.as_slice() {
                text += &format!(
                    ", and of a source's identity: {} = {{ path = \"/{latitude}\", and = \"/{longitude}\" }}",
                    model.name()
                );
            }
            self.notes.insert(before + 1, Note { mapped: true, text });
        }
        self.model.fields[field as usize] = model;
    }

    fn levels(&mut self, name: &str, comparison: &Comparison) -> Result<Levels, String> {
        let mut levels = Levels::default();
        let mut notes = Vec::new();
        for (number, level) in comparison.comparison_levels.iter().enumerate() {
            let place = format!("  {name}, level {number} ({})", short(&level.sql_condition));
            let meaning = match level::meaning(&level.sql_condition) {
                _ if level.is_null_level => continue,
                Ok(Meaning::Null) => continue,
                meaning => meaning,
            };
            let m = probability(level.m_probability.as_ref());
            let u = probability(level.u_probability.as_ref());
            let (Some(m), Some(u)) = (m, u) else {
                return Err(format!(
                    "level {number} has no m and u: train the model in Splink before it is saved"
                ));
            };
            if level.tf_adjustment_column.is_some() {
                let text = format!(
                    "{place}: term frequencies are not in such a file: every value weighs as the average one"
                );
                notes.push(Note { mapped: false, text });
            }
            match meaning {
                Ok(Meaning::Otherwise) => levels.put(Level::Otherwise, m, u),
                Ok(Meaning::Level(level, columns)) => {
                    if !levels.columns.is_empty() && levels.columns != columns {
                        return Err(format!(
                            "its levels are about different columns ({} and {})",
                            levels.columns.join(", "),
                            columns.join(", ")
                        ));
                    }
                    levels.columns = columns;
                    levels.put(level, m, u);
                }
                Err(why) => {
                    levels.rest = (levels.rest.0 + m, levels.rest.1 + u);
                    let text =
                        format!("{place}: left out: {why}; its m and u go to the level below");
                    notes.push(Note { mapped: false, text });
                }
                Ok(Meaning::Null) => {}
            }
        }
        self.notes.append(&mut notes);
        if levels.columns.is_empty() {
            return Err("none of its levels maps".into());
        }
        if levels.levels.last() != Some(&Level::Otherwise) {
            return Err("its last level is not ELSE".into());
        }
        Ok(levels)
    }
}

impl Levels {
    fn put(&mut self, level: Level, m: f64, u: f64) {
        let (rest_m, rest_u) = std::mem::take(&mut self.rest);
        self.levels.push(level);
        self.m.push((m + rest_m).clamp(LEAST, 1.0 - LEAST));
        self.u.push((u + rest_u).clamp(LEAST, 1.0 - LEAST));
    }
}

/// A probability; words stand where a level was never seen, which is as good as never.
fn probability(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => number.as_f64().filter(|p| (0.0..=1.0).contains(p)),
        Value::String(_) => Some(LEAST),
        _ => None,
    }
}

/// A condition in one line, not too long.
fn short(condition: &str) -> String {
    let line = condition.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 90 {
        return line;
    }
    line.chars().take(87).chain("...".chars()).collect()
}
