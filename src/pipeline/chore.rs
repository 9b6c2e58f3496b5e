//! What does a job do beside its work, now and then, in a thread of its own?
//!
//! Nothing that the job's own work hangs on: a job that is told to stop does not wait for it.

use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::error::{Error, Result};

/// Something that is done now and then; at most one is at work.
pub(super) struct Chore {
    name: &'static str,
    /// Since the last one began.
    rested: Stopwatch,
    rest: Duration,
    at_work: Option<JoinHandle<()>>,
}

impl Chore {
    /// One that is due for the first time after some rest.
    pub(super) fn new(name: &'static str, rest: Duration) -> Self {
        Self { name, rested: Stopwatch::start(), rest, at_work: None }
    }

    /// Whether it is time, and the one before has ended.
    pub(super) fn is_due(&self) -> bool {
        let busy = self.at_work.as_ref().is_some_and(|thread| !thread.is_finished());
        !busy && self.rested.elapsed() >= self.rest
    }

    /// Begins one, once the one before has ended; the next is due after some rest.
    pub(super) fn start(
        &mut self,
        rest: Duration,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<()> {
        let ended = self.wait();
        (self.rested, self.rest) = (Stopwatch::start(), rest);
        let started = std::thread::Builder::new().name(self.name.into()).spawn(work);
        let started = started.map_err(|error| {
            Error::unavailable(format!("start the thread `{}`", self.name)).caused_by(error)
        });
        self.at_work = Some(started?);
        ended
    }

    /// Waits for the one that is at work.
    ///
    /// **Errors:** `Internal` where it panicked.
    pub(super) fn wait(&mut self) -> Result<()> {
        let Some(thread) = self.at_work.take() else { return Ok(()) };
        let panicked = || Error::internal(format!("the thread `{}` panicked", self.name));
        thread.join().map_err(|_| panicked())
    }
}
