//! How do two records agree that are of two people?

use super::{Levels, Model, Pair};
use crate::record::Field;

/// What the built-in u counts for, in pairs.
const PSEUDO_PAIRS: f64 = 20.0;

/// So many pairs of different records of `records`, or all where there are no more. A function of the number alone.
pub(super) fn pairs(records: usize, wanted: usize) -> Vec<Pair> {
    let records = u64::try_from(records).expect("usize fits 64 bits");
    if records * records.saturating_sub(1) / 2 <= wanted as u64 {
        let records = u32::try_from(records).expect("few records");
        return (0..records).flat_map(|i| (i + 1..records).map(move |j| (i, j))).collect();
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        let place = splitmix(&mut state) % records;
        u32::try_from(place).expect("places are 32 bits")
    };
    let drawn = (0..wanted).map(|_| (next(), next()));
    drawn.filter(|(i, j)| i != j).map(|(i, j)| (i.min(j), i.max(j))).collect()
}

/// **Source:** Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
pub(super) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Sets u of the fields to how the levels of these pairs are distributed.
pub(super) fn estimate_u<'a>(
    model: &mut Model,
    defaults: &Model,
    fields: &[Field],
    pairs: impl Iterator<Item = &'a (Pair, Levels)>,
) {
    let mut counts: Vec<Vec<f64>> = fields
        .iter()
        .map(|field| defaults.field(*field).u.iter().map(|u| u * PSEUDO_PAIRS).collect())
        .collect();
    for (_, levels) in pairs {
        for (field, counts) in fields.iter().zip(&mut counts) {
            if let Some(level) = usize::from(levels.of_field[*field as usize]).checked_sub(1) {
                counts[level] += 1.0;
            }
        }
    }
    for (field, counts) in fields.iter().zip(counts) {
        let total: f64 = counts.iter().sum();
        model.fields[*field as usize].u = counts.iter().map(|count| count / total).collect();
    }
}
