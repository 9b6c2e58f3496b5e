//! Where do the rows of a table lie whose rows are replaced, and when are they put together anew?
//!
//! Keys are hashes, so their leading bits cut the table into ranges of like size. A **bucket** is the
//! file of one range: bucket `i` of `2^bits` holds keys whose leading bits are `i`, sorted. Buckets
//! of one table may be of different sizes, but never overlap. A **run** is a file that holds what a
//! commit changed, of any range, sorted. A key's row is in one file; where it was before, it is
//! masked.
//!
//! Left at that, runs and masked rows would pile up. So every commit puts some of it in order, as
//! much as it brings itself and one range more at most ([`Limits`]):
//! - A range is **folded**: the rows of its bucket, of all runs and of the commit become a new
//!   bucket, or several where it has grown. That is due when a fifth of it was masked or lies in
//!   runs; the worst goes first.
//! - Runs of like size are **merged** with the commit's rows into one, as soon as there are eight; a
//!   run that is masked by half as well.
//!
//! So a row is written a few times over its life, whatever the size of the table, and neither the
//! number of files nor the share of masked rows grows beyond bounds.

use std::collections::BTreeMap;

use super::file::Tag;
use super::live::Live;
use super::log::{Add, Snapshot};
use crate::error::{Error, Result};

/// Buckets are named by the first 16 bits of keys.
const BITS_MAX: u32 = 16;
/// And ranges bounded by them.
const UNITS: u32 = 1 << BITS_MAX;
/// How many times [`Limits::bucket_rows`] a bucket may have before it is cut.
const BUCKET_SLACK: u64 = 2;

/// How a table is laid out. What it holds does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows in a bucket that was just cut, at most, when keys spread evenly.
    pub bucket_rows: u64,
    /// A bucket of as many rows is rewritten by every commit that touches it: that costs less than
    /// the files of a run and of masks.
    pub small_rows: u64,
    /// A bucket is folded when as many percent of its rows were masked, or lie in runs.
    pub fold_percent: u64,
    /// As many runs of like size become one.
    pub tier: u64,
    /// The rows of the smallest runs; others are of like size where both lie between two powers of
    /// [`Limits::tier`] of this.
    pub run_rows: u64,
    /// Runs of as many rows are merged no more.
    pub merged_rows: u64,
    /// Files of as many rows, in a table that only grows, are put together no more.
    pub file_rows: u64,
    /// Nor those of as many bytes.
    pub file_bytes: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bucket_rows: 65_536,
            small_rows: 2_048,
            fold_percent: 20,
            tier: 8,
            run_rows: 512,
            merged_rows: 32_768,
            file_rows: 122_880,
            file_bytes: 64 << 20,
        }
    }
}

/// A range of keys, by their first 16 bits; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Span {
    fn of(bits: u32, i: u32) -> Self {
        let width = UNITS >> bits;
        Self { from: i * width, to: (i + 1) * width }
    }

    fn width(self) -> u64 {
        u64::from(self.to - self.from)
    }

    /// The text that its keys do not come before; `None` where it starts with the first.
    pub(super) fn start(self) -> Option<String> {
        (self.from > 0).then(|| format!("{:04x}", self.from))
    }

    /// The text that its keys come before; `None` where it ends with the last.
    pub(super) fn end(self) -> Option<String> {
        (self.to < UNITS).then(|| format!("{:04x}", self.to))
    }

    /// Those of some keys, which ascend, that are in it.
    pub(super) fn keys<'k, 's>(self, keys: &'s [&'k str]) -> &'s [&'k str] {
        let before = |bound: Option<String>| {
            bound.map(|bound| keys.partition_point(|key| *key < bound.as_str()))
        };
        &keys[before(self.start()).unwrap_or(0)..before(self.end()).unwrap_or(keys.len())]
    }
}

