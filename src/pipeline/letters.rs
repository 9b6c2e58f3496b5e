//! How do dead letters get from the state to their topic?
//!
//! ```text
//! commit → outbox → Courier::turn → thread: deliver until acknowledged → Courier::turn → cleared
//! ```
//!
//! The loop owns the state, the thread the producer, and one parcel of letters is between them. So a
//! broker that is away costs the loop nothing: the parcel waits in the thread, all others on disk.
//! What the topic has is cleared from the outbox after it was acknowledged, so a crash in between
//! delivers it once more.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::backoff::{Backoff, Patience};
use super::report::Stop;
use crate::clock::Stopwatch;
use crate::config::LetterTopicPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around};
use crate::record::DeadLetter;
use crate::sink::letters::{Delivered, LetterProducer, LetterTopic};
use crate::state::{LetterPlace, Store, WaitingLetters};
use crate::telemetry::{
    Activity, LettersDelayed, LettersDelivered, LettersLeft, LettersResumed, Telemetry,
};

/// A parcel is as large, unless a letter is larger. **Units:** bytes.
const PARCEL_BYTES: usize = 8 << 20;
/// How often an idle producer is looked after.
const IDLE: Duration = Duration::from_secs(1);
/// How often somebody who waits looks whether to go on.
const TICK: Duration = Duration::from_millis(20);
/// A broker that acknowledges nothing for so long is away.
const SILENCE: Duration = Duration::from_secs(10);
/// How often a topic that is away is tried.
const PATIENCE: Patience =
    Patience { first: Duration::from_millis(500), longest: Duration::from_secs(5), waits: None };

/// Takes dead letters from the state to their topic.
pub(super) struct Courier {
    /// `None` once it is to end.
    parcels: Option<Sender<Vec<DeadLetter>>>,
    done: Receiver<Delivered>,
    thread: Option<JoinHandle<()>>,
    stop: Stop,
    /// Where the letters lie that the thread has.
    under_way: Vec<LetterPlace>,
    /// Everything up to here was handed to the thread.
    read: Option<LetterPlace>,
    waiting: u64,
    telemetry: Telemetry,
}

impl Courier {
    /// Starts for a topic; does not wait for its brokers.
    ///
    /// **Errors:** `Invalid` where a setting is refused; `Data` of the state.
    pub(super) fn start(
        plan: &LetterTopicPlan,
        pipeline: &str,
        store: &Store,
        telemetry: &Telemetry,
    ) -> Result<Self> {
        let topic = letter_topic(plan, pipeline);
        let producer = topic.open().map_err(|error| error.context("dead_letters.kafka"))?;
        let (parcels, received) = channel();
        let (told, done) = channel();
        let (stop, telemetry) = (Stop::default(), telemetry.clone());
        let worker = Worker {
            topic,
            producer: Some(producer),
            told,
            stop: stop.clone(),
            telemetry: telemetry.clone(),
        };
        let thread = std::thread::Builder::new().name("letters".to_owned());
        let thread = thread
            .spawn(move || worker.run(&received))
            .context(Kind::Unavailable, "start the thread of dead letters")?;
        let mut courier = Self {
            parcels: Some(parcels),
            done,
            thread: Some(thread),
            stop,
            under_way: Vec::new(),
            read: None,
            waiting: 0,
            telemetry,
        };
        courier.note(store.view().letters_waiting()?);
        Ok(courier)
    }

    /// Takes note of letters that were committed.
    pub(super) fn note(&mut self, letters: u64) {
        self.set_waiting(self.waiting + letters);
    }

    fn set_waiting(&mut self, waiting: u64) {
        self.waiting = waiting;
        self.telemetry.note(|facts| facts.letters_waiting = waiting);
    }

    /// Clears what was delivered, and hands over what is next; does not wait.
    pub(super) fn turn(&mut self, store: &mut Store) -> Result<()> {
        match self.done.try_recv() {
            Ok(delivered) => self.clear(delivered, store)?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(ended()),
        }
        self.hand_over(store)
    }

