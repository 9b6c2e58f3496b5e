//! What do the worst mistakes rest on? Asks the state, where it is at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Plan;
use crate::error::Result;
use crate::evaluate::{Mistake, Part};
use crate::explain::{FieldTerm, Outcome, Pair};
use crate::pipeline::{Inspection, inspect};
use crate::report::{Case, CaseRecord, Decisive, Line};
use crate::state::NodeId;

/// Of a mistake, so many parts are looked into, and about so many pairs of them weighed: of each part
/// as many records as that allows.
const PARTS: usize = 6;
const PAIRS: usize = 4_000;

/// A record of a mistake: the number of its part, its key, and what the truth first calls it.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    part: usize,
    record: &'a Arc<str>,
    id: &'a str,
    node: NodeId,
}

/// The mistakes with their evidence; or without, and why.
pub(super) fn gather<'a>(
    plan: &Plan,
    worst: &'a [Mistake],
) -> Result<(Vec<Case<'a>>, Option<String>)> {
    let bare = |mistake: &'a Mistake| Case {
        mistake,
        records: BTreeMap::new(),
        decisive: None,
        weighed: (0, 0),
    };
    match inspect(plan) {
        Ok(state) => {
            Ok((worst.iter().map(|mistake| case(&state, mistake)).collect::<Result<_>>()?, None))
        }
        // Scores need no state: that none is at hand is worth a sentence, not a failure.
        Err(error) => Ok((worst.iter().map(bare).collect(), Some(error.to_string()))),
    }
}

fn case<'a>(state: &Inspection, mistake: &'a Mistake) -> Result<Case<'a>> {
    let candidates = candidates(state, mistake);
    let nodes = candidates.iter().map(|candidate| candidate.node).collect();
    let (views, weighing) = state.weighing(nodes)?;
    let places: BTreeMap<String, usize> =
        views.iter().map(|view| view.record.to_string()).zip(0..).collect();
    let place = |candidate: &Candidate<'_>| places[&**candidate.record];

    let mut best: Option<(f64, [Candidate<'_>; 2])> = None;
    let mut weighed = 0;
    for (at, left) in candidates.iter().enumerate() {
        for right in candidates[at + 1..].iter().filter(|right| right.part != left.part) {
            weighed += 1;
            // One record in two parts is what nothing can weigh; else the heaviest, and the first
            // of equals.
            let bits = if left.node == right.node {
                f64::INFINITY
            } else {
                weighing.evidence(place(left), place(right)).weight(state.model())
            };
            if best.as_ref().is_none_or(|(most, _)| bits > *most) {
                best = Some((bits, [*left, *right]));
            }
        }
    }
    let decisive = match best {
        None => None,
        Some((_, pair)) => {
            let [left, right] = pair.map(|candidate| place(&candidate));
            let meetings = state.meetings(&views[left], &views[right])?;
            let met = meetings.into_iter().filter(|meeting| meeting.outcome == Outcome::Used);
            let rules = met.map(|meeting| meeting.rule).collect();
            Some(decisive(weighing.pair(left, right), rules, pair))
        }
    };
    let record = |candidate: &Candidate<'_>| {
        let view = &views[place(candidate)];
        let values = view.values.clone();
        (Arc::clone(candidate.record), CaseRecord { source: view.source.to_string(), values })
    };
    let records = candidates.iter().map(record).collect();
    Ok(Case { mistake, records, decisive, weighed: (weighed, pairs_of(mistake)) })
}

/// Some records of the first parts, in the order of their keys: which ones depends on nothing but
/// the set.
fn candidates<'a>(state: &Inspection, mistake: &'a Mistake) -> Vec<Candidate<'a>> {
    let mut candidates = Vec::new();
    let parts = mistake.parts.len().clamp(2, PARTS);
    let of_part = (PAIRS / (parts * (parts - 1) / 2)).isqrt();
    for (number, part) in mistake.parts.iter().take(PARTS).enumerate() {
        let found = records_of(part).into_iter().filter_map(|(record, id)| {
            // A state that is ahead of the tables may not know a record any more.
            let node = state.find(record).ok()?;
            Some(Candidate { part: number, record, id, node })
        });
        candidates.extend(found.take(of_part));
    }
    candidates
}

/// The records of a part, each with its first id.
fn records_of(part: &Part) -> BTreeMap<&Arc<str>, &str> {
    let mut records = BTreeMap::new();
    for member in &part.members {
        if let Some((_, record)) = &member.placed {
            records.entry(record).or_insert(member.id.as_str());
        }
    }
    records
}

/// The pairs of records of two parts.
fn pairs_of(mistake: &Mistake) -> u64 {
    let sizes: Vec<u64> = mistake.parts.iter().map(|part| records_of(part).len() as u64).collect();
    let all: u64 = sizes.iter().sum();
    sizes.iter().map(|size| size * (all - size)).sum::<u64>() / 2
}

fn decisive(said: Pair, rules: Vec<String>, pair: [Candidate<'_>; 2]) -> Decisive {
    Decisive {
        ids: pair.map(|candidate| candidate.id.to_owned()),
        records: pair.map(|candidate| Arc::clone(candidate.record)),
        lines: said.fields.into_iter().map(line).collect(),
        prior_bits: said.sum.prior_bits,
        weight_bits: said.sum.weight_bits,
        threshold_bits: said.sum.threshold_bits,
        rules,
    }
}

fn line(term: FieldTerm) -> Line {
    let level = match term.people {
        Some(people @ 2.0..) => format!("{}, used by about {people:.0} people", term.label),
        _ => term.label,
    };
    Line { field: term.name, level, bits: term.bits, values: [term.left, term.right] }
}
