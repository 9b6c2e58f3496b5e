//! How many people seem to use an identifier?
//!
//! D(v) of a value v: the larger of 2^entropy of the {given initial, surname initial} pairs of the records that carry
//! it (a record without a name lends those that its e-mail spells) and of the distinct values of other fields over
//! their typical number; 1 below 3, else floored to a power of two, so that pairs are weighed anew rarely.

mod image;

use std::collections::hash_map::Entry;
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

/// The records that carry a value. Few carry most values, and those are one person.
enum Usage {
    One(NodeId),
    Two([NodeId; 2]),
    Many(Box<Many>),
}

/// At least three records.
struct Many {
    nodes: Vec<NodeId>,
    counts: Counts,
    people: f64,
}

impl Usage {
    fn people(&self) -> f64 {
        match self {
            Self::One(_) | Self::Two(_) => 1.0,
            Self::Many(many) => many.people,
        }
    }

    fn nodes(&self) -> &[NodeId] {
        match self {
            Self::One(node) => std::slice::from_ref(node),
            Self::Two(nodes) => nodes,
            Self::Many(many) => &many.nodes,
        }
    }
}

/// What the records say that carry one value, ascending, and how many of them say it.
#[derive(Clone, Default)]
pub(super) struct Counts(Vec<(Trait, u32)>);

/// What tells people apart that share a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trait {
    Initials([u8; 2]),
    Value(Field, Symbol),
}

/// The values of some records that several people seem to use: few, and asked for all the time.
pub(super) struct Shared(Vec<((Field, Symbol), f64)>);

impl Shared {
    /// How many people seem to use a value of these records.
    pub(super) fn people(&self, field: Field, symbol: Symbol) -> f64 {
        if self.0.is_empty() {
            return 1.0;
        }
        let at = self.0.binary_search_by_key(&(field, symbol), |(value, _)| *value);
        at.map_or(1.0, |at| self.0[at].1)
    }
}