/// The first 16 bits of a key; `None` where it is not hexadecimal.
pub(super) fn lead(key: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(key.get(..4)?).ok()?;
    let is_hash = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// The bucket of `2^bits` that a key is in.
pub(super) fn bucket(key: &str, bits: u32) -> Result<u32> {
    let lead = lead(key.as_bytes());
    let lead = lead.ok_or_else(|| Error::internal("a key is not hexadecimal"))?;
    Ok(lead >> (BITS_MAX - bits))
}

/// The files of a table, by what they are.
#[derive(Debug, Default)]
pub(super) struct Files<'a> {
    /// By the start of their ranges.
    buckets: BTreeMap<u32, (u32, u32, &'a Add)>,
    pub(super) runs: Vec<&'a Add>,
}

/// A range of the table, and its bucket, where it has one.
#[derive(Debug)]
struct Leaf<'a> {
    bits: u32,
    span: Span,
    bucket: Option<&'a Add>,
}

impl<'a> Files<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Result<Self> {
        let mut files = Self::default();
        for add in snapshot.files.values() {
            match Tag::of(add) {
                Some(Tag::Run) => files.runs.push(add),
                Some(Tag::Bucket(bits, i)) if bits <= BITS_MAX && i < 1 << bits => {
                    files.buckets.insert(Span::of(bits, i).from, (bits, i, add));
                }
                _ => {
                    return Err(Error::data("a file of the table is not of this program's making"));
                }
            }
        }
        let spans = || files.buckets.values().map(|(bits, i, _)| Span::of(*bits, *i));
        let apart = spans().zip(spans().skip(1)).all(|(left, right)| left.to <= right.from);
        if !apart || files.buckets.len() + files.runs.len() != snapshot.files.len() {
            return Err(Error::data("two files of the table hold the same keys"));
        }
        Ok(files)
    }

    /// The files that may hold a key: its bucket first, since most rows lie in buckets.
    pub(super) fn that_may_hold(&self, column: &str, key: &str) -> Vec<&'a Add> {
        let Some(lead) = lead(key.as_bytes()) else { return Vec::new() };
        let bucket = self.buckets.range(..=lead).next_back().map(|(_, bucket)| *bucket);
        let bucket = bucket.filter(|(bits, i, _)| lead < Span::of(*bits, *i).to);
        let runs = self.runs.iter().copied().filter(|run| {
            let bounds = key_bounds(run, column);
            bounds
                .is_none_or(|(least, greatest)| (least.as_str()..=greatest.as_str()).contains(&key))
        });
        bucket.map(|(_, _, add)| add).into_iter().chain(runs).collect()
    }

    /// The ranges that make up the whole, those without a bucket among them.
    fn leaves(&self) -> Vec<Leaf<'a>> {
        let mut leaves = Vec::new();
        let mut from = 0;
        let fill = |from: &mut u32, to: u32, leaves: &mut Vec<Leaf<'a>>| {
            while *from < to {
                // The largest that starts here: buckets start at multiples of their width.
                let fits = |bits: &u32| {
                    let width = UNITS >> bits;
                    from.is_multiple_of(width) && *from + width <= to
                };
                let bits = (0..=BITS_MAX).find(fits).unwrap_or(BITS_MAX);
                let span = Span { from: *from, to: *from + (UNITS >> bits) };
                *from = span.to;
                leaves.push(Leaf { bits, span, bucket: None });
            }
        };
        for (bits, i, add) in self.buckets.values() {
            let span = Span::of(*bits, *i);
            fill(&mut from, span.from, &mut leaves);
            leaves.push(Leaf { bits: *bits, span, bucket: Some(add) });
            from = span.to;
        }
        fill(&mut from, UNITS, &mut leaves);
        leaves
    }
}

/// What a commit does in one range after the other.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) steps: Vec<Step<'a>>,
    /// Which of the runs become part of the commit's own.
    pub(super) merged: Vec<bool>,
}

/// What it does in one range.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) span: Span,
    /// The buckets that are there.
    pub(super) buckets: Vec<&'a Add>,
    /// The range is folded, into buckets of as many bits.
    pub(super) fold: Option<u32>,
}

/// A range as the plan weighs it, in rows.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    bucket: u64,
    live: u64,
    masked: u64,
    pending: u64,
    changes: u64,
    removed: u64,
}

