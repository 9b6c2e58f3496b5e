//! What would the clusters be, had all records come at once? The plain answer, from scratch.
//!
//! Deliberately slow and without an index: every pair is looked at. It shares with the incremental matcher the pure
//! functions of a pair and of a component, and none of what is kept between changes.

use std::collections::{BTreeMap, BTreeSet};

use super::usage::{Counts, shared_identifiers};
use super::{Insert, chains_of};
use crate::block::Chain;
use crate::cluster::{Constraints, JUDGED_BITS, agglomerate, groups, split};
use crate::record::{Field, Pair, RecordKey, Verdict};
use crate::score::{Features, Model, Scorer, Symbol, Terms};

/// What a set of records comes to under a model and judgements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    /// Who is one person.
    pub clusters: BTreeSet<BTreeSet<RecordKey>>,
    /// What hangs together by edges, before what is over the cap is split.
    pub components: BTreeSet<BTreeSet<RecordKey>>,
    /// The edges of the candidate graph but for judgements, the lower key first, and their weights in bits.
    pub edges: BTreeMap<(RecordKey, RecordKey), f32>,
    /// By blocking key: how many records have it.
    pub blocks: BTreeMap<u64, usize>,
    /// By shared identifier: how many people seem to use it.
    pub people: BTreeMap<(Field, Box<str>), f64>,
}

/// The partition of a set of records under a model, where nothing was judged.
pub fn partition(model: &Model, records: &[Insert]) -> BTreeSet<BTreeSet<RecordKey>> {
    partition_judged(model, records, &BTreeMap::new())
}

/// The partition of a set of records under a model and judgements, of whatever records.
pub fn partition_judged(
    model: &Model,
    records: &[Insert],
    judgements: &BTreeMap<Pair, Verdict>,
) -> BTreeSet<BTreeSet<RecordKey>> {
    whole(model, records, judgements).clusters
}

/// The same, and all that the partition follows from.
pub fn whole(model: &Model, records: &[Insert], judgements: &BTreeMap<Pair, Verdict>) -> Whole {
    let mut records: Vec<&Insert> = records.iter().collect();
    records.sort_unstable_by_key(|record| record.key);
    let mut terms = Terms::default();
    let features: Vec<Features> =
        records.iter().map(|record| terms.features(&record.identity, model)).collect();
    let people = people(model, &features, &terms);
    let chains: Vec<Vec<Chain>> =
        records.iter().map(|record| chains_of(&record.identity, model)).collect();
    let mut whole = Whole::default();
    for key in chains.iter().flatten().flat_map(|chain| chain.keys()) {
        *whole.blocks.entry(*key).or_default() += 1;
    }
    let speaking: Vec<Vec<Chain>> = chains
        .iter()
        .zip(&features)
        .map(|(chains, features)| {
            let speaks = |chain: &&Chain| !is_silent(model, chain, features, &people);
            chains.iter().filter(speaks).copied().collect()
        })
        .collect();
    let evidence = |i: usize, j: usize| {
        let people = |field, symbol| people.get(&(field, symbol)).copied().unwrap_or(1.0);
        Scorer::new(&terms, model).compare(&features[i], &features[j], people)
    };
    let key = |at: u32| records[at as usize].key;
    let narrow = |at: usize| u32::try_from(at).expect("few");
    let mut edges = Vec::new();
    for i in 0..records.len() {
        for j in i + 1..records.len() {
            if !meet(&speaking[i], &speaking[j], &whole.blocks, model.parameters.block_cap) {
                continue;
            }
            let edge = evidence(i, j).edge(model);
            edges.extend(edge.map(|bits| (narrow(i), narrow(j), bits)));
        }
    }
    whole.edges = edges.iter().map(|(i, j, weight)| ((key(*i), key(*j)), *weight)).collect();
    let judged = constraints(&records, judgements);
    edges.extend(judged.together.iter().map(|(i, j)| (narrow(*i), narrow(*j), JUDGED_BITS)));
    for component in components(records.len(), &edges, model) {
        whole.components.insert(component.iter().map(|at| key(*at)).collect());
        for part in parts(&component, &edges, model) {
            let pair = |i: usize, j: usize| evidence(part[i] as usize, part[j] as usize);
            let merges = agglomerate(part.len(), model, &within(&judged, &part), pair);
            let named = |group: Vec<usize>| group.into_iter().map(|at| key(part[at])).collect();
            whole.clusters.extend(groups(part.len(), &merges).into_iter().map(named));
        }
    }
    let shared = people.into_iter();
    whole.people = shared.map(|((f, symbol), n)| ((f, terms.text(symbol).into()), n)).collect();
    whole
}

