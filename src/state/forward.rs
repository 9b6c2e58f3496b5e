//! What waits for topics?
//!
//! What goes to a topic is put into the outbox by the commit that it is of, once more than for the
//! tables, so neither waits for the other. It leaves the outbox in the order in which it came, after
//! the topic has it: a crash in between delivers it once more.
//!
//! Which topics are followed is said by the state itself ([`Store::follow`]), so whoever commits,
//! a job or a command, forwards.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::commit::Commit;
use super::keyspace::{Keyspaces, Outbox, Space, Writes, failed, key_bytes, outbox_key};
use super::row::{decode, decode_chunk, encode, encode_chunks};
use super::store::Store;
use super::view::View;
use crate::error::Result;
use crate::profile::{Change, Move};
use crate::record::{IdentityId, RecordKey};

/// The key of what is followed.
const FOLLOWED_KEY: &[u8] = b"onefold/topics";
/// Identities in one chunk: their profiles are made at once.
const IDENTITIES_AT_ONCE: usize = 500;

/// Where a chunk of rows lies in the outbox: its commit, and its number within that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(super) sequence: u64,
    pub(super) ordinal: u32,
}

impl Place {
    pub(super) fn of(key: &[u8]) -> Result<Self> {
        let [_, a, b, c, d, e, f, g, h, ordinal @ ..] = key_bytes::<13>(Space::Outbox, key)?;
        let sequence = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Ok(Self { sequence, ordinal: u32::from_be_bytes(ordinal) })
    }

    fn next(self) -> (u64, u32) {
        match self.ordinal.checked_add(1) {
            Some(ordinal) => (self.sequence, ordinal),
            None => (self.sequence + 1, 0),
        }
    }
}

/// Rows that wait, in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where they lie, ascending; empty where none waits.
    pub places: Vec<Place>,
}

/// Which topics are followed, each by a name that changes with it; `None`: there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// That of profiles.
    pub profiles: Option<String>,
    /// That of changes.
    pub changes: Option<String>,
}

/// What waits for a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Identities whose profile changed.
    Profiles,
    /// What `identity_changes` says.
    Changes,
}

impl Forwarded {
    pub(super) const fn kind(self) -> Outbox {
        match self {
            Self::Profiles => Outbox::TopicProfiles,
            Self::Changes => Outbox::TopicChanges,
        }
    }

    fn rows_in(self, chunk: &[u8]) -> Result<u64> {
        Ok(match self {
            Self::Profiles => decode_chunk::<IdentityId>("outbox", chunk)?.len() as u64,
            Self::Changes => decode_chunk::<Said>("outbox", chunk)?.len() as u64,
        })
    }
}

/// A row of `identity_changes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// About an identity.
    Identity(Change),
    /// About a record.
    Record(Move),
}

/// The same, to be written.
#[derive(Serialize)]
enum Saying<'a> {
    Identity(&'a Change),
    Record(&'a Move),
}

/// What a state remembers of its topics.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    followed: Followed,
    /// How many rows wait for each topic.
    profiles: u64,
    changes: u64,
}

impl Forwarding {
    pub(super) fn read(spaces: &Keyspaces) -> Result<Followed> {
        let row = spaces[Space::Meta].get(FOLLOWED_KEY).map_err(failed("read topics"))?;
        row.map_or_else(|| Ok(Followed::default()), |row| decode("meta", &row))
    }

    fn count(&mut self, what: Forwarded) -> &mut u64 {
        match what {
            Forwarded::Profiles => &mut self.profiles,
            Forwarded::Changes => &mut self.changes,
        }
    }
}

impl View {
    /// The rows of one kind behind a place, or the first; chunk by chunk until they are of `bytes` or more.
    pub(super) fn waiting<T: DeserializeOwned>(
        &self,
        kind: Outbox,
        after: Option<Place>,
        bytes: usize,
        size: impl Fn(&T) -> usize,
    ) -> Result<Waiting<T>> {
        let mut waiting = Waiting { rows: Vec::new(), places: Vec::new() };
        let mut total = 0;
        for row in self.outbox_from(kind, after.map_or((0, 0), Place::next)) {
            let (key, chunk) = row?;
            let rows: Vec<T> = decode_chunk("outbox", &chunk)?;
            total += rows.iter().map(&size).sum::<usize>();
            waiting.rows.extend(rows);
            waiting.places.push(Place::of(&key)?);
            if total >= bytes {
                break;
            }
        }
        Ok(waiting)
    }

