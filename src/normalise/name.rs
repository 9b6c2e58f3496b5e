//! Which names does a person's name hold?
//!
//! Given name and surname come out as one token each, `a`–`z`: `Mary-Jane` is `maryjane`, `O'Brien`
//! is `obrien`, titles and suffixes are gone. A full name is split (`SMITH/JOHN`, `Smith, John`,
//! `Dr John M. Smith Jr`); its middle words become name tokens. Particles (`la`, `der`) stay with
//! the surname that follows, so that `Anna von der Heide` and the column `von der Heide` agree. A
//! lone word is a surname. Deliberately absent: guessing the order of `Smith John`; the scorer
//! compares names crosswise.

use std::collections::BTreeSet;

use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

use super::text::{Lines, clean, latin};
use super::value_of;

/// Words that are no part of a name: titles, ranks, suffixes, and the particles that people leave
/// out.
const TITLES: [&str; 61] = [
    "10th",
    "1st",
    "2nd",
    "3rd",
    "4th",
    "5th",
    "6th",
    "7th",
    "8th",
    "9th",
    "and",
    "baron",
    "baronet",
    "capt",
    "count",
    "de",
    "dr",
    "duke",
    "earl",
    "esq",
    "frau",
    "herr",
    "ii",
    "iii",
    "iv",
    "jnr",
    "jr",
    "lady",
    "lord",
    "madame",
    "marquess",
    "miss",
    "mister",
    "mlle",
    "mme",
    "monsieur",
    "mr",
    "mrs",
    "ms",
    "mx",
    "of",
    "phd",
    "prof",
    "professor",
    "rev",
    "reverend",
    "saint",
    "sgt",
    "sir",
    "snr",
    "sr",
    "sra",
    "srta",
    "st",
    "the",
    "und",
    "van",
    "vi",
    "viii",
    "viscount",
    "von",
];

/// Words that belong to the surname after them and are no name of their own.
const PARTICLES: [&str; 23] = [
    "al", "bin", "binti", "da", "dal", "de", "del", "della", "den", "der", "di", "dos", "du", "el",
    "ibn", "la", "las", "le", "les", "lo", "los", "ten", "ter",
];

/// Tokens that stand where a name should and are none.
const PLACEHOLDERS: [&str; 37] = [
    "admin",
    "anon",
    "anonymous",
    "cash",
    "cashcustomer",
    "cashsale",
    "client",
    "customer",
    "fname",
    "guest",
    "inconnu",
    "lname",
    "na",
    "nan",
    "noname",
    "none",
    "notgiven",
    "notprovided",
    "null",
    "person",
    "retailcustomer",
    "shopper",
    "tba",
    "tbc",
    "tbd",
    "test",
    "tester",
    "testing",
    "unbekannt",
    "unknown",
    "user",
    "valuedcustomer",
    "visitor",
    "walkin",
    "x",
    "xx",
    "xxx",
];

/// One name: what is compared, and how its bearer writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// `a`–`z`, not empty.
    pub token: String,
    /// In its own script and case.
    pub shown: String,
}

/// What a full name holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FullName {
    /// The given name.
    pub given: Option<Name>,
    /// The surname.
    pub surname: Option<Name>,
    /// Middle names and the words of compound names, each `a`–`z` and longer than one letter.
    pub tokens: BTreeSet<String>,
}

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoName {
    /// It says "nothing here".
    Placeholder,
    /// It holds no letters but titles.
    Unreadable,
}

/// Reads the name fields of a record.
pub(super) fn read(raw: &RawIdentity, out: &mut Normalised) {
    let mut tokens = BTreeSet::new();
    let parts = [(RawField::GivenName, Field::Given), (RawField::Surname, Field::Surname)];
    for (raw_field, field) in parts {
        let Some(value) = value_of(raw, raw_field, field, out) else { continue };
        let text = clean(value, Lines::Join);
        match part(&text.text) {
            Ok(name) => {
                tokens.extend(part_tokens(&text.text));
                set(out, field, name);
                repaired(text.repaired, field, out);
            }
            Err(why) => out.issues.push(issue(why, field)),
        }
    }
    if let Some(value) = value_of(raw, RawField::MiddleName, Field::Given, out) {
        tokens.extend(all_tokens(&clean(value, Lines::Join).text));
    }
    if let Some(value) = value_of(raw, RawField::FullName, Field::Surname, out) {
        let text = clean(value, Lines::Join);
        let named = [Field::Given, Field::Surname].map(|f| out.identity.value(f).is_some());
        match full(&text.text) {
            Ok(_) if named != [false, false] => tokens.extend(all_tokens(&text.text)),
            Ok(name) => {
                tokens.extend(name.tokens);
                name.given.into_iter().for_each(|n| set(out, Field::Given, n));
                name.surname.into_iter().for_each(|n| set(out, Field::Surname, n));
                repaired(text.repaired, Field::Surname, out);
            }
            Err(why) => out.issues.push(issue(why, Field::Surname)),
        }
    }
    let [given, surname] = [Field::Given, Field::Surname].map(|f| out.identity.value(f));
    tokens.retain(|t| Some(t.as_str()) != given && Some(t.as_str()) != surname);
    out.identity.name_tokens = tokens.into_iter().map(Into::into).collect();
}

