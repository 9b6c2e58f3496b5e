//! How do profiles, and what happened to identities, get into topics?
//!
//! **Profiles** are for a compacted topic: the key is the identity, the value its row of `profiles`
//! as JSON, or nothing where the identity is no more. What is sent is the profile as it is, so the
//! last message of a key stands, however often an earlier one comes once more.
//!
//! **Changes** are for a topic that keeps what it gets: the key is the identity, the value a row of
//! `identity_changes` as JSON, and [`CHANGE`] names it, the same however often it comes.

use rdkafka::message::{Header, OwnedHeaders};
use serde_json::Value;

use super::json::json_rows;
use super::letters::PIPELINE;
use super::rows;
use super::topic::{Mail, OMITTED, Part};
use crate::error::{Context, Kind, Result};
use crate::profile::{Change, Move, Profile};
use crate::record::IdentityId;

/// The commit that a message tells of.
pub const EPOCH: &str = "onefold.epoch";
/// Names a change, the same however often it comes.
pub const CHANGE: &str = "onefold.change";

/// A message about an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The identity.
    key: String,
    /// JSON; `None` where the identity is no more.
    value: Option<Vec<u8>>,
    /// What is sent where the value is too large for the broker: the identity alone.
    least: Vec<u8>,
    epoch: String,
    /// The name of a change.
    change: Option<String>,
}

impl Notice {
    /// Says that an identity is no more.
    pub fn gone(identity: &IdentityId, epoch: u64) -> Self {
        Self::new(identity.to_string(), None, epoch, None)
    }

    /// Profiles as they are, in their order.
    ///
    /// **Errors:** `Internal` where a row cannot be written.
    pub fn profiles(profiles: &[Profile], epoch: u64) -> Result<Vec<Self>> {
        let rows = json_rows(&rows::profiles(profiles)?)?;
        let identities = profiles.iter().map(|profile| profile.identity.to_string());
        identities.zip(&rows).map(|(key, row)| Self::of(key, row, epoch, None)).collect()
    }

    /// What happened to identities, in their order.
    ///
    /// **Errors:** as of [`Notice::profiles`].
    pub fn changes(changes: &[Change]) -> Result<Vec<Self>> {
        let rows = json_rows(&rows::identity_changes(changes)?)?;
        let notice = |(change, row): (&Change, &Value)| {
            let name = format!("{} {} {}", change.epoch, change.identity, change.kind.name());
            Self::of(change.identity.to_string(), row, change.epoch, Some(name))
        };
        changes.iter().zip(&rows).map(notice).collect()
    }

    /// What happened to records, in their order.
    ///
    /// **Errors:** as of [`Notice::profiles`].
    pub fn moves(moves: &[Move]) -> Result<Vec<Self>> {
        let rows = json_rows(&rows::moves(moves)?)?;
        let notice = |(it, row): (&Move, &Value)| {
            let name = format!("{} {} {}", it.epoch, it.record, it.name());
            Self::of(it.identity.to_string(), row, it.epoch, Some(name))
        };
        moves.iter().zip(&rows).map(notice).collect()
    }

    fn of(key: String, row: &Value, epoch: u64, change: Option<String>) -> Result<Self> {
        let value = serde_json::to_vec(row).context(Kind::Internal, "encode a row as JSON")?;
        Ok(Self::new(key, Some(value), epoch, change))
    }

    fn new(key: String, value: Option<Vec<u8>>, epoch: u64, change: Option<String>) -> Self {
        let least = format!("{{\"identity_id\":\"{key}\"}}").into_bytes();
        Self { key, value, least, epoch: epoch.to_string(), change }
    }
}

impl Mail for Notice {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }

    fn route(&self) -> Option<u64> {
        None
    }

    fn key(&self, _: Part) -> Option<&[u8]> {
        Some(self.key.as_bytes())
    }

    fn value(&self, part: Part) -> Option<&[u8]> {
        // Nothing at all would say that the identity is no more.
        let least = |whole| if part == Part::Whole { whole } else { self.least.as_slice() };
        self.value.as_deref().map(least)
    }

    fn headers(&self, part: Part, pipeline: &str) -> OwnedHeaders {
        let change = self.change.as_deref().map(|change| (CHANGE, change));
        let omitted = (part != Part::Whole).then_some((OMITTED, "payload"));
        let ours = [(PIPELINE, pipeline), (EPOCH, &self.epoch)].into_iter();
        ours.chain(change).chain(omitted).fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value.as_bytes()) })
        })
    }
}
