//! Which records were last decided together?

use rustc_hash::FxHashMap;

use crate::record::NodeId;

/// The parts of components as they were last decided. A memory of work, not of results: what it does not hold is
/// decided again.
#[derive(Default)]
pub(super) struct Decided {
    part_of: Vec<u32>,
    /// How many records each part had; parts that lost one to another part are forgotten.
    sizes: FxHashMap<u32, usize>,
    next: u32,
}

/// The part of a record that was never decided.
const NEVER: u32 = u32::MAX;

impl Decided {
    /// Whether these records, and no others, were last decided together.
    pub(super) fn holds(&self, part: &[NodeId]) -> bool {
        let number = |node: &NodeId| self.part_of.get(*node as usize).copied().unwrap_or(NEVER);
        part.first().is_some_and(|first| {
            let part_number = number(first);
            self.sizes.get(&part_number) == Some(&part.len())
                && part.iter().all(|node| number(node) == part_number)
        })
    }

    /// Notes that these records were decided together.
    pub(super) fn note(&mut self, part: &[NodeId]) {
        // Numbers that wrapped around could meet old ones; forgetting everything costs work only.
        if self.next == NEVER {
            *self = Self::default();
        }
        for node in part {
            let index = *node as usize;
            if self.part_of.len() <= index {
                self.part_of.resize(index + 1, NEVER);
            }
            self.sizes.remove(&self.part_of[index]);
            self.part_of[index] = self.next;
        }
        self.sizes.insert(self.next, part.len());
        self.next += 1;
    }
}