fn set(out: &mut Normalised, field: Field, name: Name) {
    out.identity.set(field, &name.token);
    match field {
        Field::Given => out.presented.given = Some(name.shown),
        _ => out.presented.surname = Some(name.shown),
    }
}

fn issue(why: NoName, field: Field) -> Issue {
    match why {
        NoName::Placeholder => Issue::Placeholder(field),
        NoName::Unreadable => Issue::Unreadable(field),
    }
}

fn repaired(repaired: bool, field: Field, out: &mut Normalised) {
    if repaired {
        out.issues.push(Issue::Repaired(field));
    }
}

/// Reads a given name or a surname that stands alone; all its words are one token.
///
/// **Errors:** why it is no name.
pub fn part(text: &str) -> Result<Name, NoName> {
    let words = words(text);
    let token: String = words.iter().map(|w| w.letters.as_str()).collect();
    if token.is_empty() {
        let nothing = !text.chars().any(char::is_alphanumeric);
        return Err(if nothing { NoName::Placeholder } else { NoName::Unreadable });
    }
    if is_placeholder(&token) || words.iter().all(|w| is_placeholder(&w.letters)) {
        return Err(NoName::Placeholder);
    }
    // Letters that only glued together make a title would be one when read again.
    if TITLES.binary_search(&token.as_str()).is_ok() {
        return Err(NoName::Unreadable);
    }
    Ok(Name { token, shown: shown(text) })
}

/// Splits a full name.
///
/// **Errors:** why it is no name.
pub fn full(text: &str) -> Result<FullName, NoName> {
    let whole = part(text)?;
    if let Some((surname, given)) = turned(text) {
        let first = given.split(' ').find(|w| !words(w).is_empty()).unwrap_or_default();
        let mut name = FullName {
            given: part(first).ok(),
            surname: part(surname).ok(),
            tokens: all_tokens(text),
        };
        name.drop_own_tokens();
        return Ok(name);
    }
    let all: Vec<&str> = text.split(' ').collect();
    // Particles count only between other words; titles count nowhere.
    let at: Vec<usize> = (0..all.len()).filter(|&i| !words(all[i]).is_empty()).collect();
    let (Some(&first), Some(&last)) = (at.first(), at.last()) else {
        return Ok(FullName { surname: Some(whole), ..FullName::default() });
    };
    let mut start = last;
    while start > first + 1 && is_particle(all[start - 1]) {
        start -= 1;
    }
    let given = if first == last { None } else { part(all[first]).ok() };
    let surname = part(&all[start..=last].join(" ")).ok();
    let mut name = FullName { given, surname, tokens: all_tokens(text) };
    name.drop_own_tokens();
    Ok(name)
}

impl FullName {
    fn drop_own_tokens(&mut self) {
        let own = [&self.given, &self.surname];
        self.tokens.retain(|t| own.iter().all(|n| n.as_ref().is_none_or(|n| n.token != *t)));
    }
}

/// `SMITH/JOHN` and `Smith, John`: surname and given name; not `John Smith, Jr`.
fn turned(text: &str) -> Option<(&str, &str)> {
    let (surname, given) = text.split_once(',').or_else(|| text.split_once('/'))?;
    (!words(surname).is_empty() && !words(given).is_empty()).then_some((surname, given))
}

/// One word of a name, split at spaces and hyphens.
struct Word<'a> {
    /// `a`–`z`; empty for what is no name.
    letters: String,
    raw: &'a str,
    /// Where `raw` begins in the text.
    at: usize,
    is_title: bool,
}

fn is_break(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn all_words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut next = 0;
    text.split_inclusive(is_break).map(move |piece| {
        let at = next;
        next += piece.len();
        let raw = piece.trim_end_matches(is_break);
        let mut letters = latin(raw);
        letters.retain(|c| c.is_ascii_alphanumeric());
        // People called Earl outnumber the earls.
        let is_earl =
            at == 0 && matches!(letters.as_str(), "earl" | "duke") && !text.contains(" of ");
        let is_title = !is_earl && TITLES.binary_search(&letters.as_str()).is_ok();
        letters.retain(|c| c.is_ascii_lowercase() && !is_title);
        Word { letters, raw, at, is_title }
    })
}

/// The words of a name that are neither titles nor numbers.
fn words(text: &str) -> Vec<Word<'_>> {
    all_words(text).filter(|word| !word.letters.is_empty()).collect()
}

/// A particle, or a title that stands before one (`von der`, `de la`).
fn is_particle(word: &str) -> bool {
    let letters = latin(word);
    let letters = letters.trim_matches(|c: char| !c.is_ascii_lowercase());
    PARTICLES.binary_search(&letters).is_ok() || matches!(letters, "von" | "van")
}

