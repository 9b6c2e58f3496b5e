//! What is left of somebody who was erased?
//!
//! A mark of each event and record, by which a replay is recognised, and nothing else: a keyed hash
//! under a secret of this state, so that only who has the state can tell whether something was in it.
//! An erasure is a commit like any other; what must still be done outside the state (tables,
//! snapshots, bytes on the disk) is kept with it as a [`PendingErasure`] until it is done.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::keyspace::{Keyspaces, Space, Writes, failed, judgement_key, key_bytes};
use super::row::{NodeId, decode, encode};
use super::store::Store;
use super::view::View;
use super::window;
use crate::error::{Context, Error, Kind, Result};
use crate::record::{EventKey, IdentityId, Micros, Origin, Pair, RecordKey};

/// The key of the secret under which marks are made.
const SECRET_KEY: &[u8] = b"onefold/erasure/secret";
/// What the keys of erasures begin with that are not done yet.
pub(super) const PENDING_PREFIX: u8 = b'q';
/// What the keys of requests begin with that are still to be taken up.
const ASKED_PREFIX: u8 = b'a';
/// What the keys of marks begin with.
const MARK_PREFIX: u8 = b'x';
const MARK_BYTES: usize = 17;

/// What one erasure takes out of the state, beside the nodes that its commit removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Events of the person that the state need not know any more; those it knows are found.
    pub events: Vec<EventKey>,
    /// What was judged of its records.
    pub judgements: Vec<Pair>,
    /// What must follow, by request.
    pub pending: Vec<PendingErasure>,
}

/// Somebody asked by an event to be forgotten, and nothing was done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ErasureAsked {
    /// The record of the event.
    pub record: RecordKey,
    /// When they asked.
    pub at: Micros,
}

/// An erasure that the state has and something else may still lack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingErasure {
    /// Its name.
    pub id: [u8; 10],
    /// When it was asked for.
    pub at: Micros,
    /// When the state took it up, by this machine's clock.
    pub begun: Micros,
    /// By what the person was found; never the value.
    pub by: String,
    /// The identities that are no more.
    pub identities: Vec<IdentityId>,
    /// The records that are no more.
    pub records: Vec<ErasedRecord>,
    /// The dead letters that name the person.
    pub letters: Vec<Origin>,
    /// The events that are no more, as far as the tables had them.
    pub events: Vec<EventKey>,
    /// The commit that began it: what later ones say of the same records is of somebody new.
    pub commit: u64,
}

impl PendingErasure {
    /// Each record, with the commit that took it out; of a record that came again, the last.
    pub fn commits(&self) -> impl Iterator<Item = (RecordKey, u64)> {
        self.records.iter().map(|record| (record.key, self.commit))
    }
}

/// A record that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRecord {
    /// Its name.
    pub key: RecordKey,
    /// Whether it was a row with a key of its own: such a row never comes back; what events said may be said anew by
    /// later ones.
    pub is_row: bool,
}

/// The secret of a state, by which it knows again what was erased from it.
pub(super) struct Secret([u8; 32]);

impl Secret {
    pub(super) fn read(spaces: &Keyspaces) -> Result<Option<Self>> {
        let row = spaces[Space::Meta].get(SECRET_KEY).map_err(failed("read erasures"))?;
        row.map(|row| decode("meta", &row).map(Self)).transpose()
    }

    fn draw() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).context(Kind::Internal, "draw a secret")?;
        Ok(Self(bytes))
    }

    fn mark(&self, what: u8, key: &[u8; 16]) -> [u8; MARK_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[what]).update(key);
        let mut mark = [MARK_PREFIX; MARK_BYTES];
        mark[1..].copy_from_slice(&hasher.finalize().as_bytes()[..MARK_BYTES - 1]);
        mark
    }

    fn of_event(&self, event: &EventKey) -> [u8; MARK_BYTES] {
        self.mark(b'e', &event.0)
    }

    fn of_record(&self, record: &RecordKey) -> [u8; MARK_BYTES] {
        self.mark(b'r', &record.0)
    }

    /// Whether an event was erased.
    pub(super) fn knows_event(&self, spaces: &Keyspaces, event: &EventKey) -> Result<bool> {
        spaces[Space::Meta].contains_key(self.of_event(event)).map_err(failed("read erasures"))
    }
}

/// What the keys of the requests of a record begin with.
fn asked_prefix(record: &RecordKey) -> [u8; 17] {
    let mut key = [ASKED_PREFIX; 17];
    key[1..].copy_from_slice(&record.0);
    key
}

/// Adds requests to `writes`; those of one record lie side by side, for none is read here.
pub(super) fn write_asked(asked: &[ErasureAsked], writes: &mut Writes) -> Result<()> {
    for it in asked {
        let key = [&asked_prefix(&it.record)[..], &it.at.to_be_bytes()].concat();
        writes.put(Space::Meta, key, encode(it)?);
    }
    Ok(())
}

