//! Which dead letters wait for their topic?
//!
//! Where letters go to a topic, a commit puts them into the outbox twice: once for the table, once
//! for the topic. So neither waits for the other. They leave it in the order in which they came.

use std::collections::BTreeSet;

use super::forward::{Place, Waiting};
use super::keyspace::Outbox;
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
        let is_kept = |letter: &DeadLetter| !origins.contains(&letter.origin);
        self.keep_waiting(Outbox::Letters, is_kept).map(drop)
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
