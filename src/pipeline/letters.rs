//! How do dead letters get from the state to their topic?
//!
//! By a [`Courier`], as they were read.

use std::time::Duration;

use super::courier::{Courier, Goods, PARCEL_BYTES, Parcel};
use crate::config::LetterTopicPlan;
use crate::error::{Error, Result};
use crate::record::DeadLetter;
use crate::sink::topic::{Delivered, Topic};
use crate::state::{Place, Store};
use crate::telemetry::{LettersDelayed, LettersDelivered, LettersLeft, LettersResumed, Telemetry};

/// Dead letters, as goods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letters;

impl Goods for Letters {
    type Message = DeadLetter;
    const NAMES: [&'static str; 2] = ["letters", "dead_letters.kafka"];

    fn clear(&self, store: &mut Store, places: &[Place], rows: u64) -> Result<u64> {
        store.clear_letters(places).map(|()| rows)
    }

    fn tell_waiting(&self, waiting: u64, to: &Telemetry) {
        to.note(|facts| facts.letters_waiting = waiting);
    }

    fn tell_delivered(&self, Delivered { messages, omitted }: Delivered, to: &Telemetry) {
        LettersDelivered { letters: messages, omitted }.emit(to);
    }

    fn tell_failed(&self, to: &Telemetry) {
        to.letters_failed();
    }

    fn tell_delayed(&self, retry_in: Duration, error: &Error) {
        LettersDelayed { retry_in, error }.emit();
    }

    fn tell_resumed(&self, attempts: u32) {
        LettersResumed { attempts }.emit();
    }

    fn tell_left(&self, waiting: u64) {
        LettersLeft { waiting }.emit();
    }
}

/// Starts for a topic; does not wait for its brokers.
///
/// **Errors:** `Invalid` where a setting is refused; `Data` of the state.
pub(super) fn start(
    plan: &LetterTopicPlan,
    pipeline: &str,
    store: &Store,
    telemetry: &Telemetry,
) -> Result<Courier<Letters>> {
    let waiting = store.view().letters_waiting()?;
    Courier::start(Letters, letter_topic(plan, pipeline), waiting, telemetry)
}

/// The next letters behind a place.
pub(super) fn load(store: &Store, after: Option<Place>) -> Result<Parcel<DeadLetter>> {
    let waiting = store.view().letters(after, PARCEL_BYTES)?;
    let rows = waiting.rows.len() as u64;
    Ok(Parcel { messages: waiting.rows, places: waiting.places, rows })
}

/// The topic of a plan.
pub(super) fn letter_topic(plan: &LetterTopicPlan, pipeline: &str) -> Topic {
    Topic::new(&plan.brokers, &plan.topic, &plan.options.0, pipeline)
}

#[cfg(test)]
mod tests;
