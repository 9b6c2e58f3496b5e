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
        of_field.frequencies = listed
            .into_iter()
            .map(|(value, (_, units))| (value.to_owned(), units / total))
            .collect();
        of_field.unlisted_share = (!others.is_empty()).then(|| unlisted / others.len() as f64);
    }
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
