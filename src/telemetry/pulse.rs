//! Does the job get on, and can it work?
//!
//! *Healthy* is a loop that showed within a bound that it gets on; how long that bound is depends on
//! what it does, since an index that is built or a store that is waited for takes longer than a turn
//! of the loop. Who is not healthy wants to be started anew. *Ready* is a job that takes messages
//! in: who is not ready may only have to be waited for.

use std::time::Duration;

use super::facts::Facts;
use crate::clock::Stopwatch;

/// What the job's loop does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// It opens the state, builds the index, takes the tables.
    #[default]
    Opening,
    /// It waits for messages.
    Waiting,
    /// It works on a micro-batch.
    Working,
    /// It writes tables, or waits for their store.
    Publishing,
    /// All is done.
    Ended,
}

impl Activity {
    /// What it does, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening the state",
            Self::Waiting => "waiting for messages",
            Self::Working => "working on a batch",
            Self::Publishing => "publishing",
            Self::Ended => "ended",
        }
    }

    /// How long the loop may show no sign of getting on.
    ///
    /// A start reads the whole state, at some ten million records within the bound. A stage of a
    /// batch takes seconds, at a million messages a minute or two. A request to an object store is
    /// repeated by its client for three minutes before it fails.
    const fn patience(self) -> Duration {
        match self {
            Self::Opening => Duration::from_secs(30 * 60),
            Self::Waiting => Duration::from_secs(60),
            Self::Working => Duration::from_secs(5 * 60),
            Self::Publishing => Duration::from_secs(10 * 60),
            Self::Ended => Duration::MAX,
        }
    }
}

/// What the loop showed of itself last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    activity: Activity,
    beat: Stopwatch,
    is_draining: bool,
    failed: bool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            activity: Activity::default(),
            beat: Stopwatch::start(),
            is_draining: false,
            failed: false,
        }
    }
}

/// Whether the loop gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// What it does.
    pub activity: Activity,
    /// How long ago it showed that it gets on.
    pub since_beat: Duration,
}

impl Health {
    /// Whether that is recent enough.
    pub fn is_well(&self) -> bool {
        self.since_beat <= self.activity.patience()
    }
}

impl Pulse {
    pub(super) fn beat(&mut self, activity: Activity) {
        self.activity = activity;
        self.beat = Stopwatch::start();
    }

    pub(super) fn drain(&mut self) {
        self.is_draining = true;
    }

    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    /// The time since the loop showed that it gets on.
    pub(super) fn since_beat(&self) -> Duration {
        self.beat.elapsed()
    }

    pub(super) fn health(&self) -> Health {
        Health { activity: self.activity, since_beat: self.since_beat() }
    }

    /// Why the job does not take messages in; empty where it does.
    pub(super) fn reasons(&self, facts: &Facts) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.failed {
            reasons.push("the job failed for good; its last log line says why".to_owned());
        }
        if self.is_draining {
            reasons.push("stopping: what was read is committed and published".to_owned());
        }
        if facts.is_paused {
            reasons.push("no messages are taken: the disk of the state is full".to_owned());
        }
        match self.activity {
            Activity::Opening => reasons.push("the state is being opened".to_owned()),
            Activity::Ended => reasons.push("all is read and published".to_owned()),
            Activity::Waiting | Activity::Working | Activity::Publishing => {}
        }
        for (name, source) in &facts.sources {
            if source.away {
                reasons.push(format!("source {name} is away"));
            } else if !source.ready {
                reasons.push(format!("source {name} is not assigned yet"));
            }
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_a_matter_of_what_is_done() {
        let check = |activity, seconds, well| {
            let health = Health { activity, since_beat: Duration::from_secs(seconds) };
            assert_eq!(health.is_well(), well, "{health:?}");
        };
        check(Activity::Waiting, 60, true);
        check(Activity::Waiting, 61, false);
        check(Activity::Working, 61, true);
        check(Activity::Working, 301, false);
        check(Activity::Publishing, 301, true);
        check(Activity::Publishing, 601, false);
        check(Activity::Opening, 1800, true);
        check(Activity::Opening, 1801, false);
        check(Activity::Ended, 1 << 40, true);
    }

    #[test]
    fn ready_is_a_job_that_takes_messages_in() {
        let mut pulse = Pulse::default();
        let mut facts = Facts::default();
        assert_eq!(pulse.reasons(&facts), ["the state is being opened"]);
        facts.source("web").ready = false;
        pulse.beat(Activity::Waiting);
        assert_eq!(pulse.reasons(&facts), ["source web is not assigned yet"]);
        facts.source("web").ready = true;
        for activity in [Activity::Waiting, Activity::Working, Activity::Publishing] {
            pulse.beat(activity);
            assert_eq!(pulse.reasons(&facts), [""; 0]);
        }
        facts.source("web").away = true;
        assert_eq!(pulse.reasons(&facts), ["source web is away"]);
        facts.source("web").away = false;
        pulse.drain();
        assert_eq!(pulse.reasons(&facts).len(), 1);
        pulse.fail();
        pulse.beat(Activity::Ended);
        assert_eq!(pulse.reasons(&facts).len(), 3);
    }
}
