//! Which parts are formed anew after a change?

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Graph, NOWHERE};
use crate::cluster::split_all;
use crate::record::NodeId;

/// Where this part of all nodes is dirty or more, all parts are formed at once.
const MANY: usize = 4;

/// Who is let go of while parts are formed anew.
#[derive(Default)]
struct Loose {
    nodes: Vec<NodeId>,
    /// By node: the number of the part that it was in, and of how many it was.
    before: FxHashMap<NodeId, (u32, usize)>,
}

impl Graph {
    /// Forms the parts around dirty nodes anew; returns those that are not what they were, or hold one of `weighed_anew`,
    /// each ascending, in the order of their lowest nodes. `dirty` must hold both ends of every edge and judged link that
    /// changed, and every new node.
    pub(in crate::resolve) fn regroup(
        &mut self,
        mut dirty: Vec<NodeId>,
        weighed_anew: &FxHashSet<NodeId>,
    ) -> Vec<Vec<NodeId>> {
        dirty.sort_unstable();
        dirty.dedup();
        if dirty.len() * MANY >= self.len() {
            self.regroup_all(&dirty, weighed_anew)
        } else {
            self.regroup_around(dirty, weighed_anew)
        }
    }

    fn regroup_around(
        &mut self,
        dirty: Vec<NodeId>,
        weighed_anew: &FxHashSet<NodeId>,
    ) -> Vec<Vec<NodeId>> {
        let mut reach = std::mem::take(&mut self.reach);
        let mut loose = Loose::default();
        for node in &dirty {
            self.loosen(*node, &mut loose);
        }
        loose.nodes.extend(dirty);
        let mut formed = Vec::new();
        while let Some(first) = loose.nodes.pop() {
            if self.part_of[first as usize] != NOWHERE {
                continue;
            }
            let members = reach.part_of(first, self, self.cap);
            for member in &members {
                self.loosen(*member, &mut loose);
            }
            self.form(&members);
            let was = loose.before.get(&first);
            let is_same = was.is_some_and(|(_, size)| *size == members.len())
                && members.iter().all(|member| loose.before.get(member) == was);
            if !is_same || members.iter().any(|member| weighed_anew.contains(member)) {
                formed.push(members);
            }
        }
        self.reach = reach;
        formed.sort_unstable();
        formed
    }

    /// The same, all parts at once.
    fn regroup_all(
        &mut self,
        dirty: &[NodeId],
        weighed_anew: &FxHashSet<NodeId>,
    ) -> Vec<Vec<NodeId>> {
        let mut is_there: Vec<bool> = self.part_of.iter().map(|part| *part != NOWHERE).collect();
        dirty.iter().for_each(|node| is_there[*node as usize] = true);
        let before = std::mem::take(&mut self.parts);
        let part_before = std::mem::replace(&mut self.part_of, vec![NOWHERE; self.edges.len()]);
        self.free.clear();
        let is_there = |node: NodeId| is_there[node as usize];
        let parts =
            split_all(self.len(), self.cap, self.least, is_there, |node, at| self.link(node, at));
        let mut formed = Vec::new();
        for members in parts {
            let was = part_before[members[0] as usize];
            let is_same = before.get(was as usize).is_some_and(|was| was.len() == members.len())
                && members.iter().all(|member| part_before[*member as usize] == was);
            self.form(&members);
            if !is_same || members.iter().any(|member| weighed_anew.contains(member)) {
                formed.push(members);
            }
        }
        formed
    }

    /// Lets go of the part that a node is in, if it is in one.
    fn loosen(&mut self, node: NodeId, loose: &mut Loose) {
        if let Some((part, members)) = self.dissolve(node) {
            loose.before.extend(members.iter().map(|member| (*member, (part, members.len()))));
            loose.nodes.extend(members);
        }
    }

    /// Takes the part apart that a node is in, if it is in one; returns its number and its members.
    pub(super) fn dissolve(&mut self, node: NodeId) -> Option<(u32, Vec<NodeId>)> {
        let part = self.part_of[node as usize];
        let members = std::mem::take(self.parts.get_mut(part as usize)?);
        self.free.push(part);
        members.iter().for_each(|member| self.part_of[*member as usize] = NOWHERE);
        Some((part, members))
    }

    fn form(&mut self, members: &[NodeId]) {
        let part = self.free.pop().unwrap_or_else(|| {
            self.parts.push(Vec::new());
            u32::try_from(self.parts.len() - 1).expect("fewer than 2^32 parts")
        });
        members.iter().for_each(|member| self.part_of[*member as usize] = part);
        self.parts[part as usize] = members.to_vec();
    }
}
