//! The rows of the published tables, before they are columns.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Contact, Seen, SuppressionFact, Touch};
use crate::record::{
    Address, ConsentState, ContactChannel, Details, EventKey, IdentityId, Issue, Micros, RecordKey,
};

/// One row of `profiles`: what is known of one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The durable name of the customer.
    pub identity: IdentityId,
    /// The commit in which the row last changed.
    pub version: u64,
    /// Whether the customer can be told apart: some member holds more than cookies and devices.
    pub known: bool,
    /// The given name that survives, and where it is from.
    pub given: Option<Value>,
    /// The surname that survives, and where it is from.
    pub surname: Option<Value>,
    /// The birth date that survives (`YYYY-MM-DD`), and where it is from.
    pub birth_date: Option<Value>,
    /// Other names and birth dates, by field, the best first.
    pub other_values: Vec<OtherValue>,
    /// Every e-mail address, the best first.
    pub emails: Vec<Value>,
    /// Every phone number, the best first.
    pub phones: Vec<Value>,
    /// Every address, the best first.
    pub addresses: Vec<ValueAddress>,
    /// Those whose best surname and address are the same have the same household.
    pub household: Option<String>,
    /// Identifiers by kind and source (`cookie`, `device`, `card`, `loyalty`, `government_id`, and
    /// `record` for the row keys of keyed sources), ascending.
    pub ids: Vec<SourceId>,
    /// What could not be used or was mended, and how often, ascending.
    pub issues: Vec<(Issue, u64)>,
    /// How many of given name, surname, birth date, e-mail, phone and address are known, in percent.
    pub completeness_percent: u8,
    /// What the customer agreed to, per purpose and channel, ascending.
    pub consent: Vec<ConsentRow>,
    /// By which ways they may be contacted for marketing.
    pub contact: Contact,
    /// Whether they agreed to profiling.
    pub agrees_to_profiling: bool,
    /// What events say most of where and how they are.
    pub traits: Traits,
    /// Events per channel and type, ascending.
    pub activity: Vec<ActivityRow>,
    /// Events per channel and month, ascending by month, in months since January 1970.
    pub months: Vec<(i32, Arc<str>, u64)>,
    /// How they came, and how they were met last.
    pub touches: Touches,
    /// How many events there are.
    pub events: u64,
    /// How many records belong to the identity.
    pub records: u64,
    /// The earliest event.
    pub first_seen: Micros,
    /// The latest event.
    pub last_seen: Micros,
    /// Purchases and returns per currency, ascending.
    pub money: Vec<MoneyRow>,
    /// Product categories and how often, most frequent first.
    pub categories: Vec<(String, u64)>,
    /// The products that were met most often, most frequent first.
    pub products: Vec<(String, u64)>,
    /// What they got in touch for, ascending.
    pub reasons: Vec<ReasonRow>,
    /// The mean sentiment in thousandths, where there is any.
    pub sentiment_milli: Option<i64>,
}

impl Profile {
    /// The same without what was derived from the customer's doings.
    #[must_use]
    pub fn without_derived(self) -> Self {
        Self {
            activity: Vec::new(),
            months: Vec::new(),
            touches: Touches::default(),
            money: Vec::new(),
            categories: Vec::new(),
            products: Vec::new(),
            reasons: Vec::new(),
            sentiment_milli: None,
            ..self
        }
    }
}

/// A value with its provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value as a person would write it.
    pub value: String,
    /// The latest event that gave it, how many did, and since when.
    pub seen: Seen,
    /// What is wrong with it, if anything.
    pub quality: Option<Quality>,
}

/// A value that does not stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct OtherValue {
    pub field: &'static str,
    pub value: Value,
}

/// An address with its provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct ValueAddress {
    pub address: Address,
    pub seen: Seen,
    pub quality: Option<Quality>,
}

/// Why a value is of little use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// A throw-away mailbox.
    Disposable,
    /// A number whose country is not known.
    NoCountry,
    /// An address without a street, or without a town.
    Incomplete,
}

impl Quality {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disposable => "disposable",
            Self::NoCountry => "no_country",
            Self::Incomplete => "incomplete",
        }
    }
}

/// An identifier by which a source knows the customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId {
    /// Its kind.
    pub kind: String,
    /// The source.
    pub source: Arc<str>,
    /// The identifier.
    pub value: String,
    /// The earliest event of the records that carry it.
    pub first: Micros,
    /// The latest.
    pub last: Micros,
}

/// What events say most of a customer's whereabouts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Traits {
    pub language: Option<String>,
    pub country: Option<String>,
    pub timezone: Option<String>,
}

/// Events of one channel and type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct ActivityRow {
    pub channel: Arc<str>,
    pub kind: Arc<str>,
    pub events: u64,
    pub last: Micros,
}

