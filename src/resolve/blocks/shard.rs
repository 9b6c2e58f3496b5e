//! The blocks of some of the keys: what one core fills without regard to the others.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::block::{Chain, Key};
use crate::error::Result;
use crate::image::{Pack, Unpack, misshapen};
use crate::record::NodeId;

/// Blocks whose coarsest keys fall into one shard, with their sub-blocks.
///
/// Sub-blocks are made when their block first goes over its cap; whether they are used depends on sizes alone, so that
/// what once happened never matters.
#[derive(Default)]
pub(super) struct Shard {
    index: FxHashMap<Key, Slot>,
    lists: Vec<List>,
    free: Vec<u32>,
    /// Whether each block that crossed its cap in this change, perhaps back and forth, was within it before.
    pub(super) was_within: BTreeMap<Key, bool>,
}

/// A block of one record stands in the index itself; most do.
#[derive(Clone, Copy)]
enum Slot {
    One(NodeId),
    Many(u32),
}

#[derive(Default)]
pub(super) struct List {
    pub(super) nodes: Vec<NodeId>,
    /// The rule that its key was made under.
    pub(super) rule: u8,
    /// Sub-blocks are kept for it.
    divided: bool,
}

impl Shard {
    /// Adds a record under a chain from a depth on. `chains_again` gives those of any record of the set under a rule.
    pub(super) fn add(
        &mut self,
        node: NodeId,
        chain: &Chain,
        depth: usize,
        cap: usize,
        chains_again: &impl Fn(NodeId, u8) -> Vec<Chain>,
    ) {
        let Some(key) = chain.keys().get(depth).copied() else { return };
        if self.members(key).len() == cap {
            self.was_within.entry(key).or_insert(true);
        }
        let Some(list) = self.push(key, chain.rule, node, cap) else { return };
        let list = &mut self.lists[list as usize];
        if list.divided {
            self.add(node, chain, depth + 1, cap, chains_again);
        } else if list.nodes.len() > cap {
            list.divided = true;
            for member in list.nodes.clone() {
                let chains = chains_again(member, chain.rule);
                let same = chains.iter().find(|chain| chain.keys().get(depth) == Some(&key));
                let same = same.expect("a block's members have its key");
                self.add(member, same, depth + 1, cap, chains_again);
            }
        }
    }

    /// Puts a node into a block; returns the block's list where it is one.
    fn push(&mut self, key: Key, rule: u8, node: NodeId, cap: usize) -> Option<u32> {
        match self.index.get(&key).copied() {
            None => {
                self.index.insert(key, Slot::One(node));
                (cap == 0).then(|| self.make_list(key, rule, vec![node]))
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

    /// Takes a record out from under a chain.
    pub(super) fn remove(&mut self, node: NodeId, chain: &Chain, cap: usize) {
        for key in chain.keys() {
            if self.members(*key).len() == cap + 1 {
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

    /// Blocks of several records, and some of none, by their numbers.
    pub(super) fn lists(&self) -> &[List] {
        &self.lists
    }

    /// The records under a key.
    pub(super) fn members(&self, key: Key) -> &[NodeId] {
        match self.index.get(&key) {
            None => &[],
            Some(Slot::One(node)) => std::slice::from_ref(node),
            Some(Slot::Many(list)) => &self.lists[*list as usize].nodes,
        }
    }

    /// Packs it; what crossed its cap must have been asked for.
    pub(super) fn pack(&self, into: &mut Pack) {
        into.longs(self.index.keys().copied());
        into.flags(self.index.values().map(|slot| matches!(slot, Slot::Many(_))));
        into.words(self.index.values().map(|slot| match slot {
            Slot::One(number) | Slot::Many(number) => *number,
        }));
        into.bytes(self.lists.iter().map(|list| list.rule));
        into.flags(self.lists.iter().map(|list| list.divided));
        into.lists(self.lists.iter().map(|list| &*list.nodes));
    }

    /// Comes back as it was packed.
    ///
    /// **Errors:** `Data` where that does not fit together.
    pub(super) fn unpack(from: &mut Unpack<'_>) -> Result<Self> {
        let (keys, several, numbers) = (from.longs()?, from.flags()?, from.words()?);
        let slots = several
            .zip(numbers)
            .map(|(several, number)| if several { Slot::Many(number) } else { Slot::One(number) });
        let index = keys.zip(slots).collect();
        let (rules, divided, lists) = (from.bytes()?, from.flags()?, from.lists()?);
        if lists.len() != rules.len() || lists.len() != divided.len() {
            return Err(misshapen());
        }
        let list = |((nodes, rule), divided): ((Vec<NodeId>, &u8), bool)| List {
            nodes,
            rule: *rule,
            divided,
        };
        let lists: Vec<List> = lists.zip(rules).zip(divided).map(list).collect();
        let empty = (0..).zip(&lists).filter(|(_, list)| list.nodes.is_empty());
        let free = empty.map(|(number, _)| number).collect();
        Ok(Self { index, lists, free, was_within: BTreeMap::new() })
    }
}
