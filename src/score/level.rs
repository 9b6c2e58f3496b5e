//! Which grade of agreement do two values reach?
//!
//! A comparison is data: ordered levels, the first that holds wins, the last always holds. Model files hold them as
//! they are written here (`"exact"`, `{"jaro_winkler": 0.92}`); charts and explanations name a level by its label.

use std::cell::OnceCell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::similarity::{self, Marked, jaro_winkler};
use super::{distance, tokens};

/// One grade of agreement between two different values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Jaro similarity at least this.
    Jaro(f64),
    /// At most so many edits: insert, delete, replace, or swap two neighbours that are edited no further (optimal string
    /// alignment).
    Edits(usize),
    /// At most so many edits, none of which swaps neighbours.
    Levenshtein(usize),
    /// At most so many edits, where swapped neighbours may be edited further.
    Damerau(usize),
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
    /// Dates at most so many days apart.
    DaysWithin(f64),
    /// The same part before the `@`.
    SameLocalPart,
    /// The same part after the `@`.
    SameDomain,
    /// The parts before the `@` reach this level.
    LocalPart(Box<Level>),
    /// Jaro–Winkler of the whole at least the first, or of the part before the `@` at least the second.
    #[expect(missing_docs, reason = "the names say it")]
    EmailAlike { whole: f64, local: f64 },
    /// The same outward postcode, or the same first two digits.
    SameOutward,
    /// The same letters before the first digit, e.g. the area of a British postcode.
    SameLeadingLetters,
    /// The same first so many characters; both texts have as many.
    Beginning(usize),
    /// The same text but for the last so many characters; of equal length.
    ButForLast(usize),
    /// A word in common.
    SharedToken,
    /// At least so many words in common.
    SharedTokens(usize),
    /// Words in common ÷ words of either, at least this.
    Jaccard(f64),
    /// Words in common ÷ words of the text with fewer, at least this.
    Overlap(f64),
    /// Numbers at most this far apart.
    NumberWithin(f64),
    /// Numbers that differ by less than this share of the greater one.
    ShareWithin(f64),
    /// Places (`latitude,longitude` in degrees) at most so many kilometres apart on the great circle.
    KilometresWithin(f64),
    /// Any of these.
    Any(Vec<Level>),
    /// All of these.
    All(Vec<Level>),
    /// Anything else.
    Otherwise,
}

/// Two different texts, with what is found out about them once.
struct Pair<'a> {
    left: Marked<'a>,
    right: Marked<'a>,
    similarity: OnceCell<f64>,
}

impl<'a> Pair<'a> {
    fn new(left: Marked<'a>, right: Marked<'a>) -> Self {
        Self { left, right, similarity: OnceCell::new() }
    }

    fn of_texts(left: &'a str, right: &'a str) -> Self {
        Self::new(Marked::new(left), Marked::new(right))
    }

    fn alike(&self, least: f64) -> bool {
        let similarity = || jaro_winkler(self.left.text, self.right.text);
        self.left.jaro_winkler_at_most(self.right) >= least
            && *self.similarity.get_or_init(similarity) >= least
    }

    fn edits_within(&self, limit: usize) -> bool {
        self.left.osa_within(self.right, limit)
    }
}

impl Level {
    /// Whether two texts reach this level. Symmetric.
    fn holds(&self, pair: &Pair<'_>) -> bool {
        let (left, right) = (pair.left.text, pair.right.text);
        match self {
            Self::Exact => left == right,
            Self::Nickname => pair.left.is_nickname_pair(pair.right),
            Self::JaroWinkler(least) => pair.alike(*least),
            Self::JaroWinklerOrEdits { jaro_winkler, edits, length } => {
                pair.alike(*jaro_winkler)
                    || (left.len().min(right.len()) >= *length && pair.edits_within(*edits))
            }
            Self::Jaro(least) => similarity::jaro(left, right) >= *least,
            Self::Edits(limit) => pair.edits_within(*limit),
            Self::Levenshtein(limit) => similarity::levenshtein_within(left, right, *limit),
            Self::Damerau(limit) => similarity::damerau_within(left, right, *limit),
            Self::Initial => is_initial(left, right),
            Self::SameEnding(least) => {
                left.len().min(right.len()) >= *least
                    && (left.ends_with(right) || right.ends_with(left))
            }
            Self::InitialOrJaroWinkler(least) => is_beginning(left, right) || pair.alike(*least),
            Self::Any(levels) => levels.iter().any(|level| level.holds(pair)),
            Self::All(levels) => levels.iter().all(|level| level.holds(pair)),
            Self::Otherwise => true,
            _ => self.holds_of_parts(pair),
        }
    }