/// The judgements of which both records are there.
fn constraints(records: &[&Insert], judgements: &BTreeMap<Pair, Verdict>) -> Constraints {
    let mut constraints = Constraints::NONE;
    for (pair, verdict) in judgements {
        let place = |key: &RecordKey| records.iter().position(|record| record.key == *key);
        if let [Some(i), Some(j)] = pair.keys().each_ref().map(place) {
            match verdict {
                Verdict::Together => constraints.together.push((i, j)),
                Verdict::Apart => constraints.apart.push((i, j)),
                Verdict::Withdrawn => {}
            }
        }
    }
    constraints
}

/// The judgements within one part.
fn within(judged: &Constraints, part: &[u32]) -> Constraints {
    let place = |at: usize| part.iter().position(|node| *node as usize == at);
    let inside = |pairs: &[(usize, usize)]| {
        pairs.iter().filter_map(|(i, j)| Some((place(*i)?, place(*j)?))).collect()
    };
    Constraints { together: inside(&judged.together), apart: inside(&judged.apart) }
}

/// The connected components of all records.
fn components(nodes: usize, edges: &[(u32, u32, f32)], model: &Model) -> Vec<Vec<u32>> {
    split(nodes, edges, nodes, least(model))
}

/// The parts of a component that are decided on their own: itself, or what it is split into over the cap.
fn parts(component: &[u32], edges: &[(u32, u32, f32)], model: &Model) -> Vec<Vec<u32>> {
    let place = |node: &u32| component.binary_search(node).ok();
    let inside: Vec<(u32, u32, f32)> = edges
        .iter()
        .filter_map(|(a, b, weight)| {
            let (a, b) = (place(a)?, place(b)?);
            Some((u32::try_from(a).ok()?, u32::try_from(b).ok()?, *weight))
        })
        .collect();
    let pieces = split(component.len(), &inside, model.parameters.component_cap, least(model));
    let named = |piece: Vec<u32>| piece.into_iter().map(|at| component[at as usize]).collect();
    pieces.into_iter().map(named).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a few bits")]
fn least(model: &Model) -> f32 {
    model.parameters.edge_bits as f32
}

fn meet(left: &[Chain], right: &[Chain], sizes: &BTreeMap<u64, usize>, cap: usize) -> bool {
    left.iter().any(|chain| {
        right.iter().filter(|other| other.base() == chain.base()).any(|other| {
            let common = chain.keys().iter().zip(other.keys()).take_while(|(a, b)| a == b);
            common.into_iter().any(|(key, _)| sizes[key] <= cap)
        })
    })
}

/// Whether a key is made of a value that more people use than its field's limit.
fn is_silent(
    model: &Model,
    chain: &Chain,
    features: &Features,
    people: &BTreeMap<(Field, Symbol), f64>,
) -> bool {
    model.rules[usize::from(chain.rule)].fields().any(|field| {
        let users = people.get(&(field, features.symbol(field)));
        users.is_some_and(|users| model.field(field).is_over(*users))
    })
}

fn people(model: &Model, features: &[Features], terms: &Terms) -> BTreeMap<(Field, Symbol), f64> {
    let mut carriers: BTreeMap<(Field, Symbol), Vec<&Features>> = BTreeMap::new();
    for features in features {
        for value in shared_identifiers(features, model) {
            carriers.entry(value).or_default().push(features);
        }
    }
    let estimate = |(value, carriers): ((Field, Symbol), Vec<&Features>)| {
        let mut counts = Counts::default();
        carriers.iter().for_each(|features| counts.count(value.0, features, terms, model));
        (value, counts.estimate(model))
    };
    carriers.into_iter().map(estimate).collect()
}
