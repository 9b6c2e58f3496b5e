//! Which records hang together at all?

/// Splits one connected component into parts of at most `cap` nodes, where raising the edge weight can.
///
/// `edges` are (node, node, weight) with nodes below `nodes`; a part over the cap is split again without its edges
/// below `least + ½`, then `+ 1` and so on (see [`level`]). An edge of [`JUDGED_BITS`] never falls, so a part that such
/// edges alone hold together may stay over the cap. Parts come in order of their lowest node; nodes ascend within each.
pub fn split(nodes: usize, edges: &[(u32, u32, f32)], cap: usize, least: f32) -> Vec<Vec<u32>> {
    let mut parts = Vec::new();
    let mut waiting = vec![((0..).take(nodes).collect::<Vec<u32>>(), edges.to_vec(), 0)];
    while let Some((members, edges, raised)) = waiting.pop() {
        for piece in connected(&members, &edges) {
            let of_piece = |node: &u32| piece.binary_search(node).is_ok();
            let can_fall =
                || edges.iter().any(|(node, _, bits)| *bits < JUDGED_BITS && of_piece(node));
            if piece.len() <= cap || !can_fall() {
                parts.push(piece);
                continue;
            }
            let raised = raised + 1;
            let inside = |(node, _, weight): &&(u32, u32, f32)| {
                level(*weight, least) >= raised && of_piece(node)
            };
            let kept = edges.iter().filter(inside).copied().collect();
            waiting.push((piece, kept, raised));
        }
    }
    parts.sort_unstable_by_key(|part| part.first().copied());
    parts
}

/// The weight of an edge that a judgement makes: more than any evidence.
pub const JUDGED_BITS: f32 = f32::INFINITY;

/// How far the edge weight is raised for a part over the cap, in bits: no further than it must be, for every edge that
/// falls may part one customer.
const STEP_BITS: f64 = 0.5;

/// An edge is dropped when the weight is raised more often than this.
pub type Level = u32;

/// No evidence is of a higher level; an edge of [`JUDGED_BITS`] is of the next one.
const HIGHEST: Level = 1_000;

/// The level of [`JUDGED_BITS`].
pub const JUDGED_LEVEL: Level = HIGHEST + 1;

/// The level of an edge where edges are dropped below `least + ½` bits first: 0 below that.
pub fn level(weight: f32, least: f32) -> Level {
    if weight == JUDGED_BITS {
        return JUDGED_LEVEL;
    }
    let steps = (f64::from(weight) - f64::from(least)) / STEP_BITS;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
    let level = steps.clamp(0.0, HIGHEST.into()) as Level;
    level
}

/// The parts of all components of a graph, as [`split`] makes them of each, in one go.
///
/// They grow from the firmest edges to the weakest, level by level: what would grow over the cap with a level's edges is
/// final without them. `link(node, number)` is a node's link of that number, the firmest first, and `None` behind its
/// last; each edge is a link of both its nodes. Only nodes that `is_there` are in a part. Parts come in order of their
/// lowest node; nodes ascend within each.
pub fn split_all(
    nodes: usize,
    cap: usize,
    least: f32,
    is_there: impl Fn(u32) -> bool,
    link: impl Fn(u32, u32) -> Option<(u32, f32)>,
) -> Vec<Vec<u32>> {
    let mut growing = Growing::new(nodes, cap);
    // By level: nodes whose next link is of it. A node waits in one of them at a time.
    let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); JUDGED_LEVEL as usize + 1];
    let mut next = vec![0_u32; nodes];
    for node in (0..).take(nodes).filter(|node| is_there(*node)) {
        if let Some((_, weight)) = link(node, 0) {
            waiting[level(weight, least) as usize].push(node);
        }
    }
    for at in (0..=JUDGED_LEVEL).rev() {
        for node in std::mem::take(&mut waiting[at as usize]) {
            let next = &mut next[node as usize];
            while let Some((other, weight)) = link(node, *next) {
                let of_link = level(weight, least);
                if of_link < at {
                    waiting[of_link as usize].push(node);
                    break;
                }
                // The other end has it, too.
                if other < node {
                    growing.link(node, other);
                }
                *next += 1;
            }
        }
        growing.close(at == JUDGED_LEVEL);
    }
    growing.into_parts(is_there)
}

/// Parts that grow, level by level.
struct Growing {
    cap: usize,
    parent: Vec<u32>,
    /// By root: how many nodes there are below it.
    size: Vec<u32>,
    /// By root: it grows no more.
    is_final: Vec<bool>,
    /// Links of this level between roots.
    links: Vec<(u32, u32)>,
}

impl Growing {
    fn new(nodes: usize, cap: usize) -> Self {
        Self {
            cap,
            parent: (0..).take(nodes).collect(),
            size: vec![1; nodes],
            is_final: vec![false; nodes],
            links: Vec::new(),
        }
    }

