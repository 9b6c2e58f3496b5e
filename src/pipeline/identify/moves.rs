//! Which rows of `identity_map` does a micro-batch change?
//!
//! What records were before is noted as they are taken up, moved or taken out; when all is decided, it is compared with
//! what they are. So a record that is moved twice within a micro-batch, or comes and goes, makes one row or none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::pipeline::registry::{Node, Registry};
use crate::profile::{Cause, Move};
use crate::record::{IdentityId, Micros, RecordKey};

/// What records were before the micro-batch, of all that it may change. What is noted first of a record stands.
#[derive(Default)]
pub(super) struct Before(BTreeMap<RecordKey, Option<Was>>);

/// The row of a record that was there.
struct Was {
    identity: IdentityId,
    /// `None` where it cannot have changed.
    source: Option<Arc<str>>,
    record_id: Option<Box<str>>,
}

impl Before {
    /// A record comes; it may have been there under another node.
    pub(super) fn comes(&mut self, record: RecordKey) {
        self.0.entry(record).or_insert(None);
    }

    /// A record goes, or its source changes.
    pub(super) fn was(&mut self, row: &Node) {
        let Some(identity) = row.identity else { return self.comes(row.key) };
        self.0.entry(row.key).or_insert_with(|| {
            let (source, record_id) = (Some(Arc::clone(&row.source)), row.record_id.clone());
            Some(Was { identity, source, record_id })
        });
    }

    /// A record leaves an identity for another.
    pub(super) fn belonged(&mut self, record: RecordKey, identity: IdentityId) {
        let was = Was { identity, source: None, record_id: None };
        self.0.entry(record).or_insert(Some(was));
    }

    /// The identities that records were of that are gone.
    pub(super) fn losing(&self, registry: &Registry) -> BTreeSet<IdentityId> {
        let gone = self.0.iter().filter(|(record, _)| registry.node_of(record).is_none());
        gone.filter_map(|(_, was)| Some(was.as_ref()?.identity)).collect()
    }

    /// What changed, by record.
    pub(super) fn moves(
        self,
        registry: &Registry,
        cause: Cause,
        (epoch, occurred_at): (u64, Micros),
    ) -> Vec<Move> {
        let compare = |(record, was): (RecordKey, Option<Was>)| {
            let now = registry.node_of(&record).map(|node| registry.known(node));
            let (identity, source, record_id) = match (now, &was) {
                (Some(now), _) => {
                    (now.identity?, Arc::clone(&now.source), now.record_id.as_deref())
                }
                (None, Some(was)) => (was.identity, was.source.clone()?, was.record_id.as_deref()),
                (None, None) => return None,
            };
            let is_same = |was: &Was| {
                was.identity == identity && was.source.as_ref().is_none_or(|it| *it == source)
            };
            let is_removed = now.is_none();
            if !is_removed && was.as_ref().is_some_and(is_same) {
                return None;
            }
            Some(Move {
                record,
                source,
                record_id: record_id.map(Into::into),
                identity,
                other: was.filter(|_| !is_removed).map(|was| was.identity),
                is_removed,
                cause,
                epoch,
                occurred_at,
            })
        };
        self.0.into_iter().filter_map(compare).collect()
    }
}