impl Weight {
    /// Rows that a fold would put in order.
    fn debt(&self) -> u64 {
        self.masked.max(self.pending) + self.changes
    }

    /// Whether the commit changes so much of the range that it pays to rewrite it.
    fn is_rewritten(&self, limits: &Limits) -> bool {
        let touched = self.changes + self.removed;
        let all = self.live + self.pending + self.changes;
        let share = limits.fold_percent * self.bucket;
        touched > 0 && (touched * 100 >= share || all <= limits.small_rows)
    }

    fn is_due(&self, limits: &Limits) -> bool {
        self.debt() > 0 && self.debt() * 100 >= limits.fold_percent * self.bucket
    }
}

impl<'a> Plan<'a> {
    /// Decides what a commit does of about `count` changed rows, and of `removed` keys, which ascend.
    /// `runs` are those of `files`, opened.
    pub(super) fn of(
        files: &Files<'a>,
        runs: &[Live],
        column: &str,
        (count, removed): (u64, &[&str]),
        limits: &Limits,
    ) -> Result<Self> {
        let leaves = files.leaves();
        let bounds: Vec<u32> = leaves.iter().map(|leaf| leaf.span.to).collect();
        let mut pending = vec![0; leaves.len()];
        for run in runs {
            let rows = run.live_between(column, &bounds)?;
            pending.iter_mut().zip(rows).for_each(|(sum, rows)| *sum += rows);
        }
        let weigh = |(leaf, pending): (&Leaf<'_>, &u64)| Weight {
            bucket: leaf.bucket.map_or(0, Add::rows),
            live: leaf.bucket.map_or(0, Add::live),
            masked: leaf.bucket.map_or(0, Add::masked),
            pending: *pending,
            changes: count * leaf.span.width() / u64::from(UNITS),
            removed: leaf.span.keys(removed).len() as u64,
        };
        let weights: Vec<Weight> = leaves.iter().zip(&pending).map(weigh).collect();
        let folded = folded(&weights, count + removed.len() as u64, limits);
        let left = weights.iter().zip(&folded).filter(|(_, folded)| !**folded);
        let new: u64 = left.map(|(weight, _)| weight.changes).sum();
        let steps = steps(&leaves, &weights, &folded, limits);
        Ok(Self { steps, merged: merged(&files.runs, new.min(count), limits) })
    }
}

/// Which ranges are folded.
fn folded(weights: &[Weight], work: u64, limits: &Limits) -> Vec<bool> {
    let mut folded: Vec<bool> = weights.iter().map(|weight| weight.is_rewritten(limits)).collect();
    let mut due: Vec<usize> =
        (0..weights.len()).filter(|at| !folded[*at] && weights[*at].is_due(limits)).collect();
    // The worst first: a's debt/rows > b's debt/rows.
    let share = |a: usize, b: usize| u128::from(weights[a].debt()) * u128::from(weights[b].bucket);
    due.sort_by(|a, b| share(*b, *a).cmp(&share(*a, *b)).then(a.cmp(b)));
    let budget = if work == 0 { 0 } else { 1 + work / (limits.bucket_rows / 4).max(1) };
    for at in due.into_iter().take(usize::try_from(budget).unwrap_or(usize::MAX)) {
        folded[at] = true;
    }
    folded
}

/// One step a folded range, and one for all between two of them.
fn steps<'a>(
    leaves: &[Leaf<'a>],
    weights: &[Weight],
    folded: &[bool],
    limits: &Limits,
) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    for ((leaf, weight), folded) in leaves.iter().zip(weights).zip(folded) {
        let fold = folded.then(|| {
            let rows = weight.live + weight.pending + weight.changes;
            let is_large = rows > BUCKET_SLACK * limits.bucket_rows;
            let pieces = match leaf.bucket {
                Some(_) if !is_large => 1,
                _ => rows.div_ceil(limits.bucket_rows).next_power_of_two(),
            };
            (leaf.bits + pieces.trailing_zeros()).min(BITS_MAX)
        });
        match steps.last_mut() {
            Some(last) if last.fold.is_none() && fold.is_none() => {
                last.span.to = leaf.span.to;
                last.buckets.extend(leaf.bucket);
            }
            _ => {
                let buckets = leaf.bucket.into_iter().collect();
                steps.push(Step { span: leaf.span, buckets, fold });
            }
        }
    }
    steps
}

