//! Which records are linked, and which hang together?

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::record::NodeId;

/// The candidate graph's edges and its connected components.
#[derive(Default)]
pub(super) struct Graph {
    /// By node: its neighbours and the weights, in no order.
    edges: Vec<Vec<(NodeId, f32)>>,
    /// By node: those that it was judged to be together with, in no order. Few nodes have any.
    judged: FxHashMap<NodeId, Vec<NodeId>>,
    component_of: Vec<u32>,
    components: Vec<Vec<NodeId>>,
    free: Vec<u32>,
    /// Nodes whose edges to lower nodes changed.
    changed: BTreeSet<NodeId>,
}

/// The component of a node that is in none.
const NOWHERE: u32 = u32::MAX;

impl Graph {
    pub(super) fn add(&mut self, node: NodeId) {
        let index = node as usize;
        if self.edges.len() <= index {
            self.edges.resize_with(index + 1, Vec::new);
            self.component_of.resize(index + 1, NOWHERE);
        }
    }

    /// Takes a node out; returns its neighbours and the rest of its component.
    pub(super) fn remove(&mut self, node: NodeId) -> Vec<NodeId> {
        for (other, _) in std::mem::take(&mut self.edges[node as usize]) {
            self.edges[other as usize].retain(|(back, _)| *back != node);
            self.changed.insert(node.max(other));
        }
        self.changed.insert(node);
        for other in self.judged(node).to_vec() {
            self.unjoin(node, other);
        }
        let component = std::mem::replace(&mut self.component_of[node as usize], NOWHERE);
        if component == NOWHERE {
            return Vec::new();
        }
        let members = &mut self.components[component as usize];
        members.retain(|member| *member != node);
        if members.is_empty() {
            self.free.push(component);
        }
        members.clone()
    }

    pub(super) fn edges(&self, node: NodeId) -> &[(NodeId, f32)] {
        &self.edges[node as usize]
    }

    pub(super) fn linked(&self, node: NodeId, other: NodeId) -> bool {
        self.edges(node).iter().any(|(neighbour, _)| *neighbour == other)
    }

    /// Sets an edge; returns whether that changed anything.
    pub(super) fn set(&mut self, node: NodeId, other: NodeId, weight: f32) -> bool {
        let mut changed = false;
        for (from, to) in [(node, other), (other, node)] {
            let edges = &mut self.edges[from as usize];
            match edges.iter_mut().find(|(neighbour, _)| *neighbour == to) {
                Some((_, old)) => changed |= std::mem::replace(old, weight) != weight,
                None => {
                    edges.push((to, weight));
                    changed = true;
                }
            }
        }
        if changed {
            self.changed.insert(node.max(other));
        }
        changed
    }

    /// Takes an edge away; returns whether there was one.
    pub(super) fn unset(&mut self, node: NodeId, other: NodeId) -> bool {
        let before = self.edges[node as usize].len();
        self.edges[node as usize].retain(|(neighbour, _)| *neighbour != other);
        self.edges[other as usize].retain(|(neighbour, _)| *neighbour != node);
        let changed = self.edges[node as usize].len() < before;
        if changed {
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

    /// Forms the components around dirty nodes anew and returns them, each ascending, in the order of their lowest
    /// nodes. `dirty` must hold both ends of every edge and judged link that changed, and every new node.
    pub(super) fn regroup(&mut self, dirty: &BTreeSet<NodeId>) -> Vec<Vec<NodeId>> {
        let mut loose: BTreeSet<NodeId> = BTreeSet::new();
        for node in dirty {
            let component = self.component_of[*node as usize];
            if component == NOWHERE {
                loose.insert(*node);
                continue;
            }
            let members = std::mem::take(&mut self.components[component as usize]);
            self.free.push(component);
            for member in members {
                self.component_of[member as usize] = NOWHERE;
                loose.insert(member);
            }
        }
        let mut formed = Vec::new();
        while let Some(first) = loose.pop_first() {
            formed.push(self.form(first, &mut loose));
        }
        formed
    }

    /// Collects all that hangs on a node into a new component.
    fn form(&mut self, first: NodeId, loose: &mut BTreeSet<NodeId>) -> Vec<NodeId> {
        let component = self.free.pop().unwrap_or_else(|| {
            self.components.push(Vec::new());
            u32::try_from(self.components.len() - 1).expect("fewer than 2^32 components")
        });
        let mut members = vec![first];
        self.component_of[first as usize] = component;
        let mut at = 0;
        while let Some(node) = members.get(at).copied() {
            at += 1;
            let linked = self.edges[node as usize].iter().map(|(other, _)| other);
            let judged = self.judged.get(&node).into_iter().flatten();
            for other in linked.chain(judged) {
                if self.component_of[*other as usize] != component {
                    self.component_of[*other as usize] = component;
                    loose.remove(other);
                    members.push(*other);
                }
            }
        }
        members.sort_unstable();
        self.components[component as usize].clone_from(&members);
        members
    }

    /// The components, in no order; some may be empty.
    pub(super) fn components(&self) -> &[Vec<NodeId>] {
        &self.components
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
        changed.into_iter().map(|node| (node, lower(node))).collect()
    }
}