/// The channel and campaign of the earliest and the latest event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Touches {
    pub first: Option<Touch>,
    pub last: Option<Touch>,
}

/// What came of contacts for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `ReasonSum`")]
pub struct ReasonRow {
    pub reason: String,
    pub contacts: u64,
    pub resolved: u64,
    pub unresolved: u64,
    pub sentiment_milli: Option<i64>,
}

/// What a customer agreed to, for one purpose by one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `Consent`")]
pub struct ConsentRow {
    pub purpose: String,
    pub channel: Option<String>,
    pub state: ConsentState,
    pub at: Micros,
    pub basis: Option<String>,
    pub source: String,
    pub policy_version: Option<String>,
}

/// One row of `suppression`: an address that must not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// The row's name.
    pub key: RecordKey,
    /// The record whose address it is.
    pub record: RecordKey,
    /// The way of contact.
    pub channel: ContactChannel,
    /// Why, since when, and which address.
    pub fact: SuppressionFact,
}

impl Suppressed {
    /// The name of a record's row for a channel.
    pub fn key(record: RecordKey, channel: ContactChannel) -> RecordKey {
        RecordKey::hash([&b"suppression"[..], &record.0, channel.name().as_bytes()])
    }
}

/// Money in one currency, in integer minor units of `decimals` decimals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct MoneyRow {
    pub currency: String,
    pub decimals: u8,
    pub purchases: u64,
    pub purchase_minor: i64,
    pub returns: u64,
    pub return_minor: i64,
    /// Things that were bought, as far as events say.
    pub items: u64,
    /// The largest purchase.
    pub largest_minor: i64,
    /// The latest purchase.
    pub last_purchase: Option<Micros>,
}

/// One row of `identity_map`: which identity a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The record.
    pub record: RecordKey,
    /// The source of its earliest event (for keyed records, the source whose row it is).
    pub source: Arc<str>,
    /// The source's own row key; `None` for records made of events.
    pub record_id: Option<String>,
    /// The identity.
    pub identity: IdentityId,
}

/// One row of `identity_changes` that is about an identity. Holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The identity it happened to: the one created, merged away, split off, carried or erased.
    pub identity: IdentityId,
    /// The other one: merged into, or split from.
    pub other: Option<IdentityId>,
    /// Why: the name of a [`Cause`].
    pub cause: String,
    /// The commit that made it.
    pub epoch: u64,
    /// The time of the latest event in that commit.
    pub occurred_at: Micros,
}

/// One row of `identity_changes` that is about a record: what its row of `identity_map` is from a commit on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The record.
    pub record: RecordKey,
    /// As of [`Mapping::source`].
    pub source: Arc<str>,
    /// As of [`Mapping::record_id`].
    pub record_id: Option<Box<str>>,
    /// The identity to which it belongs; where the record is no more, to which it belonged.
    pub identity: IdentityId,
    /// The identity to which it belonged; `None` where it was not there.
    pub other: Option<IdentityId>,
    /// Whether the record is no more.
    pub is_removed: bool,
    /// Why.
    pub cause: Cause,
    /// The commit that made it.
    pub epoch: u64,
    /// The time of the latest event in that commit.
    pub occurred_at: Micros,
}

impl Move {
    /// What happened, as the table says.
    pub const fn name(&self) -> &'static str {
        if self.is_removed { "removed" } else { "assigned" }
    }
}

/// Why identities change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cause {
    /// Records came, or changed.
    Records,
    /// A judgement.
    Judgement,
    /// Another model.
    Model,
    /// Somebody was erased.
    Erasure,
    /// Ids were carried over from an earlier output.
    Backfill,
    /// An earlier version of the program kept no changes of records: all of them are said at once.
    Upgrade,
}

impl Cause {
    /// The name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Judgement => "judgement",
            Self::Model => "model",
            Self::Erasure => "erasure",
            Self::Backfill => "backfill",
            Self::Upgrade => "upgrade",
        }
    }
}

/// What can happen to an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum ChangeKind {
    Created,
    Merged,
    Split,
    Carried,
    Erased,
    /// Some of its records were erased.
    Reduced,
}

impl ChangeKind {
    /// The name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Merged => "merged",
            Self::Split => "split",
            Self::Carried => "carried",
            Self::Erased => "erased",
            Self::Reduced => "reduced",
        }
    }
}

/// One row of `interactions`: an accepted event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Interaction {
    pub event_id: String,
    pub event_key: EventKey,
    pub source: Arc<str>,
    pub channel: Arc<str>,
    pub kind: Arc<str>,
    pub occurred_at: Micros,
    /// The record that the event belongs to; join through `identity_map`.
    pub record: RecordKey,
    pub details: Details,
}
