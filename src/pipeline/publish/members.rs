//! What are the rows of identities and records made from?

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::pipeline::registry::Registry;
use crate::profile::{Mapping, Member, Profile, Settings, profile};
use crate::record::{IdentityId, RecordKey};
use crate::resolve::Resolver;
use crate::state::{NodeId, View};

/// What a profile or a mapping is made from.
pub(super) struct Members<'a> {
    pub(super) view: &'a View,
    pub(super) registry: &'a Registry,
    pub(super) resolver: &'a Resolver,
    pub(super) settings: &'a Settings,
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
                let nodes = self.registry.members(identity).iter();
                let members = nodes.map(|node| self.member(*node)).collect::<Result<Vec<_>>>()?;
                Ok(make(*identity, &members))
            })
            .collect()
    }

    fn member(&self, node: NodeId) -> Result<Member> {
        let row = self.registry.known(node);
        let absent = || Error::internal("a member of an identity is not in the index");
        Ok(Member {
            record: row.key,
            source: Arc::clone(&row.source),
            record_id: row.record_id.as_deref().map(Into::into),
            identity: self.resolver.identity(node).ok_or_else(absent)?,
            facts: self.view.facts(node)?,
        })
    }

    /// The rows of `identity_map` that changed, by record, and the records that are gone.
    pub(super) fn mappings(&self) -> Result<(Vec<Mapping>, Vec<RecordKey>)> {
        let mut rows: BTreeMap<RecordKey, Mapping> = BTreeMap::new();
        let mut gone = Vec::new();
        for change in self.view.mappings()? {
            match (change.removed, self.registry.node(change.node)) {
                // A newer version of the row may have taken its place.
                (Some(key), _) if self.registry.node_of(&key).is_none() => {
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
}
