//! What does a state say, to one who only asks?
//!
//! A [`Reader`] takes no epoch, writes nothing and reads only the rows that it is asked for: where
//! the state is settled, straight from the tables; else through the store, which replays its
//! journals first.

use std::path::Path;

use fjall::{Database, Readable, Slice, Snapshot};
use serde::de::DeserializeOwned;

use super::database::open_database;
use super::folder::{Folder, Witness};
use super::keyspace::{
    HEAD_KEY, JUDGEMENT_PREFIX, Keyspaces, MODEL_KEY, POSITION_PREFIX, Space, UNRESOLVED_KEY,
    failed, shared_key,
};
use super::row::{Counters, Edge, Head, IdentityRow, Model, NodeId, Positions, RecordRow, decode};
use super::settled::Settled;
use super::store::Options;
use super::view::{read_cluster, read_position};
use crate::error::{Error, Result};
use crate::record::{EventKey, Field, IdentityId, Judgement, Micros, RecordKey};

/// A state that is open for questions, as of its last commit.
pub struct Reader {
    rows: Rows,
    head: Head,
    /// Holds the lock; goes last.
    _folder: Folder,
}

/// Rows as they are read.
type Scan = Box<dyn Iterator<Item = Result<(Slice, Slice)>> + Send>;

enum Rows {
    Settled(Box<Settled>),
    Replayed { spaces: Keyspaces, snapshot: Snapshot, _database: Database },
}

impl Reader {
    /// Opens the state in the folder `path` for questions.
    ///
    /// **Errors:** `Invalid` where there is none; `Fenced` while another process has it open;
    /// `Data` where it lost something that was acknowledged.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        let folder = Folder::open_existing(path)?;
        let acknowledged = Witness::read(&folder)?;
        if acknowledged.is_none() {
            return Err(Error::invalid(format!("state: there is none in {}", path.display())));
        }
        let rows = match Settled::open(&folder, acknowledged)? {
            Some(settled) => Rows::Settled(Box::new(settled)),
            None => {
                let (database, spaces, _) = open_database(&folder, acknowledged, options)?;
                let snapshot = database.snapshot();
                Rows::Replayed { spaces, snapshot, _database: database }
            }
        };
        let mut reader = Self { rows, head: Head::default(), _folder: folder };
        reader.head = reader.row(Space::Meta, HEAD_KEY)?.unwrap_or_default();
        if Some(reader.head.batch) < acknowledged {
            return Err(Error::data("state: its tables lack what was acknowledged"));
        }
        Ok(reader)
    }

    /// Whether the rows are read straight from tables, without a replay of journals.
    pub fn is_settled(&self) -> bool {
        matches!(self.rows, Rows::Settled(_))
    }

    /// The number of the last commit; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.head.sequence
    }

    /// The writer's epoch.
    pub fn epoch(&self) -> u64 {
        self.head.epoch
    }

    /// The last commit whose outbox was cleared.
    pub fn published(&self) -> u64 {
        self.head.published
    }

    /// What became of the messages, as of the last commit.
    pub fn counters(&self) -> Counters {
        self.head.counters
    }

    /// Every partition's position.
    pub fn positions(&self) -> Result<Positions> {
        self.prefix(Space::Meta, &[POSITION_PREFIX])?.map(|row| read_position(&row?.1)).collect()
    }

    /// The time of the latest event; 0 before the first.
    pub fn max_event_time(&self) -> Micros {
        self.head.max_event_time
    }

    /// Whether records wait to be resolved.
    pub fn is_unresolved(&self) -> Result<bool> {
        Ok(self.row(Space::Meta, UNRESOLVED_KEY)?.unwrap_or(false))
    }

    /// The model that is frozen with the state; `None` before the first run.
    pub fn model(&self) -> Result<Option<Model>> {
        self.row(Space::Meta, MODEL_KEY)
    }

    /// One record node.
    pub fn record(&self, node: NodeId) -> Result<Option<RecordRow>> {
        self.row(Space::Records, &node.to_be_bytes())
    }

    /// The node of a record.
    pub fn node_of_record(&self, key: &RecordKey) -> Result<Option<NodeId>> {
        self.row(Space::Nodes, &key.0)
    }

    /// The node of an event that is known. It may be gone.
    pub fn node_of_event(&self, event: &EventKey) -> Result<Option<NodeId>> {
        self.row(Space::Events, &event.0)
    }

    /// A node's edges to lower nodes.
    pub fn edges(&self, node: NodeId) -> Result<Vec<Edge>> {
        Ok(self.row(Space::Edges, &node.to_be_bytes())?.unwrap_or_default())
    }

    /// The identity of one node.
    pub fn identity_of(&self, node: NodeId) -> Result<Option<IdentityId>> {
        self.row(Space::Members, &node.to_be_bytes())
    }

    /// One identity.
    pub fn identity(&self, id: &IdentityId) -> Result<Option<IdentityRow>> {
        self.row(Space::Identities, &id.0)
    }

    /// The members of an identity, ascending; none of one that ended.
    pub fn members(&self, id: &IdentityId) -> Result<Vec<NodeId>> {
        let node = |row: Result<(Slice, Slice)>| read_cluster(&row?.0).map(|(_, node)| node);
        self.prefix(Space::Clusters, &id.0)?.map(node).collect()
    }

    /// The members of every live identity, ascending by identity, then by node.
    pub fn clusters(
        &self,
    ) -> Result<impl Iterator<Item = Result<(IdentityId, NodeId)>> + Send + use<>> {
        Ok(self.prefix(Space::Clusters, &[])?.map(|row| read_cluster(&row?.0)))
    }

    /// How many people seem to use an identifier value; 1 where it is one person's, as far as the
    /// records tell.
    pub fn people(&self, field: Field, value: &str) -> Result<f64> {
        Ok(self.row(Space::Shared, &shared_key(field, value))?.unwrap_or(1.0))
    }

    /// Whether anything was ever judged.
    pub fn has_judgements(&self) -> Result<bool> {
        self.prefix(Space::Meta, &[JUDGEMENT_PREFIX])?.next().transpose().map(|row| row.is_some())
    }

    /// What was judged last of the pairs whose lower record is `lower`, withdrawals too.
    pub fn judgements(&self, lower: &RecordKey) -> Result<Vec<Judgement>> {
        let mut prefix = vec![JUDGEMENT_PREFIX];
        prefix.extend(lower.0);
        let rows = self.prefix(Space::Meta, &prefix)?;
        rows.map(|row| decode("judgements", &row?.1)).collect()
    }

    /// Whether the block of a blocking key is over its cap.
    pub fn is_capped(&self, key: u64) -> Result<bool> {
        Ok(self.get(Space::Capped, &key.to_be_bytes())?.is_some())
    }

    fn row<T: DeserializeOwned>(&self, space: Space, key: &[u8]) -> Result<Option<T>> {
        self.get(space, key)?.map(|row| decode(space.name(), &row)).transpose()
    }

    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Slice>> {
        match &self.rows {
            Rows::Settled(settled) => settled.get(space, key),
            Rows::Replayed { spaces, snapshot, .. } => {
                snapshot.get(&spaces[space], key).map_err(failed("read row"))
            }
        }
    }

    fn prefix(&self, space: Space, prefix: &[u8]) -> Result<Scan> {
        Ok(match &self.rows {
            Rows::Settled(settled) => Box::new(settled.prefix(space, prefix)?),
            Rows::Replayed { spaces, snapshot, .. } => Box::new(
                snapshot
                    .prefix(&spaces[space], prefix)
                    .map(|row| row.into_inner().map_err(failed("read rows"))),
            ),
        })
    }
}
