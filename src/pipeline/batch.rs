//! What do the messages of one micro-batch say?

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::config::Plan;
use crate::normalise::{self, DateOrder};
use crate::record::{DeadLetter, Event, EventKey, Normalised, RecordKey};
use crate::source::{Mapping, Message, SourcePlan};

/// A message that became an event, with what its identity normalises to.
pub(super) struct Prepared {
    pub(super) event: Event,
    pub(super) key: EventKey,
    /// The record node that it belongs to.
    pub(super) record: RecordKey,
    pub(super) normalised: Normalised,
}

/// How each source's messages are read.
pub(super) struct Readers(BTreeMap<Arc<str>, Reader>);

struct Reader {
    mapping: Mapping,
    day_first: normalise::Settings,
    month_first: normalise::Settings,
}

impl Readers {
    pub(super) fn new(plan: &Plan) -> Self {
        let reader = |source: &SourcePlan| {
            let ordered =
                |date_order| normalise::Settings { date_order, ..source.normalise.clone() };
            let reader = Reader {
                mapping: source.mapping.clone(),
                day_first: ordered(DateOrder::DayFirst),
                month_first: ordered(DateOrder::MonthFirst),
            };
            (Arc::clone(&source.name), reader)
        };
        Self(plan.sources.iter().map(reader).collect())
    }

    /// Reads messages on all cores; the answers are in their order.
    pub(super) fn prepare(&self, messages: &[Message]) -> Vec<Result<Prepared, Box<DeadLetter>>> {
        messages.par_iter().map(|message| self.read(message)).collect()
    }

    fn read(&self, message: &Message) -> Result<Prepared, Box<DeadLetter>> {
        let reader = &self.0[&message.origin.source];
        let event = reader.mapping.read(message)?;
        let settings = if event.month_first { &reader.month_first } else { &reader.day_first };
        let normalised = normalise::identity(&event.identity, settings);
        let key = event.key();
        let record = match event.record_id.as_deref() {
            Some(id) => RecordKey::of_row(&event.origin.source, id),
            None => {
                let own = |field| {
                    let of_field = settings.custom.iter().find(|custom| custom.field == field);
                    of_field.is_some_and(|custom| custom.kind.is_identifier())
                };
                normalised.identity.record_key_with(key, own)
            }
        };
        Ok(Prepared { key, record, event, normalised })
    }
}
