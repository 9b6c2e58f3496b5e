//! Which clusters does a change of the set of records touch, and what are they now?
//!
//! `records in and out → blocks and usage → candidate pairs → edges → touched components → clusters`
//!
//! The index of everything the incremental matcher must know, in memory, derived from the records and disposable.
//! **Invariant:** after any sequence of [`Resolver::apply`] the edges, components and clusters equal those that
//! [`oracle::partition`] computes from scratch from the same set of records. What depends on the set and not on a
//! pair alone is followed exactly: blocks that cross their cap either way, identifiers whose number of users
//! crosses a power of two, components over their cap.
//!
//! Clusters are a function of the set of records, the frozen model **and the set of judgements** ([`Resolver::judge`]).
//! A judgement names records by their keys; one of which a record is not in the set sleeps until it comes.

mod blocks;
pub mod bulk;
mod candidates;
mod chains;
mod decided;
mod doubt;
mod graph;
mod judged;
mod limits;
mod notes;
pub mod oracle;
mod usage;
mod work;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::block::Chain;
use crate::cluster::{JUDGED_BITS, agglomerate, groups, split};
pub use crate::record::NodeId;
use crate::record::{Field, Identity, RecordKey};
use crate::score::{Evidence, Features, Model, Symbol, Terms, compare};

pub use chains::chains_of;
pub use doubt::{Decision, Doubt};
pub use notes::Notes;
pub use work::Work;

use blocks::Blocks;
use chains::chains_again;
use decided::Decided;
use graph::Graph;
use judged::Judged;
use limits::Limits;
use usage::Usages;

/// A record that comes into the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert {
    /// Its number; new.
    pub node: NodeId,
    /// Its key; fixes the order of records in a component.
    pub key: RecordKey,
    /// Its content.
    pub identity: Identity,
}

/// What a change of the set did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Every cluster that was decided anew, each ascending by node; together they hold all records of whatever was
    /// decided together before and is touched now.
    pub clusters: Vec<Vec<NodeId>>,
    /// For each node whose edges to lower nodes changed, all of them.
    pub edges: Vec<(NodeId, Vec<(NodeId, f32)>)>,
    /// How much work it was.
    pub work: Work,
}

struct Node {
    key: RecordKey,
    features: Features,
}

/// The incremental matcher.
pub struct Resolver {
    model: Model,
    limits: Limits,
    terms: Terms,
    nodes: Vec<Option<Node>>,
    blocks: Blocks,
    usages: Usages,
    graph: Graph,
    decided: Decided,
    judged: Judged,
}

impl Resolver {
    /// An empty index under a frozen model.
    pub fn new(model: Model) -> Self {
        Self {
            blocks: Blocks::new(model.parameters.block_cap),
            usages: Usages::default(),
            graph: Graph::default(),
            decided: Decided::default(),
            judged: Judged::default(),
            terms: Terms::default(),
            nodes: Vec::new(),
            limits: Limits::new(&model),
            model,
        }
    }

    /// Rebuilds the index from what was kept: records, and each node's edges to lower nodes.
    pub fn load(
        model: Model,
        records: impl Iterator<Item = Insert>,
        edges: impl Iterator<Item = (NodeId, Vec<(NodeId, f32)>)>,
    ) -> Self {
        let mut resolver = Self::new(model);
        let mut loaded = Vec::new();
        let records: Vec<Insert> = records.collect();
        let chains: Vec<Vec<Chain>> =
            records.par_iter().map(|record| chains_of(&record.identity, &resolver.model)).collect();
        for (record, chains) in records.into_iter().zip(&chains) {
            loaded.push(record.node);
            resolver.enter(record, chains);
        }
        for (node, list) in edges {
            for (other, weight) in list {
                resolver.graph.set(node, other, weight);
            }
        }
        resolver.graph.regroup(&loaded.into_iter().collect());
        resolver.blocks.take_crossings();
        resolver.usages.take_changes(&resolver.model);
        resolver.graph.take_changed();
        resolver
    }

