//! What are the rows of identities and records made from?

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::error::{Error, Result};
use crate::pipeline::registry::{Node, Registry};
use crate::profile::{Mapping, Member, Profile, Settings, profile};
use crate::record::{IdentityId, RecordKey};
use crate::resolve::Resolver;
use crate::score::Model;
use crate::state::{NodeId, View};

/// What a profile is made from.
pub(super) struct Members<'a> {
    pub(super) view: &'a View,
    pub(super) known: Known<'a>,
    pub(super) settings: &'a Settings,
}

/// Where it is known who is whom.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
    /// In the index, which is of the view's commit.
    Index { registry: &'a Registry, resolver: &'a Resolver },
    /// In what was noted of that commit; what records say is read from the view.
    Noted { work: &'a Work, model: &'a Model },
}

/// What is to be published of a commit.
pub(super) struct Work {
    /// The identities that were touched and are there, ascending, with their records.
    pub(super) live: Vec<IdentityId>,
    members: FxHashMap<IdentityId, Box<[NodeId]>>,
    /// Those that are gone.
    pub(super) gone: Vec<IdentityId>,
    /// The rows of `identity_map` that changed, by record.
    pub(super) mappings: Vec<Mapping>,
    /// The records that are gone.
    pub(super) unmapped: Vec<RecordKey>,
}

impl Work {
    /// What waits in a view, of whose commit the registry is.
    pub(super) fn of(view: &View, registry: &Registry) -> Result<Self> {
        let touched = view.touched()?.into_iter();
        let (live, gone) = touched.partition(|id| !registry.members(id).is_empty());
        let (mappings, unmapped) = mappings(view, registry)?;
        Ok(Self { live, members: FxHashMap::default(), gone, mappings, unmapped })
    }

    /// Takes note of who is whom, so that the registry may go on.
    pub(super) fn noted(mut self, registry: &Registry) -> Self {
        let members = self.live.iter().map(|id| (*id, registry.members(id).into()));
        self.members = members.collect();
        self
    }
}

impl Members<'_> {
    /// The profiles of identities, in their order.
    pub(super) fn profiles(&self, identities: &[IdentityId], version: u64) -> Result<Vec<Profile>> {
        self.each(identities, |identity, members| {
            profile(identity, version, members, self.settings)
        })
    }

    /// What `make` makes of identities and their members, in their order.
    pub(super) fn each<T: Send>(
        &self,
        identities: &[IdentityId],
        make: impl Fn(IdentityId, &[Member]) -> T + Sync,
    ) -> Result<Vec<T>> {
        identities
            .par_iter()
            .map(|identity| {
                let nodes = self.known.members(identity).iter();
                let members = nodes.map(|node| self.member(*node)).collect::<Result<Vec<_>>>()?;
                Ok(make(*identity, &members))
            })
            .collect()
    }

    fn member(&self, node: NodeId) -> Result<Member> {
        let absent = || Error::internal("a member of an identity is not there");
        let (row, identity) = match self.known {
            Known::Index { registry, resolver } => {
                (Cow::Borrowed(registry.known(node)), resolver.identity(node).ok_or_else(absent)?)
            }
            Known::Noted { model, .. } => {
                let row = self.view.record(node)?.ok_or_else(absent)?;
                let identity = model.heard(&row.identity);
                (Cow::Owned(Node::from(row)), identity)
            }
        };
        Ok(Member {
            record: row.key,
            source: Arc::clone(&row.source),
            record_id: row.record_id.as_deref().map(Into::into),
            identity,
            facts: self.view.facts(node)?,
        })
    }
}

impl<'a> Known<'a> {
    fn members(self, identity: &IdentityId) -> &'a [NodeId] {
        match self {
            Self::Index { registry, .. } => registry.members(identity),
            Self::Noted { work, .. } => {
                work.members.get(identity).map(|members| &**members).unwrap_or_default()
            }
        }
    }
}

/// The rows of `identity_map` that changed, by record, and the records that are gone.
fn mappings(view: &View, registry: &Registry) -> Result<(Vec<Mapping>, Vec<RecordKey>)> {
    let mut rows: BTreeMap<RecordKey, Mapping> = BTreeMap::new();
    let mut gone = Vec::new();
    for change in view.mappings()? {
        match (change.removed, registry.node(change.node)) {
            // A newer version of the row may have taken its place.
            (Some(key), _) if registry.node_of(&key).is_none() => {
                gone.push(key);
            }
            (None, Some(node)) => {
                let Some(identity) = node.identity else { continue };
                rows.insert(
                    node.key,
                    Mapping {
                        record: node.key,
                        source: Arc::clone(&node.source),
                        record_id: node.record_id.as_deref().map(Into::into),
                        identity,
                    },
                );
            }
            _ => {}
        }
    }
    Ok((rows.into_values().collect(), gone))
}
