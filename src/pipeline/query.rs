//! What does the state say about records and identities?
//!
//! Reads only the rows that a question needs, under the model that is frozen with the state; takes
//! no epoch and writes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::cluster::Constraints;
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::explain::{
    How, Link, Meeting, RecordView, Weighing, Why, WhyNot, meetings, named_values,
};
use crate::record::{EventKey, Field, IdentityId, RecordKey, Verdict};
use crate::score::Model;
use crate::sink::CommitInfo;
use crate::source::Text;
use crate::state::{self, NodeId, Reader, RecordRow, Status};

use super::model;
use super::opening::unresolved;

/// A state that is open for questions; no job can have it at the same time.
pub struct Inspection {
    reader: Reader,
    model: Model,
    sources: Vec<Arc<str>>,
    channels: Vec<Arc<str>>,
}

/// The records of one question, ascending by key, and the place of each node among them.
struct Asked {
    views: Vec<RecordView>,
    place: BTreeMap<NodeId, usize>,
}

/// Opens the state of a pipeline for questions.
///
/// **Errors:** `Fenced` while a job has it; `Invalid` where there is none yet.
pub fn inspect(plan: &Plan) -> Result<Inspection> {
    let reader = open_reader(&plan.state.path)?;
    let frozen = reader.model()?.ok_or_else(|| no_state(&plan.state.path))?;
    if reader.is_unresolved()? {
        return Err(unresolved());
    }
    let model = model::kept(frozen)?;
    let channel = |text: &Text| match text {
        Text::Constant(channel) => Some(Arc::clone(channel)),
        _ => None,
    };
    let channels = plan.sources.iter().filter_map(|source| channel(&source.mapping.channel));
    Ok(Inspection {
        reader,
        model,
        channels: channels.collect(),
        sources: plan.sources.iter().map(|source| Arc::clone(&source.name)).collect(),
    })
}

/// Opens a state for reading.
pub(super) fn open_reader(path: &Path) -> Result<Reader> {
    if !path.exists() {
        return Err(no_state(path));
    }
    Reader::open(path, &state::Options::default())
}

fn no_state(path: &Path) -> Error {
    let path = path.display();
    Error::invalid(format!("[state] path = {path}: there is no state yet: run the pipeline first"))
}

impl Inspection {
    /// The model that decides.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The state's last commit, as a table says it.
    pub(super) fn commit(&self, app: &str) -> CommitInfo {
        CommitInfo {
            app: app.to_owned(),
            commit: self.reader.sequence(),
            epoch: self.reader.epoch(),
            time_ms: self.reader.max_event_time() / 1000,
        }
    }

    /// The record that a person means: an event id (`channel:id` where channels share ids), a
    /// source's own row key (`source:id` likewise), or a record key.
    ///
    /// **Errors:** `Invalid` where nothing, or more than one record, is meant.
    pub fn find(&self, reference: &str) -> Result<NodeId> {
        let mut found = Vec::new();
        if let Ok(key) = reference.parse::<RecordKey>() {
            found.extend(self.reader.node_of_record(&key)?);
        }
        for channel in &self.channels {
            let own = reference.strip_prefix(&**channel).and_then(|rest| rest.strip_prefix(':'));
            for id in [Some(reference), own].into_iter().flatten() {
                found.extend(self.reader.node_of_event(&EventKey::of(channel, id))?);
            }
        }
        for source in &self.sources {
            let own = reference.strip_prefix(&**source).and_then(|rest| rest.strip_prefix(':'));
            for id in [Some(reference), own].into_iter().flatten() {
                found.extend(self.reader.node_of_record(&RecordKey::of_row(source, id))?);
            }
        }
        found.sort_unstable();
        found.dedup();
        let mut there = Vec::new();
        for node in found {
            // Of an event whose row was replaced, the record is gone.
            there.extend(self.reader.record(node)?.map(|_| node));
        }
        match there.as_slice() {
            [node] => Ok(*node),
            [] => Err(Error::invalid(
                "no event, row or record of that name: give an event id, a source's row key, or a record key",
            )),
            _ => {
                Err(Error::invalid("several records have that name: write channel:id or source:id"))
            }
        }
    }

