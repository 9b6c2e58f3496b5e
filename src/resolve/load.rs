//! How does the index come back from what was kept?

use rustc_hash::FxHashSet;

use super::{Insert, Resolver};
use crate::record::NodeId;
use crate::score::Model;

/// An index that is made from records that were decided on before, and the edges between them.
pub struct Loader {
    resolver: Resolver,
    loaded: Vec<NodeId>,
}

impl Loader {
    /// Begins under the model that decided.
    pub fn new(model: Model) -> Self {
        Self { resolver: Resolver::new(model), loaded: Vec::new() }
    }

    /// Takes records up, on all cores: the more at once, the better.
    pub fn add(&mut self, records: Vec<Insert>) {
        self.loaded.extend(records.iter().map(|record| record.node));
        self.resolver.enter(records);
    }

    /// Takes up edges between records that are there: of nodes, those to lower ones, each once.
    pub fn link(&mut self, edges: impl IntoIterator<Item = (NodeId, Vec<(NodeId, f32)>)>) {
        for (node, list) in edges {
            for (other, weight) in list {
                self.resolver.graph.put(node, other, weight);
            }
        }
    }

    /// The index, with everything decided.
    pub fn finish(self) -> Resolver {
        let Self { mut resolver, loaded } = self;
        resolver.graph.sort();
        resolver.graph.regroup(loaded, &FxHashSet::default());
        resolver.blocks.take_crossings();
        resolver.usages.take_changes(&resolver.model);
        resolver
    }
}