    /// Goes on until nothing waits, as long as `goes_on` says so, and ends.
    pub(super) fn finish(mut self, store: &mut Store, goes_on: impl Fn() -> bool) -> Result<()> {
        while self.waiting > 0 {
            self.hand_over(store)?;
            self.telemetry.beat(Activity::Publishing);
            match self.done.recv_timeout(TICK) {
                Ok(delivered) => self.clear(delivered, store)?,
                Err(RecvTimeoutError::Timeout) if goes_on() => {}
                Err(RecvTimeoutError::Timeout) => {
                    LettersLeft { waiting: self.waiting }.emit();
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
        Ok(())
    }

    fn clear(&mut self, delivered: Delivered, store: &mut Store) -> Result<()> {
        let places = std::mem::take(&mut self.under_way);
        around(Step::LettersCleared, || store.clear_letters(&places))?;
        self.set_waiting(self.waiting.saturating_sub(delivered.letters));
        Ok(())
    }

    fn hand_over(&mut self, store: &Store) -> Result<()> {
        if self.waiting == 0 || !self.under_way.is_empty() {
            return Ok(());
        }
        let WaitingLetters { letters, places } = store.view().letters(self.read, PARCEL_BYTES)?;
        let Some(last) = places.last() else {
            return Err(Error::internal("dead letters that were counted are not in the outbox"));
        };
        (self.read, self.under_way) = (Some(*last), places);
        let parcels = self.parcels.as_ref().ok_or_else(ended)?;
        parcels.send(letters).map_err(|_| ended())
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.stop.ask();
        drop(self.parcels.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was already reported by its hook.
            let _ = thread.join();
        }
    }
}

fn ended() -> Error {
    Error::internal("the thread of dead letters ended")
}

/// The topic of a plan.
pub(super) fn letter_topic(plan: &LetterTopicPlan, pipeline: &str) -> LetterTopic {
    LetterTopic::new(&plan.brokers, &plan.topic, &plan.options.0, pipeline)
}

/// Delivers parcels, one after the other.
struct Worker {
    topic: LetterTopic,
    /// `None` where the last one failed.
    producer: Option<LetterProducer>,
    told: Sender<Delivered>,
    stop: Stop,
    telemetry: Telemetry,
}

/// What is told of one absence.
struct Absence {
    backoff: Backoff,
    is_told: bool,
}

impl Absence {
    /// It failed once more; returns how long to wait.
    fn failed(&mut self, error: &Error, telemetry: &Telemetry) -> Duration {
        telemetry.letters_failed();
        let retry_in = self.backoff.wait().unwrap_or(PATIENCE.longest);
        self.tell(retry_in, error);
        retry_in
    }

    fn tell(&mut self, retry_in: Duration, error: &Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            LettersDelayed { retry_in, error }.emit();
        }
    }

    fn ended(&mut self) {
        if std::mem::take(&mut self.is_told) {
            LettersResumed { attempts: self.backoff.waits() }.emit();
        }
        self.backoff.reset();
    }
}

impl Worker {
    fn run(mut self, parcels: &Receiver<Vec<DeadLetter>>) {
        let mut absence = Absence { backoff: Backoff::new(PATIENCE), is_told: false };
        loop {
            match parcels.recv_timeout(IDLE) {
                Ok(letters) => {
                    let Some(delivered) = self.deliver(&letters, &mut absence) else { return };
                    if self.told.send(delivered).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(producer) = &self.producer {
                        producer.idle();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Tries until the topic has all; `None` where it is to stop before.
    fn deliver(&mut self, letters: &[DeadLetter], absence: &mut Absence) -> Option<Delivered> {
        loop {
            match around(Step::Letters, || self.attempt(letters, absence)) {
                Ok(delivered) => {
                    absence.ended();
                    let Delivered { letters, omitted } = delivered;
                    LettersDelivered { letters, omitted }.emit(&self.telemetry);
                    return Some(delivered);
                }
                Err(_) if self.stop.is_asked() => return None,
                Err(error) => {
                    // What is on its way in it may still arrive, but nothing behind that.
                    self.producer = None;
                    let wait = absence.failed(&error, &self.telemetry);
                    let waited = Stopwatch::start();
                    while waited.elapsed() < wait {
                        if self.stop.is_asked() {
                            return None;
                        }
                        std::thread::sleep(TICK);
                    }
                }
            }
        }
    }

    fn attempt(&mut self, letters: &[DeadLetter], absence: &mut Absence) -> Result<Delivered> {
        let opened = self.producer.take().map_or_else(|| self.topic.open(), Ok)?;
        let producer = self.producer.insert(opened);
        let (mut silence, mut heard) = (Stopwatch::start(), 0);
        let mut goes_on = |answers| {
            if answers != heard {
                (silence, heard) = (Stopwatch::start(), answers);
            }
            if silence.elapsed() >= SILENCE && !absence.is_told {
                let why = producer.trouble();
                let why = why.unwrap_or_else(|| "the broker acknowledges nothing".to_owned());
                self.telemetry.letters_failed();
                absence.tell(Duration::ZERO, &Error::unavailable(why));
            }
            !self.stop.is_asked()
        };
        producer.deliver(letters, &mut goes_on)
    }
}

#[cfg(test)]
mod tests;
