//! Which clusters do the parts of components fall into?

use rayon::prelude::*;

use super::{Node, Resolver, Work};
use crate::cluster::{agglomerate, groups};
use crate::record::NodeId;
use crate::score::Memo;

/// How many parts of components are decided between two signs of life.
const DECIDED_AT_ONCE: usize = 100_000;

impl Resolver {
    /// Decides parts of components; `tell` is called now and then.
    pub(super) fn decide(
        &self,
        mut parts: Vec<Vec<NodeId>>,
        work: &mut Work,
        tell: &mut dyn FnMut(),
    ) -> Vec<Vec<NodeId>> {
        let mut clusters = Vec::new();
        for parts in parts.chunks_mut(DECIDED_AT_ONCE) {
            tell();
            parts.par_iter_mut().for_each(|part| self.order(part));
            let decided: Vec<Vec<Vec<NodeId>>> = parts
                .par_iter()
                .map_init(Memo::default, |memo, part| self.decide_part(part, memo))
                .collect();
            clusters.extend(decided.into_iter().flatten());
        }
        for part in &parts {
            work.component_pairs += (part.len() * (part.len() - 1) / 2) as u64;
            work.largest_component = work.largest_component.max(part.len() as u64);
        }
        work.components += parts.len() as u64;
        clusters
    }

    /// Puts the records of a part in the order of their keys.
    pub(super) fn order(&self, part: &mut [NodeId]) {
        part.sort_unstable_by_key(|node| self.known(*node).key);
    }

    fn decide_part(&self, part: &[NodeId], memo: &Memo) -> Vec<Vec<NodeId>> {
        let nodes: Vec<&Node> = part.iter().map(|node| self.known(*node)).collect();
        let scorer = self.scorer(memo);
        let evidence = |i: usize, j: usize| self.compare_by(scorer, nodes[i], nodes[j]);
        let merges = agglomerate(part.len(), &self.model, &self.constraints(part), evidence);
        let named = |group: Vec<usize>| {
            let mut members: Vec<NodeId> = group.into_iter().map(|at| part[at]).collect();
            members.sort_unstable();
            members
        };
        groups(part.len(), &merges).into_iter().map(named).collect()
    }
}
