//! Which records hang together at all?

/// Splits one connected component into parts of at most `cap` nodes, where raising the edge weight can.
///
/// `edges` are (node, node, weight) with nodes below `nodes`; a part over the cap is split again without its edges
/// below `least + ½`, then `+ 1` and so on. An edge of [`JUDGED_BITS`] never falls, so a part that such edges alone hold
/// together may stay over the cap. Parts come in order of their lowest node; nodes ascend within each.
pub fn split(nodes: usize, edges: &[(u32, u32, f32)], cap: usize, least: f32) -> Vec<Vec<u32>> {
    let mut parts = Vec::new();
    let mut waiting = vec![((0..).take(nodes).collect::<Vec<u32>>(), edges.to_vec(), least)];
    while let Some((members, edges, least)) = waiting.pop() {
        for piece in connected(&members, &edges) {
            let of_piece = |node: &u32| piece.binary_search(node).is_ok();
            let can_fall =
                || edges.iter().any(|(node, _, bits)| *bits < JUDGED_BITS && of_piece(node));
            if piece.len() <= cap || !can_fall() {
                parts.push(piece);
                continue;
            }
            let least = least + STEP_BITS;
            let inside = |(node, _, weight): &&(u32, u32, f32)| *weight >= least && of_piece(node);
            let kept = edges.iter().filter(inside).copied().collect();
            waiting.push((piece, kept, least));
        }
    }
    parts.sort_unstable_by_key(|part| part.first().copied());
    parts
}

/// The weight of an edge that a judgement makes: more than any evidence.
pub const JUDGED_BITS: f32 = f32::INFINITY;

/// How far the edge weight is raised for a part over the cap, in bits: no further than it must be, for every edge that
/// falls may part one customer.
const STEP_BITS: f32 = 0.5;

/// The first weight to which [`split`] raises edges, from `least` on, that is above another.
pub fn raised(least: f32, above: f32) -> f32 {
    let mut weight = least + STEP_BITS;
    while weight <= above {
        weight += STEP_BITS;
    }
    weight
}

/// The connected components of `members` (ascending), each ascending.
fn connected(members: &[u32], edges: &[(u32, u32, f32)]) -> Vec<Vec<u32>> {
    let index = |node: u32| members.binary_search(&node).expect("edges join members");
    let mut parent: Vec<usize> = (0..members.len()).collect();
    for (a, b, _) in edges {
        let (a, b) = (root(&mut parent, index(*a)), root(&mut parent, index(*b)));
        parent[a.max(b)] = a.min(b);
    }
    let mut pieces: Vec<Vec<u32>> = Vec::new();
    let mut piece_of_root = vec![usize::MAX; members.len()];
    for (at, member) in members.iter().enumerate() {
        let root = root(&mut parent, at);
        if piece_of_root[root] == usize::MAX {
            piece_of_root[root] = pieces.len();
            pieces.push(Vec::new());
        }
        pieces[piece_of_root[root]].push(*member);
    }
    pieces
}

fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_within_the_cap_stays_whole() {
        let edges = [(0, 1, -2.0), (1, 2, 5.0)];
        assert_eq!(split(4, &edges, 3, -3.0), [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn a_part_over_the_cap_loses_its_weak_edges() {
        let edges = [(0, 1, -2.0), (1, 2, 5.0), (2, 3, 0.5)];
        assert_eq!(split(4, &edges, 3, -3.0), [vec![0], vec![1, 2, 3]]);
        assert_eq!(split(4, &edges, 2, -3.0), [vec![0], vec![1, 2], vec![3]]);
    }

    #[test]
    fn what_was_judged_together_stays_so_over_any_cap() {
        let edges = [(0, 1, JUDGED_BITS), (1, 2, JUDGED_BITS), (2, 3, 60.0), (0, 2, -2.0)];
        assert_eq!(split(5, &edges, 2, -3.0), [vec![0, 1, 2], vec![3], vec![4]]);
    }

    #[test]
    fn a_part_that_no_weight_splits_falls_apart_in_the_end() {
        let edges = [(0, 1, 60.0), (1, 2, 60.0)];
        assert_eq!(split(3, &edges, 2, -3.0), [vec![0], vec![1], vec![2]]);
    }
}