    /// How many rows of one kind wait.
    pub(super) fn count_waiting<T: DeserializeOwned>(&self, kind: Outbox) -> Result<u64> {
        self.outbox_from(kind, (0, 0)).try_fold(0, |count, row| {
            let rows: Vec<T> = decode_chunk("outbox", &row?.1)?;
            Ok(count + rows.len() as u64)
        })
    }

    /// How many rows wait for topics.
    pub(super) fn topics_waiting(&self) -> Result<u64> {
        let profiles = self.count_waiting::<IdentityId>(Outbox::TopicProfiles)?;
        Ok(profiles + self.count_waiting::<Said>(Outbox::TopicChanges)?)
    }

    /// Identities that changed and whose topic does not know, behind a place; about `count` at once, some of them
    /// twice.
    pub fn profiles_waiting(
        &self,
        after: Option<Place>,
        count: usize,
    ) -> Result<Waiting<IdentityId>> {
        self.waiting(Outbox::TopicProfiles, after, count, |_| 1)
    }

    /// What `identity_changes` says and its topic does not know, behind a place, some `bytes` at once.
    pub fn changes_waiting(&self, after: Option<Place>, bytes: usize) -> Result<Waiting<Said>> {
        self.waiting(Outbox::TopicChanges, after, bytes, |_| size_of::<Said>())
    }
}

