//! How do rows go to a table, some at once?

use arrow::array::RecordBatch;
use futures::stream;
use tokio::runtime::Runtime;

use crate::error::Result;
use crate::profile::{Change, Interaction, Move};
use crate::sink::{CommitInfo, Table};

/// Rows that are in memory as columns at once.
pub(super) const ROWS_AT_ONCE: usize = 8_192;
/// And their bytes, but for the last row: a row may be as large as a message, and what is waiting is
/// as much as came while the tables' store was away. Encoding holds them a few times over.
pub(super) const BYTES_AT_ONCE: usize = 8 << 20;

/// Adds to a table the rows of the commits that it lacks; returns how many. `rows` gives those after a commit.
pub(super) fn append<I>(
    runtime: &Runtime,
    table: &mut Table,
    commit: &CommitInfo,
    rows: impl FnOnce(u64) -> I,
) -> Result<u64>
where
    I: Iterator<Item = Result<RecordBatch>> + Send,
{
    runtime.block_on(async {
        let after = table.published(&commit.app).await?;
        Ok(table.append(stream::iter(rows(after)), commit).await?.rows)
    })
}

/// Rows as they come → columns, some at once; `bytes` says how large a row is.
pub(super) fn chunked<T: Send>(
    items: impl Iterator<Item = Result<T>> + Send,
    bytes: fn(&T) -> usize,
    columns: fn(&[T]) -> Result<RecordBatch>,
) -> impl Iterator<Item = Result<RecordBatch>> + Send {
    let mut items = items.fuse();
    std::iter::from_fn(move || {
        let (mut some, mut size) = (Vec::new(), 0);
        while some.len() < ROWS_AT_ONCE && size < BYTES_AT_ONCE {
            match items.next() {
                Some(Ok(item)) => {
                    size += bytes(&item);
                    some.push(item);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        (!some.is_empty()).then(|| columns(&some))
    })
}

pub(super) fn change_bytes(change: &Change) -> usize {
    size_of::<Change>() + change.cause.len()
}

pub(super) fn move_bytes(row: &Move) -> usize {
    size_of::<Move>() + row.source.len() + row.record_id.as_ref().map_or(0, |it| it.len())
}

pub(super) fn interaction_bytes(row: &Interaction) -> usize {
    let details = &row.details;
    let consent = details.consent.as_ref();
    let texts = [
        Some(&row.event_id),
        details.category.as_ref(),
        details.campaign.as_ref(),
        details.product.as_ref(),
        details.reason.as_ref(),
        details.language.as_ref(),
        details.country.as_ref(),
        details.timezone.as_ref(),
        consent.map(|consent| &consent.purpose),
        consent.and_then(|consent| consent.channel.as_ref()),
        consent.and_then(|consent| consent.basis.as_ref()),
        consent.and_then(|consent| consent.policy_version.as_ref()),
        consent.map(|consent| &consent.source),
        details.suppression.as_ref().map(|suppression| &suppression.reason),
    ];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    size_of::<Interaction>() + texts + row.kind.len() + row.channel.len()
}
