//! What do the worst mistakes rest on? Asks the state, where it is at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Plan;
use crate::error::Result;
use crate::evaluate::{Mistake, Part};
use crate::explain::{Outcome, Pair, RecordView, Why};
use crate::pipeline::{Inspection, inspect};
use crate::report::{Case, CaseRecord, Decisive, Line};
use crate::state::NodeId;

/// Of a mistake, so many parts are looked into, and about so many pairs of them weighed: of each part
/// as many records as that allows.
const PARTS: usize = 6;
const PAIRS: usize = 4_000;

/// A record of a mistake: the number of its part, its key, and what the truth first calls it.
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
    let mut records = BTreeMap::new();
    let mut best: Option<(Why, [&Candidate<'_>; 2])> = None;
    let candidates = candidates(state, mistake);
    let mut weighed = 0;
    for (at, left) in candidates.iter().enumerate() {
        for right in candidates[at + 1..].iter().filter(|right| right.part != left.part) {
            let why = state.why(left.node, right.node)?;
            weighed += 1;
            for (candidate, view) in [left, right].into_iter().zip(&why.records) {
                records.entry(Arc::clone(candidate.record)).or_insert_with(|| case_record(view));
            }
            // One record in two parts is what nothing can weigh; else the heaviest, and the first
            // of equals.
            let is_better = best.as_ref().is_none_or(|(other, pair)| {
                pair[0].node != pair[1].node
                    && (left.node == right.node
                        || why.pair.sum.weight_bits > other.pair.sum.weight_bits)
            });
            if is_better {
                best = Some((why, [left, right]));
            }
        }
    }
    let decisive = best.map(|(why, pair)| decisive(&why, pair));
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

fn case_record(view: &RecordView) -> CaseRecord {
    CaseRecord { source: view.source.to_string(), values: view.values.clone() }
}

fn decisive(why: &Why, pair: [&Candidate<'_>; 2]) -> Decisive {
    let rules = why.keys.iter().filter(|meeting| meeting.outcome == Outcome::Used);
    Decisive {
        ids: pair.map(|candidate| candidate.id.to_owned()),
        records: pair.map(|candidate| Arc::clone(candidate.record)),
        lines: lines(&why.pair),
        prior_bits: why.pair.sum.prior_bits,
        weight_bits: why.pair.sum.weight_bits,
        threshold_bits: why.pair.sum.threshold_bits,
        rules: rules.map(|meeting| meeting.rule.clone()).collect(),
    }
}

fn lines(pair: &Pair) -> Vec<Line> {
    let fields = pair.fields.iter();
    fields
        .map(|term| Line {
            field: term.name.clone(),
            level: term.label.clone(),
            bits: term.bits,
            values: [term.left.clone(), term.right.clone()],
        })
        .collect()
}
