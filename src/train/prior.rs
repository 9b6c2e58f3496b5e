//! How likely are two random records one person, or two of one household?

use super::{Evidence, Model};
use crate::record::Field;

/// The weight of exchanged names against a match, where the prior is learnt.
const SWAP_BITS: f64 = -5.0;
/// Between which bounds log2(matches ÷ household mates) is believed.
const HOUSEHOLD_BITS: std::ops::RangeInclusive<f64> = -2.0..=2.0;

/// What a candidate pair says, without any prior.
#[derive(Clone, Copy)]
pub(super) struct Scores {
    /// Bits for one person against two strangers.
    match_bits: f64,
    /// Bits for household mates against two strangers.
    mate_bits: f64,
}

impl Scores {
    pub(super) fn of(evidence: &Evidence, model: &Model) -> Self {
        let mut scores = Self { match_bits: 0.0, mate_bits: 0.0 };
        for field in Field::ALL {
            if evidence.levels[field as usize] > 0 {
                let bits = evidence.bits[field as usize];
                scores.match_bits += bits;
                scores.mate_bits += bits - model.field(field).household_evidence(bits);
            }
        }
        scores
    }
}

pub(super) struct Priors {
    pub(super) match_bits: f64,
    pub(super) household_bits: f64,
}

/// Learns both priors by EM over all candidate pairs; pairs that never met count as strangers.
pub(super) fn estimate(
    scores: &[Scores],
    swapped: impl Iterator<Item = bool>,
    records: usize,
) -> Priors {
    let all = all_pairs(records);
    let swap = |swapped: bool| if swapped { SWAP_BITS } else { 0.0 };
    let weights: Vec<f64> =
        scores.iter().zip(swapped).map(|(s, w)| s.match_bits + swap(w)).collect();
    let mut share = 1.0 / records as f64;
    for _ in 0..30 {
        let prior = (share / (1.0 - share)).log2();
        let expected: f64 = weights.iter().map(|bits| probability(bits + prior)).sum();
        share = (expected / all).max(1e-9);
    }
    let (matches, mates) = three_classes(scores, share, all);
    Priors { match_bits: (matches / (1.0 - matches)).log2(), household_bits: clip(matches, mates) }
}

/// Learns log2(matches ÷ household mates) once more, where the prior stands.
pub(super) fn household(scores: &[Scores], prior_bits: f64, records: usize) -> f64 {
    let share = 1.0 / (1.0 + (-prior_bits).exp2());
    let (matches, mates) = three_classes(scores, share, all_pairs(records));
    clip(matches, mates)
}

fn clip(matches: f64, mates: f64) -> f64 {
    (matches / mates).log2().clamp(*HOUSEHOLD_BITS.start(), *HOUSEHOLD_BITS.end())
}

fn three_classes(scores: &[Scores], share: f64, all: f64) -> (f64, f64) {
    let odds: Vec<(f64, f64)> = scores
        .iter()
        .map(|s| (s.match_bits.clamp(-60.0, 60.0).exp2(), s.mate_bits.clamp(-60.0, 60.0).exp2()))
        .collect();
    let (mut matches, mut mates) = (share, share * 0.3);
    for _ in 0..100 {
        let (mut as_match, mut as_mate) = (0.0, 0.0);
        for (matching, mating) in &odds {
            let of_match = matches * matching;
            let of_mate = mates * mating;
            let total = of_match + of_mate + (1.0 - matches - mates);
            as_match += of_match / total;
            as_mate += of_mate / total;
        }
        let (new_matches, new_mates) = (as_match / all, as_mate / all);
        let moved = (new_mates.max(1e-15) / mates).log2().abs()
            + (new_matches.max(1e-15) / matches).log2().abs();
        mates = new_mates.max(1e-12);
        matches = new_matches.max(1e-12);
        if moved < 1e-3 {
            break;
        }
    }
    (matches, mates)
}

fn all_pairs(records: usize) -> f64 {
    let records = records as f64;
    records * (records - 1.0) / 2.0
}

fn probability(bits: f64) -> f64 {
    1.0 / (1.0 + (-bits.clamp(-60.0, 60.0)).exp2())
}
