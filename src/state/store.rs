//! The door to the state: how is it opened, and how does a commit become durable?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use fjall::{Database, Keyspace};

use super::commit::Commit;
use super::database::{open_database, poisoned, write};
use super::erasure::Secret;
use super::folder::{Folder, Witness};
use super::forward::Forwarding;
use super::keyspace::{
    CARRIED_KEY, Keyspaces, MODEL_KEY, Outbox, Space, Writes, cluster_key, fact_key, failed,
    outbox_key, shared_key,
};
use super::row::{Counters, Head, Model, NodeId, decode, encode, encode_versioned};
use super::settled::{settle, unsettle};
use super::verify::{Report, verify};
use super::view::{View, is_known, node_of_event};
use crate::error::{Error, Result};
use crate::record::{EventKey, Field, IdentityId};

/// How a state is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory for blocks that were read. **Units:** bytes.
    pub cache_bytes: u64,
    /// Memory for rows that are durable in journals, and not yet in tables. **Units:** bytes.
    pub write_buffer_bytes: u64,
    /// Disk for closed journals, which bounds what opening replays: a second per 64 MiB or so.
    /// **Units:** bytes, at least 64 MiB.
    pub journal_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, write_buffer_bytes: 64 << 20, journal_bytes: 64 << 20 }
    }
}

/// Nodes whose facts lie in many rows. Readers note them; the next [`Store::clear_outbox`] folds
/// them.
pub(super) type Scattered = Arc<Mutex<BTreeSet<NodeId>>>;

/// The most nodes that one [`Store::clear_outbox`] folds, which bounds its batch.
const FOLDED_NODES_MAX: usize = 20_000;
/// The most rows of one batch while a state is brought up to date.
pub(super) const BATCH_ROWS_MAX: usize = 50_000;

/// What outlives a restart, open for writing by this process alone.
pub struct Store {
    pub(super) folder: Folder,
    /// `None` only while the state is written anew.
    pub(super) database: Option<Database>,
    pub(super) spaces: Keyspaces,
    pub(super) witness: Witness,
    pub(super) head: Head,
    pub(super) scattered: Scattered,
    /// Under which erasures are marked; `None` before the first.
    pub(super) secret: Option<Secret>,
    /// What goes to topics.
    pub(super) forwarding: Forwarding,
    pub(super) options: Options,
    pub(super) poisoned: bool,
    pub(super) is_settled: bool,
}