    /// The frozen model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Takes records out of the set and puts others in, and decides anew what that touches.
    pub fn apply(&mut self, removed: &[NodeId], inserted: Vec<Insert>) -> Outcome {
        let mut work = Work::default();
        let mut dirty: BTreeSet<NodeId> = BTreeSet::new();
        for node in removed {
            dirty.extend(self.leave(*node));
        }
        let new: FxHashSet<NodeId> = inserted.iter().map(|insert| insert.node).collect();
        let chains: Vec<(NodeId, Vec<Chain>)> = inserted
            .par_iter()
            .map(|insert| (insert.node, chains_of(&insert.identity, &self.model)))
            .collect();
        for (insert, (node, chains)) in inserted.into_iter().zip(&chains) {
            dirty.insert(*node);
            dirty.extend(self.enter(insert, chains));
        }
        dirty.extend(self.follow_caps(&new, &mut work));
        let weighed_anew = self.follow_usage(&new, &mut dirty, &mut work);
        dirty.extend(self.link(&new, &chains, &mut work));
        dirty.retain(|node| self.node(*node).is_some());
        let components = self.graph.regroup(&dirty);
        let clusters = self.decide(&components, &weighed_anew, &mut work);
        Outcome { clusters, edges: self.graph.take_changed(), work }
    }

    fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node as usize)?.as_ref()
    }

    fn known(&self, node: NodeId) -> &Node {
        self.node(node).expect("blocks, usages and edges hold only records of the set")
    }

    fn chains(&self, node: NodeId) -> Vec<Chain> {
        let again = |node: &Node| chains_again(&self.terms, &node.features, &self.model);
        self.node(node).map(again).unwrap_or_default()
    }

    fn compare(&self, left: &Node, right: &Node) -> Evidence {
        let people = |field: Field, symbol: Symbol| self.usages.people(field, symbol);
        compare(&left.features, &right.features, &self.terms, &self.model, people)
    }

    /// The edge of a pair, if it is one.
    fn edge(&self, left: NodeId, right: NodeId) -> Option<f32> {
        self.compare(self.known(left), self.known(right)).edge(&self.model)
    }

    /// Puts a record in; returns those that it was judged to be together with.
    fn enter(&mut self, insert: Insert, chains: &[Chain]) -> Vec<NodeId> {
        let features = self.terms.features(&insert.identity, &self.model);
        let index = insert.node as usize;
        if self.nodes.len() <= index {
            self.nodes.resize_with(index + 1, || None);
        }
        assert!(self.nodes[index].is_none(), "a node number is never reused");
        self.nodes[index] = Some(Node { key: insert.key, features });
        self.graph.add(insert.node);
        let (nodes, terms, model) = (&self.nodes, &self.terms, &self.model);
        let of_other = |node: NodeId| {
            let node = nodes[node as usize].as_ref().expect("blocks hold records of the set");
            chains_again(terms, &node.features, model)
        };
        self.blocks.add(insert.node, chains, of_other);
        let features = |node: NodeId| nodes[node as usize].as_ref().map(|node| &node.features);
        self.usages.add(insert.node, features, terms, model);
        let joined = self.judged.enter(&insert.key, insert.node);
        joined.iter().for_each(|other| self.graph.join(insert.node, *other));
        joined
    }

    /// Takes a record out; returns those that it was linked to.
    fn leave(&mut self, node: NodeId) -> Vec<NodeId> {
        let chains = self.chains(node);
        self.blocks.remove(node, &chains);
        let gone = self.nodes[node as usize].take().expect("only records of the set leave it");
        self.usages.remove(node, &gone.features, &self.terms, &self.model);
        self.judged.leave(&gone.key);
        self.graph.remove(node)
    }

    /// Blocks that crossed their cap: over it, pairs that met only there part; within it, pairs meet that did not.
    fn follow_caps(&mut self, new: &FxHashSet<NodeId>, work: &mut Work) -> BTreeSet<NodeId> {
        let mut parted = Vec::new();
        let mut met = BTreeSet::new();
        for (members, crossing) in self.blocks.take_crossings() {
            let inside: FxHashSet<NodeId> = members.iter().copied().collect();
            for node in members.iter().filter(|node| !new.contains(node)) {
                match crossing {
                    blocks::Crossing::Over => {
                        let links = self.graph.edges(*node).iter().map(|(other, _)| *other);
                        let links = links.filter(|other| other < node && inside.contains(other));
                        parted.extend(links.map(|other| (*node, other)));
                    }
                    blocks::Crossing::Within => {
                        let others = members.iter().filter(|other| *other < node);
                        met.extend(others.map(|other| (*node, *other)));
                    }
                }
            }
        }
        let mut dirty = BTreeSet::new();
        self.part(parted, &mut dirty);
        let meet_anyhow = !self.limits.any();
        met.retain(|(node, other)| {
            !self.graph.linked(*node, *other) && (meet_anyhow || self.meet(*node, *other))
        });
        dirty.extend(self.score(met.into_iter().collect(), work));
        dirty
    }

    /// Takes the edges of those pairs that do not meet any more.
    fn part(&mut self, mut pairs: Vec<(NodeId, NodeId)>, dirty: &mut BTreeSet<NodeId>) {
        pairs.sort_unstable();
        pairs.dedup();
        pairs.retain(|(node, other)| !self.meet(*node, *other));
        for (node, other) in pairs {
            self.graph.unset(node, other);
            dirty.extend([node, other]);
        }
    }

    /// Identifiers whose number of users changed: every pair that shares one weighs differently. Where one crossed its
    /// limit, so do all pairs of a record that carries it, and other pairs meet. Returns the records that carry one.
    fn follow_usage(
        &mut self,
        new: &FxHashSet<NodeId>,
        dirty: &mut BTreeSet<NodeId>,
        work: &mut Work,
    ) -> FxHashSet<NodeId> {
        let mut carriers = FxHashSet::default();
        let mut pairs = BTreeSet::new();
        let mut parted = Vec::new();
        for change in self.usages.take_changes(&self.model) {
            let members: Vec<NodeId> = self.usages.members(change.field, change.symbol).to_vec();
            carriers.extend(members.iter().copied());
            let inside: FxHashSet<NodeId> = members.iter().copied().collect();
            for node in members.iter().filter(|node| !new.contains(node)) {
                if change.crossed {
                    let links = self.graph.edges(*node).iter().map(|(other, _)| *other);
                    let candidates = self.candidates(*node, &self.chains(*node));
                    let ordered = |other: NodeId| (other.max(*node), other.min(*node));
                    parted.extend(links.map(ordered));
                    pairs.extend(candidates.into_iter().map(ordered));
                    continue;
                }
                let candidates = if change.fewer {
                    self.candidates(*node, &self.chains(*node))
                } else {
                    self.graph.edges(*node).iter().map(|(other, _)| *other).collect()
                };
                let others = candidates.into_iter().filter(|other| inside.contains(other));
                pairs.extend(others.filter(|other| other < node).map(|other| (*node, other)));
            }
        }
        self.part(parted, dirty);
        dirty.extend(self.score(pairs.into_iter().collect(), work));
        dirty.extend(carriers.iter().copied());
        carriers
    }

    /// New records, with their chains, meet their candidates.
    fn link(
        &mut self,
        new: &FxHashSet<NodeId>,
        chains: &[(NodeId, Vec<Chain>)],
        work: &mut Work,
    ) -> BTreeSet<NodeId> {
        let pairs: Vec<(NodeId, NodeId)> = chains
            .par_iter()
            .flat_map_iter(|(node, chains)| {
                let others = self.candidates(*node, chains).into_iter();
                let once = others.filter(|other| !new.contains(other) || other < node);
                once.map(|other| (*node, other)).collect::<Vec<_>>()
            })
            .collect();
        self.score(pairs, work)
    }

    /// Weighs pairs and brings their edges up to date; returns the ends of those that changed.
    fn score(&mut self, pairs: Vec<(NodeId, NodeId)>, work: &mut Work) -> BTreeSet<NodeId> {
        work.candidates += pairs.len() as u64;
        let weights: Vec<Option<f32>> =
            pairs.par_iter().map(|(node, other)| self.edge(*node, *other)).collect();
        let mut dirty = BTreeSet::new();
        for ((node, other), weight) in pairs.into_iter().zip(weights) {
            let changed = match weight {
                Some(weight) => self.graph.set(node, other, weight),
                None => self.graph.unset(node, other),
            };
            if changed {
                dirty.extend([node, other]);
            }
        }
        dirty
    }

    /// Decides the parts of components, but for those of which nothing changed since they were last decided: the same
    /// records, and none that carries an identifier which weighs differently now.
    fn decide(
        &mut self,
        components: &[Vec<NodeId>],
        weighed_anew: &FxHashSet<NodeId>,
        work: &mut Work,
    ) -> Vec<Vec<NodeId>> {
        let mut parts: Vec<Vec<NodeId>> =
            components.par_iter().flat_map_iter(|component| self.parts(component)).collect();
        parts.retain(|part| {
            part.iter().any(|node| weighed_anew.contains(node)) || !self.decided.holds(part)
        });
        let clusters: Vec<Vec<Vec<NodeId>>> =
            parts.par_iter().map(|part| self.decide_part(part)).collect();
        for part in &parts {
            self.decided.note(part);
            work.component_pairs += (part.len() * (part.len() - 1) / 2) as u64;
        }
        let largest = components.iter().map(Vec::len).max().unwrap_or_default() as u64;
        work.components += components.len() as u64;
        work.largest_component = work.largest_component.max(largest);
        clusters.into_iter().flatten().collect()
    }

    /// The component's parts within the cap, each in the order of its records' keys.
    fn parts(&self, component: &[NodeId]) -> Vec<Vec<NodeId>> {
        let parameters = &self.model.parameters;
        let mut ordered = component.to_vec();
        ordered.sort_unstable_by_key(|node| self.known(*node).key);
        if ordered.len() <= parameters.component_cap {
            return vec![ordered];
        }
        let place: rustc_hash::FxHashMap<NodeId, u32> = ordered.iter().copied().zip(0..).collect();
        let mut edges = Vec::new();
        for node in &ordered {
            let lower = self.graph.edges(*node).iter().filter(|(other, _)| other < node);
            edges.extend(lower.map(|(other, weight)| (place[node], place[other], *weight)));
            let judged = self.graph.judged(*node).iter().filter(|other| *other < node);
            edges.extend(judged.map(|other| (place[node], place[other], JUDGED_BITS)));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a few bits")]
        let least = parameters.edge_bits as f32;
        let parts = split(ordered.len(), &edges, parameters.component_cap, least);
        let named = |part: Vec<u32>| part.into_iter().map(|at| ordered[at as usize]).collect();
        parts.into_iter().map(named).collect()
    }

    fn decide_part(&self, part: &[NodeId]) -> Vec<Vec<NodeId>> {
        let nodes: Vec<&Node> = part.iter().map(|node| self.known(*node)).collect();
        let evidence = |i: usize, j: usize| self.compare(nodes[i], nodes[j]);
        let merges = agglomerate(part.len(), &self.model, &self.constraints(part), evidence);
        let named = |group: Vec<usize>| {
            let mut members: Vec<NodeId> = group.into_iter().map(|at| part[at]).collect();
            members.sort_unstable();
            members
        };
        groups(part.len(), &merges).into_iter().map(named).collect()
    }
}
