//! How is the registry packed, and how does it come back?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Node, Registry};
use crate::error::Result;
use crate::image::{self, Pack, Pieces, Sink, Unpack};
use crate::record::{IdentityId, RecordKey};

/// What the pieces of an image are called that hold the names of sources, nodes, the table of their keys, members by live
/// identity, and the identities that were ever minted.
const SOURCES: &str = "sources";
const NODES: &str = "registered";
const KEYS: &str = "keys";
const MEMBERS: &str = "members";
const MINTED: &str = "minted";

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
                Ok(keys.zip(nodes).collect())
            })
        };
        let members = || {
            image::unpack_one(pieces, MEMBERS, |from| {
                let (identities, nodes) = (from.arrays()?.map(IdentityId), from.lists()?);
                Ok(identities.zip(nodes).collect())
            })
        };
        let minted = || {
            image::unpack_one(pieces, MINTED, |from| Ok(from.arrays()?.map(IdentityId).collect()))
        };
        let ((nodes, node_of), (members, minted)) =
            rayon::join(|| rayon::join(nodes, node_of), || rayon::join(members, minted));
        Ok(Self { node_of: node_of?, nodes: nodes?, members: members?, minted: minted? })
    }
}

fn pack(nodes: &[Option<Node>], sources: &BTreeMap<&str, u32>, into: &mut Pack) {
    into.flags(nodes.iter().map(Option::is_some));
    let nodes = nodes.iter().flatten();
    into.arrays(nodes.clone().map(|node| node.key.0));
    into.words(nodes.clone().map(|node| sources[&*node.source]));
    into.flags(nodes.clone().map(|node| node.record_id.is_some()));
    into.texts(nodes.clone().filter_map(|node| node.record_id.as_deref()));
    into.arrays(nodes.clone().map(|node| node.version.0.to_le_bytes()));
    into.arrays(nodes.clone().map(|node| node.version.1));
    into.flags(nodes.clone().map(|node| node.identity.is_some()));
    into.arrays(nodes.filter_map(|node| node.identity).map(|identity| identity.0));
}

fn unpack(from: &mut Unpack<'_>, sources: &[Arc<str>]) -> Result<Vec<Option<Node>>> {
    let (is_there, mut keys, mut source) = (from.flags()?, from.arrays()?, from.words()?);
    let (mut has_record_id, mut record_ids) = (from.flags()?, from.texts()?);
    let (mut times, mut events) = (from.arrays()?.map(i64::from_le_bytes), from.arrays()?);
    let (mut has_identity, mut identities) = (from.flags()?, from.arrays()?);
    let node = || {
        let record_id = if has_record_id.next()? { Some(record_ids.next()?.into()) } else { None };
        let identity =
            if has_identity.next()? { Some(IdentityId(identities.next()?)) } else { None };
        Some(Node {
            key: RecordKey(keys.next()?),
            source: Arc::clone(sources.get(source.next()? as usize)?),
            record_id,
            version: (times.next()?, events.next()?),
            identity,
        })
    };
    image::with_gaps(is_there, node)
}
