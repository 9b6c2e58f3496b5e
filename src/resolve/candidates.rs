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
        let mut others = Vec::new();
        for chain in chains {
            let members = self.blocks.used(chain);
            if !self.limits.concern(chain.rule) {
                others.extend_from_slice(members);
            } else if !self.is_silent(chain.rule, node) {
                let speaks = |other: &&NodeId| !self.is_silent(chain.rule, **other);
                others.extend(members.iter().filter(speaks));
            }
        }
        others.sort_unstable();
        others.dedup();
        others.retain(|other| *other != node);
        others
    }
}
