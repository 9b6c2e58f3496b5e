//! Where do the figures come from: which channels, and which sizes of cluster?

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::mistake::{self, Mistakes};
use super::size::{Side, SizeBand, bands};
use super::{Cells, Prf, Scores, Truth, by_id, join, share};

/// The channel of what the truth names and nobody published.
const NOWHERE: &str = "not published";

/// Where a row or an event was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its id, as a truth names it.
    pub id: Arc<str>,
    /// The identity that it was put into.
    pub identity: Arc<str>,
    /// The channel of an event; the source of a row.
    pub channel: Arc<str>,
    /// The key of its record: events of the same content share one.
    pub record: Arc<str>,
}

/// How a prediction compares with the truth, and where it does not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// The figures over everything.
    #[serde(flatten)]
    pub scores: Scores,
    /// How many of the records are named by the truth alone: they count as clusters of one.
    pub unpublished: usize,
    /// Pairs within one channel, all channels together.
    pub within: PairScores,
    /// Pairs of two channels, all channels together.
    pub across: PairScores,
    /// Pairs by the channels of the two, ascending; those without a pair are left out.
    pub channels: Vec<Between>,
    /// By the size of the true cluster, ascending.
    pub true_sizes: Vec<SizeBand>,
    /// By the size of the predicted cluster, ascending.
    pub predicted_sizes: Vec<SizeBand>,
    /// The clusters that are the most wrong.
    #[serde(skip)]
    pub mistakes: Mistakes,
}

/// Pairs of records that were claimed, that are true, and that are both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// In one predicted cluster.
    pub predicted: u64,
    /// In one true cluster.
    pub truth: u64,
    /// In both.
    pub right: u64,
}

/// Counts of pairs with what they come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairScores {
    /// The counts.
    #[serde(flatten)]
    pub pairs: Pairs,
    /// Precision, recall and F1 of the pairs.
    #[serde(flatten)]
    pub prf: Prf,
}

/// Pairs of one record of a channel and one of another, or the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Between {
    /// The lesser channel, and the greater or the same.
    pub channels: [Arc<str>; 2],
    /// The pairs.
    #[serde(flatten)]
    pub scores: PairScores,
}

impl From<Pairs> for PairScores {
    fn from(pairs: Pairs) -> Self {
        let of = |whole: u64| share(pairs.right.into(), whole.into());
        Self { pairs, prf: Prf::new(of(pairs.predicted), of(pairs.truth)) }
    }
}

/// One record of the truth, with where it was put.
pub(super) struct Item<'a> {
    pub(super) id: &'a str,
    pub(super) truth: &'a str,
    pub(super) placed: Option<&'a Placed>,
    /// The numbers of its predicted and of its true cluster.
    pub(super) cell: (usize, usize),
}

/// Compares a prediction with the truth, both in any order, and names up to so many of the worst
/// false merges and as many of the worst missed ones.
///
/// **Shape:** as [`score`](super::score) counts; O(n log n), and quadratic in the number of channels.
pub fn assess(placed: &[Placed], truth: &Truth, worst: usize) -> Assessment {
    let mut placed: Vec<&Placed> = placed.iter().collect();
    placed.sort_by_key(|placed| &placed.id);
    placed.dedup_by_key(|placed| &placed.id);
    let truth = by_id(&truth.rows);
    let predicted: Vec<(&str, &str)> =
        placed.iter().map(|placed| (&*placed.id, &*placed.identity)).collect();
    let cells = join(&predicted, &truth);
    let find = |id: &str| placed.binary_search_by(|placed| (*placed.id).cmp(id)).ok();
    let items: Vec<Item<'_>> = truth
        .iter()
        .zip(&cells)
        .map(|((id, truth), cell)| Item {
            id,
            truth,
            placed: find(id).map(|at| placed[at]),
            cell: *cell,
        })
        .collect();
    let cells = Cells::count(&cells);
    let channels = between(&items);
    let sum = |within: bool| -> PairScores {
        let those =
            channels.iter().filter(|pairs| (pairs.channels[0] == pairs.channels[1]) == within);
        those
            .fold(Pairs::default(), |sum, between| {
                let pairs = between.scores.pairs;
                Pairs {
                    predicted: sum.predicted + pairs.predicted,
                    truth: sum.truth + pairs.truth,
                    right: sum.right + pairs.right,
                }
            })
            .into()
    };
    Assessment {
        scores: cells.scores(),
        unpublished: items.iter().filter(|item| item.placed.is_none()).count(),
        within: sum(true),
        across: sum(false),
        channels,
        true_sizes: bands(&cells, Side::Truth),
        predicted_sizes: bands(&cells, Side::Predicted),
        mistakes: mistake::worst(&cells, &items, worst),
    }
}

/// Counts the pairs by the channels of the two.
fn between(items: &[Item<'_>]) -> Vec<Between> {
    let channel = |item: &Item<'_>| item.placed.map_or(NOWHERE, |placed| &placed.channel).into();
    let names: Vec<Arc<str>> = items.iter().map(channel).collect();
    let mut found: BTreeMap<[Arc<str>; 2], Pairs> = BTreeMap::new();
    let mut count = |group: fn(&Item<'_>) -> (usize, usize), field: fn(&mut Pairs) -> &mut u64| {
        let mut rows: Vec<_> = items.iter().map(group).zip(&names).collect();
        rows.sort_unstable();
        for cluster in rows.chunk_by(|a, b| a.0 == b.0) {
            let of_channel: Vec<(&Arc<str>, u64)> = cluster
                .chunk_by(|a, b| a.1 == b.1)
                .map(|rows| (rows[0].1, rows.len() as u64))
                .collect();
            for (at, (left, count)) in of_channel.iter().enumerate() {
                for (right, other) in &of_channel[at..] {
                    let pairs = if left == right { count * (count - 1) / 2 } else { count * other };
                    if pairs > 0 {
                        let key = [Arc::clone(left), Arc::clone(right)];
                        *field(found.entry(key).or_default()) += pairs;
                    }
                }
            }
        }
    };
    count(|item| (item.cell.0, 0), |pairs| &mut pairs.predicted);
    count(|item| (item.cell.1, 0), |pairs| &mut pairs.truth);
    count(|item| item.cell, |pairs| &mut pairs.right);
    found.into_iter().map(|(channels, pairs)| Between { channels, scores: pairs.into() }).collect()
}
