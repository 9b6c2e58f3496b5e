//! What do the rows look like, in memory and as bytes?
//!
//! A row is its version byte, then its fields as postcard. The version is the row's own: a field is
//! added by a new version and a second decoder, never by changing the first.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::record::{DeadLetter, Identity, IdentityId, Micros, Origin, Reason, RecordKey};
pub use crate::record::{NodeId, Positions};

/// A record node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    /// Its name by content.
    pub key: RecordKey,
    /// The source of its earliest event; of a keyed record, the source whose row it is.
    pub source: Arc<str>,
    /// The source's own row key; `None` for records made of events.
    pub record_id: Option<String>,
    /// What the matcher compares.
    pub identity: Identity,
    /// Time and key of an event: of the latest one of a keyed record, of the earliest one of any other.
    pub version: (Micros, [u8; 16]),
}

/// Evidence that two record nodes belong together; kept with the higher node.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// The lower node.
    pub lower: NodeId,
    /// Match weight, prior included. **Units:** bits.
    pub weight_bits: f64,
}

/// A durable identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRow {
    /// Its name.
    pub id: IdentityId,
    /// Whether it still has members, and where they went if not.
    pub status: Status,
    /// The commit that changed it last.
    pub version: u64,
}

/// What became of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It has members.
    Live,
    /// Its members belong to another identity, to which it forwards for ever.
    Merged {
        /// The identity that took them; it may have been merged itself since.
        into: IdentityId,
    },
    /// All its members are gone.
    Retired,
}

/// How many messages were read since the state began, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// All messages.
    pub read: u64,
    /// Those that count.
    pub resolved: u64,
    /// Those whose event was known already.
    pub duplicate: u64,
    /// Those that could not be used.
    pub dead_lettered: u64,
}

impl Counters {
    /// Whether nothing was lost: `read = resolved + duplicate + dead_lettered`.
    pub fn reconciles(&self) -> bool {
        self.read == self.resolved + self.duplicate + self.dead_lettered
    }
}

/// A dead letter as an earlier version of the program left it in the outbox.
#[derive(Deserialize)]
pub(super) struct BareDeadLetter {
    pub(super) origin: Origin,
    pub(super) reason: Reason,
    pub(super) detail: String,
    pub(super) payload: Vec<u8>,
}

impl From<BareDeadLetter> for DeadLetter {
    fn from(letter: BareDeadLetter) -> Self {
        let BareDeadLetter { origin, reason, detail, payload } = letter;
        Self { origin, reason, detail, payload: payload.into(), envelope: None }
    }
}

/// A node whose row of `identity_map` must be written or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingChange {
    /// The node.
    pub node: NodeId,
    /// The record's name, where the node was removed.
    pub removed: Option<RecordKey>,
}

/// The matching model that is frozen with the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// BLAKE3 of `bytes`.
    pub fingerprint: [u8; 32],
    /// The model file as it was given.
    pub bytes: Vec<u8>,
}

impl Model {
    /// The model that a file holds.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { fingerprint: *blake3::hash(bytes).as_bytes(), bytes: bytes.to_owned() }
    }
}

/// The one row that every batch rewrites: where the state stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The number of the batch, commits and everything else; ascends by one.
    pub batch: u64,
    /// The number of the last commit; 0 before the first.
    pub sequence: u64,
    /// The last commit whose outbox was cleared.
    pub published: u64,
    /// How often the state was opened for writing.
    pub epoch: u64,
    /// The next node to be given out.
    pub next_node: NodeId,
    /// How many nodes were removed.
    pub removed: u64,
    /// What became of the messages.
    pub counters: Counters,
    /// The time of the latest event so far; 0 before the first.
    pub max_event_time: Micros,
}

const ROW_VERSION: u8 = 1;

/// A row that looked otherwise in version 1 of its kind.
pub(super) trait Versioned: Serialize + DeserializeOwned {
    /// The version in which it is written.
    const VERSION: u8;
    /// What it was in version 1.
    type Before: DeserializeOwned + Into<Self>;
}

/// Encodes one row.
pub(super) fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>> {
    extend(vec![ROW_VERSION], row)
}

/// Encodes one row in its own version.
pub(super) fn encode_versioned<T: Versioned>(row: &T) -> Result<Vec<u8>> {
    extend(vec![T::VERSION], row)
}

/// Decodes one row; `name` says in an error what it was meant to be.
pub(super) fn decode<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T> {
    Rows::new(name, ROW_VERSION, bytes)?.only()
}

/// Decodes one row of its own version, or of version 1.
pub(super) fn decode_versioned<T: Versioned>(name: &str, bytes: &[u8]) -> Result<T> {
    match bytes.first() {
        Some(&ROW_VERSION) => decode::<T::Before>(name, bytes).map(Into::into),
        _ => Rows::new(name, T::VERSION, bytes)?.only(),
    }
}

