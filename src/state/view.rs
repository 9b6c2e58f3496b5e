//! What did the state hold at one commit?

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::PoisonError;

use fjall::{Readable, Slice, Snapshot};
use serde::de::DeserializeOwned;

use super::keyspace::{
    JUDGEMENT_PREFIX, Keyspaces, Outbox, POSITION_PREFIX, PROFILED_KEY, Space, UNRESOLVED_KEY,
    failed, judgement_key, key_bytes, outbox_key,
};
use super::row::{
    BareDeadLetter, Counters, Edge, Head, IdentityRow, MappingChange, NodeId, Positions, RecordRow,
    decode, decode_chunk, decode_versioned, decode_versioned_chunk,
};
use super::store::Scattered;
use crate::error::{Error, Result};
use crate::profile::{Change, Facts, Interaction, Move};
use crate::record::{DeadLetter, EventKey, IdentityId, Judgement, Micros, Pair, RecordKey, Replay};

/// The state after one commit, whatever was committed since; other threads may read it.
///
/// It keeps old rows, and the folder, from being let go: drop it when read.
#[derive(Clone)]
pub struct View {
    head: Head,
    spaces: Keyspaces,
    snapshot: Snapshot,
    scattered: Scattered,
}

/// Facts in this many rows are worth folding into one.
const SCATTERED_ROWS: usize = 8;

impl View {
    pub(super) fn new(
        head: Head,
        spaces: Keyspaces,
        snapshot: Snapshot,
        scattered: Scattered,
    ) -> Self {
        Self { head, spaces, snapshot, scattered }
    }

