//! What does one job do, from start to stop?

mod advance;
mod erase;
mod forget;
mod judge;
mod letters;
mod publish;
mod replay;
mod settle;
mod tell;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use super::ahead::{Ahead, Batch, Next};
use super::backoff::Patience;
use super::batch::Readers;
use super::breaker::Breaker;
use super::carry;
use super::courier::Courier;
use super::disk::Disk;
use super::identify;
use super::index::{Opened, keep_notes, open_index};
use super::intake::Intake;
use super::letters::Letters;
use super::model;
use super::opening::open_state;
use super::plain::Plains;
use super::publish::{Press, Publisher};
use super::registry::Registry;
use super::report::{Ending, Options, Progress, Report, Stop};
use super::snapshot::Snapshots;
use super::topics::Topics;
use super::vacuum::Vacuums;
use super::window::{self, Window};
use advance::advance;
use forget::Forgetting;
pub use judge::{Given, Judged, Standing};
use publish::Publishing;
pub use replay::Replayed;

use crate::clock::Stopwatch;
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::resolve::Resolver;
use crate::source::Positions;
use crate::state::Store;
use crate::telemetry::{
    Activity, IndexBuilt, PipelineStopped, PublishHeldBack, Stage, StateOpened, StopCause,
    Telemetry,
};

/// Messages that a source hands over together at most: several such may lie between it and the job.
const READ_AT_ONCE: usize = 20_000;
/// How long the loop rests while the disk is full.
const TICK: Duration = Duration::from_millis(50);

/// A pipeline that is open: its state, its index and its tables.
pub struct Job {
    plan: Plan,
    readers: Arc<Readers>,
    store: Store,
    registry: Registry,
    resolver: Resolver,
    press: Press,
    positions: Positions,
    report: Report,
    /// How long events are known; `None`: for ever.
    window: Option<Window>,
    /// Snapshots of the state that are taken meanwhile.
    snapshots: Option<Snapshots>,
    vacuums: Vacuums,
    plains: Plains,
    /// Ids are still to be carried over from an earlier output; until then nothing is published.
    carrying: bool,
    /// How long publishing at the end waits for a store that is away.
    patience: Patience,
    telemetry: Telemetry,
    disk: Disk,
    forgetting: Forgetting,
    /// Takes dead letters to their topic while the job runs.
    courier: Option<Courier<Letters>>,
    /// Take profiles and changes to their topics while the job runs.
    topics: Option<Topics>,
    breaker: Breaker,
    /// Why the job must stop, though nothing failed: too much of what comes cannot be used.
    tripped: Option<Error>,
    /// Records are resolved when all sources have ended, and not as they come.
    in_bulk: bool,
}

impl Job {
    /// Opens state and tables, takes what the pipeline's file of judgements holds and the state does not, and publishes
    /// that and what a job that was cut short left unpublished; ends erasures that were cut short.
    ///
    /// **Errors:** `Invalid` for a model that is not the state's, or a file of judgements that cannot be read; `Fenced`
    /// where another job has the state; `Data`, `Unavailable`.
    pub fn open(plan: Plan) -> Result<Self> {
        Self::open_told(plan, &Telemetry::default())
    }

    /// As [`Job::open`]; what the job does is told to `telemetry`.
    ///
    /// **Errors:** as of [`Job::open`].
    pub fn open_told(plan: Plan, telemetry: &Telemetry) -> Result<Self> {
        let clock = Stopwatch::start();
        Self::tell_opening(&plan, telemetry);
        let mut store = open_state(&plan.state)?;
        StateOpened {
            sequence: store.sequence(),
            published: store.published(),
            epoch: store.epoch(),
            duration: clock.elapsed(),
        }
        .emit(telemetry);
        let model = model::frozen(&plan, &mut store)?;
        let building = Stopwatch::start();
        let Opened { mut registry, mut resolver, was_kept } = open_index(model, &store)?;
        let view = store.view();
        let positions = view.positions()?;
        let records = view.nodes();
        let is_unresolved = view.is_unresolved()?;
        drop(view);
        if is_unresolved {
            let mut tell = |_| telemetry.beat(Activity::Opening);
            identify::catch_up(&mut store, &mut registry, &mut resolver, &mut tell)?;
        }
        let corrected = if was_kept { 0 } else { keep_notes(&mut store, &mut resolver)? };
        let duration = building.elapsed();
        IndexBuilt { records, corrected, was_kept, duration }.emit(telemetry);
        let carrying = carry::is_pending(&plan, &store)?;
        if carrying {
            carry::check(&plan)?;
        }
        telemetry.beat(Activity::Opening);
        let publisher = Publisher::open(&plan.publish, &plan.name, &mut store)?.telling(telemetry);
        let press = Press::new(publisher, resolver.model());
        let window = plan.state.event_window.map(|span| Window::open(span, &store)).transpose()?;
        let mut job = Self {
            readers: Arc::new(Readers::new(&plan)),
            window,
            snapshots: plan.state.snapshot.as_ref().map(|it| Snapshots::new(it, &plan.name)),
            vacuums: Vacuums::new(&plan.publish, &plan.name, telemetry),
            plains: Plains::new(&plan.publish),
            breaker: Breaker::new(&plan.run),
            disk: Disk::new(&plan.state.path, plan.state.disk_reserve),
            forgetting: Forgetting::new(&plan.sources),
            courier: None,
            topics: None,
            plan,
            store,
            registry,
            resolver,
            press,
            positions,
            report: Report::default(),
            carrying,
            patience: Patience::BOUNDED,
            telemetry: telemetry.clone(),
            tripped: None,
            in_bulk: false,
        };
        job.tell_opened()?;
        let pending = job.store.view().pending_erasures()?;
        job.forget_judged(&pending)?;
        job.renew_profiles()?;
        job.take_ledger()?;
        job.publish()?;
        job.finish_erasures()?;
        job.start_forgetting()?;
        job.report.time.open = clock.elapsed();
        Ok(job)
    }

