//! How alike are two texts?
//!
//! Most texts are short and of ASCII letters: for these, a set of characters is a word of bits ([`Marks`]), and what cannot
//! be alike is seen before it is compared. Every answer is the one that `strsim` gives, which all other texts get.

use crate::normalise::lexicon;

/// What is seen of a text before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(u64);

/// A text with its marks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marked<'a> {
    pub(super) text: &'a str,
    marks: Marks,
}

/// Characters beyond ASCII, or more of them than a word has bits.
const UNUSUAL: u64 = 1 << 62;
/// The text may be a nickname of something.
const NICKNAME: u64 = 1 << 63;

impl Marks {
    /// The marks of a text.
    pub(super) fn of(text: &str) -> Self {
        let Self(marks) = Self::at_once(text);
        Self(if lexicon::formal_names(text).is_empty() { marks & !NICKNAME } else { marks })
    }

    /// The marks as a number, and back.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// See [`Marks::bits`].
    pub(super) fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The same without a look into the lexicon.
    fn at_once(text: &str) -> Self {
        let unusual = if short(text).is_none() { UNUSUAL } else { 0 };
        Self(characters(text.as_bytes()) | unusual | NICKNAME)
    }

    /// The characters that two texts have; `None` where one of them is unusual.
    fn characters(self, other: Self) -> Option<(u64, u64)> {
        let characters = |marks: Self| marks.0 & !(UNUSUAL | NICKNAME);
        ((self.0 | other.0) & UNUSUAL == 0).then_some((characters(self), characters(other)))
    }
}

impl<'a> Marked<'a> {
    /// Marks a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, marks: Marks::at_once(text) }
    }

    /// A text whose marks are known.
    pub(super) fn known(text: &'a str, marks: Marks) -> Self {
        Self { text, marks }
    }

    /// Whether this and another text may be of one name.
    pub(super) fn is_nickname_pair(self, other: Self) -> bool {
        (self.marks.0 | other.marks.0) & NICKNAME != 0
            && lexicon::is_nickname_pair(self.text, other.text)
    }

    /// No more than this is the [`jaro_winkler`] similarity to another text: as if all characters that both have stood in
    /// order.
    pub(super) fn jaro_winkler_at_most(self, other: Self) -> f64 {
        let Some((of_a, of_b)) = self.marks.characters(other.marks) else { return 1.0 };
        let (a, b) = (self.text.as_bytes(), other.text.as_bytes());
        if a.is_empty() || b.is_empty() {
            return jaro_of_bytes(a, b);
        }
        let unshared = |own: u64, others: u64| (own & !others).count_ones() as usize;
        let matches = (a.len() - unshared(of_a, of_b)).min(b.len() - unshared(of_b, of_a));
        // By more than rounding takes.
        with_prefix(jaro_of_counts(matches, 0, a, b) + 1e-9, a, b).min(1.0)
    }

    /// Whether at most `limit` edits (insert, delete, replace, swap neighbours) lie between this and another text.
    pub(super) fn osa_within(self, other: Self, limit: usize) -> bool {
        // An edit takes one character out of a set at most, and puts one in.
        let unshared = |(a, b): (u64, u64)| (a ^ b).count_ones() as usize;
        self.marks.characters(other.marks).is_none_or(|sets| unshared(sets) <= 2 * limit)
            && osa_within(self.text, other.text, limit)
    }
}

/// Jaro–Winkler similarity, 0 to 1, with the usual prefix scale of 0.1 above 0.7.
///
/// Its greedy matching may depend on which text comes first, so the lesser always does: symmetry is what order-independence
/// hangs on.
/// **Source:** Winkler, "String Comparator Metrics and Enhanced Decision Rules in the Fellegi–Sunter Model" (1990).
pub(super) fn jaro_winkler(left: &str, right: &str) -> f64 {
    let (first, second) = (left.min(right), left.max(right));
    match (short(first), short(second)) {
        (Some(a), Some(b)) => with_prefix(jaro_of_bytes(a, b), a, b),
        _ => strsim::jaro_winkler(first, second),
    }
}

/// Whether at most `limit` edits (insert, delete, replace, swap neighbours) lie between two texts.
pub(super) fn osa_within(left: &str, right: &str, limit: usize) -> bool {
    if left.len().abs_diff(right.len()) > limit {
        return false;
    }
    match (short(left), short(right)) {
        (Some(a), Some(b)) => osa_of_bytes_within(a, b, limit),
        _ => strsim::osa_distance(left, right) <= limit,
    }
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

/// As many characters as a word has bits.
const SHORT: usize = 64;

/// The characters of a text that bits can stand for: each of one byte, and no more of them than a word has bits.
fn short(text: &str) -> Option<&[u8]> {
    (text.len() <= SHORT && text.is_ascii()).then_some(text.as_bytes())
}

/// The bit of a character in a set of characters, 0 to 51: letters and digits of normalised texts have their own.
const fn bit(character: u8) -> u64 {
    let number = match character {
        b'a'..=b'z' => character - b'a',
        b'0'..=b'9' => 26 + character - b'0',
        other => 36 + (other & 15),
    };
    1 << number
}

fn characters(text: &[u8]) -> u64 {
    text.iter().fold(0, |set, character| set | bit(*character))
}

/// By character, where it stands in a text.
fn places(text: &[u8]) -> [u64; 128] {
    let mut places = [0; 128];
    for (at, character) in text.iter().enumerate() {
        places[usize::from(character & 127)] |= 1 << at;
    }
    places
}

/// The first so many bits.
const fn first_bits(count: usize) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// Each character of `a` takes the first equal one of `b` near its own place that is not taken yet.
fn jaro_of_bytes(a: &[u8], b: &[u8]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return if a.len() == b.len() { 1.0 } else { 0.0 };
    }
    let range = (a.len().max(b.len()) / 2).saturating_sub(1);
    let places = places(b);
    let (mut of_a, mut of_b) = (0_u64, 0_u64);
    for (at, character) in a.iter().enumerate() {
        let near = first_bits(at + range + 1) & !first_bits(at.saturating_sub(range));
        let free = places[usize::from(*character)] & near & !of_b;
        if free != 0 {
            of_a |= 1 << at;
            of_b |= free & free.wrapping_neg();
        }
    }
    let matches = of_a.count_ones() as usize;
    let mut out_of_order = 0;
    while of_a != 0 {
        out_of_order +=
            usize::from(a[of_a.trailing_zeros() as usize] != b[of_b.trailing_zeros() as usize]);
        of_a &= of_a - 1;
        of_b &= of_b - 1;
    }
    jaro_of_counts(matches, out_of_order / 2, a, b)
}