    /// The identity that a person means: its id, that of one that was merged into it, or anything
    /// that names one of its records.
    ///
    /// **Errors:** `Invalid` where there is none, or all its records are gone.
    pub fn find_identity(&self, reference: &str) -> Result<IdentityId> {
        let Ok(mut id) = IdentityId::from_str(reference) else {
            let node = self.find(reference)?;
            return self.reader.identity_of(node)?.ok_or_else(incomplete);
        };
        loop {
            match self.reader.identity(&id)?.map(|row| row.status) {
                Some(Status::Live) => return Ok(id),
                Some(Status::Merged { into }) => id = into,
                Some(Status::Retired) => {
                    return Err(Error::invalid(
                        "all records of that identity are gone, or went to others: \
                         `identity_changes` says when",
                    ));
                }
                None => return Err(Error::invalid("no identity of that id")),
            }
        }
    }

    /// The key of a record.
    pub(super) fn key(&self, node: NodeId) -> Result<RecordKey> {
        self.reader.record(node)?.map(|row| row.key).ok_or_else(incomplete)
    }

    /// Why two records belong together, or not.
    pub fn why(&self, left: NodeId, right: NodeId) -> Result<Why> {
        let identity = self.reader.identity_of(left)?;
        let together = identity.is_some() && identity == self.reader.identity_of(right)?;
        let asked = match identity.filter(|_| together) {
            Some(identity) => self.ask(self.reader.members(&identity)?)?,
            None => self.ask(vec![left, right])?,
        };
        let (a, b) = (asked.at(left)?, asked.at(right)?);
        let weighing = self.weigh(&asked)?;
        let (steps, merges) = if together && a != b {
            weighing.path(a, b)
        } else {
            (Vec::new(), asked.views.len() - 1)
        };
        let records = [asked.views[a].clone(), asked.views[b].clone()];
        let keys = self.meetings(&records[0], &records[1])?;
        Ok(Why { together, pair: weighing.pair(a, b), keys, steps, merges, records })
    }

    /// Why two records do not belong together.
    pub fn why_not(&self, left: NodeId, right: NodeId) -> Result<WhyNot> {
        let members = |node: NodeId| match self.reader.identity_of(node)? {
            Some(identity) => self.reader.members(&identity),
            None => Err(incomplete()),
        };
        let (of_left, mut of_right) = (members(left)?, members(right)?);
        if of_left == of_right {
            of_right.clear();
        }
        let asked = self.ask([&of_left[..], &of_right].concat())?;
        // In the order of keys: node numbers depend on what came first.
        let places = |nodes: &[NodeId]| -> Result<Vec<usize>> {
            let mut places: Vec<usize> =
                nodes.iter().map(|node| asked.at(*node)).collect::<Result<_>>()?;
            places.sort_unstable();
            Ok(places)
        };
        let weighing = self.weigh(&asked)?;
        let (on_left, on_right) = (places(&of_left)?, places(&of_right)?);
        let between = weighing.between(&on_left, &on_right);
        let judged_apart = weighing.judged_apart(&on_left, &on_right);
        let links = self.links(&asked, &of_left, &of_right)?;
        let (a, b) = (asked.at(left)?, asked.at(right)?);
        let records = [asked.views[a].clone(), asked.views[b].clone()];
        let keys = self.meetings(&records[0], &records[1])?;
        Ok(WhyNot::of(records, (weighing.pair(a, b), keys), between, &links, judged_apart))
    }

    /// How an identity came together.
    pub fn how(&self, identity: IdentityId) -> Result<How> {
        self.how_of(identity, self.reader.members(&identity)?)
    }

    /// How an identity of these members came together.
    pub(super) fn how_of(&self, identity: IdentityId, members: Vec<NodeId>) -> Result<How> {
        let asked = self.ask(members)?;
        let steps = self.weigh(&asked)?.steps();
        Ok(How { identity, records: asked.views, steps })
    }

