//! Which records belong to the part of a component that a record is in?
//!
//! A component over its cap falls into parts, as [`split`](crate::cluster::split) says. A record's part can be found from
//! the record: whoever is linked to it most firmly is reached first, level by level, and once there are more than the
//! cap, the weakest link on the way says which level that is. Of a component of any size no more is looked at than that.

use super::graph::Graph;
use crate::cluster::{JUDGED_LEVEL, Level};
use crate::record::NodeId;

/// What finding a part needs to remember; nothing of it is kept from one to the next.
pub(super) struct Reach {
    /// By node: in which turn it was reached last.
    reached: Vec<u32>,
    turn: u32,
    /// Who was reached, with the level of the weakest link on the way to any of them so far.
    order: Vec<(NodeId, Level)>,
    /// By level: who is linked by it to those that were reached, perhaps reached as well by now.
    linked: Vec<Vec<NodeId>>,
    /// No level above it has any.
    highest: Level,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            reached: Vec::new(),
            turn: 0,
            order: Vec::new(),
            linked: vec![Vec::new(); JUDGED_LEVEL as usize + 1],
            highest: 0,
        }
    }
}

impl Reach {
    /// The part of a node, ascending: `cap` nodes at most, unless they were all judged to be together.
    pub(super) fn part_of(&mut self, first: NodeId, graph: &Graph, cap: usize) -> Vec<NodeId> {
        self.begin(graph);
        self.take(first, JUDGED_LEVEL, graph);
        let mut weakest = JUDGED_LEVEL;
        while self.order.len() <= cap || weakest == JUDGED_LEVEL {
            let Some((node, level)) = self.next() else {
                return self.part(0);
            };
            if level < JUDGED_LEVEL && self.order.len() > cap {
                // Judgements alone hold more than the cap together.
                return self.part(JUDGED_LEVEL);
            }
            weakest = weakest.min(level);
            self.take(node, weakest, graph);
        }
        self.part(weakest + 1)
    }

    fn begin(&mut self, graph: &Graph) {
        self.turn = self.turn.wrapping_add(1);
        if self.turn == 0 {
            self.reached.clear();
            self.turn = 1;
        }
        self.reached.resize(graph.len().max(self.reached.len()), 0);
        self.order.clear();
        self.linked[..=self.highest as usize].iter_mut().for_each(Vec::clear);
        self.highest = 0;
    }

    fn take(&mut self, node: NodeId, weakest: Level, graph: &Graph) {
        self.reached[node as usize] = self.turn;
        self.order.push((node, weakest));
        for (other, level) in graph.links(node) {
            if self.reached[other as usize] != self.turn {
                self.linked[level as usize].push(other);
                self.highest = self.highest.max(level);
            }
        }
    }

    /// Who is linked most firmly to those that were reached.
    fn next(&mut self) -> Option<(NodeId, Level)> {
        loop {
            while let Some(node) = self.linked[self.highest as usize].pop() {
                if self.reached[node as usize] != self.turn {
                    return Some((node, self.highest));
                }
            }
            self.highest = self.highest.checked_sub(1)?;
        }
    }

    /// Those that were reached over links of that level and firmer ones.
    fn part(&self, level: Level) -> Vec<NodeId> {
        let within = self.order.partition_point(|(_, weakest)| *weakest >= level);
        let mut part: Vec<NodeId> = self.order[..within].iter().map(|(node, _)| *node).collect();
        part.sort_unstable();
        part
    }
}
