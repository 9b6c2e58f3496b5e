//! Which nouns does the whole program share?
//!
//! An [`Event`] is one message as its source's mapping reads it, still raw. Its identity-bearing
//! part, normalised, is an [`Identity`]: the content of a record node. What happened is in its
//! [`Details`], which fold into facts. Nothing here does I/O or reads a clock.

mod consent;
mod event;
mod field;
mod identity;
mod judgement;
mod key;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use consent::{Consent, ConsentState, ContactChannel, Suppression, SuppressionState};
pub use event::{
    DeadLetter, Details, Envelope, Event, Header, Money, MoneyKind, Origin, RawField, RawIdentity,
    Reason, Replay, ReplayOutcome,
};
pub use field::Field;
pub use identity::{Address, Identity, Issue, Normalised, Presented};
pub use judgement::{Judgement, Pair, Verdict};
pub use key::{EventKey, IdentityId, RecordKey};

/// A record node's number: dense, ascending in order of arrival, never reused.
pub type NodeId = u32;

/// Per (source, partition), the first offset that is not yet consumed.
pub type Positions = BTreeMap<(Arc<str>, Arc<str>), u64>;

/// A point in time in microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;
