//! Which words of a name are names, and which are titles, particles or nothing?

use std::collections::BTreeSet;

use crate::normalise::text::latin;

use super::asides::is_marker;
use super::native;

/// Words that are no part of a name: titles, ranks, suffixes, and the particles that people leave out.
const TITLES: &[&str] = &[
    "and",
    "baron",
    "baroness",
    "baronet",
    "bt",
    "capt",
    "captain",
    "cllr",
    "cmdr",
    "col",
    "comtesse",
    "count",
    "countess",
    "cpl",
    "cpt",
    "dame",
    "dds",
    "de",
    "decd",
    "deceased",
    "dhr",
    "dipl",
    "dott",
    "dottoressa",
    "dottssa",
    "dr",
    "dra",
    "drs",
    "duchess",
    "duke",
    "dvm",
    "earl",
    "esq",
    "esquire",
    "frau",
    "freiherr",
    "fru",
    "habil",
    "herr",
    "herrn",
    "hr",
    "ii",
    "iii",
    "iv",
    "ix",
    "jnr",
    "jr",
    "junior",
    "lady",
    "lieut",
    "lieutenant",
    "lord",
    "lt",
    "ltcol",
    "madam",
    "madame",
    "marchioness",
    "marquess",
    "maulana",
    "meneer",
    "mevr",
    "mevrouw",
    "miss",
    "missus",
    "mister",
    "mlle",
    "mme",
    "monsieur",
    "mr",
    "mrs",
    "ms",
    "mstr",
    "mx",
    "obe",
    "of",
    "phd",
    "pres",
    "prof",
    "profa",
    "professeur",
    "professor",
    "reichsfreiherr",
    "rev",
    "revd",
    "reverend",
    "saint",
    "senhor",
    "senhora",
    "senor",
    "senora",
    "senorita",
    "sgt",
    "shri",
    "signor",
    "signora",
    "signore",
    "signorina",
    "sir",
    "smt",
    "snr",
    "sr",
    "sra",
    "srta",
    "st",
    "the",
    "und",
    "van",
    "vi",
    "vicomte",
    "vii",
    "viii",
    "viscount",
    "viscountess",
    "vom",
    "von",
    "xii",
    "xiv",
    "xvi",
    "zur",
];

/// Ranks and offices that are also names: titles only before two names or more.
const RANKS: &[&str] = &[
    "admiral",
    "archbishop",
    "bishop",
    "brigadier",
    "cardinal",
    "chancellor",
    "colonel",
    "commander",
    "general",
    "major",
    "president",
    "princess",
    "sergeant",
];

/// Titles that are also names, and so need their dot.
const DOTTED: &[&str] = &[
    "adv", "arch", "avv", "fr", "gen", "geom", "gov", "hon", "ing", "jur", "mag", "maj", "med",
    "nat", "phil", "rag", "rer", "sen", "sig",
];

/// Words that belong to the surname after them and are no name of their own.
const PARTICLES: &[&str] = &[
    "abu", "af", "al", "bin", "bint", "binte", "binti", "da", "dal", "dalla", "dalle", "das", "de",
    "degli", "dei", "del", "della", "delle", "dello", "den", "der", "des", "di", "do", "dos", "du",
    "el", "ibn", "la", "las", "le", "les", "lo", "los", "mac", "mc", "san", "santa", "ten", "ter",
    "van", "vande", "vander", "vom", "von", "zu", "zum",
];

/// Tokens that stand where a name should and are none.
const PLACEHOLDERS: &[&str] = &[
    "admin",
    "anon",
    "anonymous",
    "asdf",
    "babyboy",
    "babygirl",
    "cash",
    "cashcustomer",
    "cashsale",
    "client",
    "customer",
    "dummy",
    "firstname",
    "fname",
    "fnu",
    "forename",
    "givenname",
    "guest",
    "inconnu",
    "lastname",
    "lname",
    "lnu",
    "na",
    "nan",
    "nfn",
    "nln",
    "nmn",
    "noname",
    "none",
    "notgiven",
    "notprovided",
    "null",
    "person",
    "qwerty",
    "retailcustomer",
    "sample",
    "shopper",
    "surname",
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

/// One word of a name, split at spaces and hyphens.
pub(super) struct Word<'a> {
    /// `a`–`z`; empty for what is no name.
    pub letters: String,
    pub raw: &'a str,
    /// Where `raw` begins in the text.
    pub at: usize,
    pub is_title: bool,
}

