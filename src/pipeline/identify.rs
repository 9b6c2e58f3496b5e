//! What does a micro-batch change?
//!
//! Events → nodes and facts → clusters that were decided anew → identities → one [`Commit`].

mod catch_up;
mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashSet;

pub(super) use self::catch_up::{catch_up, draft_put_off};
use self::moves::Before;
use super::batch::Prepared;
use super::registry::{Node, Registry};
use crate::cluster::{self, Former, Origin};
use crate::error::Result;
use crate::profile::{Activity, Cause, Change, ChangeKind, Facts, Interaction, Seen};
use crate::record::{
    DeadLetter, Event, EventKey, Identity, IdentityId, Judgement, Pair, RecordKey, Verdict,
};
use crate::resolve::{Insert, Notes, Outcome, Resolver, Work};
use crate::state::{
    Commit, Counters, Edge, ErasureAsked, IdentityRow, NodeId, Status, Store, View,
};

/// A micro-batch on its way to a commit.
pub(super) struct Draft {
    pub(super) commit: Commit,
    pub(super) work: Work,
    inserted: BTreeMap<NodeId, Insert>,
    removed: Vec<NodeId>,
    /// Identities that lost a node, or whose facts changed.
    touched: BTreeSet<IdentityId>,
    facts: BTreeMap<NodeId, Facts>,
    before: Before,
    /// Why identities change.
    cause: Cause,
}

/// Turns prepared messages into a commit, and brings registry and index up to date with it.
///
/// After an error the registry and the index must not be used any more.
pub(super) fn draft(
    prepared: Vec<Result<Prepared, Box<DeadLetter>>>,
    counters: Counters,
    store: &Store,
    registry: &mut Registry,
    resolver: &mut Resolver,
) -> Result<Draft> {
    let mut draft = take_up(prepared, counters, store, registry, resolver)?;
    let outcome = resolver.catch_up();
    draft.decide(outcome, resolver.take_notes(), registry, store.sequence() + 1);
    Ok(draft)
}

/// The nodes and facts of messages; the index has the records, and has not decided on them.
fn take_up(
    prepared: Vec<Result<Prepared, Box<DeadLetter>>>,
    counters: Counters,
    store: &Store,
    registry: &mut Registry,
    resolver: &mut Resolver,
) -> Result<Draft> {
    let mut draft = Draft::new(counters, Cause::Records);
    draft.commit.counters.read += prepared.len() as u64;
    for prepared in draft.sift(prepared, store)? {
        draft.take(prepared, registry);
    }
    let removed = std::mem::take(&mut draft.removed);
    let inserted = std::mem::take(&mut draft.inserted).into_values().collect();
    resolver.put_off(&removed, inserted);
    Ok(draft)
}

/// Turns the clusters of all records under another model into a commit, and brings the registry up to date with it.
/// Every id that goes on says so.
pub(super) fn redraft(
    outcome: Outcome,
    notes: Notes,
    store: &Store,
    registry: &mut Registry,
) -> Draft {
    let mut draft = Draft::new(store.counters(), Cause::Model);
    draft.commit.max_event_time = store.view().max_event_time();
    draft.decide(outcome, notes, registry, store.sequence() + 1);
    draft
}

/// Turns judgements into a commit, and brings registry and index up to date with it.
pub(super) fn draft_judged(
    judgements: Vec<Judgement>,
    view: &View,
    registry: &mut Registry,
    resolver: &mut Resolver,
) -> Draft {
    let mut draft = Draft::new(view.counters(), Cause::Judgement);
    draft.commit.max_event_time = view.max_event_time();
    let verdicts: Vec<_> = judgements.iter().map(|it| (it.pair, it.verdict)).collect();
    let outcome = resolver.judge(&verdicts);
    draft.commit.judgements = judgements;
    draft.work = outcome.work;
    draft.identify(outcome, registry, view.sequence() + 1);
    draft
}

