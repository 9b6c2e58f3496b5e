//! Which decisions would a person rather look at?

use std::collections::BTreeMap;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::{Node, Resolver};
use crate::cluster::{By, agglomerate_down_to, groups};
use crate::record::{NodeId, RecordKey};

/// What was decided of two groups of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// They were made one.
    Merged,
    /// They were not, for what their fields say.
    Refused,
    /// They were not compared, though records of them are linked: their component was over its cap.
    Cut,
}

/// A decision near the threshold, or not made at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubt {
    /// What was decided.
    pub decision: Decision,
    /// The match weight of the groups in bits; where they were cut, that of their strongest link.
    pub weight_bits: f64,
    /// The two groups as they were decided on; neither is empty.
    pub groups: [Vec<NodeId>; 2],
}

impl Doubt {
    /// How many pairs of records the opposite decision would join or part.
    pub fn pairs(&self) -> usize {
        self.groups[0].len() * self.groups[1].len()
    }
}

impl Resolver {
    /// The decisions by evidence within `window_bits` of the threshold, and the links that caps cut, in an order that
    /// depends on the records only. Decides every component anew.
    pub fn doubts(&self, window_bits: f64) -> Vec<Doubt> {
        let parts = self.graph.parts();
        let decided: Vec<(Vec<Doubt>, Vec<Vec<NodeId>>)> =
            parts.par_iter().map(|part| self.doubts_of(part, window_bits)).collect();
        let mut doubts = Vec::new();
        let mut clusters = Vec::new();
        for (number, (of_part, groups)) in decided.into_iter().enumerate() {
            doubts.extend(of_part);
            clusters.extend(groups.into_iter().map(|group| (number, group)));
        }
        doubts.extend(self.cuts(&clusters));
        doubts.sort_by_cached_key(|doubt| self.name(doubt));
        doubts
    }

    /// The records of both groups that speak most for their being one person: the first of the one, then of the other.
    pub fn strongest_pair(&self, doubt: &Doubt) -> [NodeId; 2] {
        let ordered = |group: &[NodeId]| {
            let mut group: Vec<(NodeId, &Node)> =
                group.iter().map(|node| (*node, self.known(*node))).collect();
            group.sort_unstable_by_key(|(_, node)| node.key);
            group
        };
        let (left, right) = (ordered(&doubt.groups[0]), ordered(&doubt.groups[1]));
        let mut strongest = ([left[0].0, right[0].0], f64::NEG_INFINITY);
        for (a, of_a) in &left {
            for (b, of_b) in &right {
                let weight = self.compare(of_a, of_b).weight(&self.model);
                if weight > strongest.1 {
                    strongest = ([*a, *b], weight);
                }
            }
        }
        strongest.0
    }

    /// What was nearly decided otherwise in a part of a component, and the part's clusters.
    fn doubts_of(&self, part: &[NodeId], window_bits: f64) -> (Vec<Doubt>, Vec<Vec<NodeId>>) {
        let threshold = self.model.parameters.threshold_bits;
        let mut part = part.to_vec();
        self.order(&mut part);
        let nodes: Vec<&Node> = part.iter().map(|node| self.known(*node)).collect();
        let evidence = |i: usize, j: usize| self.compare(nodes[i], nodes[j]);
        let constraints = self.constraints(&part);
        let least = threshold - window_bits;
        let done = agglomerate_down_to(least, part.len(), &self.model, &constraints, evidence);
        let mut doubts = Vec::new();
        let mut members: Vec<Vec<NodeId>> = part.iter().map(|node| vec![*node]).collect();
        for merge in &done.merges {
            let joined = std::mem::take(&mut members[merge.joined]);
            if merge.by == By::Evidence && merge.weight_bits <= threshold + window_bits {
                let groups = [members[merge.kept].clone(), joined.clone()];
                let weight_bits = merge.weight_bits;
                doubts.push(Doubt { decision: Decision::Merged, weight_bits, groups });
            }
            members[merge.kept].extend(joined);
        }
        for pair in &done.refused {
            let groups = [members[pair.kept].clone(), members[pair.joined].clone()];
            let weight_bits = pair.weight_bits;
            doubts.push(Doubt { decision: Decision::Refused, weight_bits, groups });
        }
        let named = |group: Vec<usize>| group.into_iter().map(|at| part[at]).collect();
        (doubts, groups(part.len(), &done.merges).into_iter().map(named).collect())
    }

    /// The pairs of clusters in different parts of which records are linked by more than the threshold. `clusters` are
    /// all, each with the number of its part.
    fn cuts(&self, clusters: &[(usize, Vec<NodeId>)]) -> Vec<Doubt> {
        let mut cluster_of: FxHashMap<NodeId, usize> = FxHashMap::default();
        for (number, (_, members)) in clusters.iter().enumerate() {
            cluster_of.extend(members.iter().map(|node| (*node, number)));
        }
        let mut strongest: BTreeMap<[usize; 2], f64> = BTreeMap::new();
        for (number, (part, members)) in clusters.iter().enumerate() {
            for (other, weight) in members.iter().flat_map(|node| self.graph.edges(*node)) {
                let (other, weight) = (cluster_of[other], f64::from(*weight));
                let is_cut = clusters[other].0 != *part;
                if is_cut && weight >= self.model.parameters.threshold_bits {
                    let pair = [number.min(other), number.max(other)];
                    let of_pair = strongest.entry(pair).or_insert(weight);
                    *of_pair = of_pair.max(weight);
                }
            }
        }
        let doubt = |(pair, weight_bits): ([usize; 2], f64)| Doubt {
            decision: Decision::Cut,
            weight_bits,
            groups: pair.map(|number| clusters[number].1.clone()),
        };
        let mut cuts: Vec<Doubt> = strongest.into_iter().map(doubt).collect();
        cuts.retain(|cut| !self.judged_apart(&cut.groups[0], &cut.groups[1]));
        cuts
    }

    /// What a doubt is of, by content.
    fn name(&self, doubt: &Doubt) -> ([Option<RecordKey>; 2], Decision) {
        let lowest = |group: &Vec<NodeId>| group.iter().map(|node| self.known(*node).key).min();
        (doubt.groups.each_ref().map(lowest), doubt.decision)
    }
}
