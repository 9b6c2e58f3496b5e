//! What would, and what does another model make of the records that the state keeps?
//!
//! `records of the state → the index under the new model → clusters → ids by largest overlap → one commit → tables`
//!
//! Who belongs together under the new model is a function of the records alone, as ever; the ids are those that the
//! records had, each going to the cluster that holds most of them.
//!
//! **Invariants:** the model, all edges and all identities move in one commit, so a state is by one model at any time. A
//! kill before it changes nothing; after it, the next start publishes what was committed. Asked for once more, the same
//! model changes nothing.

use super::index::load_registry;
use super::model;
use super::opening::open_resolved_state;
use super::publish::Publisher;
use super::registry::Registry;
use super::{carry, identify};
use crate::clock::Stopwatch;
use crate::cluster::{self, Difference, Former, Membership};
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::record::Judgement;
use crate::resolve::{Insert, Outcome, Resolver};
use crate::score::Model;
use crate::state::{NodeId, RecordRow, Store, View};
use crate::telemetry::RecordsRematched;

/// What matching again did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rematched {
    /// What became of records and identities.
    pub difference: Difference,
    /// The commit that holds it; `None` where the state is by this model already.
    pub commit: Option<u64>,
}

/// What would be different, had the records of the state been matched by the pipeline's present model. Changes nothing.
///
/// **Errors:** `Invalid` where there is no state, or the model cannot be read; `Fenced` while a job has the state.
pub fn preview(plan: &Plan) -> Result<Difference> {
    let mut store = open_resolved_state(&plan.state)?;
    let registry = load_registry(&store.view())?;
    let Some((model, _)) = model::other(plan, &store)? else {
        let membership = registry.membership();
        return Ok(Difference::between(&membership, &membership));
    };
    let (_, outcome) = resolve_all(model, &store.view())?;
    store.settle()?;
    let key = |node: &_| registry.known(*node).key;
    let former = |node| Former { record: key(node), identity: registry.known(*node).identity };
    let formers: Vec<Vec<Former>> =
        outcome.clusters.iter().map(|nodes| nodes.iter().map(former).collect()).collect();
    let assignments = cluster::assign(&formers, |id| registry.is_minted(id));
    let mut after = Membership::new();
    for (nodes, assignment) in outcome.clusters.iter().zip(assignments) {
        after.extend(nodes.iter().map(|node| (key(node), assignment.identity)));
    }
    Ok(Difference::between(&registry.membership(), &after))
}

/// Matches the records of the state again, by the pipeline's present model, and publishes what that changed.
///
/// **Errors:** as [`preview`]; `Unavailable` where the tables' store is away: what was committed is published by the
/// next start.
pub fn rematch(plan: &Plan) -> Result<Rematched> {
    let mut store = open_resolved_state(&plan.state)?;
    if carry::is_pending(plan, &store)? {
        return Err(Error::invalid(
            "publish.carry_ids_from: ids were not carried over yet: finish the backfill first, or take the key out",
        ));
    }
    let mut registry = load_registry(&store.view())?;
    let before = registry.membership();
    let clock = Stopwatch::start();
    let Some((model, text)) = model::other(plan, &store)? else {
        let difference = Difference::between(&before, &before);
        return Ok(Rematched { difference, commit: None });
    };
    let (resolver, component_pairs) = commit(model, text, &mut store, &mut registry)?;
    let difference = Difference::between(&before, &registry.membership());
    RecordsRematched {
        sequence: store.sequence(),
        records: difference.records.after,
        moved: difference.records.moved,
        identities: difference.identities.after,
        component_pairs,
        duration: clock.elapsed(),
    }
    .emit();
    let mut publisher = Publisher::open(&plan.publish, &plan.name, &mut store)?;
    let published = publisher.publish(&mut store, &registry, &resolver);
    published.map_err(|error| {
        error.context(
            "the records are matched again; the tables are not: the next start publishes them",
        )
    })?;
    store.settle()?;
    Ok(Rematched { difference, commit: Some(store.sequence()) })
}

/// Makes the state one that was matched by another model; returns its index, and how many pairs were weighed.
pub(super) fn commit(
    model: Model,
    text: String,
    store: &mut Store,
    registry: &mut Registry,
) -> Result<(Resolver, u64)> {
    let (mut resolver, mut outcome) = resolve_all(model, &store.view())?;
    unlink(&store.view(), &mut outcome)?;
    let mut draft = identify::redraft(outcome, resolver.take_notes(), store, registry);
    draft.commit.model = Some(text.into_bytes());
    store.commit(&draft.commit)?;
    Ok((resolver, draft.work.component_pairs))
}

/// Matches all records of the state from scratch, under any model and what was judged of them.
fn resolve_all(model: Model, view: &View) -> Result<(Resolver, Outcome)> {
    let judgement = |row: Result<Judgement>| row.map(|it| (it.pair, it.verdict));
    let insert =
        |(node, row): (NodeId, RecordRow)| Insert { node, key: row.key, identity: row.identity };
    let records: Result<Vec<Insert>> = view.records().map(|row| row.map(insert)).collect();
    let mut resolver = Resolver::new(model);
    resolver.judge(&view.judgements().map(judgement).collect::<Result<Vec<_>>>()?);
    let outcome = resolver.apply(&[], records?);
    Ok((resolver, outcome))
}

/// Has the edges forgotten that the new model does not draw.
fn unlink(view: &View, outcome: &mut Outcome) -> Result<()> {
    let linked: std::collections::BTreeSet<_> =
        outcome.edges.iter().map(|(node, _)| *node).collect();
    for row in view.edges() {
        let (node, _) = row?;
        if !linked.contains(&node) {
            outcome.edges.push((node, Vec::new()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
