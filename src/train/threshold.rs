//! Where should merges stop?
//!
//! A merge at match weight S is right with probability 1 ÷ (1 + 2^−S), so the model itself says what share of the merges
//! that a threshold makes are right. The threshold is the lowest at which that share is kept **among doubtful merges**,
//! those below [`DOUBTFUL_BITS`]: how many contents are joined beyond doubt says much of the sources and nothing of where
//! to stop (map one more attribute, and one customer's purchases by one card become many contents).
//!
//! Never below the threshold of the model that training starts from: on rows of exports the estimate is too low
//! (linkage by means understates large clusters), on events, where namesakes are many, it is not. Never above what a
//! cookie or a device alone weighs that one person uses (2.2 bits after the household discount): there, logins would
//! part.

use std::collections::BTreeMap;

use crate::cluster::Merge;
use crate::score::Expected;

/// The highest threshold that is considered, in bits, and the way there.
const HIGHEST: f64 = 2.0;
const STEP: f64 = 0.5;

/// A merge that is right in fewer than about 999 of 1,000 cases is doubtful.
const DOUBTFUL_BITS: f64 = 10.0;

/// A pair that weighs less than this below the threshold brings two records into one component no more, in bits: their
/// groups would hardly merge, and the components of many customers would grow into one.
const EDGE_MARGIN: f64 = 1.0;

/// The least weight of the candidate graph's edges where groups merge down to a threshold.
pub(super) fn edge(lowest_bits: f64, threshold_bits: f64) -> f64 {
    (threshold_bits - EDGE_MARGIN).max(lowest_bits)
}

/// The expected precision and recall at each threshold from the lowest on.
///
/// A merge of m and n records joins m·n pairs, all right or none.
pub(super) fn expected(components: &[Vec<Merge>], lowest_bits: f64) -> Vec<Expected> {
    let joined = joined(components);
    let all_right: f64 = joined.iter().map(|merge| merge.pairs * merge.right).sum();
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
    thresholds(lowest_bits)
        .map(|threshold_bits| {
            let made = joined.iter().filter(|merge| merge.weight_bits >= threshold_bits);
            let (pairs, right) = made.fold((0.0, 0.0), |(pairs, right), merge| {
                (pairs + merge.pairs, right + merge.pairs * merge.right)
            });
            Expected {
                threshold_bits,
                precision: share(right, pairs),
                recall: share(right, all_right),
            }
        })
        .collect()
}

/// The lowest threshold at which so many of the doubtful merges are right; else the highest.
pub(super) fn choose(components: &[Vec<Merge>], lowest_bits: f64, precision: f64) -> f64 {
    let doubtful: Vec<Joined> =
        joined(components).into_iter().filter(|merge| merge.weight_bits < DOUBTFUL_BITS).collect();
    let kept = |threshold_bits: &f64| {
        let made = doubtful.iter().filter(|merge| merge.weight_bits >= *threshold_bits);
        let (merges, right) =
            made.fold((0.0, 0.0), |(merges, right), merge| (merges + 1.0, right + merge.right));
        right >= precision * merges
    };
    thresholds(lowest_bits).find(kept).unwrap_or(lowest_bits.max(HIGHEST))
}

fn thresholds(lowest_bits: f64) -> impl Iterator<Item = f64> {
    let all = (0..).map(move |step| lowest_bits + STEP * f64::from(step));
    all.take_while(move |bits| *bits <= HIGHEST || *bits == lowest_bits)
}

/// What a merge does: S is the lowest match weight so far in its component.
struct Joined {
    weight_bits: f64,
    /// Pairs of records that it joins.
    pairs: f64,
    /// The chance that it is right.
    right: f64,
}

fn joined(components: &[Vec<Merge>]) -> Vec<Joined> {
    let mut joined = Vec::new();
    for merges in components {
        let mut sizes = BTreeMap::new();
        let mut weight_bits = f64::INFINITY;
        for merge in merges {
            weight_bits = weight_bits.min(merge.weight_bits);
            let of = |node: usize| sizes.get(&node).copied().unwrap_or(1.0);
            let (kept, other) = (of(merge.kept), of(merge.joined));
            sizes.insert(merge.kept, kept + other);
            let right = 1.0 / (1.0 + (-weight_bits.clamp(-60.0, 60.0)).exp2());
            joined.push(Joined { weight_bits, pairs: kept * other, right });
        }
    }
    joined
}
