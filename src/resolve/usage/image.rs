//! How are usages packed, and how do they come back?

use std::collections::BTreeSet;

use super::{Counts, Many, SHARDS, Shard, Trait, Usage, Usages};
use crate::error::Result;
use crate::image::{self, Pack, Pieces, Sink, Unpack, misshapen};
use crate::record::Field;

/// What the pieces of an image are called that hold usages.
const PIECES: &str = "usages";

impl Usages {
    /// Packs them; everything that happened must have been asked for.
    ///
    /// **Errors:** those of `sink`.
    pub(in crate::resolve) fn pack(&self, sink: &mut dyn Sink) -> Result<()> {
        image::pack_each(sink, PIECES, &self.shards, Shard::pack)
    }

    /// Come back as they were packed.
    ///
    /// **Errors:** `Data` where that does not fit together; those of `pieces`.
    pub(in crate::resolve) fn unpack(pieces: &dyn Pieces) -> Result<Self> {
        let shards = image::unpack_each(pieces, PIECES, Shard::unpack)?;
        if shards.len() != SHARDS {
            return Err(misshapen());
        }
        Ok(Self { shards, noted: BTreeSet::new() })
    }
}

impl Shard {
    fn pack(&self, into: &mut Pack) {
        into.bytes(self.carriers.keys().map(|(field, _)| *field as u8));
        into.words(self.carriers.keys().map(|(_, symbol)| *symbol));
        into.lists(self.carriers.values().map(Usage::nodes));
        let many = self.carriers.values().filter_map(|usage| match usage {
            Usage::Many(many) => Some(many),
            Usage::One(_) | Usage::Two(_) => None,
        });
        into.longs(many.clone().map(|many| many.people.to_bits()));
        into.lengths(many.clone().map(|many| many.counts.0.len()));
        let counts = many.flat_map(|many| &many.counts.0);
        into.words(counts.clone().map(|(said, _)| match said {
            Trait::Initials(_) => u32::MAX,
            Trait::Value(field, _) => *field as u32,
        }));
        into.words(counts.clone().map(|(said, _)| match said {
            Trait::Initials([first, second]) => u32::from(u16::from_be_bytes([*first, *second])),
            Trait::Value(_, symbol) => *symbol,
        }));
        into.words(counts.map(|(_, count)| *count));
    }

    fn unpack(from: &mut Unpack<'_>) -> Result<Self> {
        let (fields, symbols) = (from.bytes()?, from.words()?);
        let (carriers, mut nodes) = (from.words()?, from.words()?);
        let (mut people, mut lengths) = (from.longs()?, from.words()?);
        let (kinds, values, counts) = (from.words()?, from.words()?, from.words()?);
        let mut counts = kinds.zip(values).zip(counts).map(|((kind, value), count)| {
            let said = match kind {
                u32::MAX => {
                    let [_, _, first, second] = value.to_be_bytes();
                    Trait::Initials([first, second])
                }
                field => Trait::Value(field_of(field)?, value),
            };
            Ok((said, count))
        });
        let mut shard = Self::default();
        shard.carriers.reserve(symbols.len());
        for ((field, symbol), carriers) in fields.iter().zip(symbols).zip(carriers) {
            let mut node = || nodes.next().ok_or_else(misshapen);
            let usage = match carriers {
                1 => Usage::One(node()?),
                2 => Usage::Two([node()?, node()?]),
                _ => {
                    let nodes = nodes.by_ref().take(carriers as usize).collect();
                    let length = lengths.next().ok_or_else(misshapen)? as usize;
                    let mut kept = Vec::with_capacity(length);
                    for count in counts.by_ref().take(length) {
                        kept.push(count?);
                    }
                    let people = f64::from_bits(people.next().ok_or_else(misshapen)?);
                    Usage::Many(Box::new(Many { nodes, counts: Counts(kept), people }))
                }
            };
            shard.carriers.insert((field_of(u32::from(*field))?, symbol), usage);
        }
        Ok(shard)
    }
}

fn field_of(number: u32) -> Result<Field> {
    Field::ALL.get(number as usize).copied().ok_or_else(misshapen)
}