    /// Runs until the sources end, nothing comes any more, or a stop is asked for; then everything
    /// is committed and published.
    ///
    /// **Errors:** `Unavailable` where files or the tables' store stay away: what was committed is
    /// safe, and the next start goes on from there; `Fenced` where another job took a table;
    /// `Invalid` and `Data` of a source; `Data` of the state, and where too many messages cannot be
    /// used.
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
        self.in_bulk = !options.interim;
        self.tell_start();
        self.start_letters()?;
        self.start_topics()?;
        let (at_once, telemetry) = (self.plan.run.batch.min(READ_AT_ONCE), &self.telemetry);
        let (intake, arrivals) =
            Intake::start(&self.plan.sources, &self.positions, at_once, telemetry)?;
        let looped = Ahead::start(arrivals, &self.readers, &self.plan.run)
            .and_then(|ahead| self.run_loop((&intake, &ahead), options, stop, progress));
        let finished = looped.and_then(|cause| {
            if matches!(cause, StopCause::Finished | StopCause::Idle) {
                self.catch_up(progress)?;
            }
            progress(&Progress { publishing: true, ..self.progress() });
            if matches!(cause, StopCause::Finished | StopCause::Idle) {
                self.carry_ids()?;
            }
            let is_held_back = self.holds_back() && self.store.sequence() > 0;
            if is_held_back {
                PublishHeldBack { sequence: self.store.sequence() }.emit();
            } else {
                self.publish_finally()?;
                intake.acknowledge(&self.positions);
            }
            self.finish_letters(stop)?;
            self.finish_topics(stop)?;
            if !is_held_back {
                // Who asks for a stop does not want to wait for that.
                if matches!(cause, StopCause::Finished | StopCause::Idle) {
                    self.forget_finally()?;
                    self.plains.finish();
                    self.vacuums.finish();
                }
                self.settle()?;
            }
            Ok(cause)
        });
        (self.courier, self.topics) = (None, None);
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
        .emit(&self.telemetry);
        match self.tripped.take() {
            Some(error) => Err(error),
            None => self.finish_report(),
        }
    }

    fn run_loop(
        &mut self,
        (intake, ahead): (&Intake, &Ahead),
        options: Options,
        stop: &Stop,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<StopCause> {
        let mut quiet = Stopwatch::start();
        let mut publishing = Publishing::new(&self.plan.publish);
        while !stop.is_asked() {
            self.send_letters()?;
            self.send_topics()?;
            let waiting = Stopwatch::start();
            let has_room = self.disk.has_room(&self.telemetry);
            let next = if has_room { self.next(ahead)? } else { self.pause_intake() };
            self.report.time.wait += waiting.elapsed();
            let ended = matches!(next, Next::End);
            let is_quiet = matches!(next, Next::Nothing) && intake.is_ready();
            if let Next::Batch(batch) = next {
                self.process(batch)?;
                if self.tripped.is_some() {
                    return Ok(StopCause::Tripped);
                }
                progress(&self.progress());
            }
            if !is_quiet {
                quiet = Stopwatch::start();
            }
            if let Some(snapshots) = &mut self.snapshots {
                snapshots.take_if_due(self.store.sequence(), || self.store.view());
            }
            self.vacuums.look_if_due();
            self.plains.write_if_due();
            if ended {
                return Ok(StopCause::Finished);
            }
            if matches!(options.ending, Ending::Idle(after) if quiet.elapsed() >= after) {
                return Ok(StopCause::Idle);
            }
            if options.interim && !self.carrying {
                self.publish_when_due(&mut publishing, intake, progress)?;
            }
        }
        Ok(StopCause::Drained)
    }

    /// Takes nothing for a while: the sources wait behind their queue.
    fn pause_intake(&self) -> Next {
        self.telemetry.beat(Activity::Waiting);
        std::thread::sleep(TICK);
        Next::Soon
    }

    fn next(&self, ahead: &Ahead) -> Result<Next> {
        self.telemetry.beat(Activity::Waiting);
        ahead.next()
    }

    /// Takes one micro-batch from messages to a durable commit, unless too much of it cannot be used:
    /// then nothing of it is committed, and the job is to stop.
    fn process(&mut self, Batch { messages, prepared, took }: Batch) -> Result<()> {
        let (whole, before) = (Stopwatch::start(), self.store.counters());
        let messages = messages.as_slice();
        let clock = Stopwatch::start();
        let (positions, again) = advance(&self.positions, messages);
        let prepared = window::sift(self.window.as_ref(), prepared, messages, &again, &self.store)?;
        self.tripped = self.breaker.check(&prepared);
        if self.tripped.is_some() {
            return Ok(());
        }
        self.tell_messages(messages, &prepared);
        self.took(Stage::Prepare, took + clock.elapsed());

        let clock = Stopwatch::start();
        let draft = if self.in_bulk { identify::draft_put_off } else { identify::draft };
        let mut draft = draft(
            prepared,
            self.store.counters(),
            &self.store,
            &mut self.registry,
            &mut self.resolver,
        )?;
        self.took(Stage::Resolve, clock.elapsed());

        let clock = Stopwatch::start();
        draft.commit.positions = positions;
        if self.store.sequence() == 0 {
            draft.commit.profiled_by = Some(self.plan.publish.profiles.fingerprint());
        }
        draft.commit.forwards_letters = self.courier.is_some();
        if let Some(window) = &mut self.window {
            window.note(&mut draft.commit);
        }
        self.store.commit(&draft.commit)?;
        self.took(Stage::Commit, clock.elapsed());
        if let Some(courier) = &mut self.courier {
            courier.note(draft.commit.dead_letters.len() as u64);
        }
        self.note_asked(draft.commit.erasures_asked.len());
        self.tell_batch(&before, &draft, took + whole.elapsed());
        self.positions.append(&mut draft.commit.positions);

        self.report.commits += 1;
        self.report.messages += messages.len() as u64;
        self.report.work = self.report.work.and(draft.work);
        Ok(())
    }

    /// Resolves what was put off.
    fn catch_up(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<()> {
        let before = self.progress();
        if before.waiting == 0 {
            return Ok(());
        }
        let clock = Stopwatch::start();
        let sequence = self.store.sequence();
        let mut tell = |compared: usize| {
            self.telemetry.beat(Activity::Working);
            progress(&Progress { waiting: before.waiting - compared as u64, ..before });
        };
        let (store, registry) = (&mut self.store, &mut self.registry);
        let work = identify::catch_up(store, registry, &mut self.resolver, &mut tell)?;
        self.report.commits += self.store.sequence() - sequence;
        self.report.work = self.report.work.and(work);
        self.took(Stage::Resolve, clock.elapsed());
        self.tell_work(0, work);
        Ok(())
    }

    /// Whether nothing may be published yet.
    fn holds_back(&self) -> bool {
        self.carrying || self.resolver.waiting() > 0
    }

    fn progress(&self) -> Progress {
        Progress {
            counters: self.store.counters(),
            messages: self.report.messages,
            identities: self.registry.identities(),
            waiting: self.resolver.waiting() as u64,
            publishing: false,
        }
    }

    fn finish_report(&mut self) -> Result<Report> {
        self.report.counters = self.store.counters();
        self.report.identities = self.registry.identities();
        self.report.records = self.store.view().nodes();
        self.report.state_bytes = self.store.disk_bytes();
        self.report.tables = self.press.publisher()?.size();
        self.report.shared_identifiers = self.resolver.shared_identifiers();
        self.report.expected_precision = self.resolver.model().expected_precision();
        Ok(self.report.clone())
    }

    /// The disk that it looks at.
    #[cfg(test)]
    pub(super) fn disk(&mut self) -> &mut Disk {
        &mut self.disk
    }

    /// Fails at once where the tables' store is away at the end of a run.
    #[cfg(test)]
    pub(super) fn has_no_patience(&mut self) {
        self.patience.waits = Some(0);
    }
}
