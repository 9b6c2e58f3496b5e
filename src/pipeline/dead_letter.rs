//! Which messages could not be used, and what becomes of those that were mended?
//!
//! Dead letters are in the table `dead_letters`; those that were replayed and could be used are in
//! `dead_letter_replays`, too. What is in the first and not in the second is open. Listing reads the
//! two tables, so it may be done while the job runs. A replay is a job of its own: it feeds the
//! letters, as they are or as a person mended them, through the mapping of their source, and commits
//! those that can be used together with the fact that they are closed. So a second replay finds
//! nothing to do, whatever ended the first.

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;

use super::batch::Readers;
use super::job::Job;
use super::{PublishedTables, Replayed};
use crate::config::Plan;
use crate::error::{Error, Kind, Result};
use crate::normalise;
use crate::record::{Envelope, Header, Origin};
use crate::sink::tables::{DEAD_LETTER_REPLAYS, DEAD_LETTERS};
use crate::source::{BATCH_BYTES_MAX, Message};

/// Which dead letters are meant.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterFilter {
    /// Those of one source.
    pub source: Option<String>,
    /// Those that are there for one reason.
    pub reason: Option<String>,
    /// Those from this offset of their partition on.
    pub since_offset: Option<u64>,
    /// Whether those count, too, that are closed.
    pub closed: Closed,
}

/// Whether letters that are closed count, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closed {
    /// They do not.
    #[default]
    Without,
    /// They do.
    With,
}

/// One dead letter, without what the message holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ListedLetter {
    /// Where it was read.
    #[serde(flatten)]
    pub origin: Origin,
    /// Why it could not be used.
    pub reason: String,
    /// What was expected where; never a value.
    pub detail: String,
    /// What became of it by a replay; `None` while it is open.
    pub outcome: Option<String>,
}

/// How many letters of one source there are for one reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Group {
    /// The source.
    pub source: String,
    /// Why they could not be used.
    pub reason: String,
    /// How many are open.
    pub open: u64,
    /// How many are closed.
    pub closed: u64,
}

/// What a listing finds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Listing {
    /// All letters that are meant, counted; closed ones, too.
    pub groups: Vec<Group>,
    /// The first of them by source, partition and offset.
    pub letters: Vec<ListedLetter>,
}

/// One dead letter, whole: it holds personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// All but what the message holds.
    pub listed: ListedLetter,
    /// The message's bytes.
    pub payload: Bytes,
    /// What came with them.
    pub envelope: Option<Box<Envelope>>,
}

impl Letter {
    /// The letter as JSON.
    pub fn as_json(&self) -> serde_json::Value {
        file::as_json(self)
    }

    /// What it holds that may name somebody: payload, key and headers.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let around = self.envelope.iter().flat_map(|envelope| {
            let values = envelope.headers.iter().filter_map(|header| header.value.as_deref());
            envelope.key.as_deref().into_iter().chain(values)
        });
        std::iter::once(&*self.payload).chain(around)
    }
}

/// What would become of dead letters that were replayed, as far as their mapping decides.
pub type DryRun = Replayed;

/// The places of letters, each with what became of it.
type Places = BTreeMap<Origin, String>;

/// The dead letters of one pipeline, open for reading.
pub struct DeadLetters {
    tables: PublishedTables,
}

impl DeadLetters {
    /// Opens the place where a pipeline publishes.
    pub fn open(plan: &Plan) -> Result<Self> {
        let tables = PublishedTables::open(&plan.publish, normalise::Settings::default())?;
        Ok(Self { tables })
    }

    /// The letters that a filter means: all of them counted, and the first `limit` of those that are
    /// not closed, unless the filter wants these, too.
    pub fn list(&self, filter: &DeadLetterFilter, limit: usize) -> Result<Listing> {
        let closed = self.closed()?;
        let mut groups: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
        let mut letters = BTreeMap::new();
        let columns = ["source", "partition", "offset", "reason", "detail"];
        self.tables.each(&DEAD_LETTERS, Some(&columns), |batch| {
            for mut listed in listed(batch)? {
                listed.outcome = closed.get(&listed.origin).cloned();
                if !filter.means(&listed) {
                    continue;
                }
                let group = (listed.origin.source.to_string(), listed.reason.clone());
                let (of_open, of_closed) = groups.entry(group).or_default();
                match &listed.outcome {
                    None => *of_open += 1,
                    Some(_) => *of_closed += 1,
                }
                if listed.outcome.is_none() || filter.closed == Closed::With {
                    letters.insert(listed.origin.clone(), listed);
                    if letters.len() > limit {
                        letters.pop_last();
                    }
                }
            }
            Ok(())
        })?;
        let group = |((source, reason), (open, closed))| Group { source, reason, open, closed };
        let groups = groups.into_iter().map(group).collect();
        Ok(Listing { groups, letters: letters.into_values().collect() })
    }

