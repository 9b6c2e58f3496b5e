//! Which clusters are the most wrong?
//!
//! A *false merge* is a predicted cluster of several people, a *missed merge* a true cluster that
//! was predicted in several. Either weighs as many pairs as it gets wrong: two large halves are worse
//! than one stray record.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::assess::Item;
use super::{Cells, pairs};

/// What went wrong with a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MistakeKind {
    /// Several people in one identity.
    FalseMerge,
    /// One person in several identities.
    MissedMerge,
}

/// The clusters that are the most wrong, and of how many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mistakes {
    /// Identities of several people.
    pub false_merges: Total,
    /// People in several identities.
    pub missed_merges: Total,
    /// The worst false merges, then the worst missed ones, worst first.
    pub worst: Vec<Mistake>,
}

/// All mistakes of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Clusters that are wrong.
    pub clusters: usize,
    /// Pairs that they get wrong.
    pub pairs: u64,
}

/// A cluster that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// What went wrong with it.
    pub kind: MistakeKind,
    /// The identity of a false merge, the true cluster of a missed one.
    pub cluster: String,
    /// The pairs that it gets wrong.
    pub wrong_pairs: u64,
    /// Their share of all wrong pairs of its kind.
    pub share: f64,
    /// The pieces that belong apart, or together; largest first.
    pub parts: Vec<Part>,
}

/// A piece of a wrong cluster: of one person, and in one identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The true cluster in a false merge, the identity in a missed one; `None` where its record was
    /// not published.
    pub cluster: Option<String>,
    /// Its records, ascending by id; at least one.
    pub members: Vec<Member>,
}

/// A record of the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id in the truth.
    pub id: String,
    /// Its channel and its record, where it was published.
    pub placed: Option<(Arc<str>, Arc<str>)>,
}

impl Mistake {
    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.parts.iter().map(|part| part.members.len()).sum()
    }
}

/// The worst mistakes: up to `limit` of either kind.
pub(super) fn worst(cells: &Cells, items: &[Item<'_>], limit: usize) -> Mistakes {
    let mut found = Mistakes::default();
    for kind in [MistakeKind::FalseMerge, MistakeKind::MissedMerge] {
        let mut wrong: Vec<(u64, usize)> =
            wrong_pairs(cells, kind).into_iter().zip(0..).filter(|(pairs, _)| *pairs > 0).collect();
        let total = Total {
            clusters: wrong.len(),
            pairs: wrong.iter().map(|(pairs, _)| pairs).sum::<u64>(),
        };
        // Of equals the one whose first record has the least id, which no order of rows changes.
        wrong.sort_by_key(|(pairs, cluster)| (std::cmp::Reverse(*pairs), *cluster));
        wrong.truncate(limit);
        let numbers: BTreeMap<usize, usize> =
            wrong.iter().enumerate().map(|(at, (_, cluster))| (*cluster, at)).collect();
        let mut members: Vec<BTreeMap<usize, Vec<&Item<'_>>>> =
            vec![BTreeMap::new(); numbers.len()];
        for item in items {
            let (predicted, truth) = item.cell;
            let (cluster, part) = match kind {
                MistakeKind::FalseMerge => (predicted, truth),
                MistakeKind::MissedMerge => (truth, predicted),
            };
            if let Some(at) = numbers.get(&cluster) {
                members[*at].entry(part).or_default().push(item);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = |pairs: u64| pairs as f64 / total.pairs as f64;
        found.worst.extend(
            wrong
                .into_iter()
                .zip(members)
                .map(|((pairs, _), parts)| mistake(kind, pairs, share(pairs), parts)),
        );
        match kind {
            MistakeKind::FalseMerge => found.false_merges = total,
            MistakeKind::MissedMerge => found.missed_merges = total,
        }
    }
    found
}

/// The pairs that each cluster gets wrong: within it, and of two clusters of the other partition.
fn wrong_pairs(cells: &Cells, kind: MistakeKind) -> Vec<u64> {
    let sizes = match kind {
        MistakeKind::FalseMerge => &cells.predicted,
        MistakeKind::MissedMerge => &cells.truth,
    };
    let mut wrong: Vec<u128> = sizes.iter().map(|size| pairs(*size)).collect();
    for cell in &cells.cells {
        let cluster = match kind {
            MistakeKind::FalseMerge => cell.predicted,
            MistakeKind::MissedMerge => cell.truth,
        };
        wrong[cluster] -= pairs(cell.records);
    }
    let fits = "no memory holds records of more pairs";
    wrong.into_iter().map(|pairs| u64::try_from(pairs).expect(fits)).collect()
}

fn mistake(
    kind: MistakeKind,
    wrong_pairs: u64,
    share: f64,
    parts: BTreeMap<usize, Vec<&Item<'_>>>,
) -> Mistake {
    let identity = |item: &Item<'_>| item.placed.map(|placed| placed.identity.to_string());
    let truth = |item: &Item<'_>| Some(item.truth.to_owned());
    let of_whole = |item: &Item<'_>| match kind {
        MistakeKind::FalseMerge => identity(item),
        MistakeKind::MissedMerge => truth(item),
    };
    let of_part = |item: &Item<'_>| match kind {
        MistakeKind::FalseMerge => truth(item),
        MistakeKind::MissedMerge => identity(item),
    };
    let first = parts.values().next().and_then(|items| items.first());
    let cluster = first.and_then(|item| of_whole(item));
    let mut parts: Vec<Part> = parts
        .into_values()
        .map(|items| Part {
            cluster: items.first().and_then(|item| of_part(item)),
            members: items.into_iter().map(member).collect(),
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.members.len()));
    Mistake { kind, cluster: cluster.unwrap_or_default(), wrong_pairs, share, parts }
}

fn member(item: &Item<'_>) -> Member {
    let placed =
        item.placed.map(|placed| (Arc::clone(&placed.channel), Arc::clone(&placed.record)));
    Member { id: item.id.to_owned(), placed }
}
