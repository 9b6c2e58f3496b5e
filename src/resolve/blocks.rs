//! Who is in which block?

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::block::{Chain, Key};
use crate::record::NodeId;

/// Which way a block crossed its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crossing {
    /// It is over its cap now: its sub-blocks replace it.
    Over,
    /// It is within its cap again.
    Within,
}

/// The blocks of a set of records.
///
/// Sub-blocks are made when their block first goes over its cap; whether they are used depends on sizes alone, so that
/// what once happened never matters.
pub(super) struct Blocks {
    cap: usize,
    index: FxHashMap<Key, Slot>,
    lists: Vec<List>,
    free: Vec<u32>,
    /// Whether each block that crossed its cap in this change, perhaps back and forth, was within it before.
    was_within: BTreeMap<Key, bool>,
    /// Whether each block that crossed its cap since last noted is over it now.
    noted: BTreeMap<Key, bool>,
}

/// A block of one record stands in the index itself; most do.
#[derive(Clone, Copy)]
enum Slot {
    One(NodeId),
    Many(u32),
}

#[derive(Default)]
struct List {
    nodes: Vec<NodeId>,
    /// The rule that its key was made under.
    rule: u8,
    /// Sub-blocks are kept for it.
    divided: bool,
}

/// In which blocks each record is: lists by their numbers, record by record.
pub(super) struct Memberships {
    /// By record: where its lists begin.
    starts: Vec<u32>,
    lists: Vec<u32>,
}

impl Memberships {
    fn of(&self, node: NodeId) -> &[u32] {
        let [from, to] = [0, 1].map(|next| self.starts[node as usize + next] as usize);
        &self.lists[from..to]
    }
}

