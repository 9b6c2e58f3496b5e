//! What has to be known beforehand to weigh evidence: the frozen model.
//!
//! A model is data: m and u per level, term frequencies, the priors, what is common in e-mail addresses. It is
//! written as JSON and never changes under a state. [`Model::default_with`] is usable untrained.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::comparison::comparison;
use crate::error::{Error, Result};
use crate::normalise::lexicon;
use crate::record::Field;

/// A frozen model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The format's version.
    pub version: u32,
    /// Where the model comes from, for people.
    pub provenance: String,
    /// Numbers that are not of one field.
    pub parameters: Parameters,
    /// One entry a field, in the order of [`Field::ALL`].
    pub fields: Vec<FieldModel>,
    /// What is common in e-mail addresses.
    pub email: EmailModel,
}

/// Numbers of the model that are not of one field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// log2 odds that two random records are of one person.
    pub prior_bits: f64,
    /// log2 of (pairs of one person ÷ pairs of household mates).
    pub household_bits: f64,
    /// Merges stop below this match weight.
    pub threshold_bits: f64,
    /// Edges of the candidate graph start at this match weight.
    pub edge_bits: f64,
    /// A component of more records is split again at higher weights.
    pub component_cap: usize,
    /// A block of more records is replaced by its sub-blocks.
    pub block_cap: usize,
    /// The share of the best pair, beside the mean of all, when two groups are compared.
    pub best_share: f64,
    /// How many people the model was made from: the floor of a term frequency is half of one of them.
    pub entities: f64,
    /// The weight of exchanged names or address lines, beside that of their levels.
    pub swap_bits: f64,
}

/// What the model knows of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldModel {
    /// The field.
    pub field: Field,
    /// The levels' labels, for readers; what they mean is fixed by the field.
    pub levels: Vec<String>,
    /// P(level | one person), a level each.
    pub m: Vec<f64>,
    /// P(level | two people), a level each.
    pub u: Vec<f64>,
    /// P(household mates agree as one person would).
    pub household_share: f64,
    /// The least weight of a level; identifiers differ for many reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_bits: Option<f64>,
    /// For shared identifiers: the chance that an agreement is not of one person though one person seems to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<f64>,
    /// How many distinct values of this field one person typically has beside one identifier value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical_values: Option<f64>,
    /// Share of people with a value; empty for fields without term-frequency adjustment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub frequencies: BTreeMap<String, f64>,
    /// The share of a value that `frequencies` does not list; half of one person where this is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted_share: Option<f64>,
}

/// What is common in e-mail addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailModel {
    /// How many addresses it was made from.
    pub addresses: f64,
    /// Share of addresses per domain.
    pub domains: BTreeMap<String, f64>,
    /// Share of an address whose domain is not listed.
    pub other_domain: f64,
    /// Share of addresses per part of the local part that no name explains.
    pub rests: BTreeMap<String, f64>,
    /// Share of people per name token, beyond the built-in frequencies.
    pub names: BTreeMap<String, f64>,
    /// Share of addresses, beyond two, whose local part is of these names and this rest (`anna smith|rest`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub patterns: BTreeMap<String, f64>,
    /// Whether the built-in name frequencies count too.
    pub built_in_names: bool,
}

/// One row of the default table: field, m, u, household share, floor, sharing, typical values.
type Row = (Field, &'static [f64], &'static [f64], f64, Option<f64>, Option<f64>, Option<f64>);

