//! What does one job do, from start to stop?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::batch::Readers;
use super::identify;
use super::intake::{Arrival, Intake};
use super::model;
use super::publish::Publisher;
use super::registry::Registry;
use crate::clock::Stopwatch;
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::record::Field;
use crate::resolve::{Insert, Resolver, Work};
use crate::source::{Message, Positions};
use crate::state::{self, Counters, NodeId, Store, View};

/// How long the loop waits for messages before it looks after other things.
const TICK: Duration = Duration::from_millis(50);
/// A publish may take at most this part of the time: the next one waits this many times as long as
/// the last took.
const PUBLISH_REST: u32 = 4;

/// When a job ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// When every source is exhausted, which Kafka never is.
    Exhausted,
    /// Also when no message came for so long.
    Idle(Duration),
}

/// How a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When it ends by itself.
    pub ending: Ending,
    /// Whether tables are published at the pipeline's interval, or once at the end.
    pub interim: bool,
}

/// Asks a running job to drain, commit and stop.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// What became of the messages, since the state began.
    pub counters: Counters,
    /// Live identities.
    pub identities: u64,
    /// Whether tables are being written.
    pub publishing: bool,
}

/// What a job did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What became of the messages, since the state began.
    pub counters: Counters,
    /// Messages that this run read.
    pub messages: u64,
    /// Live identities.
    pub identities: u64,
    /// Record nodes.
    pub records: u64,
    /// Micro-batches that were committed.
    pub commits: u64,
    /// How often tables were published.
    pub publishes: u64,
    /// How much matching work there was.
    pub work: Work,
    /// Time in each part of the loop.
    pub time: Times,
    /// Bytes of the state on disk.
    pub state_bytes: u64,
    /// Files of the tables, and their bytes.
    pub tables: (u64, u64),
    /// Identifiers that more than one person seems to use.
    pub shared_identifiers: u64,
}

/// Time in each part of the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the parts' own")]
pub struct Times {
    pub open: Duration,
    pub wait: Duration,
    pub prepare: Duration,
    pub resolve: Duration,
    pub commit: Duration,
    pub publish: Duration,
    pub total: Duration,
}

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
}

impl Job {
    /// Opens state and tables, and finishes what a job that was cut short left unpublished.
    ///
    /// **Errors:** `Invalid` for a model that is not the state's; `Fenced` where another job has
    /// the state; `Data`, `Unavailable`.
    pub fn open(plan: Plan) -> Result<Self> {
        let clock = Stopwatch::start();
        let options =
            state::Options { cache_bytes: plan.state.memory / 8, ..state::Options::default() };
        let mut store = Store::open(&plan.state.path, &options)?;
        let model = model::frozen(&plan.matching, &mut store)?;
        let view = store.view();
        let registry = Registry::load(&view)?;
        let resolver = load_resolver(model, &view)?;
        let positions = view.positions()?;
        drop(view);
        let publisher = Publisher::open(&plan.publish, &plan.name, &store)?;
        let mut job = Self {
            readers: Readers::new(&plan),
            plan,
            store,
            registry,
            resolver,
            publisher,
            positions,
            report: Report::default(),
        };
        if job.store.published() < job.store.sequence() {
            job.publish()?;
        }
        job.report.time.open = clock.elapsed();
        Ok(job)
    }

    /// Runs until the sources end, nothing comes any more, or a stop is asked for; then everything
    /// is committed and published.
    pub fn run(
        &mut self,
        options: Options,
        stop: &Stop,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Report> {
        let clock = Stopwatch::start();
        let intake = Intake::start(&self.plan.sources, &self.positions, self.plan.run.batch)?;
        let looped = self.run_loop(&intake, options, stop, progress);
        let finished = looped.and_then(|()| {
            progress(&Progress { publishing: true, ..self.progress() });
            self.publish()?;
            intake.acknowledge(&self.positions);
            Ok(())
        });
        intake.stop();
        finished?;
        self.report.time.total = clock.elapsed();
        progress(&self.progress());
        Ok(self.finish_report())
    }

    fn run_loop(
        &mut self,
        intake: &Intake,
        options: Options,
        stop: &Stop,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<()> {
        let mut quiet = Stopwatch::start();
        let mut rested = Stopwatch::start();
        let mut rest = self.plan.publish.interval;
        while !stop.is_asked() {
            let waiting = Stopwatch::start();
            let (messages, ended) = self.gather(intake)?;
            self.report.time.wait += waiting.elapsed();
            if !messages.is_empty() {
                self.process(&messages)?;
                progress(&self.progress());
                quiet = Stopwatch::start();
            }
            let idle = matches!(options.ending, Ending::Idle(after) if quiet.elapsed() >= after);
            if ended || idle {
                break;
            }
            if options.interim && rested.elapsed() >= rest {
                progress(&Progress { publishing: true, ..self.progress() });
                let took = self.publish()?;
                intake.acknowledge(&self.positions);
                rest = self.plan.publish.interval.max(took * PUBLISH_REST);
                rested = Stopwatch::start();
            }
        }
        Ok(())
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
        let clock = Stopwatch::start();
        let prepared = self.readers.prepare(messages);
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
        for message in messages {
            let origin = &message.origin;
            let key = (Arc::clone(&origin.source), Arc::clone(&origin.partition));
            let next = draft.commit.positions.entry(key).or_default();
            *next = (*next).max(origin.offset + 1);
        }
        self.store.commit(&draft.commit)?;
        self.positions.append(&mut draft.commit.positions);
        self.report.time.commit += clock.elapsed();

        self.report.commits += 1;
        self.report.messages += messages.len() as u64;
        self.report.work = self.report.work.and(draft.work);
        Ok(())
    }

    /// Publishes what waits; returns how long that took.
    fn publish(&mut self) -> Result<Duration> {
        let clock = Stopwatch::start();
        if self.store.published() < self.store.sequence() {
            self.publisher.publish(&mut self.store, &self.registry, &self.resolver)?;
            self.report.publishes += 1;
        }
        let took = clock.elapsed();
        self.report.time.publish += took;
        Ok(took)
    }

    fn progress(&self) -> Progress {
        Progress {
            counters: self.store.counters(),
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
        self.report.clone()
    }

    /// The index, for questions about pairs.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The identifier fields whose values several people seem to use, and how many such values
    /// there are.
    pub fn shared_by_field(&self) -> Vec<(Field, u64)> {
        self.resolver.shared_by_field()
    }
}

/// Rebuilds the index from the state's rows.
pub(super) fn load_resolver(model: crate::score::Model, view: &View) -> Result<Resolver> {
    let mut failure: Option<Error> = None;
    let mut note = |error: Error| {
        failure.get_or_insert(error);
    };
    let records: Vec<Insert> = view
        .records()
        .filter_map(|row| row.map_err(&mut note).ok())
        .map(|(node, row)| Insert { node, key: row.key, identity: row.identity })
        .collect();
    let edges: Vec<(NodeId, Vec<(NodeId, f32)>)> = view
        .edges()
        .filter_map(|row| row.map_err(&mut note).ok())
        .map(|(node, edges)| {
            #[expect(clippy::cast_possible_truncation, reason = "it was widened when it was kept")]
            let edge = |edge: state::Edge| (edge.lower, edge.weight_bits as f32);
            (node, edges.into_iter().map(edge).collect())
        })
        .collect();
    match failure {
        Some(error) => Err(error.context("read the state")),
        None => Ok(Resolver::load(model, records.into_iter(), edges.into_iter())),
    }
}
