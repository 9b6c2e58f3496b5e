//! When is so much of what comes unusable that going on is wrong?
//!
//! A message that cannot be used becomes a dead letter and stops nobody. But where nearly all of a
//! source cannot be used, somebody changed its format, or the mapping is wrong, and each further
//! message would have to be replayed by hand. Then the job stops *before* it commits the batch at
//! hand: what it holds is read again by the next start, so nothing is lost and nothing counts twice.
//! What was a dead letter before stays one, and can be replayed.
//!
//! Counted is by source, within a window of the time in which the job works, not of the events. A
//! start begins with an empty window: where the limit was raised meanwhile, the past does not count.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::batch::Prepared;
use crate::clock::Stopwatch;
use crate::config::{DeadLettersMax, OnError, RunPlan};
use crate::error::Error;
use crate::record::{DeadLetter, Reason};

/// The window moves on in this many steps.
const STEPS: u128 = 60;

/// Watches what share of each source's messages cannot be used.
pub(super) struct Breaker {
    on_error: OnError,
    max: DeadLettersMax,
    clock: Stopwatch,
    /// The steps of the window in which anything came, oldest first.
    window: VecDeque<(u128, BTreeMap<Arc<str>, Counts>)>,
}

/// What came of one source.
#[derive(Clone, Debug, Default)]
struct Counts {
    read: u64,
    dead: BTreeMap<Reason, u64>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.read += other.read;
        for (reason, count) in &other.dead {
            *self.dead.entry(*reason).or_default() += count;
        }
    }

    fn unusable(&self) -> u64 {
        self.dead.values().sum()
    }

    /// The reason that was given most often.
    fn commonest(&self) -> &'static str {
        let most = self.dead.iter().max_by_key(|(_, count)| **count);
        most.map_or("none", |(reason, _)| reason.name())
    }
}

impl Breaker {
    pub(super) fn new(plan: &RunPlan) -> Self {
        Self {
            on_error: plan.on_error,
            max: plan.dead_letters_max,
            clock: Stopwatch::start(),
            window: VecDeque::new(),
        }
    }

    /// Looks at the messages of one batch, before it is committed; why the job must stop, if it must.
    pub(super) fn check(
        &mut self,
        prepared: &[Result<Prepared, Box<DeadLetter>>],
    ) -> Option<Error> {
        if self.on_error == OnError::Stop
            && let Some(letter) = prepared.iter().find_map(|prepared| prepared.as_ref().err())
        {
            return Some(unusable(letter));
        }
        let mut counts: BTreeMap<Arc<str>, Counts> = BTreeMap::new();
        for prepared in prepared {
            let (origin, reason) = match prepared {
                Ok(prepared) => (&prepared.event.origin, None),
                Err(letter) => (&letter.origin, Some(letter.reason)),
            };
            let of_source = counts.entry(Arc::clone(&origin.source)).or_default();
            of_source.read += 1;
            if let Some(reason) = reason {
                *of_source.dead.entry(reason).or_default() += 1;
            }
        }
        self.count(counts, self.clock.elapsed())
    }

    fn count(&mut self, counts: BTreeMap<Arc<str>, Counts>, now: Duration) -> Option<Error> {
        let step = now.as_nanos() * STEPS / self.max.per.as_nanos().max(1);
        self.window.retain(|(at, _)| at + STEPS > step);
        match self.window.back_mut().filter(|(at, _)| *at == step) {
            Some((_, there)) => {
                for (source, counts) in counts {
                    there.entry(source).or_default().add(&counts);
                }
            }
            None => self.window.push_back((step, counts)),
        }
        let mut sums: BTreeMap<&Arc<str>, Counts> = BTreeMap::new();
        for (source, counts) in self.window.iter().flat_map(|(_, counts)| counts) {
            sums.entry(source).or_default().add(counts);
        }
        sums.into_iter().find_map(|(source, sum)| self.tripped(source, &sum))
    }

    fn tripped(&self, source: &str, sum: &Counts) -> Option<Error> {
        let DeadLettersMax { share, per, at_least } = self.max;
        let unusable = sum.unusable();
        #[expect(clippy::cast_precision_loss, reason = "a share of messages of some minutes")]
        let found = unusable as f64 / sum.read.max(1) as f64;
        if sum.read < at_least || found <= share {
            return None;
        }
        Some(Error::data(format!(
            "source `{source}`: {unusable} of the {} messages of the last {} s cannot be used, most \
             often `{}`; run.dead_letters_max allows a share of {share}. The last batch was not \
             committed, so it is read again: `onefold dead-letter PIPELINE list` shows what is \
             wrong; mend the producer or the mapping of [source.{source}] and start again, or allow \
             more there",
            sum.read,
            per.as_secs_f64(),
            sum.commonest(),
        )))
    }
}

/// Why the job stops where no message may be unusable.
fn unusable(letter: &DeadLetter) -> Error {
    let origin = &letter.origin;
    Error::data(format!(
        "source `{}`, {} at {}: the message cannot be used ({}: {}), and run.on_error is `stop`; it \
         was not committed, so it is read again: mend the mapping of [source.{}] and start again, or \
         set run.on_error to `dead-letter`",
        origin.source,
        origin.partition,
        origin.offset,
        letter.reason.name(),
        letter.detail,
        origin.source,
    ))
}

#[cfg(test)]
mod tests;
