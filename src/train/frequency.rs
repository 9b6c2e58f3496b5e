//! How common is a value among people?

use std::collections::BTreeMap;

use super::{Bulk, Model};
use crate::record::Field;

/// Sets the term frequencies of the fields: each provisional customer spreads one unit over its values of a field.
///
/// Values of fewer than `least` customers are not listed; they share [`crate::score::FieldModel::unlisted_share`].
pub(super) fn learn(
    model: &mut Model,
    bulk: &Bulk,
    customers: &[Vec<u32>],
    fields: &[Field],
    least: u32,
) {
    for field in fields.iter().copied().filter(|field| is_adjusted(*field)) {
        let mut carriers: BTreeMap<&str, (u32, f64)> = BTreeMap::new();
        let mut total = 0.0;
        for customer in customers {
            let values: Vec<&str> =
                customer.iter().filter_map(|place| bulk.value(*place, field)).collect();
            if values.is_empty() {
                continue;
            }
            let part = 1.0 / values.len() as f64;
            let mut distinct = values.clone();
            distinct.sort_unstable();
            distinct.dedup();
            distinct.iter().for_each(|value| carriers.entry(value).or_default().0 += 1);
            values.iter().for_each(|value| carriers.entry(value).or_default().1 += part);
            total += 1.0;
        }
        let (listed, others): (Vec<_>, Vec<_>) =
            carriers.into_iter().partition(|(_, (carriers, _))| *carriers >= least);
        let unlisted: f64 = others.iter().map(|(_, (_, units))| units / total).sum();
        let of_field = &mut model.fields[field as usize];
        of_field.frequencies =
            listed.into_iter().map(|(value, (_, units))| (value, units / total)).collect();
        of_field.unlisted_share = (!others.is_empty()).then(|| unlisted / others.len() as f64);
    }
}

/// So many pairs of namesakes, expected and seen, stand for "as if independent".
const PSEUDO_NAMESAKES: f64 = 2.0;
/// More than this is no property of a language.
const PAIRING_BITS_MAX: f64 = 6.0;

/// How much likelier than by chance two people agree on both names, in bits: measured on provisional customers with
/// another year and another day of birth, who are surely two.
pub(super) fn name_pairing_bits(bulk: &Bulk, customers: &[Vec<u32>]) -> f64 {
    let person = |customer: &Vec<u32>| {
        customer.iter().find_map(|place| {
            let name = |field| bulk.value(*place, field).filter(|name: &&str| name.len() > 1);
            let date = bulk.value(*place, Field::BirthDate)?;
            Some((name(Field::Given)?, name(Field::Surname)?, date))
        })
    };
    let people: Vec<(&str, &str, &str)> = customers.iter().filter_map(person).collect();
    let pairs = |count: f64| count * (count - 1.0) / 2.0;
    let agreeing = |name: &dyn Fn(&(&str, &str, &str)) -> String| -> f64 {
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        people.iter().for_each(|person| *counts.entry(name(person)).or_default() += 1.0);
        counts.into_values().map(pairs).sum()
    };
    let mut namesakes: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (given, surname, date) in &people {
        namesakes.entry((given, surname)).or_default().push(date);
    }
    let apart = |a: &str, b: &str| a.get(..4) != b.get(..4) && a.get(4..) != b.get(4..);
    let both: f64 = namesakes
        .values()
        .flat_map(|dates| dates.iter().enumerate().map(|(at, date)| (date, &dates[at + 1..])))
        .map(|(date, others)| others.iter().filter(|other| apart(date, other)).count() as f64)
        .sum();
    let given = agreeing(&|person| person.0.to_owned());
    let surname = agreeing(&|person| person.1.to_owned());
    let all = pairs(people.len() as f64);
    let expected = if all > 0.0 { given * surname / all } else { 0.0 };
    let ratio = (both + PSEUDO_NAMESAKES) / (expected + PSEUDO_NAMESAKES);
    ratio.log2().clamp(0.0, PAIRING_BITS_MAX)
}

/// Fields of few values, and identifiers that weigh by their users, are not adjusted.
const fn is_adjusted(field: Field) -> bool {
    matches!(
        field,
        Field::Given
            | Field::Surname
            | Field::BirthDate
            | Field::GovernmentId
            | Field::House
            | Field::Street
            | Field::Street2
            | Field::City
            | Field::Postcode
            | Field::Occupation
    )
}
