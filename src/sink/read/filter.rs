//! Which row groups of a data file may hold some values, by their Bloom filters?
//!
//! A filter is a few hundred kilobytes, of which a value touches 32 bytes; so only these are fetched, unless many values
//! are asked for. Parquet's format says where they are: filters are split into blocks of 32 bytes, and the upper half of
//! a value's hash says which one. Where a row group has no filter, or not one as this program writes them, it may hold
//! anything.

use std::ops::Range;

use object_store::ObjectStoreExt;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ColumnChunkMetaData;
use twox_hash::XxHash64;

use super::{Opened, store_error};
use crate::error::Result;
use crate::sink::seek::Wanted;

/// Bytes of a block.
const BLOCK: u64 = 32;
/// Where as many blocks are asked for, the whole filter is fetched.
const BLOCKS_MAX: usize = 64;
/// Bytes of what stands before a filter's blocks, at most.
const HEAD_MAX: u64 = 64;

/// Where the blocks of a filter lie in its file.
struct Blocks {
    start: u64,
    count: u64,
}

impl Blocks {
    fn of(column: &ColumnChunkMetaData) -> Option<Self> {
        let start = u64::try_from(column.bloom_filter_offset()?).ok()?;
        let length = u64::try_from(column.bloom_filter_length()?).ok()?;
        // The blocks come to a power of two, and what stands before them is shorter than they are, or than one.
        let bytes = 1 << length.checked_ilog2()?;
        let head = length - bytes;
        (bytes >= BLOCK && head <= HEAD_MAX)
            .then_some(Self { start: start + head, count: bytes / BLOCK })
    }

    /// Which block a value of that hash touches.
    fn of_hash(&self, hash: u64) -> u64 {
        ((hash >> 32) * self.count) >> 32
    }

    fn range(&self, block: u64) -> Range<u64> {
        let start = self.start + block * BLOCK;
        start..start + BLOCK
    }
}

impl Opened {
    /// The rows of the row groups that may hold what is wanted in the leaf of that path, in order.
    pub(in crate::sink) async fn groups_with(
        &self,
        leaf: &[String],
        wanted: &Wanted,
    ) -> Result<Vec<Range<usize>>> {
        let leaves = self.metadata.parquet_schema().columns();
        let at = leaves.iter().position(|column| column.path().parts() == leaf);
        let mut found = Vec::new();
        let mut first = 0;
        for group in self.metadata.metadata().row_groups() {
            let rows = first..first + usize::try_from(group.num_rows()).unwrap_or(0);
            first = rows.end;
            let blocks = at.and_then(|at| Blocks::of(group.column(at)));
            let may_hold = match blocks {
                Some(blocks) => self.may_hold(&blocks, wanted).await?,
                None => true,
            };
            found.extend(may_hold.then_some(rows));
        }
        Ok(found)
    }

    async fn may_hold(&self, blocks: &Blocks, wanted: &Wanted) -> Result<bool> {
        let place = |value: &[u8]| blocks.of_hash(XxHash64::oneshot(0, value));
        let mut touched: Vec<u64> =
            wanted.sets().flatten().map(|value| place(value.as_ref())).collect();
        touched.sort_unstable();
        touched.dedup();
        let fetched = if touched.len() < BLOCKS_MAX {
            let ranges: Vec<_> = touched.iter().map(|block| blocks.range(*block)).collect();
            self.reader.store.get_ranges(&self.reader.path, &ranges).await
        } else {
            let whole = blocks.start..blocks.range(blocks.count - 1).end;
            let whole = self.reader.store.get_range(&self.reader.path, whole).await;
            whole.map(|whole| {
                let cut = |block: &u64| {
                    let from = usize::try_from(block * BLOCK).unwrap_or(usize::MAX);
                    whole.slice(from..from + BLOCK as usize)
                };
                touched.iter().map(cut).collect()
            })
        };
        let fetched = fetched.map_err(|error| store_error("read data file", error))?;
        let holds = |value: &[u8]| {
            let block = touched.binary_search(&place(value)).ok().and_then(|at| fetched.get(at));
            // Of one block, every value touches the first.
            block.is_none_or(|block| Sbbf::new(block).check(value))
        };
        Ok(wanted.sets().any(|mut set| set.all(|value| holds(value.as_ref()))))
    }
}
