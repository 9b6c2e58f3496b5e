//! How alike are two texts?

/// Jaro–Winkler similarity, 0 to 1, with the usual prefix scale of 0.1 above 0.7.
///
/// Its greedy matching may depend on which text comes first, so the lesser always does: symmetry is what order-independence
/// hangs on.
/// **Source:** Winkler, "String Comparator Metrics and Enhanced Decision Rules in the Fellegi–Sunter Model" (1990).
pub(super) fn jaro_winkler(left: &str, right: &str) -> f64 {
    strsim::jaro_winkler(left.min(right), left.max(right))
}

/// Whether at most `limit` edits (insert, delete, replace, swap neighbours) lie between two texts.
pub(super) fn osa_within(left: &str, right: &str, limit: usize) -> bool {
    left.len().abs_diff(right.len()) <= limit && strsim::osa_distance(left, right) <= limit
}

/// Jaro similarity, 0 to 1; of the two texts in ascending order, as above.
pub(super) fn jaro(left: &str, right: &str) -> f64 {
    strsim::jaro(left.min(right), left.max(right))
}

/// Whether at most `limit` inserts, deletes and replacements lie between two texts.
pub(super) fn levenshtein_within(left: &str, right: &str, limit: usize) -> bool {
    strsim::levenshtein(left, right) <= limit
}

/// Whether at most `limit` edits lie between two texts, where swapped neighbours may be edited further.
pub(super) fn damerau_within(left: &str, right: &str, limit: usize) -> bool {
    strsim::damerau_levenshtein(left.min(right), left.max(right)) <= limit
}
