//! Which events are still recognised when they are delivered again?
//!
//! For ever, unless the job keeps a window: then each event's row has a second one under its source
//! and the day on which it happened, and what lies whole days before the window of its source is
//! forgotten, some rows at a time. Both kinds of rows move in the commits that they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fjall::Slice;

use super::keyspace::{Space, Writes, failed};
use super::row::{decode, encode};
use super::store::Store;
use super::view::View;
use crate::error::{Error, Result};
use crate::record::{EventKey, Micros};

/// What the keys of the latest event times begin with, in [`Space::Meta`].
const LATEST_PREFIX: u8 = b'w';
/// What the keys of events by day begin with, in [`Space::Meta`].
const DAY_PREFIX: u8 = b'e';

const MICROS_A_DAY: Micros = 86_400_000_000;
const SOURCE_BYTES: usize = 8;
/// The prefix, the source, the day and the event.
const DAY_KEY_BYTES: usize = 1 + SOURCE_BYTES + 4 + 16;

/// The most events that are forgotten at once, which bounds the batch.
const FORGOTTEN_MAX: usize = 50_000;

/// The time of the latest event of each source.
pub type LatestTimes = BTreeMap<Arc<str>, Micros>;

fn source_bytes(source: &str) -> [u8; SOURCE_BYTES] {
    let mut bytes = [0; SOURCE_BYTES];
    bytes.copy_from_slice(&blake3::hash(source.as_bytes()).as_bytes()[..SOURCE_BYTES]);
    bytes
}

fn day_prefix(source: &str) -> [u8; 1 + SOURCE_BYTES] {
    let mut prefix = [DAY_PREFIX; 1 + SOURCE_BYTES];
    prefix[1..].copy_from_slice(&source_bytes(source));
    prefix
}

/// The key under which an event lies by the day on which it happened.
fn day_key(source: &str, day: u32, event: [u8; 16]) -> [u8; DAY_KEY_BYTES] {
    let mut key = [0; DAY_KEY_BYTES];
    let (prefix, rest) = key.split_at_mut(1 + SOURCE_BYTES);
    prefix.copy_from_slice(&day_prefix(source));
    rest[..4].copy_from_slice(&day.to_be_bytes());
    rest[4..].copy_from_slice(&event);
    key
}

/// Days since 1970; event times are not before that.
fn day(at: Micros) -> u32 {
    u32::try_from(at / MICROS_A_DAY).unwrap_or(0)
}

/// Notes when the events of a window happened, and how far their sources are.
pub(super) fn write(
    expiring: &[(Arc<str>, Micros, EventKey)],
    latest: &LatestTimes,
    writes: &mut Writes,
) -> Result<()> {
    for (source, at, event) in expiring {
        writes.put(Space::Meta, day_key(source, day(*at), event.0), encode(&())?);
    }
    for (source, at) in latest {
        let mut key = [LATEST_PREFIX; 1 + SOURCE_BYTES];
        key[1..].copy_from_slice(&source_bytes(source));
        writes.put(Space::Meta, key, encode(&(source, at))?);
    }
    Ok(())
}

/// The keys under which events lie by day.
pub(super) fn days_of(view: &View, events: &BTreeSet<EventKey>) -> Result<Vec<Slice>> {
    let mut keys = Vec::new();
    for row in view.scan(Space::Meta, &[DAY_PREFIX]) {
        let (key, _) = row?;
        let event = key.get(DAY_KEY_BYTES - 16..).and_then(|event| event.try_into().ok());
        if event.is_some_and(|event| events.contains(&EventKey(event))) {
            keys.push(key);
        }
    }
    Ok(keys)
}

impl View {
    /// The time of the latest event of each source, since the job keeps a window.
    pub fn latest_times(&self) -> Result<LatestTimes> {
        self.scan(Space::Meta, &[LATEST_PREFIX]).map(|row| decode("meta", &row?.1)).collect()
    }
}

impl Store {
    /// Forgets events of each source that happened on days before a time; returns how many. More
    /// may be left for the next call.
    pub fn forget_events(&mut self, before: &LatestTimes) -> Result<u64> {
        let mut writes = Writes::default();
        for (source, before) in before {
            let from = day_key(source, 0, [0; 16]);
            let to = day_key(source, day(*before), [0; 16]);
            for row in self.rows(Space::Meta).range(from..to) {
                if writes.len() >= 2 * FORGOTTEN_MAX {
                    break;
                }
                let key: Slice = row.key().map_err(failed("read events by day"))?;
                let event = key.get(DAY_KEY_BYTES - 16..).map(ToOwned::to_owned);
                let damaged = || Error::data("state: a key of events by day is damaged");
                writes.delete(Space::Events, event.ok_or_else(damaged)?);
                writes.delete(Space::Meta, key);
            }
        }
        let forgotten = writes.len() as u64 / 2;
        if forgotten > 0 {
            self.write_rows(writes)?;
        }
        Ok(forgotten)
    }
}
