//! How do two records agree that are of one person? One EM session a blocking rule.

use std::collections::BTreeMap;

use super::{Model, Session};
use crate::block::Rule;
use crate::record::Field;

/// What the built-in m counts for, in pairs: a maximum a posteriori estimate under a Dirichlet prior.
const PSEUDO_PAIRS: f64 = 30.0;
/// Fewer pairs, or expected matches, than these teach nothing.
const LEAST_PAIRS: usize = 200;
const LEAST_MATCHES: f64 = 50.0;
/// A session ends when no m moves by this much, or after so many rounds.
const STILL: f64 = 1e-4;
const ROUNDS_MAX: usize = 100;
/// Shares of matches and of household mates at the start.
const FIRST_MATCHES: f64 = 0.2;
const FIRST_MATES: f64 = 0.1;

/// What one session learnt.
pub(super) struct Learnt {
    pub(super) session: Session,
    /// m of each field outside the rule.
    m: Vec<(Field, Vec<f64>)>,
}

/// Runs EM over the pairs that meet under a rule; `None` where they are too few.
pub(super) fn session<'a>(
    rule: &Rule,
    levels: impl Iterator<Item = &'a [u8; Field::COUNT]>,
    fields: &[Field],
    model: &Model,
    defaults: &Model,
) -> Option<Learnt> {
    if fields.len() < 2 {
        return None;
    }
    let mut counted: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
    let mut pairs = 0;
    for levels in levels {
        let pattern = fields.iter().map(|field| levels[*field as usize]).collect();
        *counted.entry(pattern).or_default() += 1.0;
        pairs += 1;
    }
    if pairs < LEAST_PAIRS {
        return None;
    }
    let patterns: Vec<(Vec<u8>, f64)> = counted.into_iter().collect();
    let mut mixture = Mixture::new(fields, model, defaults);
    let rounds = (1..=ROUNDS_MAX).find(|_| mixture.step(&patterns) < STILL).unwrap_or(ROUNDS_MAX);
    let matches = mixture.expected_matches;
    (matches >= LEAST_MATCHES).then(|| Learnt {
        session: Session { rule: rule.name.clone(), pairs, matches, rounds },
        m: fields.iter().copied().zip(mixture.m).collect(),
    })
}

/// Sets m of each field to the mean over the sessions that saw it, weighted by the root of their matches; a field that
/// none saw keeps what it has.
pub(super) fn average(model: &mut Model, learnt: &[Learnt]) {
    for field_model in &mut model.fields {
        let mut sum = vec![0.0; field_model.m.len()];
        let mut total = 0.0;
        for learnt in learnt {
            let Some((_, m)) = learnt.m.iter().find(|(field, _)| *field == field_model.field)
            else {
                continue;
            };
            let weight = learnt.session.matches.sqrt();
            total += weight;
            sum.iter_mut().zip(m).for_each(|(sum, m)| *sum += weight * m);
        }
        if total > 0.0 {
            field_model.m = sum.into_iter().map(|sum| sum / total).collect();
        }
    }
}

/// A mixture of three classes over level patterns: match, household mate, stranger.
struct Mixture<'a> {
    m: Vec<Vec<f64>>,
    u: Vec<&'a [f64]>,
    prior: Vec<Vec<f64>>,
    household: Vec<f64>,
    matches: f64,
    mates: f64,
    expected_matches: f64,
}

impl<'a> Mixture<'a> {
    fn new(fields: &[Field], model: &'a Model, defaults: &Model) -> Self {
        let default_m: Vec<Vec<f64>> =
            fields.iter().map(|field| defaults.field(*field).m.clone()).collect();
        let scaled = |m: &Vec<f64>| m.iter().map(|m| m * PSEUDO_PAIRS).collect();
        Self {
            prior: default_m.iter().map(scaled).collect(),
            m: default_m,
            u: fields.iter().map(|field| model.field(*field).u.as_slice()).collect(),
            household: fields.iter().map(|field| model.field(*field).household_share).collect(),
            matches: FIRST_MATCHES,
            mates: FIRST_MATES,
            expected_matches: 0.0,
        }
    }

    /// One round; returns how far m moved at most.
    fn step(&mut self, patterns: &[(Vec<u8>, f64)]) -> f64 {
        let logs = |of: fn(f64, f64) -> f64| -> Vec<Vec<f64>> {
            let fields = self.m.iter().zip(&self.u).zip(&self.household);
            fields
                .map(|((m, u), share)| {
                    m.iter().zip(*u).map(|(m, u)| of(m / u, *share).ln()).collect()
                })
                .collect()
        };
        let as_match = logs(|ratio, _| ratio);
        let as_mate = logs(|ratio, share| share * ratio + 1.0 - share);
        let strangers = (1.0 - self.matches - self.mates).max(1e-6);
        let mut counts = self.prior.clone();
        let (mut total, mut matches, mut mates) = (0.0, 0.0, 0.0);
        for (pattern, count) in patterns {
            let sum = |logs: &[Vec<f64>]| -> f64 {
                let of_field = |(level, logs): (&u8, &Vec<f64>)| {
                    usize::from(*level).checked_sub(1).map_or(0.0, |level| logs[level])
                };
                pattern.iter().zip(logs).map(of_field).sum()
            };
            let matching = self.matches * sum(&as_match).clamp(-50.0, 50.0).exp();
            let mating = self.mates * sum(&as_mate).clamp(-50.0, 50.0).exp();
            let all = matching + mating + strangers;
            let share = matching / all * count;
            for (level, counts) in pattern.iter().zip(&mut counts) {
                if let Some(level) = usize::from(*level).checked_sub(1) {
                    counts[level] += share;
                }
            }
            total += count;
            matches += share;
            mates += mating / all * count;
        }
        self.matches = (matches / total).clamp(1e-6, 1.0 - 1e-6);
        self.mates = (mates / total).clamp(1e-9, 1.0 - 1e-6);
        self.expected_matches = matches;
        let mut moved: f64 = 0.0;
        for (m, counts) in self.m.iter_mut().zip(counts) {
            let total: f64 = counts.iter().sum();
            for (m, count) in m.iter_mut().zip(counts) {
                moved = moved.max((*m - count / total).abs());
                *m = count / total;
            }
        }
        moved
    }
}