/// Turns records that are erased into a commit, and brings registry and index up to date with it: everything is as if
/// they had never come, but for ids.
pub(super) fn draft_erased(
    erased: &[NodeId],
    judged: &[Pair],
    view: &View,
    registry: &mut Registry,
    resolver: &mut Resolver,
) -> Draft {
    let mut draft = Draft::new(view.counters(), Cause::Erasure);
    draft.commit.max_event_time = view.max_event_time();
    for node in erased {
        if let Some(row) = registry.take(*node) {
            draft.remove(*node, &row);
        }
    }
    let removed = std::mem::take(&mut draft.removed);
    let outcome = resolver.apply(&removed, Vec::new());
    // Records that are not there any more: what was judged of them changes nothing, and must not wake up later.
    let withdrawn: Vec<_> = judged.iter().map(|pair| (*pair, Verdict::Withdrawn)).collect();
    resolver.judge(&withdrawn);
    draft.decide(outcome, resolver.take_notes(), registry, view.sequence() + 1);
    draft
}

impl Draft {
    fn new(counters: Counters, cause: Cause) -> Self {
        Self {
            commit: Commit { counters, ..Commit::default() },
            work: Work::default(),
            inserted: BTreeMap::new(),
            removed: Vec::new(),
            touched: BTreeSet::new(),
            facts: BTreeMap::new(),
            before: Before::default(),
            cause,
        }
    }

    /// Takes up what the index found, and gives the clusters that were decided anew their identities.
    fn decide(&mut self, outcome: Outcome, notes: Notes, registry: &mut Registry, sequence: u64) {
        (self.commit.shared, self.commit.capped) = (notes.shared, notes.capped);
        self.work = outcome.work;
        self.identify(outcome, registry, sequence);
    }

    /// Puts dead letters, known events and those of erased records aside.
    fn sift(
        &mut self,
        prepared: Vec<Result<Prepared, Box<DeadLetter>>>,
        store: &Store,
    ) -> Result<Vec<Prepared>> {
        let mut events = Vec::new();
        for prepared in prepared {
            match prepared {
                Ok(prepared) => events.push(prepared),
                Err(letter) => self.commit.dead_letters.push(*letter),
            }
        }
        self.commit.counters.dead_lettered += self.commit.dead_letters.len() as u64;
        let keys: Vec<_> = events.iter().map(|prepared| prepared.key).collect();
        let seen = store.events_seen(&keys)?;
        let mut here = FxHashSet::default();
        let before = events.len();
        let known = events.iter().zip(seen).map(|(it, seen)| Ok(seen || is_erased(it, store)?));
        let mut known = known.collect::<Result<Vec<bool>>>()?.into_iter();
        events.retain(|it| known.next() == Some(false) && here.insert(it.key));
        self.commit.counters.duplicate += (before - events.len()) as u64;
        self.commit.counters.resolved += events.len() as u64;
        Ok(events)
    }

    fn take(&mut self, prepared: Prepared, registry: &mut Registry) {
        let Prepared { event, key, record, mut normalised } = prepared;
        self.commit.max_event_time = self.commit.max_event_time.max(event.occurred_at);
        let identity = std::mem::take(&mut normalised.identity);
        let node = if event.record_id.is_some() {
            self.node_of_row(record, &event, key, identity, registry)
        } else {
            Some(self.node_of_content(record, &event, key, identity, registry))
        };
        let source = Arc::clone(&event.origin.source);
        if let Some(node) = node {
            let seen = Seen::once(event.occurred_at, key, source, record);
            let activity =
                Activity { channel: Arc::clone(&event.channel), kind: Arc::clone(&event.kind) };
            let facts = Facts::of_event(activity, &event.details, normalised, seen);
            self.facts.entry(node).or_default().merge(facts);
            self.touched.extend(registry.known(node).identity);
        }
        // An outdated version of a row belongs to no node of its own; the event is known all the
        // same.
        if event.asks_erasure {
            self.commit.erasures_asked.push(ErasureAsked { record, at: event.occurred_at });
        }
        let known_as = node.or_else(|| registry.node_of(&record)).unwrap_or(NodeId::MAX);
        self.commit.events.push((key, known_as));
        self.commit.interactions.push(Interaction {
            event_id: event.event_id,
            event_key: key,
            source: event.origin.source,
            channel: event.channel,
            kind: event.kind,
            occurred_at: event.occurred_at,
            record,
            details: event.details,
        });
    }

