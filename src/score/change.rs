//! What does a pipeline file change of a model?
//!
//! Fields of one's own and changes of the built-in ones, blocking rules, and whether a source holds each customer once.
//! A model file that was trained with such changes holds them already: what it learned then stays.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::field::{Exclusive, FieldModel};
use super::level::Level;
use super::model::Model;
use crate::block::{self, Part, Rule};
use crate::error::{Error, Result};
use crate::normalise::Kind;
use crate::record::Field;

/// The name of the field that says which source, where a source holds each customer once.
pub const ONE_PER_SOURCE: &str = "one_per_source";

/// What a pipeline file changes of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Fields, each at most once; custom ones with their names.
    pub fields: Vec<(Field, Option<String>, FieldChange)>,
    /// Further rules; one of the same name is replaced.
    pub rules: Vec<Rule>,
    /// The names of rules that are not wanted.
    pub without_rules: Vec<String>,
    /// The custom field that tells the sources that hold each customer once.
    pub one_per_source: Option<Field>,
}

/// `[match.field.NAME]`: a field of one's own, or what is different of a built-in one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// For a field of one's own: what its values are. `text` (words in their order), `organisation`
    /// (a name without legal forms), `words` (in any order), `code`
    /// (letters and digits), `identifier` (a code that points at one customer, or a few), `date`, `number`, or
    /// `location` (`latitude,longitude` in degrees).
    pub kind: Option<Kind>,
    /// For a field of one's own: where it is kept, 1 to 8. By default in the order of the names; where fields are added
    /// to a job that has a state, say the slots of those that were there.
    pub slot: Option<u8>,
    /// The levels of agreement, best first; `"otherwise"` is the last.
    pub levels: Option<Vec<Level>>,
    /// P(level | one person), a level each.
    pub m: Option<Vec<f64>>,
    /// P(level | two people), a level each.
    pub u: Option<Vec<f64>>,
    /// Two different values are never one customer's.
    pub exclusive: Option<bool>,
    /// For identifiers: a value that more people than this seem to use says nothing. People are counted in powers of two.
    pub limit: Option<u32>,
    /// Values that say nothing, each with the reason.
    #[serde(default)]
    pub blocked: BTreeMap<String, String>,
    /// The least weight of a level in bits.
    pub floor_bits: Option<f64>,
    /// For identifiers: the chance that an agreement is not of one person though one person seems to use it.
    pub sharing: Option<f64>,
    /// How many distinct values one person typically has beside one identifier value.
    pub typical_values: Option<f64>,
    /// P(household mates agree as one person would).
    pub household_share: Option<f64>,
}

impl Model {
    /// The model with changes made.
    ///
    /// **Errors:** `Invalid`, with the field or rule and what is wrong with it.
    pub fn changed(mut self, changes: &Changes) -> Result<Self> {
        for (field, name, _) in &changes.fields {
            if let Some(name) = name {
                self.settle(*field, name, changes)?;
            }
        }
        if let Some(field) = changes.one_per_source {
            self.settle(field, ONE_PER_SOURCE, changes)?;
            self.fields[field as usize] = one_per_source(field);
        }
        for (field, name, change) in &changes.fields {
            let changed = self.field(*field).changed(name.as_deref(), change)?;
            self.fields[*field as usize] = changed;
        }
        for field in self.fields.iter().filter(|field| field.field.is_custom() && field.identifier)
        {
            if self.rules.iter().all(|rule| rule.name != field.name()) {
                self.rules.push(Rule {
                    name: field.name().to_owned(),
                    key: vec![Part::Value(field.field)],
                    refine: vec![Part::SurnameSound, Part::Beginning(Field::Given, 1)],
                });
            }
        }
        for rule in &changes.rules {
            match self.rules.iter_mut().find(|known| known.name == rule.name) {
                Some(known) => known.clone_from(rule),
                None => self.rules.push(rule.clone()),
            }
        }
        for name in &changes.without_rules {
            let known = |rules: &[Rule]| rules.iter().any(|rule| rule.name == *name);
            if !known(&self.rules) && !known(&block::built_in()) {
                let names: Vec<&str> = self.rules.iter().map(|rule| rule.name.as_str()).collect();
                return Err(Error::invalid(format!(
                    "without_rules: there is no rule \"{name}\"; the rules: {}",
                    names.join("; ")
                )));
            }
            self.rules.retain(|rule| rule.name != *name);
        }
        self.validate()?;
        Ok(self)
    }