impl Store {
    /// Takes note of which topics are followed. One of profiles that is new gets all identities that ever were; what
    /// waits for one that is not followed any more is forgotten. Returns how many rows that were.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn follow(&mut self, wanted: Followed) -> Result<u64> {
        let before = Forwarding::read(&self.spaces)?;
        let mut forgotten = 0;
        if before != wanted {
            if before.changes != wanted.changes {
                forgotten += self.forget(Forwarded::Changes)?;
            }
            if before.profiles != wanted.profiles {
                forgotten += self.forget(Forwarded::Profiles)?;
                if wanted.profiles.is_some() {
                    self.say_identities()?;
                }
            }
            let mut writes = Writes::default();
            // Written last: what a crash cut short is begun again.
            writes.put(Space::Meta, FOLLOWED_KEY, encode(&wanted)?);
            self.write_rows(writes)?;
        }
        let view = self.view();
        let count = |is_followed, kind| -> Result<u64> {
            match (is_followed, kind) {
                (false, _) => Ok(0),
                (true, Forwarded::Profiles) => view.count_waiting::<IdentityId>(kind.kind()),
                (true, Forwarded::Changes) => view.count_waiting::<Said>(kind.kind()),
            }
        };
        self.forwarding = Forwarding {
            profiles: count(wanted.profiles.is_some(), Forwarded::Profiles)?,
            changes: count(wanted.changes.is_some(), Forwarded::Changes)?,
            followed: wanted,
        };
        Ok(forgotten)
    }

    /// Which topics are followed by what is committed from now on.
    pub(super) fn go_on_following(&mut self) -> Result<()> {
        self.forwarding.followed = Forwarding::read(&self.spaces)?;
        Ok(())
    }

    /// Which topics are followed.
    pub fn followed(&self) -> &Followed {
        &self.forwarding.followed
    }

    /// How many rows wait for a topic, as [`Store::follow`] found and commits added.
    pub fn forwarded(&self, what: Forwarded) -> u64 {
        match what {
            Forwarded::Profiles => self.forwarding.profiles,
            Forwarded::Changes => self.forwarding.changes,
        }
    }

    /// Forgets rows that their topic has, and returns how many they were. This is no commit.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn clear_forwarded(&mut self, what: Forwarded, places: &[Place]) -> Result<u64> {
        let mut rows = 0;
        for Place { sequence, ordinal } in places {
            let key = outbox_key(what.kind(), *sequence, *ordinal);
            let chunk = self.spaces[Space::Outbox].get(key).map_err(failed("read outbox"))?;
            rows += chunk.map_or(Ok(0), |chunk| what.rows_in(&chunk))?;
        }
        self.clear_places(what.kind(), places)?;
        let count = self.forwarding.count(what);
        *count = count.saturating_sub(rows);
        Ok(rows)
    }

    pub(super) fn clear_places(&mut self, kind: Outbox, places: &[Place]) -> Result<()> {
        let mut writes = Writes::default();
        for Place { sequence, ordinal } in places {
            writes.delete(Space::Outbox, outbox_key(kind, *sequence, *ordinal));
        }
        self.write_rows(writes)
    }

    /// Forgets what still was to be said of records that are erased, but for that they are gone, and what commits said of
    /// them that came after the one with each.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn forget_moves_of(&mut self, records: &BTreeMap<RecordKey, u64>) -> Result<()> {
        let is_kept = |said: &Said| match said {
            Said::Identity(_) => true,
            Said::Record(row) => {
                row.is_removed || records.get(&row.record).is_none_or(|last| row.epoch > *last)
            }
        };
        let gone = self.keep_waiting(Outbox::TopicChanges, is_kept)?;
        self.forwarding.changes = self.forwarding.changes.saturating_sub(gone);
        Ok(())
    }

    /// Forgets the rows of one kind that are not to be kept, and returns how many they were.
    pub(super) fn keep_waiting<T: Serialize + DeserializeOwned>(
        &mut self,
        kind: Outbox,
        is_kept: impl Fn(&T) -> bool,
    ) -> Result<u64> {
        let (mut writes, mut gone) = (Writes::default(), 0);
        for row in self.view().outbox_from(kind, (0, 0)) {
            let (key, chunk) = row?;
            let mut rows: Vec<T> = decode_chunk("outbox", &chunk)?;
            let before = rows.len();
            rows.retain(&is_kept);
            gone += (before - rows.len()) as u64;
            match encode_chunks(&rows)?.pop() {
                _ if rows.len() == before => {}
                // Fewer rows than were in one chunk are in one chunk.
                Some(chunk) => writes.put(Space::Outbox, key, chunk),
                None => writes.delete(Space::Outbox, key),
            }
        }
        if gone > 0 {
            self.write_rows(writes)?;
        }
        Ok(gone)
    }

    /// Adds what a commit has for topics; returns how many rows that are, of profiles and of changes.
    pub(super) fn forward(
        &self,
        commit: &Commit,
        sequence: u64,
        writes: &mut Writes,
    ) -> Result<(u64, u64)> {
        let mut rows = (0, 0);
        if self.forwarding.followed.profiles.is_some() {
            rows.0 = commit.touched.len() as u64;
            write_identities(sequence, &commit.touched, writes)?;
        }
        if self.forwarding.followed.changes.is_some() {
            let moves = commit.moves.iter().map(Saying::Record);
            let said: Vec<Saying<'_>> =
                commit.changes.iter().map(Saying::Identity).chain(moves).collect();
            rows.1 = said.len() as u64;
            for (ordinal, chunk) in (0_u32..).zip(encode_chunks(&said)?) {
                let key = outbox_key(Outbox::TopicChanges, sequence, ordinal);
                writes.put(Space::Outbox, key, chunk);
            }
        }
        Ok(rows)
    }

    /// Takes note that a commit was made with that many rows for topics; `anew` where those before were forgotten.
    pub(super) fn forwarded_more(&mut self, (profiles, changes): (u64, u64), anew: bool) {
        let before =
            if anew { (0, 0) } else { (self.forwarding.profiles, self.forwarding.changes) };
        self.forwarding.profiles = before.0 + profiles;
        self.forwarding.changes = before.1 + changes;
    }

    fn forget(&mut self, what: Forwarded) -> Result<u64> {
        let view = self.view();
        let count = match what {
            Forwarded::Profiles => view.count_waiting::<IdentityId>(what.kind())?,
            Forwarded::Changes => view.count_waiting::<Said>(what.kind())?,
        };
        let places = view.outbox_from(what.kind(), (0, 0)).map(|row| Place::of(&row?.0));
        let places: Vec<Place> = places.collect::<Result<_>>()?;
        if !places.is_empty() {
            self.clear_places(what.kind(), &places)?;
        }
        Ok(count)
    }

    /// Has all identities said that ever were, those that ended too: the topic may know of them from before.
    fn say_identities(&mut self) -> Result<()> {
        let view = self.view();
        let ids: Vec<IdentityId> =
            view.identities().map(|row| row.map(|row| row.id)).collect::<Result<_>>()?;
        let mut writes = Writes::default();
        write_identities(view.sequence(), &ids, &mut writes)?;
        if writes.len() > 0 { self.write_rows(writes) } else { Ok(()) }
    }
}

fn write_identities(sequence: u64, ids: &[IdentityId], writes: &mut Writes) -> Result<()> {
    for (ordinal, some) in (0_u32..).zip(ids.chunks(IDENTITIES_AT_ONCE)) {
        for chunk in encode_chunks(some)? {
            writes.put(Space::Outbox, outbox_key(Outbox::TopicProfiles, sequence, ordinal), chunk);
        }
    }
    Ok(())
}