    /// The same for levels that look at the parts of dates, addresses, sets of words, numbers and places.
    fn holds_of_parts(&self, pair: &Pair<'_>) -> bool {
        let (left, right) = (pair.left.text, pair.right.text);
        match self {
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
            Self::DaysWithin(days) => distance::days_within(left, right, *days),
            Self::SameLocalPart => {
                starts_alike(left, right) && local_part(left) == local_part(right)
            }
            Self::SameDomain => domain(left).is_some() && domain(left) == domain(right),
            Self::LocalPart(level) => level.reached(local_part(left), local_part(right)),
            Self::EmailAlike { whole, local } => {
                pair.alike(*whole)
                    || Pair::of_texts(local_part(left), local_part(right)).alike(*local)
            }
            Self::SameOutward => same_outward(left, right),
            Self::SameLeadingLetters => {
                let letters = leading_letters(left);
                !letters.is_empty() && letters == leading_letters(right)
            }
            Self::Beginning(length) => {
                let start = beginning(left, *length);
                start.is_some() && start == beginning(right, *length)
            }
            Self::ButForLast(length) => {
                let start = but_for_last(left, *length);
                left.len() == right.len()
                    && start.is_some()
                    && start == but_for_last(right, *length)
            }
            Self::SharedToken => tokens::any_shared(left, right),
            Self::SharedTokens(least) => tokens::shared(left, right) >= *least,
            Self::Jaccard(least) => tokens::jaccard(left, right) >= *least,
            Self::Overlap(least) => tokens::overlap(left, right) >= *least,
            Self::NumberWithin(most) => {
                distance::of_numbers(left, right).is_some_and(|apart| apart <= *most)
            }
            Self::ShareWithin(most) => {
                distance::share_of_numbers(left, right).is_some_and(|share| share < *most)
            }
            Self::KilometresWithin(most) => {
                distance::kilometres(left, right).is_some_and(|apart| apart <= *most)
            }
            _ => false,
        }
    }

    /// Whether two texts of their own reach this level.
    fn reached(&self, left: &str, right: &str) -> bool {
        left == right || self.holds(&Pair::of_texts(left, right))
    }

    /// What keeps it from being used, if anything does.
    pub(super) fn problem(&self) -> Option<String> {
        let share = |name: &str, share: f64| {
            let wrong = !(share > 0.0 && share <= 1.0);
            wrong.then(|| format!("{name} = {share}: give a share above 0, at most 1"))
        };
        let positive = |name: &str, number: f64| {
            let wrong = !(number >= 0.0 && number.is_finite());
            wrong.then(|| format!("{name} = {number}: give a number from 0 on"))
        };
        match self {
            Self::JaroWinkler(least) => share("jaro_winkler", *least),
            Self::Jaro(least) => share("jaro", *least),
            Self::InitialOrJaroWinkler(least) => share("initial_or_jaro_winkler", *least),
            Self::JaroWinklerOrEdits { jaro_winkler, .. } => share("jaro_winkler", *jaro_winkler),
            Self::EmailAlike { whole, local } => {
                share("whole", *whole).or_else(|| share("local", *local))
            }
            Self::Jaccard(least) => share("jaccard", *least),
            Self::Overlap(least) => share("overlap", *least),
            Self::DaysWithin(days) => positive("days_within", *days),
            Self::NumberWithin(most) => positive("number_within", *most),
            Self::ShareWithin(most) => positive("share_within", *most),
            Self::KilometresWithin(most) => positive("kilometres_within", *most),
            Self::LocalPart(level) => level.problem(),
            Self::Any(levels) | Self::All(levels) if levels.is_empty() => {
                Some("the list of levels is empty".into())
            }
            Self::Any(levels) | Self::All(levels) => levels.iter().find_map(Self::problem),
            _ => None,
        }
    }

