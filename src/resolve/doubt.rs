//! Which decisions would a person rather look at?

use std::collections::BTreeMap;

use rayon::prelude::*;

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
        let mut doubts: Vec<Doubt> = self
            .graph
            .components()
            .par_iter()
            .flat_map_iter(|component| self.doubts_of(component, window_bits))
            .collect();
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

    fn doubts_of(&self, component: &[NodeId], window_bits: f64) -> Vec<Doubt> {
        let threshold = self.model.parameters.threshold_bits;
        let mut doubts = Vec::new();
        let mut cluster_of: BTreeMap<NodeId, (usize, usize)> = BTreeMap::new();
        let mut clusters: BTreeMap<(usize, usize), Vec<NodeId>> = BTreeMap::new();
        let parts = self.parts(component);
        for (number, part) in parts.iter().enumerate() {
            let nodes: Vec<&Node> = part.iter().map(|node| self.known(*node)).collect();
            let evidence = |i: usize, j: usize| self.compare(nodes[i], nodes[j]);
            let constraints = self.constraints(part);
            let least = threshold - window_bits;
            let done = agglomerate_down_to(least, part.len(), &self.model, &constraints, evidence);
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
            for group in groups(part.len(), &done.merges) {
                let name = (number, group[0]);
                cluster_of.extend(group.iter().map(|at| (part[*at], name)));
                clusters.insert(name, group.into_iter().map(|at| part[at]).collect());
            }
        }
        if parts.len() > 1 {
            doubts.extend(self.cuts(component, &cluster_of, &clusters));
        }
        doubts
    }

    /// The pairs of clusters in different parts of which records are linked by more than the threshold.
    fn cuts(
        &self,
        component: &[NodeId],
        cluster_of: &BTreeMap<NodeId, (usize, usize)>,
        clusters: &BTreeMap<(usize, usize), Vec<NodeId>>,
    ) -> Vec<Doubt> {
        let mut strongest: BTreeMap<[(usize, usize); 2], f64> = BTreeMap::new();
        for node in component {
            for (other, weight) in self.graph.edges(*node).iter().filter(|(other, _)| other < node)
            {
                let (a, b) = (cluster_of[node], cluster_of[other]);
                let weight = f64::from(*weight);
                if a.0 != b.0 && weight >= self.model.parameters.threshold_bits {
                    let of_pair = strongest.entry([a.min(b), a.max(b)]).or_insert(weight);
                    *of_pair = of_pair.max(weight);
                }
            }
        }
        let doubt = |([a, b], weight_bits): ([(usize, usize); 2], f64)| Doubt {
            decision: Decision::Cut,
            weight_bits,
            groups: [clusters[&a].clone(), clusters[&b].clone()],
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
