//! Which dead letters wait for their topic?
//!
//! Where letters go to a topic, a commit puts them into the outbox twice: once for the table, once
//! for the topic. So neither waits for the other. They leave it in the order in which they came.

use std::collections::BTreeSet;

use super::keyspace::{Outbox, Space, Writes, key_bytes, outbox_key};
use super::row::{decode_chunk, encode_chunks};
use super::store::Store;
use super::view::View;
use crate::error::Result;
use crate::record::{DeadLetter, Origin};

/// Where a chunk of letters lies in the outbox: its commit, and its number within that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterPlace {
    sequence: u64,
    ordinal: u32,
}

impl LetterPlace {
    fn of(key: &[u8]) -> Result<Self> {
        let [_, a, b, c, d, e, f, g, h, ordinal @ ..] = key_bytes::<13>(Space::Outbox, key)?;
        let sequence = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Ok(Self { sequence, ordinal: u32::from_be_bytes(ordinal) })
    }
}

/// Letters that wait, in the order of commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingLetters {
    /// The letters.
    pub letters: Vec<DeadLetter>,
    /// Where they lie, ascending; empty where none waits.
    pub places: Vec<LetterPlace>,
}

impl View {
    /// The next letters behind a place, or the first; chunk by chunk until they are of `bytes` or
    /// more.
    pub fn letters(&self, after: Option<LetterPlace>, bytes: usize) -> Result<WaitingLetters> {
        let from = after.map_or((0, 0), |it| match it.ordinal.checked_add(1) {
            Some(ordinal) => (it.sequence, ordinal),
            None => (it.sequence + 1, 0),
        });
        let mut waiting = WaitingLetters::default();
        let mut size = 0;
        for row in self.outbox_from(Outbox::Letters, from) {
            let (key, chunk) = row?;
            let letters: Vec<DeadLetter> = decode_chunk("outbox", &chunk)?;
            size += letters.iter().map(DeadLetter::bytes).sum::<usize>();
            waiting.letters.extend(letters);
            waiting.places.push(LetterPlace::of(&key)?);
            if size >= bytes {
                break;
            }
        }
        Ok(waiting)
    }

    /// How many letters wait.
    pub fn letters_waiting(&self) -> Result<u64> {
        self.outbox_from(Outbox::Letters, (0, 0)).try_fold(0, |count, row| {
            let letters: Vec<DeadLetter> = decode_chunk("outbox", &row?.1)?;
            Ok(count + letters.len() as u64)
        })
    }
}

impl Store {
    /// Forgets letters that their topic has. This is no commit.
    ///
    /// **Errors:** as of [`Store::commit`].
    pub fn clear_letters(&mut self, places: &[LetterPlace]) -> Result<()> {
        let mut writes = Writes::default();
        for LetterPlace { sequence, ordinal } in places {
            writes.delete(Space::Outbox, outbox_key(Outbox::Letters, *sequence, *ordinal));
        }
        self.write_rows(writes)
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
            let places = places.map(|row| LetterPlace::of(&row?.0)).collect::<Result<Vec<_>>>()?;
            self.clear_letters(&places)?;
        }
        Ok(count)
    }
}
