//! Where should merges stop?

use serde::{Deserialize, Serialize};

use super::Model;
use crate::cluster::Merge;

/// The thresholds that are considered, in bits.
const LOWEST: f64 = -3.0;
const HIGHEST: f64 = 6.0;
const STEP: f64 = 0.5;

/// What is expected of the clusters at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The threshold in bits.
    pub threshold_bits: f64,
    /// The expected share of right pairs among those joined.
    pub precision: f64,
    /// The expected share of the right pairs that are joined, of those that any merge down to the lowest threshold joins.
    pub recall: f64,
}

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
        let mut sizes = std::collections::BTreeMap::new();
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
