//! How do messages of several sources reach one loop?
//!
//! A thread a source reads ahead behind a bounded queue; a full queue is its backpressure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::source::{self, Message, Positions, SourcePlan};

/// Batches that wait for the loop at most.
const QUEUED_BATCHES: usize = 2;
/// How long a source waits for a first message before it looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);

/// What comes in.
pub(super) enum Arrival {
    /// Messages of one source.
    Messages(Vec<Message>),
    /// Nothing came in time.
    Nothing,
    /// All sources are exhausted.
    End,
}

/// The running sources.
pub(super) struct Intake {
    queue: Receiver<Result<Vec<Message>>>,
    durable: Arc<Mutex<Positions>>,
    halted: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Intake {
    /// Opens every source behind its positions and starts reading; `limit` is the most messages of
    /// a batch.
    pub(super) fn start(plans: &[SourcePlan], start: &Positions, limit: usize) -> Result<Self> {
        let (sender, queue) = sync_channel(QUEUED_BATCHES);
        let mut intake =
            Self { queue, durable: Arc::default(), halted: Arc::default(), threads: Vec::new() };
        for plan in plans {
            let mut source = source::open(plan, start)?;
            let (sender, durable, halted) =
                (sender.clone(), Arc::clone(&intake.durable), Arc::clone(&intake.halted));
            let thread = std::thread::Builder::new()
                .name(format!("source-{}", plan.name))
                .spawn(move || read(source.as_mut(), limit, &sender, &durable, &halted))
                .map_err(|error| Error::unavailable("start source thread").caused_by(error))?;
            intake.threads.push(thread);
        }
        Ok(intake)
    }

    /// Waits for messages.
    pub(super) fn next(&self, wait: Duration) -> Result<Arrival> {
        match self.queue.recv_timeout(wait) {
            Ok(messages) => messages.map(Arrival::Messages),
            Err(RecvTimeoutError::Timeout) => Ok(Arrival::Nothing),
            Err(RecvTimeoutError::Disconnected) => Ok(Arrival::End),
        }
    }

    /// Tells the sources how far their messages are durable.
    pub(super) fn acknowledge(&self, positions: &Positions) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.clone_from(positions);
    }

    /// Stops reading and waits for the threads; what they read and nobody took is read again by the
    /// next job.
    pub(super) fn stop(self) {
        self.halted.store(true, Ordering::Release);
        drop(self.queue);
        for thread in self.threads {
            // A panic of a source thread was printed there; it read nothing that was committed
            // since.
            let _ = thread.join();
        }
    }
}

fn read(
    source: &mut dyn source::Source,
    limit: usize,
    queue: &SyncSender<Result<Vec<Message>>>,
    durable: &Mutex<Positions>,
    halted: &AtomicBool,
) {
    let mut acknowledged = Positions::new();
    let acknowledge = |source: &mut dyn source::Source, acknowledged: &mut Positions| {
        let positions = durable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if positions == *acknowledged {
            return Ok(());
        }
        source.acknowledge(&positions)?;
        *acknowledged = positions;
        Ok(())
    };
    while !halted.load(Ordering::Acquire) {
        let batch = acknowledge(source, &mut acknowledged).and_then(|()| source.next(limit, POLL));
        let sent = match batch {
            Ok(None) => break,
            Ok(Some(batch)) if batch.messages.is_empty() => Ok(()),
            Ok(Some(batch)) => queue.send(Ok(batch.messages)),
            Err(error) => queue.send(Err(error)),
        };
        if sent.is_err() {
            break;
        }
    }
    // The last positions reach the broker's dashboards where they can; nothing rests on them.
    if let Err(error) = acknowledge(source, &mut acknowledged) {
        tracing::debug!(%error, "offsets were not acknowledged");
    }
}
