//! Which clusters do the parts of components fall into?

use std::cell::Cell;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::graph::{self, Formed, Merges};
use super::{Node, Resolver, Work};
use crate::cluster::{Constraints, Known, Merge, agglomerate, groups, replay};
use crate::record::{Field, NodeId};
use crate::score::{Memo, Symbol};

/// How many parts of components are decided between two signs of life.
const DECIDED_AT_ONCE: usize = 100_000;
/// Of so many records and more it is kept how they were merged.
const MERGES_KEPT: usize = if cfg!(test) { 2 } else { 12 };
/// Merges that are known are of use where no more than one in so many records is new.
const NEW_SHARE: usize = if cfg!(test) { 1 } else { 4 };

/// What became of a part.
struct Decided {
    clusters: Vec<Vec<NodeId>>,
    /// Where they are worth keeping.
    merges: Option<Merges>,
    /// How many pairs were weighed.
    pairs: u64,
    was_replayed: bool,
}

impl Resolver {
    /// Decides parts of components; `tell` is called now and then.
    pub(super) fn decide(
        &mut self,
        mut parts: Vec<Formed>,
        work: &mut Work,
        tell: &mut dyn FnMut(),
    ) -> Vec<Vec<NodeId>> {
        let mut clusters = Vec::new();
        for parts in parts.chunks_mut(DECIDED_AT_ONCE) {
            tell();
            parts.par_iter_mut().for_each(|part| self.order(&mut part.members));
            let decided: Vec<Decided> = parts
                .par_iter()
                .map_init(Memo::default, |memo, part| self.decide_part(part, memo))
                .collect();
            for (part, decided) in parts.iter().zip(decided) {
                clusters.extend(decided.clusters);
                work.component_pairs += decided.pairs;
                work.replays += u64::from(decided.was_replayed);
                if let Some(merges) = decided.merges {
                    self.graph.keep_merges(part.members[0], Arc::new(merges));
                }
            }
        }
        for part in &parts {
            work.largest_component = work.largest_component.max(part.members.len() as u64);
        }
        work.components += parts.len() as u64;
        clusters
    }

    /// Puts the records of a part in the order of their keys.
    pub(super) fn order(&self, part: &mut [NodeId]) {
        part.sort_unstable_by_key(|node| self.known(*node).key);
    }

    fn decide_part(&self, formed: &Formed, memo: &Memo) -> Decided {
        let part = &*formed.members;
        let nodes: Vec<&Node> = part.iter().map(|node| self.known(*node)).collect();
        let scorer = self.scorer(memo);
        let shared = self.usages.shared_by(nodes.iter().map(|node| &node.features), &self.model);
        let weighed = Cell::new(0);
        let evidence = |i: usize, j: usize| {
            weighed.set(weighed.get() + 1);
            let people = |field: Field, symbol: Symbol| shared.people(field, symbol);
            scorer.compare(&nodes[i].features, &nodes[j].features, people)
        };
        let constraints = self.constraints(part);
        let is_free = constraints == Constraints::NONE;
        let known = formed.known.as_ref().filter(|known| {
            is_free && (part.len() - known.members.len()) * NEW_SHARE <= part.len()
        });
        let merges = match known {
            Some(known) => {
                let (known, new) = placed(known, part);
                replay(part.len(), &self.model, known.into_iter(), &new, evidence)
            }
            None => agglomerate(part.len(), &self.model, &constraints, evidence),
        };
        let named = |group: Vec<usize>| {
            let mut members: Vec<NodeId> = group.into_iter().map(|at| part[at]).collect();
            members.sort_unstable();
            members
        };
        let kept = |merge: &Merge| (part[merge.kept], part[merge.joined], merge.weight_bits);
        Decided {
            clusters: groups(part.len(), &merges).into_iter().map(named).collect(),
            merges: (is_free && part.len() >= MERGES_KEPT)
                .then(|| merges.iter().map(kept).collect()),
            pairs: weighed.get(),
            was_replayed: known.is_some(),
        }
    }
}

/// What is known of a part, by places in it; and the places of those whose pairs are not known.
fn placed(known: &graph::Known, part: &[NodeId]) -> (Vec<Known>, Vec<usize>) {
    let is_known = |node: &NodeId| known.members.binary_search(node).is_ok();
    let places = part.iter().copied().zip(0..).filter(|(node, _)| is_known(node));
    let places: FxHashMap<NodeId, usize> = places.collect();
    let place = |node: NodeId| places.get(&node).copied();
    let merges = known.merges.iter();
    let merges = merges.map(|(kept, joined, weight)| ([place(*kept), place(*joined)], *weight));
    let new = part.iter().zip(0..).filter(|(node, _)| !is_known(node)).map(|(_, place)| place);
    (merges.collect(), new.collect())
}