fn delete_asked(view: &View, record: &RecordKey, writes: &mut Writes) -> Result<()> {
    for row in view.scan(Space::Meta, &asked_prefix(record)) {
        writes.delete(Space::Meta, row?.0);
    }
    Ok(())
}

fn pending_key(id: &[u8; 10]) -> [u8; 11] {
    let mut key = [PENDING_PREFIX; 11];
    key[1..].copy_from_slice(id);
    key
}

/// Whether a row of [`Space::Meta`] says what must still be done elsewhere; such rows are in no copy of
/// a state, and gone when it was written anew.
pub(super) fn is_pending(space: Space, key: &[u8]) -> bool {
    space == Space::Meta && key.len() == 11 && key.first() == Some(&PENDING_PREFIX)
}

impl Store {
    /// Up to when what was said of a record is erased and stays so; `None` of a record that never was.
    pub fn erased_until(&self, record: &RecordKey) -> Result<Option<Micros>> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let row = self.rows(Space::Meta).get(secret.of_record(record));
        row.map_err(failed("read erasures"))?.map(|row| decode("meta", &row)).transpose()
    }

    /// A keyed hash of `bytes` that only this state can make: what it signs it knows again.
    ///
    /// **Errors:** `Invalid` where nothing was ever erased from it.
    pub fn sign(&self, bytes: &[u8]) -> Result<[u8; 32]> {
        let secret = self.secret.as_ref().ok_or_else(|| {
            Error::invalid("state: nothing was erased from it, so it signed no receipt")
        })?;
        let key = blake3::derive_key("onefold erasure receipt", &secret.0);
        Ok(*blake3::keyed_hash(&key, bytes).as_bytes())
    }

    /// Adds to `writes` what an erasure leaves and takes. `removed` are the nodes that go.
    pub(super) fn write_erasure(
        &mut self,
        erasure: &Erasure,
        removed: &BTreeSet<NodeId>,
        writes: &mut Writes,
    ) -> Result<()> {
        let secret = match self.secret.take() {
            Some(secret) => secret,
            None => Secret::draw()?,
        };
        writes.put(Space::Meta, SECRET_KEY, encode(&secret.0)?);
        let view = self.view();
        let mut events: BTreeSet<EventKey> = erasure.events.iter().copied().collect();
        for row in view.scan(Space::Events, &[]) {
            let (key, node) = row?;
            let event = EventKey(key_bytes(Space::Events, &key)?);
            if events.contains(&event) || removed.contains(&decode("events", &node)?) {
                writes.delete(Space::Events, key);
                events.insert(event);
            }
        }
        for key in window::days_of(&view, &events)? {
            writes.delete(Space::Meta, key);
        }
        for event in &events {
            writes.put(Space::Meta, secret.of_event(event), encode(&Micros::MAX)?);
        }
        for pending in &erasure.pending {
            for ErasedRecord { key, is_row } in &pending.records {
                let until = if *is_row { Micros::MAX } else { pending.at };
                writes.put(Space::Meta, secret.of_record(key), encode(&until)?);
                delete_asked(&view, key, writes)?;
            }
            writes.put(Space::Meta, pending_key(&pending.id), encode(pending)?);
        }
        for pair in &erasure.judgements {
            writes.delete(Space::Meta, judgement_key(pair));
        }
        self.secret = Some(secret);
        Ok(())
    }
}

impl Store {
    /// Forgets requests: of records that are not there any more, nothing is to be erased.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn forget_asked(&mut self, records: &[RecordKey]) -> Result<()> {
        let (view, mut writes) = (self.view(), Writes::default());
        for record in records {
            delete_asked(&view, record, &mut writes)?;
        }
        if writes.len() > 0 { self.write_rows(writes) } else { Ok(()) }
    }
}

impl View {
    /// The records whose customers ask to be forgotten, which is still to be taken up, and when they last asked.
    pub fn erasures_asked(&self) -> Result<BTreeMap<RecordKey, Micros>> {
        let mut asked = BTreeMap::new();
        for row in self.scan(Space::Meta, &[ASKED_PREFIX]) {
            let ErasureAsked { record, at } = decode("meta", &row?.1)?;
            let last = asked.entry(record).or_insert(at);
            *last = at.max(*last);
        }
        Ok(asked)
    }

    /// The erasures that something may still lack, by name.
    pub fn pending_erasures(&self) -> Result<Vec<PendingErasure>> {
        let rows = self.scan(Space::Meta, &[PENDING_PREFIX]);
        rows.map(|row| decode("meta", &row?.1)).collect()
    }
}
