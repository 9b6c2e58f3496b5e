//! What would a shop's four channels look like, if we knew who did what?
//!
//! `Settings → generate → Stream { lines in order of arrival, truth } → write_to | broker::feed`.
//! The stream has what makes customer data hard: households, offices, kiosks, recycled numbers,
//! moves, new names, placeholders, slips of every kind, late, repeated and broken lines.
//!
//! Invariants: the same settings give the same bytes, on every machine; an event id is unique but
//! for redeliveries; every line that is not listed as malformed is valid by `schemas/events`.
//!
//! People, numbers and addresses are made up. Nothing of the engine is used to make them, so its
//! scores against this truth are no echo of its own assumptions.

pub mod broker;
mod channels;
mod delivery;
mod fields;
mod files;
mod formats;
mod generator;
mod household;
mod lists;
mod noise;
mod person;
mod rng;
mod shared;
#[cfg(test)]
mod tests;
mod time;
mod world;

use serde::{Deserialize, Serialize};

pub use generator::generate;
pub use shared::{KeptApart, SharedIdentifier, SharedKind, kept_apart};

/// What the stream is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How many people; the last household is completed, so up to four more.
    pub customers: u32,
    /// Names one stream among all.
    pub seed: u64,
    /// Multiplies the rates of errors, placeholders and lateness; 0 is clean, 1 as in life.
    pub noise: f64,
    /// About the mean number of events a person; most have fewer, a few up to 500.
    pub events_per_customer: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { customers: 3_000, seed: 1, noise: 1.0, events_per_customer: 10.0 }
    }
}

/// Where customers meet the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Channel {
    Web,
    Email,
    Phone,
    Store,
}

impl Channel {
    /// All channels, in the order of their files.
    pub const ALL: [Self; 4] = [Self::Web, Self::Email, Self::Phone, Self::Store];

    /// The name of the topic and of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Store => "store",
        }
    }
}

/// How a malformed line is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformation {
    /// The line ends early.
    Truncated,
    /// The event has no id.
    NoEventId,
    /// The event time cannot be one.
    BadTimestamp,
    /// Channel and type have the wrong JSON type.
    WrongType,
    /// The line is no JSON at all.
    NotJson,
    /// Nothing but the common fields is there.
    NoIdentifier,
    /// `{}`.
    EmptyObject,
}

impl Malformation {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Truncated,
        Self::NoEventId,
        Self::BadTimestamp,
        Self::WrongType,
        Self::NotJson,
        Self::NoIdentifier,
        Self::EmptyObject,
    ];

    /// The name in `malformed.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NoEventId => "no_event_id",
            Self::BadTimestamp => "bad_timestamp",
            Self::WrongType => "wrong_type",
            Self::NotJson => "not_json",
            Self::NoIdentifier => "no_identifier",
            Self::EmptyObject => "empty_object",
        }
    }
}

/// One line of a channel, as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it arrives.
    pub channel: Channel,
    /// When it arrives, in milliseconds since 1970-01-01 UTC.
    pub arrival: i64,
    /// The id that the event has, or had before it was broken.
    pub event_id: String,
    /// The line, without a line break.
    pub text: String,
}

/// A line that a pipeline should refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where it arrives.
    pub channel: Channel,
    /// The id that the event had before it was broken.
    pub event_id: String,
    /// How it is broken.
    pub kind: Malformation,
}

/// A made-up history, and who did what in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The lines of all channels in order of arrival, redelivered and malformed ones included.
    pub lines: Vec<Line>,
    /// `(event id, person)` of every well-formed event, once.
    pub truth: Vec<(String, String)>,
    /// The lines that should be refused.
    pub malformed: Vec<Malformed>,
    /// Lines that deliver a well-formed event once more.
    pub redelivered: usize,
    /// People, each with at least one event or malformed line.
    pub people: usize,
    /// The identifiers that several people used, by kind, then value.
    pub shared: Vec<SharedIdentifier>,
}