    /// The node of content that has no row key: the one that is there, or a new one. Its source is that of its earliest
    /// event, whichever came first.
    fn node_of_content(
        &mut self,
        record: RecordKey,
        event: &Event,
        key: EventKey,
        identity: Identity,
        registry: &mut Registry,
    ) -> NodeId {
        let row = Node::of_event(record, event, key);
        let Some(node) = registry.node_of(&record) else {
            return self.insert(row, identity, registry);
        };
        let known = registry.known_mut(node);
        if row.version < known.version {
            if known.source != row.source {
                self.before.was(known);
                self.commit.mappings.push(node);
            }
            (known.source, known.version) = (row.source, row.version);
            self.commit.records.push((node, known.to_row(identity)));
        }
        node
    }

    /// The node of a row of a keyed source; a newer version replaces the older. `None` for an older
    /// version.
    fn node_of_row(
        &mut self,
        record: RecordKey,
        event: &Event,
        key: EventKey,
        identity: Identity,
        registry: &mut Registry,
    ) -> Option<NodeId> {
        let mut row = Node::of_event(record, event, key);
        if let Some(node) = registry.node_of(&record) {
            if registry.known(node).version > row.version {
                return None;
            }
            if let Some(former) = registry.take(node) {
                row.identity = former.identity;
                self.remove(node, &former);
            }
        }
        let former = row.identity;
        let node = self.insert(row, identity, registry);
        if let Some(identity) = former {
            self.commit.members.push((node, identity));
            // The row of the node that it replaces may not have been published yet, and now never will be.
            self.commit.mappings.push(node);
        }
        Some(node)
    }

    fn insert(&mut self, row: Node, identity: Identity, registry: &mut Registry) -> NodeId {
        let node = registry.next_node();
        self.commit.records.push((node, row.to_row(identity.clone())));
        self.inserted.insert(node, Insert { node, key: row.key, identity });
        registry.put(node, row);
        node
    }

    fn remove(&mut self, node: NodeId, row: &Node) {
        self.before.was(row);
        self.facts.remove(&node);
        self.touched.extend(row.identity);
        // A version that came and went within this micro-batch was never in the index.
        if self.inserted.remove(&node).is_none() {
            self.removed.push(node);
        }
        self.commit.removed.push((node, row.key));
    }

    /// Gives the clusters that were decided anew their identities.
    fn identify(&mut self, outcome: Outcome, registry: &mut Registry, sequence: u64) {
        let mut clusters = outcome.clusters;
        for cluster in clusters.extract_if(.., |cluster| registry.is_unchanged(cluster)) {
            let identity = registry.known(cluster[0]).identity;
            if let Some(identity) = identity.filter(|_| self.carries()) {
                self.change(ChangeKind::Carried, identity, None, sequence);
            }
        }
        let former = |node: &NodeId| {
            let node = registry.known(*node);
            Former { record: node.key, identity: node.identity }
        };
        let formers: Vec<Vec<Former>> =
            clusters.iter().map(|cluster| cluster.iter().map(former).collect()).collect();
        let assignments = cluster::assign(&formers, |id| registry.is_minted(id));
        let losing = formers.iter().flatten().filter_map(|former| former.identity);
        self.touched.extend(losing);
        for ((cluster, assignment), formers) in clusters.into_iter().zip(&assignments).zip(&formers)
        {
            let identity = assignment.identity;
            for Former { record, identity: former } in formers {
                match former {
                    Some(former) if *former != identity => self.before.belonged(*record, *former),
                    Some(_) => {}
                    None => self.before.comes(*record),
                }
            }
            let moved = registry.assign(identity, cluster);
            self.commit.members.extend(moved.iter().map(|node| (*node, identity)));
            self.commit.mappings.extend(moved);
            self.touched.insert(identity);
        }
        for assignment in &assignments {
            self.note(assignment, sequence);
            assignment.absorbed.iter().for_each(|ended| registry.end(ended));
        }
        self.retire(registry, sequence);
        if self.cause == Cause::Erasure {
            self.reduce(registry, sequence);
        }
        let at = (sequence, self.commit.max_event_time);
        self.commit.moves = std::mem::take(&mut self.before).moves(registry, self.cause, at);
        self.finish(outcome.edges);
    }

