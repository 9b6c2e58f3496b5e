//! Who is in which block?

mod shard;

use std::collections::BTreeMap;

use rayon::prelude::*;

use self::shard::{List, Shard};
use crate::block::{Chain, Key};
use crate::error::Result;
use crate::image::{self, Pieces, Sink};
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
/// In shards by the coarsest key of a chain, each of which one core fills: sub-blocks lie where their block does.
pub(super) struct Blocks {
    cap: usize,
    shards: Vec<Shard>,
    /// Whether each block that crossed its cap since last noted is over it now.
    noted: BTreeMap<Key, bool>,
}

/// How many shards there are. Each grows by itself, so that no table of all keys is ever there twice.
const SHARDS: usize = 64;

/// What the pieces of an image are called that hold blocks.
const PIECES: &str = "blocks";

/// In which blocks each record is: blocks by their numbers, record by record.
pub(super) struct Memberships {
    /// By record: where its blocks begin.
    starts: Vec<u32>,
    blocks: Vec<u32>,
}

impl Memberships {
    fn of(&self, node: NodeId) -> &[u32] {
        let [from, to] = [0, 1].map(|next| self.starts[node as usize + next] as usize);
        &self.blocks[from..to]
    }
}

impl Blocks {
    pub(super) fn new(cap: usize) -> Self {
        let shards = std::iter::repeat_with(Shard::default).take(SHARDS).collect();
        Self { cap, shards, noted: BTreeMap::new() }
    }

    /// Adds records under their chains, on all cores. `chains_again` gives those of any record of the set, these among
    /// them, under a rule.
    pub(super) fn add(
        &mut self,
        records: &[(NodeId, Vec<Chain>)],
        chains_again: impl Fn(NodeId, u8) -> Vec<Chain> + Sync,
    ) {
        let mut by_shard: Vec<Vec<(NodeId, &Chain)>> = vec![Vec::new(); SHARDS];
        for (node, chains) in records {
            for chain in chains {
                by_shard[shard_of(chain)].push((*node, chain));
            }
        }
        let cap = self.cap;
        let filled =
            self.shards.par_iter_mut().zip(by_shard).filter(|(_, added)| !added.is_empty());
        filled.for_each(|(shard, added)| {
            for (node, chain) in added {
                shard.add(node, chain, 0, cap, &chains_again);
            }
        });
    }

    /// Takes a record out from under its chains.
    pub(super) fn remove(&mut self, node: NodeId, chains: &[Chain]) {
        for chain in chains {
            self.shards[shard_of(chain)].remove(node, chain, self.cap);
        }
    }

    /// The members of the coarsest block of a chain that is within its cap; none for a stop key.
    pub(super) fn used(&self, chain: &Chain) -> &[NodeId] {
        let shard = &self.shards[shard_of(chain)];
        chain
            .keys()
            .iter()
            .map(|key| shard.members(*key))
            .find(|members| members.len() <= self.cap)
            .unwrap_or_default()
    }

    /// The blocks of each of so many records that bring it together with others.
    ///
    /// Sub-blocks of a block within its cap may be among them: who is in them is in that block, too.
    pub(super) fn memberships(&self, records: usize) -> Memberships {
        let mut starts = vec![0_u32; records + 1];
        for (_, list) in self.lists() {
            list.nodes.iter().for_each(|node| starts[*node as usize + 1] += 1);
        }
        for record in 0..records {
            starts[record + 1] += starts[record];
        }
        let mut blocks = vec![0; starts[records] as usize];
        let mut next = starts.clone();
        for (number, list) in self.lists() {
            for node in &list.nodes {
                let next = &mut next[*node as usize];
                blocks[*next as usize] = number;
                *next += 1;
            }
        }
        Memberships { starts, blocks }
    }

    /// The blocks that bring records together, with their numbers.
    fn lists(&self) -> impl Iterator<Item = (u32, &List)> {
        let lists = self.shards.iter().enumerate().flat_map(|(shard, of_shard)| {
            let numbers = (shard..)
                .step_by(SHARDS)
                .map(|number| u32::try_from(number).expect("fewer than 2^32 blocks"));
            numbers.zip(of_shard.lists())
        });
        lists.filter(|(_, list)| (2..=self.cap).contains(&list.nodes.len()))
    }

    fn list(&self, number: u32) -> &List {
        let number = number as usize;
        &self.shards[number % SHARDS].lists()[number / SHARDS]
    }

    /// The rules and the members of a record's blocks.
    pub(super) fn those_of<'a>(
        &'a self,
        memberships: &'a Memberships,
        node: NodeId,
    ) -> impl Iterator<Item = (u8, &'a [NodeId])> {
        memberships.of(node).iter().map(|block| {
            let list = self.list(*block);
            (list.rule, &*list.nodes)
        })
    }

    /// The number of the largest of a record's blocks.
    pub(super) fn largest(&self, memberships: &Memberships, node: NodeId) -> Option<u32> {
        let size = |block: &&u32| self.list(**block).nodes.len();
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
            let shard = &self.shards[shard_of(chain)];
            let mut sizes = common.map(|(key, _)| shard.members(*key).len());
            sizes.any(|size| size <= self.cap).then_some(chain.rule)
        })
    }

    /// The blocks that crossed their cap since last asked, by their members, in the order of their keys.
    pub(super) fn take_crossings(&mut self) -> Vec<(Vec<NodeId>, Crossing)> {
        let mut crossed = BTreeMap::new();
        for shard in &mut self.shards {
            for (key, was_within) in std::mem::take(&mut shard.was_within) {
                let members = shard.members(key);
                let crossing = match (was_within, members.len() <= self.cap) {
                    (true, false) => Crossing::Over,
                    (false, true) => Crossing::Within,
                    _ => continue,
                };
                crossed.insert(key, (members.to_vec(), crossing));
                self.noted.insert(key, crossing == Crossing::Over);
            }
        }
        crossed.into_values().collect()
    }

    /// Whether everything that happened was asked for.
    pub(super) fn is_told(&self) -> bool {
        self.noted.is_empty() && self.shards.iter().all(|shard| shard.was_within.is_empty())
    }

    /// Packs them; everything that happened must have been asked for.
    ///
    /// **Errors:** those of `sink`.
    pub(super) fn pack(&self, sink: &mut dyn Sink) -> Result<()> {
        image::pack_each(sink, PIECES, &self.shards, Shard::pack)
    }

    /// Come back as they were packed.
    ///
    /// **Errors:** `Data` where that does not fit together; those of `pieces`.
    pub(super) fn unpack(pieces: &dyn Pieces, cap: usize) -> Result<Self> {
        let shards = image::unpack_each(pieces, PIECES, Shard::unpack)?;
        if shards.len() != SHARDS {
            return Err(image::misshapen());
        }
        Ok(Self { cap, shards, noted: BTreeMap::new() })
    }

    /// The keys whose block crossed its cap since last asked, ascending; whether it is over it now.
    pub(super) fn take_notes(&mut self) -> Vec<(Key, bool)> {
        std::mem::take(&mut self.noted).into_iter().collect()
    }
}

fn shard_of(chain: &Chain) -> usize {
    // Other bits than a hash table goes by first.
    (chain.base() >> 32) as usize % SHARDS
}
