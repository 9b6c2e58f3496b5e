//! How is the registry packed, and how does it come back?

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Node, Registry};
use crate::error::Result;
use crate::image::{self, Pack, Pieces, Sink, Unpack, misshapen};
use crate::record::{IdentityId, RecordKey};
use crate::state::NodeId;

/// What the pieces of an image are called that hold the names of sources, nodes, the table of their keys, members by live
/// identity, and the identities that were ever minted.
const SOURCES: &str = "sources";
const NODES: &str = "registered";
const KEYS: &str = "keys";
const MEMBERS: &str = "members";
const MINTED: &str = "minted";

/// A node without a row key, or without an identity, has this length of it.
const NONE: u8 = 0;
const SOME: u8 = 1;

impl Registry {
    /// Packs it.
    ///
    /// **Errors:** those of `sink`.
    pub(in crate::pipeline) fn pack(&self, sink: &mut dyn Sink) -> Result<()> {
        let sources: BTreeMap<&str, u32> = {
            let names: BTreeMap<&str, ()> =
                self.nodes.iter().flatten().map(|node| (&*node.source, ())).collect();
            names.into_keys().zip(0..).collect()
        };
        image::pack_one(sink, SOURCES, |into| into.texts(sources.keys().copied()))?;
        image::pack_entries(sink, NODES, &self.nodes, |nodes, into| pack(nodes, &sources, into))?;
        image::pack_one(sink, KEYS, |into| {
            into.arrays(self.node_of.keys().map(|key| key.0));
            into.words(self.node_of.values().copied());
        })?;
        image::pack_one(sink, MEMBERS, |into| {
            into.arrays(self.members.keys().map(|identity| identity.0));
            into.lists(self.members.values().map(Vec::as_slice));
        })?;
        image::pack_one(sink, MINTED, |into| into.arrays(self.minted.iter().map(|id| id.0)))
    }

    /// Comes back as it was packed.
    ///
    /// **Errors:** `Data` where that does not fit together; those of `pieces`.
    pub(in crate::pipeline) fn unpack(pieces: &dyn Pieces) -> Result<Self> {
        let nodes = || {
            let sources: Vec<Arc<str>> = image::unpack_one(pieces, SOURCES, |from| {
                Ok(from.texts()?.map(Arc::from).collect())
            })?;
            image::unpack_entries(pieces, NODES, |from| unpack(from, &sources))
        };
        let node_of = || {
            image::unpack_one(pieces, KEYS, |from| {
                let (keys, nodes) = (from.arrays()?.map(RecordKey), from.words()?);
                let mut node_of = FxHashMap::default();
                node_of.reserve(keys.len());
                node_of.extend(keys.zip(nodes));
                Ok(node_of)
            })
        };
        let members = || {
            image::unpack_one(pieces, MEMBERS, |from| {
                let (identities, nodes) = (from.arrays()?.map(IdentityId), from.lists()?);
                let mut members: FxHashMap<IdentityId, Vec<NodeId>> = FxHashMap::default();
                members.reserve(identities.len());
                members.extend(identities.zip(nodes));
                Ok(members)
            })
        };
        let minted = || {
            image::unpack_one(pieces, MINTED, |from| {
                let ids = from.arrays()?.map(IdentityId);
                let mut minted = FxHashSet::default();
                minted.reserve(ids.len());
                minted.extend(ids);
                Ok(minted)
            })
        };
        let ((nodes, node_of), (members, minted)) =
            rayon::join(|| rayon::join(nodes, node_of), || rayon::join(members, minted));
        Ok(Self { node_of: node_of?, nodes: nodes?, members: members?, minted: minted? })
    }
}

fn pack(nodes: &[Option<Node>], sources: &BTreeMap<&str, u32>, into: &mut Pack) {
    let is_some = |is_some: bool| if is_some { SOME } else { NONE };
    into.bytes(nodes.iter().map(|node| is_some(node.is_some())));
    let nodes = nodes.iter().flatten();
    into.arrays(nodes.clone().map(|node| node.key.0));
    into.words(nodes.clone().map(|node| sources[&*node.source]));
    into.bytes(nodes.clone().map(|node| is_some(node.record_id.is_some())));
    into.texts(nodes.clone().filter_map(|node| node.record_id.as_deref()));
    into.arrays(nodes.clone().map(|node| node.version.0.to_le_bytes()));
    into.arrays(nodes.clone().map(|node| node.version.1));
    into.bytes(nodes.clone().map(|node| is_some(node.identity.is_some())));
    into.arrays(nodes.filter_map(|node| node.identity).map(|identity| identity.0));
}

fn unpack(from: &mut Unpack<'_>, sources: &[Arc<str>]) -> Result<Vec<Option<Node>>> {
    let (is_there, mut keys, mut source) = (from.bytes()?, from.arrays()?, from.words()?);
    let (mut has_record_id, mut record_ids) = (from.bytes()?.iter(), from.texts()?);
    let (mut times, mut events) = (from.arrays()?.map(i64::from_le_bytes), from.arrays()?);
    let (mut has_identity, mut identities) = (from.bytes()?.iter(), from.arrays()?);
    let mut node = || {
        let record_id = match *has_record_id.next()? {
            NONE => None,
            _ => Some(record_ids.next()?.into()),
        };
        let identity = match *has_identity.next()? {
            NONE => None,
            _ => Some(IdentityId(identities.next()?)),
        };
        Some(Node {
            key: RecordKey(keys.next()?),
            source: Arc::clone(sources.get(source.next()? as usize)?),
            record_id,
            version: (times.next()?, events.next()?),
            identity,
        })
    };
    let nodes = is_there.iter().map(|there| match *there {
        NONE => Ok(None),
        _ => node().map(Some).ok_or_else(misshapen),
    });
    nodes.collect()
}
