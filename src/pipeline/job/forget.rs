//! When is somebody forgotten while a job runs?
//!
//! ```text
//! a request → all that the topics had by then is read → out of state and present tables
//!           → half of `publish.erasure_bound` later, or at the end: files, snapshots, disk
//! ```
//!
//! A request is an event as any other, so who asks is decided as for any other: it is the customer
//! of its record. That is known only with all that they ever said, so requests wait until what the
//! topics had is read, also in a replay from their beginning; a job that reads files alone takes
//! them up at its end. Retention waits for the same. The second half is expensive and the same for
//! one person or a thousand, so it is done once for all who asked meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::Job;
use super::erase::{Found, carries};
use crate::clock::{Stopwatch, now_micros};
use crate::error::{Error, Kind, Result};
use crate::pipeline::erasure::{Carriers, Receipt};
use crate::pipeline::intake::Intake;
use crate::record::{Field, Identity, IdentityId, Micros, NodeId, Positions, RecordKey};
use crate::source::Input;
use crate::telemetry::{
    Activity, ErasuresBegun, ErasuresDelayed, ErasuresUndecided, InteractionsExpired,
};

/// How often retention is looked after.
const LOOK: Duration = Duration::from_hours(24);
/// How long a job has been running when it is looked after first.
const FIRST_LOOK: Duration = Duration::from_mins(1);
/// Where topics do not say truly how far they go, requests wait no longer.
const READING_MAX: Duration = Duration::from_mins(5);
/// The least time between two tries.
const RETRY: Duration = Duration::from_secs(30);
/// How many customers one commit forgets, by retention.
const AT_ONCE: usize = 10_000;
/// A day. **Units:** microseconds.
const DAY: Micros = 24 * 60 * 60 * 1_000_000;

/// What a running job has to forget.
pub(super) struct Forgetting {
    /// Whether any source is a topic; otherwise all is known at the end alone.
    reads_topics: bool,
    /// Whether events asked, and nothing was done yet.
    is_asked: bool,
    awaited: Option<Awaited>,
    /// Requests of which it cannot be told who is meant, since this process looked.
    undecided: BTreeSet<RecordKey>,
    /// When the oldest erasure was begun that is not ended.
    begun: Option<Micros>,
    delays: u32,
    /// Since the last try that failed.
    delayed: Option<Stopwatch>,
    /// Since retention was looked after, and when it is due again.
    looked: (Stopwatch, Duration),
}

/// What must be read before requests are taken up.
struct Awaited {
    since: Stopwatch,
    asked: BTreeMap<RecordKey, Micros>,
    /// By partition, the offset behind the last message that it had.
    ends: Positions,
}

/// Who may be meant by requests.
#[derive(Default)]
struct Whom {
    found: Vec<Found>,
    /// Requests that name several, or somebody else: an operator must say.
    undecided: BTreeSet<RecordKey>,
    /// Requests whose record is not there any more.
    void: Vec<RecordKey>,
}

impl Job {
    /// What there is to forget in a job that begins.
    pub(super) fn start_forgetting(&mut self) -> Result<()> {
        let view = self.store.view();
        self.forgetting.is_asked = !view.erasures_asked()?.is_empty();
        self.note_begun()
    }