    /// One letter; `None` where there is none at that place.
    pub fn show(&self, origin: &Origin) -> Result<Option<Letter>> {
        let closed = self.closed()?;
        let mut found = None;
        self.each(|letter| {
            if letter.listed.origin == *origin {
                found = Some(letter);
            }
            Ok(())
        })?;
        let outcome = closed.get(origin).cloned();
        Ok(found
            .map(|letter| Letter { listed: ListedLetter { outcome, ..letter.listed }, ..letter }))
    }

    /// Writes the letters that a filter means to a file, one JSON object a line, as
    /// [`replay`] reads them; returns how many. The file holds personal data.
    pub fn export(&self, filter: &DeadLetterFilter, path: &Path) -> Result<u64> {
        let closed = self.closed()?;
        let mut writer = file::Writer::create(path)?;
        self.each(|mut letter| {
            letter.listed.outcome = closed.get(&letter.listed.origin).cloned();
            let is_wanted = letter.listed.outcome.is_none() || filter.closed == Closed::With;
            if is_wanted && filter.means(&letter.listed) {
                writer.write(&letter)?;
            }
            Ok(())
        })?;
        writer.finish()
    }

    /// Hands out every letter, as if none was closed.
    fn each(&self, mut take: impl FnMut(Letter) -> Result<()>) -> Result<()> {
        self.tables
            .each(&DEAD_LETTERS, None, |batch| letters(batch)?.into_iter().try_for_each(&mut take))
    }

