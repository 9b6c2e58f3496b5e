//! How do messages of several sources reach one loop?
//!
//! A thread a source reads ahead behind a bounded queue; a full queue is its backpressure: the
//! source reads no further, and is held so that its broker does not give it up. A source that is
//! away is waited for in its own thread, so the others go on: for ever where it is a broker, with an
//! end where it is files, which somebody waits for. Any other error, and a panic, ends the job: it
//! must not look like the end of the source.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::backoff::{Backoff, Patience};
use crate::clock::{Stopwatch, now_micros};
use crate::error::{Context, Error, Kind, Result};
use crate::source::{self, Batch, Input, Lag, Message, Positions, Source, SourcePlan};
use crate::telemetry::{
    SourceFinished, SourceLagged, SourceRecovered, SourceUnavailable, Telemetry,
};

/// Batches that wait for the loop at most.
const QUEUED_BATCHES: usize = 2;
/// How long a source waits for a first message before it looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);
/// How long a reader waits before it looks whether the queue is still full.
const FULL_POLL: Duration = Duration::from_millis(2);
/// How long the queue may be full before the source is held, and how often it is then.
const HOLD_EVERY: Duration = Duration::from_secs(1);
/// How often it is noted how far a source is behind.
const LAG_EVERY: Duration = Duration::from_secs(1);

/// What comes in.
pub(super) enum Arrival {
    /// Messages of one source.
    Messages(Vec<Message>),
    /// Nothing came in time.
    Nothing,
    /// All sources are exhausted.
    End,
}

/// What the sources hand over.
pub(super) struct Arrivals(Receiver<Result<Vec<Message>>>);

/// The running sources.
pub(super) struct Intake {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the loop tells the sources.
struct Shared {
    durable: Mutex<Positions>,
    halted: Mutex<bool>,
    halt: Condvar,
    /// How many sources are not wholly being read.
    unready: AtomicUsize,
    /// How far each source is behind.
    lags: Mutex<BTreeMap<Arc<str>, Vec<Lag>>>,
}

impl Shared {
    fn durable(&self) -> MutexGuard<'_, Positions> {
        // A map of numbers is whole after any panic.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lags(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Vec<Lag>>> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not once halted; returns whether it is.
    fn halts_within(&self, wait: Duration) -> bool {
        let halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.halt.wait_timeout_while(halted, wait, |halted| !*halted);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn halt(&self) {
        *self.halted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.halt.notify_all();
    }
}

type Open = dyn FnMut(&Positions) -> Result<Box<dyn Source>> + Send;

/// A source that can be opened behind positions, also anew.
struct Opener {
    name: Arc<str>,
    open: Box<Open>,
    /// How long it may be away.
    patience: Patience,
    /// Whether it is of no more use once it was away.
    reopens: bool,
}

impl Opener {
    fn of(plan: &SourcePlan) -> Self {
        let own = plan.clone();
        let is_kafka = matches!(plan.input, Input::Kafka(_));
        Self {
            name: Arc::clone(&plan.name),
            open: Box::new(move |positions| source::open(&own, positions)),
            patience: if is_kafka { Patience::ENDLESS } else { Patience::BOUNDED },
            reopens: is_kafka,
        }
    }
}

impl Arrivals {
    /// Waits for messages.
    ///
    /// **Errors:** those of a source that cannot go on.
    pub(super) fn next(&self, wait: Duration) -> Result<Arrival> {
        match self.0.recv_timeout(wait) {
            Ok(messages) => messages.map(Arrival::Messages),
            Err(RecvTimeoutError::Timeout) => Ok(Arrival::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Arrival::End),
        }
    }
}

impl Intake {
    /// Opens every source behind its positions and starts reading; `limit` is the most messages of
    /// a batch.
    ///
    /// **Errors:** those of opening, unless the source is only away.
    pub(super) fn start(
        plans: &[SourcePlan],
        start: &Positions,
        limit: usize,
        telemetry: &Telemetry,
    ) -> Result<(Self, Arrivals)> {
        Self::read(plans.iter().map(Opener::of).collect(), start, limit, telemetry)
    }

