//! Which records are linked, and which hang together?

mod image;
mod regroup;

use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use self::regroup::Loose;
use super::reach::Reach;
use crate::cluster::{JUDGED_BITS, JUDGED_LEVEL, Level, level};
use crate::record::NodeId;
use crate::score::Model;

/// The candidate graph's edges, and its connected components in parts within the cap.
pub(super) struct Graph {
    cap: usize,
    /// Where components are split first, in bits.
    least: f32,
    /// By node: its neighbours and the weights, the firmest first.
    edges: Vec<Vec<(NodeId, f32)>>,
    /// By node: those that it was judged to be together with, in no order. Few nodes have any.
    judged: FxHashMap<NodeId, Vec<NodeId>>,
    part_of: Vec<u32>,
    parts: Vec<Vec<NodeId>>,
    free: Vec<u32>,
    /// By part: how its records were merged, where that is kept.
    merges: FxHashMap<u32, Arc<Merges>>,
    /// Nodes whose edges to lower nodes changed.
    changed: FxHashSet<NodeId>,
    /// Where those were whose part is to be formed anew.
    loose: Loose,
    reach: Reach,
}

/// How the records of a part were merged, in the order of merges: the group that stayed and the one that joined it, each by its
/// record of the lowest key, and the match weight in bits.
pub(super) type Merges = Vec<(NodeId, NodeId, f64)>;

/// A part that was formed anew.
pub(super) struct Formed {
    /// Ascending by node.
    pub(super) members: Vec<NodeId>,
    /// What is known of some of them.
    pub(super) known: Option<Known>,
}

/// How records were merged, and which of a part's records are among those, with pairs that weigh as they did; ascending.
pub(super) struct Known {
    pub(super) merges: Arc<Merges>,
    pub(super) members: Vec<NodeId>,
}

/// The part of a node that is in none.
const NOWHERE: u32 = u32::MAX;