fn is_break(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn all_words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut next = 0;
    let names = text.split(is_break).filter(|word| word.chars().any(char::is_alphabetic)).count();
    text.split_inclusive(is_break).map(move |piece| {
        let at = next;
        next += piece.len();
        let raw = piece.trim_end_matches(is_break);
        let mut letters = spelling(raw);
        letters.retain(|c| c.is_ascii_alphanumeric());
        // People called Earl outnumber the earls.
        let is_earl = at == 0 && is_noble_name(&letters) && !text.contains(" of ");
        let dotted = raw.ends_with('.') && at + piece.len() < text.len();
        let rank = at == 0 && names > 2 && RANKS.binary_search(&letters.as_str()).is_ok();
        let is_title = !is_earl
            && (is_title(&letters) || rank || (dotted && DOTTED.binary_search(&&*letters).is_ok()));
        letters.retain(|c| c.is_ascii_lowercase() && !is_title);
        Word { letters, raw, at, is_title }
    })
}

/// A title of nobility that is a given name too.
pub(super) fn is_noble_name(letters: &str) -> bool {
    matches!(letters, "duke" | "earl")
}

/// A word's letters in `a`–`z`, with what else stands there.
pub(super) fn spelling(raw: &str) -> String {
    match native::spelling(raw) {
        Some(known) => known.to_owned(),
        None => latin(raw),
    }
}

/// Whether a word that stands anywhere is no name, `1st` and `20th` too.
pub(super) fn is_title(letters: &str) -> bool {
    let number = letters.trim_start_matches(|c: char| c.is_ascii_digit());
    TITLES.binary_search(&letters).is_ok()
        || (number.len() < letters.len() && matches!(number, "st" | "nd" | "rd" | "th"))
}

/// The words of a name that are neither titles nor numbers.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    all_words(text).filter(|word| !word.letters.is_empty()).collect()
}

/// Whether a text holds a word of a name.
pub(super) fn has_word(text: &str) -> bool {
    all_words(text).any(|word| !word.letters.is_empty())
}

/// A particle, or a title that stands before one (`von der`, `de la`).
pub(super) fn is_particle(word: &str) -> bool {
    let letters = latin(word);
    let letters = letters.trim_matches(|c: char| !c.is_ascii_lowercase());
    // `van 't Hof`, but `John T. Hof`.
    let article = letters == "t" && word.starts_with(['\'', '\u{2019}']);
    article || PARTICLES.binary_search(&letters).is_ok() || matches!(letters, "st" | "saint")
}

pub(super) fn is_placeholder(token: &str) -> bool {
    PLACEHOLDERS.binary_search(&token).is_ok()
}

/// The name as written, without titles at its ends; particles stay (`von der Heide`).
pub(super) fn shown(text: &str) -> String {
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
    matches!(letters, "de" | "of" | "saint" | "st" | "the" | "van" | "vom" | "von" | "zur")
}

/// Every word of a name that may be somebody's name.
pub(super) fn all_tokens(text: &str) -> BTreeSet<String> {
    let split = text.split([',', '/', '(', ')', '[', ']', '"', '\u{201c}', '\u{201d}', '\u{30fb}']);
    split
        .flat_map(words)
        .map(|w| w.letters)
        .filter(|t| t.len() > 1 && PARTICLES.binary_search(&t.as_str()).is_err())
        .filter(|t| !is_placeholder(t) && !is_marker(t))
        .collect()
}

/// A surname with the particles that are not compared, as those write it who write one word: `vandyke`, `stjohn`.
pub(super) fn glued_with_particles(surname: &str) -> Option<String> {
    let all: Vec<Word<'_>> = all_words(surname).collect();
    let start = all.iter().position(|word| stays_in_sight(word.raw) && word.is_title)?;
    let mut glued: String = all[start..].iter().map(|word| latin(word.raw)).collect();
    glued.retain(|c| c.is_ascii_lowercase());
    let names: usize = all[start..].iter().map(|word| word.letters.len()).sum();
    (names > 1 && glued.len() > names).then_some(glued)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        for list in [TITLES, RANKS, DOTTED, PARTICLES, PLACEHOLDERS] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }
}
