//! What does the state say about two records?

use std::collections::BTreeSet;
use std::sync::Arc;

use super::job::{load_index, open_existing_state};
use super::model;
use super::registry::Registry;
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::record::{EventKey, Field, Identity, IdentityId, RecordKey};
use crate::resolve::Resolver;
use crate::score::{Evidence, Model};
use crate::source::Text;
use crate::state::{NodeId, Store};

/// A state that is open for questions; no job can have it at the same time.
pub struct Inspection {
    store: Store,
    registry: Registry,
    resolver: Resolver,
    sources: Vec<Arc<str>>,
    channels: Vec<Arc<str>>,
}

/// A record, as an explanation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// Its key.
    pub record: RecordKey,
    /// The source that first brought it.
    pub source: Arc<str>,
    /// What it is matched by.
    pub identity: Identity,
    /// The identity it belongs to.
    pub belongs_to: Option<IdentityId>,
}

/// Why two records belong together, or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The records asked about.
    pub records: [RecordView; 2],
    /// What they say about being of one person.
    pub evidence: Evidence,
    /// By field: how many people seem to use the value that both have; 1 for fields that are not
    /// shared.
    pub people: Vec<(Field, f64)>,
    /// The names of the blocking rules under which they meet.
    pub rules: Vec<String>,
    /// The match weight of the pair in bits.
    pub weight_bits: f64,
}

/// Opens the state of a pipeline for questions.
///
/// **Errors:** `Fenced` while a job has it; `Invalid` where there is none yet.
pub fn inspect(plan: &Plan) -> Result<Inspection> {
    let mut store = open_existing_state(&plan.state)?;
    let model = model::frozen(plan, &mut store)?;
    let view = store.view();
    let (registry, resolver) = load_index(model, &view)?;
    drop(view);
    let channel = |text: &Text| match text {
        Text::Constant(channel) => Some(Arc::clone(channel)),
        _ => None,
    };
    let channels = plan.sources.iter().filter_map(|source| channel(&source.mapping.channel));
    Ok(Inspection {
        store,
        registry,
        resolver,
        channels: channels.collect(),
        sources: plan.sources.iter().map(|source| Arc::clone(&source.name)).collect(),
    })
}

impl Inspection {
    /// The model that decides.
    pub fn model(&self) -> &Model {
        self.resolver.model()
    }

    /// The record that a person means: an event id (`channel:id` where channels share ids), a
    /// source's own row key (`source:id` likewise), or a record key.
    ///
    /// **Errors:** `Invalid` where nothing, or more than one record, is meant.
    pub fn find(&self, reference: &str) -> Result<NodeId> {
        let mut found = Vec::new();
        if let Ok(key) = reference.parse::<RecordKey>() {
            found.extend(self.registry.node_of(&key));
        }
        for channel in &self.channels {
            let own = reference.strip_prefix(&**channel).and_then(|rest| rest.strip_prefix(':'));
            for id in [Some(reference), own].into_iter().flatten() {
                let key = EventKey::of(channel, id);
                found.extend(self.store.node_of_event(&key)?);
            }
        }
        for source in &self.sources {
            let own = reference.strip_prefix(&**source).and_then(|rest| rest.strip_prefix(':'));
            for id in [Some(reference), own].into_iter().flatten() {
                let key = RecordKey::of_row(source, id);
                found.extend(self.registry.node_of(&key));
            }
        }
        found.retain(|node| self.registry.node(*node).is_some());
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [node] => Ok(*node),
            [] => Err(Error::invalid(
                "no event, row or record of that name: give an event id, a source's row key, or a record key",
            )),
            _ => {
                Err(Error::invalid("several records have that name: write channel:id or source:id"))
            }
        }
    }

    /// The key of a record.
    pub(super) fn key(&self, node: NodeId) -> Result<RecordKey> {
        Ok(self.view(node)?.record)
    }

    /// What two records say about being of one person.
    pub fn why(&self, left: NodeId, right: NodeId) -> Result<Why> {
        let absent = || Error::internal("a record of the registry is not in the index");
        let evidence = self.resolver.evidence(left, right).ok_or_else(absent)?;
        let agreed = |field: &Field| evidence.levels[*field as usize] == 1;
        let people = Field::ALL.into_iter().filter(agreed);
        let people = people.filter_map(|field| Some((field, self.resolver.people(left, field)?)));
        // A rule may bring them together by several keys.
        let rules: BTreeSet<usize> = self.resolver.meeting_rules(left, right).into_iter().collect();
        Ok(Why {
            records: [self.view(left)?, self.view(right)?],
            weight_bits: evidence.weight(self.model()),
            people: people.collect(),
            rules: rules.into_iter().map(|rule| self.model().rules[rule].name.clone()).collect(),
            evidence,
        })
    }

    fn view(&self, node: NodeId) -> Result<RecordView> {
        let absent = || Error::internal("a record of the registry is not in the index");
        let row = self.registry.node(node).ok_or_else(absent)?;
        Ok(RecordView {
            record: row.key,
            source: Arc::clone(&row.source),
            identity: self.resolver.identity(node).ok_or_else(absent)?,
            belongs_to: row.identity,
        })
    }
}
