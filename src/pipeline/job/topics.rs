//! When do profiles and changes go to their topics?
//!
//! As soon as they are committed, once a turn of the loop, whether the tables' store is there or not; but not before ids
//! are carried over. At the end a while is waited for what is on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::report::Stop;
use super::super::topics::{Complete, Present, Topics, followed};
use super::Job;
use super::letters::in_time;
use crate::clock::Stopwatch;
use crate::error::Result;
use crate::state::{Followed, PendingErasure};
use crate::telemetry::TopicForgotten;

/// How long a job that runs waits for a topic that is to be told of an erasure.
const BESIDE_WORK: Duration = Duration::from_secs(2);

impl Job {
    /// Begins to deliver, where there are topics; has the state follow them, whoever commits.
    pub(super) fn start_topics(&mut self) -> Result<()> {
        let plan = self.plan.publish.topics.as_ref();
        let waited = self.store.follow(followed(plan))?;
        if waited > 0 {
            TopicForgotten { waited }.emit();
        }
        if let Some(plan) = plan.filter(|_| self.topics.is_none()) {
            let (name, telemetry) = (&self.plan.name, &self.telemetry);
            self.topics = Some(Topics::start(plan, name, &self.store, telemetry)?);
        }
        Ok(())
    }

    /// Forgets what was delivered, and hands over what is next.
    pub(super) fn send_topics(&mut self) -> Result<()> {
        let (registry, resolver) = (&self.registry, &self.resolver);
        let present = Present { registry, resolver, settings: &self.plan.publish.profiles };
        match &mut self.topics {
            Some(topics) if !self.carrying => topics.turn(&mut self.store, present),
            _ => Ok(()),
        }
    }

    /// Delivers what waits, within the time that a stop may take.
    pub(super) fn finish_topics(&mut self, stop: &Stop) -> Result<()> {
        self.drain_topics(in_time(stop, self.plan.run.shutdown_timeout))?;
        self.topics = None;
        Ok(())
    }

    /// Tells the topics who is no more, and waits for that as long as a stop may take; returns what they hold all the
    /// same.
    pub(super) fn tell_erased(&mut self, pending: &[PendingErasure]) -> Result<Vec<String>> {
        let followed_so_far = self.store.followed().clone();
        if followed_so_far == Followed::default() {
            return Ok(Vec::new());
        }
        let mut through = BTreeMap::new();
        for (record, commit) in pending.iter().flat_map(PendingErasure::commits) {
            through.insert(record, commit);
        }
        self.store.forget_moves_of(&through)?;
        let plan = self.plan.publish.topics.clone();
        let Some(plan) = plan.filter(|plan| followed(Some(plan)) == followed_so_far) else {
            let later = "topics of customers: they are told by the next run of the pipeline";
            return Ok(vec![later.to_owned()]);
        };
        let is_running = self.topics.is_some();
        self.start_topics()?;
        // A job that runs told them when it began the erasure, and has other things to do.
        let patience = if is_running { BESIDE_WORK } else { self.plan.run.shutdown_timeout };
        let waited = Stopwatch::start();
        let complete = self.drain_topics(|| waited.elapsed() < patience)?;
        if !is_running {
            self.topics = None;
        }
        let profiles = plan.profiles.map(|topic| match complete.profiles {
            true => format!("earlier profiles in the topic {topic}, until its broker compacts it"),
            false => format!(
                "profiles in the topic {topic}, which was away: they are withdrawn when it is back"
            ),
        });
        let changes = plan.changes.map(|topic| match complete.changes {
            true => format!("earlier changes in the topic {topic}, as long as its broker keeps them"),
            false => format!(
                "changes in the topic {topic}, which was away: it is told what was erased when it is back"
            ),
        });
        Ok(profiles.into_iter().chain(changes).collect())
    }

    fn drain_topics(&mut self, goes_on: impl Fn() -> bool) -> Result<Complete> {
        let (registry, resolver) = (&self.registry, &self.resolver);
        let present = Present { registry, resolver, settings: &self.plan.publish.profiles };
        match &mut self.topics {
            Some(topics) if !self.carrying => topics.drain(&mut self.store, present, goes_on),
            _ => Ok(Complete { profiles: true, changes: true }),
        }
    }
}
