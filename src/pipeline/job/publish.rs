//! When does a job publish, and what if the tables' store is away?

use std::time::Duration;

use super::super::backoff::Backoff;
use super::super::carry;
use super::super::intake::Intake;
use super::super::publish::Published;
use super::super::report::Progress;
use super::Job;
use crate::clock::Stopwatch;
use crate::config::PublishPlan;
use crate::error::{Kind, Result};
use crate::source::Positions;
use crate::state::Commit;
use crate::telemetry::{PublishDelayed, TablesPublished};

/// A publish may take at most this part of the time: the next one waits this many times as long as
/// the last took.
const PUBLISH_REST: u32 = 4;

/// When tables were written, and when they will be again.
pub(super) struct Publishing {
    rested: Stopwatch,
    rest: Duration,
    began: Stopwatch,
    /// How far messages were read when it began.
    positions: Positions,
    /// How often the tables' store was found away since it last was there.
    delays: u32,
}

impl Publishing {
    pub(super) fn new(plan: &PublishPlan) -> Self {
        Self {
            rested: Stopwatch::start(),
            rest: plan.interval,
            began: Stopwatch::start(),
            positions: Positions::new(),
            delays: 0,
        }
    }
}

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
        if let Some(published) = self.finish_publish(&clock)? {
            published?;
        }
        if self.has_to_publish() {
            let publisher = self.press.publisher_mut()?;
            let written = publisher.publish(&mut self.store, &self.registry, &self.resolver)?;
            self.note_published(written, clock.elapsed())?;
        }
        let took = clock.elapsed();
        self.report.time.publish += took;
        Ok(took)
    }

    fn has_to_publish(&self) -> bool {
        !self.holds_back() && self.store.published() < self.store.sequence()
    }

    /// Waits for what is being written aside, and clears its outbox; the outcome, where anything was.
    fn finish_publish(&mut self, since: &Stopwatch) -> Result<Option<Result<()>>> {
        let Some((commit, written)) = self.press.finish()? else { return Ok(None) };
        let written = match written {
            Ok(written) => written,
            Err(error) => return Ok(Some(Err(error))),
        };
        self.store.clear_outbox(commit)?;
        self.note_published(written, since.elapsed())?;
        Ok(Some(Ok(())))
    }

    fn note_published(&mut self, written: Published, duration: Duration) -> Result<()> {
        self.report.publishes += 1;
        if let Some(window) = &self.window {
            window.forget(&mut self.store)?;
        }
        self.tell_published()?;
        TablesPublished {
            sequence: self.store.published(),
            profiles: written.profiles,
            mappings: written.mappings,
            changes: written.changes,
            interactions: written.interactions,
            dead_letters: written.dead_letters,
            duration,
        }
        .emit(&self.telemetry);
        Ok(())
    }

    /// Begins to publish when it is time, and ends that when it is done; where the tables' store is away, leaves it for the
    /// next time. Messages are taken meanwhile.
    pub(super) fn publish_when_due(
        &mut self,
        publishing: &mut Publishing,
        intake: &Intake,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<()> {
        if !self.press.is_under_way() {
            if publishing.rested.elapsed() < publishing.rest {
                return Ok(());
            }
            intake.tell_lag();
            progress(&Progress { publishing: true, ..self.progress() });
            publishing.began = Stopwatch::start();
            publishing.positions.clone_from(&self.positions);
            if self.has_to_publish() {
                return self.press.start(self.store.view(), &self.registry);
            }
        } else if !self.press.is_done() {
            return Ok(());
        }
        let took = publishing.began.elapsed();
        let published = self.finish_publish(&publishing.began)?;
        self.report.time.publish += took;
        publishing.rest = self.plan.publish.interval.max(took * PUBLISH_REST);
        publishing.rested = Stopwatch::start();
        match published {
            Some(Err(error)) if error.kind() == Kind::Unavailable => {
                publishing.delays += 1;
                let (sequence, attempt) = (self.store.sequence(), publishing.delays);
                PublishDelayed { sequence, attempt, retry_in: publishing.rest, error: &error }
                    .emit(&self.telemetry);
                return Ok(());
            }
            Some(Err(error)) => return Err(error),
            Some(Ok(())) | None => {}
        }
        publishing.delays = 0;
        intake.acknowledge(&publishing.positions);
        self.forget_when_due(intake)
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
