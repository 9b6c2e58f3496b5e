//! Which keyspaces are there, and what are their keys?
//!
//! Numbers in keys are big-endian, so that a scan ascends. The store's settings are chosen per
//! keyspace by how it is read: `events` by point reads that mostly miss, `outbox` and the rows of
//! the index by scans only.

use std::cmp::Reverse;
use std::ops::Index;

use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy,
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, Slice};
use lsm_tree::AbstractTree;

use super::row::NodeId;
use crate::error::{Error, Kind, Result};
use crate::record::{Field, IdentityId, Pair};

/// The keyspaces, by what their rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    /// The head, the model, the position of each partition, and what was judged last of each pair of records.
    Meta,
    /// Node → record.
    Records,
    /// Node → its edges to lower nodes.
    Edges,
    /// Node → identity.
    Members,
    /// Identity → its status.
    Identities,
    /// Node and commit → what the events of that commit said.
    Facts,
    /// Event → node.
    Events,
    /// Kind, commit and ordinal → rows to be published.
    Outbox,
    /// Record key → node: `records`, read the other way round.
    Nodes,
    /// Identity and node → nothing: `members`, read the other way round.
    Clusters,
    /// Identifier value → how many people seem to use it, where they are several.
    Shared,
    /// Blocking key → nothing, of each block that is over its cap.
    Capped,
}

impl Space {
    pub(super) const ALL: [Self; 12] = [
        Self::Meta,
        Self::Records,
        Self::Edges,
        Self::Members,
        Self::Identities,
        Self::Facts,
        Self::Events,
        Self::Outbox,
        Self::Nodes,
        Self::Clusters,
        Self::Shared,
        Self::Capped,
    ];

    /// The name on disk and in errors.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Records => "records",
            Self::Edges => "edges",
            Self::Members => "members",
            Self::Identities => "identities",
            Self::Facts => "facts",
            Self::Events => "events",
            Self::Outbox => "outbox",
            Self::Nodes => "nodes",
            Self::Clusters => "clusters",
            Self::Shared => "shared",
            Self::Capped => "capped",
        }
    }

    fn options(self) -> KeyspaceCreateOptions {
        let options = KeyspaceCreateOptions::default()
            .manual_journal_persist(true)
            .max_memtable_size(self.memtable_bytes_max());
        match self {
            // Seven of ten events are new to the store: a filter answers for them, and stays in
            // memory.
            Self::Events => options
                .filter_policy(bloom(14.0))
                .filter_block_pinning_policy(PinningPolicy::all(true)),
            Self::Facts | Self::Meta | Self::Shared | Self::Capped => options,
            Self::Nodes | Self::Clusters => options.expect_point_read_hits(true),
            Self::Records | Self::Edges | Self::Members | Self::Identities | Self::Outbox => {
                options
                    .expect_point_read_hits(true)
                    .data_block_size_policy(BlockSizePolicy::all(16 << 10))
            }
        }
    }

    const fn memtable_bytes_max(self) -> u64 {
        match self {
            Self::Records | Self::Facts | Self::Events | Self::Outbox => 16 << 20,
            Self::Edges | Self::Members | Self::Identities | Self::Meta => 8 << 20,
            Self::Nodes | Self::Clusters => 8 << 20,
            Self::Shared | Self::Capped => 1 << 20,
        }
    }
}

fn bloom(bits_per_key: f32) -> FilterPolicy {
    FilterPolicy::all(FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(bits_per_key)))
}

/// What waits in the outbox. The numbers are part of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Outbox {
    Interactions = 1,
    /// Dead letters without what came with them, of an earlier version of the program.
    BareDeadLetters = 2,
    Changes = 3,
    Touched = 4,
    Mappings = 5,
    DeadLetters = 6,
    Replays = 7,
    /// Dead letters once more, for their topic.
    Letters = 8,
    /// What `identity_changes` says of records.
    Moves = 9,
    /// Identities whose profile changed, for their topic.
    TopicProfiles = 10,
    /// What `identity_changes` says, for its topic.
    TopicChanges = 11,
}

impl Outbox {
    /// What goes to the tables, all at once.
    pub(super) const TABLES: [Self; 8] = [
        Self::Interactions,
        Self::BareDeadLetters,
        Self::Changes,
        Self::Moves,
        Self::Touched,
        Self::Mappings,
        Self::DeadLetters,
        Self::Replays,
    ];
}

/// The key of [`Head`](super::row::Head): of a length that no other row's key has, so that it is
/// known in a journal.
pub(super) const HEAD_KEY: &[u8] = b"onefold/state/head";
/// The key of the model.
pub(super) const MODEL_KEY: &[u8] = b"onefold/model";
/// The key of where ids were carried over from.
pub(super) const CARRIED_KEY: &[u8] = b"onefold/carried";
/// The key of what profiles were made by last.
pub(super) const PROFILED_KEY: &[u8] = b"onefold/profiles";
/// The key of the mark that records wait to be resolved.
pub(super) const UNRESOLVED_KEY: &[u8] = b"onefold/unresolved";
/// What the keys of positions begin with.
pub(super) const POSITION_PREFIX: u8 = b'p';

/// What the keys of judgements begin with.
pub(super) const JUDGEMENT_PREFIX: u8 = b'j';