    /// Notes what an assignment changed.
    fn note(&mut self, assignment: &cluster::Assignment, sequence: u64) {
        let id = assignment.identity;
        for ended in &assignment.absorbed {
            self.touched.insert(*ended);
            let status = Status::Merged { into: id };
            self.commit.identities.push(IdentityRow { id: *ended, status, version: sequence });
            self.change(ChangeKind::Merged, *ended, Some(id), sequence);
        }
        let (kind, other) = match assignment.origin {
            Origin::Kept if self.carries() => {
                return self.change(ChangeKind::Carried, id, None, sequence);
            }
            Origin::Kept => return,
            Origin::Created => (ChangeKind::Created, None),
            Origin::SplitFrom(from) => (ChangeKind::Split, Some(from)),
        };
        self.commit.identities.push(IdentityRow { id, status: Status::Live, version: sequence });
        self.change(kind, id, other, sequence);
    }

    /// Ends the identities that have no member left and were not merged into another.
    fn retire(&mut self, registry: &mut Registry, sequence: u64) {
        let merged: BTreeSet<IdentityId> =
            self.commit.identities.iter().map(|row| row.id).collect();
        let is_gone = |id: &&IdentityId| registry.members(id).is_empty() && !merged.contains(*id);
        let gone: Vec<IdentityId> = self.touched.iter().filter(is_gone).copied().collect();
        for id in gone {
            registry.end(&id);
            let row = IdentityRow { id, status: Status::Retired, version: sequence };
            self.commit.identities.push(row);
            if self.cause == Cause::Erasure {
                self.change(ChangeKind::Erased, id, None, sequence);
            }
        }
    }

    /// Says which identities lost records to an erasure and go on: the rows that name the records will be gone.
    fn reduce(&mut self, registry: &Registry, sequence: u64) {
        let erased = |change: &Change| change.kind == ChangeKind::Erased;
        let ended = self.commit.changes.iter().filter(|it| erased(it)).map(|it| it.identity);
        let ended: BTreeSet<IdentityId> = ended.collect();
        for id in self.before.losing(registry).difference(&ended) {
            self.change(ChangeKind::Reduced, *id, None, sequence);
        }
    }

    /// Whether ids are carried over to a partition that was made anew.
    fn carries(&self) -> bool {
        self.cause == Cause::Model
    }

    fn change(
        &mut self,
        kind: ChangeKind,
        identity: IdentityId,
        other: Option<IdentityId>,
        sequence: u64,
    ) {
        self.commit.changes.push(Change {
            kind,
            identity,
            other,
            cause: self.cause.name().into(),
            epoch: sequence,
            occurred_at: self.commit.max_event_time,
        });
    }

    fn finish(&mut self, edges: Vec<(NodeId, Vec<(NodeId, f32)>)>) {
        let gone: BTreeSet<NodeId> = self.commit.removed.iter().map(|(node, _)| *node).collect();
        let edge = |(lower, weight): (NodeId, f32)| Edge { lower, weight_bits: weight.into() };
        self.commit.edges = edges
            .into_iter()
            .filter(|(node, _)| !gone.contains(node))
            .map(|(node, edges)| (node, edges.into_iter().map(edge).collect()))
            .collect();
        self.keep_facts();
    }

    /// Puts what the events said into the commit, and whose profiles that concerns.
    fn keep_facts(&mut self) {
        self.commit.facts.extend(std::mem::take(&mut self.facts));
        self.commit.touched.extend(std::mem::take(&mut self.touched));
    }
}

/// Whether an event is of a record that was erased, and from before that.
fn is_erased(prepared: &Prepared, store: &Store) -> Result<bool> {
    let until = store.erased_until(&prepared.record)?;
    Ok(until.is_some_and(|until| prepared.event.occurred_at <= until))
}

#[cfg(test)]
mod tests;
