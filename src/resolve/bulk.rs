//! What are the clusters of a whole set of records that is there at once?
//!
//! `records by key → blocks per rule → pairs → edges → components → merges`
//!
//! The same partition as the incremental matcher's and the oracle's, computed in one go on all cores: each
//! component is decided once. Training asks for provisional clusters this way, and so does whoever wants to know what
//! another model would make of the records.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::chains_of;
use super::limits::Limits;
use super::usage::{Counts, shared_identifiers};
use crate::block::{Chain, DEPTH, Key};
use crate::cluster::{Constraints, Merge, agglomerate, groups, split_all};
use crate::record::{Field, Identity, RecordKey};
use crate::score::{Evidence, Features, Levels, Model, Scorer, Sieve, Symbol, Terms};

/// Two records by their places, the lower first.
pub type Pair = (u32, u32);
/// Two records and how firmly they hold together, in bits.
pub type Edge = (u32, u32, f32);
/// A chain's keys, how many they are, and whose it is.
type Entry = ([Key; DEPTH], usize, u32);

/// A set of records in the order of their keys, with what depends on the set alone.
pub struct Bulk {
    keys: Vec<RecordKey>,
    terms: Terms,
    features: Vec<Features>,
    people: FxHashMap<(Field, Symbol), f64>,
    /// The candidate pairs of each blocking rule, ascending.
    by_rule: Vec<Vec<Pair>>,
}

/// The clusters of a set, and how they came to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partition {
    /// Places of records, ascending, in the order of their lowest.
    pub clusters: Vec<Vec<u32>>,
    /// The merges of each component that had any, in the order they were made; places are those of the set.
    pub merges: Vec<Vec<Merge>>,
}

impl Bulk {
    /// Takes records in; of those with one key the first counts.
    pub fn new(model: &Model, mut records: Vec<(RecordKey, Identity)>) -> Self {
        records.sort_by_key(|(key, _)| *key);
        records.dedup_by_key(|(key, _)| *key);
        let mut terms = Terms::default();
        let features: Vec<Features> =
            records.iter().map(|(_, identity)| terms.features(identity, model)).collect();
        let chains: Vec<Vec<Chain>> =
            records.par_iter().map(|(_, identity)| chains_of(identity, model)).collect();
        let cap = model.parameters.block_cap;
        let by_rule =
            (0..model.rules.len()).into_par_iter().map(|rule| pairs_of(rule, &chains, cap));
        let by_rule = by_rule.collect();
        let keys = records.into_iter().map(|(key, _)| key).collect();
        let mut bulk = Self { keys, terms, features, people: FxHashMap::default(), by_rule };
        bulk.count_people(model);
        bulk.drop_silent_pairs(model);
        bulk
    }

