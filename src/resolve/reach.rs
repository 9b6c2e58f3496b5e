//! Which records belong to the part of a component that a record is in?
//!
//! A component over its cap falls into parts: of the weights `least`, `least + ½` … the first counts whose edges, and
//! firmer ones, link the record to no more others than the cap allows. So a record's part can be found from the record:
//! whoever is linked to it most firmly is reached first, and once there are more than the cap, the weakest link on the
//! way says which weight that is. Of a component of any size no more is looked at than that.

use std::collections::BinaryHeap;

use super::graph::Graph;
use crate::cluster::{JUDGED_BITS, raised};
use crate::record::NodeId;

/// What finding a part needs to remember; nothing of it is kept from one to the next.
#[derive(Default)]
pub(super) struct Reach {
    /// By node: in which turn it was reached last.
    reached: Vec<u32>,
    turn: u32,
    /// Who was reached, with the weakest link on the way to any of them so far.
    order: Vec<(NodeId, f32)>,
    /// The firmest link first.
    links: BinaryHeap<Link>,
}

/// The link of a node that comes next; a node's links come one after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    /// Its weight, so that greater numbers are firmer.
    firmness: u32,
    from: NodeId,
    next: u32,
}

impl Reach {
    /// The part of a node, ascending: `cap` nodes at most, unless they were all judged to be together.
    pub(super) fn part_of(
        &mut self,
        first: NodeId,
        graph: &Graph,
        cap: usize,
        least: f32,
    ) -> Vec<NodeId> {
        if let Some(component) = self.component_of(first, graph, cap) {
            return component;
        }
        self.begin(graph);
        self.take(first, JUDGED_BITS, graph);
        let mut weakest = JUDGED_BITS;
        while self.order.len() <= cap || weakest == JUDGED_BITS {
            let Some((node, weight)) = self.next(graph) else {
                return self.part(f32::NEG_INFINITY);
            };
            if weight < JUDGED_BITS && self.order.len() > cap {
                // Judgements alone hold more than the cap together.
                return self.part(JUDGED_BITS);
            }
            weakest = weakest.min(weight);
            self.take(node, weakest, graph);
        }
        self.part(raised(least, weakest))
    }

    /// All that hangs together with a node, ascending; `None` where that is more than `cap` nodes. Most components are small,
    /// and how firm their links are is of no matter.
    fn component_of(&mut self, first: NodeId, graph: &Graph, cap: usize) -> Option<Vec<NodeId>> {
        self.begin(graph);
        self.reached[first as usize] = self.turn;
        let mut component = vec![first];
        let mut next = 0;
        while let Some(node) = component.get(next).copied() {
            next += 1;
            let linked = graph.edges(node).iter().map(|(other, _)| other).chain(graph.judged(node));
            for other in linked {
                if !self.is_reached(*other) {
                    self.reached[*other as usize] = self.turn;
                    component.push(*other);
                }
            }
            if component.len() > cap {
                return None;
            }
        }
        component.sort_unstable();
        Some(component)
    }

    fn begin(&mut self, graph: &Graph) {
        self.turn = self.turn.wrapping_add(1);
        if self.turn == 0 {
            self.reached.clear();
            self.turn = 1;
        }
        self.reached.resize(graph.len().max(self.reached.len()), 0);
        self.order.clear();
        self.links.clear();
    }

    fn take(&mut self, node: NodeId, weakest: f32, graph: &Graph) {
        self.reached[node as usize] = self.turn;
        self.order.push((node, weakest));
        self.push(node, 0, graph);
    }

    /// Puts a node's link of a number among those that wait.
    fn push(&mut self, from: NodeId, next: u32, graph: &Graph) {
        if let Some((_, weight)) = graph.link(from, next) {
            self.links.push(Link { firmness: firmness(weight), from, next });
        }
    }

    /// Who is linked most firmly to those that were reached.
    fn next(&mut self, graph: &Graph) -> Option<(NodeId, f32)> {
        while let Some(Link { from, next, .. }) = self.links.pop() {
            self.push(from, next + 1, graph);
            let link = graph.link(from, next).filter(|(node, _)| !self.is_reached(*node));
            if link.is_some() {
                return link;
            }
        }
        None
    }

    fn is_reached(&self, node: NodeId) -> bool {
        self.reached[node as usize] == self.turn
    }

    /// Those that were reached over links of that weight and firmer ones.
    fn part(&self, weight: f32) -> Vec<NodeId> {
        let within = self.order.partition_point(|(_, weakest)| *weakest >= weight);
        let mut part: Vec<NodeId> = self.order[..within].iter().map(|(node, _)| *node).collect();
        part.sort_unstable();
        part
    }
}

/// A number that is the greater the greater a weight is.
fn firmness(weight: f32) -> u32 {
    let bits = weight.to_bits();
    if weight.is_sign_negative() { !bits } else { bits | 1 << 31 }
}
