//! How is the index packed, and how does it come back?

use super::blocks::Blocks;
use super::graph::Graph;
use super::usage::Usages;
use super::{Node, Resolver};
use crate::error::Result;
use crate::image::{self, Pack, Pieces, Sink, Unpack, misshapen};
use crate::record::{Field, RecordKey};
use crate::score::{Features, Model, Terms};

/// What the pieces of an image are called that hold records.
const NODES: &str = "nodes";

impl Resolver {
    /// Packs the index, but for the judgements, with nothing in it of records that left; returns whether it did: what was
    /// put off must be decided, and [`Resolver::take_notes`] have been asked.
    ///
    /// **Errors:** those of `sink`.
    pub fn pack(&self, sink: &mut dyn Sink) -> Result<bool> {
        let is_told = self.graph.is_told() && self.blocks.is_told() && self.usages.is_told();
        if !is_told || self.waiting() > 0 || !self.waiting.dirty.is_empty() {
            return Ok(false);
        }
        image::pack_entries(sink, NODES, &self.nodes, pack)?;
        let features = self.nodes.iter().flatten().map(|node| &node.features);
        self.terms.pack(features, sink)?;
        self.blocks.pack(sink)?;
        self.usages.pack(sink)?;
        self.graph.pack(sink)?;
        Ok(true)
    }

    /// The index as it was packed, under the model that it was packed under. [`Resolver::judge`] must be told all judgements
    /// that counted then; nothing follows from them that is not there.
    ///
    /// **Errors:** `Data` where the pieces do not fit together; those of `pieces`.
    pub fn unpack(model: Model, pieces: &dyn Pieces) -> Result<Self> {
        let ((nodes, terms), (blocks, (usages, graph))) = rayon::join(
            || {
                let nodes = || image::unpack_entries(pieces, NODES, unpack);
                rayon::join(nodes, || Terms::unpack(pieces))
            },
            || {
                let blocks = || Blocks::unpack(pieces, model.parameters.block_cap);
                let usages = || Usages::unpack(pieces);
                rayon::join(blocks, || rayon::join(usages, || Graph::unpack(pieces, &model)))
            },
        );
        let (terms, blocks, usages) = (terms?, blocks?, usages?);
        Ok(Self { nodes: nodes?, terms, blocks, usages, graph: graph?, ..Self::new(model) })
    }
}

fn pack(nodes: &[Option<Node>], into: &mut Pack) {
    into.flags(nodes.iter().map(Option::is_some));
    let nodes = nodes.iter().flatten();
    into.arrays(nodes.clone().map(|node| node.key.0));
    into.words(nodes.clone().flat_map(|node| node.features.values));
    into.lists(nodes.map(|node| &*node.features.tokens));
}

fn unpack(from: &mut Unpack<'_>) -> Result<Vec<Option<Node>>> {
    let (is_there, mut keys) = (from.flags()?, from.arrays()?);
    let (mut values, mut tokens) = (from.words()?, from.lists()?);
    if values.len() != keys.len() * Field::COUNT || tokens.len() != keys.len() {
        return Err(misshapen());
    }
    let node = || {
        let (key, tokens) = (RecordKey(keys.next()?), tokens.next()?.into());
        let values = std::array::from_fn(|_| values.next().unwrap_or_default());
        Some(Node { key, features: Features { values, tokens } })
    };
    image::with_gaps(is_there, node)
}
