//! Which pairs can be no edge of the candidate graph?
//!
//! Most candidate pairs are of strangers, and a few fields show it. Fields are compared one after the other, and what the
//! others can say at most is known beforehand: once that is too little, the rest is not looked at. What is left is
//! weighed as any pair is, so that the answer is always that of [`Scorer::compare`] and
//! [`Evidence::edge`](super::Evidence::edge).

use super::evidence::{Levels, Scorer, borrow_token};
use super::features::{Features, Symbol};
use super::field::FieldModel;
use super::level::Level;
use super::model::Model;
use crate::record::Field;

/// The order in which fields are compared under one model, and what each can say at most.
#[derive(Clone, Debug)]
pub struct Sieve {
    /// Fields that are compared together, for they may be exchanged; those whose fields tell most apart come first.
    groups: Vec<Group>,
    /// By field: what two different values say at most, in bits.
    different_bits: [f64; Field::COUNT],
    /// By field and level, from 1 on: what it says at most, in bits, of different values.
    level_bits: [Vec<f64>; Field::COUNT],
}

#[derive(Clone, Debug)]
struct Group {
    fields: Vec<Field>,
    /// By their index among those of the model.
    swaps: Vec<usize>,
    /// What exchanged values say at most, in bits.
    swapped_bits: f64,
}

/// More than what rounding takes from a sum of weights.
const ROUNDING_BITS: f64 = 1e-3;

impl Sieve {
    /// The sieve of a model.
    pub fn new(model: &Model) -> Self {
        let level_bits = Field::ALL.map(|field| most_by_level(model.field(field), model));
        let most = |levels: &[f64]| levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let different_bits = Field::ALL.map(|field| {
            let is_of_equals = model.field(field).levels.first() == Some(&Level::Exact);
            most(&level_bits[field as usize][usize::from(is_of_equals)..])
        });
        let alone = |of_field: &FieldModel| Group {
            fields: vec![of_field.field],
            swaps: Vec::new(),
            swapped_bits: 0.0,
        };
        let mut groups: Vec<Group> = model.used().map(alone).collect();
        for (swap, (first, second)) in model.swaps.iter().enumerate() {
            let mut fields = Vec::new();
            let mut swaps = vec![swap];
            for group in groups.extract_if(.., |group| {
                group.fields.contains(first) || group.fields.contains(second)
            }) {
                fields.extend(group.fields);
                swaps.extend(group.swaps);
            }
            swaps.sort_unstable();
            // How rare they are does not count where values are exchanged.
            let exchanged = |field: &Field| most(&level_bits[*field as usize]).max(0.0);
            let swapped_bits = fields.iter().map(exchanged).sum::<f64>();
            let swapped_bits = swapped_bits + model.parameters.swap_bits.max(0.0);
            groups.push(Group { fields, swaps, swapped_bits });
        }
        let tells = |group: &Group| {
            let of_field = |field: &Field| {
                let least = level_bits[*field as usize].last().copied().unwrap_or_default();
                different_bits[*field as usize] - least
            };
            group.fields.iter().map(of_field).sum::<f64>() / group.fields.len() as f64
        };
        groups.sort_by(|a, b| tells(b).total_cmp(&tells(a)));
        Self { groups, different_bits, level_bits }
    }

    /// Prepares a record to be compared with many others.
    pub fn probe<'a, P: Fn(Field, Symbol) -> f64>(
        &'a self,
        record: &'a Features,
        scorer: Scorer<'a>,
        people: P,
    ) -> Probe<'a, P> {
        let Scorer { terms, model, .. } = scorer;
        let has = |field: &Field| record.symbol(*field) != 0;
        let groups = self.groups.iter().filter(|group| group.fields.iter().any(has)).collect();
        let mut equal_bits = [0.0; Field::COUNT];
        for field in Field::ALL.into_iter().filter(has) {
            let of_field = model.field(field);
            let level = of_field.level_of_equals(terms.text(record.symbol(field)));
            let bits = scorer.field_bits(record, record, field, level, &people);
            equal_bits[field as usize] =
                if of_field.limit.is_some() { bits.max(0.0) } else { bits };
        }
        let least = model.parameters.edge_bits - ROUNDING_BITS;
        Probe { sieve: self, left: record, groups, equal_bits, least, scorer, people }
    }
}