/// Usable untrained; measured: .002–.003 F1 below trained values.
const DEFAULTS: [Row; Field::COUNT] = [
    (
        Field::Given,
        &[0.66, 0.08, 0.10, 0.05, 0.03, 0.08],
        &[0.005, 0.004, 0.003, 0.010, 0.012, 0.966],
        0.02,
        None,
        None,
        None,
    ),
    (
        Field::Surname,
        &[0.74, 0.11, 0.05, 0.02, 0.08],
        &[0.002, 0.001, 0.006, 0.004, 0.987],
        0.85,
        None,
        None,
        None,
    ),
    (
        Field::BirthDate,
        &[0.78, 0.09, 0.05, 0.03, 0.02, 0.03],
        &[0.0001, 0.0006, 0.004, 0.015, 0.02, 0.9603],
        0.01,
        None,
        None,
        Some(2.0),
    ),
    (
        Field::Email,
        &[0.72, 0.06, 0.10, 0.02, 0.10],
        &[0.0001, 0.0005, 0.002, 0.01, 0.9874],
        0.1,
        Some(-1.0),
        Some(0.05),
        Some(5.0),
    ),
    (
        Field::Phone,
        &[0.75, 0.07, 0.18],
        &[0.0001, 0.0002, 0.9997],
        0.35,
        Some(-1.0),
        Some(0.15),
        Some(5.0),
    ),
    (
        Field::GovernmentId,
        &[0.90, 0.07, 0.03],
        &[0.00001, 0.0001, 0.99989],
        0.0,
        Some(-9.0),
        None,
        None,
    ),
    (Field::House, &[0.78, 0.08, 0.14], &[0.015, 0.07, 0.915], 0.95, None, None, None),
    (
        Field::Street,
        &[0.66, 0.12, 0.07, 0.03, 0.12],
        &[0.001, 0.002, 0.006, 0.03, 0.961],
        0.95,
        None,
        None,
        None,
    ),
    (
        Field::Street2,
        &[0.62, 0.12, 0.07, 0.04, 0.15],
        &[0.001, 0.002, 0.006, 0.03, 0.961],
        0.95,
        None,
        None,
        None,
    ),
    (Field::City, &[0.72, 0.10, 0.05, 0.13], &[0.01, 0.01, 0.01, 0.97], 0.95, None, None, None),
    (Field::Region, &[0.93, 0.07], &[0.25, 0.75], 0.95, None, None, None),
    (
        Field::Postcode,
        &[0.68, 0.10, 0.05, 0.05, 0.12],
        &[0.001, 0.004, 0.01, 0.03, 0.955],
        0.95,
        None,
        None,
        Some(4.0),
    ),
    (Field::Gender, &[0.97, 0.03], &[0.5, 0.5], 0.3, None, None, None),
    (Field::Occupation, &[0.85, 0.15], &[0.05, 0.95], 0.1, None, None, None),
    (Field::Loyalty, &[0.9, 0.1], &[0.00001, 0.99999], 0.1, Some(-3.0), Some(0.03), Some(2.0)),
    (Field::Cookie, &[0.35, 0.65], &[0.00001, 0.99999], 0.15, Some(0.0), Some(0.10), Some(20.0)),
    (Field::Device, &[0.4, 0.6], &[0.00001, 0.99999], 0.15, Some(0.0), Some(0.10), Some(8.0)),
    (Field::Card, &[0.5, 0.5], &[0.00001, 0.99999], 0.2, Some(0.0), Some(0.15), Some(6.0)),
];

/// Shares of addresses at the largest free mail providers, for untrained use; rounded, from public usage figures.
const DOMAINS: [(&str, f64); 10] = [
    ("gmail.com", 0.30),
    ("yahoo.com", 0.12),
    ("hotmail.com", 0.10),
    ("outlook.com", 0.06),
    ("icloud.com", 0.05),
    ("aol.com", 0.03),
    ("gmx.de", 0.02),
    ("web.de", 0.02),
    ("live.com", 0.02),
    ("msn.com", 0.01),
];

impl Model {
    /// The format this program writes.
    pub const VERSION: u32 = 1;

    /// The built-in model for about so many customers.
    ///
    /// Only names, dates and addresses feel the number: the weights of shared identifiers contain −prior.
    pub fn default_with(expected_customers: f64) -> Self {
        let customers = expected_customers.max(2.0);
        let fields = DEFAULTS
            .iter()
            .map(|(field, m, u, household_share, floor_bits, sharing, typical_values)| {
                let frequencies = common_names(*field, u[0]);
                FieldModel {
                    field: *field,
                    levels: comparison(*field).iter().map(|level| level.label()).collect(),
                    m: m.to_vec(),
                    u: u.to_vec(),
                    household_share: *household_share,
                    floor_bits: *floor_bits,
                    sharing: *sharing,
                    typical_values: *typical_values,
                    unlisted_share: (!frequencies.is_empty()).then_some(u[0]),
                    frequencies,
                }
            })
            .collect();
        Self {
            version: Self::VERSION,
            provenance: "built in".into(),
            parameters: Parameters {
                prior_bits: -customers.log2(),
                household_bits: 2.0,
                threshold_bits: -3.0,
                edge_bits: -3.0,
                component_cap: 400,
                block_cap: 150,
                best_share: 0.25,
                entities: customers,
                swap_bits: 0.0,
            },
            fields,
            email: EmailModel::built_in(customers),
        }
    }

