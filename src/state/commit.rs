//! What does one micro-batch change?

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::erasure::{Erasure, ErasureAsked, write_asked};
use super::keyspace::{
    CARRIED_KEY, MODEL_KEY, Outbox, PROFILED_KEY, Space, UNRESOLVED_KEY, Writes, fact_key,
    judgement_key, outbox_key, position_key, shared_key,
};
use super::row::{
    Counters, Edge, Head, IdentityRow, MappingChange, Model, NodeId, Positions, RecordRow, encode,
    encode_chunks, encode_versioned, encode_versioned_chunks,
};
use super::window::{self, LatestTimes};
use crate::error::{Error, Result};
use crate::profile::{Change, Facts, Interaction, Move};
use crate::record::{
    DeadLetter, EventKey, Field, IdentityId, Judgement, Micros, RecordKey, Replay,
};

/// The facts of one micro-batch, written as one atomic batch.
///
/// Rows replace rows of the same key, but for `facts`, which add up. Where a list names a key
/// twice, the later wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// New record nodes, keyed ones with a newer version, and others with an earlier event.
    pub records: Vec<(NodeId, RecordRow)>,
    /// Nodes that are gone: their record, edges, membership and facts go too; their events stay
    /// known.
    pub removed: Vec<(NodeId, RecordKey)>,
    /// Per node, all its edges to lower nodes; an empty list deletes the row.
    pub edges: Vec<(NodeId, Vec<Edge>)>,
    /// The identity of each node whose identity is new.
    pub members: Vec<(NodeId, IdentityId)>,
    /// Identities that are new or changed.
    pub identities: Vec<IdentityRow>,
    /// What the events of this micro-batch said, to be added to the node's facts.
    pub facts: Vec<(NodeId, Facts)>,
    /// Identifier values whose number of users changed, with that number; 1 or less where it is one person's again.
    pub shared: Vec<(Field, Box<str>, f64)>,
    /// Blocking keys whose block crossed its cap; whether it is over it now.
    pub capped: Vec<(u64, bool)>,
    /// Events that are known from now on, with their node.
    pub events: Vec<(EventKey, NodeId)>,
    /// What was judged, withdrawals too; each takes the place of what was judged of its pair before.
    pub judgements: Vec<Judgement>,
    /// Outbox: rows for `interactions`.
    pub interactions: Vec<Interaction>,
    /// Outbox: messages that could not be used.
    pub dead_letters: Vec<DeadLetter>,
    /// Outbox: whether these wait for their topic, too.
    pub forwards_letters: bool,
    /// Outbox: dead letters that were replayed and are closed.
    pub replays: Vec<Replay>,
    /// Outbox: rows for `identity_changes` about identities.
    pub changes: Vec<Change>,
    /// Outbox: rows for `identity_changes` about records, at most one a record.
    pub moves: Vec<Move>,
    /// Outbox: identities whose profile must be written or removed.
    pub touched: Vec<IdentityId>,
    /// Outbox: nodes whose row of `identity_map` must be written; removed nodes need not be
    /// repeated here.
    pub mappings: Vec<NodeId>,
    /// The positions that moved.
    pub positions: Positions,
    /// The counters after this micro-batch, since the state began.
    pub counters: Counters,
    /// Events that will be forgotten, with their source and when they happened; none where events are known for ever.
    pub expiring: Vec<(Arc<str>, Micros, EventKey)>,
    /// The time of the latest event of each source, where events are not known for ever.
    pub latest_times: LatestTimes,
    /// The time of the latest event in this micro-batch, or of all so far.
    pub max_event_time: Micros,
    /// The model that the edges and members are by from now on, and `shared` and `capped`, which are complete then;
    /// `None` where it stays.
    pub model: Option<Vec<u8>>,
    /// What profiles are made by from now on, all of which are touched then; `None` where it stays.
    pub profiled_by: Option<String>,
    /// Whether there are records from now on that wait to be resolved, and of which no more than themselves and their facts
    /// is there; `None` where that stays.
    pub unresolved: Option<bool>,
    /// Where ids were carried over from: the identities so far, and what is in the outbox about them, are forgotten, for
    /// nobody saw them. `None` for every other commit.
    pub carried_from: Option<String>,
    /// Records whose customers ask to be forgotten.
    pub erasures_asked: Vec<ErasureAsked>,
    /// What is erased by this commit, with its `removed` nodes; `None` for every other commit.
    pub erasure: Option<Erasure>,
}

impl Commit {
    /// The state's head after this commit, but for the number of removed nodes.
    pub(super) fn head_after(&self, head: &Head) -> Result<Head> {
        let next_node = match self.records.iter().map(|(node, _)| *node).max() {
            Some(NodeId::MAX) => return Err(Error::internal("state: out of node numbers")),
            Some(node) => head.next_node.max(node + 1),
            None => head.next_node,
        };
        Ok(Head {
            sequence: head.sequence + 1,
            next_node,
            counters: self.counters,
            max_event_time: head.max_event_time.max(self.max_event_time),
            ..*head
        })
    }