/// Encodes many rows into compressed values of about `CHUNK_BYTES` each before compression; a row
/// is never divided.
pub(super) fn encode_chunks<T: Serialize>(rows: &[T]) -> Result<Vec<Vec<u8>>> {
    chunks_of(ROW_VERSION, rows)
}

/// The same of rows in their own version.
pub(super) fn encode_versioned_chunks<T: Versioned>(rows: &[T]) -> Result<Vec<Vec<u8>>> {
    chunks_of(T::VERSION, rows)
}

fn chunks_of<T: Serialize>(version: u8, rows: &[T]) -> Result<Vec<Vec<u8>>> {
    let mut chunks = Vec::new();
    let mut chunk = vec![version];
    for (ordinal, row) in rows.iter().enumerate() {
        chunk = extend(chunk, row)?;
        if chunk.len() >= CHUNK_BYTES || ordinal + 1 == rows.len() {
            let compressed = zstd::bulk::compress(&chunk, CHUNK_ZSTD_LEVEL)
                .context(Kind::Internal, "compress rows")?;
            chunks.push(compressed);
            chunk.truncate(1);
        }
    }
    Ok(chunks)
}

/// Decodes what [`encode_chunks`] made of rows.
pub(super) fn decode_chunk<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<Vec<T>> {
    let chunk = zstd::decode_all(bytes).map_err(|_| damaged(name))?;
    Rows::new(name, ROW_VERSION, &chunk)?.collect()
}

/// Decodes what [`encode_versioned_chunks`] made of rows, or [`encode_chunks`] of version 1.
pub(super) fn decode_versioned_chunk<T: Versioned>(name: &str, bytes: &[u8]) -> Result<Vec<T>> {
    let chunk = zstd::decode_all(bytes).map_err(|_| damaged(name))?;
    if chunk.first() == Some(&ROW_VERSION) {
        let rows = Rows::<T::Before>::new(name, ROW_VERSION, &chunk)?;
        return rows.map(|row| row.map(Into::into)).collect();
    }
    Rows::new(name, T::VERSION, &chunk)?.collect()
}

const CHUNK_BYTES: usize = 64 << 10;
const CHUNK_ZSTD_LEVEL: i32 = 1;

fn extend<T: Serialize>(bytes: Vec<u8>, row: &T) -> Result<Vec<u8>> {
    postcard::to_extend(row, bytes).context(Kind::Internal, "encode row")
}

fn damaged(name: &str) -> Error {
    Error::data(format!("state: a row of {name} is damaged"))
}

struct Rows<'a, T> {
    name: &'a str,
    rest: &'a [u8],
    row: std::marker::PhantomData<T>,
}

impl<'a, T> Rows<'a, T> {
    fn new(name: &'a str, version: u8, bytes: &'a [u8]) -> Result<Self> {
        match bytes.split_first() {
            Some((found, rest)) if *found == version => {
                Ok(Self { name, rest, row: std::marker::PhantomData })
            }
            Some((found, _)) => Err(Error::data(format!(
                "state: a row of {name} has version {found}, this program reads {version}"
            ))),
            None => Err(damaged(name)),
        }
    }
}

impl<T: DeserializeOwned> Rows<'_, T> {
    /// The one row that there is.
    fn only(mut self) -> Result<T> {
        let row = self.next().unwrap_or_else(|| Err(damaged(self.name)))?;
        if self.rest.is_empty() { Ok(row) } else { Err(damaged(self.name)) }
    }
}

impl<T: DeserializeOwned> Iterator for Rows<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.rest.is_empty() {
            return None;
        }
        // The error of the decoder says nothing that the name does not, and must not quote the row.
        Some(match postcard::take_from_bytes(self.rest) {
            Ok((row, rest)) => {
                self.rest = rest;
                Ok(row)
            }
            Err(_) => {
                self.rest = &[];
                Err(damaged(self.name))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_of_an_earlier_version_is_read() {
        // As postcard wrote it: two texts, a number, the reason's place, a text, bytes.
        let row = [b"\x03web\x05web/0\x07\x02\x01d\x02\x00\xff".as_slice()].concat();
        let chunk = [&[ROW_VERSION][..], &row].concat();
        let chunk = zstd::bulk::compress(&chunk, CHUNK_ZSTD_LEVEL).expect("it is compressed");
        let letters: Vec<BareDeadLetter> = decode_chunk("outbox", &chunk).expect("it is read");
        let letters: Vec<DeadLetter> = letters.into_iter().map(Into::into).collect();
        let expected = DeadLetter {
            origin: Origin { source: "web".into(), partition: "web/0".into(), offset: 7 },
            reason: Reason::WrongType,
            detail: "d".into(),
            payload: vec![0, 255].into(),
            envelope: None,
        };
        assert_eq!(letters, [expected]);
    }
}
