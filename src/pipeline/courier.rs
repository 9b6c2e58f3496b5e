//! How does what waits in the state get to a topic?
//!
//! ```text
//! commit → outbox → Courier::turn → thread: deliver until acknowledged → Courier::turn → cleared
//! ```
//!
//! The loop owns the state, the thread the producer, and one parcel of messages is between them. So a
//! broker that is away costs the loop nothing: the parcel waits in the thread, all others on disk.
//! What the topic has is cleared from the outbox after it was acknowledged, so a crash in between
//! delivers it once more.
//!
//! What is carried, where it lies and who is told of it is said by [`Goods`].

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::backoff::{Backoff, Patience};
use super::report::Stop;
use crate::clock::Stopwatch;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around};
use crate::sink::topic::{Delivered, Mail, Topic, TopicProducer};
use crate::state::{Place, Store};
use crate::telemetry::{Activity, Telemetry};

/// A parcel is as large, unless a message is larger. **Units:** bytes.
pub(super) const PARCEL_BYTES: usize = 8 << 20;
/// How often an idle producer is looked after.
const IDLE: Duration = Duration::from_secs(1);
/// How often somebody who waits looks whether to go on.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// A broker that acknowledges nothing for so long is away.
const SILENCE: Duration = Duration::from_secs(10);
/// How often a topic that is away is tried.
const PATIENCE: Patience =
    Patience { first: Duration::from_millis(500), longest: Duration::from_secs(5), waits: None };

/// What is carried to one topic.
pub(super) trait Goods: Clone + Send + 'static {
    /// One message.
    type Message: Mail + Send + 'static;
    /// The thread's name, and that of the pipeline file's table.
    const NAMES: [&'static str; 2];

    /// Takes out of the outbox what its topic has: what were `rows` at some places. Returns how many they still were.
    fn clear(&self, store: &mut Store, places: &[Place], rows: u64) -> Result<u64>;
    /// How many rows wait.
    fn tell_waiting(&self, waiting: u64, to: &Telemetry);
    /// The topic has some more.
    fn tell_delivered(&self, delivered: Delivered, to: &Telemetry);
    /// The topic was found away.
    fn tell_failed(&self, to: &Telemetry);
    /// It is away; told once.
    fn tell_delayed(&self, retry_in: Duration, error: &Error);
    /// It is there again.
    fn tell_resumed(&self, attempts: u32);
    /// Some are left for the next start.
    fn tell_left(&self, waiting: u64);
}

/// Some messages, and what of the outbox they are.
pub(super) struct Parcel<M> {
    pub(super) messages: Vec<M>,
    /// Where they lie; empty where nothing waits.
    pub(super) places: Vec<Place>,
    /// How many rows lie there.
    pub(super) rows: u64,
}

/// Takes goods from the state to their topic.
pub(super) struct Courier<G: Goods> {
    goods: G,
    /// `None` once it is to end.
    parcels: Option<Sender<Vec<G::Message>>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    stop: Stop,
    /// Where that lies what the thread has, and how many rows that is.
    under_way: Option<(Vec<Place>, u64)>,
    /// Everything up to here was handed to the thread.
    read: Option<Place>,
    waiting: u64,
    telemetry: Telemetry,
}

impl<G: Goods> Courier<G> {
    /// Starts for a topic; does not wait for its brokers. `waiting` rows wait for it.
    ///
    /// **Errors:** `Invalid` where a setting is refused.
    pub(super) fn start(
        goods: G,
        topic: Topic,
        waiting: u64,
        telemetry: &Telemetry,
    ) -> Result<Self> {
        let [name, table] = G::NAMES;
        let producer = topic.open().map_err(|error| error.context(table))?;
        let (parcels, received) = channel();
        let (told, done) = channel();
        let (stop, telemetry) = (Stop::default(), telemetry.clone());
        let worker = Worker {
            goods: goods.clone(),
            topic,
            producer: Some(producer),
            told,
            stop: stop.clone(),
            telemetry: telemetry.clone(),
        };
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread
            .spawn(move || worker.run(&received))
            .context(Kind::Unavailable, "start a thread of a topic")?;
        let mut courier = Self {
            goods,
            parcels: Some(parcels),
            done,
            thread: Some(thread),
            stop,
            under_way: None,
            read: None,
            waiting: 0,
            telemetry,
        };
        courier.set_waiting(waiting);
        Ok(courier)
    }

    /// Takes note of rows that were committed.
    pub(super) fn note(&mut self, rows: u64) {
        self.set_waiting(self.waiting + rows);
    }

    /// How many rows wait.
    pub(super) fn set_waiting(&mut self, waiting: u64) {
        if self.waiting != waiting || waiting == 0 {
            self.goods.tell_waiting(waiting, &self.telemetry);
        }
        self.waiting = waiting;
    }