    /// The number of the commit; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.head.sequence
    }

    /// The last commit whose outbox was cleared.
    pub fn published(&self) -> u64 {
        self.head.published
    }

    /// The writer's epoch.
    pub fn epoch(&self) -> u64 {
        self.head.epoch
    }

    /// The next node to be given out: greater than every node that ever was.
    pub fn next_node(&self) -> NodeId {
        self.head.next_node
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u64 {
        u64::from(self.head.next_node).saturating_sub(self.head.removed)
    }

    /// What became of the messages.
    pub fn counters(&self) -> Counters {
        self.head.counters
    }

    /// The time of the latest event; 0 before the first.
    pub fn max_event_time(&self) -> Micros {
        self.head.max_event_time
    }

    /// All record nodes, ascending.
    pub fn records(&self) -> impl Iterator<Item = Result<(NodeId, RecordRow)>> + use<> {
        self.by_node(Space::Records)
    }

    /// The record nodes of a range of numbers, ascending.
    pub fn records_in(
        &self,
        nodes: Range<NodeId>,
    ) -> impl Iterator<Item = Result<(NodeId, RecordRow)>> + use<> {
        self.by_node_in(Space::Records, nodes)
    }

    /// One record node.
    pub fn record(&self, node: NodeId) -> Result<Option<RecordRow>> {
        self.row(Space::Records, &node.to_be_bytes())
    }

    /// All nodes that have edges to lower ones, ascending.
    pub fn edges(&self) -> impl Iterator<Item = Result<(NodeId, Vec<Edge>)>> + use<> {
        self.by_node(Space::Edges)
    }

    /// The nodes of a range of numbers that have edges to lower ones, ascending.
    pub fn edges_in(
        &self,
        nodes: Range<NodeId>,
    ) -> impl Iterator<Item = Result<(NodeId, Vec<Edge>)>> + use<> {
        self.by_node_in(Space::Edges, nodes)
    }

    /// The identity of each node of a range of numbers, ascending by node.
    pub fn members_in(
        &self,
        nodes: Range<NodeId>,
    ) -> impl Iterator<Item = Result<(NodeId, IdentityId)>> + use<> {
        self.by_node_in(Space::Members, nodes)
    }

    /// The identity of every node, ascending by node.
    pub fn members(&self) -> impl Iterator<Item = Result<(NodeId, IdentityId)>> + use<> {
        self.by_node(Space::Members)
    }

    /// The identity of one node.
    pub fn identity_of(&self, node: NodeId) -> Result<Option<IdentityId>> {
        self.row(Space::Members, &node.to_be_bytes())
    }

    /// All identities that ever were, ascending.
    pub fn identities(&self) -> impl Iterator<Item = Result<IdentityRow>> + use<> {
        self.scan(Space::Identities, &[]).map(|row| decode("identities", &row?.1))
    }

    /// One identity.
    pub fn identity(&self, id: &IdentityId) -> Result<Option<IdentityRow>> {
        self.row(Space::Identities, &id.0)
    }

    /// What was judged last of every pair, withdrawals too, ascending by pair.
    pub fn judgements(&self) -> impl Iterator<Item = Result<Judgement>> + use<> {
        self.scan(Space::Meta, &[JUDGEMENT_PREFIX]).map(|row| decode("judgements", &row?.1))
    }

    /// What was judged last of a pair.
    pub fn judgement(&self, pair: &Pair) -> Result<Option<Judgement>> {
        self.row(Space::Meta, &judgement_key(pair))
    }

    /// Every partition's position.
    pub fn positions(&self) -> Result<Positions> {
        self.scan(Space::Meta, &[POSITION_PREFIX]).map(|row| read_position(&row?.1)).collect()
    }

    /// What all profiles were made by, as of the last commit that said so; `None` where an earlier version of the program
    /// made them.
    pub fn profiled_by(&self) -> Result<Option<String>> {
        self.row(Space::Meta, PROFILED_KEY)
    }

    /// Whether records wait to be resolved, as those of a backfill do until all are read; they belong to no identity yet.
    pub fn is_unresolved(&self) -> Result<bool> {
        Ok(self.row(Space::Meta, UNRESOLVED_KEY)?.unwrap_or(false))
    }

    /// What the events of one node said; empty where there are none.
    pub fn facts(&self, node: NodeId) -> Result<Facts> {
        Ok(self.fold(node)?.map(|(_, facts)| facts).unwrap_or_default())
    }

    /// What the events of many nodes said, in their order.
    pub fn facts_of(&self, nodes: &[NodeId]) -> Result<Vec<Facts>> {
        nodes.iter().map(|node| self.facts(*node)).collect()
    }

    /// The facts of every node that has any, ascending by node.
    pub fn all_facts(&self) -> impl Iterator<Item = Result<(NodeId, Facts)>> + use<> {
        let mut rows = self.scan(Space::Facts, &[]).map(read_fact).peekable();
        std::iter::from_fn(move || {
            let (node, _, mut facts) = match rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            while let Some(Ok((_, _, more))) =
                rows.next_if(|row| matches!(row, Ok((next, _, _)) if *next == node))
            {
                facts.merge(more);
            }
            Some(Ok((node, facts)))
        })
    }

    /// The fold of a node's facts, and the commit of the last of its rows.
    pub(super) fn fold(&self, node: NodeId) -> Result<Option<(u64, Facts)>> {
        let mut fold: Option<(u64, Facts)> = None;
        let mut rows = 0;
        for row in self.scan(Space::Facts, &node.to_be_bytes()) {
            let (_, sequence, facts) = read_fact(row)?;
            let (last, sum) = fold.get_or_insert_default();
            *last = sequence;
            sum.merge(facts);
            rows += 1;
        }
        if rows >= SCATTERED_ROWS {
            self.scattered.lock().unwrap_or_else(PoisonError::into_inner).insert(node);
        }
        Ok(fold)
    }

    /// The node of an event that is known.
    pub fn node_of_event(&self, event: &EventKey) -> Result<Option<NodeId>> {
        self.row(Space::Events, &event.0)
    }

    /// The node of a record.
    pub fn node_of_record(&self, key: &RecordKey) -> Result<Option<NodeId>> {
        self.row(Space::Nodes, &key.0)
    }

    /// The members of every live identity, ascending by identity, then by node.
    pub fn clusters(&self) -> impl Iterator<Item = Result<(IdentityId, NodeId)>> + use<> {
        self.scan(Space::Clusters, &[]).map(|row| read_cluster(&row?.0))
    }

    /// How many people seem to use each identifier value that several use, by the value's hash, ascending.
    pub fn shared(&self) -> impl Iterator<Item = Result<([u8; 16], f64)>> + use<> {
        self.scan(Space::Shared, &[]).map(|row| {
            let (key, people) = row?;
            Ok((key_bytes(Space::Shared, &key)?, decode("shared", &people)?))
        })
    }

    /// The blocking keys whose block is over its cap, ascending.
    pub fn capped(&self) -> impl Iterator<Item = Result<u64>> + use<> {
        self.scan(Space::Capped, &[])
            .map(|row| Ok(u64::from_be_bytes(key_bytes(Space::Capped, &row?.0)?)))
    }

    /// Outbox: rows for `interactions` of the commits behind `after`, in the order of commits.
    pub fn interactions(&self, after: u64) -> impl Iterator<Item = Result<Interaction>> + use<> {
        self.outbox_by(Outbox::Interactions, after, decode_versioned_chunk)
    }

    /// Outbox: messages of the commits behind `after` that could not be used, in the order of
    /// commits.
    pub fn dead_letters(&self, after: u64) -> impl Iterator<Item = Result<DeadLetter>> + use<> {
        let bare = self.outbox::<BareDeadLetter>(Outbox::BareDeadLetters, after);
        bare.map(|letter| letter.map(Into::into)).chain(self.outbox(Outbox::DeadLetters, after))
    }

    /// Outbox: dead letters that were closed by the commits behind `after`, in the order of commits.
    pub fn replays(&self, after: u64) -> impl Iterator<Item = Result<Replay>> + use<> {
        self.outbox(Outbox::Replays, after)
    }

    /// Outbox: rows for `identity_changes` about identities, of the commits behind `after`, in the order of commits.
    pub fn changes(&self, after: u64) -> impl Iterator<Item = Result<Change>> + use<> {
        self.outbox(Outbox::Changes, after)
    }

    /// Outbox: rows for `identity_changes` about records, of the commits behind `after`, in the order of commits.
    pub fn moves(&self, after: u64) -> impl Iterator<Item = Result<Move>> + use<> {
        self.outbox(Outbox::Moves, after)
    }

    /// Outbox: identities whose profile must be written or removed, ascending, without repeats.
    pub fn touched(&self) -> Result<Vec<IdentityId>> {
        let mut touched = self.outbox(Outbox::Touched, 0).collect::<Result<Vec<IdentityId>>>()?;
        touched.sort_unstable();
        touched.dedup();
        Ok(touched)
    }

    /// Outbox: nodes whose row of `identity_map` must be written or removed, ascending, without
    /// repeats.
    pub fn mappings(&self) -> Result<Vec<MappingChange>> {
        let mut by_node = BTreeMap::<NodeId, MappingChange>::new();
        for change in self.outbox(Outbox::Mappings, 0) {
            let change: MappingChange = change?;
            by_node.insert(change.node, change);
        }
        Ok(by_node.into_values().collect())
    }

    fn outbox<T: DeserializeOwned>(
        &self,
        kind: Outbox,
        after: u64,
    ) -> impl Iterator<Item = Result<T>> + use<T> {
        self.outbox_by(kind, after, decode_chunk)
    }

    fn outbox_by<T>(
        &self,
        kind: Outbox,
        after: u64,
        decode: fn(&str, &[u8]) -> Result<Vec<T>>,
    ) -> impl Iterator<Item = Result<T>> + use<T> {
        let range =
            outbox_key(kind, after.saturating_add(1), 0)..=outbox_key(kind, u64::MAX, u32::MAX);
        self.snapshot.range(&self.spaces[Space::Outbox], range).flat_map(move |row| {
            let chunk = row.value().map_err(failed("read outbox"));
            match chunk.and_then(|chunk| decode("outbox", &chunk)) {
                Ok(rows) => rows.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        })
    }

    /// The rows of one kind from a commit and an ordinal on, as they are kept.
    pub(super) fn outbox_from(
        &self,
        kind: Outbox,
        (sequence, ordinal): (u64, u32),
    ) -> impl Iterator<Item = Result<(Slice, Slice)>> + use<> {
        let range = outbox_key(kind, sequence, ordinal)..=outbox_key(kind, u64::MAX, u32::MAX);
        self.snapshot
            .range(&self.spaces[Space::Outbox], range)
            .map(|row| row.into_inner().map_err(failed("read outbox")))
    }

    fn by_node<T: DeserializeOwned>(
        &self,
        space: Space,
    ) -> impl Iterator<Item = Result<(NodeId, T)>> + use<T> {
        self.by_node_in(space, 0..NodeId::MAX)
    }

    fn by_node_in<T: DeserializeOwned>(
        &self,
        space: Space,
        nodes: Range<NodeId>,
    ) -> impl Iterator<Item = Result<(NodeId, T)>> + use<T> {
        let keys = nodes.start.to_be_bytes()..nodes.end.to_be_bytes();
        self.snapshot.range(&self.spaces[space], keys).map(move |row| {
            let (key, value) = row.into_inner().map_err(failed("read rows"))?;
            let node = NodeId::from_be_bytes(key_bytes(space, &key)?);
            Ok((node, decode(space.name(), &value)?))
        })
    }

    fn row<T: DeserializeOwned>(&self, space: Space, key: &[u8]) -> Result<Option<T>> {
        let row = self.snapshot.get(&self.spaces[space], key).map_err(failed("read row"))?;
        row.map(|row| decode(space.name(), &row)).transpose()
    }

    pub(super) fn scan(
        &self,
        space: Space,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Slice, Slice)>> + use<> {
        self.snapshot
            .prefix(&self.spaces[space], prefix)
            .map(|row| row.into_inner().map_err(failed("read rows")))
    }
}

pub(super) fn node_of_event(spaces: &Keyspaces, event: &EventKey) -> Result<Option<NodeId>> {
    let row = spaces[Space::Events].get(event.0).map_err(failed("read event"))?;
    row.map(|row| decode("events", &row)).transpose()
}

/// A partition's position, as [`Positions`] hold it.
type Position = ((Arc<str>, Arc<str>), u64);

pub(super) fn read_position(row: &[u8]) -> Result<Position> {
    let (source, partition, next) = decode("meta", row)?;
    Ok(((source, partition), next))
}

pub(super) fn read_cluster(key: &[u8]) -> Result<(IdentityId, NodeId)> {
    let (identity, node) = key
        .split_at_checked(10)
        .ok_or_else(|| Error::data("state: a key of clusters is damaged"))?;
    Ok((
        IdentityId(key_bytes(Space::Clusters, identity)?),
        NodeId::from_be_bytes(key_bytes(Space::Clusters, node)?),
    ))
}

pub(super) fn is_known(spaces: &Keyspaces, event: &EventKey) -> Result<bool> {
    spaces[Space::Events].contains_key(event.0).map_err(failed("read event"))
}

fn read_fact(row: Result<(Slice, Slice)>) -> Result<(NodeId, u64, Facts)> {
    let (key, value) = row?;
    let (node, sequence) =
        key.split_at_checked(4).ok_or_else(|| Error::data("state: a key of facts is damaged"))?;
    Ok((
        NodeId::from_be_bytes(key_bytes(Space::Facts, node)?),
        u64::from_be_bytes(key_bytes(Space::Facts, sequence)?),
        decode_versioned("facts", &value)?,
    ))
}
