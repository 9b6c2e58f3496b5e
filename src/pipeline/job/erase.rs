//! What does an erasure do, and in which order?
//!
//! Whatever ends it early, what was committed is ended by the next start: each step does nothing
//! where it is done already, and the last, which writes the state anew, also takes the note of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Job;
use crate::clock::{Stopwatch, now_micros};
use crate::error::{Error, Result};
use crate::normalise;
use crate::pipeline::erasure::{ErasurePreview, ErasureRequest, Receipt, Traces, Traits};
use crate::pipeline::snapshot::replace_snapshots;
use crate::pipeline::tables::{LookupKey, normal, unreadable};
use crate::pipeline::{DeadLetters, PublishedTables, identify, ledger};
use crate::record::{
    EventKey, Field, IdentityId, Micros, NodeId, Origin, Pair, RawField, RecordKey,
};
use crate::state::{ErasedRecord, Erasure, PendingErasure, View};
use crate::telemetry::Erased;

/// Who is to be forgotten together.
pub(super) struct Found {
    /// When they asked, or somebody did for them.
    pub(super) at: Micros,
    /// By what they were found; never a value.
    pub(super) by: String,
    pub(super) identities: BTreeSet<IdentityId>,
    /// Whether rows with keys of their own never come back, not in a later version either.
    pub(super) rows_for_good: bool,
}

impl Job {
    /// Takes whoever a request means out of the state, then out of all that was made of it.
    ///
    /// **Errors:** as of [`erase`](crate::pipeline::erase).
    pub(in crate::pipeline) fn erase(
        &mut self,
        request: &ErasureRequest,
    ) -> Result<Option<Receipt>> {
        let Some(id) = self.begin_erasure(request)? else { return Ok(None) };
        let receipts = self.finish_erasures()?;
        Ok(receipts.into_iter().find(|receipt| receipt.receipt == hex(&id)))
    }

    /// Takes whoever a request means out of the state; what is left to do is noted there. Returns the erasure's name.
    ///
    /// **Errors:** as of [`Job::erase`].
    pub(in crate::pipeline) fn begin_erasure(
        &mut self,
        request: &ErasureRequest,
    ) -> Result<Option<[u8; 10]>> {
        let Some(found) = self.find(request)? else { return Ok(None) };
        Ok(self.begin_erasures(&[found])?.pop())
    }

    /// Takes people out of the state, in one commit; what is left to do is noted there. Everything that was committed is
    /// in the tables already, and no two of them have an identity in common. Returns the erasures' names.
    ///
    /// **Errors:** `Unavailable` where a store is away: nothing was done; otherwise the state must be opened anew.
    pub(super) fn begin_erasures(&mut self, found: &[Found]) -> Result<Vec<[u8; 10]>> {
        let nodes: Vec<Vec<NodeId>> =
            found.iter().map(|found| self.nodes_of(&found.identities)).collect();
        let view = self.store.view();
        let records = |(found, nodes): (&Found, &Vec<NodeId>)| -> Vec<ErasedRecord> {
            let record = |node: &NodeId| {
                let row = self.registry.known(*node);
                let is_row = found.rows_for_good && row.record_id.is_some();
                ErasedRecord { key: row.key, is_row }
            };
            nodes.iter().map(record).collect()
        };
        let records: Vec<Vec<ErasedRecord>> = found.iter().zip(&nodes).map(records).collect();
        let keys: BTreeSet<RecordKey> = records.iter().flatten().map(|record| record.key).collect();
        let mut events = self.events_of(&keys)?;
        let judgements = judgements_of(&view, &keys)?;
        let (letters, begun) = (self.letters_of(&nodes)?, now_micros());
        let commit = view.sequence() + 1;
        let mut pending = Vec::with_capacity(found.len());
        for ((found, records), letters) in found.iter().zip(records).zip(letters) {
            let own = records.iter().filter_map(|record| events.remove(&record.key)).flatten();
            pending.push(PendingErasure {
                id: name_of(&found.identities, view.sequence()),
                at: found.at,
                begun,
                by: found.by.clone(),
                identities: found.identities.iter().copied().collect(),
                events: own.collect(),
                records,
                letters,
                commit,
            });
        }
        let names = pending.iter().map(|pending| pending.id).collect();
        let mut gone = nodes.concat();
        gone.sort_unstable();
        let (registry, resolver) = (&mut self.registry, &mut self.resolver);
        let mut draft = identify::draft_erased(&gone, &judgements, &view, registry, resolver);
        drop(view);
        let events = pending.iter().flat_map(|pending| pending.events.iter().copied()).collect();
        draft.commit.erasure = Some(Erasure { events, judgements, pending });
        self.store.commit(&draft.commit)?;
        Ok(names)
    }

