//! What does a small change of a set of records change of merges that are known?
//!
//! Merges come in one order: the strongest pair of groups first, ties by the lowest nodes. What two groups weigh depends on
//! the two alone. So, of the merges of one set of records, those hold in another whose two groups stand there, too, and each
//! is the strongest of all pairs of such groups when it comes. Other groups are compared with all: of records that came or
//! weigh differently, and of whoever merged with one then or now, or did not because of one. There are few of them.

use std::cmp::Ordering;

use super::agglomerate::{By, Merge};
use super::groups::Groups;
use crate::score::{Evidence, Model};

/// A merge that is known: of the groups, by their lowest nodes, and the match weight in bits. A node that is not there any
/// more is `None`.
pub type Known = ([Option<usize>; 2], f64);

/// The merges of `nodes` nodes, as [`agglomerate`](super::agglomerate) makes them without judgements, given those that it
/// made before, in its order. All pairs weigh as they did then but those of nodes that are `new`; `known` knows no others
/// that are there.
pub fn replay(
    nodes: usize,
    model: &Model,
    known: impl Iterator<Item = Known>,
    new: &[usize],
    evidence: impl Fn(usize, usize) -> Evidence,
) -> Vec<Merge> {
    let threshold = model.parameters.threshold_bits;
    let mut groups = Groups::new(nodes, model, threshold, false, evidence);
    groups.begin();
    for node in new {
        groups.compare(*node);
    }
    let mut merges = Vec::with_capacity(nodes);
    let mut known = known.peekable();
    loop {
        let mut holds = None;
        while let Some(([kept, joined], weight_bits)) = known.peek().copied() {
            let stands = |group: &usize| !groups.is_compared(*group);
            match (kept.filter(stands), joined.filter(stands)) {
                (Some(kept), Some(joined)) => {
                    holds = Some(Merge { kept, joined, weight_bits, by: By::Evidence });
                    break;
                }
                // Where one of the two is not what it was, the other is not from here on.
                (Some(group), None) | (None, Some(group)) => groups.compare(group),
                (None, None) => {}
            }
            known.next();
        }
        let found = groups.strongest().filter(|(_, _, weight_bits)| *weight_bits >= threshold);
        let found = found.map(|(kept, joined, weight_bits)| Merge {
            kept,
            joined,
            weight_bits,
            by: By::Evidence,
        });
        let is_found = match (&found, &holds) {
            (Some(found), Some(holds)) => first(found, holds) == Ordering::Less,
            (found, _) => found.is_some(),
        };
        let Some(merge) = (if is_found { found } else { holds }) else { return merges };
        if is_found {
            // One of the two was compared with all already, and so will be what they become.
            for group in [merge.kept, merge.joined] {
                if !groups.is_compared(group) {
                    groups.compare(group);
                }
            }
        } else {
            known.next();
        }
        groups.merge(merge.kept, merge.joined);
        merges.push(merge);
    }
}

/// Which of two merges comes first.
fn first(left: &Merge, right: &Merge) -> Ordering {
    let by_weight = right.weight_bits.total_cmp(&left.weight_bits);
    by_weight.then((left.kept, left.joined).cmp(&(right.kept, right.joined)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::agglomerate::agglomerate;
    use super::super::agglomerate::tests::{evidence, model};
    use super::super::constraint::Constraints;
    use super::*;
    use crate::record::Field;

    const NODES: usize = 12;

    /// By node: not there (0), saying something else than before (1), or there.
    fn change() -> impl Strategy<Value = Vec<u32>> {
        let of_node = prop_oneof![1 => Just(0_u32), 1 => Just(1), 6 => Just(2)];
        prop::collection::vec(of_node, NODES)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whoever comes, goes or says something else, the merges are those of the set, to the last bit.
        #[test]
        fn merges_are_those_of_the_set_whatever_became_of_it(
            mut said in prop::collection::vec(prop::collection::vec(evidence(), NODES), NODES),
            changes in prop::collection::vec(change(), 4),
            [prior, threshold] in [-30.0_f64..0.0, -6.0..3.0],
            households in any::<bool>(),
            is_coarse in any::<bool>(),
        ) {
            let model = model(prior, threshold, households);
            if is_coarse {
                // Ties everywhere.
                for evidence in said.iter_mut().flatten() {
                    for bits in &mut evidence.bits {
                        *bits = (*bits / 8.0).round() * 8.0;
                    }
                }
            }
            let mut sets = Vec::new();
            let mut known: Vec<(usize, usize, f64)> = Vec::new();
            for change in changes {
                let before: &[usize] = sets.last().map_or(&[], |set: &Vec<usize>| set);
                let there: Vec<usize> = (0..NODES).filter(|node| change[*node] != 0).collect();
                let others = |node: &usize| change[*node] == 1 && before.contains(node);
                for node in there.iter().copied().filter(others) {
                    for other in 0..NODES {
                        let pair = &mut said[node.min(other)][node.max(other)].bits;
                        pair[Field::Surname as usize] += 1.0;
                    }
                }
                let place = |node: usize| there.iter().position(|it| *it == node);
                let is_new = |node: usize| change[node] == 1 || !before.contains(&node);
                let new: Vec<usize> = (0..there.len()).filter(|at| is_new(there[*at])).collect();
                let evidence = |i: usize, j: usize| said[there[i]][there[j]].clone();
                let whole = agglomerate(there.len(), &model, &Constraints::NONE, evidence);
                let merge = |(kept, joined, bits): &(usize, usize, f64)| {
                    ([place(*kept), place(*joined)], *bits)
                };
                let found = replay(there.len(), &model, known.iter().map(merge), &new, evidence);
                prop_assert_eq!(&found, &whole);
                let kept = |it: &Merge| (there[it.kept], there[it.joined], it.weight_bits);
                known = whole.iter().map(kept).collect();
                sets.push(there);
            }
        }
    }
}
