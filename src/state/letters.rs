//! Which dead letters wait for their topic?
//!
//! Where letters go to a topic, a commit puts them into the outbox twice: once for the table, once
//! for the topic. So neither waits for the other. They leave it in the order in which they came.

use std::collections::BTreeSet;

use super::forward::{Place, Waiting};
use super::keyspace::{Outbox, Space, Writes};
use super::row::{decode_chunk, encode_chunks};
use super::store::Store;
use super::view::View;
use crate::error::Result;
use crate::record::{DeadLetter, Origin};

impl View {
    /// The next letters behind a place, or the first; chunk by chunk until they are of `bytes` or
    /// more.
    pub fn letters(&self, after: Option<Place>, bytes: usize) -> Result<Waiting<DeadLetter>> {
        self.waiting(Outbox::Letters, after, bytes, DeadLetter::bytes)
    }

    /// How many letters wait.
    pub fn letters_waiting(&self) -> Result<u64> {
        self.count_waiting::<DeadLetter>(Outbox::Letters)
    }
}

impl Store {
    /// Forgets letters that their topic has. This is no commit.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn clear_letters(&mut self, places: &[Place]) -> Result<()> {
        self.clear_places(Outbox::Letters, places)
    }

    /// Forgets those letters that wait and were read at some places.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn forget_letters_of(&mut self, origins: &BTreeSet<Origin>) -> Result<()> {
        let mut writes = Writes::default();
        for row in self.view().outbox_from(Outbox::Letters, (0, 0)) {
            let (key, chunk) = row?;
            let mut letters: Vec<DeadLetter> = decode_chunk("outbox", &chunk)?;
            let before = letters.len();
            letters.retain(|letter| !origins.contains(&letter.origin));
            match encode_chunks(&letters)?.pop() {
                _ if letters.len() == before => {}
                // Fewer letters than were in one chunk are in one chunk.
                Some(chunk) => writes.put(Space::Outbox, key, chunk),
                None => writes.delete(Space::Outbox, key),
            }
        }
        if writes.len() > 0 { self.write_rows(writes) } else { Ok(()) }
    }

    /// Forgets all letters that wait, and returns how many there were: they are for no topic any
    /// more.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn forget_letters(&mut self) -> Result<u64> {
        let view = self.view();
        let count = view.letters_waiting()?;
        if count > 0 {
            let places = view.outbox_from(Outbox::Letters, (0, 0));
            let places = places.map(|row| Place::of(&row?.0)).collect::<Result<Vec<_>>>()?;
            self.clear_letters(&places)?;
        }
        Ok(count)
    }
}
