//! What does a judgement change, and how does it become durable?
//!
//! A judgement is one commit of its own: it, and what follows from it. What counts of a pair is the latest, by the time
//! of the judgement; so state and file may be joined at any time, in any order and again, and hold the same.

use std::collections::BTreeMap;

use super::Job;
use crate::clock::{Stopwatch, now_micros};
use crate::error::Result;
use crate::pipeline::{identify, ledger};
use crate::record::{Judgement, Micros, Pair, Verdict};
use crate::telemetry::JudgementsTaken;

/// A judgement that is given now, or that was given somewhere at a time.
#[derive(Clone, Debug)]
pub struct Given {
    /// The records.
    pub pair: Pair,
    /// What they are.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub author: String,
    /// When; `None` for now, which is later than all that was judged of the pair before.
    pub at: Option<Micros>,
}

/// What became of judgements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Those that count now.
    pub taken: usize,
    /// Those that were there already, or are older than what was judged since.
    pub known: usize,
    /// Of those taken, how many name a record that is not there.
    pub asleep: usize,
    /// Of those taken, how many other judgements keep from being obeyed.
    pub overruled: usize,
    /// What happened to identities: how many were `created`, `merged` or `split`.
    pub changes: BTreeMap<&'static str, u64>,
}

/// Whether a judgement is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    InForce,
    /// The records were judged together, and other judgements keep them apart.
    Overruled,
    /// A record is not there; it takes effect when that comes.
    Asleep,
    /// It takes back what was judged before.
    Withdrawn,
}

impl Standing {
    /// How a judgement stands, by the identities of its records; `None` for a record that is not there.
    pub(in crate::pipeline) fn of<T: PartialEq>(verdict: Verdict, records: [Option<T>; 2]) -> Self {
        match (verdict, records) {
            (Verdict::Withdrawn, _) => Self::Withdrawn,
            (_, [None, _] | [_, None]) => Self::Asleep,
            (Verdict::Together, [left, right]) if left != right => Self::Overruled,
            _ => Self::InForce,
        }
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Overruled => "overruled",
            Self::Asleep => "asleep",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Job {
    /// Takes judgements, decides anew what they touch, commits, and publishes; then brings the pipeline's file of
    /// judgements up to date.
    ///
    /// **Errors:** as [`Job::run`]; what was committed counts, whatever else fails.
    pub fn judge(&mut self, given: Vec<Given>) -> Result<Judged> {
        let now = now_micros();
        let mut judgements = Vec::with_capacity(given.len());
        for Given { pair, verdict, reason, author, at } in given {
            let known = self.store.view().judgement(&pair)?;
            let next = known.map_or(now, |known| now.max(known.at.saturating_add(1)));
            let at = at.unwrap_or(next);
            judgements.push(Judgement { pair, verdict, reason, author, at });
        }
        let judged = self.take(judgements)?;
        self.publish_finally()?;
        if let Some(path) = &self.plan.matching.judgements {
            let all: Vec<Judgement> = self.store.view().judgements().collect::<Result<_>>()?;
            ledger::write(path, &all).map_err(|error| {
                error.context(
                    "the state has the judgements, but match.judgements could not be written",
                )
            })?;
        }
        self.settle()?;
        Ok(judged)
    }

    /// Takes what the pipeline's file of judgements holds and the state does not.
    pub(super) fn take_ledger(&mut self) -> Result<()> {
        match &self.plan.matching.judgements {
            Some(path) => self.take(ledger::judgements(path)?).map(drop),
            None => Ok(()),
        }
    }

    /// Commits those judgements that are later than what was judged of their pairs before.
    fn take(&mut self, judgements: Vec<Judgement>) -> Result<Judged> {
        let clock = Stopwatch::start();
        let view = self.store.view();
        let (mut news, given) = (BTreeMap::<Pair, Judgement>::new(), judgements.len());
        for judgement in judgements {
            let known = match news.get(&judgement.pair) {
                Some(known) => Some(known.clone()),
                None => view.judgement(&judgement.pair)?,
            };
            if known.is_none_or(|known| judgement.outranks(&known)) {
                news.insert(judgement.pair, judgement);
            }
        }
        let mut judged =
            Judged { taken: news.len(), known: given - news.len(), ..Judged::default() };
        if news.is_empty() {
            return Ok(judged);
        }
        let verdicts: Vec<_> = news.values().map(|it| (it.pair, it.verdict)).collect();
        let news = news.into_values().collect();
        let draft = identify::draft_judged(news, &view, &mut self.registry, &mut self.resolver);
        drop(view);
        let sequence = self.store.commit(&draft.commit)?;
        for change in &draft.commit.changes {
            *judged.changes.entry(change.kind.name()).or_default() += 1;
        }
        for (pair, verdict) in verdicts {
            match self.standing(pair, verdict) {
                Standing::Asleep => judged.asleep += 1,
                Standing::Overruled => judged.overruled += 1,
                Standing::InForce | Standing::Withdrawn => {}
            }
        }
        JudgementsTaken {
            sequence,
            judgements: judged.taken as u64,
            changes: judged.changes.values().sum(),
            duration: clock.elapsed(),
        }
        .emit(&self.telemetry);
        Ok(judged)
    }

    fn standing(&self, pair: Pair, verdict: Verdict) -> Standing {
        let identity = |key| {
            let node = self.registry.node_of(&key)?;
            self.registry.node(node)?.identity
        };
        Standing::of(verdict, pair.keys().map(identity))
    }
}