    /// Takes up requests and retention where it is time, and ends erasures; all that was committed is in the tables.
    pub(super) fn forget_when_due(&mut self, intake: &Intake) -> Result<()> {
        let is_delayed =
            self.forgetting.delayed.as_ref().is_some_and(|since| since.elapsed() < RETRY);
        if is_delayed || self.carrying {
            return Ok(());
        }
        let tried = self.forget_what_is_due(intake);
        match tried {
            Ok(()) => (self.forgetting.delays, self.forgetting.delayed) = (0, None),
            Err(error) if error.kind() == Kind::Unavailable => {
                self.forgetting.delays += 1;
                self.forgetting.delayed = Some(Stopwatch::start());
                let attempt = self.forgetting.delays;
                ErasuresDelayed { attempt, retry_in: RETRY, error: &error }.emit(&self.telemetry);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn forget_what_is_due(&mut self, intake: &Intake) -> Result<()> {
        let keeps = self.plan.retention != Default::default();
        let is_due = self.forgetting.is_asked
            || keeps && self.forgetting.looked.0.elapsed() >= self.forgetting.looked.1;
        if self.forgetting.reads_topics && is_due && intake.is_ready() {
            match &self.forgetting.awaited {
                None => self.forgetting.awaited = Some(self.awaited(intake)?),
                Some(awaited) if awaited.is_reached(&self.positions) => {
                    let asked = awaited.asked.clone();
                    self.take_up(asked)?;
                    if keeps {
                        self.expire()?;
                    }
                    self.forgetting.awaited = None;
                }
                Some(_) => {}
            }
        }
        let half = i64::try_from(self.plan.publish.erasure_bound.as_micros() / 2);
        let until = |begun: Micros| begun.saturating_add(half.unwrap_or(Micros::MAX));
        match self.forgetting.begun {
            Some(begun) if until(begun) <= now_micros() => self.end_erasures(),
            _ => Ok(()),
        }
    }

    /// Takes up all requests and retention, and ends all erasures; all that can come has come.
    pub(super) fn forget_finally(&mut self) -> Result<()> {
        self.forgetting.undecided.clear();
        self.take_up(self.store.view().erasures_asked()?)?;
        self.expire()?;
        self.finish_erasures()?;
        self.note_begun()
    }

    /// What the topics have now must be read.
    fn awaited(&self, intake: &Intake) -> Result<Awaited> {
        let mut ends = Positions::new();
        for (source, lags) in intake.lag() {
            for lag in lags {
                let end = lag.next + lag.records.unwrap_or(0);
                ends.insert((source.clone(), lag.partition), end);
            }
        }
        Ok(Awaited { since: Stopwatch::start(), asked: self.store.view().erasures_asked()?, ends })
    }

    /// Takes those out of the state who asked for it, where it is known who they are.
    fn take_up(&mut self, mut asked: BTreeMap<RecordKey, Micros>) -> Result<()> {
        asked.retain(|record, _| !self.forgetting.undecided.contains(record));
        let Whom { found, undecided, void } = self.whom(&asked)?;
        self.store.forget_asked(&void)?;
        self.begin_told(&found)?;
        if !undecided.is_empty() {
            ErasuresUndecided { requests: undecided.len() as u64 }.emit();
        }
        self.forgetting.undecided.extend(undecided);
        let waiting = self.store.view().erasures_asked()?;
        self.forgetting.undecided.retain(|record| waiting.contains_key(record));
        let is_open = |record: &RecordKey| !self.forgetting.undecided.contains(record);
        self.forgetting.is_asked = waiting.keys().any(is_open);
        self.note_begun()
    }

    fn begin_told(&mut self, found: &[Found]) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let before = self.store.view().nodes();
        let erasures = self.begin_erasures(found)?.len() as u64;
        let records = before.saturating_sub(self.store.view().nodes());
        ErasuresBegun { sequence: self.store.sequence(), erasures, records }.emit(&self.telemetry);
        self.publish_finally()
    }

    /// Who is meant by requests: the customer of each request's record, as the matcher says. Where that has no other
    /// record and says nothing but identifiers, whoever alone carries one of these is meant, too.
    fn whom(&self, asked: &BTreeMap<RecordKey, Micros>) -> Result<Whom> {
        let mut whom = Whom::default();
        let mut alone = Vec::new();
        for (record, at) in asked {
            let node = self.registry.node_of(record);
            let Some((node, identity)) =
                node.and_then(|node| Some((node, self.registry.known(node).identity?)))
            else {
                whom.void.push(*record);
                continue;
            };
            match self.registry.members(&identity) {
                [_] => alone.push((node, *at, identity)),
                _ => whom.add(*at, [identity].into()),
            }
        }
        let nodes: Vec<NodeId> = alone.iter().map(|(node, ..)| *node).collect();
        for ((node, at, identity), others) in alone.iter().zip(self.carriers(&nodes)) {
            let is_nameless = self.resolver.identity(*node).is_some_and(|it| is_nameless(&it));
            match others.len() {
                0 => whom.add(*at, [*identity].into()),
                1 if is_nameless => whom.add(*at, others.into_iter().chain([*identity]).collect()),
                _ => {
                    whom.undecided.insert(self.registry.known(*node).key);
                }
            }
        }
        Ok(whom)
    }

    /// Of each node, the other identities that carry one of its identifiers.
    fn carriers(&self, nodes: &[NodeId]) -> Vec<BTreeSet<IdentityId>> {
        let mut carriers = vec![BTreeSet::new(); nodes.len()];
        let mut wanted: FxHashMap<(Field, String), Vec<usize>> = FxHashMap::default();
        for (at, node) in nodes.iter().enumerate() {
            for named in self.resolver.identity(*node).iter().flat_map(identifiers) {
                wanted.entry(named).or_default().push(at);
            }
        }
        if wanted.is_empty() {
            return carriers;
        }
        for (identity, members) in self.registry.clusters() {
            for node in members {
                for named in self.resolver.identity(node).iter().flat_map(identifiers) {
                    for at in wanted.get(&named).into_iter().flatten() {
                        if nodes[*at] != node {
                            carriers[*at].insert(identity);
                        }
                    }
                }
            }
        }
        carriers
    }

    /// Takes up all requests, and ends all erasures: the receipts, and the requests that are left.
    ///
    /// **Errors:** `Unavailable` where a store is away: the next start ends what was begun.
    pub(in crate::pipeline) fn erase_asked(&mut self) -> Result<(Vec<Receipt>, Vec<Carriers>)> {
        if self.carrying {
            return Err(carries());
        }
        self.publish_finally()?;
        self.take_up(self.store.view().erasures_asked()?)?;
        let receipts = self.finish_erasures()?;
        self.settle()?;
        Ok((receipts, self.undecided()))
    }

    /// The requests whose customer cannot be told for certain, with who may be meant.
    fn undecided(&self) -> Vec<Carriers> {
        let requests = self.forgetting.undecided.iter();
        let nodes: Vec<NodeId> =
            requests.filter_map(|record| self.registry.node_of(record)).collect();
        let carriers = nodes.iter().zip(self.carriers(&nodes));
        let told = carriers.map(|(node, identities)| Carriers {
            request: self.registry.known(*node).key,
            identities: identities.into_iter().collect(),
        });
        told.collect()
    }

    /// Forgets customers of whom nothing was heard for long, and interactions of long ago.
    fn expire(&mut self) -> Result<()> {
        let now = now_micros();
        let before =
            |span: Duration| now.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(now));
        if let Some(at) = self.plan.retention.inactive.map(before) {
            let inactive = self.last_heard_before(at)?;
            for identities in inactive.chunks(AT_ONCE) {
                let identities = identities.iter().copied().collect();
                let by = "inactivity".into();
                self.begin_told(&[Found { at, by, identities, rows_for_good: false }])?;
            }
        }
        if let Some(at) = self.plan.retention.interactions.map(before) {
            let clock = Stopwatch::start();
            let rows =
                self.press.publisher_mut()?.expire(at.div_euclid(DAY), &self.store.view())?;
            if rows > 0 {
                InteractionsExpired { rows, duration: clock.elapsed() }.emit();
            }
        }
        self.forgetting.looked = (Stopwatch::start(), LOOK);
        self.note_begun()
    }

    /// The identities of which nothing was heard since a time, ascending.
    fn last_heard_before(&self, at: Micros) -> Result<Vec<IdentityId>> {
        let mut last: FxHashMap<IdentityId, Micros> = FxHashMap::default();
        for row in self.store.view().all_facts() {
            let (node, facts) = row?;
            let identity = self.registry.node(node).and_then(|row| row.identity);
            if let (Some(identity), Some((_, seen))) = (identity, facts.seen) {
                let last = last.entry(identity).or_insert(seen);
                *last = seen.max(*last);
            }
        }
        let mut inactive: Vec<IdentityId> =
            last.into_iter().filter(|(_, last)| *last < at).map(|(identity, _)| identity).collect();
        inactive.sort_unstable();
        Ok(inactive)
    }

    /// Ends erasures beside the work: nothing else may have a view of the state or the tables.
    fn end_erasures(&mut self) -> Result<()> {
        let bytes = self.store.disk_bytes();
        if !self.disk.has_room_for(bytes) {
            return Err(Error::unavailable(format!(
                "the disk of the state has no room for a second copy of it, {bytes} bytes"
            )));
        }
        self.telemetry.beat(Activity::Publishing);
        self.vacuums.wait();
        self.plains.wait();
        let pending = self.store.view().pending_erasures()?;
        let clock = Stopwatch::start();
        // Letters on their way would be counted twice: whoever has them begins anew.
        let sends = self.courier.take().is_some();
        let outside = self.erase_outside(&pending);
        let ended = outside.and_then(|receipts| {
            self.telemetry.beat(Activity::Publishing);
            self.rewrite_erased(&receipts, &clock)
        });
        if sends {
            self.start_letters()?;
        }
        ended?;
        self.note_begun()
    }

    fn note_begun(&mut self) -> Result<()> {
        let pending = self.store.view().pending_erasures()?;
        self.forgetting.begun = pending.iter().map(|pending| pending.begun).min();
        let undecided = self.forgetting.undecided.len() as u64;
        self.telemetry.erasures_stand(pending.len() as u64, self.forgetting.begun, undecided);
        Ok(())
    }

    /// Takes note of requests that were committed.
    pub(super) fn note_asked(&mut self, requests: usize) {
        self.forgetting.is_asked |= requests > 0;
    }
}

impl Forgetting {
    pub(super) fn new(sources: &[crate::source::SourcePlan]) -> Self {
        Self {
            reads_topics: sources.iter().any(|source| matches!(source.input, Input::Kafka(_))),
            is_asked: false,
            awaited: None,
            undecided: BTreeSet::new(),
            begun: None,
            delays: 0,
            delayed: None,
            looked: (Stopwatch::start(), FIRST_LOOK),
        }
    }
}

impl Awaited {
    fn is_reached(&self, positions: &Positions) -> bool {
        let at = |place| positions.get(place).copied().unwrap_or_default();
        self.since.elapsed() >= READING_MAX
            || self.ends.iter().all(|(place, end)| at(place) >= *end)
    }
}

impl Whom {
    /// Adds identities, with those who were found before and have one of them in common.
    fn add(&mut self, at: Micros, mut identities: BTreeSet<IdentityId>) {
        let (mut last, by) = (at, "event".to_owned());
        let is_same = |it: &mut Found| !it.identities.is_disjoint(&identities);
        let same: Vec<Found> = self.found.extract_if(.., is_same).collect();
        for same in same {
            last = last.max(same.at);
            identities.extend(same.identities);
        }
        self.found.push(Found { at: last, by, identities, rows_for_good: true });
    }
}

/// What somebody is known by for certain.
fn identifiers(identity: &Identity) -> impl Iterator<Item = (Field, String)> {
    let values = identity.values.iter().filter(|(field, _)| field.is_identifier());
    values.map(|(field, value)| (*field, value.to_string()))
}

/// Whether nothing is said but identifiers.
fn is_nameless(identity: &Identity) -> bool {
    identity.name_tokens.is_empty()
        && identity.values.iter().all(|(field, _)| field.is_identifier())
}
