//! What does one job do, from start to stop?

mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::{Backoff, Patience};
use super::batch::Readers;
use super::carry;
use super::identify;
use super::index::keep_notes;
pub(super) use super::index::load_index;
use super::intake::{Arrival, Intake};
use super::model;
use super::publish::Publisher;
use super::registry::Registry;
use super::report::{Ending, Options, Progress, Report, Stop};
use super::snapshot::Snapshots;
use super::window::{self, Window};
pub use judge::{Given, Judged, Standing};

use crate::clock::Stopwatch;
use crate::config::{Plan, StatePlan};
use crate::error::{Error, Kind, Result};
use crate::record::{DeadLetter, Reason};
use crate::resolve::Resolver;
use crate::source::{Message, Positions};
use crate::state::{self, Counters, Store};
use crate::telemetry::{
    BatchCommitted, IndexBuilt, PipelineStarted, PipelineStopped, PublishDelayed, PublishHeldBack,
    RecordsRejected, SourceResumed, StateOpened, StopCause, TablesPublished,
};

/// How long the loop waits for messages before it looks after other things.
const TICK: Duration = Duration::from_millis(50);
/// A publish may take at most this part of the time: the next one waits this many times as long as
/// the last took.
const PUBLISH_REST: u32 = 4;
/// The store's cache gets this part of the state's memory: the index in memory needs the most.
const CACHE_SHARE: u64 = 8;

/// A pipeline that is open: its state, its index and its tables.
pub struct Job {
    plan: Plan,
    readers: Readers,
    store: Store,
    registry: Registry,
    resolver: Resolver,
    publisher: Publisher,
    positions: Positions,
    report: Report,
    /// How long events are known; `None`: for ever.
    window: Option<Window>,
    /// Snapshots of the state that are taken meanwhile.
    snapshots: Option<Snapshots>,
    /// Ids are still to be carried over from an earlier output; until then nothing is published.
    carrying: bool,
    /// How long publishing at the end waits for a store that is away.
    patience: Patience,
}

impl Job {
    /// Opens state and tables, takes what the pipeline's file of judgements holds and the state does not, and publishes
    /// that and what a job that was cut short left unpublished.
    ///
    /// **Errors:** `Invalid` for a model that is not the state's, or a file of judgements that cannot be read; `Fenced`
    /// where another job has the state; `Data`, `Unavailable`.
    pub fn open(plan: Plan) -> Result<Self> {
        let clock = Stopwatch::start();
        let mut store = open_state(&plan.state)?;
        StateOpened {
            sequence: store.sequence(),
            published: store.published(),
            epoch: store.epoch(),
            duration: clock.elapsed(),
        }
        .emit();
        let model = model::frozen(&plan, &mut store)?;
        let view = store.view();
        let building = Stopwatch::start();
        let (registry, mut resolver) = load_index(model, &view)?;
        let positions = view.positions()?;
        let records = view.nodes();
        drop(view);
        let corrected = keep_notes(&mut store, &mut resolver)?;
        IndexBuilt { records, corrected, duration: building.elapsed() }.emit();
        let carrying = carry::is_pending(&plan, &store)?;
        if carrying {
            carry::check(&plan)?;
        }
        let publisher = Publisher::open(&plan.publish, &plan.name, &mut store)?;
        let window = plan.state.event_window.map(|span| Window::open(span, &store)).transpose()?;
        let mut job = Self {
            readers: Readers::new(&plan),
            window,
            snapshots: plan.state.snapshot.as_ref().map(|it| Snapshots::new(it, &plan.name)),
            plan,
            store,
            registry,
            resolver,
            publisher,
            positions,
            report: Report::default(),
            carrying,
            patience: Patience::BOUNDED,
        };
        job.take_ledger()?;
        job.publish()?;
        job.report.time.open = clock.elapsed();
        Ok(job)
    }

    /// Runs until the sources end, nothing comes any more, or a stop is asked for; then everything
    /// is committed and published.
    ///
    /// **Errors:** `Unavailable` where files or the tables' store stay away: what was committed is
    /// safe, and the next start goes on from there; `Fenced` where another job took a table;
    /// `Invalid` and `Data` of a source; `Data` of the state.
    pub fn run(
        &mut self,
        options: Options,
        stop: &Stop,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Report> {
        let clock = Stopwatch::start();
        if self.carrying && options.ending == Ending::Exhausted {
            carry::check_end(&self.plan)?;
        }
        self.tell_start();
        let intake = Intake::start(&self.plan.sources, &self.positions, self.plan.run.batch)?;
        let looped = self.run_loop(&intake, options, stop, progress);
        let finished = looped.and_then(|cause| {
            progress(&Progress { publishing: true, ..self.progress() });
            if cause != StopCause::Drained {
                self.carry_ids()?;
            }
            if self.carrying && self.store.sequence() > 0 {
                PublishHeldBack { sequence: self.store.sequence() }.emit();
            } else {
                self.publish_finally()?;
                intake.acknowledge(&self.positions);
                // Where it cannot be settled, questions take longer; nothing else hangs on it.
                self.store.settle()?;
            }
            Ok(cause)
        });
        intake.stop();
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.finish();
        }
        let cause = finished?;
        self.report.time.total = clock.elapsed();
        progress(&self.progress());
        PipelineStopped {
            pipeline: &self.plan.name,
            cause,
            sequence: self.store.sequence(),
            published: self.store.published(),
            duration: clock.elapsed(),
        }
        .emit();
        Ok(self.finish_report())
    }

