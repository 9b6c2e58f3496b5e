//! Which ids does an output hold, and which did it ever?

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use futures::TryStreamExt;

use super::{PublishedTables, text};
use crate::cluster::Membership;
use crate::error::{Error, Result};
use crate::normalise;
use crate::pipeline::carry::Earlier;
use crate::pipeline::publish::runtime;
use crate::profile::ChangeKind;
use crate::record::IdentityId;
use crate::sink::{self, tables};

/// An event as an earlier output names it.
#[derive(Clone, Copy, Debug)]
pub(in crate::pipeline) struct EarlierEvent<'a> {
    pub(in crate::pipeline) channel: &'a str,
    pub(in crate::pipeline) event_id: &'a str,
    /// The record that it belonged to.
    pub(in crate::pipeline) record: &'a str,
}

impl PublishedTables {
    /// Opens what any pipeline published at a place, a folder or URL.
    ///
    /// **Errors:** `Invalid` for a folder that is not there, or a URL that is not understood.
    pub fn at(url: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        if !url.contains("://") && !std::path::Path::new(url).exists() {
            return Err(Error::invalid("there is no such folder"));
        }
        let (store, root) = sink::open_store(url, options)?;
        Ok(Self { runtime: runtime()?, store, root, settings: normalise::Settings::default() })
    }

    /// Who is in which identity.
    pub fn membership(&self) -> Result<Membership> {
        let mut membership = Membership::new();
        for batch in self.columns(&tables::IDENTITY_MAP, &["record_key", "identity_id"])? {
            let (records, identities) = (text(&batch, "record_key"), text(&batch, "identity_id"));
            for (record, identity) in records.iter().flatten().zip(identities.iter().flatten()) {
                membership.insert(key(record)?, key(identity)?);
            }
        }
        Ok(membership)
    }

    /// Checks that there is an `identity_map`.
    pub(in crate::pipeline) fn check_identity_map(&self) -> Result<()> {
        self.table(&tables::IDENTITY_MAP).map(drop)
    }

    /// What is said of ids.
    pub(in crate::pipeline) fn earlier(&self) -> Result<Earlier> {
        let mut earlier = Earlier { membership: self.membership()?, ..Earlier::default() };
        let live: BTreeSet<IdentityId> = earlier.membership.values().copied().collect();
        let columns = ["change", "identity_id", "other_identity_id"];
        for batch in self.columns(&tables::IDENTITY_CHANGES, &columns)? {
            let (kinds, ids) = (text(&batch, "change"), text(&batch, "identity_id"));
            let others = text(&batch, "other_identity_id");
            for ((kind, id), other) in kinds.iter().zip(ids).zip(others) {
                let id: IdentityId = key(id.unwrap_or_default())?;
                if live.contains(&id) {
                    continue;
                }
                let into = other.filter(|_| kind == Some(ChangeKind::Merged.name()));
                let forward = earlier.ended.entry(id).or_default();
                *forward = into.map(key).transpose()?.or(*forward);
            }
        }
        Ok(earlier)
    }

    /// Every event, in no order.
    pub(in crate::pipeline) fn for_each_event(
        &self,
        each: &mut dyn FnMut(EarlierEvent<'_>) -> Result<()>,
    ) -> Result<()> {
        let table = self.table(&tables::INTERACTIONS)?;
        self.runtime.block_on(async {
            let mut batches = table.scan(Some(&["event_id", "channel", "record_key"]));
            while let Some(batch) = batches.try_next().await? {
                let (ids, channels) = (text(&batch, "event_id"), text(&batch, "channel"));
                let records = text(&batch, "record_key");
                for row in 0..batch.num_rows() {
                    each(EarlierEvent {
                        channel: channels.value(row),
                        event_id: ids.value(row),
                        record: records.value(row),
                    })?;
                }
            }
            Ok(())
        })
    }
}

fn key<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::data("an id in a table is not one: is it a table of Onefold?"))
}