    /// Clears what was delivered, and hands over what is next, which `load` reads behind a place; does not wait.
    pub(super) fn turn(
        &mut self,
        store: &mut Store,
        load: impl FnOnce(&Store, Option<Place>) -> Result<Parcel<G::Message>>,
    ) -> Result<()> {
        match self.done.try_recv() {
            Ok(()) => self.clear(store)?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(ended()),
        }
        self.hand_over(store, load)
    }

    /// Goes on until nothing waits, as long as `goes_on` says so; whether all is delivered.
    pub(super) fn drain(
        &mut self,
        store: &mut Store,
        mut load: impl FnMut(&Store, Option<Place>) -> Result<Parcel<G::Message>>,
        goes_on: impl Fn() -> bool,
    ) -> Result<bool> {
        while self.waiting > 0 {
            self.hand_over(store, &mut load)?;
            self.telemetry.beat(Activity::Publishing);
            match self.done.recv_timeout(TICK) {
                Ok(()) => self.clear(store)?,
                Err(RecvTimeoutError::Timeout) if goes_on() => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.goods.tell_left(self.waiting);
                    return Ok(false);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
        Ok(true)
    }

    fn clear(&mut self, store: &mut Store) -> Result<()> {
        let Some((places, rows)) = self.under_way.take() else { return Ok(()) };
        let rows = around(Step::LettersCleared, || self.goods.clear(store, &places, rows))?;
        self.set_waiting(self.waiting.saturating_sub(rows));
        Ok(())
    }

    fn hand_over(
        &mut self,
        store: &Store,
        load: impl FnOnce(&Store, Option<Place>) -> Result<Parcel<G::Message>>,
    ) -> Result<()> {
        if self.waiting == 0 || self.under_way.is_some() {
            return Ok(());
        }
        let Parcel { messages, places, rows } = load(store, self.read)?;
        // What waited may have been erased.
        let Some(last) = places.last() else {
            self.set_waiting(0);
            return Ok(());
        };
        (self.read, self.under_way) = (Some(*last), Some((places, rows)));
        let parcels = self.parcels.as_ref().ok_or_else(ended)?;
        parcels.send(messages).map_err(|_| ended())
    }
}

impl<G: Goods> Drop for Courier<G> {
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
    Error::internal("the thread of a topic ended")
}

/// Delivers parcels, one after the other.
struct Worker<G: Goods> {
    goods: G,
    topic: Topic,
    /// `None` where the last one failed.
    producer: Option<TopicProducer>,
    told: Sender<()>,
    stop: Stop,
    telemetry: Telemetry,
}

/// What is told of one absence.
struct Absence<G> {
    goods: G,
    backoff: Backoff,
    is_told: bool,
}

impl<G: Goods> Absence<G> {
    /// It failed once more; returns how long to wait.
    fn failed(&mut self, error: &Error, telemetry: &Telemetry) -> Duration {
        self.goods.tell_failed(telemetry);
        let retry_in = self.backoff.wait().unwrap_or(PATIENCE.longest);
        self.tell(retry_in, error);
        retry_in
    }

    fn tell(&mut self, retry_in: Duration, error: &Error) {
        if !std::mem::replace(&mut self.is_told, true) {
            self.goods.tell_delayed(retry_in, error);
        }
    }

    fn ended(&mut self) {
        if std::mem::take(&mut self.is_told) {
            self.goods.tell_resumed(self.backoff.waits());
        }
        self.backoff.reset();
    }
}

impl<G: Goods> Worker<G> {
    fn run(mut self, parcels: &Receiver<Vec<G::Message>>) {
        let backoff = Backoff::new(PATIENCE);
        let mut absence = Absence { goods: self.goods.clone(), backoff, is_told: false };
        loop {
            match parcels.recv_timeout(IDLE) {
                Ok(messages) => {
                    if self.deliver(&messages, &mut absence).is_none()
                        || self.told.send(()).is_err()
                    {
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
    fn deliver(&mut self, messages: &[G::Message], absence: &mut Absence<G>) -> Option<()> {
        loop {
            match around(Step::Letters, || self.attempt(messages, absence)) {
                Ok(delivered) => {
                    absence.ended();
                    self.goods.tell_delivered(delivered, &self.telemetry);
                    return Some(());
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

    fn attempt(&mut self, messages: &[G::Message], absence: &mut Absence<G>) -> Result<Delivered> {
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
                self.goods.tell_failed(&self.telemetry);
                absence.tell(Duration::ZERO, &Error::unavailable(why));
            }
            !self.stop.is_asked()
        };
        producer.deliver(messages, &mut goes_on)
    }
}
