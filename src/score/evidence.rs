//! How much do two records say, field by field?

use super::email;
use super::features::{Features, Symbol, Terms};
use super::field::{Exclusive, FieldModel};
use super::level::level;
use super::memo::Memo;
use super::model::Model;
use crate::record::Field;

/// What two records say about being of one person, field by field.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The level of each field, 1 the best; 0 where a value is missing.
    pub levels: [u8; Field::COUNT],
    /// The bits of each field; 0 where a value is missing.
    pub bits: [f64; Field::COUNT],
    /// Whether names or address lines were compared crosswise.
    pub swapped: bool,
    /// What the given name's bits lost because the surname agrees, too; 0 or less.
    pub pairing_bits: f64,
}

impl Evidence {
    /// The match weight in bits against stranger and household mate together.
    pub fn weight(&self, model: &Model) -> f64 {
        let mut stranger = model.parameters.prior_bits;
        let mut household = model.parameters.household_bits;
        for field in Field::ALL {
            let bits = self.bits[field as usize];
            stranger += bits;
            if self.levels[field as usize] > 0 {
                household += model.field(field).household_evidence(bits);
            }
        }
        Model::posterior(stranger, household)
    }

    /// How firmly a pair holds a component together, in bits; `None` where it is no edge of the candidate graph.
    pub fn edge(&self, model: &Model) -> Option<f32> {
        let weight = self.weight(model);
        let in_common = |(field, level): (&FieldModel, &u8)| field.sharing.is_some() && *level == 1;
        let firmer = if model.fields.iter().zip(&self.levels).any(in_common) {
            model.parameters.identifier_link_bits
        } else {
            0.0
        };
        #[expect(clippy::cast_possible_truncation, reason = "an edge's weight needs few digits")]
        let edge = (weight as f32, (weight + firmer) as f32);
        (f64::from(edge.0) >= model.parameters.edge_bits).then_some(edge.1)
    }

    /// Whether no other evidence makes these one person: exclusive values clash, or every field of a group that is never
    /// all different for one person disagrees.
    pub fn is_conflict(&self, model: &Model) -> bool {
        let poor = |field: &Field| model.field(*field).is_poor(self.levels[*field as usize]);
        let clash = |(field, level): (&FieldModel, &u8)| match field.exclusive {
            Some(Exclusive::Different) => *level > 1,
            Some(Exclusive::Equal) => *level == 1,
            None => false,
        };
        model.conflicts.iter().any(|group| group.iter().all(poor))
            || model.fields.iter().zip(&self.levels).any(clash)
    }
}

/// The grades of agreement of two records, before anything is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Levels {
    /// The level of each field, 1 the best; 0 where a value is missing.
    pub of_field: [u8; Field::COUNT],
    /// Whether names or address lines were compared crosswise.
    pub swapped: bool,
}

/// What records are scored by: their interned texts and the model.
#[derive(Clone, Copy)]
pub struct Scorer<'a> {
    pub(super) terms: &'a Terms,
    pub(super) model: &'a Model,
    memo: Option<&'a Memo>,
}

impl<'a> Scorer<'a> {
    /// A scorer that remembers nothing.
    pub fn new(terms: &'a Terms, model: &'a Model) -> Self {
        Self { terms, model, memo: None }
    }

    /// The same, with a memory, which must never be used with other terms or another model.
    #[must_use]
    pub fn with_memo(self, memo: &'a Memo) -> Self {
        Self { memo: Some(memo), ..self }
    }

    /// Compares two records. `people(field, value)` says how many people seem to use an identifier value.
    pub fn compare(
        self,
        left: &Features,
        right: &Features,
        people: impl Fn(Field, Symbol) -> f64,
    ) -> Evidence {
        self.weigh(self.levels(left, right), left, right, people)
    }

