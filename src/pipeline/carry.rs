//! Which ids does a state take over from an earlier output of the same records?
//!
//! `earlier identity_map, identity_changes, interactions + the clusters of the state → ids by largest overlap → one commit`
//!
//! A backfill that is made anew finds the same customers, but under ids of its own, minted as records came. Where the
//! pipeline names the earlier output, a new state publishes nothing until its sources have ended; then each earlier id
//! goes to the cluster that holds most of its records, clusters that inherit none get an id that was never used before,
//! and whatever was noted of provisional ids is forgotten. So the ids depend on the set of records and the earlier
//! output alone, not on the borders of batches.
//!
//! A record is known again by its key, or, where its content is written otherwise than before (a better normaliser),
//! by its events.
//!
//! **Invariants:** carrying is one commit, before anything was published, once in the life of a state. A kill before it
//! changes nothing, for the next start publishes nothing either and goes on reading; after it, the next start publishes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::load_registry;
use super::registry::{Node, Registry};
use super::tables::{EarlierEvent, PublishedTables};
use crate::clock::Stopwatch;
use crate::cluster::{self, Assignment, Former, Membership, Origin};
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::profile::{Cause, Change, ChangeKind, Move};
use crate::record::{EventKey, IdentityId, Micros, RecordKey};
use crate::source::Input;
use crate::state::{Commit, IdentityRow, NodeId, Status, Store};
use crate::telemetry::IdentitiesCarried;

/// What an earlier output says of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Who was in which identity.
    pub(super) membership: Membership,
    /// Every id that ever was and has no members, with the one that it forwards to.
    pub(super) ended: BTreeMap<IdentityId, Option<IdentityId>>,
}

/// Whether ids are still to be carried over before anything may be published.
///
/// **Errors:** `Invalid` where the state has published under ids of its own, or carried over from another place.
pub(super) fn is_pending(plan: &Plan, store: &Store) -> Result<bool> {
    let Some(wanted) = &plan.publish.carry_ids_from else { return Ok(false) };
    let remedy = "take the key out, or start with a new [state] path and publish.url";
    match store.carried_from()? {
        Some(from) if from == *wanted => Ok(false),
        Some(_) => Err(Error::invalid(format!(
            "publish.carry_ids_from: the state carried its ids over from another place: {remedy}"
        ))),
        None if store.published() > 0 => Err(Error::invalid(format!(
            "publish.carry_ids_from: the state has published ids of its own: {remedy}"
        ))),
        None => Ok(true),
    }
}

/// Checks that the earlier output can be read, before hours are spent on what needs it.
pub(super) fn check(plan: &Plan) -> Result<()> {
    open(plan)?.map_or(Ok(()), |tables| tables.check_identity_map().map_err(named(plan)))
}

/// Checks that a run which must carry ids over in the end has one.
pub(super) fn check_end(plan: &Plan) -> Result<()> {
    let endless = plan.sources.iter().find(|source| matches!(source.input, Input::Kafka(_)));
    match endless {
        None => Ok(()),
        Some(source) => Err(Error::invalid(format!(
            "publish.carry_ids_from: ids are carried over when all is read, which [source.{}] never is: \
             run with --until-idle once",
            source.name
        ))),
    }
}

/// Takes the ids of the earlier output over; returns the registry as it is then.
pub(super) fn carry(plan: &Plan, store: &mut Store, registry: &Registry) -> Result<Registry> {
    let clock = Stopwatch::start();
    let Some(tables) = open(plan)? else {
        return Err(Error::internal("ids are to be carried over from nowhere"));
    };
    let earlier = tables.earlier().map_err(named(plan))?;
    let clusters: Vec<Vec<NodeId>> =
        registry.clusters().into_iter().map(|(_, nodes)| nodes).collect();
    let mut known: BTreeMap<NodeId, IdentityId> = BTreeMap::new();
    for node in clusters.iter().flatten() {
        let identity = earlier.membership.get(&registry.known(*node).key);
        known.extend(identity.map(|identity| (*node, *identity)));
    }
    if known.len() < clusters.iter().map(Vec::len).sum() {
        let by_events = by_events(&tables, &earlier, store, &known).map_err(named(plan))?;
        known.extend(by_events);
    }
    let (commit, counts) = commit(plan, store, registry, &earlier, &clusters, &known);
    store.commit(&commit)?;
    let count = |kind| counts.get(&kind).copied().unwrap_or_default();
    IdentitiesCarried {
        sequence: store.sequence(),
        carried: count(ChangeKind::Carried),
        created: count(ChangeKind::Created),
        merged: count(ChangeKind::Merged),
        split: count(ChangeKind::Split),
        duration: clock.elapsed(),
    }
    .emit();
    load_registry(&store.view())
}

