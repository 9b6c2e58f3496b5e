//! What does the index know, for those who ask and explain?

use super::Resolver;
use crate::block::Key;
use crate::record::{Field, Identity, NodeId};
use crate::score::Evidence;

/// What changed of what the index knows of all records together: for explanations, which have no
/// index. The matcher itself never reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// Identifier values whose number of users changed, with the number now; 1 for one person's.
    pub shared: Vec<(Field, Box<str>, f64)>,
    /// Blocking keys whose block crossed its cap; whether it is over it now.
    pub capped: Vec<(Key, bool)>,
}

impl Resolver {
    /// What changed of what the index knows of all records together since last asked; the first
    /// time, all that an empty index does not know.
    pub fn take_notes(&mut self) -> Notes {
        let shared = self.usages.take_notes().into_iter();
        Notes {
            shared: shared
                .map(|(field, symbol, people)| (field, self.terms.text(symbol).into(), people))
                .collect(),
            capped: self.blocks.take_notes(),
        }
    }

    /// The content of a record in the set.
    pub fn identity(&self, node: NodeId) -> Option<Identity> {
        Some(self.terms.identity(&self.node(node)?.features))
    }

    /// How many people seem to use the value of an identifier field that a record carries.
    pub fn people(&self, node: NodeId, field: Field) -> Option<f64> {
        let symbol = self.node(node)?.features.symbol(field);
        (symbol != 0).then(|| self.usages.people(field, symbol))
    }

    /// How many identifier values several people seem to use.
    pub fn shared_identifiers(&self) -> u64 {
        self.usages.shared()
    }

    /// What two records say about being of one person.
    pub fn evidence(&self, left: NodeId, right: NodeId) -> Option<Evidence> {
        Some(self.compare(self.node(left)?, self.node(right)?))
    }

    /// The blocking rules under which two records meet, by index; empty where none brings them together.
    pub fn meeting_rules(&self, left: NodeId, right: NodeId) -> Vec<usize> {
        let (of_left, of_right) = (self.chains(left), self.chains(right));
        let shared = self.blocks.shared(&of_left, &of_right);
        let speaks = |rule: &u8| !self.is_silent(*rule, left) && !self.is_silent(*rule, right);
        shared.filter(speaks).map(usize::from).collect()
    }
}
