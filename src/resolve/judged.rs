//! Which records were judged to be one person or two, and which of those are here?

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::{Outcome, Resolver, Work};
use crate::cluster::Constraints;
use crate::record::{NodeId, Pair, RecordKey, Verdict};

/// The judgements that count, by record; those that were withdrawn are not here.
#[derive(Default)]
pub(super) struct Judged(FxHashMap<RecordKey, Named>);

/// A record that judgements name.
#[derive(Default)]
struct Named {
    /// Its node, while it is in the set.
    node: Option<NodeId>,
    /// The other records of its judgements.
    others: BTreeMap<RecordKey, Verdict>,
}

impl Judged {
    /// Notes that a record comes into the set; returns those there that it was judged to be together with.
    pub(super) fn enter(&mut self, key: &RecordKey, node: NodeId) -> Vec<NodeId> {
        let Some(named) = self.0.get_mut(key) else { return Vec::new() };
        named.node = Some(node);
        let together = |(other, verdict): (&RecordKey, &Verdict)| {
            (*verdict == Verdict::Together).then(|| self.0.get(other)?.node)?
        };
        self.0[key].others.iter().filter_map(together).collect()
    }

    /// Notes that a record leaves the set.
    pub(super) fn leave(&mut self, key: &RecordKey) {
        if let Some(named) = self.0.get_mut(key) {
            named.node = None;
        }
    }

    fn set(&mut self, pair: Pair, verdict: Verdict) {
        let [lower, upper] = pair.keys();
        for (key, other) in [(lower, upper), (upper, lower)] {
            let named = self.0.entry(key).or_default();
            match verdict {
                Verdict::Withdrawn => named.others.remove(&other),
                verdict => named.others.insert(other, verdict),
            };
            if named.others.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    fn verdict(&self, pair: Pair) -> Verdict {
        let [lower, upper] = pair.keys();
        let of_pair = self.0.get(&lower).and_then(|named| named.others.get(&upper));
        of_pair.copied().unwrap_or(Verdict::Withdrawn)
    }
}

impl Resolver {
    /// Takes judgements in, or out where they are withdrawn, and decides anew what that touches. The later of two on
    /// one pair counts, as does each over what was judged of its pair before.
    pub fn judge(&mut self, judgements: &[(Pair, Verdict)]) -> Outcome {
        let mut changed: BTreeMap<Pair, Verdict> = judgements.iter().copied().collect();
        changed.retain(|pair, verdict| self.judged.verdict(*pair) != *verdict);
        let nodes = self.nodes_of(&changed);
        let mut dirty = Vec::new();
        for (pair, verdict) in &changed {
            self.judged.set(*pair, *verdict);
            let here = pair.keys().map(|key| nodes.get(&key).copied());
            for (key, node) in pair.keys().iter().zip(here) {
                if let (Some(named), Some(node)) = (self.judged.0.get_mut(key), node) {
                    named.node = Some(node);
                }
            }
            let [Some(left), Some(right)] = here else { continue };
            dirty.extend([left, right]);
            match verdict {
                Verdict::Together => self.graph.join(left, right),
                Verdict::Apart | Verdict::Withdrawn => self.graph.unjoin(left, right),
            }
        }
        let mut work = Work::default();
        let weighed_anew = dirty.iter().copied().collect();
        let parts = self.graph.regroup(dirty, &weighed_anew);
        let clusters = self.decide(parts, &mut work, &mut || {});
        Outcome { clusters, edges: self.graph.take_changed(), work }
    }

    /// What was judged of a pair of records; `Withdrawn` where nothing was.
    pub fn verdict(&self, pair: Pair) -> Verdict {
        self.judged.verdict(pair)
    }

    /// The nodes of the records that judgements name. Looks at every record: judging is rare, and an index of all keys
    /// would take memory for ever.
    fn nodes_of(&self, judgements: &BTreeMap<Pair, Verdict>) -> FxHashMap<RecordKey, NodeId> {
        let mut nodes = FxHashMap::default();
        if judgements.is_empty() {
            return nodes;
        }
        let named: BTreeSet<RecordKey> = judgements.keys().flat_map(Pair::keys).collect();
        for (number, node) in (0..).zip(&self.nodes) {
            if let Some(node) = node.as_ref().filter(|node| named.contains(&node.key)) {
                nodes.insert(node.key, number);
            }
        }
        nodes
    }

    /// Whether any record of the one group was judged apart from any of the other.
    pub(super) fn judged_apart(&self, left: &[NodeId], right: &[NodeId]) -> bool {
        let apart = |node: &NodeId| {
            let named = self.judged.0.get(&self.known(*node).key)?;
            let others = named.others.iter().filter(|(_, verdict)| **verdict == Verdict::Apart);
            let mut nodes = others.filter_map(|(other, _)| self.judged.0.get(other)?.node);
            nodes.find(|other| right.contains(other))
        };
        left.iter().any(|node| apart(node).is_some())
    }

    /// What was judged within a part, whose records are in the order of their keys.
    pub(super) fn constraints(&self, part: &[NodeId]) -> Constraints {
        let mut constraints = Constraints::NONE;
        if self.judged.0.is_empty() {
            return constraints;
        }
        let key = |node: &NodeId| self.known(*node).key;
        for (i, node) in part.iter().enumerate() {
            let Some(named) = self.judged.0.get(&key(node)) else { continue };
            for (other, verdict) in named.others.range(key(node)..) {
                let Ok(j) = part.binary_search_by_key(other, key) else { continue };
                match verdict {
                    Verdict::Together => constraints.together.push((i, j)),
                    Verdict::Apart => constraints.apart.push((i, j)),
                    Verdict::Withdrawn => {}
                }
            }
        }
        constraints
    }
}