pub(super) fn judgement_key(pair: &Pair) -> [u8; 33] {
    let mut key = [JUDGEMENT_PREFIX; 33];
    let [lower, upper] = pair.keys();
    key[1..17].copy_from_slice(&lower.0);
    key[17..].copy_from_slice(&upper.0);
    key
}

pub(super) fn position_key(source: &str, partition: &str) -> [u8; 17] {
    // A path may be longer than a key can be, so its hash stands for it; the row holds both names.
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(source.len() as u64).to_le_bytes());
    hasher.update(source.as_bytes());
    hasher.update(partition.as_bytes());
    let mut key = [POSITION_PREFIX; 17];
    key[1..].copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

pub(super) fn fact_key(node: NodeId, sequence: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&node.to_be_bytes());
    key[4..].copy_from_slice(&sequence.to_be_bytes());
    key
}

pub(super) fn outbox_key(kind: Outbox, sequence: u64, ordinal: u32) -> [u8; 13] {
    let mut key = [kind as u8; 13];
    key[1..9].copy_from_slice(&sequence.to_be_bytes());
    key[9..].copy_from_slice(&ordinal.to_be_bytes());
    key
}

/// The key of a member in [`Space::Clusters`].
pub(super) fn cluster_key(identity: &IdentityId, node: NodeId) -> [u8; 14] {
    let mut key = [0; 14];
    key[..10].copy_from_slice(&identity.0);
    key[10..].copy_from_slice(&node.to_be_bytes());
    key
}

/// The key of an identifier value in [`Space::Shared`]: a hash, for a value may be longer than a key can be.
pub(super) fn shared_key(field: Field, value: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("onefold shared identifier");
    hasher.update(&(field.name().len() as u64).to_le_bytes());
    hasher.update(field.name().as_bytes());
    hasher.update(value.as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

/// Reads a key of `N` bytes, such as a node or an identity.
pub(super) fn key_bytes<const N: usize>(space: Space, key: &[u8]) -> Result<[u8; N]> {
    key.try_into().map_err(|_| Error::data(format!("state: a key of {} is damaged", space.name())))
}

/// The open keyspaces.
#[derive(Clone, Default)]
pub(super) struct Keyspaces(Vec<Keyspace>);

impl Keyspaces {
    /// Opens all keyspaces, creating those that are not there where some may be missing.
    pub(super) fn open(database: &Database, may_lack: bool) -> Result<Self> {
        let open = |space: Space| {
            if !may_lack && !database.keyspace_exists(space.name()) {
                return Err(Error::data(format!("state: keyspace {} is missing", space.name())));
            }
            database.keyspace(space.name(), || space.options()).map_err(failed("open keyspace"))
        };
        Space::ALL.into_iter().map(open).collect::<Result<_>>().map(Self)
    }

    /// Has the largest write buffers written out, as long as all that are still written to have more
    /// than `bytes` together. Each is written out anyway once it is as large as its keyspace allows;
    /// a keyspace that is seldom written to would hold its own for hours until then.
    pub(super) fn keep_within(&self, bytes: u64) -> Result<()> {
        let size = |space: &Keyspace| space.tree.active_memtable().size();
        let mut buffers: Vec<_> = self.0.iter().map(|space| (size(space), space)).collect();
        let mut total: u64 = buffers.iter().map(|(size, _)| size).sum();
        buffers.sort_by_key(|(size, _)| Reverse(*size));
        for (size, space) in buffers {
            if total <= bytes {
                break;
            }
            space.rotate_memtable().map_err(failed("write rows out"))?;
            total -= size;
        }
        Ok(())
    }

    /// The keyspaces, each with what it holds.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Space, &Keyspace)> {
        Space::ALL.into_iter().zip(&self.0)
    }
}

impl Index<Space> for Keyspaces {
    type Output = Keyspace;

    fn index(&self, space: Space) -> &Keyspace {
        &self.0[space as usize]
    }
}

/// The rows of one batch.
#[derive(Debug, Default)]
pub(super) struct Writes(Vec<(Space, Slice, Option<Slice>)>);

impl Writes {
    /// Writes a row.
    pub(super) fn put(&mut self, space: Space, key: impl Into<Slice>, value: impl Into<Slice>) {
        self.0.push((space, key.into(), Some(value.into())));
    }

    /// Deletes a row, which need not be there.
    pub(super) fn delete(&mut self, space: Space, key: impl Into<Slice>) {
        self.0.push((space, key.into(), None));
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes others behind these.
    pub(super) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// The rows by keyspace and key; of several of one key, the last. In one batch they would have
    /// no order.
    pub(super) fn into_rows(mut self) -> Vec<(Space, Slice, Option<Slice>)> {
        self.0.reverse();
        self.0.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        self.0.dedup_by(|later, first| (later.0, &later.1) == (first.0, &first.1));
        self.0
    }
}

/// Says what a failure of the embedded store means to the caller.
pub(super) fn failed(act: &'static str) -> impl Fn(fjall::Error) -> Error {
    move |error| {
        let kind = match &error {
            fjall::Error::Locked => Kind::Fenced,
            fjall::Error::Io(_) => Kind::Unavailable,
            fjall::Error::KeyspaceDeleted => Kind::Internal,
            _ => Kind::Data,
        };
        Error::new(kind, format!("state: {act}")).caused_by(error)
    }
}