impl Blocks {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            cap,
            index: FxHashMap::default(),
            lists: Vec::new(),
            free: Vec::new(),
            was_within: BTreeMap::new(),
            noted: BTreeMap::new(),
        }
    }

    /// Adds a record under its chains. `chains_again` gives those of another record of the set.
    pub(super) fn add(
        &mut self,
        node: NodeId,
        chains: &[Chain],
        chains_again: impl Fn(NodeId) -> Vec<Chain>,
    ) {
        for chain in chains {
            self.add_at(node, chain, 0, &chains_again);
        }
    }

    fn add_at(
        &mut self,
        node: NodeId,
        chain: &Chain,
        depth: usize,
        chains_again: &impl Fn(NodeId) -> Vec<Chain>,
    ) {
        let Some(key) = chain.keys().get(depth).copied() else { return };
        if self.members(key).len() == self.cap {
            self.was_within.entry(key).or_insert(true);
        }
        let Some(list) = self.push(key, chain.rule, node) else { return };
        let list = &mut self.lists[list as usize];
        if list.divided {
            self.add_at(node, chain, depth + 1, chains_again);
        } else if list.nodes.len() > self.cap {
            list.divided = true;
            for member in list.nodes.clone() {
                let chains = chains_again(member);
                let same = chains.iter().find(|chain| chain.keys().get(depth) == Some(&key));
                let same = same.expect("a block's members have its key");
                self.add_at(member, same, depth + 1, chains_again);
            }
        }
    }

    /// Puts a node into a block; returns the block's list where it is one.
    fn push(&mut self, key: Key, rule: u8, node: NodeId) -> Option<u32> {
        match self.index.get(&key).copied() {
            None => {
                self.index.insert(key, Slot::One(node));
                (self.cap == 0).then(|| self.make_list(key, rule, vec![node]))
            }
            Some(Slot::One(first)) => Some(self.make_list(key, rule, vec![first, node])),
            Some(Slot::Many(list)) => {
                self.lists[list as usize].nodes.push(node);
                Some(list)
            }
        }
    }

    fn make_list(&mut self, key: Key, rule: u8, nodes: Vec<NodeId>) -> u32 {
        let made = List { nodes, rule, divided: false };
        let list = if let Some(list) = self.free.pop() {
            self.lists[list as usize] = made;
            list
        } else {
            self.lists.push(made);
            u32::try_from(self.lists.len() - 1).expect("fewer than 2^32 blocks")
        };
        self.index.insert(key, Slot::Many(list));
        list
    }

    /// Takes a record out from under its chains.
    pub(super) fn remove(&mut self, node: NodeId, chains: &[Chain]) {
        for chain in chains {
            for key in chain.keys() {
                if self.members(*key).len() == self.cap + 1 {
                    self.was_within.entry(*key).or_insert(false);
                }
                match self.index.get(key).copied() {
                    Some(Slot::One(only)) if only == node => {
                        self.index.remove(key);
                        break;
                    }
                    Some(Slot::Many(list)) => {
                        let kept = &mut self.lists[list as usize];
                        kept.nodes.retain(|member| *member != node);
                        let divided = kept.divided;
                        if kept.nodes.is_empty() {
                            *kept = List::default();
                            self.free.push(list);
                            self.index.remove(key);
                        }
                        if !divided {
                            break;
                        }
                    }
                    _ => break,
                }
            }
        }
    }

    /// The members of the coarsest block of a chain that is within its cap; none for a stop key.
    pub(super) fn used(&self, chain: &Chain) -> &[NodeId] {
        chain
            .keys()
            .iter()
            .map(|key| self.members(*key))
            .find(|members| members.len() <= self.cap)
            .unwrap_or_default()
    }

    /// The blocks of each of so many records that bring it together with others.
    ///
    /// Sub-blocks of a block within its cap may be among them: who is in them is in that block, too.
    pub(super) fn memberships(&self, records: usize) -> Memberships {
        let brings_together = |list: &List| (2..=self.cap).contains(&list.nodes.len());
        let mut starts = vec![0_u32; records + 1];
        for list in self.lists.iter().filter(|list| brings_together(list)) {
            list.nodes.iter().for_each(|node| starts[*node as usize + 1] += 1);
        }
        for record in 0..records {
            starts[record + 1] += starts[record];
        }
        let mut lists = vec![0; starts[records] as usize];
        let mut next = starts.clone();
        for (list, number) in self.lists.iter().zip(0..).filter(|(list, _)| brings_together(list)) {
            for node in &list.nodes {
                let next = &mut next[*node as usize];
                lists[*next as usize] = number;
                *next += 1;
            }
        }
        Memberships { starts, lists }
    }

    /// The rules and the members of a record's blocks.
    pub(super) fn those_of<'a>(
        &'a self,
        memberships: &'a Memberships,
        node: NodeId,
    ) -> impl Iterator<Item = (u8, &'a [NodeId])> {
        memberships.of(node).iter().map(|list| {
            let list = &self.lists[*list as usize];
            (list.rule, &*list.nodes)
        })
    }

    /// The number of the largest of a record's blocks.
    pub(super) fn largest(&self, memberships: &Memberships, node: NodeId) -> Option<u32> {
        let size = |list: &&u32| self.lists[**list as usize].nodes.len();
        memberships.of(node).iter().max_by_key(size).copied()
    }

    /// The rules under which two records share a used key.
    pub(super) fn shared<'a>(
        &'a self,
        left: &'a [Chain],
        right: &'a [Chain],
    ) -> impl Iterator<Item = u8> + 'a {
        left.iter().filter_map(|chain| {
            let other = right.iter().find(|other| other.base() == chain.base())?;
            let common = chain.keys().iter().zip(other.keys()).take_while(|(a, b)| a == b);
            let mut sizes = common.map(|(key, _)| self.members(*key).len());
            sizes.any(|size| size <= self.cap).then_some(chain.rule)
        })
    }

    /// The blocks that crossed their cap since last asked, by their members.
    pub(super) fn take_crossings(&mut self) -> Vec<(Vec<NodeId>, Crossing)> {
        let touched = std::mem::take(&mut self.was_within);
        let mut crossed = Vec::new();
        for (key, was_within) in touched {
            let members = self.members(key);
            let crossing = match (was_within, members.len() <= self.cap) {
                (true, false) => Crossing::Over,
                (false, true) => Crossing::Within,
                _ => continue,
            };
            crossed.push((members.to_vec(), crossing));
            self.noted.insert(key, crossing == Crossing::Over);
        }
        crossed
    }

    /// The keys whose block crossed its cap since last asked, ascending; whether it is over it now.
    pub(super) fn take_notes(&mut self) -> Vec<(Key, bool)> {
        std::mem::take(&mut self.noted).into_iter().collect()
    }

    fn members(&self, key: Key) -> &[NodeId] {
        match self.index.get(&key) {
            None => &[],
            Some(Slot::One(node)) => std::slice::from_ref(node),
            Some(Slot::Many(list)) => &self.lists[*list as usize].nodes,
        }
    }
}
