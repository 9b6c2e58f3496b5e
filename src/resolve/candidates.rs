//! Which records are compared with which?

use super::Resolver;
use crate::block::Chain;
use crate::record::{Field, NodeId};
use crate::score::Symbol;

impl Resolver {
    /// Whether two records are a candidate pair.
    pub(super) fn meet(&self, left: NodeId, right: NodeId) -> bool {
        !self.meeting_rules(left, right).is_empty()
    }

    /// Whether a record's keys under a rule are of no use, since too many people use a value that they are made of.
    pub(super) fn is_silent(&self, rule: u8, node: NodeId) -> bool {
        let people = |field: Field, symbol: Symbol| self.usages.people(field, symbol);
        self.limits.concern(rule)
            && self.limits.silence(rule, &self.known(node).features, &self.model, people)
    }

    /// The records that share a used key with one of these chains, ascending.
    pub(super) fn candidates(&self, node: NodeId, chains: &[Chain]) -> Vec<NodeId> {
        let blocks = chains.iter().map(|chain| (chain.rule, self.blocks.used(chain)));
        self.candidates_in(node, blocks)
    }

    /// The records that are in one of these blocks of a record, each of a rule, ascending.
    pub(super) fn candidates_in<'a>(
        &self,
        node: NodeId,
        blocks: impl Iterator<Item = (u8, &'a [NodeId])>,
    ) -> Vec<NodeId> {
        let mut others = Vec::new();
        for (rule, members) in blocks {
            if !self.limits.concern(rule) {
                others.extend_from_slice(members);
            } else if !self.is_silent(rule, node) {
                others.extend(members.iter().filter(|other| !self.is_silent(rule, **other)));
            }
        }
        others.sort_unstable();
        others.dedup();
        others.retain(|other| *other != node);
        others
    }
}
