//! How does the next micro-batch get ready while the last one is decided?
//!
//! A thread gathers messages and prepares them, which needs neither state nor index; it is one micro-batch ahead of the loop
//! and no more. What it has in hand when the job stops is nowhere noted, and read again by the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::batch::{Prepared, Readers};
use super::intake::{Arrival, Arrivals};
use super::report::Stop;
use crate::clock::Stopwatch;
use crate::config::RunPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::record::DeadLetter;
use crate::source::{BATCH_BYTES_MAX, Message};

/// How long to wait for messages before somebody looks after other things.
const TICK: Duration = Duration::from_millis(50);

/// A micro-batch that is read.
pub(super) struct Batch {
    pub(super) messages: Vec<Message>,
    /// What each message says, in their order.
    pub(super) prepared: Vec<Result<Prepared, Box<DeadLetter>>>,
    /// How long that took.
    pub(super) took: Duration,
}

/// What is there for the loop.
pub(super) enum Next {
    /// A micro-batch.
    Batch(Batch),
    /// One is being made.
    Soon,
    /// No message came.
    Nothing,
    /// All sources are exhausted.
    End,
}

/// The thread that is ahead.
pub(super) struct Ahead {
    /// `None` once it is to end.
    queue: Option<Receiver<Result<Next>>>,
    /// Whether it has messages in hand.
    is_busy: Arc<AtomicBool>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

/// The thread's side.
struct Worker {
    arrivals: Arrivals,
    readers: Arc<Readers>,
    messages_max: usize,
    interval: Duration,
    queue: SyncSender<Result<Next>>,
    is_busy: Arc<AtomicBool>,
    stop: Stop,
}

impl Ahead {
    /// Starts on what arrives.
    ///
    /// **Errors:** `Unavailable` where no thread can be started.
    pub(super) fn start(
        arrivals: Arrivals,
        readers: &Arc<Readers>,
        plan: &RunPlan,
    ) -> Result<Self> {
        let (sender, queue) = sync_channel(0);
        let (is_busy, stop) = (Arc::new(AtomicBool::new(false)), Stop::default());
        let worker = Worker {
            arrivals,
            readers: Arc::clone(readers),
            messages_max: plan.batch,
            interval: plan.commit_interval,
            queue: sender,
            is_busy: Arc::clone(&is_busy),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("prepare".into());
        let thread = thread
            .spawn(move || worker.run())
            .context(Kind::Unavailable, "start the thread that prepares messages")?;
        Ok(Self { queue: Some(queue), is_busy, stop, thread: Some(thread) })
    }

    /// Waits a moment for the next micro-batch.
    ///
    /// **Errors:** those of a source that cannot go on.
    pub(super) fn next(&self) -> Result<Next> {
        let queue = self.queue.as_ref().ok_or_else(ended)?;
        match queue.recv_timeout(TICK) {
            Ok(next) => next,
            Err(RecvTimeoutError::Timeout) if self.is_busy.load(Ordering::Acquire) => {
                Ok(Next::Soon)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Next::Nothing),
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop.ask();
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was already reported by its hook.
            let _ = thread.join();
        }
    }
}

fn ended() -> Error {
    Error::internal("the thread that prepares messages ended")
}

impl Worker {
    /// Goes on until the sources end or fail, or nobody takes what is ready.
    fn run(&self) {
        while !self.stop.is_asked() {
            let (messages, last) = self.gather();
            if !messages.is_empty() {
                let clock = Stopwatch::start();
                let prepared = self.readers.prepare(&messages);
                let batch = Batch { messages, prepared, took: clock.elapsed() };
                if self.queue.send(Ok(Next::Batch(batch))).is_err() {
                    return;
                }
            }
            self.is_busy.store(false, Ordering::Release);
            if let Some(last) = last {
                // Where nobody listens the job has ended already.
                return self.queue.send(last).unwrap_or_default();
            }
        }
    }

    /// Gathers a micro-batch: as many messages as it may hold, by their number or their bytes, or those that come within
    /// the interval. Says what is to be said behind it where nothing more comes.
    fn gather(&self) -> (Vec<Message>, Option<Result<Next>>) {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        let gathering = Stopwatch::start();
        loop {
            match self.arrivals.next(TICK) {
                Ok(Arrival::Messages(more)) => {
                    self.is_busy.store(true, Ordering::Release);
                    bytes += more.iter().map(|message| message.payload.len()).sum::<usize>();
                    messages.extend(more);
                }
                Ok(Arrival::End) => return (messages, Some(Ok(Next::End))),
                Ok(Arrival::Nothing) if messages.is_empty() => return (messages, None),
                Ok(Arrival::Nothing) => {}
                Err(error) => return (messages, Some(Err(error))),
            }
            let full = messages.len() >= self.messages_max || bytes >= BATCH_BYTES_MAX;
            if full || gathering.elapsed() >= self.interval {
                return (messages, None);
            }
        }
    }
}