    /// The levels that two records reach; of the model, only its comparisons matter.
    pub fn levels(self, left: &Features, right: &Features) -> Levels {
        let mut levels = Field::ALL.map(|field| self.field_level(left, right, field));
        let mut swapped = false;
        for (first, second) in &self.model.swaps {
            let fields = [self.model.field(*first), self.model.field(*second)];
            swapped |= self.swap(left, right, fields, &mut levels);
        }
        for field in [Field::Surname, Field::Given] {
            borrow_token(left, right, self.model, field, &mut levels);
        }
        Levels { of_field: levels, swapped }
    }

    /// The level that two records reach by a field's own values; 0 where one is missing.
    pub(super) fn field_level(self, left: &Features, right: &Features, field: Field) -> u8 {
        self.level(field, left.symbol(field), right.symbol(field))
    }

    /// The level that two values reach by a field's comparison; 0 where one is missing.
    fn level(self, field: Field, a: Symbol, b: Symbol) -> u8 {
        let find =
            || level(&self.model.field(field).levels, self.terms.marked(a), self.terms.marked(b));
        match (a, b) {
            (0, _) | (_, 0) => 0,
            (a, b) if a == b => self.model.field(field).level_of_equals(self.terms.text(a)),
            (a, b) => self.memo.map_or_else(find, |memo| memo.level(field, a, b, find)),
        }
    }

    /// What levels that are known say, in bits.
    pub fn weigh(
        self,
        Levels { of_field: mut levels, swapped }: Levels,
        left: &Features,
        right: &Features,
        people: impl Fn(Field, Symbol) -> f64,
    ) -> Evidence {
        let is_over = |field: Field, features: &Features| {
            self.model.field(field).is_over(people(field, features.symbol(field)))
        };
        let mut bits = [0.0; Field::COUNT];
        for field in Field::ALL {
            let level = levels[field as usize];
            if level == 0 {
                continue;
            }
            // What too many people use says nothing, neither of those who share it nor of others.
            let is_limited = self.model.field(field).limit.is_some();
            if is_limited && (is_over(field, left) || is_over(field, right)) {
                levels[field as usize] = 0;
            } else {
                bits[field as usize] = self.field_bits(left, right, field, level, &people);
            }
        }
        if swapped {
            bits[Field::Given as usize] += self.model.parameters.swap_bits;
        }
        let agree = |field: Field| (1..=3).contains(&levels[field as usize]);
        let given = &mut bits[Field::Given as usize];
        let mut pairing_bits = 0.0;
        if agree(Field::Given) && agree(Field::Surname) {
            // Where the surname is known, the given name says less; never does its agreement speak against one person.
            pairing_bits = -self.model.parameters.name_pairing_bits.min(given.max(0.0));
            *given += pairing_bits;
        }
        Evidence { levels, bits, swapped, pairing_bits }
    }

    /// What a level of a field says, in bits, before its fields' limits.
    pub(super) fn field_bits(
        self,
        left: &Features,
        right: &Features,
        field: Field,
        level: u8,
        people: &impl Fn(Field, Symbol) -> f64,
    ) -> f64 {
        let of_field = self.model.field(field);
        let (a, b) = (left.symbol(field), right.symbol(field));
        if let (1, Some(sharing)) = (level, of_field.sharing) {
            return self.model.shared_bits(sharing, people(field, a));
        }
        let is_named = |features: &Features| {
            features.symbol(Field::Given) != 0 && features.symbol(Field::Surname) != 0
        };
        let beyond_names = of_field.beyond_names && (2..=4).contains(&level);
        let full_names = beyond_names && is_named(left) && is_named(right);
        let find = || {
            let bits = of_field.level_bits(level);
            if beyond_names {
                let (a, b) = (self.terms.email(a), self.terms.email(b));
                return email::bits(a, b, &self.model.email, bits, full_names);
            }
            let (a, b) = (self.terms.text(a), self.terms.text(b));
            bits + frequency_bits(of_field, self.model, level, a, b)
        };
        self.memo.map_or_else(find, |memo| memo.bits(field, (a, b), level, full_names, find))
    }

