//! How is the graph packed, and how does it come back?

use rustc_hash::FxHashSet;

use super::{Graph, NOWHERE};
use crate::error::Result;
use crate::image::{self, Pieces, Sink, misshapen};
use crate::record::NodeId;
use crate::score::Model;

/// What the pieces of an image are called that hold edges, by node, and parts.
const EDGES: &str = "edges";
const PARTS: &str = "parts";

impl Graph {
    /// Whether everything that happened was asked for.
    pub(in crate::resolve) fn is_told(&self) -> bool {
        self.changed.is_empty()
    }

    /// Packs edges and parts, but not what was judged.
    ///
    /// **Errors:** those of `sink`.
    pub(in crate::resolve) fn pack(&self, sink: &mut dyn Sink) -> Result<()> {
        image::pack_entries(sink, EDGES, &self.edges, |edges, into| {
            into.words(edges.iter().map(|edges| {
                u32::try_from(edges.len())
                    .expect("a node has fewer neighbours than there are nodes")
            }));
            into.words(edges.iter().flatten().map(|(other, _)| *other));
            into.words(edges.iter().flatten().map(|(_, weight)| weight.to_bits()));
        })?;
        image::pack_entries(sink, PARTS, &self.parts, |parts, into| {
            into.lists(parts.iter().map(Vec::as_slice));
        })
    }

    /// Comes back as it was packed; judged links are in its parts, and nowhere else yet.
    ///
    /// **Errors:** `Data` where that does not fit together; those of `pieces`.
    pub(in crate::resolve) fn unpack(pieces: &dyn Pieces, model: &Model) -> Result<Self> {
        let edges = || {
            image::unpack_entries(pieces, EDGES, |from| {
                let (lengths, mut others, mut weights) =
                    (from.words()?, from.words()?, from.words()?);
                let edges = lengths.map(|length| -> Vec<(NodeId, f32)> {
                    let mut edges = Vec::with_capacity(length as usize);
                    let both = others.by_ref().zip(weights.by_ref().map(f32::from_bits));
                    edges.extend(both.take(length as usize));
                    edges
                });
                Ok(edges.collect())
            })
        };
        let parts = || image::unpack_entries(pieces, PARTS, |from| Ok(from.lists()?.collect()));
        let (edges, parts): (_, Result<Vec<Vec<NodeId>>>) = rayon::join(edges, parts);
        let (edges, parts) = (edges?, parts?);
        let mut part_of = vec![NOWHERE; edges.len()];
        let mut free = Vec::new();
        for (part, members) in (0..).zip(&parts) {
            for member in members {
                *part_of.get_mut(*member as usize).ok_or_else(misshapen)? = part;
            }
            if members.is_empty() {
                free.push(part);
            }
        }
        Ok(Self { edges, part_of, parts, free, changed: FxHashSet::default(), ..Self::new(model) })
    }
}