    fn tell_start(&self) {
        PipelineStarted {
            pipeline: &self.plan.name,
            sources: self.plan.sources.len(),
            publish_url: &self.plan.publish.url,
        }
        .emit();
        for ((source, partition), next_offset) in &self.positions {
            SourceResumed { source, partition, next_offset: *next_offset }.emit();
        }
    }

    fn run_loop(
        &mut self,
        intake: &Intake,
        options: Options,
        stop: &Stop,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<StopCause> {
        let mut quiet = Stopwatch::start();
        let mut rested = Stopwatch::start();
        let mut rest = self.plan.publish.interval;
        let mut delays = 0;
        while !stop.is_asked() {
            let waiting = Stopwatch::start();
            let (messages, ended) = self.gather(intake)?;
            self.report.time.wait += waiting.elapsed();
            if !messages.is_empty() {
                self.process(&messages)?;
                progress(&self.progress());
                quiet = Stopwatch::start();
            } else if !intake.is_ready() {
                quiet = Stopwatch::start();
            }
            if let Some(snapshots) = &mut self.snapshots {
                snapshots.take_if_due(self.store.sequence(), || self.store.view());
            }
            if ended {
                return Ok(StopCause::Finished);
            }
            if matches!(options.ending, Ending::Idle(after) if quiet.elapsed() >= after) {
                return Ok(StopCause::Idle);
            }
            if options.interim && !self.carrying && rested.elapsed() >= rest {
                progress(&Progress { publishing: true, ..self.progress() });
                rest = self.publish_or_delay(&mut delays, intake)?;
                rested = Stopwatch::start();
            }
        }
        Ok(StopCause::Drained)
    }

    /// Gathers a micro-batch: as many messages as it may hold, or those that come within the commit
    /// interval.
    fn gather(&self, intake: &Intake) -> Result<(Vec<Message>, bool)> {
        let mut messages = Vec::new();
        let gathering = Stopwatch::start();
        loop {
            match intake.next(TICK)? {
                Arrival::Messages(more) => messages.extend(more),
                Arrival::End => return Ok((messages, true)),
                Arrival::Nothing if messages.is_empty() => return Ok((messages, false)),
                Arrival::Nothing => {}
            }
            let full = messages.len() >= self.plan.run.batch;
            if full || gathering.elapsed() >= self.plan.run.commit_interval {
                return Ok((messages, false));
            }
        }
    }

    /// Takes one micro-batch from messages to a durable commit.
    fn process(&mut self, messages: &[Message]) -> Result<()> {
        let (whole, before) = (Stopwatch::start(), self.store.counters());
        let clock = Stopwatch::start();
        let prepared = self.readers.prepare(messages);
        let (positions, again) = advance(&self.positions, messages);
        let prepared = window::sift(self.window.as_ref(), prepared, messages, &again, &self.store)?;
        self.report.time.prepare += clock.elapsed();

        let clock = Stopwatch::start();
        let mut draft = identify::draft(
            prepared,
            self.store.counters(),
            &self.store,
            &mut self.registry,
            &mut self.resolver,
        )?;
        self.report.time.resolve += clock.elapsed();

        let clock = Stopwatch::start();
        draft.commit.positions = positions;
        if let Some(window) = &mut self.window {
            window.note(&mut draft.commit);
        }
        self.store.commit(&draft.commit)?;
        self.tell_batch(&before, &draft.commit.dead_letters, whole.elapsed());
        self.positions.append(&mut draft.commit.positions);
        self.report.time.commit += clock.elapsed();

        self.report.commits += 1;
        self.report.messages += messages.len() as u64;
        self.report.work = self.report.work.and(draft.work);
        Ok(())
    }

    fn tell_batch(&self, before: &Counters, letters: &[DeadLetter], duration: Duration) {
        let after = self.store.counters();
        BatchCommitted {
            sequence: self.store.sequence(),
            read: after.read - before.read,
            resolved: after.resolved - before.resolved,
            duplicate: after.duplicate - before.duplicate,
            dead_lettered: after.dead_lettered - before.dead_lettered,
            duration,
        }
        .emit();
        let mut rejected: BTreeMap<(&str, Reason), u64> = BTreeMap::new();
        for letter in letters {
            *rejected.entry((&letter.origin.source, letter.reason)).or_default() += 1;
        }
        for ((source, reason), count) in rejected {
            RecordsRejected { source, reason, count }.emit();
        }
    }

    /// Takes over the ids of an earlier output, where that is still to be done.
    pub(super) fn carry_ids(&mut self) -> Result<()> {
        if !self.carrying || self.store.sequence() == 0 {
            return Ok(());
        }
        self.registry = carry::carry(&self.plan, &mut self.store, &self.registry)?;
        self.carrying = false;
        Ok(())
    }

    /// Publishes what waits, unless ids are still to be carried over; returns how long that took.
    fn publish(&mut self) -> Result<Duration> {
        let clock = Stopwatch::start();
        if !self.carrying && self.store.published() < self.store.sequence() {
            let written =
                self.publisher.publish(&mut self.store, &self.registry, &self.resolver)?;
            self.report.publishes += 1;
            if let Some(window) = &self.window {
                window.forget(&mut self.store)?;
            }
            TablesPublished {
                sequence: self.store.published(),
                profiles: written.profiles,
                mappings: written.mappings,
                changes: written.changes,
                interactions: written.interactions,
                dead_letters: written.dead_letters,
                duration: clock.elapsed(),
            }
            .emit();
        }
        let took = clock.elapsed();
        self.report.time.publish += took;
        Ok(took)
    }

    /// Publishes what waits, or leaves it for the next time where the store is away; returns how
    /// long to wait for that.
    fn publish_or_delay(&mut self, delays: &mut u32, intake: &Intake) -> Result<Duration> {
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
                PublishDelayed { sequence, attempt: *delays, retry_in: rest, error: &error }.emit();
            }
            Err(error) => return Err(error),
        }
        Ok(rest)
    }

    /// Publishes what waits; where the store is away, tries for a while.
    fn publish_finally(&mut self) -> Result<()> {
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
            PublishDelayed { sequence, attempt, retry_in: wait, error: &error }.emit();
            std::thread::sleep(wait);
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            counters: self.store.counters(),
            messages: self.report.messages,
            identities: self.registry.identities(),
            publishing: false,
        }
    }

    fn finish_report(&mut self) -> Report {
        self.report.counters = self.store.counters();
        self.report.identities = self.registry.identities();
        self.report.records = self.store.view().nodes();
        self.report.state_bytes = self.store.disk_bytes();
        self.report.tables = self.publisher.size();
        self.report.shared_identifiers = self.resolver.shared_identifiers();
        self.report.expected_precision = self.resolver.model().expected_precision();
        self.report.clone()
    }

    /// Fails at once where the tables' store is away at the end of a run.
    #[cfg(test)]
    pub(super) fn has_no_patience(&mut self) {
        self.patience.waits = Some(0);
    }
}