impl Graph {
    pub(super) fn new(model: &Model) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a few bits")]
        let least = model.parameters.edge_bits as f32;
        Self {
            cap: model.parameters.component_cap,
            least,
            edges: Vec::new(),
            judged: FxHashMap::default(),
            part_of: Vec::new(),
            parts: Vec::new(),
            free: Vec::new(),
            merges: FxHashMap::default(),
            changed: FxHashSet::default(),
            loose: Loose::default(),
            reach: Reach::default(),
        }
    }

    pub(super) fn add(&mut self, node: NodeId) {
        let index = node as usize;
        if self.edges.len() <= index {
            self.edges.resize_with(index + 1, Vec::new);
            self.part_of.resize(index + 1, NOWHERE);
        }
    }

    /// More than the number of any node.
    pub(super) fn len(&self) -> usize {
        self.edges.len()
    }

    /// Takes a node out; returns those that it was linked to, and the rest of its part, which are in no part now.
    pub(super) fn remove(&mut self, node: NodeId) -> Vec<NodeId> {
        let mut left = Vec::new();
        for (other, _) in std::mem::take(&mut self.edges[node as usize]) {
            self.edges[other as usize].retain(|(back, _)| *back != node);
            self.changed.insert(node.max(other));
            left.push(other);
        }
        self.changed.insert(node);
        for other in self.judged(node).to_vec() {
            self.unjoin(node, other);
            left.push(other);
        }
        let rest = self.loosen(node);
        left.extend(rest.into_iter().filter(|member| *member != node));
        left
    }

    pub(super) fn edges(&self, node: NodeId) -> &[(NodeId, f32)] {
        &self.edges[node as usize]
    }

    pub(super) fn linked(&self, node: NodeId, other: NodeId) -> bool {
        self.edges(node).iter().any(|(neighbour, _)| *neighbour == other)
    }

    /// Whom a node is linked to, with the levels of the links.
    pub(super) fn links(&self, node: NodeId) -> impl Iterator<Item = (NodeId, Level)> {
        let judged = self.judged(node).iter().map(|other| (*other, JUDGED_LEVEL));
        let of_edge = |(other, weight): &(NodeId, f32)| (*other, level(*weight, self.least));
        judged.chain(self.edges(node).iter().map(of_edge))
    }

    /// A node's link of a number, judgements first, then the firmest edges; `None` behind the last.
    fn link(&self, node: NodeId, number: u32) -> Option<(NodeId, f32)> {
        let judged = self.judged(node);
        let number = number as usize;
        match judged.get(number) {
            Some(other) => Some((*other, JUDGED_BITS)),
            None => self.edges(node).get(number - judged.len()).copied(),
        }
    }

    /// Sets an edge; returns whether that changed anything.
    pub(super) fn set(&mut self, node: NodeId, other: NodeId, weight: f32) -> bool {
        if self.edges[node as usize].contains(&(other, weight)) {
            return false;
        }
        self.unset(node, other);
        for (from, to) in [(node, other), (other, node)] {
            let edges = &mut self.edges[from as usize];
            let at = edges.partition_point(|(_, firmer)| *firmer >= weight);
            edges.insert(at, (to, weight));
        }
        self.changed.insert(node.max(other));
        true
    }

    /// Puts an edge in that is not there, and of which the keeper knows; [`Graph::sort`] must follow.
    pub(super) fn put(&mut self, node: NodeId, other: NodeId, weight: f32) {
        for (from, to) in [(node, other), (other, node)] {
            self.edges[from as usize].push((to, weight));
        }
    }

    /// Brings edges that were put in into their order.
    pub(super) fn sort(&mut self) {
        self.edges.par_iter_mut().for_each(|edges| {
            edges.sort_by(|(_, left), (_, right)| right.total_cmp(left));
            edges.shrink_to_fit();
        });
    }

    /// Takes an edge away; returns whether there was one.
    pub(super) fn unset(&mut self, node: NodeId, other: NodeId) -> bool {
        let before = self.edges[node as usize].len();
        self.edges[node as usize].retain(|(neighbour, _)| *neighbour != other);
        let changed = self.edges[node as usize].len() < before;
        if changed {
            self.edges[other as usize].retain(|(neighbour, _)| *neighbour != node);
            self.changed.insert(node.max(other));
        }
        changed
    }

    /// Those that a node was judged to be together with.
    pub(super) fn judged(&self, node: NodeId) -> &[NodeId] {
        self.judged.get(&node).map(Vec::as_slice).unwrap_or_default()
    }

    /// Links two nodes by a judgement, beside what edge there may be.
    pub(super) fn join(&mut self, node: NodeId, other: NodeId) {
        for (from, to) in [(node, other), (other, node)] {
            let judged = self.judged.entry(from).or_default();
            if !judged.contains(&to) {
                judged.push(to);
            }
        }
    }

    /// Takes the link of a judgement away, if there is one.
    pub(super) fn unjoin(&mut self, node: NodeId, other: NodeId) {
        for (from, to) in [(node, other), (other, node)] {
            if let Some(judged) = self.judged.get_mut(&from) {
                judged.retain(|neighbour| *neighbour != to);
                if judged.is_empty() {
                    self.judged.remove(&from);
                }
            }
        }
    }

    /// Keeps how the records of a part were merged, one of which is `member`.
    pub(super) fn keep_merges(&mut self, member: NodeId, merges: Arc<Merges>) {
        self.merges.insert(self.part_of[member as usize], merges);
    }

    /// The parts of components, in no order; some may be empty.
    pub(super) fn parts(&self) -> &[Vec<NodeId>] {
        &self.parts
    }

    /// The nodes whose edges to lower nodes changed since last asked, with all of those, ascending.
    pub(super) fn take_changed(&mut self) -> Vec<(NodeId, Vec<(NodeId, f32)>)> {
        let changed = std::mem::take(&mut self.changed);
        let lower = |node: NodeId| {
            let edges = self.edges[node as usize].iter().filter(|(other, _)| *other < node);
            let mut edges: Vec<_> = edges.copied().collect();
            edges.sort_unstable_by_key(|(other, _)| *other);
            edges
        };
        let mut changed: Vec<NodeId> = changed.into_iter().collect();
        changed.sort_unstable();
        changed.into_iter().map(|node| (node, lower(node))).collect()
    }
}
