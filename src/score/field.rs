//! What has to be known of a field to weigh what two of its values say?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::frequencies::Frequencies;
use super::level::Level;
use crate::record::Field;

/// What the model knows of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldModel {
    /// The field.
    pub field: Field,
    /// What a custom field is called; the others have names of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The levels, best first; the last holds for anything. A level's number is its index plus one; 0 stands for "a value
    /// is missing". Equal values are of level 1. None where records are not compared on the field.
    pub levels: Vec<Level>,
    /// P(level | one person), a level each.
    pub m: Vec<f64>,
    /// P(level | two people), a level each.
    pub u: Vec<f64>,
    /// One value points at one customer, or a few who share it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub identifier: bool,
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
    /// Which two values no other evidence can make those of one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive: Option<Exclusive>,
    /// A value that more people than this seem to use says nothing: it is neither evidence nor key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Values that say nothing, as they are compared, each with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub blocked: BTreeMap<String, String>,
    /// For names: the level of a name that disagrees but stands among the other record's further names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrowed_level: Option<u8>,
    /// For e-mail addresses: on the built-in levels 2 to 4 only what the names do not already say counts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub beyond_names: bool,
    /// Share of people with a value; empty for fields without term-frequency adjustment.
    #[serde(default, skip_serializing_if = "Frequencies::is_empty")]
    pub frequencies: Frequencies,
    /// The share of a value that `frequencies` does not list; half of one person where this is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted_share: Option<f64>,
    /// By level, how much of the term-frequency adjustment it gets, 0 to 1; similar values only ever lose by it. Where
    /// this is empty, level 1 gets all and no other any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequency_weights: Vec<f64>,
}

/// Which two values of a field no other evidence can make those of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusive {
    /// Different ones: a person has one at most.
    Different,
    /// Equal ones: of the records with one value, each is another person.
    Equal,
}

impl FieldModel {
    /// A field of which nothing is known and that nobody uses.
    pub fn unused(field: Field) -> Self {
        Self {
            field,
            name: None,
            levels: Vec::new(),
            m: Vec::new(),
            u: Vec::new(),
            identifier: false,
            household_share: 0.0,
            floor_bits: None,
            sharing: None,
            typical_values: None,
            exclusive: None,
            limit: None,
            blocked: BTreeMap::new(),
            borrowed_level: None,
            beyond_names: false,
            frequencies: Frequencies::default(),
            unlisted_share: None,
            frequency_weights: Vec::new(),
        }
    }

    /// Whether records are compared on it.
    pub fn is_used(&self) -> bool {
        !self.levels.is_empty()
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.field.name())
    }

    /// The level of two equal values: of two equal initials of a name, that of an initial.
    pub(super) fn level_of_equals(&self, value: &str) -> u8 {
        let is_initial = self.borrowed_level.is_some() && value.len() == 1;
        let of_initials =
            |level: &Level| matches!(level, Level::Initial | Level::InitialOrJaroWinkler(_));
        let level = self.levels.iter().position(of_initials).filter(|_| is_initial);
        u8::try_from(level.unwrap_or(0) + 1).expect("a comparison has few levels")
    }

    /// The label of a level, 1 the best.
    pub fn label(&self, level: u8) -> String {
        let index = usize::from(level).checked_sub(1);
        let level = index.and_then(|index| self.levels.get(index));
        level.map_or_else(|| "missing".into(), Level::label)
    }

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

    /// Whether a level speaks of two values that are hardly or not alike: the last, and of many levels the last two.
    pub(super) fn is_poor(&self, level: u8) -> bool {
        let (level, levels) = (usize::from(level), self.levels.len());
        level > 0 && (level == levels || (levels >= 5 && level + 1 == levels))
    }

    /// Whether a value that so many people seem to use says nothing.
    pub fn is_over(&self, people: f64) -> bool {
        self.limit.is_some_and(|limit| people > f64::from(limit))
    }

    /// How much of the term-frequency adjustment a level gets.
    pub(super) fn frequency_weight(&self, level: u8) -> f64 {
        let index = usize::from(level).wrapping_sub(1);
        let otherwise = if self.frequency_weights.is_empty() && level == 1 { 1.0 } else { 0.0 };
        self.frequency_weights.get(index).copied().unwrap_or(otherwise)
    }

    /// What keeps it from being used, if anything does.
    pub(super) fn problem(&self) -> Option<String> {
        if !self.is_used() {
            return None;
        }
        if self.name.is_some() != self.field.is_custom() {
            let remedy = if self.field.is_custom() { "give a `name`" } else { "has no other name" };
            return Some(remedy.into());
        }
        if self.name().is_empty() || Field::of_name(self.name()).is_some_and(|f| f != self.field) {
            return Some("the name is that of another field; choose another".into());
        }
        let levels = self.levels.len();
        if self.levels.last() != Some(&Level::Otherwise) {
            return Some("the last level must be \"otherwise\"".into());
        }
        if let Some(problem) = self.levels.iter().find_map(Level::problem) {
            return Some(problem);
        }
        if levels > LEVELS_MAX {
            return Some(format!("give at most {LEVELS_MAX} levels"));
        }
        if self.m.len() != levels || self.u.len() != levels {
            return Some(format!("m and u must have {levels} numbers each, one a level"));
        }
        let probable = |p: &f64| *p > 0.0 && *p < 1.0;
        if !self.m.iter().chain(&self.u).all(probable) {
            return Some("m and u must lie between 0 and 1".into());
        }
        if !(0.0..=1.0).contains(&self.household_share) {
            return Some("household_share must lie between 0 and 1".into());
        }
        if self.beyond_names && (self.field != Field::Email || levels != 5) {
            return Some("beyond_names belongs to the built-in levels of email".into());
        }
        if self.limit.is_some() && !self.identifier {
            return Some("limit belongs to identifiers; leave it out".into());
        }
        if self.limit == Some(0) {
            return Some("limit = 0: give at least 1".into());
        }
        let borrowed = self.borrowed_level.map_or(1, usize::from);
        (!(1..=levels).contains(&borrowed)).then(|| "borrowed_level is no level".into())
    }
}

/// More levels of a field tell nothing apart.
const LEVELS_MAX: usize = 50;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The fields of a model file: those that are compared, in order.
pub(super) mod list {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Field, FieldModel};

    pub(in super::super) fn serialize<S: Serializer>(
        fields: &[FieldModel],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(fields.iter().filter(|field| field.is_used()))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<FieldModel>, D::Error> {
        let mut given = Vec::<FieldModel>::deserialize(deserializer)?.into_iter().peekable();
        let mut fields = Vec::with_capacity(Field::COUNT);
        for field in Field::ALL {
            let model = given.next_if(|model| model.field == field);
            fields.push(model.unwrap_or_else(|| FieldModel::unused(field)));
        }
        match given.next() {
            Some(model) => {
                Err(D::Error::custom(format!("field {} is out of order", model.field.name())))
            }
            None => Ok(fields),
        }
    }
}