    /// Says whom a request means.
    ///
    /// **Errors:** as of [`Job::erase`].
    pub(in crate::pipeline) fn preview_erasure(
        &mut self,
        request: &ErasureRequest,
    ) -> Result<ErasurePreview> {
        let Some(found) = self.find(request)? else { return Ok(ErasurePreview::default()) };
        let nodes = [self.nodes_of(&found.identities)];
        let letters = self.letters_of(&nodes)?;
        self.store.settle()?;
        Ok(ErasurePreview {
            identities: found.identities.len() as u64,
            records: nodes[0].len() as u64,
            dead_letters: letters.iter().flatten().count() as u64,
        })
    }

    /// Ends erasures that the state has, and something else may still lack; the receipts of all of them.
    ///
    /// **Errors:** `Unavailable` where a store is away, as all that writes.
    pub(super) fn finish_erasures(&mut self) -> Result<Vec<Receipt>> {
        let pending = self.store.view().pending_erasures()?;
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let clock = Stopwatch::start();
        let receipts = self.erase_outside(&pending)?;
        self.rewrite_erased(&receipts, &clock)?;
        self.store.settle()?;
        Ok(receipts)
    }

    /// Takes what was erased from the state out of all else; the receipts, by erasure. May be done again.
    ///
    /// **Errors:** `Unavailable` where a store is away.
    pub(super) fn erase_outside(&mut self, pending: &[PendingErasure]) -> Result<Vec<Receipt>> {
        self.forget_judged(pending)?;
        self.publish_finally()?;
        let letters: BTreeSet<Origin> =
            pending.iter().flat_map(|it| it.letters.iter().cloned()).collect();
        self.store.forget_letters_of(&letters)?;
        let topics = self.tell_erased(pending)?;
        let is_there = |record: &RecordKey| self.registry.node_of(record).is_some();
        let traces = Traces::of(pending, is_there);
        let tables =
            self.press.publisher_mut()?.erase(&self.plan.publish, &traces, &self.store.view())?;
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.finish();
        }
        let snapshots = replace_snapshots(&self.plan, &self.store.view())?;
        let mut receipts = Vec::with_capacity(pending.len());
        for it in pending {
            let mut receipt = Receipt {
                receipt: hex(&it.id),
                pipeline: self.plan.name.clone(),
                requested_at: ledger::time_text(it.at),
                found_by: it.by.clone(),
                identities: it.identities.iter().map(ToString::to_string).collect(),
                records: it.records.len() as u64,
                events: it.events.len() as u64,
                dead_letters: it.letters.len() as u64,
                tables: tables.clone(),
                snapshots: snapshots.clone(),
                state: self.store.sequence(),
                not_reached: self.not_reached(&topics),
                signature: String::new(),
            };
            let signature = self.store.sign(&receipt.to_sign()?)?;
            receipt.signature = blake3::Hash::from_bytes(signature).to_hex().to_string();
            self.press.publisher()?.put_receipt(&receipt)?;
            receipts.push(receipt);
        }
        Ok(receipts)
    }

    /// Writes the state anew, and with that forgets what was still to be done.
    ///
    /// **Errors:** after any error the state must be opened anew.
    pub(super) fn rewrite_erased(&mut self, receipts: &[Receipt], clock: &Stopwatch) -> Result<()> {
        self.store.rewrite()?;
        Erased {
            sequence: self.store.sequence(),
            erasures: receipts.len() as u64,
            records: receipts.iter().map(|receipt| receipt.records).sum(),
            duration: clock.elapsed(),
        }
        .emit(&self.telemetry);
        Ok(())
    }

    /// Who carries an identifier; everything that was committed is in the tables then.
    fn find(&mut self, request: &ErasureRequest) -> Result<Option<Found>> {
        if self.carrying {
            return Err(carries());
        }
        self.publish_finally()?;
        let wanted = Wanted::of(request)?;
        let mut identities = BTreeSet::new();
        for (identity, nodes) in self.registry.clusters() {
            let is_meant = |node: &NodeId| self.is_meant(*node, &identity, &wanted);
            if nodes.iter().any(is_meant) {
                identities.insert(identity);
            }
        }
        if identities.is_empty() {
            return Ok(None);
        }
        if identities.len() > 1 && !request.all {
            let named: Vec<String> = identities.iter().map(ToString::to_string).collect();
            return Err(Error::invalid(format!(
                "{} customers carry that identifier: name one by --id, or give --all: {}",
                identities.len(),
                named.join(", ")
            )));
        }
        let by = request.by.kind().into();
        Ok(Some(Found { at: request.at, by, identities, rows_for_good: true }))
    }

    /// The nodes of identities, ascending.
    fn nodes_of(&self, identities: &BTreeSet<IdentityId>) -> Vec<NodeId> {
        let members = identities.iter().flat_map(|identity| self.registry.members(identity));
        let mut nodes: Vec<NodeId> = members.copied().collect();
        nodes.sort_unstable();
        nodes
    }

    fn is_meant(&self, node: NodeId, identity: &IdentityId, wanted: &Wanted) -> bool {
        let Some(content) = self.resolver.identity(node) else { return false };
        match wanted {
            Wanted::Value(field, value) => content.value(*field) == Some(value),
            Wanted::Id(id) => {
                let row = self.registry.known(node);
                let mut values = content.values.iter();
                identity.to_string() == *id
                    || row.key.to_string() == *id
                    || row.record_id.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(id))
                    || values
                        .any(|(field, it)| field.is_identifier() && it.eq_ignore_ascii_case(id))
            }
        }
    }

    /// Of each person, given by their nodes, the dead letters that name them.
    fn letters_of(&self, people: &[Vec<NodeId>]) -> Result<Vec<Vec<Origin>>> {
        let view = self.store.view();
        let mut all = Vec::with_capacity(people.len());
        for nodes in people {
            let mut traits = Traits::default();
            for node in nodes {
                let row = self.registry.known(*node);
                if let Some(identity) = self.resolver.identity(*node) {
                    traits.note(&identity, row.record_id.as_deref());
                }
                let facts = view.facts(*node)?;
                facts.presented.keys().for_each(|(presented, _)| traits.note_presented(presented));
            }
            all.push(traits);
        }
        DeadLetters::open(&self.plan)?.naming(&all, Traits::are_in)
    }

    /// The events of records, as the tables have them, by record.
    fn events_of(
        &self,
        records: &BTreeSet<RecordKey>,
    ) -> Result<BTreeMap<RecordKey, Vec<EventKey>>> {
        let settings = normalise::Settings::default();
        PublishedTables::open(&self.plan.publish, settings)?.events_of(records)
    }

    /// Takes what was judged of erased records out of the pipeline's file of judgements, too.
    pub(super) fn forget_judged(&self, pending: &[PendingErasure]) -> Result<()> {
        let Some(path) = self.plan.matching.judgements.as_ref().filter(|_| !pending.is_empty())
        else {
            return Ok(());
        };
        let erased: BTreeSet<RecordKey> =
            pending.iter().flat_map(|it| &it.records).map(|record| record.key).collect();
        let mut judgements = ledger::judgements(path)?;
        let before = judgements.len();
        judgements.retain(|it| !it.pair.keys().iter().any(|key| erased.contains(key)));
        match judgements.len() < before {
            true => ledger::write(path, &judgements),
            false => Ok(()),
        }
    }

    fn not_reached(&self, topics: &[String]) -> Vec<String> {
        let mut not_reached =
            vec!["the sources: topics and files that the pipeline reads".to_owned()];
        if let Some(letters) = &self.plan.letter_topic {
            not_reached.push(format!("dead letters in the topic {}", letters.topic));
        }
        not_reached.extend_from_slice(topics);
        not_reached.push("copies that others made of tables, of the state or of snapshots".into());
        not_reached
    }
}

