//! What has to be known beforehand to weigh evidence: the frozen model.
//!
//! A model is data: m and u per level, term frequencies, the priors, what is common in e-mail addresses. It is
//! written as JSON and never changes under a state. [`Model::default_with`] is usable untrained.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::built_in;
use super::email::EmailParts;
use super::field::FieldModel;
use crate::block::{self, RULES_MAX, Rule};
use crate::error::{Error, Result};
use crate::normalise::lexicon;
use crate::record::{Field, Identity};

/// A frozen model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The format's version.
    pub version: u32,
    /// Where the model comes from, for people.
    pub provenance: String,
    /// What it was trained on; missing in a model that was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// Numbers that are not of one field.
    pub parameters: Parameters,
    /// One entry a field, in the order of [`Field::ALL`]; a file leaves out those that are not compared.
    #[serde(with = "super::field::list")]
    pub fields: Vec<FieldModel>,
    /// Pairs of fields whose values people exchange: a pair of records is also compared crosswise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swaps: Vec<(Field, Field)>,
    /// Groups of fields that are never all different for one person: no other evidence joins two records that disagree
    /// on every field of a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Vec<Field>>,
    /// Under which keys records meet; two that share none are never compared.
    pub rules: Vec<Rule>,
    /// What is common in e-mail addresses.
    pub email: EmailModel,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// What a trained model was made from, and what it expects of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Records that were learnt from.
    pub records: u64,
    /// About how many customers they speak of.
    pub customers: u64,
    /// The threshold that it chose, in bits.
    pub threshold_bits: f64,
    /// Where it lets the candidate graph start, in bits; models of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge_bits: Option<f64>,
    /// What it expects of the thresholds that it could choose from, ascending.
    pub expected: Vec<Expected>,
}

