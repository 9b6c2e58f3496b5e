//! How do many records that were put off become commits?
//!
//! They are resolved together, and what follows is cut into commits of a bounded size, each of whole clusters. Only the last
//! says that nothing waits any more: after a crash before it, all records are resolved again, and what is found to be as
//! it was is left alone.

use std::collections::VecDeque;

use super::{Draft, take_up};
use crate::error::Result;
use crate::pipeline::batch::Prepared;
use crate::pipeline::registry::Registry;
use crate::profile::Cause;
use crate::record::DeadLetter;
use crate::resolve::{Notes, Outcome, Resolver, Work};
use crate::state::{Counters, NodeId, Store};

/// How many records' identities are in one commit.
const RECORDS_AT_ONCE: usize = if cfg!(test) { 100 } else { 20_000 };

/// A node and its edges to lower nodes.
type Edges = (NodeId, Vec<(NodeId, f32)>);

/// Records that were resolved together, on their way to commits.
pub(super) struct CatchUp {
    parts: VecDeque<Vec<Vec<NodeId>>>,
    edges: std::vec::IntoIter<Edges>,
    edges_a_part: usize,
    notes: Notes,
    work: Work,
}

/// As [`draft`](super::draft), but leaves it to [`catch_up`] to resolve the records, together with others.
///
/// After an error the registry and the index must not be used any more.
pub(in crate::pipeline) fn draft_put_off(
    prepared: Vec<Result<Prepared, Box<DeadLetter>>>,
    counters: Counters,
    store: &Store,
    registry: &mut Registry,
    resolver: &mut Resolver,
) -> Result<Draft> {
    let mut draft = take_up(prepared, counters, store, registry, resolver)?;
    // What only repeats known events leaves nothing to resolve.
    draft.commit.unresolved = (resolver.waiting() > 0).then_some(true);
    let at = (store.sequence() + 1, draft.commit.max_event_time);
    draft.commit.moves = std::mem::take(&mut draft.before).moves(registry, draft.cause, at);
    draft.keep_facts();
    Ok(draft)
}

/// Resolves what was put off, and makes it durable; returns how much work that was. `tell` is called now and then with
/// how many records were compared.
///
/// After an error the registry and the index must not be used any more.
pub(in crate::pipeline) fn catch_up(
    store: &mut Store,
    registry: &mut Registry,
    resolver: &mut Resolver,
    tell: &mut dyn FnMut(usize),
) -> Result<Work> {
    let waiting = resolver.waiting();
    let mut rest = CatchUp::begin(registry, resolver, tell);
    while let Some(draft) = rest.next(store, registry) {
        store.commit(&draft.commit)?;
        tell(waiting);
    }
    Ok(rest.work)
}

impl CatchUp {
    /// Resolves what was put off.
    pub(super) fn begin(
        registry: &Registry,
        resolver: &mut Resolver,
        tell: &mut dyn FnMut(usize),
    ) -> Self {
        let Outcome { clusters, edges, work } = resolver.catch_up_telling(tell);
        let has_former = |cluster: &Vec<NodeId>| {
            cluster.iter().any(|node| registry.known(*node).identity.is_some())
        };
        // Of what belonged together before, all must be decided at once.
        let (known, new): (Vec<_>, Vec<_>) = clusters.into_iter().partition(has_former);
        let mut parts = VecDeque::from([known]);
        let mut records = 0;
        for cluster in new {
            if records >= RECORDS_AT_ONCE {
                parts.push_back(Vec::new());
                records = 0;
            }
            records += cluster.len();
            parts.back_mut().expect("there is one").push(cluster);
        }
        let edges_a_part = edges.len().div_ceil(parts.len());
        let edges = edges.into_iter();
        Self { parts, edges, edges_a_part, notes: resolver.take_notes(), work }
    }

    /// The next commit, which must be made before the one after it is asked for; `None` after the last.
    pub(super) fn next(&mut self, store: &Store, registry: &mut Registry) -> Option<Draft> {
        let clusters = self.parts.pop_front()?;
        let edges = self.edges.by_ref().take(self.edges_a_part).collect();
        let mut draft = Draft::new(store.counters(), Cause::Records);
        draft.commit.max_event_time = store.view().max_event_time();
        let of_part = Outcome { clusters, edges, work: Work::default() };
        draft.identify(of_part, registry, store.sequence() + 1);
        if self.parts.is_empty() {
            let Notes { shared, capped } = std::mem::take(&mut self.notes);
            (draft.commit.shared, draft.commit.capped) = (shared, capped);
            draft.commit.unresolved = Some(false);
        }
        Some(draft)
    }
}
