//! What was judged of the records of one component, and what follows from it?

/// What judgements say of pairs of nodes, by index; the order within a pair does not matter.
///
/// Judgements come before evidence. Pairs judged together are made one first, the lowest pair first, whatever their
/// fields say; pairs judged apart are never of one group. Where both cannot be obeyed, apart wins: a pair judged
/// together is left out when what was joined before it holds records that are judged apart from its own. What groups
/// may not join is inherited as they grow, and so is all evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// Pairs judged to be one person.
    pub together: Vec<(usize, usize)>,
    /// Pairs judged to be two persons.
    pub apart: Vec<(usize, usize)>,
}

impl Constraints {
    /// Nothing was judged.
    pub const NONE: Self = Self { together: Vec::new(), apart: Vec::new() };

    /// The merges that the judgements alone make of `nodes` nodes, in their order: the group that stays and the group
    /// that joins it, each by its lowest node.
    pub fn joins(&self, nodes: usize) -> Vec<(usize, usize)> {
        if self.together.is_empty() {
            return Vec::new();
        }
        let mut pairs: Vec<(usize, usize)> =
            self.together.iter().map(|(i, j)| (*i.min(j), *i.max(j))).collect();
        pairs.sort_unstable();
        let mut group_of: Vec<usize> = (0..nodes).collect();
        let mut joins = Vec::new();
        for (i, j) in pairs {
            let (a, b) = (group_of[i], group_of[j]);
            let (kept, joined) = (a.min(b), a.max(b));
            let across = |(x, y): &(usize, usize)| {
                let (x, y) = (group_of[*x], group_of[*y]);
                (x.min(y), x.max(y)) == (kept, joined)
            };
            if kept == joined || self.apart.iter().any(across) {
                continue;
            }
            for group in group_of.iter_mut().filter(|group| **group == joined) {
                *group = kept;
            }
            joins.push((kept, joined));
        }
        joins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joins(together: &[(usize, usize)], apart: &[(usize, usize)]) -> Vec<(usize, usize)> {
        Constraints { together: together.to_vec(), apart: apart.to_vec() }.joins(6)
    }

    #[test]
    fn pairs_judged_together_become_one_the_lowest_first() {
        assert!(joins(&[], &[(0, 1)]).is_empty());
        assert_eq!(joins(&[(3, 1), (4, 5), (1, 0)], &[]), [(0, 1), (0, 3), (4, 5)]);
        assert_eq!(joins(&[(0, 2), (1, 2), (0, 1)], &[]), [(0, 1), (0, 2)]);
        assert_eq!(joins(&[(0, 5), (4, 5)], &[]), [(0, 5), (0, 4)]);
    }

    #[test]
    fn apart_wins_over_together_through_others() {
        assert_eq!(joins(&[(0, 1), (1, 2)], &[(2, 0)]), [(0, 1)]);
        assert_eq!(joins(&[(0, 1), (2, 3), (1, 3)], &[(0, 2)]), [(0, 1), (0, 3)]);
        assert_eq!(joins(&[(1, 2), (0, 1)], &[(0, 2)]), [(0, 1)]);
    }
}