    /// The members of every live identity, ascending by identity.
    pub(super) fn clusters(
        &self,
    ) -> Result<impl Iterator<Item = Result<(IdentityId, NodeId)>> + Send + use<>> {
        self.reader.clusters()
    }

    /// The candidate pairs between two lists of nodes.
    fn links(&self, asked: &Asked, left: &[NodeId], right: &[NodeId]) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        for (from, to, is_left) in [(left, right, true), (right, left, false)] {
            for node in from {
                let edges = self.reader.edges(*node)?;
                for edge in edges.iter().filter(|edge| to.binary_search(&edge.lower).is_ok()) {
                    let [a, b] = [asked.at(*node)?, asked.at(edge.lower)?]
                        .map(|place| asked.views[place].record);
                    let records = if is_left { [a, b] } else { [b, a] };
                    links.push(Link { records, weight_bits: edge.weight_bits });
                }
            }
        }
        links.sort_unstable_by_key(|link| link.records);
        Ok(links)
    }

    /// Records in the order of their keys, ready to be weighed against one another by their places.
    pub fn weighing(&self, nodes: Vec<NodeId>) -> Result<(Vec<RecordView>, Weighing<'_>)> {
        let asked = self.ask(nodes)?;
        let weighing = self.weigh(&asked)?;
        Ok((asked.views, weighing))
    }

    /// The blocking keys that two records share.
    pub fn meetings(&self, left: &RecordView, right: &RecordView) -> Result<Vec<Meeting>> {
        let people = |field: Field, value: &str| self.reader.people(field, value);
        let is_capped = |key| self.reader.is_capped(key);
        meetings(&left.identity, &right.identity, &self.model, people, is_capped)
    }

    fn ask(&self, nodes: Vec<NodeId>) -> Result<Asked> {
        let mut rows: Vec<(NodeId, RecordRow)> = Vec::new();
        for node in nodes {
            rows.push((node, self.reader.record(node)?.ok_or_else(incomplete)?));
        }
        rows.sort_unstable_by_key(|(_, row)| row.key);
        rows.dedup_by_key(|(node, _)| *node);
        let place = rows.iter().map(|(node, _)| *node).zip(0..).collect();
        let mut views = Vec::new();
        for (node, row) in rows {
            views.push(RecordView {
                record: row.key,
                source: row.source,
                record_id: row.record_id,
                values: named_values(&row.identity, &self.model),
                identity: row.identity,
                belongs_to: self.reader.identity_of(node)?,
            });
        }
        Ok(Asked { views, place })
    }

    fn weigh(&self, asked: &Asked) -> Result<Weighing<'_>> {
        let records = asked.views.iter().map(|view| (view.record, view.identity.clone()));
        let people = |field: Field, value: &str| self.reader.people(field, value);
        let weighing = Weighing::new(&self.model, records.collect(), people)?;
        Ok(weighing.judged(self.constraints(asked)?))
    }

    /// What was judged of the records.
    fn constraints(&self, asked: &Asked) -> Result<Constraints> {
        let mut constraints = Constraints::NONE;
        if !self.reader.has_judgements()? {
            return Ok(constraints);
        }
        for (i, view) in asked.views.iter().enumerate() {
            for judgement in self.reader.judgements(&view.record)? {
                let [_, upper] = judgement.pair.keys();
                let Ok(j) = asked.views.binary_search_by_key(&upper, |view| view.record) else {
                    continue;
                };
                match judgement.verdict {
                    Verdict::Together => constraints.together.push((i, j)),
                    Verdict::Apart => constraints.apart.push((i, j)),
                    Verdict::Withdrawn => {}
                }
            }
        }
        Ok(constraints)
    }
}

impl Asked {
    fn at(&self, node: NodeId) -> Result<usize> {
        self.place.get(&node).copied().ok_or_else(incomplete)
    }
}

fn incomplete() -> Error {
    Error::data("state: a record, or its identity, is not there")
}
