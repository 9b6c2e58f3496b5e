//! What does a job tell of itself while it works?

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::batch::Prepared;
use super::super::identify::Draft;
use super::Job;
use crate::config::Plan;
use crate::error::Result;
use crate::record::{DeadLetter, Reason};
use crate::resolve::Work;
use crate::source::{Message, Positions};
use crate::state::Counters;
use crate::telemetry::{
    Activity, BatchCommitted, Facts, Matching, PipelineStarted, RecordsRejected, SourceResumed,
    Stage, Telemetry,
};

impl Job {
    /// What is to be opened.
    pub(super) fn tell_opening(plan: &Plan, telemetry: &Telemetry) {
        telemetry.beat(Activity::Opening);
        telemetry.note(|facts| {
            plan.name.clone_into(&mut facts.pipeline);
            plan.state.path.clone_into(&mut facts.state_path);
        });
    }

    /// What was found in the state.
    pub(super) fn tell_opened(&self) -> Result<()> {
        let Counters { read, resolved, duplicate, dead_lettered } = self.store.counters();
        self.telemetry.note(|facts| {
            (facts.read, facts.resolved) = (read, resolved);
            (facts.duplicate, facts.dead_lettered) = (duplicate, dead_lettered);
            facts.identities = self.registry.identities();
            note_positions(facts, &self.positions);
        });
        self.tell_published()
    }

    pub(super) fn tell_start(&self) {
        PipelineStarted {
            pipeline: &self.plan.name,
            sources: self.plan.sources.len(),
            publish_url: &self.plan.publish.url,
        }
        .emit(&self.telemetry);
        for ((source, partition), next_offset) in &self.positions {
            let next_offset = *next_offset;
            SourceResumed { source, partition, next_offset }.emit(&self.telemetry);
        }
    }

    /// How many messages each source gave, and of which time the newest is.
    pub(super) fn tell_messages(
        &self,
        messages: &[Message],
        prepared: &[Result<Prepared, Box<DeadLetter>>],
    ) {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for message in messages {
            *counts.entry(&message.origin.source).or_default() += 1;
        }
        for (source, count) in counts {
            self.telemetry.metrics().came(source, count);
        }
        let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
        for event in prepared.iter().flatten().map(|prepared| &prepared.event) {
            let latest = newest.entry(&event.origin.source).or_insert(event.occurred_at);
            *latest = (*latest).max(event.occurred_at);
        }
        self.telemetry.note(|facts| {
            for (source, time) in newest {
                facts.source(source).newest_event = Some(time);
            }
        });
    }

    /// A stage is done.
    pub(super) fn took(&mut self, stage: Stage, took: Duration) {
        let time = &mut self.report.time;
        match stage {
            Stage::Prepare => time.prepare += took,
            Stage::Resolve => time.resolve += took,
            Stage::Commit => time.commit += took,
        }
        self.telemetry.took(stage, took);
    }

    /// A micro-batch is durable.
    pub(super) fn tell_batch(&self, before: &Counters, draft: &Draft, duration: Duration) {
        let after = self.store.counters();
        let resolved = after.resolved - before.resolved;
        BatchCommitted {
            sequence: self.store.sequence(),
            read: after.read - before.read,
            resolved,
            duplicate: after.duplicate - before.duplicate,
            dead_lettered: after.dead_lettered - before.dead_lettered,
            duration,
        }
        .emit(&self.telemetry);
        let mut rejected: BTreeMap<(&str, Reason), u64> = BTreeMap::new();
        for letter in &draft.commit.dead_letters {
            *rejected.entry((&letter.origin.source, letter.reason)).or_default() += 1;
        }
        for ((source, reason), count) in rejected {
            RecordsRejected { source, reason, count }.emit(&self.telemetry);
        }
        self.tell_work(resolved, draft.work);
        self.telemetry.note(|facts| {
            facts.records = self.registry.records();
            facts.identities = self.registry.identities();
            note_positions(facts, &draft.commit.positions);
        });
    }

    /// What matching was to be done for how many events.
    pub(super) fn tell_work(&self, events: u64, work: Work) {
        self.telemetry.metrics().matched(Matching {
            events,
            candidates: work.candidates,
            components: work.components,
            component_pairs: work.component_pairs,
            largest_component: work.largest_component,
        });
    }

    /// What lies on disk and in the tables' store.
    pub(super) fn tell_published(&self) -> Result<()> {
        let publisher = self.press.publisher()?;
        let state_bytes = self.store.disk_bytes();
        self.telemetry.note(|facts| {
            facts.records = self.registry.records();
            facts.identities = self.registry.identities();
            facts.state_bytes = state_bytes;
            (facts.table_files, facts.table_bytes) = publisher.size();
            facts.tables = publisher.versions();
        });
        Ok(())
    }
}

fn note_positions(facts: &mut Facts, positions: &Positions) {
    for ((source, partition), next_offset) in positions {
        facts.source(source).positions.insert(partition.to_string(), *next_offset);
    }
}
