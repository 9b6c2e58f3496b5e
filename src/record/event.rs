//! What a message says: who, what and when, or why it says nothing that can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Consent, EventKey, Field, Micros, Suppression};

/// Where a message was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The source's name in the pipeline file.
    pub source: Arc<str>,
    /// `topic/partition` of a Kafka source, the object's URL or path of a file source.
    pub partition: Arc<str>,
    /// The Kafka offset, or the 0-based ordinal of the line or row within the file.
    pub offset: u64,
}

/// One message as its source's mapping reads it: placed in time, its identity still raw.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it was read.
    pub origin: Origin,
    /// The source's name for it; unique in its channel.
    pub event_id: String,
    /// The source's own row key, for exports whose rows have one: a newer version of the row
    /// replaces the older.
    pub record_id: Option<String>,
    /// The channel, e.g. `web`.
    pub channel: Arc<str>,
    /// The type within the channel, e.g. `purchase`.
    pub kind: Arc<str>,
    /// When it happened.
    pub occurred_at: Micros,
    /// Whether its ambiguous numeric dates name the month before the day.
    pub month_first: bool,
    /// Who it speaks of.
    pub identity: RawIdentity,
    /// What happened.
    pub details: Details,
    /// Whether the customer asks to be forgotten by it.
    pub asks_erasure: bool,
}

impl Event {
    /// The key under which a second delivery is recognised.
    pub fn key(&self) -> EventKey {
        EventKey::of(&self.channel, &self.event_id)
    }
}

/// What an identity field may be mapped from. The names are those of `[source.NAME.identity]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum RawField {
    FullName,
    GivenName,
    MiddleName,
    Surname,
    BirthDate,
    Email,
    Phone,
    /// The ISO 3166 country whose numbering plan a national phone number is in.
    PhoneRegion,
    /// A whole address in one text.
    Address,
    AddressLine,
    AddressLine2,
    House,
    Street,
    City,
    Region,
    Postcode,
    Country,
    Gender,
    Occupation,
    GovernmentId,
    Loyalty,
    Cookie,
    Device,
    Card,
    /// A field of one's own, by its slot; pipeline files name it as they declare it.
    #[serde(skip)]
    Custom(Field),
}

impl RawField {
    /// All but the fields of one's own, in order.
    pub const NAMED: [Self; 24] = [
        Self::FullName,
        Self::GivenName,
        Self::MiddleName,
        Self::Surname,
        Self::BirthDate,
        Self::Email,
        Self::Phone,
        Self::PhoneRegion,
        Self::Address,
        Self::AddressLine,
        Self::AddressLine2,
        Self::House,
        Self::Street,
        Self::City,
        Self::Region,
        Self::Postcode,
        Self::Country,
        Self::Gender,
        Self::Occupation,
        Self::GovernmentId,
        Self::Loyalty,
        Self::Cookie,
        Self::Device,
        Self::Card,
    ];
}

/// The identity-bearing values of one message, as they stood there; none is empty.
pub type RawIdentity = BTreeMap<RawField, String>;

/// What happened in one event, beyond who and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// A purchase, or money given back.
    pub money: Option<Money>,
    /// A change of consent.
    pub consent: Option<Consent>,
    /// A product category that was looked at or bought.
    pub category: Option<String>,
    /// The campaign that caused the event.
    pub campaign: Option<String>,
    /// Mood of a conversation in thousandths, −1000 to 1000.
    pub sentiment_milli: Option<i32>,
    /// A product that was looked at or bought.
    pub product: Option<String>,
    /// How many things were bought or given back.
    pub items: Option<u64>,
    /// What the customer got in touch for.
    pub reason: Option<String>,
    /// Whether that was resolved.
    pub resolved: Option<bool>,
    /// The customer's language.
    pub language: Option<String>,
    /// The country where they were.
    pub country: Option<String>,
    /// Their timezone, or its offset.
    pub timezone: Option<String>,
    /// An address that must not be used any more, or may be again.
    pub suppression: Option<Suppression>,
}

/// An amount of money in integer minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Whether it was paid or given back.
    pub kind: MoneyKind,
    /// ISO 4217, upper case.
    pub currency: String,
    /// How many decimals one minor unit stands for: 2 means hundredths.
    pub decimals: u8,
    /// The amount in minor units; for a return, what was given back, not negative.
    pub minor: i64,
}

/// Which way money went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum MoneyKind {
    Purchase,
    Return,
}

/// Why a message could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The bytes are not a document of the source's format.
    Malformed,
    /// A field that every event must have is missing.
    MissingField,
    /// A field has another type than the mapping says.
    WrongType,
    /// The event time cannot be read or is not a plausible time.
    BadTime,
    /// Longer, deeper or larger than the limits allow.
    TooLarge,
    /// Older than the job remembers events, so that it may have counted already.
    TooLate,
}

impl Reason {
    /// The name in tables, metrics and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::BadTime => "bad_time",
            Self::TooLarge => "too_large",
            Self::TooLate => "too_late",
        }
    }
}

/// A message that could not be used, kept whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Where it was read.
    pub origin: Origin,
    /// Why it was not used.
    pub reason: Reason,
    /// Which pointer or column, and what was expected there; never a value of the message.
    pub detail: String,
    /// The message's bytes as read.
    #[serde(with = "payload")]
    pub payload: Bytes,
    /// What came with them; `None` where nothing did.
    pub envelope: Option<Box<Envelope>>,
}

impl DeadLetter {
    /// About how much memory it takes. **Units:** bytes.
    pub fn bytes(&self) -> usize {
        let headers = self.envelope.iter().flat_map(|envelope| &envelope.headers);
        let headers = headers.map(|it| it.name.len() + it.value.as_ref().map_or(0, Vec::len));
        let key = self.envelope.as_ref().and_then(|envelope| envelope.key.as_ref());
        let of_envelope = headers.sum::<usize>() + key.map_or(0, Vec::len);
        size_of::<Self>() + self.payload.len() + self.detail.len() + of_envelope
    }
}

/// What came with a message besides its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The key of a Kafka message.
    pub key: Option<Vec<u8>>,
    /// Its headers, in their order; of a name there may be several.
    pub headers: Vec<Header>,
}

/// One header of a Kafka message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value, which may be null.
    pub value: Option<Vec<u8>>,
}

/// What became of a dead letter that was replayed and could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayOutcome {
    /// Its event counts.
    Resolved,
    /// Its event was known already.
    Duplicate,
}

impl ReplayOutcome {
    /// The name in tables and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Duplicate => "duplicate",
        }
    }
}

/// A dead letter that was replayed and could be used: it is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Where the letter was read.
    pub origin: Origin,
    /// What became of it.
    pub outcome: ReplayOutcome,
    /// The commit that holds its event.
    pub epoch: u64,
}

mod payload {
    use std::fmt;

    use bytes::Bytes;
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Bytes, D::Error> {
        d.deserialize_byte_buf(Payload)
    }

    /// Takes the bytes as a whole: one by one, a flood of large payloads takes minutes to publish.
    struct Payload;

    impl Visitor<'_> for Payload {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
            Ok(Bytes::copy_from_slice(bytes))
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
            Ok(bytes.into())
        }
    }
}
