//! Which records are linked, and how firmly?

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::blocks::Memberships;
use super::{Resolver, Work};
use crate::block::Chain;
use crate::record::{Field, NodeId};
use crate::score::{Memo, Symbol};

/// How many new records meet their candidates together, which bounds how many pairs there are at once.
const LINKED_AT_ONCE: usize = 20_000;

/// Those that a record is linked to, ascending, and how firmly.
type Links = Vec<(NodeId, f32)>;

/// New records, by number.
struct New(Vec<bool>);

/// Where new records stand.
enum Places {
    /// Under these chains.
    Chains(FxHashMap<NodeId, Vec<Chain>>),
    /// In these blocks.
    Blocks(Memberships),
}

impl Resolver {
    /// New records, in any order, meet their candidates. `chains` need not hold the chains of all of them.
    pub(super) fn link(
        &mut self,
        mut ordered: Vec<NodeId>,
        chains: FxHashMap<NodeId, Vec<Chain>>,
        dirty: &mut Vec<NodeId>,
        work: &mut Work,
        tell: &mut dyn FnMut(usize),
    ) {
        ordered.sort_unstable();
        let new = New::of(&ordered);
        let places = if chains.len() == ordered.len() {
            Places::Chains(chains)
        } else {
            let memberships = self.blocks.memberships(self.nodes.len());
            // Who is in one block comes one after the other: what they are compared with is at hand.
            ordered.sort_by_cached_key(|node| self.blocks.largest(&memberships, *node));
            Places::Blocks(memberships)
        };
        for (at, some) in ordered.chunks(LINKED_AT_ONCE).enumerate() {
            tell(at * LINKED_AT_ONCE);
            let weighed: Vec<(NodeId, usize, Links)> = some
                .par_iter()
                .map_init(Memo::default, |memo, node| {
                    let others = self.meets(*node, &places, &new);
                    (*node, others.len(), self.links(*node, &others, memo))
                })
                .collect();
            for (node, met, links) in weighed {
                work.candidates += met as u64;
                for (other, weight) in links {
                    if self.graph.set(node, other, weight) {
                        dirty.extend([node, other]);
                    }
                }
            }
        }
    }

    /// Whom a new record meets, ascending: of two new ones, the later meets the earlier.
    fn meets(&self, node: NodeId, places: &Places, new: &New) -> Vec<NodeId> {
        let mut others = match places {
            Places::Chains(chains) => self.candidates(node, &chains[&node]),
            Places::Blocks(memberships) => {
                self.candidates_in(node, self.blocks.those_of(memberships, node))
            }
        };
        others.retain(|other| *other < node || !new.holds(*other));
        others
    }

    /// Weighs pairs, ascending, and brings their edges up to date; notes the ends of those that changed.
    pub(super) fn score(
        &mut self,
        pairs: &BTreeSet<(NodeId, NodeId)>,
        dirty: &mut Vec<NodeId>,
        work: &mut Work,
    ) {
        let pairs: Vec<(NodeId, NodeId)> = pairs.iter().copied().collect();
        let of_nodes: Vec<&[(NodeId, NodeId)]> = pairs.chunk_by(|a, b| a.0 == b.0).collect();
        let weighed: Vec<(NodeId, Vec<NodeId>, Links)> = of_nodes
            .into_par_iter()
            .map_init(Memo::default, |memo, pairs| {
                let others: Vec<NodeId> = pairs.iter().map(|(_, other)| *other).collect();
                let links = self.links(pairs[0].0, &others, memo);
                (pairs[0].0, others, links)
            })
            .collect();
        work.candidates += pairs.len() as u64;
        for (node, others, links) in weighed {
            let mut links = links.into_iter().peekable();
            for other in others {
                let changed = match links.next_if(|(linked, _)| *linked == other) {
                    Some((_, weight)) => self.graph.set(node, other, weight),
                    None => self.graph.unset(node, other),
                };
                if changed {
                    dirty.extend([node, other]);
                }
            }
        }
    }

    /// Which of some records, ascending, are linked to a record by what their fields say, and how firmly.
    fn links(&self, node: NodeId, others: &[NodeId], memo: &Memo) -> Links {
        let people = |field: Field, symbol: Symbol| self.usages.people(field, symbol);
        let features = |node: NodeId| &self.known(node).features;
        let probe = self.sieve.probe(features(node), self.scorer(memo), people);
        let link = |other: &NodeId| Some((*other, probe.edge(features(*other))?));
        others.iter().filter_map(link).collect()
    }
}

impl New {
    fn of(ascending: &[NodeId]) -> Self {
        let mut new = vec![false; ascending.last().map_or(0, |last| *last as usize + 1)];
        ascending.iter().for_each(|node| new[*node as usize] = true);
        Self(new)
    }

    fn holds(&self, node: NodeId) -> bool {
        self.0.get(node as usize).copied().unwrap_or(false)
    }
}