fn jaro_of_counts(matches: usize, transpositions: usize, a: &[u8], b: &[u8]) -> f64 {
    if matches == 0 {
        return 0.0;
    }
    let count = matches as f64;
    let in_order = (matches - transpositions) as f64;
    (count / a.len() as f64 + count / b.len() as f64 + in_order / count) / 3.0
}

/// Winkler's addition to Jaro's similarity.
fn with_prefix(jaro: f64, a: &[u8], b: &[u8]) -> f64 {
    if jaro <= 0.7 {
        return jaro;
    }
    let prefix = a.iter().zip(b).take(4).take_while(|(a, b)| a == b).count();
    jaro + 0.1 * prefix as f64 * (1.0 - jaro)
}

fn osa_of_bytes_within(a: &[u8], b: &[u8], limit: usize) -> bool {
    let prefix = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[prefix..], &b[prefix..]);
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - suffix], &b[..b.len() - suffix]);
    let longer = a.len().max(b.len());
    if longer <= limit {
        return true;
    }
    if limit <= 1 {
        // Beginning and end taken off, one edit is one character, or two that are swapped.
        let swapped = |a: &[u8], b: &[u8]| a[0] == b[1] && a[1] == b[0];
        return limit == 1 && a.len() == 2 && b.len() == 2 && swapped(a, b);
    }
    osa_of_bytes(a, b) <= limit
}

/// **Source:** Hyyrö, "A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances" (2003).
fn osa_of_bytes(a: &[u8], b: &[u8]) -> usize {
    if a.is_empty() {
        return b.len();
    }
    let places = places(a);
    let last = 1 << (a.len() - 1);
    let mut distance = a.len();
    let (mut up, mut down, mut diagonal, mut before) = (u64::MAX, 0_u64, 0_u64, 0_u64);
    for character in b {
        let here = places[usize::from(*character)];
        let swapped = ((!diagonal & here) << 1) & before;
        diagonal = ((here & up).wrapping_add(up) ^ up) | here | down | swapped;
        let (rises, falls) = (down | !(diagonal | up), diagonal & up);
        distance += usize::from(rises & last != 0);
        distance -= usize::from(falls & last != 0);
        let (rises, falls) = (rises << 1 | 1, falls << 1);
        up = falls | !(diagonal | rises);
        down = rises & diagonal;
        before = here;
    }
    distance
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two texts that are often alike: of few letters, or the one made of the other by a few edits.
    fn texts() -> impl Strategy<Value = (String, String)> {
        let free = ("[abc]{0,9}", "[abc]{0,9}");
        let long = ("[a-d .@]{55,70}", "[a-d .@]{55,70}");
        let wide = ("[abéß]{0,8}", "[abéß]{0,8}");
        let edited = ("[a-z0-9@.]{0,20}", proptest::collection::vec((0_usize..21, "[a-z]"), 0..4));
        let edited = edited.prop_map(|(text, edits)| {
            let mut other: Vec<char> = text.chars().collect();
            for (at, letter) in edits {
                match at % 3 {
                    0 => other.insert(at.min(other.len()), letter.chars().next().expect("one")),
                    1 if !other.is_empty() => drop(other.remove(at % other.len())),
                    _ if other.len() > 1 => {
                        let at = at % (other.len() - 1);
                        other.swap(at, at + 1);
                    }
                    _ => {}
                }
            }
            (text, other.into_iter().collect())
        });
        prop_oneof![2 => free, 1 => long, 1 => wide, 4 => edited]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn answers_are_those_of_the_library((left, right) in texts()) {
            let expected = strsim::jaro_winkler((&left).min(&right), (&left).max(&right));
            prop_assert_eq!(jaro_winkler(&left, &right).to_bits(), expected.to_bits());
            prop_assert_eq!(jaro_winkler(&right, &left).to_bits(), expected.to_bits());
            let (a, b) = (Marked::new(&left), Marked::new(&right));
            prop_assert!(a.jaro_winkler_at_most(b) >= expected && b.jaro_winkler_at_most(a) >= expected);
            let edits = strsim::osa_distance(&left, &right);
            for limit in 0..5 {
                let within = left.len().abs_diff(right.len()) <= limit && edits <= limit;
                prop_assert_eq!(osa_within(&left, &right, limit), within, "{} edits, {}", edits, limit);
                prop_assert_eq!(a.osa_within(b, limit), within, "{} edits, {}", edits, limit);
            }
        }
    }
}
