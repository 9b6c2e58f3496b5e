//! Which characters does a value really hold, and which of them count?
//!
//! `clean` gives the text as a person would write it (encoding repaired, composed, white space
//! single); `latin` its lower-case ASCII spelling; `words` and `code` the two forms that are
//! compared. German umlauts fold to the bare vowel: a typed `ue` stays, since `Manuel` and `Samuel`
//! are names; `mueller` and `muller` are one edit apart, which the scorer forgives.

use std::borrow::Cow;

use deunicode::deunicode_char;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use super::script;

/// Longer values are no names or addresses, and would make comparing them slow.
pub(super) const VALUE_BYTES_MAX: usize = 512;

/// A value as a person would write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clean<'a> {
    /// Composed, without control characters; white space is single, none at the ends.
    pub text: Cow<'a, str>,
    /// Whether a wrong decoding was undone.
    pub repaired: bool,
}

/// Undoes wrong decodings, composes, and tidies white space. Line ends become `, ` where `lines` is
/// set.
pub(super) fn clean(raw: &str, lines: Lines) -> Clean<'_> {
    if is_tidy(raw) {
        return Clean { text: Cow::Borrowed(raw), repaired: false };
    }
    let decoded = redecode(raw).or_else(|| redecode(raw.trim()));
    let repaired = decoded.is_some();
    let source = decoded.as_deref().unwrap_or(raw);
    // What stands between a letter and its accent and is not seen would keep them apart.
    let seen = || source.chars().filter(|c| c.is_whitespace() || !is_invisible(*c));
    let composed = match is_nfkc_quick(seen()) {
        IsNormalized::Yes => Cow::Borrowed(source),
        _ => Cow::Owned(seen().nfkc().collect()),
    };
    Clean { text: Cow::Owned(tidy(&composed, lines)), repaired }
}

/// What a line end in a value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// White space.
    Join,
    /// The end of a part, as in an address.
    Part,
}

fn is_tidy(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    raw.is_ascii()
        && bytes.iter().all(|b| (b' '..=b'~').contains(b))
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ')
        && !raw.contains("  ")
}

fn tidy(text: &str, lines: Lines) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut space, mut part) = (false, false);
    for c in text.chars() {
        if c.is_whitespace() {
            space = true;
            part |= lines == Lines::Part && matches!(c, '\n' | '\r' | '\u{2028}');
        } else if !is_invisible(c) {
            if space && !out.is_empty() {
                out.push_str(if part && !out.ends_with(',') { ", " } else { " " });
            }
            (space, part) = (false, false);
            out.push(c);
        }
    }
    out
}

/// Characters that have no width and no meaning in a value.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fffd}')
}

/// Undoes UTF-8 read as Latin-1 or Windows-1252 (`JosÃ©`). None unless the whole text reads as
/// UTF-8 that way, which happens by chance to no real word.
fn redecode(text: &str) -> Option<String> {
    if !text.chars().any(|c| matches!(c, '\u{c2}'..='\u{f4}')) {
        return None;
    }
    let bytes: Vec<u8> = text.chars().map(western_byte).collect::<Option<_>>()?;
    String::from_utf8(bytes).ok()
}

/// The byte that Latin-1 or Windows-1252 reads as `c`.
fn western_byte(c: char) -> Option<u8> {
    if let Ok(byte) = u8::try_from(u32::from(c)) {
        return Some(byte);
    }
    const HIGH: [char; 27] = [
        '€', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 'Ž', '‘', '’', '“', '”', '•',
        '–', '—', '˜', '™', 'š', '›', 'œ', 'ž', 'Ÿ',
    ];
    const BYTES: [u8; 27] = [
        0x80, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8e, 0x91, 0x92,
        0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9e, 0x9f,
    ];
    HIGH.iter().position(|&high| high == c).map(|at| BYTES[at])
}