    /// The label in charts and explanations.
    pub fn label(&self) -> String {
        match self {
            Self::Exact => "exact".into(),
            Self::Nickname => "nickname".into(),
            Self::JaroWinkler(least) => format!("jaro-winkler ≥ {least:.2}"),
            Self::JaroWinklerOrEdits { jaro_winkler, edits, .. } => {
                format!("jaro-winkler ≥ {jaro_winkler:.2} or ≤ {edits} edits")
            }
            Self::Jaro(least) => format!("jaro ≥ {least:.2}"),
            Self::Edits(limit) => format!("≤ {limit} edits"),
            Self::Levenshtein(limit) => format!("levenshtein ≤ {limit}"),
            Self::Damerau(limit) => format!("damerau-levenshtein ≤ {limit}"),
            Self::Initial => "initial".into(),
            Self::SameEnding(_) => "same ending".into(),
            Self::InitialOrJaroWinkler(least) => format!("initial or jaro-winkler ≥ {least:.2}"),
            Self::DateEditOrSwap => "one edit, or day and month swapped".into(),
            Self::DateTwoParts => "two of year, month, day".into(),
            Self::SameYear => "same year".into(),
            Self::DaysWithin(days) => format!("≤ {} days apart", short(*days)),
            Self::SameLocalPart => "same before the @".into(),
            Self::SameDomain => "same after the @".into(),
            Self::LocalPart(level) => format!("before the @: {}", level.label()),
            Self::EmailAlike { .. } => "alike".into(),
            Self::SameOutward => "same outward code".into(),
            Self::SameLeadingLetters => "same leading letters".into(),
            Self::Beginning(length) => format!("same first {length} characters"),
            Self::ButForLast(length) => format!("same but for the last {length} characters"),
            Self::SharedToken => "a word in common".into(),
            Self::SharedTokens(least) => format!("≥ {least} words in common"),
            Self::Jaccard(least) => format!("≥ {least:.2} of all words in common"),
            Self::Overlap(least) => format!("≥ {least:.2} of the fewer words in common"),
            Self::NumberWithin(most) => format!("≤ {} apart", short(*most)),
            Self::ShareWithin(most) => format!("< {} % apart", short(*most * 100.0)),
            Self::KilometresWithin(most) => format!("≤ {} km apart", short(*most)),
            Self::Any(levels) => labels(levels, " or "),
            Self::All(levels) => labels(levels, " and "),
            Self::Otherwise => "different".into(),
        }
    }
}

/// The number of the first of `levels` that holds, 1 the best. Of two different texts.
pub(super) fn level(levels: &[Level], left: Marked<'_>, right: Marked<'_>) -> u8 {
    let pair = Pair::new(left, right);
    let index = levels.iter().position(|level| level.holds(&pair));
    u8::try_from(index.unwrap_or(levels.len() - 1) + 1).expect("a comparison has few levels")
}

fn labels(levels: &[Level], between: &str) -> String {
    levels.iter().map(Level::label).collect::<Vec<_>>().join(between)
}

/// A number with at most two decimals, none where it is whole.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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

/// Whether two texts begin with the same byte; they may be empty, too.
fn starts_alike(left: &str, right: &str) -> bool {
    let first = |text: &str| text.as_bytes().first().copied();
    first(left) == first(right)
}

fn local_part(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(local, _)| local)
}

fn domain(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

fn leading_letters(text: &str) -> &str {
    text.find(|c: char| !c.is_alphabetic()).map_or(text, |at| &text[..at])
}

/// The first so many characters; `None` where there are fewer.
fn beginning(text: &str, length: usize) -> Option<&str> {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).nth(length.checked_sub(1)?)?;
    Some(&text[..end])
}

/// All but the last so many characters; `None` where nothing remains.
fn but_for_last(text: &str, length: usize) -> Option<&str> {
    let kept = text.chars().count().checked_sub(length)?;
    beginning(text, kept)
}
