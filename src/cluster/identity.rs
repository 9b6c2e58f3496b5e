//! Which durable identity does each cluster keep?
//!
//! Ids come last: they never influence who belongs together. A former identity goes to the cluster that holds most
//! of its records (the largest part keeps the id); a cluster that inherits several keeps the one that brings most
//! records, and the others are merged into it and forward for ever; a cluster that inherits none gets a new id,
//! minted from its lowest record key.

use std::collections::BTreeMap;

use crate::record::{IdentityId, RecordKey};

/// A record of a cluster and the identity it belonged to before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// The record.
    pub record: RecordKey,
    /// Its identity until now; `None` for a new record.
    pub identity: Option<IdentityId>,
}

/// How a cluster came to its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It keeps one that it had.
    Kept,
    /// All its records are new.
    Created,
    /// It was split off from this identity, which stays elsewhere.
    SplitFrom(IdentityId),
}

/// What becomes of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its identity.
    pub identity: IdentityId,
    /// How it came to it.
    pub origin: Origin,
    /// The identities that end here, ascending; they forward to `identity`.
    pub absorbed: Vec<IdentityId>,
}

/// Assigns identities to clusters; one assignment a cluster, in their order.
///
/// `clusters` must hold all remaining records of every former identity that occurs in them. `is_used` says whether an
/// id was ever minted. Depends on the contents only, not on the order of clusters or records.
pub fn assign(clusters: &[Vec<Former>], is_used: impl Fn(&IdentityId) -> bool) -> Vec<Assignment> {
    let heirs = heirs(clusters);
    let mut minted = std::collections::BTreeSet::new();
    let lowest = |cluster: &Vec<Former>| cluster.iter().map(|former| former.record).min();
    let mut order: Vec<usize> = (0..clusters.len()).collect();
    order.sort_unstable_by_key(|index| lowest(&clusters[*index]));
    let mut assignments: Vec<Option<Assignment>> = vec![None; clusters.len()];
    for index in order {
        let inherited = heirs.get(&index).map(Vec::as_slice).unwrap_or_default();
        assignments[index] = Some(if let Some(kept) = most_records(&clusters[index], inherited) {
            let absorbed = inherited.iter().copied().filter(|id| *id != kept).collect();
            Assignment { identity: kept, origin: Origin::Kept, absorbed }
        } else {
            let record = lowest(&clusters[index]).expect("a cluster has a record");
            let identity = mint(record, |id| is_used(id) || minted.contains(id));
            minted.insert(identity);
            let former = counts(&clusters[index]);
            let from = former.iter().max_by_key(|(id, count)| (**count, std::cmp::Reverse(**id)));
            let origin = from.map_or(Origin::Created, |(id, _)| Origin::SplitFrom(*id));
            Assignment { identity, origin, absorbed: Vec::new() }
        });
    }
    assignments
        .into_iter()
        .map(|assignment| assignment.expect("each cluster was visited"))
        .collect()
}

/// The identities that each cluster inherits, by the cluster's index; ids ascending.
fn heirs(clusters: &[Vec<Former>]) -> BTreeMap<usize, Vec<IdentityId>> {
    /// How many records a cluster holds of an identity, the lowest of them, and which cluster it is.
    type Claim = (u64, std::cmp::Reverse<RecordKey>, usize);
    let mut claims: BTreeMap<IdentityId, Claim> = BTreeMap::new();
    for (index, cluster) in clusters.iter().enumerate() {
        for (id, count) in counts(cluster) {
            let records = cluster.iter().map(|former| former.record);
            let lowest = records.min().expect("a counted cluster has a record");
            let claim = (count, std::cmp::Reverse(lowest), index);
            claims.entry(id).and_modify(|best| *best = claim.max(*best)).or_insert(claim);
        }
    }
    let mut heirs: BTreeMap<usize, Vec<IdentityId>> = BTreeMap::new();
    for (id, (_, _, index)) in claims {
        heirs.entry(index).or_default().push(id);
    }
    heirs
}

/// Of the inherited identities the one with most records here; ties to the lowest id.
fn most_records(cluster: &[Former], inherited: &[IdentityId]) -> Option<IdentityId> {
    let counts = counts(cluster);
    inherited.iter().copied().max_by_key(|id| (counts[id], std::cmp::Reverse(*id)))
}

fn counts(cluster: &[Former]) -> BTreeMap<IdentityId, u64> {
    let mut counts = BTreeMap::new();
    for id in cluster.iter().filter_map(|former| former.identity) {
        *counts.entry(id).or_default() += 1;
    }
    counts
}

/// Mints an id from a record key; an id that was ever used is passed over, so none is reused.
fn mint(record: RecordKey, is_used: impl Fn(&IdentityId) -> bool) -> IdentityId {
    (0u64..)
        .map(|attempt| IdentityId::hash([&record.0[..], &attempt.to_le_bytes()]))
        .find(|id| !is_used(id))
        .expect("there are more ids than attempts")
}

#[cfg(test)]
mod tests;