/// The lower-case ASCII spelling of a text in any script; pictures and what has no spelling fall
/// out.
pub(super) fn latin(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfkc().collect();
    let mut out = String::with_capacity(composed.len());
    let mut rest = composed.as_str();
    while let Some(c) = rest.chars().next() {
        if let Some((spelt, after)) = script::spell_beginning(rest) {
            out.push_str(&spelt);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else if !is_picture(c)
            && let Some(spelling) = deunicode_char(c)
        {
            out.extend(spelling.chars().map(|s| s.to_ascii_lowercase()));
        }
    }
    out
}

/// Emoji and symbols, whose "spelling" is their English name.
fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x2190..=0x2bff | 0x1f000..=0x1faff | 0xfe00..=0xfe0f | 0xfffc | 0xfffd)
}

/// Lower-case letters and digits in words, single spaces between them.
pub(super) fn words(text: &str) -> String {
    let folded = latin(text);
    let mut out = String::with_capacity(folded.len());
    for word in folded.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Lower-case letters and digits only.
pub(super) fn code(text: &str) -> String {
    let mut folded = latin(text);
    folded.retain(|c| c.is_ascii_alphanumeric());
    folded
}

/// Words that say "nothing here" in any field, as [`code`] writes them.
const NOTHING: [&str; 30] = [
    "anon",
    "anonym",
    "anonymous",
    "blank",
    "empty",
    "inconnu",
    "missing",
    "na",
    "nan",
    "nil",
    "nodata",
    "none",
    "notapplicable",
    "notavailable",
    "notgiven",
    "notknown",
    "notprovided",
    "null",
    "private",
    "refused",
    "restricted",
    "tba",
    "tbc",
    "tbd",
    "unavailable",
    "unbekannt",
    "undefined",
    "unknown",
    "withheld",
    "xxx",
];

/// Whether a whole value says "nothing here": one of the usual words, or no letter and no digit at
/// all.
pub(super) fn says_nothing(value: &str) -> bool {
    let code = code(value);
    code.is_empty() || NOTHING.binary_search(&code.as_str()).is_ok()
}

/// Whether a code is one character over and over (`0000`, `xxxx`).
pub(super) fn is_monotone(code: &str) -> bool {
    let first = code.bytes().next();
    code.bytes().all(|b| Some(b) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, text: &str, repaired: bool) {
        let got = clean(raw, Lines::Join);
        assert_eq!((&*got.text, got.repaired), (text, repaired), "{raw:?}");
    }

    #[test]
    fn wrong_decodings_are_undone() {
        check("JosÃ©", "José", true);
        check("MÃ¼ller\u{a0}", "Müller", true);
        check("\u{c3}\u{89}lodie", "Élodie", true);
        check("Ã‰lodie", "Élodie", true);
        check("Ð\u{9e}Ð»ÐµÐ½Ð°", "Олена", true);
        check("São João", "São João", false);
        check("Ångström", "Ångström", false);
    }

    #[test]
    fn composes_and_tidies() {
        check("Jose\u{301}", "José", false);
        check("  Anna \u{a0} Maria\t", "Anna Maria", false);
        check("ｊａｎｅ", "jane", false);
        check("a\u{200b}b\u{0}", "ab", false);
        assert_eq!(clean("1 High St\nLeeds,\r\nLS6", Lines::Part).text, "1 High St, Leeds, LS6");
    }

    #[test]
    fn spells_in_latin() {
        for (raw, want) in [
            ("Müller", "muller"),
            ("Größmann", "grossmann"),
            ("Ayşe Yılmaz", "ayse yilmaz"),
            ("Björk", "bjork"),
            ("Łukasz", "lukasz"),
            ("Олександр", "oleksandr"),
            ("Γιώργος", "giorgos"),
            ("Jo😀hn", "john"),
            ("Søren", "soren"),
        ] {
            assert_eq!(latin(raw), want, "{raw}");
        }
    }

    #[test]
    fn knows_nothing_words() {
        assert!(NOTHING.is_sorted());
        for value in ["N/A", "-", "", "unknown", "???", "Not Provided"] {
            assert!(says_nothing(value), "{value}");
        }
        assert!(!says_nothing("Nanette"));
    }
}
