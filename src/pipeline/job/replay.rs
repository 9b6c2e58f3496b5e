//! What does a dead letter change that can be used after all?
//!
//! A letter that is replayed and can be used becomes an event, as if it had been so when it was read:
//! one commit holds what it does, that it is closed, and the counts, in which it is no dead letter any
//! more: `read` stays, `dead_lettered` falls by one, `resolved` or `duplicate` rises by one. A letter
//! that still cannot be used changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Job;
use crate::error::{Error, Result};
use crate::pipeline::identify;
use crate::record::{EventKey, Reason, Replay, ReplayOutcome};
use crate::source::Message;
use crate::telemetry::DeadLettersReplayed;

/// What became of dead letters that were replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Those whose events count now.
    pub resolved: u64,
    /// Those whose events were known already.
    pub duplicate: u64,
    /// Those that still cannot be used, and stay open, by reason.
    pub unusable: BTreeMap<&'static str, u64>,
    /// Those that were closed before.
    pub closed: u64,
    /// Those that are no dead letter of this pipeline.
    pub unknown: u64,
}

impl Replayed {
    /// Takes note of a letter that still cannot be used.
    pub(in crate::pipeline) fn refuse(&mut self, reason: Reason) {
        *self.unusable.entry(reason.name()).or_default() += 1;
    }
}

impl Job {
    /// Whether ids are still to be carried over, so that nothing can be published.
    pub(in crate::pipeline) fn is_carrying(&self) -> bool {
        self.carrying
    }

    /// Reads open letters as messages of their sources and commits those that can be used.
    pub(in crate::pipeline) fn replay(
        &mut self,
        messages: &[Message],
        replayed: &mut Replayed,
    ) -> Result<()> {
        let mut usable = Vec::new();
        for prepared in self.readers.prepare(messages) {
            match prepared {
                Ok(prepared) => usable.push(prepared),
                Err(letter) => replayed.refuse(letter.reason),
            }
        }
        if usable.is_empty() {
            return Ok(());
        }
        let count = usable.len() as u64;
        let letters: Vec<_> = usable.iter().map(|it| (it.event.origin.clone(), it.key)).collect();
        let mut counters = self.store.counters();
        let fewer = |of: u64| of.checked_sub(count);
        let (Some(read), Some(dead)) = (fewer(counters.read), fewer(counters.dead_lettered)) else {
            return Err(Error::data("the table has more dead letters than the state has counted"));
        };
        // They are counted anew.
        (counters.read, counters.dead_lettered) = (read, dead);
        let usable = usable.into_iter().map(Ok).collect();
        let (registry, resolver) = (&mut self.registry, &mut self.resolver);
        let mut draft = identify::draft(usable, counters, &self.store, registry, resolver)?;
        let epoch = self.store.sequence() + 1;
        let mut counted: BTreeSet<EventKey> =
            draft.commit.events.iter().map(|(key, _)| *key).collect();
        for (origin, key) in letters {
            let outcome = match counted.remove(&key) {
                true => ReplayOutcome::Resolved,
                false => ReplayOutcome::Duplicate,
            };
            draft.commit.replays.push(Replay { origin, outcome, epoch });
        }
        if let Some(window) = &mut self.window {
            window.note(&mut draft.commit);
        }
        let sequence = self.store.commit(&draft.commit)?;
        let is_resolved = |replay: &&Replay| replay.outcome == ReplayOutcome::Resolved;
        let resolved = draft.commit.replays.iter().filter(is_resolved).count() as u64;
        let duplicate = count - resolved;
        replayed.resolved += resolved;
        replayed.duplicate += duplicate;
        DeadLettersReplayed { sequence, resolved, duplicate }.emit();
        Ok(())
    }

    /// Publishes what was replayed, and leaves the state as a job that ends does.
    pub(in crate::pipeline) fn finish_replay(&mut self) -> Result<()> {
        self.publish_finally()?;
        self.settle()
    }
}