impl Usages {
    /// The values of some records that several people seem to use.
    pub(super) fn shared_by<'a>(
        &self,
        records: impl Iterator<Item = &'a Features>,
        model: &'a Model,
    ) -> Shared {
        let values = records.flat_map(|features| shared_identifiers(features, model));
        let people = values.map(|value| (value, self.people(value.0, value.1)));
        let mut shared: Vec<_> = people.filter(|(_, people)| *people > 1.0).collect();
        shared.sort_unstable_by_key(|(value, _)| *value);
        shared.dedup_by_key(|(value, _)| *value);
        Shared(shared)
    }

    /// How many people seem to use a value.
    pub(super) fn people(&self, field: Field, symbol: Symbol) -> f64 {
        self.usage(field, symbol).map_or(1.0, Usage::people)
    }

    /// How many values several people seem to use.
    pub(super) fn shared(&self) -> u64 {
        let carriers = self.shards.iter().flat_map(|shard| shard.carriers.values());
        carriers.filter(|usage| usage.people() > 1.0).count() as u64
    }

    /// The records that carry a value.
    pub(super) fn members(&self, field: Field, symbol: Symbol) -> &[NodeId] {
        self.usage(field, symbol).map(Usage::nodes).unwrap_or_default()
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
            self.shards[shard_of(symbol)].remove(node, field, symbol, own, terms, model);
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

    /// Whether everything that happened was asked for.
    pub(super) fn is_told(&self) -> bool {
        self.noted.is_empty() && self.shards.iter().all(|shard| shard.touched.is_empty())
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
        let usage = match self.carriers.entry((field, symbol)) {
            Entry::Vacant(entry) => {
                entry.insert(Usage::One(node));
                return;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        let before = usage.people();
        match usage {
            Usage::One(first) => *usage = Usage::Two([*first, node]),
            Usage::Two([first, second]) => {
                let nodes = vec![*first, *second, node];
                let mut counts = Counts::default();
                for node in &nodes {
                    counts.count(field, features(*node), terms, model);
                }
                let people = counts.estimate(model);
                *usage = Usage::Many(Box::new(Many { nodes, counts, people }));
            }
            Usage::Many(many) => {
                many.nodes.push(node);
                many.counts.count(field, features(node), terms, model);
                many.people = many.counts.estimate(model);
            }
        }
        if usage.people() != before {
            self.touched.entry((field, symbol)).or_insert(before);
        }
    }

    fn remove(
        &mut self,
        node: NodeId,
        field: Field,
        symbol: Symbol,
        own: &Features,
        terms: &Terms,
        model: &Model,
    ) {
        let Some(usage) = self.carriers.get_mut(&(field, symbol)) else { return };
        let before = usage.people();
        match usage {
            Usage::One(_) => {
                self.carriers.remove(&(field, symbol));
                return;
            }
            Usage::Two([first, second]) => {
                *usage = Usage::One(if *first == node { *second } else { *first });
            }
            Usage::Many(many) => {
                many.nodes.retain(|member| *member != node);
                if let [first, second] = *many.nodes {
                    *usage = Usage::Two([first, second]);
                } else {
                    many.counts.uncount(field, own, terms, model);
                    many.people = many.counts.estimate(model);
                }
            }
        }
        if usage.people() != before {
            self.touched.entry((field, symbol)).or_insert(before);
        }
    }
}

impl Counts {
    pub(super) fn count(&mut self, of: Field, features: &Features, terms: &Terms, model: &Model) {
        for said in traits(of, features, terms, model) {
            match self.place(said) {
                Ok(at) => self.0[at].1 += 1,
                Err(at) => self.0.insert(at, (said, 1)),
            }
        }
    }

    fn uncount(&mut self, of: Field, features: &Features, terms: &Terms, model: &Model) {
        for said in traits(of, features, terms, model) {
            let Ok(at) = self.place(said) else { continue };
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }

    fn place(&self, said: Trait) -> Result<usize, usize> {
        self.0.binary_search_by_key(&said, |(known, _)| *known)
    }

    /// D(v).
    pub(super) fn estimate(&self, model: &Model) -> f64 {
        let is_initials = |(said, _): &(Trait, u32)| matches!(said, Trait::Initials(_));
        let (initials, values) = self.0.split_at(self.0.partition_point(is_initials));
        let mut counts: Vec<u32> = initials.iter().map(|(_, count)| *count).collect();
        counts.sort_unstable();
        let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
        let entropy: f64 = counts
            .iter()
            .map(|count| f64::from(*count) / total)
            .map(|share| -share * share.log2())
            .sum();
        let mut people = if counts.is_empty() { 0.0 } else { entropy.exp2() };
        for field in Field::ALL {
            let Some(typical) = model.field(field).typical_values else { continue };
            let start = values.partition_point(|(said, _)| *said < Trait::Value(field, 0));
            let end = values.partition_point(|(said, _)| *said <= Trait::Value(field, Symbol::MAX));
            people = people.max(((end - start) as f64 / typical).floor());
        }
        // The sum of logarithms may fall short of a whole number by rounding.
        let people = people + 1e-9;
        if people >= 3.0 { people.log2().floor().exp2() } else { 1.0 }
    }
}

/// What a record that carries a value of a field says beside it.
fn traits(
    of: Field,
    features: &Features,
    terms: &Terms,
    model: &Model,
) -> impl Iterator<Item = Trait> {
    let is_told = move |field: &Field| *field != of && model.field(*field).typical_values.is_some();
    let values = Field::ALL.into_iter().filter(is_told);
    let values = values.map(|field| (field, features.symbol(field)));
    let values = values.filter(|(_, symbol)| *symbol != 0);
    let initials = initials(features, terms).map(Trait::Initials);
    initials.into_iter().chain(values.map(|(field, symbol)| Trait::Value(field, symbol)))
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