/// Files whose rows are of one class are of like size.
pub(super) fn class(rows: u64, limits: &Limits) -> u32 {
    let steps = rows / limits.run_rows.max(1);
    steps.checked_ilog(limits.tier.max(2)).map_or(0, |class| class + 1)
}

/// Which runs become one with about `new` rows.
fn merged(runs: &[&Add], new: u64, limits: &Limits) -> Vec<bool> {
    let is_worn = |run: &&Add| run.masked() * 2 >= run.rows();
    let mut merged: Vec<bool> = runs.iter().map(is_worn).collect();
    let class = |rows: u64| (rows < limits.merged_rows).then(|| class(rows, limits));
    let sum = |merged: &[bool]| -> u64 {
        let live = runs.iter().zip(merged).filter(|(_, merged)| **merged);
        new + live.map(|(run, _)| run.live()).sum::<u64>()
    };
    while let Some(present) = class(sum(&merged)).filter(|_| sum(&merged) > 0) {
        let left = || (0..runs.len()).filter(|at| !merged[*at]);
        let like = left().filter(|at| class(runs[*at].live()) == Some(present)).count() as u64;
        if like + 1 < limits.tier.max(2) {
            break;
        }
        let up_to = |at: &usize| class(runs[*at].live()).is_some_and(|class| class <= present);
        for at in left().filter(up_to).collect::<Vec<_>>() {
            merged[at] = true;
        }
    }
    merged
}

/// The least and greatest key of a file, where its statistics say so.
pub(super) fn key_bounds(add: &Add, column: &str) -> Option<(String, String)> {
    let stats = add.statistics();
    let bound = |side: &str| stats[side][column].as_str().map(str::to_owned);
    bound("minValues").zip(bound("maxValues"))
}

