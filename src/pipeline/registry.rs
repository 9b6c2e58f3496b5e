//! Which node is a record, and which identity does it belong to?
//!
//! In memory, made from the state's rows on open (see `index`). Of the decisions, it keeps the last.

mod image;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::cluster::Membership;
use crate::error::{Error, Result};
use crate::record::{Event, EventKey, Identity, IdentityId, Micros, RecordKey};
use crate::state::{NodeId, RecordRow, Status, View};

/// Time and key of an event: of the latest one of a keyed record, whose version it is; of the earliest one of a record
/// made of events, which names its source.
pub(super) type Version = (Micros, [u8; 16]);

/// What is known of a node besides its content.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) key: RecordKey,
    pub(super) source: Arc<str>,
    pub(super) record_id: Option<Box<str>>,
    pub(super) version: Version,
    /// `None` until it was decided for the first time.
    pub(super) identity: Option<IdentityId>,
}

/// The nodes and identities of the state.
#[derive(Default)]
pub(super) struct Registry {
    node_of: FxHashMap<RecordKey, NodeId>,
    nodes: Vec<Option<Node>>,
    members: FxHashMap<IdentityId, Vec<NodeId>>,
    /// Every id that was ever minted.
    minted: FxHashSet<IdentityId>,
}

impl Registry {
    /// Takes up which identities were ever minted, when all nodes are put in.
    ///
    /// **Errors:** `Data` where an identity is live and has no member, or the other way round.
    pub(super) fn mint(&mut self, view: &View) -> Result<()> {
        self.nodes.resize(view.next_node() as usize, None);
        let mut live = 0;
        for row in view.identities() {
            let row = row?;
            self.minted.insert(row.id);
            let is_live = row.status == Status::Live;
            live += usize::from(is_live);
            if is_live != self.members.contains_key(&row.id) {
                return Err(Error::data("state: an identity's status and its members disagree"));
            }
        }
        if live != self.members.len() {
            return Err(Error::data("state: a record is of an identity that was never minted"));
        }
        Ok(())
    }

    /// How many nodes there are.
    pub(super) fn records(&self) -> u64 {
        self.node_of.len() as u64
    }

    /// The number that the next node gets.
    pub(super) fn next_node(&self) -> NodeId {
        NodeId::try_from(self.nodes.len()).expect("the state refuses to give out more numbers")
    }

    pub(super) fn node_of(&self, key: &RecordKey) -> Option<NodeId> {
        self.node_of.get(key).copied()
    }

    pub(super) fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node as usize)?.as_ref()
    }

    pub(super) fn known(&self, node: NodeId) -> &Node {
        self.node(node).expect("clusters and members hold only nodes that are there")
    }

    /// The same, to be changed in all but its key and its identity.
    pub(super) fn known_mut(&mut self, node: NodeId) -> &mut Node {
        let node = self.nodes.get_mut(node as usize).and_then(Option::as_mut);
        node.expect("keys lead only to nodes that are there")
    }

    /// Puts a node in; an older one of the same key must be taken out before.
    pub(super) fn put(&mut self, node: NodeId, row: Node) {
        if self.nodes.len() <= node as usize {
            self.nodes.resize(node as usize + 1, None);
        }
        self.node_of.insert(row.key, node);
        if let Some(identity) = row.identity {
            self.members.entry(identity).or_default().push(node);
        }
        self.nodes[node as usize] = Some(row);
    }

    /// Takes a node out.
    pub(super) fn take(&mut self, node: NodeId) -> Option<Node> {
        let row = self.nodes.get_mut(node as usize)?.take()?;
        self.node_of.remove(&row.key);
        if let Some(members) = row.identity.and_then(|id| self.members.get_mut(&id)) {
            members.retain(|member| *member != node);
        }
        Some(row)
    }

    /// The members of a live identity, in no order; none for one that ended.
    pub(super) fn members(&self, identity: &IdentityId) -> &[NodeId] {
        self.members.get(identity).map(Vec::as_slice).unwrap_or_default()
    }

    /// All nodes, ascending.
    pub(super) fn all(&self) -> Vec<NodeId> {
        (0..self.next_node()).filter(|node| self.node(*node).is_some()).collect()
    }

    /// The live identities, ascending.
    pub(super) fn live(&self) -> Vec<IdentityId> {
        let mut live: Vec<IdentityId> = self.members.keys().copied().collect();
        live.sort_unstable();
        live
    }

    pub(super) fn is_minted(&self, identity: &IdentityId) -> bool {
        self.minted.contains(identity)
    }

    /// Whether a cluster is all of one identity, and nothing else.
    pub(super) fn is_unchanged(&self, cluster: &[NodeId]) -> bool {
        let identity = cluster.first().and_then(|node| self.known(*node).identity);
        identity.is_some_and(|id| {
            self.members(&id).len() == cluster.len()
                && cluster.iter().all(|node| self.known(*node).identity == Some(id))
        })
    }

    /// Makes nodes the members of an identity; returns those that were not.
    pub(super) fn assign(&mut self, identity: IdentityId, nodes: Vec<NodeId>) -> Vec<NodeId> {
        self.minted.insert(identity);
        let mut moved = Vec::new();
        for node in &nodes {
            let row =
                self.nodes[*node as usize].as_mut().expect("clusters hold nodes that are there");
            if row.identity.replace(identity) != Some(identity) {
                moved.push(*node);
            }
        }
        self.members.insert(identity, nodes);
        moved
    }

    /// Ends an identity.
    pub(super) fn end(&mut self, identity: &IdentityId) {
        self.members.remove(identity);
    }

    /// All clusters, each with its identity, in the order of their lowest records, which come first in each.
    pub(super) fn clusters(&self) -> Vec<(IdentityId, Vec<NodeId>)> {
        let key = |node: &NodeId| self.known(*node).key;
        let cluster = |(identity, nodes): (&IdentityId, &Vec<NodeId>)| {
            let mut nodes = nodes.clone();
            nodes.sort_unstable_by_key(key);
            (*identity, nodes)
        };
        let mut clusters: Vec<_> = self.members.iter().map(cluster).collect();
        clusters.sort_unstable_by_key(|(_, nodes)| nodes.first().map(key));
        clusters
    }

    /// Who is in which identity.
    pub(super) fn membership(&self) -> Membership {
        let nodes = self.nodes.iter().flatten();
        nodes.filter_map(|node| Some((node.key, node.identity?))).collect()
    }

    /// How many identities are live.
    pub(super) fn identities(&self) -> u64 {
        self.members.len() as u64
    }
}

impl Node {
    /// The node that an event makes, if it makes one.
    pub(super) fn of_event(record: RecordKey, event: &Event, key: EventKey) -> Self {
        Self {
            key: record,
            source: Arc::clone(&event.origin.source),
            record_id: event.record_id.as_deref().map(Into::into),
            version: (event.occurred_at, key.0),
            identity: None,
        }
    }

    /// What the state keeps of it.
    pub(super) fn to_row(&self, identity: Identity) -> RecordRow {
        RecordRow {
            key: self.key,
            source: Arc::clone(&self.source),
            record_id: self.record_id.as_deref().map(Into::into),
            identity,
            version: self.version,
        }
    }
}

impl From<RecordRow> for Node {
    fn from(row: RecordRow) -> Self {
        Self {
            key: row.key,
            source: row.source,
            record_id: row.record_id.map(Into::into),
            version: row.version,
            identity: None,
        }
    }
}
