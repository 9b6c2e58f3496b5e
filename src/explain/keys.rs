//! Which blocking keys brought two records together?

use std::collections::BTreeSet;

use serde::Serialize;

use crate::block::Key;
use crate::record::{Field, Identity};
use crate::resolve::chains_of;
use crate::score::Model;

/// A blocking key that two records share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Meeting {
    /// The rule that makes the key.
    pub rule: String,
    /// Whether it brought them together.
    pub outcome: Outcome,
    /// By how many further parts the key was narrowed, because its block was over its cap.
    pub narrowed: usize,
}

/// What became of two records that share a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They are in one block within its cap: compared.
    Used,
    /// Their block is over its cap, and they differ in what narrows it.
    Parted,
    /// Their block is over its cap however it is narrowed.
    Capped,
    /// It is made of a value that more people use than its field's limit.
    Silent,
}

/// The keys that two records share, those that brought them together first, each rule and outcome
/// once. `people` says how many people seem to use a value, `is_capped` whether a key's block is over
/// its cap.
pub fn meetings<E>(
    left: &Identity,
    right: &Identity,
    model: &Model,
    mut people: impl FnMut(Field, &str) -> Result<f64, E>,
    mut is_capped: impl FnMut(Key) -> Result<bool, E>,
) -> Result<Vec<Meeting>, E> {
    let mut silent = BTreeSet::new();
    for (rule, number) in model.rules.iter().zip(0..) {
        for field in rule.fields().filter(|field| model.field(*field).limit.is_some()) {
            for value in [left, right].into_iter().filter_map(|identity| identity.value(field)) {
                if model.hears(field, value) && model.field(field).is_over(people(field, value)?) {
                    silent.insert(number);
                }
            }
        }
    }
    let (left, right) = (chains_of(left, model), chains_of(right, model));
    let mut meetings = Vec::new();
    for chain in &left {
        let Some(other) = right.iter().find(|other| other.base() == chain.base()) else { continue };
        let pairs = chain.keys().iter().zip(other.keys());
        let common: Vec<Key> = pairs.take_while(|(a, b)| a == b).map(|(key, _)| *key).collect();
        let mut narrowed = 0;
        while narrowed < common.len() && is_capped(common[narrowed])? {
            narrowed += 1;
        }
        let outcome = if silent.contains(&chain.rule) {
            Outcome::Silent
        } else if narrowed < common.len() {
            Outcome::Used
        } else if common.len() < chain.keys().len() {
            Outcome::Parted
        } else {
            Outcome::Capped
        };
        let narrowed = narrowed.min(chain.keys().len() - 1);
        meetings.push((outcome, chain.rule, narrowed));
    }
    meetings.sort_unstable();
    meetings.dedup();
    let named = |(outcome, rule, narrowed): (Outcome, u8, usize)| Meeting {
        rule: model.rules[usize::from(rule)].name.clone(),
        outcome,
        narrowed,
    };
    Ok(meetings.into_iter().map(named).collect())
}
