//! How many people seem to use an identifier?
//!
//! D(v) of a value v: the larger of 2^entropy of the {given initial, surname initial} pairs of the records that carry
//! it (a record without a name lends those that its e-mail spells) and of the distinct values of other fields over
//! their typical number; 1 below 3, else floored to a power of two, so that pairs are weighed anew rarely.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::normalise::lexicon;
use crate::record::{Field, NodeId};
use crate::score::{Features, Model, Symbol, Terms};

/// An identifier whose number of users changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) field: Field,
    pub(super) symbol: Symbol,
    /// There are fewer users now, so agreeing on it says more.
    pub(super) fewer: bool,
    /// Whether it crossed its field's limit either way: it says nothing now, or says something again.
    pub(super) crossed: bool,
}

/// Who carries which identifier, and how many people that seem to be.
///
/// In shards by value, each of which one core fills.
pub(super) struct Usages {
    shards: Vec<Shard>,
    /// The values whose number of users changed since last noted.
    noted: BTreeSet<(Field, Symbol)>,
}

/// How many shards there are.
const SHARDS: usize = 16;

impl Default for Usages {
    fn default() -> Self {
        let shards = std::iter::repeat_with(Shard::default).take(SHARDS).collect();
        Self { shards, noted: BTreeSet::new() }
    }
}

#[derive(Default)]
struct Shard {
    carriers: FxHashMap<(Field, Symbol), Usage>,
    /// The number of users before this change, of each value where it was not always the same since.
    touched: BTreeMap<(Field, Symbol), f64>,
}

#[derive(Default)]
struct Usage {
    nodes: Vec<NodeId>,
    /// Counts for values that at least three records carry; fewer are one person.
    counts: Option<Box<Counts>>,
}

impl Usage {
    fn people(&self) -> f64 {
        self.counts.as_ref().map_or(1.0, |counts| counts.people)
    }
}

#[derive(Clone, Default)]
pub(super) struct Counts {
    initials: BTreeMap<[u8; 2], u32>,
    /// By field: distinct values and how many records carry each.
    others: Vec<(Field, FxHashMap<Symbol, u32>)>,
    people: f64,
}

impl Usages {
    /// How many people seem to use a value.
    pub(super) fn people(&self, field: Field, symbol: Symbol) -> f64 {
        self.usage(field, symbol).map_or(1.0, Usage::people)
    }

    /// How many values several people seem to use.
    pub(super) fn shared(&self) -> u64 {
        let carriers = self.shards.iter().flat_map(|shard| shard.carriers.values());
        let counts = carriers.filter_map(|usage| usage.counts.as_ref());
        counts.filter(|counts| counts.people > 1.0).count() as u64
    }

    /// The records that carry a value.
    pub(super) fn members(&self, field: Field, symbol: Symbol) -> &[NodeId] {
        self.usage(field, symbol).map(|usage| &*usage.nodes).unwrap_or_default()
    }

    fn usage(&self, field: Field, symbol: Symbol) -> Option<&Usage> {
        self.shards[shard_of(symbol)].carriers.get(&(field, symbol))
    }

    /// Adds records, on all cores; `features` gives those of any record of the set, these among them.
    pub(super) fn add<'a>(
        &mut self,
        nodes: impl Iterator<Item = NodeId>,
        features: impl Fn(NodeId) -> &'a Features + Sync,
        terms: &Terms,
        model: &Model,
    ) {
        let mut by_shard: Vec<Vec<(Field, Symbol, NodeId)>> = vec![Vec::new(); SHARDS];
        for node in nodes {
            for (field, symbol) in shared_identifiers(features(node), model) {
                by_shard[shard_of(symbol)].push((field, symbol, node));
            }
        }
        self.shards.par_iter_mut().zip(by_shard).for_each(|(shard, added)| {
            for (field, symbol, node) in added {
                shard.add(node, field, symbol, &features, terms, model);
            }
        });
    }

    /// Takes a record out.
    pub(super) fn remove(&mut self, node: NodeId, own: &Features, terms: &Terms, model: &Model) {
        for (field, symbol) in shared_identifiers(own, model) {
            let shard = &mut self.shards[shard_of(symbol)];
            let Some(usage) = shard.carriers.get_mut(&(field, symbol)) else { continue };
            let before = usage.people();
            usage.nodes.retain(|member| *member != node);
            if usage.nodes.len() < 3 {
                usage.counts = None;
            } else if let Some(counts) = &mut usage.counts {
                counts.uncount(field, own, terms);
                counts.people = counts.estimate(model);
            }
            if usage.people() != before {
                shard.touched.entry((field, symbol)).or_insert(before);
            }
            if usage.nodes.is_empty() {
                shard.carriers.remove(&(field, symbol));
            }
        }
    }

    /// The values whose number of users changed since last asked, ascending.
    pub(super) fn take_changes(&mut self, model: &Model) -> Vec<Change> {
        let mut touched = BTreeMap::new();
        self.shards.iter_mut().for_each(|shard| touched.append(&mut shard.touched));
        let changes = touched.into_iter().filter_map(|((field, symbol), before)| {
            let now = self.people(field, symbol);
            let over = |people: f64| model.field(field).is_over(people);
            let crossed = over(now) != over(before);
            (now != before).then_some(Change { field, symbol, fewer: now < before, crossed })
        });
        let changes: Vec<Change> = changes.collect();
        self.noted.extend(changes.iter().map(|change| (change.field, change.symbol)));
        changes
    }

    /// The values whose number of users changed since last asked, with the number now.
    pub(super) fn take_notes(&mut self) -> Vec<(Field, Symbol, f64)> {
        let noted = std::mem::take(&mut self.noted).into_iter();
        noted.map(|(field, symbol)| (field, symbol, self.people(field, symbol))).collect()
    }
}