    fn read(
        openers: Vec<Opener>,
        start: &Positions,
        limit: usize,
        telemetry: &Telemetry,
    ) -> Result<(Self, Arrivals)> {
        let (sender, queue) = sync_channel(QUEUED_BATCHES);
        let shared = Arc::new(Shared {
            durable: Mutex::new(start.clone()),
            halted: Mutex::new(false),
            halt: Condvar::new(),
            unready: AtomicUsize::new(openers.len()),
            lags: Mutex::default(),
        });
        let reader = |mut opener: Opener| {
            // From now on it is one that is waited for.
            telemetry.note(|facts| facts.source(&opener.name).ready = false);
            let source = match (opener.open)(start) {
                Ok(source) => Some(source),
                Err(error) if error.kind() == Kind::Unavailable => None,
                Err(error) => return Err(error),
            };
            Ok(Reader {
                source,
                acknowledged: start.clone(),
                backoff: Backoff::new(opener.patience),
                ready: false,
                read: 0,
                told_lag: None,
                limit,
                queue: sender.clone(),
                shared: Arc::clone(&shared),
                telemetry: telemetry.clone(),
                opener,
            })
        };
        let readers = openers.into_iter().map(reader).collect::<Result<Vec<_>>>()?;
        let mut intake = Self { shared, threads: Vec::new() };
        for reader in readers {
            let thread = std::thread::Builder::new().name(format!("source-{}", reader.opener.name));
            let thread = thread.spawn(move || reader.run());
            match thread.context(Kind::Unavailable, "start source thread") {
                Ok(thread) => intake.threads.push(thread),
                Err(error) => {
                    intake.stop();
                    return Err(error);
                }
            }
        }
        Ok((intake, Arrivals(queue)))
    }

    /// Whether every source is wholly being read: only then can nothing have come.
    pub(super) fn is_ready(&self) -> bool {
        self.shared.unready.load(Ordering::Acquire) == 0
    }

    /// How far the partitions of each source are behind, as of about a second ago; a source that
    /// does not know is not in it.
    pub(super) fn lag(&self) -> BTreeMap<Arc<str>, Vec<Lag>> {
        self.shared.lags().clone()
    }

    /// Says how far the sources are behind.
    pub(super) fn tell_lag(&self) {
        let now = now_micros();
        for (source, lag) in self.lag() {
            let age = lag.iter().filter_map(|lag| lag.newest_message_at).min();
            let age = age.and_then(|at| u64::try_from(now - at).ok());
            SourceLagged {
                source: &source,
                partitions: lag.len(),
                records: lag.iter().map(|lag| lag.records).sum(),
                age: age.map(Duration::from_micros),
                lost: lag.iter().map(|lag| lag.lost).sum(),
            }
            .emit();
        }
    }

    /// Tells the sources how far their messages are durable.
    pub(super) fn acknowledge(&self, positions: &Positions) {
        self.shared.durable().clone_from(positions);
    }

