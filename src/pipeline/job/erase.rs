//! What does an erasure do, and in which order?
//!
//! Whatever ends it early, what was committed is ended by the next start: each step does nothing
//! where it is done already, and the last, which writes the state anew, also takes the note of it.

use std::collections::BTreeSet;

use super::Job;
use crate::clock::Stopwatch;
use crate::error::{Error, Result};
use crate::normalise;
use crate::pipeline::erasure::{ErasurePreview, ErasureRequest, Receipt, Traces, Traits};
use crate::pipeline::snapshot::replace_snapshots;
use crate::pipeline::tables::{LookupKey, normal, unreadable};
use crate::pipeline::{DeadLetters, PublishedTables, identify, ledger};
use crate::record::{EventKey, Field, IdentityId, NodeId, Origin, Pair, RawField, RecordKey};
use crate::state::{ErasedRecord, Erasure, PendingErasure, View};
use crate::telemetry::Erased;

/// Whom a request means.
struct Found {
    identities: Vec<IdentityId>,
    nodes: Vec<NodeId>,
    letters: Vec<Origin>,
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
        let view = self.store.view();
        let record = |node: &NodeId| {
            let row = self.registry.known(*node);
            ErasedRecord { key: row.key, is_row: row.record_id.is_some() }
        };
        let records: Vec<ErasedRecord> = found.nodes.iter().map(record).collect();
        let keys: BTreeSet<RecordKey> = records.iter().map(|record| record.key).collect();
        let events = self.events_of(&keys)?;
        let judgements = judgements_of(&view, &keys)?;
        let id = name_of(&found.identities, view.sequence());
        let pending = PendingErasure {
            id,
            at: request.at,
            by: request.by.kind().into(),
            identities: found.identities,
            records,
            letters: found.letters,
            events: events.len() as u64,
        };
        let mut draft = identify::draft_erased(
            &found.nodes,
            &judgements,
            &view,
            &mut self.registry,
            &mut self.resolver,
        );
        drop(view);
        draft.commit.erasure = Some(Erasure { events, judgements, pending });
        self.store.commit(&draft.commit)?;
        Ok(Some(id))
    }

    /// Says whom a request means.
    ///
    /// **Errors:** as of [`Job::erase`].
    pub(in crate::pipeline) fn preview_erasure(
        &mut self,
        request: &ErasureRequest,
    ) -> Result<ErasurePreview> {
        let found = self.find(request)?;
        self.store.settle()?;
        Ok(found.map_or_else(ErasurePreview::default, |found| ErasurePreview {
            identities: found.identities.len() as u64,
            records: found.nodes.len() as u64,
            dead_letters: found.letters.len() as u64,
        }))
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
        self.forget_judged(&pending)?;
        self.publish_finally()?;
        let letters: BTreeSet<Origin> =
            pending.iter().flat_map(|it| it.letters.iter().cloned()).collect();
        self.store.forget_letters_of(&letters)?;
        let tables =
            self.publisher.erase(&self.plan.publish, &Traces::of(&pending), &self.store.view())?;
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.finish();
        }
        let snapshots = replace_snapshots(&self.plan, &self.store.view())?;
        let mut receipts = Vec::with_capacity(pending.len());
        for it in &pending {
            let mut receipt = Receipt {
                receipt: hex(&it.id),
                pipeline: self.plan.name.clone(),
                requested_at: ledger::time_text(it.at),
                found_by: it.by.clone(),
                identities: it.identities.iter().map(ToString::to_string).collect(),
                records: it.records.len() as u64,
                events: it.events,
                dead_letters: it.letters.len() as u64,
                tables: tables.clone(),
                snapshots: snapshots.clone(),
                state: self.store.sequence(),
                not_reached: self.not_reached(),
                signature: String::new(),
            };
            let signature = self.store.sign(&receipt.to_sign()?)?;
            receipt.signature = blake3::Hash::from_bytes(signature).to_hex().to_string();
            self.publisher.put_receipt(&receipt)?;
            receipts.push(receipt);
        }
        self.store.rewrite()?;
        self.store.settle()?;
        Erased {
            sequence: self.store.sequence(),
            erasures: receipts.len() as u64,
            records: receipts.iter().map(|receipt| receipt.records).sum(),
            duration: clock.elapsed(),
        }
        .emit(&self.telemetry);
        Ok(receipts)
    }

    /// Who carries an identifier; everything that was committed is in the tables then.
    fn find(&mut self, request: &ErasureRequest) -> Result<Option<Found>> {
        if self.carrying {
            return Err(Error::invalid(
                "publish.carry_ids_from: run the pipeline first until ids are carried over",
            ));
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
        let members = identities.iter().flat_map(|identity| self.registry.members(identity));
        let mut nodes: Vec<NodeId> = members.copied().collect();
        nodes.sort_unstable();
        let letters = self.letters_of(&nodes)?;
        Ok(Some(Found { identities: identities.into_iter().collect(), nodes, letters }))
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

    /// The dead letters that name the person of some records.
    fn letters_of(&self, nodes: &[NodeId]) -> Result<Vec<Origin>> {
        let view = self.store.view();
        let mut traits = Traits::default();
        for node in nodes {
            let row = self.registry.known(*node);
            if let Some(identity) = self.resolver.identity(*node) {
                traits.note(&identity, row.record_id.as_deref());
            }
            let facts = view.facts(*node)?;
            facts.presented.keys().for_each(|(presented, _)| traits.note_presented(presented));
        }
        DeadLetters::open(&self.plan)?.naming(|bytes| traits.are_in(bytes))
    }

    /// The events of records, as the tables have them.
    fn events_of(&self, records: &BTreeSet<RecordKey>) -> Result<Vec<EventKey>> {
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

    fn not_reached(&self) -> Vec<String> {
        let mut not_reached =
            vec!["the sources: topics and files that the pipeline reads".to_owned()];
        if let Some(letters) = &self.plan.letter_topic {
            not_reached.push(format!("dead letters in the topic {}", letters.topic));
        }
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

/// The name of an erasure: of these identities, at this commit.
fn name_of(identities: &[IdentityId], sequence: u64) -> [u8; 10] {
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
