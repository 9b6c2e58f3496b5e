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
mod decide;
mod doubt;
mod graph;
mod image;
mod judged;
mod limits;
mod link;
mod load;
mod notes;
pub mod oracle;
mod reach;
mod usage;
mod work;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::block::Chain;
pub use crate::record::NodeId;
use crate::record::{Field, Identity, RecordKey};
use crate::score::{Evidence, Features, Memo, Model, Scorer, Sieve, Symbol, Terms};

pub use chains::chains_of;
pub use doubt::{Decision, Doubt};
pub use load::Loader;
pub use notes::Notes;
pub use work::Work;

use blocks::Blocks;
use chains::{chains_again, chains_again_under};
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

/// Of so many new records their chains are kept until they are compared; of more of them the blocks tell sooner.
const CHAINS_KEPT: usize = if cfg!(test) { 5 } else { 30_000 };

struct Node {
    key: RecordKey,
    features: Features,
}

/// What was put off.
#[derive(Default)]
struct Waiting {
    /// Records that are in the set and were not compared yet.
    new: FxHashSet<NodeId>,
    /// Their chains; not of all of them where there are many.
    chains: FxHashMap<NodeId, Vec<Chain>>,
    /// Others whose links changed, with repeats.
    dirty: Vec<NodeId>,
}

impl Waiting {
    fn add(&mut self, node: NodeId, chains: Vec<Chain>) {
        self.new.insert(node);
        if self.new.len() <= CHAINS_KEPT {
            self.chains.insert(node, chains);
        } else {
            self.chains = FxHashMap::default();
        }
    }

    fn remove(&mut self, node: NodeId) {
        self.new.remove(&node);
        self.chains.remove(&node);
    }
}

/// The incremental matcher.
pub struct Resolver {
    model: Model,
    sieve: Sieve,
    limits: Limits,
    terms: Terms,
    nodes: Vec<Option<Node>>,
    blocks: Blocks,
    usages: Usages,
    graph: Graph,
    judged: Judged,
    waiting: Waiting,
}

impl Resolver {
    /// An empty index under a frozen model.
    pub fn new(model: Model) -> Self {
        Self {
            blocks: Blocks::new(model.parameters.block_cap),
            usages: Usages::default(),
            graph: Graph::new(&model),
            judged: Judged::default(),
            waiting: Waiting::default(),
            terms: Terms::default(),
            nodes: Vec::new(),
            limits: Limits::new(&model),
            sieve: Sieve::new(&model),
            model,
        }
    }

    /// The frozen model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Takes records out of the set and puts others in, and decides anew what that touches.
    pub fn apply(&mut self, removed: &[NodeId], inserted: Vec<Insert>) -> Outcome {
        self.put_off(removed, inserted);
        self.catch_up()
    }

    /// As [`Resolver::apply`], but decides nothing yet: [`Resolver::catch_up`] does, of all that was put off together.
    pub fn put_off(&mut self, removed: &[NodeId], inserted: Vec<Insert>) {
        for node in removed {
            let left = self.leave(*node);
            self.waiting.dirty.extend(left);
        }
        let (entered, joined) = self.enter(inserted);
        self.waiting.dirty.extend(joined);
        for (node, chains) in entered {
            self.waiting.add(node, chains);
        }
    }

    /// How many new records are not decided on yet.
    pub fn waiting(&self) -> usize {
        self.waiting.new.len()
    }

    /// Decides all that was put off.
    pub fn catch_up(&mut self) -> Outcome {
        self.catch_up_telling(&mut |_| {})
    }

    /// As [`Resolver::catch_up`], which may take minutes; `tell` is called now and then with how many of the new records
    /// were compared.
    pub fn catch_up_telling(&mut self, tell: &mut dyn FnMut(usize)) -> Outcome {
        let Waiting { new, chains, mut dirty } = std::mem::take(&mut self.waiting);
        let mut work = Work::default();
        dirty.extend(new.iter().copied());
        self.follow_caps(&new, &mut dirty, &mut work);
        let mut anew = self.follow_usage(&new, &mut dirty, &mut work);
        self.link(new.iter().copied().collect(), chains, &mut dirty, &mut work, tell);
        dirty.retain(|node| self.node(*node).is_some());
        let compared = new.len();
        anew.extend(new);
        let parts = self.graph.regroup(dirty, &anew);
        let clusters = self.decide(parts, &mut work, &mut || tell(compared));
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
        let scorer = Scorer::new(&self.terms, &self.model);
        scorer.compare(&left.features, &right.features, people)
    }

    /// A scorer that remembers.
    fn scorer<'a>(&'a self, memo: &'a Memo) -> Scorer<'a> {
        Scorer::new(&self.terms, &self.model).with_memo(memo)
    }

    /// Puts records in; returns them with their chains, and those that they were judged to be together with.
    fn enter(&mut self, inserted: Vec<Insert>) -> (Vec<(NodeId, Vec<Chain>)>, Vec<NodeId>) {
        let chains = |insert: &Insert| (insert.node, chains_of(&insert.identity, &self.model));
        let entered: Vec<(NodeId, Vec<Chain>)> = inserted.par_iter().map(chains).collect();
        let contents: Vec<&Identity> = inserted.iter().map(|insert| &insert.identity).collect();
        let features = self.terms.features_of(&contents, &self.model);
        let mut joined = Vec::new();
        for (insert, features) in inserted.iter().zip(features) {
            let Insert { node, key, .. } = *insert;
            let index = node as usize;
            if self.nodes.len() <= index {
                self.nodes.resize_with(index + 1, || None);
            }
            assert!(self.nodes[index].is_none(), "a node number is never reused");
            self.nodes[index] = Some(Node { key, features });
            self.graph.add(node);
            for other in self.judged.enter(&key, node) {
                self.graph.join(node, other);
                joined.push(other);
            }
        }
        let (nodes, terms, model) = (&self.nodes, &self.terms, &self.model);
        let features = |node: NodeId| {
            let node = nodes[node as usize].as_ref();
            &node.expect("blocks and usages hold records of the set").features
        };
        let again = |node, rule| chains_again_under(rule, terms, features(node), model);
        self.blocks.add(&entered, again);
        self.usages.add(entered.iter().map(|(node, _)| *node), features, terms, model);
        (entered, joined)
    }

    /// Takes a record out; returns those that it was linked to.
    fn leave(&mut self, node: NodeId) -> Vec<NodeId> {
        let chains = self.chains(node);
        self.blocks.remove(node, &chains);
        let gone = self.nodes[node as usize].take().expect("only records of the set leave it");
        self.usages.remove(node, &gone.features, &self.terms, &self.model);
        self.judged.leave(&gone.key);
        self.waiting.remove(node);
        self.graph.remove(node)
    }

    /// Blocks that crossed their cap: over it, pairs that met only there part; within it, pairs meet that did not.
    fn follow_caps(&mut self, new: &FxHashSet<NodeId>, dirty: &mut Vec<NodeId>, work: &mut Work) {
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
        self.part(parted, dirty);
        let meet_anyhow = !self.limits.any();
        met.retain(|(node, other)| {
            !self.graph.linked(*node, *other) && (meet_anyhow || self.meet(*node, *other))
        });
        self.score(&met, dirty, work);
    }

    /// Takes the edges of those pairs that do not meet any more.
    fn part(&mut self, mut pairs: Vec<(NodeId, NodeId)>, dirty: &mut Vec<NodeId>) {
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
        dirty: &mut Vec<NodeId>,
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
        self.score(&pairs, dirty, work);
        dirty.extend(carriers.iter().copied());
        carriers
    }
}