/// What each level of a field says at most, in bits, of two different values.
fn most_by_level(of_field: &FieldModel, model: &Model) -> Vec<f64> {
    let at_most = |level: u8| {
        let bits = of_field.level_bits(level);
        let bits = match of_field.sharing {
            Some(sharing) if level == 1 => bits.max(model.shared_bits(sharing, 1.0)),
            _ => bits,
        };
        // What says nothing after all does not speak against a pair either.
        if of_field.limit.is_some() || of_field.beyond_names { bits.max(0.0) } else { bits }
    };
    (1..).take(of_field.levels.len()).map(at_most).collect()
}

/// A record that is compared with others.
pub struct Probe<'a, P> {
    sieve: &'a Sieve,
    left: &'a Features,
    /// Those of which it has a value.
    groups: Vec<&'a Group>,
    /// By field: what another record with the same value says at most, in bits.
    equal_bits: [f64; Field::COUNT],
    /// What a pair must reach to be an edge.
    least: f64,
    scorer: Scorer<'a>,
    people: P,
}

impl<P: Fn(Field, Symbol) -> f64> Probe<'_, P> {
    /// How firmly a pair holds a component together, in bits; `None` where it is no edge of the candidate graph.
    pub fn edge(&self, other: &Features) -> Option<f32> {
        let levels = self.levels(other)?;
        self.scorer.weigh(levels, self.left, other, &self.people).edge(self.scorer.model)
    }

    fn most(&self, right: &Features) -> f64 {
        let of_groups = self.groups.iter().map(|group| self.at_most(group, right));
        self.scorer.model.parameters.prior_bits + of_groups.sum::<f64>()
    }

    /// The levels that the records reach; `None` where they can be no edge.
    fn levels(&self, right: &Features) -> Option<Levels> {
        let mut most = self.most(right);
        let mut levels = Levels { of_field: [0; Field::COUNT], swapped: false };
        // What equal values say is known; nothing is gained by looking at them before all others.
        let differs = |field: &Field| self.left.symbol(*field) != right.symbol(*field);
        let is_open = |group: &&&Group| group.fields.iter().any(differs);
        for group in self.groups.iter().filter(is_open) {
            if most < self.least {
                return None;
            }
            most += self.compare(group, right, &mut levels) - self.at_most(group, right);
        }
        if most < self.least {
            return None;
        }
        for group in self.groups.iter().filter(|group| !is_open(group)) {
            self.compare(group, right, &mut levels);
        }
        Some(levels)
    }

    /// What the fields of a group say at most, in bits, going by whether their values are equal alone.
    fn at_most(&self, group: &Group, right: &Features) -> f64 {
        let mut any_equal = false;
        let mut sum = 0.0;
        for field in &group.fields {
            let (a, b) = (self.left.symbol(*field), right.symbol(*field));
            if a != 0 && b != 0 {
                any_equal |= a == b;
                let bits = if a == b { &self.equal_bits } else { &self.sieve.different_bits };
                sum += bits[*field as usize];
            }
        }
        // Values are compared crosswise only where both fields disagree or are missing.
        let may_swap = group.swaps.len() > usize::from(any_equal);
        if may_swap { sum.max(group.swapped_bits) } else { sum }
    }

    /// Compares the fields of a group; returns what they say at most, in bits.
    fn compare(&self, group: &Group, right: &Features, levels: &mut Levels) -> f64 {
        let Self { left, scorer, .. } = self;
        let model = scorer.model;
        for field in &group.fields {
            levels.of_field[*field as usize] = scorer.field_level(left, right, *field);
        }
        let mut swapped = false;
        for (first, second) in group.swaps.iter().map(|swap| model.swaps[*swap]) {
            let fields = [model.field(first), model.field(second)];
            swapped |= scorer.swap(left, right, fields, &mut levels.of_field);
        }
        levels.swapped |= swapped;
        let mut most = if swapped { model.parameters.swap_bits.max(0.0) } else { 0.0 };
        for field in &group.fields {
            borrow_token(left, right, model, *field, &mut levels.of_field);
            let Some(level) = usize::from(levels.of_field[*field as usize]).checked_sub(1) else {
                continue;
            };
            let of_level = self.sieve.level_bits[*field as usize][level];
            let is_equal = left.symbol(*field) == right.symbol(*field);
            most += match (is_equal, swapped) {
                (true, false) => self.equal_bits[*field as usize],
                (true, true) => self.equal_bits[*field as usize].max(of_level),
                (false, _) => of_level,
            };
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Identity;
    use crate::score::{Memo, Terms};

    /// Contents of few values, so that equal, similar, exchanged and missing ones meet often.
    fn content() -> impl Strategy<Value = Identity> {
        let few = |values: &'static [&'static str]| {
            prop::option::weighted(0.8, prop::sample::select(values))
        };
        let names = &["ann", "anna", "a", "bo", "smith", "smyth", "jones", "bob", "robert", "ng"];
        let of_names =
            (few(names), few(names), prop::collection::vec(prop::sample::select(&names[..]), 0..2));
        let dates = few(&["19800102", "19800201", "19800103", "19910607", "19800102"]);
        let emails = few(&[
            "ann.smith@x.org",
            "ann.smith1@x.org",
            "asmith@x.org",
            "bo@y.net",
            "ann.smith@gmail.com",
        ]);
        let phones = few(&["+441234567890", "+441234567891", "+4930111111", "+441243567890"]);
        let places = (
            few(&["12", "13", "1"]),
            few(&["high street", "hi street", "mill road"]),
            few(&["mill road", "flat 2"]),
        );
        let towns = (few(&["n16ab", "n16ac", "se11aa"]), few(&["london", "new london", "york"]));
        let others = (few(&["f", "m"]), few(&["c1", "c2"]), few(&["l1", "l2"]));
        (of_names, dates, emails, phones, places, towns, others).prop_map(
            |(
                (given, surname, tokens),
                date,
                email,
                phone,
                (house, street, street2),
                (postcode, city),
                (gender, cookie, loyalty),
            )| {
                let mut identity = Identity::default();
                let values = [
                    (Field::Given, given),
                    (Field::Surname, surname),
                    (Field::BirthDate, date),
                    (Field::Email, email),
                    (Field::Phone, phone),
                    (Field::House, house),
                    (Field::Street, street),
                    (Field::Street2, street2),
                    (Field::Postcode, postcode),
                    (Field::City, city),
                    (Field::Gender, gender),
                    (Field::Cookie, cookie),
                    (Field::Loyalty, loyalty),
                ];
                for (field, value) in values {
                    if let Some(value) = value {
                        identity.set(field, value);
                    }
                }
                identity.name_tokens = tokens.into_iter().map(Into::into).collect();
                identity
            },
        )
    }

    fn model() -> impl Strategy<Value = Model> {
        (8.0_f64..1e7, -6.0..8.0, any::<[bool; 4]>()).prop_map(
            |(customers, edge, [limit, swap, chain, households])| {
                let mut model = Model::default_with(customers);
                model.parameters.edge_bits = edge;
                model.parameters.swap_bits = if swap { -5.0 } else { 1.5 };
                model.parameters.name_pairing_bits = 1.0;
                if limit {
                    model.fields[Field::Phone as usize].limit = Some(2);
                }
                if chain {
                    model.swaps.push((Field::Surname, Field::City));
                }
                if households {
                    model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
                }
                model
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_pair_that_is_sieved_out_is_no_edge(
            model in model(), left in content(), right in content(), shared in 1_u32..9,
        ) {
            let mut terms = Terms::default();
            let left = terms.features(&left, &model);
            let right = terms.features(&right, &model);
            let people = |_: Field, symbol: Symbol| f64::from(if symbol.is_multiple_of(2) { shared } else { 1 });
            let scorer = Scorer::new(&terms, &model);
            let expected = scorer.compare(&left, &right, people).edge(&model);
            let sieve = Sieve::new(&model);
            let memo = Memo::default();
            let remembering = scorer.with_memo(&memo);
            for scorer in [scorer, remembering, remembering] {
                let found = sieve.probe(&left, scorer, people).edge(&right);
                prop_assert_eq!(found.map(f32::to_bits), expected.map(f32::to_bits));
                let evidence = scorer.compare(&right, &left, people);
                prop_assert_eq!(evidence, Scorer::new(&terms, &model).compare(&left, &right, people));
            }
        }
    }
}
