//! How right is a partition of records, measured against a known truth?
//!
//! `read_truth → (id, cluster) pairs → score → Scores`. Three views of one result: pairs (ruled by
//! the few large clusters), records (B-cubed), and whole clusters (exact). [`assess`] says where the
//! figures come from: which channels, which sizes of cluster, which clusters are the most wrong.
//!
//! Conventions: the records of the truth are what is scored. One that the prediction misses is a
//! cluster of its own there; a predicted one that the truth does not know is left out. Nothing
//! depends on the order of the rows or on how clusters are named.
//!
//! Deliberately absent: reading the published tables; whoever asks brings the pairs.

mod assess;
mod mistake;
mod size;
mod table;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use assess::{Assessment, Between, PairScores, Pairs, Placed, assess};
pub use mistake::{Member, Mistake, MistakeKind, Mistakes, Part, Total};
pub use size::SizeBand;
pub use truth::{Truth, TruthKind, read_truth};

/// Precision, recall and their harmonic mean, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prf {
    /// The share of what was claimed that is right; 1 where nothing was claimed.
    pub precision: f64,
    /// The share of what is right that was claimed; 1 where there was nothing to claim.
    pub recall: f64,
    /// The harmonic mean of the two; 0 where both are 0.
    pub f1: f64,
}

impl Prf {
    fn new(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Self { precision, recall, f1 }
    }
}

/// How a predicted partition compares with the true one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Records scored: those of the truth.
    pub records: usize,
    /// Predicted clusters among them, missing records counted as clusters of one.
    pub predicted_clusters: usize,
    /// True clusters.
    pub truth_clusters: usize,
    /// Over unordered pairs of records in one cluster.
    pub pairwise: Prf,
    /// Over records: the mean share of a record's cluster that belongs there, and that was found.
    ///
    /// **Source:** Bagga and Baldwin, "Entity-based cross-document coreferencing", COLING-ACL
    /// (1998).
    pub bcubed: Prf,
    /// Over clusters: those that are predicted exactly as they are.
    pub exact: Prf,
}

/// Scores a prediction against the truth; both are `(record id, cluster)` in any order.
///
/// **Shape:** an id counts once a side; of repeated ones the first row counts. O(n log n).
pub fn score(predicted: &[(String, String)], truth: &[(String, String)]) -> Scores {
    let predicted = by_id(predicted);
    let truth = by_id(truth);
    Cells::count(&join(&predicted, &truth)).scores()
}

/// The rows in ascending order of id, the first of each.
fn by_id(rows: &[(String, String)]) -> Vec<(&str, &str)> {
    let mut rows: Vec<_> =
        rows.iter().map(|(id, cluster)| (id.as_str(), cluster.as_str())).collect();
    rows.sort_by_key(|(id, _)| *id);
    rows.dedup_by_key(|(id, _)| *id);
    rows
}

/// The (predicted, true) cluster of each record of the truth, both inputs by id.
///
/// **Shape:** clusters are numbered from 0 as they appear, so that sums over them, down to the last
/// bit, depend on no name.
fn join(predicted: &[(&str, &str)], truth: &[(&str, &str)]) -> Vec<(usize, usize)> {
    let mut rows = predicted.iter().peekable();
    let (mut predicted_numbers, mut truth_numbers) = (BTreeMap::new(), BTreeMap::new());
    let mut predicted_count = 0;
    truth
        .iter()
        .map(|(id, cluster)| {
            while rows.next_if(|(other, _)| other < id).is_some() {}
            let found = rows.next_if(|(other, _)| other == id);
            let known = found.and_then(|(_, cluster)| predicted_numbers.get(cluster)).copied();
            let number = known.unwrap_or_else(|| {
                predicted_count += 1;
                predicted_count - 1
            });
            if let Some((_, cluster)) = found {
                predicted_numbers.insert(*cluster, number);
            }
            let next = truth_numbers.len();
            (number, *truth_numbers.entry(*cluster).or_insert(next))
        })
        .collect()
}

/// The records that share both their predicted and their true cluster.
struct Cell {
    predicted: usize,
    truth: usize,
    records: usize,
}

/// The non-empty cells of the contingency table, with the sizes of its rows and columns.
struct Cells {
    cells: Vec<Cell>,
    predicted: Vec<usize>,
    truth: Vec<usize>,
}

impl Cells {
    fn count(joined: &[(usize, usize)]) -> Self {
        let mut sorted = joined.to_vec();
        sorted.sort_unstable();
        let cells: Vec<Cell> = sorted
            .chunk_by(|a, b| a == b)
            .map(|same| Cell { predicted: same[0].0, truth: same[0].1, records: same.len() })
            .collect();
        let clusters = |of: fn(&Cell) -> usize| cells.iter().map(of).max().map_or(0, |top| top + 1);
        let mut predicted = vec![0; clusters(|cell| cell.predicted)];
        let mut truth = vec![0; clusters(|cell| cell.truth)];
        for cell in &cells {
            predicted[cell.predicted] += cell.records;
            truth[cell.truth] += cell.records;
        }
        Self { cells, predicted, truth }
    }

    fn scores(&self) -> Scores {
        let pairs_of = |sizes: &[usize]| sizes.iter().copied().map(pairs).sum::<u128>();
        let pairs_right: u128 = self.cells.iter().map(|cell| pairs(cell.records)).sum();
        let exact = self.cells.iter().filter(|cell| self.is_exact(cell)).count();
        Scores {
            records: self.predicted.iter().sum(),
            predicted_clusters: self.predicted.len(),
            truth_clusters: self.truth.len(),
            pairwise: Prf::new(
                share(pairs_right, pairs_of(&self.predicted)),
                share(pairs_right, pairs_of(&self.truth)),
            ),
            bcubed: self.bcubed(),
            exact: Prf::new(
                share(exact as u128, self.predicted.len() as u128),
                share(exact as u128, self.truth.len() as u128),
            ),
        }
    }

    fn is_exact(&self, cell: &Cell) -> bool {
        cell.records == self.predicted[cell.predicted] && cell.records == self.truth[cell.truth]
    }

    fn bcubed(&self) -> Prf {
        let records: usize = self.predicted.iter().sum();
        if records == 0 {
            return Prf::new(1.0, 1.0);
        }
        let mean = |size: &dyn Fn(&Cell) -> usize| {
            let sum: f64 = self
                .cells
                .iter()
                .map(|cell| (cell.records as f64).powi(2) / size(cell) as f64)
                .sum();
            sum / records as f64
        };
        Prf::new(mean(&|cell| self.predicted[cell.predicted]), mean(&|cell| self.truth[cell.truth]))
    }
}

fn pairs(records: usize) -> u128 {
    let records = records as u128;
    records * records.saturating_sub(1) / 2
}

fn share(part: u128, whole: u128) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
