//! What do two records say, term by term?

use serde::Serialize;

use crate::record::{Field, Identity};
use crate::score::{Evidence, Model};

/// What two records say about being of one person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The fields that at least one of them has, in the order of the model.
    pub fields: Vec<FieldTerm>,
    /// What they come to.
    #[serde(flatten)]
    pub sum: Sum,
    /// Whether names or address lines agree crosswise.
    pub swapped: bool,
    /// Whether they can never be one person, whatever else they say.
    pub is_conflict: bool,
}

/// What one field says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldTerm {
    /// The field.
    pub field: Field,
    /// The normalised values.
    pub left: Option<String>,
    #[expect(missing_docs, reason = "as `left`")]
    pub right: Option<String>,
    /// The level of agreement, 1 the best; 0 where a value is missing.
    pub level: u8,
    /// The level in words.
    pub label: String,
    /// The match weight of the field in bits, against a stranger.
    pub bits: f64,
    /// What the bits are made of; they add up.
    pub parts: Vec<Part>,
    /// About how many people seem to use the value that both have, for identifiers that people share.
    pub people: Option<f64>,
    /// The weight of the field in bits, against a household mate.
    pub household_bits: f64,
}

/// A part of a field's bits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Which.
    pub kind: PartKind,
    /// How much.
    pub bits: f64,
}

/// What a part of a field's bits is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// The level of agreement: log2(m / u).
    Level,
    /// How common the value is, beside the average value.
    Frequency,
    /// An exact agreement on an identifier, by how many people seem to use it.
    Sharing,
    /// What the names of the two already say, taken off similar e-mails.
    Names,
    /// Names that stand crosswise.
    Swap,
}

/// How terms come to a match weight. **Units:** bits, log2 odds.
///
/// `prior_bits` + the fields' `bits` = `stranger_bits`; `household_prior_bits` + the fields'
/// `household_bits` = `household_bits`; both together make the weight, and `stranger_bits` +
/// `discount_bits` = `weight_bits`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sum {
    /// That two random records are of one person.
    pub prior_bits: f64,
    /// That two random records are of one person and not of two who share a household.
    pub household_prior_bits: f64,
    /// One person against two strangers.
    pub stranger_bits: f64,
    /// One person against two household mates.
    pub household_bits: f64,
    /// What household mates take off, and what lies above 60 bits.
    pub discount_bits: f64,
    /// The match weight.
    pub weight_bits: f64,
    /// Groups merge from here.
    pub threshold_bits: f64,
}

impl Sum {
    /// The sum of terms (bits, household bits) under a model.
    pub(super) fn of(terms: impl Iterator<Item = (f64, f64)>, model: &Model) -> Self {
        let parameters = &model.parameters;
        let (mut stranger, mut household) = (parameters.prior_bits, parameters.household_bits);
        for (bits, household_bits) in terms {
            stranger += bits;
            household += household_bits;
        }
        let weight = Model::posterior(stranger, household);
        Self {
            prior_bits: parameters.prior_bits,
            household_prior_bits: parameters.household_bits,
            stranger_bits: stranger,
            household_bits: household,
            discount_bits: weight - stranger,
            weight_bits: weight,
            threshold_bits: parameters.threshold_bits,
        }
    }
}

impl Pair {
    /// The terms of some evidence. `people(field)` says how many people use the value that both have.
    pub(super) fn of(
        left: &Identity,
        right: &Identity,
        evidence: &Evidence,
        model: &Model,
        people: impl Fn(Field) -> f64,
    ) -> Self {
        let there = |field: &Field| left.value(*field).is_some() || right.value(*field).is_some();
        let term = |field: Field| {
            let parts = parts(field, evidence, model);
            let spoken = evidence.levels[field as usize] > 0;
            let bits = evidence.bits[field as usize];
            let household = |bits| model.field(field).household_evidence(bits);
            FieldTerm {
                field,
                left: left.value(field).map(Into::into),
                right: right.value(field).map(Into::into),
                level: evidence.levels[field as usize],
                label: label(field, left, right, evidence, model),
                bits,
                people: parts
                    .iter()
                    .any(|part| part.kind == PartKind::Sharing)
                    .then(|| people(field)),
                parts,
                household_bits: if spoken { household(bits) } else { 0.0 },
            }
        };
        let fields: Vec<FieldTerm> = Field::ALL.into_iter().filter(there).map(term).collect();
        let sum = Sum::of(fields.iter().map(|term| (term.bits, term.household_bits)), model);
        Self { fields, sum, swapped: evidence.swapped, is_conflict: evidence.is_conflict() }
    }
}

/// What a field's bits are made of.
fn parts(field: Field, evidence: &Evidence, model: &Model) -> Vec<Part> {
    let (level, of_field) = (evidence.levels[field as usize], model.field(field));
    let mut rest = evidence.bits[field as usize];
    let mut parts = Vec::new();
    if evidence.swapped && field == Field::Given && model.parameters.swap_bits != 0.0 {
        rest -= model.parameters.swap_bits;
        parts.push(Part { kind: PartKind::Swap, bits: model.parameters.swap_bits });
    }
    // Where a given name is missing, crosswise bits may stand there all the same.
    if level == 0 {
        return parts;
    }
    if level == 1 && of_field.sharing.is_some() {
        parts.insert(0, Part { kind: PartKind::Sharing, bits: rest });
        return parts;
    }
    let of_level = of_field.level_bits(level);
    parts.insert(0, Part { kind: PartKind::Level, bits: of_level });
    let adjusted = rest - of_level;
    if adjusted != 0.0 {
        let kind = if field == Field::Email { PartKind::Names } else { PartKind::Frequency };
        parts.insert(1, Part { kind, bits: adjusted });
    }
    parts
}

/// The level in words.
fn label(
    field: Field,
    left: &Identity,
    right: &Identity,
    evidence: &Evidence,
    model: &Model,
) -> String {
    let level = evidence.levels[field as usize];
    let mut label = level_label(field, level, model);
    if evidence.swapped && level > 0 && is_swappable(field) {
        label.push_str(", crosswise");
    } else if level == 4 && matches!(field, Field::Given | Field::Surname) {
        let among = |value: Option<&str>, other: &Identity| {
            value.is_some_and(|value| other.name_tokens.iter().any(|token| **token == *value))
        };
        if among(left.value(field), right) || among(right.value(field), left) {
            label = "among the other's further names".into();
        }
    }
    label
}

fn is_swappable(field: Field) -> bool {
    crate::score::SWAPPABLE.iter().any(|(first, second)| [*first, *second].contains(&field))
}

/// A level in words.
pub(super) fn level_label(field: Field, level: u8, model: &Model) -> String {
    match usize::from(level).checked_sub(1) {
        None => "missing".into(),
        Some(index) => model.field(field).levels.get(index).cloned().unwrap_or_default(),
    }
}
