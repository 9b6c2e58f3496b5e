//! When does a job publish, and what if the tables' store is away?

use std::time::Duration;

use super::super::backoff::Backoff;
use super::super::carry;
use super::super::intake::Intake;
use super::Job;
use crate::clock::Stopwatch;
use crate::error::{Kind, Result};
use crate::state::Commit;
use crate::telemetry::{PublishDelayed, TablesPublished};

/// A publish may take at most this part of the time: the next one waits this many times as long as
/// the last took.
const PUBLISH_REST: u32 = 4;

impl Job {
    /// Takes over the ids of an earlier output, where that is still to be done.
    pub(in crate::pipeline) fn carry_ids(&mut self) -> Result<()> {
        if !self.carrying || self.store.sequence() == 0 {
            return Ok(());
        }
        self.registry = carry::carry(&self.plan, &mut self.store, &self.registry)?;
        self.carrying = false;
        Ok(())
    }

    /// Sees to it that all profiles are written anew where the pipeline, or this version of the program, would make
    /// others of the same members.
    pub(super) fn renew_profiles(&mut self) -> Result<()> {
        let by = self.plan.publish.profiles.fingerprint();
        let view = self.store.view();
        let before = view.profiled_by()?;
        // The first commit says it.
        if view.sequence() == 0 || before.as_ref() == Some(&by) {
            return Ok(());
        }
        let commit = Commit {
            counters: view.counters(),
            max_event_time: view.max_event_time(),
            touched: self.registry.live(),
            // The tables that an earlier version of the program wrote have other columns, so these begin anew.
            mappings: if before.is_none() { self.registry.all() } else { Vec::new() },
            profiled_by: Some(by),
            ..Commit::default()
        };
        drop(view);
        self.store.commit(&commit)?;
        Ok(())
    }

    /// Publishes what waits, unless records are still to be resolved or ids to be carried over; returns how long that
    /// took.
    pub(super) fn publish(&mut self) -> Result<Duration> {
        let clock = Stopwatch::start();
        if !self.holds_back() && self.store.published() < self.store.sequence() {
            let written =
                self.publisher.publish(&mut self.store, &self.registry, &self.resolver)?;
            self.report.publishes += 1;
            if let Some(window) = &self.window {
                window.forget(&mut self.store)?;
            }
            self.tell_published();
            TablesPublished {
                sequence: self.store.published(),
                profiles: written.profiles,
                mappings: written.mappings,
                changes: written.changes,
                interactions: written.interactions,
                dead_letters: written.dead_letters,
                duration: clock.elapsed(),
            }
            .emit(&self.telemetry);
        }
        let took = clock.elapsed();
        self.report.time.publish += took;
        Ok(took)
    }

    /// Publishes what waits, or leaves it for the next time where the store is away; returns how
    /// long to wait for that.
    pub(super) fn publish_or_delay(
        &mut self,
        delays: &mut u32,
        intake: &Intake,
    ) -> Result<Duration> {
        let clock = Stopwatch::start();
        let published = self.publish();
        let rest = self.plan.publish.interval.max(clock.elapsed() * PUBLISH_REST);
        match published {
            Ok(_) => {
                *delays = 0;
                intake.acknowledge(&self.positions);
            }
            Err(error) if error.kind() == Kind::Unavailable => {
                *delays += 1;
                let sequence = self.store.sequence();
                PublishDelayed { sequence, attempt: *delays, retry_in: rest, error: &error }
                    .emit(&self.telemetry);
            }
            Err(error) => return Err(error),
        }
        Ok(rest)
    }

    /// Publishes what waits; where the store is away, tries for a while.
    pub(super) fn publish_finally(&mut self) -> Result<()> {
        let mut backoff = Backoff::new(self.patience);
        loop {
            let error = match self.publish() {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == Kind::Unavailable => error,
                Err(error) => return Err(error),
            };
            let Some(wait) = backoff.wait() else {
                return Err(error.context(
                    "the tables could not be published; nothing is lost, the next start publishes \
                     what was committed",
                ));
            };
            let (sequence, attempt) = (self.store.sequence(), backoff.waits());
            PublishDelayed { sequence, attempt, retry_in: wait, error: &error }
                .emit(&self.telemetry);
            std::thread::sleep(wait);
        }
    }
}
