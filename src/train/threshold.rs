//! Where should merges stop?
//!
//! The lowest threshold whose expected precision is kept. A merge at match weight S is right with probability
//! 1 ÷ (1 + 2^−S), so the model itself says what share of the pairs that a threshold joins are right. On rows of
//! exports that estimate is too low (linkage by means understates large clusters), so they reach the lowest
//! threshold; events, where namesakes are many, stop higher.
//!
//! Never above what a cookie or a device alone weighs that one person uses (2.2 bits after the household discount):
//! there, logins would part.

use std::collections::BTreeMap;

use super::Model;
use crate::cluster::Merge;
use crate::score::Expected;

/// The thresholds that are considered, in bits.
const LOWEST: f64 = -3.0;
const HIGHEST: f64 = 2.0;
const STEP: f64 = 0.5;

/// The model with its lowest threshold and edges.
pub(super) fn lowest(model: &Model) -> Model {
    let mut lowest = model.clone();
    lowest.parameters.threshold_bits = LOWEST;
    lowest.parameters.edge_bits = LOWEST;
    lowest
}

/// The expected precision and recall at each threshold.
///
/// A merge of m and n records joins m·n pairs, each right with probability 1 ÷ (1 + 2^−S), S the lowest match weight so
/// far in its component.
pub(super) fn expected(components: &[Vec<Merge>]) -> Vec<Expected> {
    let mut joined: Vec<(f64, f64, f64)> = Vec::new();
    for merges in components {
        let mut sizes = BTreeMap::new();
        let mut lowest = f64::INFINITY;
        for merge in merges {
            lowest = lowest.min(merge.weight_bits);
            let of = |node: usize| sizes.get(&node).copied().unwrap_or(1.0);
            let (kept, other) = (of(merge.kept), of(merge.joined));
            sizes.insert(merge.kept, kept + other);
            let right = 1.0 / (1.0 + (-lowest.clamp(-60.0, 60.0)).exp2());
            joined.push((lowest, kept * other, kept * other * right));
        }
    }
    let all_right: f64 = joined.iter().map(|(_, _, right)| right).sum();
    let steps = ((HIGHEST - LOWEST) / STEP).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few steps")]
    let steps = steps as u32;
    (0..=steps)
        .map(|step| {
            let threshold_bits = LOWEST + STEP * f64::from(step);
            let (pairs, right) = joined
                .iter()
                .filter(|(weight, _, _)| *weight >= threshold_bits)
                .fold((0.0, 0.0), |(pairs, right), (_, p, r)| (pairs + p, right + r));
            let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
            Expected {
                threshold_bits,
                precision: share(right, pairs),
                recall: share(right, all_right),
            }
        })
        .collect()
}

/// The lowest threshold whose expected precision is kept; else the highest.
pub(super) fn choose(expected: &[Expected], precision: f64) -> f64 {
    let kept = expected.iter().find(|expected| expected.precision >= precision);
    kept.map_or(HIGHEST, |expected| expected.threshold_bits)
}