    fn link(&mut self, left: u32, right: u32) {
        let (left, right) = (root(&mut self.parent, left), root(&mut self.parent, right));
        let is_final = |root: u32| self.is_final[root as usize];
        if left != right && !(is_final(left) && is_final(right)) {
            self.links.push((left.min(right), left.max(right)));
        }
    }

    /// Ends a level: what its links join grows together if it is within the cap, or `is_judged`, and else not at all.
    fn close(&mut self, is_judged: bool) {
        let mut links = std::mem::take(&mut self.links);
        links.sort_unstable();
        links.dedup();
        let mut roots: Vec<u32> = links.iter().flat_map(|(left, right)| [*left, *right]).collect();
        roots.sort_unstable();
        roots.dedup();
        let place = |root: &u32| roots.binary_search(root).expect("it is one of a link");
        let joined: Vec<(u32, u32)> =
            links.iter().map(|(left, right)| (narrow(place(left)), narrow(place(right)))).collect();
        for group in connected_places(roots.len(), joined.into_iter()) {
            let group: Vec<u32> = group.into_iter().map(|place| roots[place as usize]).collect();
            let size: usize = group.iter().map(|root| self.size[*root as usize] as usize).sum();
            let is_final = |root: &u32| self.is_final[*root as usize];
            if !is_judged && (size > self.cap || group.iter().any(is_final)) {
                group.iter().for_each(|root| self.is_final[*root as usize] = true);
                continue;
            }
            for root in &group[1..] {
                self.parent[*root as usize] = group[0];
            }
            self.size[group[0] as usize] = narrow(size);
            self.is_final[group[0] as usize] = size > self.cap;
        }
    }

    fn into_parts(mut self, is_there: impl Fn(u32) -> bool) -> Vec<Vec<u32>> {
        let nodes = self.parent.len();
        let mut parts: Vec<Vec<u32>> = Vec::new();
        let mut part_of_root = vec![u32::MAX; nodes];
        for node in (0..).take(nodes).filter(|node| is_there(*node)) {
            let root = root(&mut self.parent, node) as usize;
            if part_of_root[root] == u32::MAX {
                part_of_root[root] = narrow(parts.len());
                parts.push(Vec::with_capacity(self.size[root] as usize));
            }
            parts[part_of_root[root] as usize].push(node);
        }
        parts
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than 2^32 nodes")
}

/// The connected components of `members` (ascending), each ascending.
fn connected(members: &[u32], edges: &[(u32, u32, f32)]) -> Vec<Vec<u32>> {
    let place = |node: u32| narrow(members.binary_search(&node).expect("edges join members"));
    let edges = edges.iter().map(|(a, b, _)| (place(*a), place(*b)));
    let mut pieces = connected_places(members.len(), edges);
    pieces.iter_mut().flatten().for_each(|place| *place = members[*place as usize]);
    pieces
}

/// The connected components of so many nodes, each ascending, in the order of their lowest nodes.
fn connected_places(nodes: usize, edges: impl Iterator<Item = (u32, u32)>) -> Vec<Vec<u32>> {
    let mut parent: Vec<u32> = (0..).take(nodes).collect();
    for (a, b) in edges {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b) as usize] = a.min(b);
    }
    let mut pieces: Vec<Vec<u32>> = Vec::new();
    let mut piece_of_root = vec![u32::MAX; nodes];
    for node in (0..).take(nodes) {
        let root = root(&mut parent, node) as usize;
        if piece_of_root[root] == u32::MAX {
            piece_of_root[root] = narrow(pieces.len());
            pieces.push(Vec::new());
        }
        pieces[piece_of_root[root] as usize].push(node);
    }
    pieces
}

fn root(parent: &mut [u32], mut node: u32) -> u32 {
    while parent[node as usize] != node {
        let above = parent[parent[node as usize] as usize];
        parent[node as usize] = above;
        node = above;
    }
    node
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn all_components_split_as_each_does(
            nodes in 1_u32..40,
            edges in prop::collection::vec((0_u32..40, 0_u32..40, -8_i8..30), 0..90),
            cap in 1_usize..9,
            absent in 0_u32..40,
        ) {
            let mut links: Vec<Vec<(u32, f32)>> = vec![Vec::new(); nodes as usize];
            let mut kept = Vec::new();
            for (left, right, quarters) in edges {
                let is_inside = |node| node < nodes && node != absent;
                if left == right || !is_inside(left) || !is_inside(right) {
                    continue;
                }
                let is_judged = quarters > 27;
                let bits = if is_judged { JUDGED_BITS } else { f32::from(quarters) / 4.0 };
                kept.push((left, right, bits));
                links[left as usize].push((right, bits));
                links[right as usize].push((left, bits));
            }
            links.iter_mut().for_each(|links| links.sort_by(|a, b| b.1.total_cmp(&a.1)));
            let link = |node: u32, number: u32| links[node as usize].get(number as usize).copied();
            let found = split_all(nodes as usize, cap, -1.0, |node| node != absent, link);
            let mut expected = split(nodes as usize, &kept, cap, -1.0);
            expected.retain(|part| *part != [absent]);
            prop_assert_eq!(found, expected);
        }
    }
}
