//! What do two records say, term by term?

use serde::Serialize;

use super::weighing::Weighing;
use crate::record::Field;
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
    #[serde(skip)]
    pub field: Field,
    /// Its name in the model.
    #[serde(rename = "field")]
    pub name: String,
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
    /// What the surname already says of the given name: names of one language go together.
    Pairing,
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
        weighing: &Weighing<'_>,
        [left, right]: [usize; 2],
        evidence: &Evidence,
        people: impl Fn(Field) -> f64,
    ) -> Self {
        let model = weighing.model;
        let term = |field: Field| {
            let values = [left, right].map(|at| weighing.value(at, field).map(str::to_owned));
            if values.iter().all(Option::is_none) {
                return None;
            }
            let (parts, of_field) = (parts(field, evidence, model), model.field(field));
            let (level, bits) = (evidence.levels[field as usize], evidence.bits[field as usize]);
            let is_shared = parts.iter().any(|part| part.kind == PartKind::Sharing);
            let [left_value, right_value] = values;
            Some(FieldTerm {
                field,
                name: of_field.name().to_owned(),
                label: label(weighing, [left, right], field, evidence),
                left: left_value,
                right: right_value,
                level,
                bits,
                people: is_shared.then(|| people(field)),
                parts,
                household_bits: if level > 0 { of_field.household_evidence(bits) } else { 0.0 },
            })
        };
        let fields: Vec<FieldTerm> = Field::ALL.into_iter().filter_map(term).collect();
        let sum = Sum::of(fields.iter().map(|term| (term.bits, term.household_bits)), model);
        let is_conflict = evidence.is_conflict(model);
        Self { fields, sum, swapped: evidence.swapped, is_conflict }
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
    if field == Field::Given && evidence.pairing_bits != 0.0 {
        rest -= evidence.pairing_bits;
        parts.push(Part { kind: PartKind::Pairing, bits: evidence.pairing_bits });
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
        let kind = if of_field.beyond_names { PartKind::Names } else { PartKind::Frequency };
        parts.insert(1, Part { kind, bits: adjusted });
    }
    parts
}

/// The level in words.
fn label(
    weighing: &Weighing<'_>,
    records: [usize; 2],
    field: Field,
    evidence: &Evidence,
) -> String {
    let (level, of_field) = (evidence.levels[field as usize], weighing.model.field(field));
    let label = of_field.label(level);
    if level == 0 && records.iter().all(|at| weighing.value(*at, field).is_some()) {
        return "not used: not compared, blocked, or used by too many people".into();
    }
    if evidence.swapped && level > 0 && is_swappable(field, weighing.model) {
        return format!("{label}, crosswise");
    }
    let [left, right] = records;
    let among = |from: usize, to: usize| {
        let tokens = &weighing.identities[to].name_tokens;
        weighing.value(from, field).is_some_and(|it| tokens.iter().any(|token| **token == *it))
    };
    if of_field.borrowed_level == Some(level) && (among(left, right) || among(right, left)) {
        return "among the other's further names".into();
    }
    label
}

fn is_swappable(field: Field, model: &Model) -> bool {
    model.swaps.iter().any(|(first, second)| [*first, *second].contains(&field))
}