fn is_placeholder(token: &str) -> bool {
    PLACEHOLDERS.binary_search(&token).is_ok()
}

/// The name as written, without titles at its ends; particles stay (`von der Heide`).
fn shown(text: &str) -> String {
    let mut kept = all_words(text)
        .filter(|word| !word.raw.is_empty() && (!word.is_title || stays_in_sight(word.raw)));
    let Some(first) = kept.next() else { return String::new() };
    let (start, last) = (first.at, kept.last().unwrap_or(first));
    let name = &text[start..last.at + last.raw.len()];
    name.trim_matches(|c: char| !c.is_alphanumeric() && c != '.').to_owned()
}

/// Words that are not compared but are written all the same.
fn stays_in_sight(word: &str) -> bool {
    let letters = latin(word);
    let letters = letters.trim_matches(|c: char| !c.is_ascii_lowercase());
    matches!(letters, "de" | "of" | "saint" | "st" | "the" | "van" | "von")
}

/// The words of a compound name; none of a simple one.
fn part_tokens(text: &str) -> BTreeSet<String> {
    let tokens = all_tokens(text);
    if tokens.len() > 1 { tokens } else { BTreeSet::new() }
}

/// Every word of a name that may be somebody's name.
fn all_tokens(text: &str) -> BTreeSet<String> {
    let split = text.split([',', '/']);
    split
        .flat_map(words)
        .map(|w| w.letters)
        .filter(|t| t.len() > 1 && PARTICLES.binary_search(&t.as_str()).is_err())
        .filter(|t| !is_placeholder(t))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, given: &str, surname: &str, tokens: &[&str]) {
        let name = full(text).unwrap_or_default();
        let of = |n: &Option<Name>| n.as_ref().map(|n| n.token.clone()).unwrap_or_default();
        let got: Vec<&str> = name.tokens.iter().map(String::as_str).collect();
        assert_eq!((&*of(&name.given), &*of(&name.surname)), (given, surname), "{text}");
        assert_eq!(got, tokens, "{text}");
    }

    #[test]
    fn lists_are_sorted() {
        assert!(TITLES.is_sorted() && PARTICLES.is_sorted() && PLACEHOLDERS.is_sorted());
    }

    #[test]
    fn full_names_are_split() {
        check("John Smith", "john", "smith", &[]);
        check("SMITH/JOHN", "john", "smith", &[]);
        check("Smith, John", "john", "smith", &[]);
        check("Smith, Mr. John", "john", "smith", &[]);
        check("John Smith, Jr.", "john", "smith", &[]);
        check("Dr. John M. Smith II", "john", "smith", &[]);
        check("Mr John Michael Smith", "john", "smith", &["michael"]);
        check("JOHN S", "john", "s", &[]);
        check("J. Smith", "j", "smith", &[]);
        check("Smith", "", "smith", &[]);
        check("Mary-Jane O'Brien", "maryjane", "obrien", &["jane", "mary"]);
        check("Anna von der Heide", "anna", "derheide", &["heide"]);
        check("HEIDE/ANNA", "anna", "heide", &[]);
        check("Jean-Luc De La Tour", "jeanluc", "latour", &["jean", "luc", "tour"]);
        check("Charles de Gaulle", "charles", "gaulle", &[]);
        check("María García López", "maria", "lopez", &["garcia"]);
        check("García López, María", "maria", "garcialopez", &["garcia", "lopez"]);
        check("佐藤 陽子", "zuoteng", "yangzi", &[]);
        check("Олена Шевченко", "olena", "shevchenko", &[]);
        check("VERYLONGSURNAMEX/CHRI", "chri", "verylongsurnamex", &[]);
    }

    #[test]
    fn placeholders_are_no_names() {
        for text in ["N/A", "Unknown", "Test Test", "CUSTOMER", "Walk In", "x", "Guest", "No Name"]
        {
            assert_eq!(full(text), Err(NoName::Placeholder), "{text}");
        }
        for text in ["-", "Cash Sale", "nan", "???", "Unknown Customer", "Test User"] {
            assert_eq!(full(text), Err(NoName::Placeholder), "{text}");
        }
        assert_eq!(full("12345"), Err(NoName::Unreadable));
        assert_eq!(full("Mr."), Err(NoName::Unreadable));
    }

    #[test]
    fn parts_are_one_token_and_shown_as_written() {
        for (text, token, as_written) in [
            ("mary ann", "maryann", "mary ann"),
            ("Zoë", "zoe", "Zoë"),
            ("Dr. Jürgen", "jurgen", "Jürgen"),
            ("von der Heide", "derheide", "von der Heide"),
            ("St. John", "john", "St. John"),
            ("Smith Jr.", "smith", "Smith"),
            ("Ken'ichi", "kenichi", "Ken'ichi"),
            ("Jo5eph", "joeph", "Jo5eph"),
        ] {
            let want = Name { token: token.into(), shown: as_written.into() };
            assert_eq!(part(text), Ok(want), "{text}");
        }
    }
}
