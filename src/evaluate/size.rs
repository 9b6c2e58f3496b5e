//! Are small clusters or large ones the wrong ones?

use serde::Serialize;

use super::{Cells, Prf, pairs, share};

/// Where the bands of cluster sizes begin.
const FROM: [usize; 9] = [1, 2, 3, 4, 5, 10, 20, 50, 100];

/// Which partition's clusters are grouped by size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Truth,
    Predicted,
}

/// Clusters of like size, of the truth or of the prediction, and what became of their records.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SizeBand {
    /// The least size.
    pub from: usize,
    /// The greatest size; `None` for the last band.
    pub to: Option<usize>,
    /// How many clusters there are.
    pub clusters: usize,
    /// How many records they hold.
    pub records: usize,
    /// How many of them are the same in the other partition.
    pub exact: usize,
    /// Pairs within them.
    pub pairs: u64,
    /// Those of the pairs that are together in the other partition too: of the true pairs the ones
    /// found, of the predicted ones those that are right.
    pub right: u64,
    /// B-cubed over their records.
    pub bcubed: Prf,
}

/// The bands that hold clusters, ascending.
pub(super) fn bands(cells: &Cells, side: Side) -> Vec<SizeBand> {
    let mut bands = FROM.map(|from| SizeBand {
        from,
        to: FROM.iter().find(|next| **next > from).map(|next| next - 1),
        clusters: 0,
        records: 0,
        exact: 0,
        pairs: 0,
        right: 0,
        bcubed: Prf::new(0.0, 0.0),
    });
    let band = |size: usize| FROM.partition_point(|from| *from <= size) - 1;
    let sizes = if side == Side::Truth { &cells.truth } else { &cells.predicted };
    for size in sizes {
        let band = &mut bands[band(*size)];
        band.clusters += 1;
        band.records += size;
        band.pairs += count(*size);
    }
    let mut sums = [(0.0, 0.0); FROM.len()];
    for cell in &cells.cells {
        let (predicted, truth) = (cells.predicted[cell.predicted], cells.truth[cell.truth]);
        let at = band(if side == Side::Truth { truth } else { predicted });
        bands[at].right += count(cell.records);
        bands[at].exact += usize::from(cells.is_exact(cell));
        let square = (cell.records as f64).powi(2);
        sums[at].0 += square / predicted as f64;
        sums[at].1 += square / truth as f64;
    }
    for (band, (precision, recall)) in bands.iter_mut().zip(sums) {
        let records = band.records.max(1) as f64;
        band.bcubed = Prf::new(precision / records, recall / records);
    }
    bands.into_iter().filter(|band| band.clusters > 0).collect()
}

/// Pairs of so many records.
fn count(records: usize) -> u64 {
    u64::try_from(pairs(records)).expect("no memory holds records of more pairs")
}

impl SizeBand {
    /// The share of the clusters that are the same in the other partition.
    pub fn exact_share(&self) -> f64 {
        share(self.exact as u128, self.clusters as u128)
    }

    /// The share of the pairs that are together in the other partition; 1 where there are none.
    pub fn pairs_share(&self) -> f64 {
        share(self.right.into(), self.pairs.into())
    }

    /// The sizes for a person: `1`, `5–9`, `100+`.
    pub fn label(&self) -> String {
        match self.to {
            Some(to) if to == self.from => self.from.to_string(),
            Some(to) => format!("{}–{to}", self.from),
            None => format!("{}+", self.from),
        }
    }
}
