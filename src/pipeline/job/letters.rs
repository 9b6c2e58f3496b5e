//! When do dead letters go to their topic?
//!
//! As soon as they are committed, once a turn of the loop, whether the tables' store is there or not.
//! At the end a while is waited for what is on the way.

use std::time::Duration;

use super::super::letters;
use super::super::report::Stop;
use super::Job;
use crate::clock::Stopwatch;
use crate::error::Result;
use crate::telemetry::LettersForgotten;

/// The least time of a stop that is kept for letting go of a broker, and for what comes behind.
const ENDING: Duration = Duration::from_secs(3);

impl Job {
    /// Begins to deliver, where there is a topic; where there is none any more, nothing waits.
    pub(super) fn start_letters(&mut self) -> Result<()> {
        if let Some(topic) = &self.plan.letter_topic {
            let (name, telemetry) = (&self.plan.name, &self.telemetry);
            self.courier = Some(letters::start(topic, name, &self.store, telemetry)?);
            return Ok(());
        }
        let waited = self.store.forget_letters()?;
        if waited > 0 {
            LettersForgotten { waited }.emit();
        }
        Ok(())
    }

    /// Forgets what was delivered, and hands over what is next.
    pub(super) fn send_letters(&mut self) -> Result<()> {
        match &mut self.courier {
            Some(courier) => courier.turn(&mut self.store, letters::load),
            None => Ok(()),
        }
    }

    /// Delivers what waits, within the time that a stop may take.
    pub(super) fn finish_letters(&mut self, stop: &Stop) -> Result<()> {
        let Some(mut courier) = self.courier.take() else { return Ok(()) };
        let goes_on = in_time(stop, self.plan.run.shutdown_timeout);
        courier.drain(&mut self.store, letters::load, goes_on).map(drop)
    }
}

/// Whether an end may still wait for topics: for `patience`, or less where somebody asked for it, who kills when that is
/// over.
pub(super) fn in_time(stop: &Stop, patience: Duration) -> impl Fn() -> bool {
    let waited = Stopwatch::start();
    let draining = patience.saturating_sub(ENDING.max(patience / 4));
    move || match stop.asked_for() {
        Some(asked) => asked < draining,
        None => waited.elapsed() < patience,
    }
}