/// What is expected of the clusters at one threshold, without labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Merges stop below this match weight, in bits.
    pub threshold_bits: f64,
    /// The share of right pairs of records among those joined, 0 to 1.
    pub precision: f64,
    /// The share of the right pairs that are joined, of those that the lowest threshold joins, 0 to 1.
    pub recall: f64,
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
    /// How much likelier, in bits, two people agree on both names than if given names and surnames were independent:
    /// names of one language go together.
    #[serde(default)]
    pub name_pairing_bits: f64,
    /// How many bits each identifier takes off with every doubling of the pairs of records that have it, where two groups
    /// have no identifier in common: namesakes go on using different ones, one customer sooner or later repeats one.
    #[serde(default)]
    pub apart_bits: f64,
    /// How much firmer than its weight says an identifier in common links two records, in bits, where a component over
    /// its cap is split: the links of namesakes fall first.
    #[serde(default)]
    pub identifier_link_bits: f64,
    /// A record with an e-mail address and no name bears the two names that the address spells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_from_email: bool,
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
    pub const VERSION: u32 = 2;

    /// [`Parameters::household_bits`] of a model without household mates: the weight against strangers is all there is.
    pub const NO_HOUSEHOLDS_BITS: f64 = 1000.0;

    /// The built-in model for about so many customers.
    ///
    /// Only names, dates and addresses feel the number: the weights of shared identifiers contain −prior.
    pub fn default_with(expected_customers: f64) -> Self {
        let customers = expected_customers.max(2.0);
        Self {
            version: Self::VERSION,
            provenance: "built in".into(),
            training: None,
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
                name_pairing_bits: 0.0,
                apart_bits: 0.25,
                identifier_link_bits: 4.0,
                names_from_email: false,
            },
            fields: built_in::fields(),
            swaps: vec![(Field::Given, Field::Surname), (Field::Street, Field::Street2)],
            conflicts: vec![vec![Field::BirthDate, Field::Gender, Field::Given]],
            rules: block::built_in(),
            email: EmailModel::built_in(customers),
        }
    }

    /// Reads a model file.
    ///
    /// **Errors:** `Invalid` when it is not a model, of another version, or its tables do not fit the fields.
    pub fn from_json(text: &str) -> Result<Self> {
        let not_a_model =
            |error| Error::invalid("model file is not a model of this program").caused_by(error);
        // What a model of another version holds is not ours to complain about.
        let Versioned { version } = serde_json::from_str(text).map_err(not_a_model)?;
        if version != Self::VERSION {
            return Err(Error::invalid(format!(
                "model version {version} is not {}: train or import it again with this program",
                Self::VERSION
            )));
        }
        let model: Self = serde_json::from_str(text).map_err(not_a_model)?;
        model.validate()?;
        Ok(model)
    }

    /// Writes a model file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a model has only string keys and finite numbers")
    }

    pub(super) fn validate(&self) -> Result<()> {
        for (index, model) in self.fields.iter().enumerate() {
            if let Some(problem) = model.problem() {
                return Err(Error::invalid(format!("model field {}: {problem}", model.name())));
            }
            let same = |other: &FieldModel| other.name() == model.name();
            if self.fields[..index].iter().any(same) {
                return Err(Error::invalid(format!(
                    "model field {}: the name is given twice",
                    model.name()
                )));
            }
        }
        if self.rules.is_empty() || self.rules.len() > RULES_MAX {
            return Err(Error::invalid(format!("model rules: give 1 to {RULES_MAX}")));
        }
        for rule in &self.rules {
            if let Some(problem) = rule.problem() {
                return Err(Error::invalid(format!("model rule \"{}\": {problem}", rule.name)));
            }
            let is_used = |field: &Field| self.field(*field).is_used();
            let is_missing = |field: &Field| field.is_custom() && !is_used(field);
            if let Some(field) = rule.fields().find(is_missing) {
                return Err(Error::invalid(format!(
                    "model rule \"{}\": the model has no field {}",
                    rule.name,
                    field.name()
                )));
            }
        }
        Ok(())
    }

    /// What the model knows of a field.
    pub fn field(&self, field: Field) -> &FieldModel {
        &self.fields[field as usize]
    }

    /// The fields that a record may have a value in.
    pub fn used(&self) -> impl Iterator<Item = &FieldModel> {
        self.fields.iter().filter(|field| field.is_used())
    }

    /// Whether one value of a field points at one customer, or a few who share it.
    pub fn is_identifier(&self, field: Field) -> bool {
        self.field(field).identifier
    }

    /// The precision that the model expects at its threshold, 0 to 1; `None` where it was not trained, or its threshold is
    /// above all that it looked at.
    pub fn expected_precision(&self) -> Option<f64> {
        let expected = &self.training.as_ref()?.expected;
        let threshold = self.parameters.threshold_bits;
        expected.iter().find(|e| e.threshold_bits >= threshold - 1e-9).map(|e| e.precision)
    }

    /// The content that is compared: a record without a name bears the one that its e-mail address spells, where the
    /// model says so and the lexicon knows both names.
    pub fn completed<'a>(&self, identity: &'a Identity) -> Cow<'a, Identity> {
        let nameless = [Field::Given, Field::Surname].iter().all(|f| identity.value(*f).is_none());
        let email = identity.value(Field::Email).filter(|email| self.hears(Field::Email, email));
        let Some(email) = email.filter(|_| self.parameters.names_from_email && nameless) else {
            return Cow::Borrowed(identity);
        };
        let parts = EmailParts::of(email, &self.email);
        let Some([left, right]) = parts.spelt() else { return Cow::Borrowed(identity) };
        // Not what the model has learnt: training compares the same contents, before it has learnt anything.
        let share = |share: Option<f64>| share.unwrap_or_default();
        let odds = |given: &str, surname: &str| {
            share(lexicon::given_share(given)) * share(lexicon::surname_share(surname))
        };
        let (straight, crossed) = (odds(left, right), odds(right, left));
        if straight.max(crossed) <= 0.0 {
            return Cow::Borrowed(identity);
        }
        let (given, surname) = if straight >= crossed { (left, right) } else { (right, left) };
        let mut completed = identity.clone();
        completed.set(Field::Given, given);
        completed.set(Field::Surname, surname);
        Cow::Owned(completed)
    }

    /// The content that is compared: completed, and without the values that say nothing.
    pub fn heard(&self, identity: &Identity) -> Identity {
        let completed = self.completed(identity);
        let heard = completed.values.iter().filter(|(field, value)| self.hears(*field, value));
        Identity { values: heard.cloned().collect(), name_tokens: completed.name_tokens.clone() }
    }

    /// Whether a value says anything: its field is used, and the value is not blocked.
    pub fn hears(&self, field: Field, value: &str) -> bool {
        let of_field = self.field(field);
        of_field.is_used() && !of_field.blocked.contains_key(value)
    }

    /// The weight in bits of an exact agreement on an identifier value that `people` people seem to use.
    pub fn shared_bits(&self, sharing: f64, people: f64) -> f64 {
        -self.parameters.prior_bits - (sharing + people - 1.0).log2()
    }

    /// The match weight in bits of match against stranger and household mate together, from the two log odds.
    pub fn posterior(stranger_bits: f64, household_bits: f64) -> f64 {
        if household_bits >= Self::NO_HOUSEHOLDS_BITS / 2.0 {
            return stranger_bits;
        }
        let against = |bits: f64| (-bits.clamp(-60.0, 60.0)).exp2();
        -(against(stranger_bits) + against(household_bits)).log2()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Level;

    fn changed(change: impl Fn(&mut Model)) -> Result<Model> {
        let mut model = Model::default_with(1000.0);
        change(&mut model);
        Model::from_json(&model.to_json())
    }

    /// A custom field that is whole.
    fn passport() -> FieldModel {
        FieldModel {
            name: Some("passport".into()),
            levels: vec![Level::Exact, Level::Otherwise],
            m: vec![0.9, 0.1],
            u: vec![0.001, 0.999],
            ..FieldModel::unused(Field::Custom3)
        }
    }

    #[test]
    fn a_model_is_read_as_it_is_written() {
        let model = Model::default_with(1000.0);
        assert_eq!(Model::from_json(&model.to_json()).unwrap(), model);
        assert!(!model.to_json().contains("custom"), "what nobody uses is not written");
        let read = changed(|model| model.fields[Field::Custom3 as usize] = passport()).unwrap();
        assert_eq!(read.field(Field::Custom3), &passport());
        assert_eq!(read.used().count(), Field::COUNT - Field::CUSTOM.len() + 1);
        assert!(read.hears(Field::Custom3, "x") && !read.hears(Field::Custom2, "x"));
    }

    #[test]
    fn a_model_that_cannot_be_used_is_refused() {
        type Change = fn(&mut Model);
        let cases: [(&str, Change); 9] = [
            ("version 1 is not 2: train", |model| model.version = 1),
            ("not a model", |model| model.fields.swap(0, 1)),
            ("given: m and u must have 6", |model| model.fields[0].m.truncate(5)),
            ("given: m and u must lie", |model| model.fields[0].u[2] = 0.0),
            ("given: the last level", |model| model.fields[0].levels[5] = Level::Exact),
            ("tel: has no other name", |model| model.fields[4].name = Some("tel".into())),
            ("custom3: give a `name`", |model| {
                model.fields[20] = FieldModel { name: None, ..passport() };
            }),
            ("rules: give 1 to 200", |model| model.rules.clear()),
            ("has no field custom3", |model| {
                model.rules[0].key = vec!["custom3".parse().unwrap()];
            }),
        ];
        for (words, change) in cases {
            let error = changed(change).unwrap_err().to_string();
            assert!(error.contains(words), "{error}: {words}");
        }
    }
}