    /// Stops reading and waits for the threads; what they read and nobody took is read again by the
    /// next job.
    pub(super) fn stop(self) {
        self.shared.halt();
        for thread in self.threads {
            thread.join().expect("a source's thread catches its panics");
        }
    }
}

/// One source's thread.
struct Reader {
    opener: Opener,
    source: Option<Box<dyn Source>>,
    acknowledged: Positions,
    backoff: Backoff,
    ready: bool,
    read: u64,
    told_lag: Option<Stopwatch>,
    limit: usize,
    queue: SyncSender<Result<Vec<Message>>>,
    shared: Arc<Shared>,
    telemetry: Telemetry,
}

impl Reader {
    fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.read_all()));
        let act = || format!("read source `{}`", self.opener.name);
        let error = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.context(act()),
            Err(_) => Error::internal(format!("{}: its thread panicked", act())),
        };
        // Where nobody listens the job has ended already.
        self.queue.send(Err(error)).unwrap_or_default();
    }

    /// Reads until the source ends, fails for good, or the job stops.
    fn read_all(&mut self) -> Result<()> {
        while !self.shared.halts_within(Duration::ZERO) {
            match self.next() {
                Ok(None) => {
                    self.recovered();
                    let source = &self.opener.name;
                    SourceFinished { source, read: self.read }.emit(&self.telemetry);
                    break;
                }
                Ok(Some(batch)) if batch.messages.is_empty() => {}
                Ok(Some(batch)) => {
                    self.recovered();
                    self.read += batch.messages.len() as u64;
                    if !self.hand_over(batch.messages) {
                        break;
                    }
                }
                Err(error) if error.kind() == Kind::Unavailable => self.wait(error)?,
                Err(error) => return Err(error),
            }
        }
        // The last positions reach the broker's dashboards where they can; nothing rests on them.
        self.acknowledge();
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        self.acknowledge();
        let source = match &mut self.source {
            Some(source) => source,
            // What was read and is not durable comes again, and is known by its event ids.
            None => self.source.insert((self.opener.open)(&self.acknowledged)?),
        };
        let batch = source.next(self.limit, POLL);
        let is_ready = source.is_ready();
        self.note_ready(is_ready);
        self.note_lag();
        batch
    }

    fn note_ready(&mut self, is_ready: bool) {
        match (self.ready, is_ready) {
            (false, true) => self.shared.unready.fetch_sub(1, Ordering::AcqRel),
            (true, false) => self.shared.unready.fetch_add(1, Ordering::AcqRel),
            _ => return,
        };
        self.ready = is_ready;
        self.telemetry.note(|facts| facts.source(&self.opener.name).ready = is_ready);
    }

    fn note_lag(&mut self) {
        let Some(source) = &mut self.source else { return };
        if self.told_lag.as_ref().is_some_and(|told| told.elapsed() < LAG_EVERY) {
            return;
        }
        self.told_lag = Some(Stopwatch::start());
        let failed = source.unacknowledged();
        self.telemetry.metrics().not_acknowledged(&self.opener.name, failed);
        let lag = source.lag();
        let known = lag.iter().filter_map(|lag| Some((lag.partition.to_string(), lag.records?)));
        self.telemetry.source_lag(&self.opener.name, known.collect());
        if !lag.is_empty() {
            self.shared.lags().insert(Arc::clone(&self.opener.name), lag);
        }
    }

    /// Waits until there is room for messages; returns whether anybody took them.
    fn hand_over(&mut self, messages: Vec<Message>) -> bool {
        let mut messages = Ok(messages);
        let mut waited = Stopwatch::start();
        loop {
            match self.queue.try_send(messages) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => messages = back,
            }
            if self.shared.halts_within(FULL_POLL) {
                return false;
            }
            if waited.elapsed() >= HOLD_EVERY {
                waited = Stopwatch::start();
                self.source.as_mut().into_iter().for_each(|source| source.hold());
                self.note_lag();
            }
        }
    }

    fn acknowledge(&mut self) {
        let durable = self.shared.durable().clone();
        if durable != self.acknowledged {
            if let Some(source) = &mut self.source {
                source.acknowledge(&durable);
            }
            self.acknowledged = durable;
        }
    }

    /// Waits for a source that is away; fails when that takes too long.
    fn wait(&mut self, error: Error) -> Result<()> {
        let Some(wait) = self.backoff.wait() else {
            return Err(error.context(format!("gave up after {} tries", self.backoff.waits() + 1)));
        };
        if self.backoff.waits() == 1 {
            let source = &self.opener.name;
            SourceUnavailable { source, retry_in: wait, error: &error }.emit(&self.telemetry);
        }
        self.note_ready(false);
        if self.opener.reopens {
            self.source = None;
        }
        self.shared.halts_within(wait);
        Ok(())
    }

    fn recovered(&mut self) {
        if self.backoff.waits() > 0 {
            let (source, attempts) = (&self.opener.name, self.backoff.waits());
            SourceRecovered { source, attempts }.emit(&self.telemetry);
            self.backoff.reset();
        }
    }
}

#[cfg(test)]
mod tests;