fn shard_of(symbol: Symbol) -> usize {
    symbol as usize % SHARDS
}

impl Shard {
    fn add<'a>(
        &mut self,
        node: NodeId,
        field: Field,
        symbol: Symbol,
        features: &impl Fn(NodeId) -> &'a Features,
        terms: &Terms,
        model: &Model,
    ) {
        let usage = self.carriers.entry((field, symbol)).or_default();
        let before = usage.people();
        usage.nodes.push(node);
        if let Some(counts) = &mut usage.counts {
            counts.count(field, features(node), terms, model);
            counts.people = counts.estimate(model);
        } else if usage.nodes.len() >= 3 {
            let mut counts = Box::<Counts>::default();
            for node in &usage.nodes {
                counts.count(field, features(*node), terms, model);
            }
            counts.people = counts.estimate(model);
            usage.counts = Some(counts);
        }
        if usage.people() != before {
            self.touched.entry((field, symbol)).or_insert(before);
        }
    }
}

impl Counts {
    pub(super) fn count(&mut self, of: Field, features: &Features, terms: &Terms, model: &Model) {
        if self.others.is_empty() {
            let typical = |field: &Field| model.field(*field).typical_values.is_some();
            let others = Field::ALL.into_iter().filter(|field| *field != of).filter(typical);
            self.others = others.map(|field| (field, FxHashMap::default())).collect();
        }
        if let Some(initials) = initials(features, terms) {
            *self.initials.entry(initials).or_default() += 1;
        }
        for (field, values) in &mut self.others {
            let symbol = features.symbol(*field);
            if symbol != 0 {
                *values.entry(symbol).or_default() += 1;
            }
        }
    }

    fn uncount(&mut self, of: Field, features: &Features, terms: &Terms) {
        if let Some(initials) = initials(features, terms)
            && let Some(count) = self.initials.get_mut(&initials)
        {
            *count -= 1;
            if *count == 0 {
                self.initials.remove(&initials);
            }
        }
        for (field, values) in self.others.iter_mut().filter(|(field, _)| *field != of) {
            let symbol = features.symbol(*field);
            if let Some(count) = values.get_mut(&symbol) {
                *count -= 1;
                if *count == 0 {
                    values.remove(&symbol);
                }
            }
        }
    }

    /// D(v).
    pub(super) fn estimate(&self, model: &Model) -> f64 {
        let mut counts: Vec<u32> = self.initials.values().copied().collect();
        counts.sort_unstable();
        let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
        let entropy: f64 = counts
            .iter()
            .map(|count| f64::from(*count) / total)
            .map(|share| -share * share.log2())
            .sum();
        let mut people = if counts.is_empty() { 0.0 } else { entropy.exp2() };
        for (field, values) in &self.others {
            let typical = model.field(*field).typical_values.unwrap_or(f64::INFINITY);
            people = people.max((values.len() as f64 / typical).floor());
        }
        // The sum of logarithms may fall short of a whole number by rounding.
        let people = people + 1e-9;
        if people >= 3.0 { people.log2().floor().exp2() } else { 1.0 }
    }
}

pub(super) fn shared_identifiers<'a>(
    features: &'a Features,
    model: &'a Model,
) -> impl Iterator<Item = (Field, Symbol)> + 'a {
    let is_shared = |field: &Field| {
        let of_field = model.field(*field);
        of_field.sharing.is_some() || of_field.limit.is_some()
    };
    let shared = Field::ALL.into_iter().filter(is_shared);
    shared.map(|field| (field, features.symbol(field))).filter(|(_, symbol)| *symbol != 0)
}

/// The initials of a record's two names, ascending; of its e-mail's where it has not both.
fn initials(features: &Features, terms: &Terms) -> Option<[u8; 2]> {
    let given = terms.value(features, Field::Given).map(lexicon::canonical_given);
    let surname = terms.value(features, Field::Surname);
    if let Some((given, surname)) = given.zip(surname) {
        let mut pair = [given.bytes().next()?, surname.bytes().next()?];
        pair.sort_unstable();
        return Some(pair);
    }
    terms.email_initials(features.symbol(Field::Email))
}
