//! How is the graph packed, and how does it come back?

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Graph, Merges, NOWHERE};
use crate::error::Result;
use crate::image::{self, Pieces, Sink, misshapen};
use crate::record::NodeId;
use crate::score::Model;

/// What the pieces of an image are called that hold edges, by node, parts, and how parts were merged.
const EDGES: &str = "edges";
const PARTS: &str = "parts";
const MERGES: &str = "merges";

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
            into.lengths(edges.iter().map(Vec::len));
            into.words(edges.iter().flatten().map(|(other, _)| *other));
            into.words(edges.iter().flatten().map(|(_, weight)| weight.to_bits()));
        })?;
        image::pack_entries(sink, PARTS, &self.parts, |parts, into| {
            into.lists(parts.iter().map(Vec::as_slice));
        })?;
        let merges: Vec<(u32, &Merges)> =
            self.merges.iter().map(|(part, merges)| (*part, &**merges)).collect();
        image::pack_entries(sink, MERGES, &merges, |merges, into| {
            into.words(merges.iter().map(|(part, _)| *part));
            into.lengths(merges.iter().map(|(_, merges)| merges.len()));
            let merges = merges.iter().flat_map(|(_, merges)| *merges);
            into.words(merges.clone().map(|(kept, _, _)| *kept));
            into.words(merges.clone().map(|(_, joined, _)| *joined));
            into.longs(merges.map(|(_, _, weight_bits)| weight_bits.to_bits()));
        })
    }

    /// Comes back as it was packed; judged links are in its parts, and nowhere else yet.
    ///
    /// **Errors:** `Data` where that does not fit together; those of `pieces`.
    pub(in crate::resolve) fn unpack(pieces: &dyn Pieces, model: &Model) -> Result<Self> {
        let edges = || {
            image::unpack_entries(pieces, EDGES, |from| {
                let (lengths, others, weights) = (from.words()?, from.words()?, from.words()?);
                let all = others.zip(weights.map(f32::from_bits));
                Ok(image::lists_of(lengths, all)?.collect())
            })
        };
        let parts = || image::unpack_entries(pieces, PARTS, |from| Ok(from.lists()?.collect()));
        let merges = || {
            image::unpack_entries(pieces, MERGES, |from| {
                let (parts, lengths) = (from.words()?, from.words()?);
                let (kept, joined, weights) = (from.words()?, from.words()?, from.longs()?);
                let all = kept.zip(joined).zip(weights.map(f64::from_bits));
                let all = all.map(|((kept, joined), weight)| (kept, joined, weight));
                let merges = image::lists_of(lengths, all)?.map(Arc::new);
                Ok(parts.zip(merges).collect())
            })
        };
        let (edges, (parts, merges)) = rayon::join(edges, || rayon::join(parts, merges));
        let (edges, parts): (_, Vec<Vec<NodeId>>) = (edges?, parts?);
        let merges: FxHashMap<u32, Arc<Merges>> = merges?.into_iter().collect();
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
        Ok(Self { edges, part_of, parts, free, merges, ..Self::new(model) })
    }
}