/// Those of some keys, which ascend, that lie within bounds; all where there are none.
pub(super) fn keys_between<'k, 's>(
    keys: &'s [&'k str],
    bounds: Option<&(String, String)>,
) -> &'s [&'k str] {
    let Some((least, greatest)) = bounds else { return keys };
    let from = keys.partition_point(|key| *key < least.as_str());
    let to = keys.partition_point(|key| *key <= greatest.as_str());
    &keys[from..to.max(from)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bucket_rows: 1_000,
        small_rows: 10,
        fold_percent: 20,
        tier: 4,
        run_rows: 16,
        merged_rows: 1_024,
        file_rows: 1_024,
        file_bytes: 1 << 20,
    };

    fn add(rows: u64, masked: i64, tag: (&str, &str)) -> Add {
        let vector =
            super::super::log::DeletionVector { cardinality: masked, ..Default::default() };
        Add {
            path: format!("{}-{}-{rows}-{masked}", tag.0, tag.1),
            stats: Some(format!(r#"{{"numRecords":{rows}}}"#)),
            tags: Some([(tag.0.to_owned(), Some(tag.1.to_owned()))].into()),
            deletion_vector: (masked > 0).then_some(vector),
            ..Add::default()
        }
    }

    fn snapshot(adds: impl IntoIterator<Item = Add>) -> Snapshot {
        let files = adds.into_iter().map(|add| (add.path.clone(), add)).collect();
        Snapshot { files, ..Snapshot::default() }
    }

    fn bucket_of(place: &str, rows: u64, masked: i64) -> Add {
        add(rows, masked, ("onefold.bucket", place))
    }

    /// What is folded, as "from-to:bits".
    fn folds(snapshot: &Snapshot, count: u64, removed: &[&str]) -> Vec<String> {
        let files = Files::of(snapshot).unwrap();
        let plan = Plan::of(&files, &[], "key", (count, removed), &LIMITS).unwrap();
        let mut ends = plan.steps.iter().map(|step| step.span.to);
        assert!(
            plan.steps
                .iter()
                .skip(1)
                .map(|step| step.span.from)
                .eq(ends.clone().take(plan.steps.len() - 1))
        );
        assert_eq!((plan.steps[0].span.from, ends.next_back()), (0, Some(UNITS)));
        let folds = plan.steps.iter().filter_map(|step| Some((step.span, step.fold?)));
        folds.map(|(span, bits)| format!("{:x}-{:x}:{bits}", span.from, span.to)).collect()
    }

    #[test]
    fn ranges_are_folded_that_are_worth_it() {
        // A new table is cut by what is announced.
        assert_eq!(folds(&snapshot([]), 5, &[]), ["0-10000:0"]);
        assert_eq!(folds(&snapshot([]), 5_000, &[]), ["0-10000:3"]);
        // A small table is rewritten, a large one is not; a change of a fifth is.
        assert_eq!(folds(&snapshot([bucket_of("0/0", 4, 0)]), 2, &[]), ["0-10000:0"]);
        let two = snapshot([bucket_of("1/0", 1_000, 0), bucket_of("1/1", 900, 100)]);
        assert_eq!(folds(&two, 2, &[]), [""; 0]);
        assert_eq!(folds(&two, 400, &[]), ["0-8000:1", "8000-10000:1"]);
        // What is masked by a fifth is due, the worst first, and one more than the work is worth.
        let worn = snapshot([bucket_of("1/0", 1_000, 250), bucket_of("1/1", 1_000, 300)]);
        assert_eq!(folds(&worn, 2, &[]), ["8000-10000:1"]);
        assert_eq!(folds(&worn, 300, &[]), ["0-8000:1", "8000-10000:1"]);
        assert_eq!(folds(&worn, 0, &[]), [""; 0], "a commit without changes does nothing");
        // One that has grown to more than twice its size is cut.
        let grown = snapshot([bucket_of("1/1", 2_100, 0), bucket_of("2/0", 1_000, 0)]);
        assert_eq!(folds(&grown, 3_000, &[]), ["0-4000:2", "4000-8000:2", "8000-10000:3"]);
    }

    #[test]
    fn files_of_others_and_such_that_overlap_are_refused() {
        let other = Add { path: "x".into(), ..Add::default() };
        let beyond = bucket_of("1/2", 1, 0);
        for adds in
            [vec![other], vec![beyond], vec![bucket_of("0/0", 1, 0), bucket_of("1/1", 2, 0)]]
        {
            assert!(Files::of(&snapshot(adds)).is_err());
        }
    }

    #[test]
    fn runs_of_like_size_become_one() {
        let runs = |sizes: &[(u64, i64)]| -> Vec<Add> {
            sizes.iter().map(|(rows, masked)| add(*rows, *masked, ("onefold.run", "1"))).collect()
        };
        let merged = |sizes: &[(u64, i64)], new: u64| -> Vec<bool> {
            let runs = runs(sizes);
            super::merged(&runs.iter().collect::<Vec<_>>(), new, &LIMITS)
        };
        assert_eq!(merged(&[(5, 0), (6, 0)], 4), [false; 2]);
        assert_eq!(merged(&[(5, 0), (6, 0), (7, 0)], 4), [true; 3]);
        // What comes out may be one too many of the next size.
        let sizes = [(5, 0), (15, 0), (15, 0), (20, 0), (21, 0), (22, 0), (500, 0)];
        assert_eq!(merged(&sizes, 15), [true, true, true, true, true, true, false]);
        // Half masked, or as large as runs get.
        assert_eq!(merged(&[(100, 50), (100, 49)], 0), [true, false]);
        assert_eq!(merged(&[(2_000, 0), (2_000, 0), (2_000, 0), (2_000, 0)], 1_500), [false; 4]);
        assert_eq!(merged(&[(5, 0), (5, 0), (5, 0)], 0), [false; 3], "nothing new, nothing worn");
    }
}
