//! How does what the state keeps become the index in memory, and what of the index does the state keep?

use super::registry::Registry;
use crate::error::{Error, Result};
use crate::record::Judgement;
use crate::resolve::{Insert, Resolver};
use crate::score::Model;
use crate::state::{self, NodeId, Store, View};

/// Rebuilds registry and index from the state's rows. Where records wait to be resolved, all are put off: what there is
/// beside them may be of a part of them only.
pub(super) fn load_index(model: Model, view: &View) -> Result<(Registry, Resolver)> {
    let judgement = |row: Result<Judgement>| row.map(|it| (it.pair, it.verdict));
    let judgements = view.judgements().map(judgement).collect::<Result<Vec<_>>>()?;
    let mut resolver;
    if view.is_unresolved()? {
        resolver = Resolver::new(model);
        resolver.judge(&judgements);
        resolver.put_off(&[], records(view).collect::<Result<_>>()?);
    } else {
        resolver = load_resolver(model, view)?;
        // What follows from them is in the state already.
        resolver.judge(&judgements);
    }
    Ok((Registry::load(view)?, resolver))
}

fn records(view: &View) -> impl Iterator<Item = Result<Insert>> + use<> {
    view.records().map(|row| {
        row.map(|(node, row)| Insert { node, key: row.key, identity: row.identity })
            .map_err(|error| error.context("read the state"))
    })
}

/// Sees to it that the state says of all records together what the index found; returns how many
/// rows it lacked or had wrong.
pub(super) fn keep_notes(store: &mut Store, resolver: &mut Resolver) -> Result<u64> {
    let notes = resolver.take_notes();
    let shared: Vec<_> = notes.shared.into_iter().filter(|(_, _, people)| *people > 1.0).collect();
    let capped: Vec<_> =
        notes.capped.into_iter().filter_map(|(key, is_over)| is_over.then_some(key)).collect();
    store.set_derived(&shared, &capped)
}

fn load_resolver(model: Model, view: &View) -> Result<Resolver> {
    let mut failure: Option<Error> = None;
    let mut note = |error: Error| {
        failure.get_or_insert(error);
    };
    let records: Vec<Insert> = records(view).collect::<Result<_>>()?;
    let edges: Vec<(NodeId, Vec<(NodeId, f32)>)> = view
        .edges()
        .filter_map(|row| row.map_err(&mut note).ok())
        .map(|(node, edges)| {
            #[expect(clippy::cast_possible_truncation, reason = "it was widened when it was kept")]
            let edge = |edge: state::Edge| (edge.lower, edge.weight_bits as f32);
            (node, edges.into_iter().map(edge).collect())
        })
        .collect();
    match failure {
        Some(error) => Err(error.context("read the state")),
        None => Ok(Resolver::load(model, records.into_iter(), edges.into_iter())),
    }
}