    /// The rows that make this commit number `sequence`; those of removed nodes' old facts
    /// excepted.
    pub(super) fn writes(&self, sequence: u64) -> Result<Writes> {
        let mut writes = Writes::default();
        let removed: BTreeSet<NodeId> = self.removed.iter().map(|(node, _)| *node).collect();
        self.write_nodes(&removed, &mut writes)?;
        self.write_keys(&removed, &mut writes)?;
        for (field, value, people) in &self.shared {
            match *people > 1.0 {
                true => writes.put(Space::Shared, shared_key(*field, value), encode(people)?),
                false => writes.delete(Space::Shared, shared_key(*field, value)),
            }
        }
        for (key, is_over) in &self.capped {
            match is_over {
                true => writes.put(Space::Capped, key.to_be_bytes(), encode(&())?),
                false => writes.delete(Space::Capped, key.to_be_bytes()),
            }
        }
        for row in &self.identities {
            writes.put(Space::Identities, row.id.0, encode(row)?);
        }
        for (key, node) in &self.events {
            writes.put(Space::Events, key.0, encode(node)?);
        }
        write_asked(&self.erasures_asked, &mut writes)?;
        window::write(&self.expiring, &self.latest_times, &mut writes)?;
        for ((source, partition), next) in &self.positions {
            let key = position_key(source, partition);
            writes.put(Space::Meta, key, encode(&(source, partition, next))?);
        }
        if let Some(bytes) = &self.model {
            writes.put(Space::Meta, MODEL_KEY, encode(&Model::of(bytes))?);
        }
        if let Some(by) = &self.profiled_by {
            writes.put(Space::Meta, PROFILED_KEY, encode(by)?);
        }
        if let Some(from) = &self.carried_from {
            writes.put(Space::Meta, CARRIED_KEY, encode(from)?);
        }
        if let Some(unresolved) = &self.unresolved {
            writes.put(Space::Meta, UNRESOLVED_KEY, encode(unresolved)?);
        }
        for judgement in &self.judgements {
            let key = judgement_key(&judgement.pair);
            writes.put(Space::Meta, key, encode(judgement)?);
        }
        for (node, facts) in self.facts_by_node(&removed) {
            writes.put(Space::Facts, fact_key(node, sequence), encode_versioned(&*facts)?);
        }
        for (ordinal, chunk) in (0u32..).zip(encode_versioned_chunks(&self.interactions)?) {
            writes.put(Space::Outbox, outbox_key(Outbox::Interactions, sequence, ordinal), chunk);
        }
        outbox(&mut writes, sequence, Outbox::DeadLetters, &self.dead_letters)?;
        if self.forwards_letters {
            outbox(&mut writes, sequence, Outbox::Letters, &self.dead_letters)?;
        }
        outbox(&mut writes, sequence, Outbox::Replays, &self.replays)?;
        outbox(&mut writes, sequence, Outbox::Changes, &self.changes)?;
        outbox(&mut writes, sequence, Outbox::Moves, &self.moves)?;
        outbox(&mut writes, sequence, Outbox::Touched, &self.touched)?;
        outbox(&mut writes, sequence, Outbox::Mappings, &self.mapping_changes(&removed))?;
        Ok(writes)
    }

    fn write_nodes(&self, removed: &BTreeSet<NodeId>, writes: &mut Writes) -> Result<()> {
        for (node, row) in &self.records {
            writes.put(Space::Records, node.to_be_bytes(), encode(row)?);
        }
        for (node, identity) in &self.members {
            writes.put(Space::Members, node.to_be_bytes(), encode(identity)?);
        }
        for (node, edges) in &self.edges {
            match edges.is_empty() {
                true => writes.delete(Space::Edges, node.to_be_bytes()),
                false => writes.put(Space::Edges, node.to_be_bytes(), encode(edges)?),
            }
        }
        for node in removed {
            for space in [Space::Records, Space::Members, Space::Edges] {
                writes.delete(space, node.to_be_bytes());
            }
        }
        Ok(())
    }

    /// A row that is replaced hands its key to the node that replaces it, so that is written last.
    fn write_keys(&self, removed: &BTreeSet<NodeId>, writes: &mut Writes) -> Result<()> {
        for (_, key) in &self.removed {
            writes.delete(Space::Nodes, key.0);
        }
        for (node, row) in self.records.iter().filter(|(node, _)| !removed.contains(node)) {
            writes.put(Space::Nodes, row.key.0, encode(node)?);
        }
        Ok(())
    }

    /// The identity of each node whose identity changes; `None` of one that is removed.
    pub(super) fn moves(&self) -> BTreeMap<NodeId, Option<IdentityId>> {
        let moved = self.members.iter().map(|(node, identity)| (*node, Some(*identity)));
        let removed = self.removed.iter().map(|(node, _)| (*node, None));
        moved.chain(removed).collect()
    }

    fn facts_by_node(&self, removed: &BTreeSet<NodeId>) -> BTreeMap<NodeId, Cow<'_, Facts>> {
        let mut by_node = BTreeMap::<NodeId, Cow<'_, Facts>>::new();
        for (node, facts) in self.facts.iter().filter(|(node, _)| !removed.contains(node)) {
            by_node
                .entry(*node)
                .and_modify(|sum| sum.to_mut().merge(facts.clone()))
                .or_insert(Cow::Borrowed(facts));
        }
        by_node
    }

    fn mapping_changes(&self, removed: &BTreeSet<NodeId>) -> Vec<MappingChange> {
        let gone = self.removed.iter().map(|(node, key)| (*node, Some(*key)));
        let there = self.mappings.iter().filter(|n| !removed.contains(n)).map(|n| (*n, None));
        there.chain(gone).map(|(node, removed)| MappingChange { node, removed }).collect()
    }
}

fn outbox<T: Serialize>(
    writes: &mut Writes,
    sequence: u64,
    kind: Outbox,
    rows: &[T],
) -> Result<()> {
    for (ordinal, chunk) in (0u32..).zip(encode_chunks(rows)?) {
        writes.put(Space::Outbox, outbox_key(kind, sequence, ordinal), chunk);
    }
    Ok(())
}