    /// A key that is made of a value which more people use than its field's limit brings nobody together.
    fn drop_silent_pairs(&mut self, model: &Model) {
        let limits = Limits::new(model);
        let mut by_rule = std::mem::take(&mut self.by_rule);
        for (rule, pairs) in (0..).zip(&mut by_rule) {
            if limits.concern(rule) {
                let people = |field, symbol| self.people(field, symbol);
                let is_silent = |place: u32| {
                    limits.silence(rule, &self.features[place as usize], model, people)
                };
                pairs.retain(|(left, right)| !is_silent(*left) && !is_silent(*right));
            }
        }
        self.by_rule = by_rule;
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The records' keys, ascending; a record's place is its index.
    pub fn keys(&self) -> &[RecordKey] {
        &self.keys
    }

    /// The text of a record's field.
    pub fn value(&self, place: u32, field: Field) -> Option<&str> {
        self.terms.value(&self.features[place as usize], field)
    }

    /// The candidate pairs of each blocking rule, ascending.
    pub fn pairs_by_rule(&self) -> &[Vec<Pair>] {
        &self.by_rule
    }

    /// Every candidate pair once, ascending.
    pub fn pairs(&self) -> Vec<Pair> {
        let mut pairs = self.by_rule.concat();
        pairs.par_sort_unstable();
        pairs.dedup();
        pairs
    }

    /// The levels that a pair reaches.
    pub fn levels(&self, model: &Model, (left, right): Pair) -> Levels {
        let (left, right) = (&self.features[left as usize], &self.features[right as usize]);
        Scorer::new(&self.terms, model).levels(left, right)
    }

    /// What a pair says, its levels known.
    pub fn weigh(&self, model: &Model, (left, right): Pair, levels: Levels) -> Evidence {
        let (left, right) = (&self.features[left as usize], &self.features[right as usize]);
        let people = |field, symbol| self.people(field, symbol);
        Scorer::new(&self.terms, model).weigh(levels, left, right, people)
    }

    /// The partition, where the edges are known.
    pub fn partition(&self, model: &Model, edges: &[Edge]) -> Partition {
        #[expect(clippy::cast_possible_truncation, reason = "a few bits")]
        let least = model.parameters.edge_bits as f32;
        let mut links: Vec<Vec<(u32, f32)>> = vec![Vec::new(); self.len()];
        for (left, right, weight) in edges {
            links[*left as usize].push((*right, *weight));
            links[*right as usize].push((*left, *weight));
        }
        links.par_iter_mut().for_each(|links| links.sort_unstable_by(|a, b| b.1.total_cmp(&a.1)));
        let link = |node: u32, at: u32| links[node as usize].get(at as usize).copied();
        let parts = split_all(self.len(), model.parameters.component_cap, least, |_| true, link);
        let decided: Vec<(Vec<Vec<u32>>, Vec<Merge>)> =
            parts.par_iter().map(|part| self.decide(model, part)).collect();
        let mut partition = Partition::default();
        for (clusters, merges) in decided {
            partition.clusters.extend(clusters);
            partition.merges.extend((!merges.is_empty()).then_some(merges));
        }
        partition.clusters.sort_unstable_by_key(|cluster| cluster.first().copied());
        partition
    }

    /// The candidate pairs that are edges.
    pub fn edges(&self, model: &Model) -> Vec<Edge> {
        let sieve = Sieve::new(model);
        let people = |field, symbol| self.people(field, symbol);
        let features = |place: u32| &self.features[place as usize];
        let pairs = self.pairs();
        let of_places: Vec<&[Pair]> = pairs.chunk_by(|a, b| a.0 == b.0).collect();
        let edges = of_places.into_par_iter().flat_map_iter(|pairs| {
            let probe = sieve.probe(features(pairs[0].0), Scorer::new(&self.terms, model), people);
            let edge = |(left, right): &Pair| Some((*left, *right, probe.edge(features(*right))?));
            pairs.iter().filter_map(edge).collect::<Vec<_>>()
        });
        edges.collect()
    }

    /// The edge of a candidate pair, its levels known, if it is one.
    pub fn edge(&self, model: &Model, pair: Pair, levels: Levels) -> Option<Edge> {
        let bits = self.weigh(model, pair, levels).edge(model)?;
        Some((pair.0, pair.1, bits))
    }

    fn people(&self, field: Field, symbol: Symbol) -> f64 {
        self.people.get(&(field, symbol)).copied().unwrap_or(1.0)
    }

    fn count_people(&mut self, model: &Model) {
        let mut carriers: FxHashMap<(Field, Symbol), Vec<u32>> = FxHashMap::default();
        for (features, place) in self.features.iter().zip(0..) {
            for value in shared_identifiers(features, model) {
                carriers.entry(value).or_default().push(place);
            }
        }
        let several = carriers.into_iter().filter(|(_, places)| places.len() >= 3);
        let estimates = several.map(|((field, symbol), places)| {
            let mut counts = Counts::default();
            for place in places {
                counts.count(field, &self.features[place as usize], &self.terms, model);
            }
            ((field, symbol), counts.estimate(model))
        });
        self.people = estimates.collect();
    }

    fn decide(&self, model: &Model, part: &[u32]) -> (Vec<Vec<u32>>, Vec<Merge>) {
        let evidence = |i: usize, j: usize| {
            let pair = (part[i], part[j]);
            self.weigh(model, pair, self.levels(model, pair))
        };
        let mut merges = agglomerate(part.len(), model, &Constraints::NONE, evidence);
        let named = |group: Vec<usize>| {
            let mut places: Vec<u32> = group.into_iter().map(|at| part[at]).collect();
            places.sort_unstable();
            places
        };
        let clusters = groups(part.len(), &merges).into_iter().map(named).collect();
        for merge in &mut merges {
            merge.kept = part[merge.kept] as usize;
            merge.joined = part[merge.joined] as usize;
        }
        (clusters, merges)
    }
}

/// The pairs that meet under a rule: those of each block within the cap whose coarser blocks are all over it.
fn pairs_of(rule: usize, chains: &[Vec<Chain>], cap: usize) -> Vec<Pair> {
    let of_rule = |chain: &&Chain| usize::from(chain.rule) == rule;
    let mut entries: Vec<Entry> = Vec::new();
    for (chains, place) in chains.iter().zip(0..) {
        for chain in chains.iter().filter(of_rule) {
            let mut keys = [0; DEPTH];
            keys[..chain.keys().len()].copy_from_slice(chain.keys());
            entries.push((keys, chain.keys().len(), place));
        }
    }
    entries.sort_unstable();
    let mut pairs = Vec::new();
    let mut waiting: Vec<(&[Entry], usize)> = vec![(&entries, 0)];
    while let Some((entries, depth)) = waiting.pop() {
        for block in entries.chunk_by(|a, b| a.0[depth] == b.0[depth]) {
            if block.len() <= cap {
                for (at, (_, _, left)) in block.iter().enumerate() {
                    let others = block[at + 1..].iter().map(|(_, _, right)| *right);
                    pairs.extend(others.map(|right| (*left.min(&right), *left.max(&right))));
                }
            } else if depth + 1 < block[0].1 {
                waiting.push((block, depth + 1));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
