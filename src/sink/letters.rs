//! How do dead letters get into a topic?
//!
//! Each is produced as it was read: its bytes as the value, its key, its headers, and behind those
//! the ones that tell where it came from and why it could not be used ([`LETTER`] and the others).
//! What a broker finds too large comes without its payload, and says so ([`OMITTED`]).
//! The letters of one partition of a source go to one partition of the topic, in their order
//! ([`topic`](super::topic)).

use rdkafka::message::{Header, OwnedHeaders};

use super::topic::{Mail, Part};
use crate::record::{DeadLetter, Envelope, Origin};

pub use super::topic::OMITTED;

/// Names the letter, the same however often it comes: source, partition and offset, as
/// `onefold dead-letter PIPELINE show` takes them.
pub const LETTER: &str = "onefold.letter";
/// The pipeline.
pub const PIPELINE: &str = "onefold.pipeline";
/// The source that it was read from.
pub const SOURCE: &str = "onefold.source";
/// The partition of the source: `topic/partition`, or a file.
pub const PARTITION: &str = "onefold.partition";
/// Its offset there.
pub const OFFSET: &str = "onefold.offset";
/// Why it could not be used.
pub const REASON: &str = "onefold.reason";
/// Which pointer or column, and what was expected there; never a value.
pub const DETAIL: &str = "onefold.detail";
impl Mail for DeadLetter {
    fn bytes(&self) -> usize {
        Self::bytes(self)
    }

    fn route(&self) -> Option<u64> {
        let mut hasher = blake3::Hasher::new_derive_key("onefold dead letter partition");
        hasher.update(&(self.origin.source.len() as u64).to_le_bytes());
        hasher.update(self.origin.source.as_bytes());
        hasher.update(self.origin.partition.as_bytes());
        let mut number = [0; 8];
        number.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Some(u64::from_le_bytes(number))
    }

    fn key(&self, part: Part) -> Option<&[u8]> {
        envelope(self, part)?.key.as_deref()
    }

    fn value(&self, part: Part) -> Option<&[u8]> {
        Some(if part == Part::Whole { &self.payload } else { &[] })
    }

    fn headers(&self, part: Part, pipeline: &str) -> OwnedHeaders {
        headers(self, envelope(self, part), part, pipeline)
    }
}

/// What came with a letter, as far as it is sent.
fn envelope(letter: &DeadLetter, part: Part) -> Option<&Envelope> {
    letter.envelope.as_deref().filter(|_| part != Part::Bare)
}

/// What stands in the header [`LETTER`].
fn name(origin: &Origin) -> String {
    let Origin { source, partition, offset } = origin;
    format!("{source} {partition} {offset}")
}

/// The headers of a letter: its own first, so that the last of a name is ours.
fn headers(
    letter: &DeadLetter,
    envelope: Option<&Envelope>,
    part: Part,
    pipeline: &str,
) -> OwnedHeaders {
    let mut all = OwnedHeaders::new();
    for header in envelope.iter().flat_map(|envelope| &envelope.headers) {
        all = all.insert(Header { key: &header.name, value: header.value.as_deref() });
    }
    let DeadLetter { origin, reason, detail, payload: _, envelope: _ } = letter;
    let (letter, offset) = (name(origin), origin.offset.to_string());
    let omitted = match part {
        Part::Whole => None,
        Part::WithoutPayload => Some((OMITTED, "payload")),
        Part::Bare => Some((OMITTED, "payload, key, headers")),
    };
    let ours = [
        (LETTER, letter.as_str()),
        (PIPELINE, pipeline),
        (SOURCE, &origin.source),
        (PARTITION, &origin.partition),
        (OFFSET, &offset),
        (REASON, reason.name()),
        (DETAIL, detail),
    ];
    ours.into_iter()
        .chain(omitted)
        .fold(all, |all, (key, value)| all.insert(Header { key, value: Some(value.as_bytes()) }))
}

#[cfg(test)]
mod tests;
