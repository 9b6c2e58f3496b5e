//! How much work was it?

/// How much work a change was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Candidate pairs that were scored.
    pub candidates: u64,
    /// Components that were decided anew; of those over the cap, parts.
    pub components: u64,
    /// Of these, how many were decided by how most of their records were merged before.
    pub replays: u64,
    /// Pairs inside them that were weighed.
    pub component_pairs: u64,
    /// Records in the largest of them.
    pub largest_component: u64,
}

impl Work {
    /// Two changes' work together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            candidates: self.candidates + other.candidates,
            components: self.components + other.components,
            replays: self.replays + other.replays,
            component_pairs: self.component_pairs + other.component_pairs,
            largest_component: self.largest_component.max(other.largest_component),
        }
    }
}