/// An identifier that records may hold.
enum Wanted {
    Value(Field, String),
    Id(String),
}

impl Wanted {
    fn of(request: &ErasureRequest) -> Result<Self> {
        let value = |field, raw, text: &str| {
            normal(&request.settings, field, raw, text).map(|value| Self::Value(field, value))
        };
        let wanted = match &request.by {
            LookupKey::Email(text) => value(Field::Email, RawField::Email, text),
            LookupKey::Phone(text) => value(Field::Phone, RawField::Phone, text),
            LookupKey::Id(id) => Some(Self::Id(id.trim().to_lowercase())),
            LookupKey::Person { .. } => {
                return Err(Error::invalid(
                    "a name and a birth date may be several people's: look them up, and erase by --id",
                ));
            }
        };
        wanted.ok_or_else(unreadable)
    }
}

pub(super) fn carries() -> Error {
    Error::invalid("publish.carry_ids_from: run the pipeline first until ids are carried over")
}

/// The name of an erasure: of these identities, at this commit.
fn name_of(identities: &BTreeSet<IdentityId>, sequence: u64) -> [u8; 10] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&sequence.to_be_bytes());
    for identity in identities {
        hasher.update(&identity.0);
    }
    let mut name = [0; 10];
    name.copy_from_slice(&hasher.finalize().as_bytes()[..10]);
    name
}

fn judgements_of(view: &View, records: &BTreeSet<RecordKey>) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for judgement in view.judgements() {
        let pair = judgement?.pair;
        if pair.keys().iter().any(|key| records.contains(key)) {
            pairs.push(pair);
        }
    }
    Ok(pairs)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes all");
        text
    })
}