    /// Brings a custom field to its slot, wherever the model has it; another that is there makes room.
    fn settle(&mut self, slot: Field, name: &str, changes: &Changes) -> Result<()> {
        let named = |model: &&FieldModel| model.field.is_custom() && model.name() == name;
        if let Some(from) = self.fields.iter().find(named).map(|model| model.field) {
            self.exchange(from, slot);
        } else if self.field(slot).is_used() {
            let taken = |field: &Field| {
                changes.one_per_source == Some(*field)
                    || changes.fields.iter().any(|(of, ..)| of == field)
            };
            let is_free = |field: &Field| !self.field(*field).is_used() && !taken(field);
            let free = Field::CUSTOM.into_iter().find(is_free).ok_or_else(|| {
                let fields = Field::CUSTOM.len();
                Error::invalid(format!(
                    "model file and pipeline together have more than {fields} fields of their own"
                ))
            })?;
            self.exchange(slot, free);
        }
        Ok(())
    }

    /// Exchanges what two custom fields mean, wherever they are named.
    fn exchange(&mut self, one: Field, other: Field) {
        let moved = |field: Field| match field {
            field if field == one => other,
            field if field == other => one,
            field => field,
        };
        self.fields.swap(one as usize, other as usize);
        for model in &mut self.fields {
            model.field = moved(model.field);
        }
        for part in
            self.rules.iter_mut().flat_map(|rule| rule.key.iter_mut().chain(&mut rule.refine))
        {
            match part {
                Part::Value(field) | Part::Beginning(field, _) => *field = moved(*field),
                _ => {}
            }
        }
        for (left, right) in &mut self.swaps {
            (*left, *right) = (moved(*left), moved(*right));
        }
        for field in self.conflicts.iter_mut().flatten() {
            *field = moved(*field);
        }
    }
}

impl FieldModel {
    fn changed(&self, name: Option<&str>, change: &FieldChange) -> Result<Self> {
        let mut model = match (self.is_used(), name, change.kind) {
            (true, ..) => self.clone(),
            (false, Some(name), Some(kind)) => Self::of_kind(self.field, name, kind),
            (false, ..) => {
                let name = name.unwrap_or(self.field.name());
                return Err(Error::invalid(format!("field.{name}: say which `kind` it is of")));
            }
        };
        if let Some(mut levels) = change.levels.clone() {
            if levels.last() != Some(&Level::Otherwise) {
                levels.push(Level::Otherwise);
            }
            // What a model learned of the very levels stays.
            if levels != model.levels {
                let exact = model.u.first().copied().unwrap_or(0.01);
                (model.m, model.u) = spread(levels.len(), exact);
                model.levels = levels;
                model.borrowed_level = None;
                model.beyond_names = false;
                model.frequency_weights = Vec::new();
            }
        }
        if let Some(m) = &change.m {
            model.m.clone_from(m);
        }
        if let Some(u) = &change.u {
            model.u.clone_from(u);
        }
        if let Some(exclusive) = change.exclusive {
            model.exclusive = exclusive.then_some(Exclusive::Different);
        }
        model.limit = change.limit.or(model.limit);
        model.floor_bits = change.floor_bits.or(model.floor_bits);
        model.sharing = change.sharing.or(model.sharing);
        model.typical_values = change.typical_values.or(model.typical_values);
        model.household_share = change.household_share.unwrap_or(model.household_share);
        model.blocked.extend(change.blocked.clone());
        match model.problem() {
            Some(problem) => Err(Error::invalid(format!("field.{}: {problem}", model.name()))),
            None => Ok(model),
        }
    }

