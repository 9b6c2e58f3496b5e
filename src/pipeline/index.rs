//! How does what the state keeps become the index in memory, and what of the index does the state keep?
//!
//! A job that ends well leaves the index as it is, and the next start takes that up within seconds. Where there is none,
//! after a crash or an upgrade, it is made anew of the records, which gives the same.

#[cfg(test)]
mod tests;

use std::ops::Range;

use rayon::prelude::*;

use super::registry::{Node, Registry};
use crate::error::{Error, Result};
use crate::record::{IdentityId, Pair, Verdict};
use crate::resolve::{Insert, Loader, Resolver};
use crate::score::Model;
use crate::state::{Edge, NodeId, RecordRow, Store, View};
use crate::telemetry::{IndexNotKept, IndexNotRead};

/// So many numbers of nodes are taken up together; what is read of them is in memory twice for a moment.
const NODES_AT_ONCE: NodeId = 200_000;
/// So many numbers of nodes does one core read.
const NODES_READ: NodeId = 5_000;

/// A node's edges to lower ones, with their weights in bits.
type Links = (NodeId, Vec<(NodeId, f32)>);

/// Of fewer records an index is made anew about as fast.
const KEPT_FROM: usize = if cfg!(debug_assertions) { 1 } else { 50_000 };

/// An index that was taken up.
pub(super) struct Opened {
    pub(super) registry: Registry,
    pub(super) resolver: Resolver,
    /// It is as a job left it, which [`keep_notes`] had gone over.
    pub(super) was_kept: bool,
}

/// Takes up registry and index as of the last commit.
///
/// **Errors:** `Data` where the state contradicts itself; `Unavailable`.
pub(super) fn open_index(model: Model, store: &Store) -> Result<Opened> {
    match unpacked(&model, store) {
        Ok(Some((registry, resolver))) => Ok(Opened { registry, resolver, was_kept: true }),
        Ok(None) => rebuilt(model, store),
        Err(error) => {
            IndexNotRead { error: &error }.emit();
            // The job's end leaves another.
            store.forget_index()?;
            rebuilt(model, store)
        }
    }
}

fn rebuilt(model: Model, store: &Store) -> Result<Opened> {
    let (registry, resolver) = load_index(model, &store.view())?;
    Ok(Opened { registry, resolver, was_kept: false })
}

/// Registry and index as a job left them, if one did.
fn unpacked(model: &Model, store: &Store) -> Result<Option<(Registry, Resolver)>> {
    let Some(pieces) = store.kept_index()? else { return Ok(None) };
    let (registry, resolver) =
        rayon::join(|| Registry::unpack(&pieces), || Resolver::unpack(model.clone(), &pieces));
    let (registry, mut resolver) = (registry?, resolver?);
    let view = store.view();
    if registry.records() != view.nodes() || registry.next_node() != view.next_node() {
        return Err(Error::data("the index that was kept is of other records"));
    }
    resolver.judge(&judgements(&view)?);
    Ok(Some((registry, resolver)))
}

/// Leaves the index to the next start. Where that fails, the next start takes longer, and nothing else hangs on it.
pub(super) fn keep_index(store: &mut Store, registry: &Registry, resolver: &Resolver) {
    if (registry.next_node() as usize) < KEPT_FROM {
        return;
    }
    let kept = store.keep_index(|sink| {
        let is_kept = resolver.pack(sink)?;
        if is_kept {
            registry.pack(sink)?;
        }
        Ok(is_kept)
    });
    if let Err(error) = kept {
        IndexNotKept { error: &error }.emit();
    }
}

fn judgements(view: &View) -> Result<Vec<(Pair, Verdict)>> {
    view.judgements().map(|row| row.map(|it| (it.pair, it.verdict))).collect()
}

/// Rebuilds registry and index from the state's rows. Where records wait to be resolved, all are put off: what there is
/// beside them may be of a part of them only.
pub(super) fn load_index(model: Model, view: &View) -> Result<(Registry, Resolver)> {
    let judgements = judgements(view)?;
    if view.is_unresolved()? {
        let mut resolver = Resolver::new(model);
        resolver.judge(&judgements);
        let registry = load(view, |records| resolver.put_off(&[], records))?;
        return Ok((registry, resolver));
    }
    let mut loader = Loader::new(model);
    let registry = load(view, |records| loader.add(records))?;
    for nodes in ranges(0..view.next_node(), NODES_AT_ONCE) {
        loader.link(read(nodes, |nodes| links(view, nodes))?);
    }
    let mut resolver = loader.finish();
    // What follows from them is in the state already.
    resolver.judge(&judgements);
    Ok((registry, resolver))
}

/// Rebuilds the registry alone.
pub(super) fn load_registry(view: &View) -> Result<Registry> {
    load(view, |_| ())
}

/// Rebuilds the registry, and hands on what the index is made of, ascending by node.
fn load(view: &View, mut records: impl FnMut(Vec<Insert>) + Send) -> Result<Registry> {
    let mut registry = Registry::default();
    for nodes in ranges(0..view.next_node(), NODES_AT_ONCE) {
        let read = read(nodes, |nodes| nodes_and_inserts(view, nodes))?;
        let (nodes, inserts): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        let put = || nodes.into_iter().for_each(|(number, node)| registry.put(number, node));
        rayon::join(put, || records(inserts));
    }
    registry.mint(view)?;
    Ok(registry)
}

/// A range of nodes, in ranges of so many.
fn ranges(nodes: Range<NodeId>, size: NodeId) -> impl Iterator<Item = Range<NodeId>> {
    let end = nodes.end;
    nodes.step_by(size as usize).map(move |from| from..from.saturating_add(size).min(end))
}

/// Reads what there is of a range of nodes, on all cores.
fn read<T: Send>(
    nodes: Range<NodeId>,
    some: impl Fn(Range<NodeId>) -> Result<Vec<T>> + Send + Sync,
) -> Result<Vec<T>> {
    let ranges: Vec<Range<NodeId>> = ranges(nodes, NODES_READ).collect();
    let read = ranges.into_par_iter().map(some).collect::<Result<Vec<Vec<T>>>>();
    Ok(read.map_err(|error| error.context("read the state"))?.into_iter().flatten().collect())
}

fn nodes_and_inserts(view: &View, nodes: Range<NodeId>) -> Result<Vec<((NodeId, Node), Insert)>> {
    let mut members = view.members_in(nodes.clone()).peekable();
    let mut read = Vec::new();
    for row in view.records_in(nodes) {
        let (node, mut row): (NodeId, RecordRow) = row?;
        let content = std::mem::take(&mut row.identity);
        let insert = Insert { node, key: row.key, identity: content };
        let is_own =
            |row: &Result<(NodeId, IdentityId)>| !matches!(row, Ok((it, _)) if *it != node);
        let identity = members.next_if(is_own).transpose()?.map(|(_, identity)| identity);
        read.push(((node, Node { identity, ..Node::from(row) }), insert));
    }
    match members.next() {
        None => Ok(read),
        Some(row) => {
            row?;
            Err(Error::data("state: an identity's member has no record"))
        }
    }
}

fn links(view: &View, nodes: Range<NodeId>) -> Result<Vec<Links>> {
    let links = view.edges_in(nodes).map(|row| {
        let (node, edges) = row?;
        #[expect(clippy::cast_possible_truncation, reason = "it was widened when it was kept")]
        let edge = |edge: Edge| (edge.lower, edge.weight_bits as f32);
        Ok((node, edges.into_iter().map(edge).collect()))
    });
    links.collect()
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
