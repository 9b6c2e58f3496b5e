//! How many words have two texts in common?

use std::collections::BTreeSet;

/// Whether a word stands in both.
pub(super) fn any_shared(left: &str, right: &str) -> bool {
    if !left.contains(' ') && !right.contains(' ') {
        return left == right;
    }
    left.split(' ').any(|token| right.split(' ').any(|other| token == other))
}

/// How many different words stand in both.
pub(super) fn shared(left: &str, right: &str) -> usize {
    words(left).intersection(&words(right)).count()
}

/// Words in common ÷ words of either.
pub(super) fn jaccard(left: &str, right: &str) -> f64 {
    let (left, right) = (words(left), words(right));
    ratio(left.intersection(&right).count(), left.union(&right).count())
}

/// Words in common ÷ words of the text with fewer.
pub(super) fn overlap(left: &str, right: &str) -> f64 {
    let (left, right) = (words(left), words(right));
    ratio(left.intersection(&right).count(), left.len().min(right.len()))
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(' ').filter(|word| !word.is_empty()).collect()
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
