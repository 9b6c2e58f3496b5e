//! Which parts are formed anew after a change?

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Formed, Graph, Known, Merges, NOWHERE};
use crate::cluster::split_all;
use crate::record::NodeId;

/// Where this part of all nodes is dirty or more, all parts are formed at once.
const MANY: usize = 4;

/// What is known of those that are let go of until parts are formed anew.
#[derive(Default)]
pub(super) struct Loose {
    /// By node: the number of the part that it was in, and of how many it was.
    before: FxHashMap<NodeId, (u32, usize)>,
    /// By the part that they were: how records were merged.
    merges: FxHashMap<u32, Arc<Merges>>,
}

impl Loose {
    /// The merges that most of some nodes, ascending, were in, with those of them whose pairs weigh as they did.
    fn known(&self, members: &[NodeId], weighed_anew: &FxHashSet<NodeId>) -> Option<Known> {
        let mut by_part: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
        if self.merges.is_empty() {
            return None;
        }
        for member in members.iter().filter(|member| !weighed_anew.contains(member)) {
            if let Some((part, _)) = self.before.get(member) {
                by_part.entry(*part).or_default().push(*member);
            }
        }
        by_part.retain(|part, _| self.merges.contains_key(part));
        let (part, members) = by_part.into_iter().max_by_key(|(_, members)| members.len())?;
        Some(Known { merges: Arc::clone(&self.merges[&part]), members })
    }
}

impl Graph {
    /// Forms the parts around dirty nodes anew; returns those that are not what they were, or hold one of `weighed_anew`,
    /// in the order of their lowest nodes. `dirty` must hold both ends of every edge and judged link that
    /// changed, and every new node.
    pub(in crate::resolve) fn regroup(
        &mut self,
        mut dirty: Vec<NodeId>,
        weighed_anew: &FxHashSet<NodeId>,
    ) -> Vec<Formed> {
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
    ) -> Vec<Formed> {
        let mut reach = std::mem::take(&mut self.reach);
        let mut waiting: Vec<NodeId> = Vec::new();
        for node in &dirty {
            waiting.extend(self.loosen(*node));
        }
        waiting.extend(dirty);
        let mut formed = Vec::new();
        while let Some(first) = waiting.pop() {
            if self.part_of[first as usize] != NOWHERE {
                continue;
            }
            let members = reach.part_of(first, self, self.cap);
            for member in &members {
                waiting.extend(self.loosen(*member));
            }
            self.form(&members);
            let loose = &self.loose;
            let was = loose.before.get(&first);
            let is_same = was.is_some_and(|(_, size)| *size == members.len())
                && members.iter().all(|member| loose.before.get(member) == was);
            let known = loose.known(&members, weighed_anew);
            if !is_same || members.iter().any(|member| weighed_anew.contains(member)) {
                formed.push(Formed { members, known });
            } else if let Some(known) = known {
                self.keep_merges(first, known.merges);
            }
        }
        self.loose = Loose::default();
        self.reach = reach;
        formed.sort_unstable_by(|left, right| left.members.cmp(&right.members));
        formed
    }

    /// The same, all parts at once.
    fn regroup_all(&mut self, dirty: &[NodeId], weighed_anew: &FxHashSet<NodeId>) -> Vec<Formed> {
        let mut is_there: Vec<bool> = self.part_of.iter().map(|part| *part != NOWHERE).collect();
        dirty.iter().for_each(|node| is_there[*node as usize] = true);
        let before = std::mem::take(&mut self.parts);
        let part_before = std::mem::replace(&mut self.part_of, vec![NOWHERE; self.edges.len()]);
        self.free.clear();
        self.merges.clear();
        self.loose = Loose::default();
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
                formed.push(Formed { members, known: None });
            }
        }
        formed
    }

    /// Takes the part apart that a node is in, if it is in one; returns its members.
    pub(super) fn loosen(&mut self, node: NodeId) -> Vec<NodeId> {
        let part = self.part_of[node as usize];
        let Some(members) = self.parts.get_mut(part as usize).map(std::mem::take) else {
            return Vec::new();
        };
        self.free.push(part);
        members.iter().for_each(|member| self.part_of[*member as usize] = NOWHERE);
        let before = members.iter().map(|member| (*member, (part, members.len())));
        self.loose.before.extend(before);
        if let Some(merges) = self.merges.remove(&part) {
            self.loose.merges.insert(part, merges);
        }
        members
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