impl Store {
    /// Opens the state in the folder `path`, creating it where there is none, and takes the next
    /// epoch.
    ///
    /// **Errors:** `Fenced` while another process, or a [`View`] of an earlier `Store`, has it
    /// open; `Data` where it is of another format or lost something that was acknowledged;
    /// `Invalid` where the folder holds other files.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        let folder = Folder::open(path)?;
        unsettle(&folder)?;
        let acknowledged = Witness::read(&folder)?;
        let (database, spaces, mut head) = open_database(&folder, acknowledged, options)?;
        head.batch += 1;
        head.epoch += 1;
        write(&database, &spaces, Writes::default(), &head)?;
        let mut store = Self {
            witness: Witness::create(&folder, head.batch)?,
            secret: Secret::read(&spaces)?,
            forwarding: Forwarding::default(),
            folder,
            database: Some(database),
            spaces,
            head,
            scattered: Scattered::default(),
            options: *options,
            poisoned: false,
            is_settled: false,
        };
        if store.folder.is_older {
            store.bring_up_to_date()?;
        }
        store.go_on_following()?;
        Ok(store)
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("it is closed only while the state is written anew")
    }

    /// Makes one micro-batch durable, whole or not at all, and returns its number.
    ///
    /// **Errors:** after any error of a write the outcome is unknown, and every later write fails:
    /// open the state anew.
    pub fn commit(&mut self, commit: &Commit) -> Result<u64> {
        self.forget_index()?;
        let sequence = self.head.sequence + 1;
        let mut writes = Writes::default();
        if commit.carried_from.is_some() {
            self.forget_identities(&mut writes)?;
        }
        if commit.model.is_some() {
            // The commit holds all that the new model's index says of all records together.
            for space in [Space::Shared, Space::Capped] {
                self.make_equal(space, BTreeMap::new(), &mut writes)?;
            }
        }
        writes.append(commit.writes(sequence)?);
        let forwarded = self.forward(commit, sequence, &mut writes)?;
        self.move_members(commit, &mut writes)?;
        let mut head = commit.head_after(&self.head)?;
        let new_nodes = self.head.next_node..head.next_node;
        for node in commit.removed.iter().map(|(node, _)| *node).collect::<BTreeSet<_>>() {
            self.delete_facts(node, &mut writes)?;
            head.removed += u64::from(new_nodes.contains(&node) || self.holds_record(node)?);
        }
        if let Some(erasure) = &commit.erasure {
            let removed = commit.removed.iter().map(|(node, _)| *node).collect();
            self.write_erasure(erasure, &removed, &mut writes)?;
        }
        self.write(writes, head)?;
        self.forwarded_more(forwarded, commit.carried_from.is_some());
        Ok(sequence)
    }

    /// Sets what is derived from all records together: how many people use each identifier value
    /// that several use, and which blocking keys are over their cap. Returns how many rows were
    /// missing or wrong: none, unless another version of the program wrote the state.
    pub fn set_derived(
        &mut self,
        shared: &[(Field, Box<str>, f64)],
        capped: &[u64],
    ) -> Result<u64> {
        let mut writes = Writes::default();
        let shared = shared.iter().map(|(field, value, people)| {
            Ok((shared_key(*field, value).to_vec(), encode(people)?))
        });
        self.make_equal(Space::Shared, shared.collect::<Result<_>>()?, &mut writes)?;
        let capped = capped.iter().map(|key| Ok((key.to_be_bytes().to_vec(), encode(&())?)));
        self.make_equal(Space::Capped, capped.collect::<Result<_>>()?, &mut writes)?;
        let rows = writes.len() as u64;
        if rows > 0 {
            self.write(writes, self.head)?;
        }
        Ok(rows)
    }

    fn make_equal(
        &self,
        space: Space,
        mut wanted: BTreeMap<Vec<u8>, Vec<u8>>,
        writes: &mut Writes,
    ) -> Result<()> {
        for row in self.view().scan(space, &[]) {
            let (key, value) = row?;
            match wanted.remove(&*key) {
                Some(row) if *row == *value => {}
                Some(row) => writes.put(space, key, row),
                None => writes.delete(space, key),
            }
        }
        wanted.into_iter().for_each(|(key, row)| writes.put(space, key, row));
        Ok(())
    }

    /// Writes everything out, so that readers need no replay of journals until the state is opened
    /// for writing again; returns whether that went well. For the end of a job.
    pub fn settle(&mut self) -> Result<bool> {
        if self.poisoned {
            return Ok(false);
        }
        self.is_settled = settle(&self.folder, &self.spaces, self.head.batch)?;
        Ok(self.is_settled)
    }

    /// Forgets what was published: the outbox of all commits up to `through`, but for what is not for
    /// the tables.
    ///
    /// Also writes facts that lie scattered over many commits into one row.
    pub fn clear_outbox(&mut self, through: u64) -> Result<()> {
        if through > self.head.sequence {
            return Err(Error::internal("state: clear the outbox of a commit that is not there"));
        }
        let mut writes = Writes::default();
        // What was cleared before is not walked through again: the store keeps the marks of deleted rows for long.
        let first = self.head.published + 1;
        for kind in Outbox::TABLES.into_iter().filter(|_| first <= through) {
            let range = outbox_key(kind, first, 0)..=outbox_key(kind, through, u32::MAX);
            for row in self.spaces[Space::Outbox].range(range) {
                writes.delete(Space::Outbox, row.key().map_err(failed("read outbox"))?);
            }
        }
        self.fold_facts(&mut writes)?;
        let head = Head { published: self.head.published.max(through), ..self.head };
        self.write(writes, head)?;
        // What is published must not be forgotten, even by a power cut.
        self.witness.sync().inspect_err(|_| self.poisoned = true)
    }

    /// The number of the last commit; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.head.sequence
    }

    /// The last commit whose outbox was cleared.
    pub fn published(&self) -> u64 {
        self.head.published
    }

    /// The writer's epoch: how often the state was opened, this time included.
    pub fn epoch(&self) -> u64 {
        self.head.epoch
    }

    /// Takes a later epoch: the state may be a copy of one that was opened more often.
    pub fn raise_epoch(&mut self, epoch: u64) -> Result<()> {
        let epoch = self.head.epoch.max(epoch);
        self.write(Writes::default(), Head { epoch, ..self.head })
    }

    /// What became of the messages, as of the last commit.
    pub fn counters(&self) -> Counters {
        self.head.counters
    }

    /// The model that is frozen with the state; `None` before [`Store::set_model`].
    pub fn model(&self) -> Result<Option<Model>> {
        let row = self.spaces[Space::Meta].get(MODEL_KEY).map_err(failed("read model"))?;
        row.map(|row| decode("meta", &row)).transpose()
    }

    /// Freezes the model with the state; the same model again is no change.
    ///
    /// **Errors:** `Invalid` where the state holds another model: its records were resolved with
    /// that.
    pub fn set_model(&mut self, bytes: &[u8]) -> Result<()> {
        let model = Model::of(bytes);
        match self.model()? {
            Some(kept) if kept.fingerprint == model.fingerprint => Ok(()),
            Some(_) => Err(Error::invalid(
                "match.model: the state was built with another; use that, or a new state.path",
            )),
            None => {
                let mut writes = Writes::default();
                writes.put(Space::Meta, MODEL_KEY, encode(&model)?);
                self.write(writes, self.head)
            }
        }
    }

    /// Where ids were carried over from; `None` where they are the state's own.
    pub fn carried_from(&self) -> Result<Option<String>> {
        let row = self.spaces[Space::Meta].get(CARRIED_KEY).map_err(failed("read meta"))?;
        row.map(|row| decode("meta", &row)).transpose()
    }

    /// The node of an event that is known.
    pub fn node_of_event(&self, event: &EventKey) -> Result<Option<NodeId>> {
        node_of_event(&self.spaces, event)
    }

    /// For each event whether it is known, or erased. Fast for those that are not.
    pub fn events_seen(&self, events: &[EventKey]) -> Result<Vec<bool>> {
        let is_erased = |event| match &self.secret {
            Some(secret) => secret.knows_event(&self.spaces, event),
            None => Ok(false),
        };
        events.iter().map(|event| Ok(is_known(&self.spaces, event)? || is_erased(event)?)).collect()
    }

    /// The state as it is after the last commit. It stays so while this goes on, and can be read by
    /// other threads.
    pub fn view(&self) -> View {
        let snapshot = self.database().snapshot();
        View::new(self.head, self.spaces.clone(), snapshot, self.scattered.clone())
    }

    /// Reads everything and checks that it fits together.
    ///
    /// **Errors:** `Data` with the first contradiction.
    pub fn verify(&self) -> Result<Report> {
        verify(&self.view(), self.disk_bytes())
    }

    /// The disk space that the state takes. **Units:** bytes.
    pub fn disk_bytes(&self) -> u64 {
        self.folder.disk_bytes()
    }

    /// The rows of a keyspace as they are now.
    pub(super) fn rows(&self, space: Space) -> &Keyspace {
        &self.spaces[space]
    }

    /// Stands where another state stood, all of whose rows it has.
    pub(super) fn take_head(&mut self, head: Head) -> Result<()> {
        self.write(Writes::default(), Head { batch: self.head.batch, ..head })
    }

    /// Writes rows that belong to no commit.
    pub(super) fn write_rows(&mut self, writes: Writes) -> Result<()> {
        self.write(writes, self.head)
    }

    pub(super) fn write(&mut self, writes: Writes, mut head: Head) -> Result<()> {
        if self.poisoned {
            return Err(poisoned());
        }
        // Poisoned until it is known to have gone well.
        self.poisoned = true;
        if std::mem::take(&mut self.is_settled) {
            unsettle(&self.folder)?;
        }
        head.batch += 1;
        write(self.database(), &self.spaces, writes, &head)?;
        self.witness.record(head.batch)?;
        self.spaces.keep_within(self.options.write_buffer_bytes)?;
        self.head = head;
        self.poisoned = false;
        Ok(())
    }

    /// Keeps the members of each identity in step with the identity of each member.
    fn move_members(&self, commit: &Commit, writes: &mut Writes) -> Result<()> {
        for (node, identity) in commit.moves() {
            let row = self.spaces[Space::Members].get(node.to_be_bytes());
            let row = row.map_err(failed("read member"))?;
            let former: Option<IdentityId> = row.map(|row| decode("members", &row)).transpose()?;
            if former == identity {
                continue;
            }
            if let Some(former) = former {
                writes.delete(Space::Clusters, cluster_key(&former, node));
            }
            if let Some(identity) = identity {
                writes.put(Space::Clusters, cluster_key(&identity, node), encode(&())?);
            }
        }
        Ok(())
    }

    /// Deletes the identities, and what waits in the outbox about them.
    fn forget_identities(&self, writes: &mut Writes) -> Result<()> {
        if self.head.published > 0 {
            return Err(Error::internal("state: identities that were published must stay"));
        }
        for row in self.spaces[Space::Identities].iter() {
            writes.delete(Space::Identities, row.key().map_err(failed("read identities"))?);
        }
        let of_topics = [Outbox::TopicProfiles, Outbox::TopicChanges];
        for kind in [Outbox::Changes, Outbox::Moves, Outbox::Touched].into_iter().chain(of_topics) {
            let range = outbox_key(kind, 0, 0)..=outbox_key(kind, u64::MAX, u32::MAX);
            for row in self.spaces[Space::Outbox].range(range) {
                writes.delete(Space::Outbox, row.key().map_err(failed("read outbox"))?);
            }
        }
        Ok(())
    }

    fn holds_record(&self, node: NodeId) -> Result<bool> {
        self.spaces[Space::Records].contains_key(node.to_be_bytes()).map_err(failed("read record"))
    }

    fn delete_facts(&self, node: NodeId, writes: &mut Writes) -> Result<()> {
        for row in self.spaces[Space::Facts].prefix(node.to_be_bytes()) {
            writes.delete(Space::Facts, row.key().map_err(failed("read facts"))?);
        }
        Ok(())
    }

    fn fold_facts(&self, writes: &mut Writes) -> Result<()> {
        let nodes: Vec<NodeId> = {
            let mut scattered = self.scattered.lock().unwrap_or_else(PoisonError::into_inner);
            let nodes = scattered.iter().copied().take(FOLDED_NODES_MAX).collect();
            scattered.clear();
            nodes
        };
        let view = self.view();
        for node in nodes {
            // A node may have been removed since it was read: then there is nothing to fold.
            let Some((last, facts)) = view.fold(node)? else { continue };
            self.delete_facts(node, writes)?;
            writes.put(Space::Facts, fact_key(node, last), encode_versioned(&facts)?);
        }
        Ok(())
    }
}
