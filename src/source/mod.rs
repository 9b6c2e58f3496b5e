//! Kafka or a file in, batches of messages out, and each message's meaning: where do events come
//! from?
//!
//! [`open`] starts a [`Source`] behind given [`Positions`]; [`Source::next`] reads a [`Batch`] on
//! the caller's own thread; [`Mapping::read`] turns a [`Message`] into an event or a dead letter. A
//! position is the next offset that was not yet handed out. It becomes durable in the state,
//! together with what the messages did, never here: the offsets that [`Source::acknowledge`]
//! commits to a broker are a courtesy to its dashboards and are never read.

mod file;
mod json;
mod kafka;
mod mapping;
mod plan;
mod sample;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use json::{Limits, Pointer};
pub use mapping::{
    Choice, ConsentRule, DetailRule, Mapping, MoneyRule, MonthFirst, SuppressionRule, Text,
    TimeFormat, TimeRule, When,
};
pub use plan::{FilesPlan, Format, Input, KafkaPlan, OnGap, Options, SourcePlan};
pub use sample::{Sample, sample};

use crate::error::Result;
pub use crate::record::Positions;
use crate::record::{Envelope, Micros, Origin, Reason};

/// The most bytes of payload in one batch, unless a single message is larger.
pub(crate) const BATCH_BYTES_MAX: usize = 64 << 20;

/// One message as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Where it was read.
    pub origin: Origin,
    /// Its bytes: a JSON document; a row of another format as a JSON object of its columns.
    pub payload: Bytes,
    /// Why it can be no event, where its reader knows already.
    pub fault: Option<Fault>,
    /// What came with it; `None` where nothing did.
    pub envelope: Option<Box<Envelope>>,
}

/// Why a message can be no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub reason: Reason,
    /// Which pointer or column, and what was expected there; never a value.
    pub detail: String,
}

impl Fault {
    fn missing(at: &dyn Display) -> Self {
        Self { reason: Reason::MissingField, detail: format!("{at}: expected a value") }
    }

    fn wrong_type(at: &dyn Display, expected: &str) -> Self {
        Self { reason: Reason::WrongType, detail: format!("{at}: expected {expected}") }
    }
}

/// Messages of one source, in the order of each partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether nothing more was there to be read at once.
    pub idle: bool,
}

/// How far the reading of one partition is behind.
///
/// What a broker says of a partition's end is not always right, so there are two measures that do
/// not hang on one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// `topic/partition`.
    pub partition: Arc<str>,
    /// The next offset that is handed out, as far as that is known; else 0.
    pub next: u64,
    /// Messages between the next that is handed out and the end that the broker tells; `None` where
    /// it tells none, or one that was passed already.
    pub records: Option<u64>,
    /// The broker's time of the newest message that was handed out; `None` before the first of this
    /// run.
    pub newest_message_at: Option<Micros>,
    /// Offsets of this run that the broker no longer had.
    pub lost: u64,
}

/// Where messages come from. Its methods block, so it wants a plain thread of its own, outside of
/// any runtime.
pub trait Source: Send {
    /// Reads up to `limit` messages; waits up to `wait` for the first. `None`: there will never be
    /// more.
    ///
    /// **Errors:** unavailable, where a retry may help; data, where a file is broken, which the
    /// message names.
    fn next(&mut self, limit: usize, wait: Duration) -> Result<Option<Batch>>;

    /// Whether all of it is being read. Where not, silence does not mean that there is nothing.
    fn is_ready(&self) -> bool {
        true
    }

    /// Keeps the source alive while nobody takes what was read; to be called about every second.
    /// What it holds is bounded, whatever the time.
    fn hold(&mut self) {}

    /// How far reading is behind, by partition; empty where that is not known.
    fn lag(&self) -> Vec<Lag> {
        Vec::new()
    }

    /// Tells the source how far its messages are durable. Positions of other sources are ignored.
    fn acknowledge(&mut self, _positions: &Positions) {}

    /// How often a broker did not take that since this was last asked; nothing rests on it.
    fn unacknowledged(&mut self) -> u64 {
        0
    }
}

/// Looks whether the source of a plan can be reached, without reading from it.
///
/// **Errors:** as [`open`]; invalid, where a topic does not exist.
pub fn check(plan: &SourcePlan) -> Result<()> {
    let reached = match &plan.input {
        Input::Files(_) => return open(plan, &Positions::new()).map(drop),
        Input::Kafka(topics) => kafka::check(&plan.name, topics),
    };
    reached.map_err(|error| error.context(format!("check source `{}`", plan.name)))
}

/// Opens a source behind the positions of the state; a partition that has none starts at its
/// beginning.
///
/// **Errors:** invalid, where no file is found or a setting is refused; unavailable.
pub fn open(plan: &SourcePlan, start: &Positions) -> Result<Box<dyn Source>> {
    let limits = &plan.mapping.limits;
    let source = match &plan.input {
        Input::Files(files) => {
            file::open(&plan.name, files, limits, start).map(|s| Box::new(s) as Box<dyn Source>)
        }
        Input::Kafka(topics) => {
            kafka::open(&plan.name, topics, start).map(|s| Box::new(s) as Box<dyn Source>)
        }
    };
    source.map_err(|error| error.context(format!("open source `{}`", plan.name)))
}