    /// A field of one's own of which nothing else is known.
    pub fn of_kind(field: Field, name: &str, kind: Kind) -> Self {
        use Level::{
            DateEditOrSwap, DaysWithin, Edits, Exact, Jaccard, JaroWinkler, KilometresWithin,
            Otherwise, SameYear, ShareWithin, SharedToken,
        };
        let (levels, m, u): (Vec<Level>, &[f64], &[f64]) = match kind {
            Kind::Identifier => (vec![Exact, Otherwise], &[0.85, 0.15], &[0.00001, 0.99999]),
            Kind::Code => {
                (vec![Exact, Edits(1), Otherwise], &[0.85, 0.07, 0.08], &[0.001, 0.004, 0.995])
            }
            Kind::Text | Kind::Organisation => (
                vec![Exact, JaroWinkler(0.92), JaroWinkler(0.80), Otherwise],
                &[0.75, 0.10, 0.05, 0.10],
                &[0.01, 0.005, 0.025, 0.96],
            ),
            Kind::Words => (
                vec![Exact, Jaccard(0.5), SharedToken, Otherwise],
                &[0.60, 0.20, 0.10, 0.10],
                &[0.005, 0.01, 0.05, 0.935],
            ),
            Kind::Date => (
                vec![Exact, DateEditOrSwap, DaysWithin(31.0), SameYear, Otherwise],
                &[0.80, 0.08, 0.04, 0.03, 0.05],
                &[0.0005, 0.003, 0.02, 0.03, 0.9465],
            ),
            Kind::Number => (
                vec![Exact, ShareWithin(0.05), Otherwise],
                &[0.80, 0.10, 0.10],
                &[0.02, 0.05, 0.93],
            ),
            Kind::Location => (
                vec![
                    Exact,
                    KilometresWithin(0.1),
                    KilometresWithin(1.0),
                    KilometresWithin(10.0),
                    Otherwise,
                ],
                &[0.55, 0.20, 0.08, 0.05, 0.12],
                &[0.0005, 0.001, 0.005, 0.04, 0.9535],
            ),
        };
        Self {
            name: Some(name.to_owned()),
            levels,
            m: m.to_vec(),
            u: u.to_vec(),
            identifier: kind.is_identifier(),
            household_share: if kind == Kind::Location { 0.95 } else { 0.1 },
            floor_bits: kind.is_identifier().then_some(-3.0),
            sharing: kind.is_identifier().then_some(0.05),
            ..Self::unused(field)
        }
    }
}

/// m and u for levels of which nothing is known, where values are equal by chance this often: people mostly agree, and
/// strangers the likelier the weaker the level is.
fn spread(levels: usize, exact: f64) -> (Vec<f64>, Vec<f64>) {
    let between = levels.saturating_sub(2);
    let mut m = vec![0.78];
    let mut u = vec![exact.min(0.2)];
    for level in 0..between {
        m.push(0.12 / between as f64);
        let weaker = (u[level] * 2.0).min(0.5 / levels as f64);
        u.push(weaker);
    }
    m.push(0.10);
    u.push(1.0 - u.iter().sum::<f64>());
    (m, u)
}

/// The field by which two records of a source that holds each customer once are never one person. It says nothing else.
fn one_per_source(field: Field) -> FieldModel {
    FieldModel {
        name: Some(ONE_PER_SOURCE.to_owned()),
        levels: vec![Level::Exact, Level::Otherwise],
        m: vec![0.5; 2],
        u: vec![0.5; 2],
        exclusive: Some(Exclusive::Equal),
        ..FieldModel::unused(field)
    }
}
