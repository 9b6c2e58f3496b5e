//! Which two names were written without the space between them?
//!
//! `emilydavies`, `DaviesEmily`. Many surnames are themselves a given name and a word (`Stockdale`, `Annwood`), so this
//! splits only what is no known name, in one way only, into a common given name and a common surname that is no usual
//! ending of surnames. Measured on the listed surnames, each taken for unknown: see the test.

use crate::normalise::lexicon;

/// The least share of people who bear each of the two.
const COMMON_GIVEN: f64 = 0.000_25;
const COMMON_SURNAME: f64 = 0.000_05;

/// Names that are also what surnames end with.
const ENDINGS: [&str; 60] = [
    "andrews", "bach", "beck", "berg", "berry", "bell", "bert", "brook", "brooks", "bury",
    "church", "cole", "cott", "dale", "field", "fields", "ford", "gate", "green", "hall", "hardt",
    "hart", "hill", "hills", "house", "hurst", "lake", "land", "lane", "man", "mann", "mark",
    "marsh", "meyer", "mills", "mont", "moore", "more", "more", "park", "parks", "pool", "ray",
    "ridge", "shaw", "smith", "son", "stein", "stock", "stone", "ward", "waters", "water", "well",
    "wells", "white", "win", "wood", "woods", "worth",
];

/// Beginnings behind which a capital stands within one name: `McKay`, `DeVito`, `LaToya`.
const PREFIXES: [&str; 20] = [
    "al", "ap", "da", "de", "del", "della", "des", "di", "du", "el", "fitz", "jo", "la", "le",
    "lo", "mac", "mc", "mo", "st", "van",
];

/// Given name and surname of a word that is both, in this order; parts of `word`.
pub(super) fn split(word: &str) -> Option<(&str, &str)> {
    if !word.is_ascii()
        || !(6..=30).contains(&word.len())
        || !word.bytes().all(|b| b.is_ascii_alphabetic())
    {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    if is_name(&lower) {
        return None;
    }
    at_capital(word, &lower).or_else(|| by_names(word, &lower))
}

fn is_name(lower: &str) -> bool {
    lexicon::surname_share(lower).is_some()
        || lexicon::given_share(lower).is_some()
        || !lexicon::formal_names(lower).is_empty()
}

/// `EmilyDavies`: one capital inside, and one half at least is known.
fn at_capital<'a>(word: &'a str, lower: &str) -> Option<(&'a str, &'a str)> {
    let mut capitals = word.char_indices().skip(1).filter(|(_, c)| c.is_ascii_uppercase());
    let (at, _) = capitals.next().filter(|_| word.starts_with(|c: char| c.is_ascii_uppercase()))?;
    let (first, second) = lower.split_at(at);
    if capitals.next().is_some() || first.len() < 3 || second.len() < 3 || PREFIXES.contains(&first)
    {
        return None;
    }
    let (left, right) = word.split_at(at);
    let forward = likely(first, second);
    let backward = likely(second, first);
    match () {
        () if forward > backward => Some((left, right)),
        () if backward > forward => Some((right, left)),
        () => None,
    }
}

/// How likely a given name and a surname are, to compare the two orders; 0 where neither is known.
fn likely(given: &str, surname: &str) -> f64 {
    const UNLISTED: f64 = 1e-6;
    let shares = (lexicon::given_share(given), lexicon::surname_share(surname));
    if shares == (None, None) {
        return 0.0;
    }
    shares.0.unwrap_or(UNLISTED) * shares.1.unwrap_or(UNLISTED)
}

/// `emilydavies`, `daviesemily`: both are common names, and no other cut gives two.
fn by_names<'a>(word: &'a str, lower: &str) -> Option<(&'a str, &'a str)> {
    let mut found = None;
    for at in 4..=lower.len().checked_sub(4)? {
        let (first, second) = lower.split_at(at);
        let (left, right) = word.split_at(at);
        for (given, surname, cut) in
            [(first, second, (left, right)), (second, first, (right, left))]
        {
            if is_both(given, surname) {
                if found.is_some() {
                    return None;
                }
                found = Some(cut);
            }
        }
    }
    found
}

fn is_both(given: &str, surname: &str) -> bool {
    let common = |share: Option<f64>, least: f64| share.is_some_and(|share| share >= least);
    common(lexicon::given_share(given), COMMON_GIVEN)
        && common(lexicon::surname_share(surname), COMMON_SURNAME)
        && !ENDINGS.contains(&surname)
        && !ENDINGS.contains(&given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glued_names_are_parted() {
        for (word, want) in [
            ("emilydavies", Some(("emily", "davies"))),
            ("daviesemily", Some(("emily", "davies"))),
            ("EmilyDavies", Some(("Emily", "Davies"))),
            ("DaviesEmily", Some(("Emily", "Davies"))),
            ("JOHNTHOMPSON", Some(("JOHN", "THOMPSON"))),
            ("patriciawilliams", Some(("patricia", "williams"))),
            ("ZoltanKovacs", Some(("Zoltan", "Kovacs"))),
            ("JohnKowalczykowski", Some(("John", "Kowalczykowski"))),
            ("stockdale", None),
            ("Stockdale", None),
            ("annwood", None),
            ("rosewood", None),
            ("MacDonald", None),
            ("McAllister", None),
            ("DeVito", None),
            ("LaToya", None),
            ("vandenberg", None),
            ("fitzgerald", None),
            ("johnson", None),
            ("maryann", None),
            ("annamaria", None),
            ("christopher", None),
            ("jo", None),
            ("", None),
            ("Зоя", None),
        ] {
            assert_eq!(split(word), want, "{word}");
        }
    }

    /// Each listed surname, taken for unknown, stays whole: what is parted would be a real name cut in two.
    #[test]
    fn real_surnames_stay_whole() {
        let names: Vec<&str> = include_str!("../data/surnames.txt")
            .lines()
            .filter_map(|line| line.split(' ').next())
            .filter(|name| name.len() >= 6)
            .collect();
        let parted: Vec<&&str> =
            names.iter().filter(|name| by_names(name, name).is_some()).collect();
        assert!(
            parted.len() * 1000 <= names.len(),
            "{} of {}: {parted:?}",
            parted.len(),
            names.len()
        );
    }
}