/// The positions behind messages, and for each message whether it was read before: a source that was away starts again
/// behind what is published. A position never goes back.
fn advance(behind: &Positions, messages: &[Message]) -> (Positions, Vec<bool>) {
    let mut positions = Positions::new();
    let again = messages
        .iter()
        .map(|message| {
            let origin = &message.origin;
            let key = (Arc::clone(&origin.source), Arc::clone(&origin.partition));
            let before = behind.get(&key).copied().unwrap_or_default();
            let next = positions.entry(key).or_insert(before);
            let again = origin.offset < *next;
            *next = (*next).max(origin.offset + 1);
            again
        })
        .collect();
    (positions, again)
}

/// The state's share of the memory budget, which so far is the store's cache.
pub(super) fn state_options(plan: &StatePlan) -> state::Options {
    state::Options { cache_bytes: plan.memory / CACHE_SHARE, ..state::Options::default() }
}

/// Opens the state within its share of the memory budget.
pub(super) fn open_state(plan: &StatePlan) -> Result<Store> {
    Store::open(&plan.path, &state_options(plan)).map_err(damaged)
}

/// Says what to do about a state that is damaged.
fn damaged(error: Error) -> Error {
    if error.kind() != Kind::Data {
        return error;
    }
    error.context(
        "the state is damaged, nothing was changed: move its folder away and restore a snapshot \
         (`onefold state PIPELINE restore`), or read the sources anew into a new publish.url with \
         publish.carry_ids_from",
    )
}

/// Opens the state of a pipeline that has run.
///
/// **Errors:** `Invalid` where there is none yet.
pub(super) fn open_existing_state(plan: &StatePlan) -> Result<Store> {
    if !plan.path.exists() {
        return Err(Error::invalid(format!(
            "[state] path = {}: there is no state yet: run the pipeline first",
            plan.path.display()
        )));
    }
    open_state(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Origin;

    #[test]
    fn what_is_read_again_moves_no_position_back() {
        let at = |offset| Message {
            origin: Origin { source: "web".into(), partition: "web/0".into(), offset },
            payload: bytes::Bytes::new(),
            fault: None,
        };
        let key: (Arc<str>, Arc<str>) = ("web".into(), "web/0".into());
        let behind = Positions::from([(key.clone(), 5)]);
        let (positions, again) = advance(&behind, &[at(3), at(4), at(5), at(5), at(6)]);
        assert_eq!(again, [true, true, false, true, false]);
        assert_eq!(positions, Positions::from([(key.clone(), 7)]));
        assert_eq!(advance(&behind, &[at(0)]).0, behind);
    }
}