    /// Of each of `people`, the places of letters whose payload, key or a header is found to name them; closed ones, too.
    pub(super) fn naming<T>(
        &self,
        people: &[T],
        names: impl Fn(&T, &[u8]) -> bool,
    ) -> Result<Vec<Vec<Origin>>> {
        let mut found = vec![Vec::new(); people.len()];
        if people.is_empty() {
            return Ok(found);
        }
        self.each(|letter| {
            for (person, found) in people.iter().zip(&mut found) {
                if letter.parts().any(|bytes| names(person, bytes)) {
                    found.push(letter.listed.origin.clone());
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The letters that name somebody, whole, as JSON.
    pub(super) fn all_naming(
        &self,
        names: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<serde_json::Value>> {
        let mut found = Vec::new();
        self.each(|letter| {
            if letter.parts().any(&names) {
                found.push(letter.as_json());
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The letters that are closed.
    fn closed(&self) -> Result<Places> {
        let mut places = Places::new();
        self.tables.each(&DEAD_LETTER_REPLAYS, None, |batch| {
            let outcomes = batch["outcome"].as_string::<i32>();
            let origins = origins(batch)?.into_iter();
            places.extend(origins.zip(outcomes.iter().flatten().map(str::to_owned)));
            Ok(())
        })?;
        Ok(places)
    }

    /// The places of all letters.
    fn places(&self) -> Result<BTreeSet<Origin>> {
        let mut places = BTreeSet::new();
        let columns = ["source", "partition", "offset"];
        self.tables.each(&DEAD_LETTERS, Some(&columns), |batch| {
            places.extend(origins(batch)?);
            Ok(())
        })?;
        Ok(places)
    }
}

impl DeadLetterFilter {
    fn means(&self, listed: &ListedLetter) -> bool {
        let ListedLetter { origin, reason, .. } = listed;
        self.source.as_deref().is_none_or(|source| *source == *origin.source)
            && self.reason.as_ref().is_none_or(|wanted| wanted == reason)
            && self.since_offset.is_none_or(|since| origin.offset >= since)
    }
}

/// Reads letters again, those of a file or else the open ones that a filter means, and commits those
/// that can be used now.
///
/// **Errors:** `Fenced` while a job has the state; `Invalid` for a file that cannot be read, or names
/// a letter twice; else as of a job.
pub fn replay(plan: Plan, file: Option<&Path>, filter: &DeadLetterFilter) -> Result<Replayed> {
    if !plan.state.path.exists() {
        return Err(Error::invalid(format!(
            "[state] path = {}: there is no state yet: run the pipeline first",
            plan.state.path.display()
        )));
    }
    let given = file.map(file::read).transpose()?;
    let mut job = Job::open(plan.clone()).map_err(|error| match error.kind() {
        Kind::Fenced => error.context("a replay needs the state to itself: stop the job first"),
        _ => error,
    })?;
    if job.is_carrying() {
        return Err(Error::invalid(
            "publish.carry_ids_from: ids are still to be carried over: let the job read all first",
        ));
    }
    // Opening the job has published what an earlier replay left, so the tables know of it.
    let letters = DeadLetters::open(&plan)?;
    let mut feed = Feed::new(&plan, &letters, |messages, replayed| job.replay(messages, replayed))?;
    feed.all(&letters, given, filter)?;
    let replayed = feed.replayed;
    job.finish_replay()?;
    Ok(replayed)
}

/// What a replay would do, as far as the mapping decides: whether an event is known already is not
/// asked. Changes nothing, and may be done while the job runs.
///
/// **Errors:** as of [`replay`], but for the state's.
pub fn try_replay(plan: &Plan, file: Option<&Path>, filter: &DeadLetterFilter) -> Result<DryRun> {
    let given = file.map(file::read).transpose()?;
    let letters = DeadLetters::open(plan)?;
    let readers = Readers::new(plan);
    let mut feed = Feed::new(plan, &letters, |messages, replayed| {
        for prepared in readers.prepare(messages) {
            match prepared {
                Ok(_) => replayed.resolved += 1,
                Err(letter) => replayed.refuse(letter.reason),
            }
        }
        Ok(())
    })?;
    feed.all(&letters, given, filter)?;
    Ok(feed.replayed)
}

/// Gathers letters to micro-batches.
struct Feed<F> {
    sources: BTreeSet<Arc<str>>,
    places: BTreeSet<Origin>,
    closed: Places,
    batch: usize,
    messages: Vec<Message>,
    bytes: usize,
    take: F,
    replayed: Replayed,
}

impl<F: FnMut(&[Message], &mut Replayed) -> Result<()>> Feed<F> {
    fn new(plan: &Plan, letters: &DeadLetters, take: F) -> Result<Self> {
        Ok(Self {
            sources: plan.sources.iter().map(|source| Arc::clone(&source.name)).collect(),
            places: letters.places()?,
            closed: letters.closed()?,
            batch: plan.run.batch,
            messages: Vec::new(),
            bytes: 0,
            take,
            replayed: Replayed::default(),
        })
    }

    fn all(
        &mut self,
        letters: &DeadLetters,
        given: Option<file::Reader>,
        filter: &DeadLetterFilter,
    ) -> Result<()> {
        match given {
            Some(given) => {
                for letter in given {
                    self.push(letter?)?;
                }
            }
            None => letters.each(|letter| {
                let is_open = !self.closed.contains_key(&letter.listed.origin);
                if is_open && filter.means(&letter.listed) { self.push(letter) } else { Ok(()) }
            })?,
        }
        self.flush()
    }

    fn push(&mut self, letter: Letter) -> Result<()> {
        let Letter { listed: ListedLetter { origin, .. }, payload, envelope } = letter;
        if self.closed.contains_key(&origin) {
            self.replayed.closed += 1;
        } else if !self.sources.contains(&origin.source) || !self.places.contains(&origin) {
            self.replayed.unknown += 1;
        } else {
            self.bytes += payload.len();
            self.messages.push(Message { origin, payload, fault: None, envelope });
            if self.messages.len() >= self.batch || self.bytes >= BATCH_BYTES_MAX {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let messages = std::mem::take(&mut self.messages);
        if messages.is_empty() { Ok(()) } else { (self.take)(&messages, &mut self.replayed) }
    }
}

fn origins(batch: &RecordBatch) -> Result<Vec<Origin>> {
    let [sources, partitions] = ["source", "partition"].map(|name| batch[name].as_string::<i32>());
    let offsets = batch["offset"].as_primitive::<Int64Type>();
    let origin = |at: usize| {
        let offset = u64::try_from(offsets.value(at));
        Ok(Origin {
            source: sources.value(at).into(),
            partition: partitions.value(at).into(),
            offset: offset.map_err(|_| Error::data("a dead letter has a negative offset"))?,
        })
    };
    (0..batch.num_rows()).map(origin).collect()
}

fn listed(batch: &RecordBatch) -> Result<Vec<ListedLetter>> {
    let [reasons, details] = ["reason", "detail"].map(|name| batch[name].as_string::<i32>());
    let listed = |(at, origin): (usize, Origin)| ListedLetter {
        origin,
        reason: reasons.value(at).to_owned(),
        detail: details.value(at).to_owned(),
        outcome: None,
    };
    Ok(origins(batch)?.into_iter().enumerate().map(listed).collect())
}

fn letters(batch: &RecordBatch) -> Result<Vec<Letter>> {
    let [payloads, keys] = ["payload", "key"].map(|name| batch[name].as_binary::<i32>());
    let headers = batch["headers"].as_list::<i32>();
    let letter = |(at, listed): (usize, ListedLetter)| {
        let key = keys.is_valid(at).then(|| keys.value(at).to_owned());
        let mut envelope = Envelope { key, headers: Vec::new() };
        if headers.is_valid(at) {
            let headers = headers.value(at);
            let entries = headers.as_struct();
            let names = entries.column(0).as_string::<i32>();
            let values = entries.column(1).as_binary::<i32>();
            let value = |at| values.is_valid(at).then(|| values.value(at).to_owned());
            let header = |at| Header { name: names.value(at).to_owned(), value: value(at) };
            envelope.headers = (0..entries.len()).map(header).collect();
        }
        let envelope = (envelope != Envelope::default()).then(|| Box::new(envelope));
        Letter { listed, payload: Bytes::copy_from_slice(payloads.value(at)), envelope }
    };
    Ok(listed(batch)?.into_iter().enumerate().map(letter).collect())
}
