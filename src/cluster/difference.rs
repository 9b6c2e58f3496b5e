//! What is different between two partitions?
//!
//! `who was in which identity, before and after → what became of each record and each identity → the largest movers`
//!
//! Records are told apart by their keys, identities by their ids; a partition whose ids are of their own is made
//! comparable by [`carry`], which lets it take over the ids of the other by largest overlap.
//!
//! **Invariants:** [`Difference::apply`] makes the later partition out of the earlier one. Counts reconcile:
//! records before = same + moved + gone, after = same + moved + come; identities before = unchanged + changed + renamed
//! + merged + vanished, after = unchanged + changed + renamed + split + created.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::{Former, assign};
use crate::record::{IdentityId, RecordKey};

/// Who is in which identity.
pub type Membership = BTreeMap<RecordKey, IdentityId>;

/// A record that is in another identity than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The record.
    pub record: RecordKey,
    /// Where it was; `None` where it is new.
    pub from: Option<IdentityId>,
    /// Where it is; `None` where it is gone.
    pub to: Option<IdentityId>,
}

/// What is different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Every record that is not where it was, ascending.
    pub moves: Vec<Move>,
    /// What became of the records.
    pub records: RecordCounts,
    /// What became of the identities.
    pub identities: IdentityCounts,
    /// Pairs of records that are one identity, whatever its id, among the records of both partitions.
    pub pairs: PairCounts,
    /// Records that went from one identity to another, most first, then by ids.
    pub flows: Vec<Flow>,
}

/// What became of the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RecordCounts {
    pub before: u64,
    pub after: u64,
    /// In the identity that they were in.
    pub same: u64,
    /// In another.
    pub moved: u64,
    /// Only there after.
    pub come: u64,
    /// Only there before.
    pub gone: u64,
}

/// What became of the identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentityCounts {
    /// How many there were.
    pub before: u64,
    /// How many there are.
    pub after: u64,
    /// The same records under the same id.
    pub unchanged: u64,
    /// Other records under the same id.
    pub changed: u64,
    /// The same records under another id.
    pub renamed: u64,
    /// New ids, none of whose records was there.
    pub created: u64,
    /// New ids with records of others.
    pub split: u64,
    /// Ids that ended while a record of theirs is in another.
    pub merged: u64,
    /// Ids that ended with all their records.
    pub vanished: u64,
}

/// Pairs of records that are one identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PairCounts {
    pub before: u64,
    pub after: u64,
    /// Before and after.
    pub both: u64,
}

/// Records that went the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where they were.
    pub from: IdentityId,
    /// Where they are.
    pub to: IdentityId,
    /// How many.
    pub records: u64,
    /// How many records the one identity had before.
    pub from_records: u64,
    /// How many the other has now.
    pub to_records: u64,
}

impl Difference {
    /// Compares two partitions.
    pub fn between(before: &Membership, after: &Membership) -> Self {
        let mut difference = Self::default();
        let mut flows: BTreeMap<(IdentityId, IdentityId), u64> = BTreeMap::new();
        let records = &mut difference.records;
        (records.before, records.after) = (before.len() as u64, after.len() as u64);
        for (record, from, to) in joined(before, after) {
            match (from, to) {
                (Some(from), Some(to)) => {
                    *flows.entry((from, to)).or_default() += 1;
                    records.same += u64::from(from == to);
                    records.moved += u64::from(from != to);
                }
                (None, _) => records.come += 1,
                (_, None) => records.gone += 1,
            }
            if from != to {
                difference.moves.push(Move { record, from, to });
            }
        }
        let (old, new) = (sizes(before), sizes(after));
        difference.identities = identities(&old, &new, &flows);
        difference.pairs = pairs(&flows);
        let moved = flows.into_iter().filter(|((from, to), _)| from != to);
        let flow = |((from, to), records): ((IdentityId, IdentityId), u64)| Flow {
            from,
            to,
            records,
            from_records: old[&from],
            to_records: new[&to],
        };
        difference.flows = moved.map(flow).collect();
        difference.flows.sort_by_key(|flow| (std::cmp::Reverse(flow.records), flow.from, flow.to));
        difference
    }