    /// Reads a model file.
    ///
    /// **Errors:** `Invalid` when it is not a model, of another version, or its tables do not fit the fields.
    pub fn from_json(text: &str) -> Result<Self> {
        let model: Self = serde_json::from_str(text)
            .map_err(|error| Error::invalid("model file is not a model").caused_by(error))?;
        model.validate()?;
        Ok(model)
    }

    /// Writes a model file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a model has only string keys and finite numbers")
    }

    fn validate(&self) -> Result<()> {
        if self.version != Self::VERSION {
            return Err(Error::invalid(format!(
                "model version {} is not {}: train it again with this program",
                self.version,
                Self::VERSION
            )));
        }
        if self.fields.iter().map(|model| model.field).ne(Field::ALL) {
            return Err(Error::invalid("model must have every field once, in order"));
        }
        for model in &self.fields {
            let levels = comparison(model.field).len();
            let probable = |p: &f64| *p > 0.0 && *p < 1.0;
            if model.m.len() != levels || model.u.len() != levels {
                let name = model.field.name();
                return Err(Error::invalid(format!(
                    "model field {name} must have {levels} levels"
                )));
            }
            if !model.m.iter().chain(&model.u).all(probable) {
                let name = model.field.name();
                return Err(Error::invalid(format!(
                    "model field {name}: m and u must lie between 0 and 1"
                )));
            }
        }
        Ok(())
    }

    /// What the model knows of a field.
    pub fn field(&self, field: Field) -> &FieldModel {
        &self.fields[field as usize]
    }

    /// The weight in bits of an exact agreement on an identifier value that `people` people seem to use.
    pub fn shared_bits(&self, sharing: f64, people: f64) -> f64 {
        -self.parameters.prior_bits - (sharing + people - 1.0).log2()
    }

    /// The match weight in bits of match against stranger and household mate together, from the two log odds.
    pub fn posterior(stranger_bits: f64, household_bits: f64) -> f64 {
        let against = |bits: f64| (-bits.clamp(-60.0, 60.0)).exp2();
        -(against(stranger_bits) + against(household_bits)).log2()
    }
}

/// The names that are commoner than the average agreement by chance: to agree on one of them says less. What the
/// built-in lists say of rare names holds for one country only, so those get no more than the average.
fn common_names(field: Field, above: f64) -> BTreeMap<String, f64> {
    let common = match field {
        Field::Given => lexicon::common_given(above),
        Field::Surname => lexicon::common_surnames(above),
        _ => Vec::new(),
    };
    common.into_iter().map(|(name, share)| (name.to_owned(), share)).collect()
}

impl FieldModel {
    /// The weight in bits of a level (1 is the best): `log2(m / u)`, not below the floor. Level 0 says nothing.
    pub fn level_bits(&self, level: u8) -> f64 {
        let Some(index) = usize::from(level).checked_sub(1) else { return 0.0 };
        let bits = (self.m[index] / self.u[index]).log2();
        self.floor_bits.map_or(bits, |floor| bits.max(floor))
    }

    /// How much an agreement of `bits` says against a household mate, in bits.
    pub fn household_evidence(&self, bits: f64) -> f64 {
        let share = self.household_share;
        bits - (share * bits.min(60.0).exp2() + 1.0 - share).log2()
    }
}

impl EmailModel {
    fn built_in(customers: f64) -> Self {
        Self {
            addresses: customers,
            domains: DOMAINS.iter().map(|(domain, share)| ((*domain).into(), *share)).collect(),
            other_domain: 0.002,
            rests: BTreeMap::new(),
            names: BTreeMap::new(),
            patterns: BTreeMap::new(),
            built_in_names: true,
        }
    }

    /// The share of people who bear a name token; `None` where it is not known as a name.
    pub fn name_share(&self, token: &str) -> Option<f64> {
        if token.len() < 3 {
            return None;
        }
        let built_in = || {
            let named =
                lexicon::given_share(token).into_iter().chain(lexicon::surname_share(token));
            named.reduce(f64::max).or_else(|| {
                let formal = lexicon::formal_names(token).iter();
                formal
                    .filter_map(|name| lexicon::given_share(name))
                    .reduce(f64::max)
                    .map(|s| s * 0.1)
            })
        };
        let known = self.names.get(token).copied();
        if self.built_in_names { known.or_else(built_in) } else { known }
    }

    /// Half of one address: the share of what was never seen.
    pub fn floor(&self) -> f64 {
        0.5 / self.addresses
    }
}
