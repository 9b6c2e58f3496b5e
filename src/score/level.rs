//! Which grade of agreement do two values reach?
//!
//! A comparison is data: ordered levels, the first that holds wins, the last always holds. Model files hold them as
//! they are written here (`"exact"`, `{"jaro_winkler": 0.92}`); charts and explanations name a level by its label.

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

use super::similarity::{jaro_winkler, osa_within};
use crate::normalise::lexicon;

/// One grade of agreement between two different values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// The same text.
    Exact,
    /// One is a nickname of the other, or both are of the same name.
    Nickname,
    /// Jaro–Winkler at least this.
    JaroWinkler(f64),
    /// Jaro–Winkler at least so much, or at most so many edits between texts of at least that length.
    #[expect(missing_docs, reason = "the names say it")]
    JaroWinklerOrEdits { jaro_winkler: f64, edits: usize, length: usize },
    /// At most so many edits.
    Edits(usize),
    /// An initial or a beginning of the other, or Jaro–Winkler at least this.
    InitialOrJaroWinkler(f64),
    /// One is the other's initial.
    Initial,
    /// One ends with the other, which has at least so many characters: a number without its area code.
    SameEnding(usize),
    /// One edit, or day and month swapped.
    DateEditOrSwap,
    /// Two of year, month and day.
    DateTwoParts,
    /// The same year.
    SameYear,
    /// The same part before the `@`.
    SameLocalPart,
    /// Jaro–Winkler of the whole at least the first, or of the part before the `@` at least the second.
    #[expect(missing_docs, reason = "the names say it")]
    EmailAlike { whole: f64, local: f64 },
    /// The same outward postcode, or the same first two digits.
    SameOutward,
    /// A word in common.
    SharedToken,
    /// Anything else.
    Otherwise,
}

/// Two different texts, with what is found out about them once.
struct Pair<'a> {
    left: &'a str,
    right: &'a str,
    similarity: OnceCell<f64>,
}

impl Pair<'_> {
    fn alike(&self, least: f64) -> bool {
        *self.similarity.get_or_init(|| jaro_winkler(self.left, self.right)) >= least
    }

    fn edits_within(&self, limit: usize) -> bool {
        osa_within(self.left, self.right, limit)
    }
}

impl Level {
    /// Whether two texts reach this level. Symmetric.
    fn holds(&self, pair: &Pair<'_>) -> bool {
        let (left, right) = (pair.left, pair.right);
        match *self {
            Self::Exact => left == right,
            Self::Nickname => lexicon::is_nickname_pair(left, right),
            Self::JaroWinkler(least) => pair.alike(least),
            Self::JaroWinklerOrEdits { jaro_winkler, edits, length } => {
                pair.alike(jaro_winkler)
                    || (left.len().min(right.len()) >= length && pair.edits_within(edits))
            }
            Self::Edits(limit) => pair.edits_within(limit),
            Self::Initial => is_initial(left, right),
            Self::SameEnding(least) => {
                left.len().min(right.len()) >= least
                    && (left.ends_with(right) || right.ends_with(left))
            }
            Self::InitialOrJaroWinkler(least) => is_beginning(left, right) || pair.alike(least),
            Self::DateEditOrSwap => {
                pair.edits_within(1)
                    || parts(left)
                        .zip(parts(right))
                        .is_some_and(|(l, r)| l[0] == r[0] && l[1] == r[2] && l[2] == r[1])
            }
            Self::DateTwoParts => parts(left).zip(parts(right)).is_some_and(|(l, r)| {
                l.iter().zip(r.iter()).filter(|(left, right)| left == right).count() == 2
            }),
            Self::SameYear => {
                parts(left).zip(parts(right)).is_some_and(|(left, right)| left[0] == right[0])
            }
            Self::SameLocalPart => local_part(left) == local_part(right),
            Self::EmailAlike { whole, local } => {
                pair.alike(whole) || jaro_winkler(local_part(left), local_part(right)) >= local
            }
            Self::SameOutward => same_outward(left, right),
            Self::SharedToken => {
                left.split(' ').any(|token| right.split(' ').any(|other| token == other))
            }
            Self::Otherwise => true,
        }
    }

    /// The label in model files, charts and explanations.
    pub fn label(&self) -> String {
        match self {
            Self::Exact => "exact".into(),
            Self::Nickname => "nickname".into(),
            Self::JaroWinkler(least) => format!("jaro-winkler ≥ {least:.2}"),
            Self::JaroWinklerOrEdits { jaro_winkler, edits, .. } => {
                format!("jaro-winkler ≥ {jaro_winkler:.2} or ≤ {edits} edits")
            }
            Self::Edits(limit) => format!("≤ {limit} edits"),
            Self::Initial => "initial".into(),
            Self::SameEnding(_) => "same ending".into(),
            Self::InitialOrJaroWinkler(least) => format!("initial or jaro-winkler ≥ {least:.2}"),
            Self::DateEditOrSwap => "one edit, or day and month swapped".into(),
            Self::DateTwoParts => "two of year, month, day".into(),
            Self::SameYear => "same year".into(),
            Self::SameLocalPart => "same before the @".into(),
            Self::EmailAlike { .. } => "alike".into(),
            Self::SameOutward => "same outward code".into(),
            Self::SharedToken => "a word in common".into(),
            Self::Otherwise => "different".into(),
        }
    }
}

/// The number of the first of `levels` that holds, 1 the best. Of two different texts.
pub(super) fn level(levels: &[Level], left: &str, right: &str) -> u8 {
    let pair = Pair { left, right, similarity: OnceCell::new() };
    let index = levels.iter().position(|level| level.holds(&pair));
    u8::try_from(index.unwrap_or(levels.len() - 1) + 1).expect("a comparison has few levels")
}

fn is_initial(left: &str, right: &str) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    short.len() == 1 && long.starts_with(short)
}

fn is_beginning(left: &str, right: &str) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    (short.len() == 1 || short.len() >= 3) && long.starts_with(short)
}

/// The lesser text says how long an outward code is, so that it does not matter which comes first.
fn same_outward(left: &str, right: &str) -> bool {
    let lesser = left.min(right);
    let length = if lesser.bytes().all(|b| b.is_ascii_digit()) {
        2
    } else {
        lesser.len().saturating_sub(3).max(2)
    };
    left.len() >= length && left.as_bytes().get(..length) == right.as_bytes().get(..length)
}

/// Year, month and day of `YYYYMMDD`.
fn parts(date: &str) -> Option<[&str; 3]> {
    Some([date.get(..4)?, date.get(4..6)?, date.get(6..)?])
}

fn local_part(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(local, _)| local)
}