/// For records that are written otherwise than before: the identity that most of their events were of.
fn by_events(
    tables: &PublishedTables,
    earlier: &Earlier,
    store: &Store,
    known: &BTreeMap<NodeId, IdentityId>,
) -> Result<BTreeMap<NodeId, IdentityId>> {
    let mut votes: BTreeMap<NodeId, BTreeMap<IdentityId, u64>> = BTreeMap::new();
    tables.for_each_event(&mut |EarlierEvent { channel, event_id, record }| {
        let Some(identity) =
            record.parse::<RecordKey>().ok().and_then(|record| earlier.membership.get(&record))
        else {
            return Ok(());
        };
        let node = store.node_of_event(&EventKey::of(channel, event_id))?;
        if let Some(node) = node.filter(|node| !known.contains_key(node)) {
            *votes.entry(node).or_default().entry(*identity).or_default() += 1;
        }
        Ok(())
    })?;
    let most = |votes: BTreeMap<IdentityId, u64>| {
        votes.into_iter().max_by_key(|(id, count)| (*count, std::cmp::Reverse(*id)))
    };
    Ok(votes.into_iter().filter_map(|(node, votes)| Some((node, most(votes)?.0))).collect())
}

pub(super) fn commit(
    plan: &Plan,
    store: &Store,
    registry: &Registry,
    earlier: &Earlier,
    clusters: &[Vec<NodeId>],
    known: &BTreeMap<NodeId, IdentityId>,
) -> (Commit, BTreeMap<ChangeKind, u64>) {
    let former = |node: &NodeId| Former {
        record: registry.known(*node).key,
        identity: known.get(node).copied(),
    };
    let formers: Vec<Vec<Former>> =
        clusters.iter().map(|cluster| cluster.iter().map(former).collect()).collect();
    // Every id that ever was, with what becomes of it.
    let mut status: BTreeMap<IdentityId, Status> =
        earlier.membership.values().map(|id| (*id, Status::Retired)).collect();
    let forward =
        |into: &Option<IdentityId>| into.map_or(Status::Retired, |into| Status::Merged { into });
    status.extend(earlier.ended.iter().map(|(id, into)| (*id, forward(into))));
    let assignments = cluster::assign(&formers, |id| status.contains_key(id));

    let (sequence, at) = (store.sequence() + 1, store.view().max_event_time());
    let mut commit = Commit {
        counters: store.counters(),
        max_event_time: at,
        carried_from: plan.publish.carry_ids_from.clone(),
        ..Commit::default()
    };
    let mut counts = BTreeMap::new();
    for (cluster, assignment) in clusters.iter().zip(&assignments) {
        let id = assignment.identity;
        commit.members.extend(cluster.iter().map(|node| (*node, id)));
        let moves = cluster.iter().map(|node| moved(registry.known(*node), id, (sequence, at)));
        commit.moves.extend(moves);
        commit.touched.push(id);
        status.insert(id, Status::Live);
        status.extend(assignment.absorbed.iter().map(|gone| (*gone, Status::Merged { into: id })));
        for (kind, identity, other) in changes(assignment) {
            *counts.entry(kind).or_default() += 1;
            let cause = Cause::Backfill.name().into();
            commit.changes.push(Change {
                kind,
                identity,
                other,
                cause,
                epoch: sequence,
                occurred_at: at,
            });
        }
    }
    let row = |(id, status)| IdentityRow { id, status, version: sequence };
    commit.identities = status.into_iter().map(row).collect();
    (commit, counts)
}

/// What `identity_changes` says of one record.
fn moved(row: &Node, identity: IdentityId, (epoch, occurred_at): (u64, Micros)) -> Move {
    Move {
        record: row.key,
        source: Arc::clone(&row.source),
        record_id: row.record_id.clone(),
        identity,
        // Where it was was never published.
        other: None,
        is_removed: false,
        cause: Cause::Backfill,
        epoch,
        occurred_at,
    }
}

/// What `identity_changes` says of one cluster.
fn changes(assignment: &Assignment) -> Vec<(ChangeKind, IdentityId, Option<IdentityId>)> {
    let id = assignment.identity;
    let own = match assignment.origin {
        Origin::Kept => (ChangeKind::Carried, id, None),
        Origin::Created => (ChangeKind::Created, id, None),
        Origin::SplitFrom(from) => (ChangeKind::Split, id, Some(from)),
    };
    let absorbed = assignment.absorbed.iter().map(|gone| (ChangeKind::Merged, *gone, Some(id)));
    std::iter::once(own).chain(absorbed).collect()
}

fn open(plan: &Plan) -> Result<Option<PublishedTables>> {
    let Some(from) = &plan.publish.carry_ids_from else { return Ok(None) };
    PublishedTables::at(from, &plan.publish.options.0).map(Some).map_err(named(plan))
}

fn named(plan: &Plan) -> impl Fn(Error) -> Error {
    let from = plan.publish.carry_ids_from.clone().unwrap_or_default();
    move |error| error.context(format!("publish.carry_ids_from = {from}"))
}

#[cfg(test)]
mod tests;