    /// Where both fields disagree, compares them crosswise; keeps that where it is good. Symmetric: the better of the
    /// two crosswise levels is always the first field's.
    pub(super) fn swap(
        self,
        left: &Features,
        right: &Features,
        [first, second]: [&FieldModel; 2],
        levels: &mut [u8; Field::COUNT],
    ) -> bool {
        let poor = |model: &FieldModel| {
            let level = levels[model.field as usize];
            level == 0 || model.is_poor(level)
        };
        if !poor(first) || !poor(second) {
            return false;
        }
        let there = self.level(first.field, left.symbol(first.field), right.symbol(second.field));
        let back = self.level(first.field, right.symbol(first.field), left.symbol(second.field));
        let good = |level: u8| (1..=3).contains(&level) && !first.is_poor(level);
        let swapped = (good(there) && (good(back) || back == 0)) || (good(back) && there == 0);
        if swapped {
            let most = |model: &FieldModel| u8::try_from(model.levels.len()).expect("few levels");
            levels[first.field as usize] = there.min(back).min(most(first));
            levels[second.field as usize] = there.max(back).min(most(second));
        }
        swapped
    }
}

/// The term-frequency adjustment: an exact agreement on a rare value says more, on a common one less; a fuzzy one
/// only ever loses.
fn frequency_bits(of_field: &FieldModel, model: &Model, level: u8, a: &str, b: &str) -> f64 {
    if of_field.frequencies.is_empty() && of_field.unlisted_share.is_none() {
        return 0.0;
    }
    let floor = 0.5 / model.parameters.entities.max(50.0);
    let unlisted = of_field.unlisted_share.unwrap_or(floor);
    let share = |value: &str| of_field.frequencies.get(value).unwrap_or(unlisted);
    let weight = of_field.frequency_weight(level);
    match level {
        1 if a == b => weight * (of_field.u[0] / share(a).max(floor)).log2(),
        2.. if weight > 0.0 => {
            (weight * (of_field.u[0] / share(a).max(share(b)).max(floor)).log2()).min(0.0)
        }
        _ => 0.0,
    }
}

/// A name that disagrees may stand among the other record's further names: a married name, a second given name.
pub(super) fn borrow_token(
    left: &Features,
    right: &Features,
    model: &Model,
    field: Field,
    levels: &mut [u8; Field::COUNT],
) {
    if left.tokens.is_empty() && right.tokens.is_empty() {
        return;
    }
    let (Field::Given | Field::Surname) = field else { return };
    let of_field = model.field(field);
    let Some(borrowed) = of_field.borrowed_level else { return };
    // Not among the other's own given name and surname: measured, that costs .013 F1 on fake_1000.
    let among = |symbol: Symbol, other: &Features| other.tokens.contains(&symbol);
    let (a, b) = (left.symbol(field), right.symbol(field));
    let disagree = usize::from(levels[field as usize]) == of_field.levels.len();
    if disagree && (among(a, right) || among(b, left)) {
        levels[field as usize] = borrowed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_in_common_makes_a_link_firmer_but_no_pair_an_edge() {
        let mut model = Model::default_with(50.0);
        model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
        let pair = |field: Field, level: u8, bits: f64| {
            let mut evidence = Evidence {
                levels: [0; Field::COUNT],
                bits: [0.0; Field::COUNT],
                swapped: false,
                pairing_bits: 0.0,
            };
            evidence.levels[field as usize] = level;
            evidence.bits[field as usize] = bits - model.parameters.prior_bits;
            evidence.edge(&model)
        };
        let firmer = 1.0 + model.parameters.identifier_link_bits;
        let close = |edge: Option<f32>, bits: f64| {
            let edge = f64::from(edge.expect("an edge"));
            assert!((edge - bits).abs() < 1e-5, "{edge} is not {bits}");
        };
        close(pair(Field::Cookie, 1, 1.0), firmer);
        close(pair(Field::Email, 3, 1.0), 1.0);
        close(pair(Field::Surname, 1, 1.0), 1.0);
        assert_eq!(pair(Field::Cookie, 1, model.parameters.edge_bits - 0.1), None);
    }
}