    /// Makes the later partition out of the earlier one.
    pub fn apply(&self, before: &Membership) -> Membership {
        let mut after = before.clone();
        for Move { record, to, .. } in &self.moves {
            match to {
                Some(to) => after.insert(*record, *to),
                None => after.remove(record),
            };
        }
        after
    }

    /// Whether every record is where it was.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }
}

/// A partition under the ids of an earlier one, each going to the cluster that holds most of its records; what inherits
/// none gets an id that the earlier one does not have.
pub fn carry(before: &Membership, after: &Membership) -> Membership {
    let mut clusters: BTreeMap<IdentityId, Vec<Former>> = BTreeMap::new();
    for (record, identity) in after {
        let former = Former { record: *record, identity: before.get(record).copied() };
        clusters.entry(*identity).or_default().push(former);
    }
    let clusters: Vec<Vec<Former>> = clusters.into_values().collect();
    let used: BTreeSet<IdentityId> = before.values().copied().collect();
    let assignments = assign(&clusters, |id| used.contains(id));
    let named = clusters.iter().zip(&assignments).flat_map(|(cluster, assignment)| {
        cluster.iter().map(|former| (former.record, assignment.identity))
    });
    named.collect()
}

/// The records of both, ascending, each with where it was and where it is.
fn joined<'a>(
    before: &'a Membership,
    after: &'a Membership,
) -> impl Iterator<Item = (RecordKey, Option<IdentityId>, Option<IdentityId>)> + 'a {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    std::iter::from_fn(move || {
        let record = match (old.peek(), new.peek()) {
            (Some((a, _)), Some((b, _))) => *a.min(b),
            (Some((a, _)), None) => *a,
            (None, Some((b, _))) => *b,
            (None, None) => return None,
        };
        let from = old.next_if(|(key, _)| *key == record).map(|(_, identity)| *identity);
        let to = new.next_if(|(key, _)| *key == record).map(|(_, identity)| *identity);
        Some((*record, from, to))
    })
}

fn sizes(membership: &Membership) -> BTreeMap<IdentityId, u64> {
    let mut sizes = BTreeMap::new();
    for identity in membership.values() {
        *sizes.entry(*identity).or_default() += 1;
    }
    sizes
}

fn identities(
    old: &BTreeMap<IdentityId, u64>,
    new: &BTreeMap<IdentityId, u64>,
    flows: &BTreeMap<(IdentityId, IdentityId), u64>,
) -> IdentityCounts {
    let mut counts =
        IdentityCounts { before: old.len() as u64, after: new.len() as u64, ..Default::default() };
    // All of the one is all of the other.
    let whole = |from: &IdentityId, to: &IdentityId, records: u64| {
        old.get(from) == Some(&records) && new.get(to) == Some(&records)
    };
    let (mut left, mut reached, mut renamed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for ((from, to), records) in flows {
        left.insert(*from);
        reached.insert(*to);
        let free = !new.contains_key(from) && !old.contains_key(to);
        if whole(from, to, *records) && from == to {
            counts.unchanged += 1;
        } else if whole(from, to, *records) && free {
            counts.renamed += 1;
            renamed.extend([*from, *to]);
        }
    }
    for id in old.keys().filter(|id| !renamed.contains(id)) {
        match (new.contains_key(id), left.contains(id)) {
            (true, _) => counts.changed += 1,
            (false, true) => counts.merged += 1,
            (false, false) => counts.vanished += 1,
        }
    }
    counts.changed -= counts.unchanged;
    for id in new.keys().filter(|id| !renamed.contains(id) && !old.contains_key(id)) {
        match reached.contains(id) {
            true => counts.split += 1,
            false => counts.created += 1,
        }
    }
    counts
}

fn pairs(flows: &BTreeMap<(IdentityId, IdentityId), u64>) -> PairCounts {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    for ((from, to), records) in flows {
        *old.entry(from).or_default() += records;
        *new.entry(to).or_default() += records;
    }
    fn of<'a>(sizes: impl Iterator<Item = &'a u64>) -> u64 {
        sizes.map(|size| size * size.saturating_sub(1) / 2).sum()
    }
    PairCounts { before: of(old.values()), after: of(new.values()), both: of(flows.values()) }
}

#[cfg(test)]
mod tests;
