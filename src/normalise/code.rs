//! Which identifier, letter or plain text does a field hold?
//!
//! Identifiers (cookie, device, card, loyalty, government) are compared as their letters and digits
//! alone, so that `1234-5678` and `12345678` are one. Free texts keep their words.

use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

use super::text::{code, is_monotone, says_nothing, words};
use super::value_of;

const CODES: [(RawField, Field); 5] = [
    (RawField::GovernmentId, Field::GovernmentId),
    (RawField::Loyalty, Field::Loyalty),
    (RawField::Cookie, Field::Cookie),
    (RawField::Device, Field::Device),
    (RawField::Card, Field::Card),
];

/// Reads identifiers, gender and occupation of a record.
pub(super) fn read(raw: &RawIdentity, out: &mut Normalised) {
    for (raw_field, field) in CODES {
        if let Some(value) = value_of(raw, raw_field, field, out) {
            put(field, identifier(value), out);
        }
    }
    if let Some(value) = value_of(raw, RawField::Gender, Field::Gender, out) {
        put(Field::Gender, gender(value), out);
    }
    if let Some(value) = value_of(raw, RawField::Occupation, Field::Occupation, out) {
        put(Field::Occupation, plain(value), out);
    }
}

fn put(field: Field, value: Option<String>, out: &mut Normalised) {
    match value {
        Some(value) => out.identity.set(field, &value),
        None => out.issues.push(Issue::Placeholder(field)),
    }
}

/// An identifier's lower-case letters and digits; None for a placeholder (`0000`, `unknown`,
/// `123456789`).
pub fn identifier(raw: &str) -> Option<String> {
    let code = code(raw);
    let counted = "1234567890".starts_with(&code) && code.len() >= 6;
    let nothing = says_nothing(&code) || is_monotone(&code) || counted || code == "test";
    (!nothing).then_some(code)
}

/// `m`, `f`, or the first letter of what else stands there; None for a placeholder.
pub fn gender(raw: &str) -> Option<String> {
    let code = code(raw);
    if says_nothing(&code) {
        return None;
    }
    let letter = match code.as_str() {
        "hombre" | "homme" | "maschio" | "mann" | "mr" | "herr" => "m",
        "femme" | "female" | "frau" | "mrs" | "ms" | "miss" | "mujer" => "f",
        // `w` is weiblich and woman.
        other if other.starts_with('w') => "f",
        other => other.get(..1)?,
    };
    // `u` is unknown, unspecified, undisclosed.
    let is_letter = letter != "u" && letter.bytes().all(|b| b.is_ascii_lowercase());
    is_letter.then(|| letter.to_owned())
}

/// A free text's words; None for a placeholder.
pub fn plain(raw: &str) -> Option<String> {
    let words = words(raw);
    (!says_nothing(&words)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_letters_and_digits() {
        for (raw, want) in [
            ("1234-5678-9999", Some("123456789999")),
            ("AB cd_01", Some("abcd01")),
            ("00000000-0000-0000-0000-000000000000", None),
            ("0", None),
            ("unknown", None),
            ("999999999", None),
            ("123456789", None),
            ("--", None),
            ("0000012", Some("0000012")),
        ] {
            assert_eq!(identifier(raw).as_deref(), want, "{raw}");
        }
    }

    #[test]
    fn genders_are_a_letter() {
        for (raw, want) in [
            ("Male", Some("m")),
            ("M", Some("m")),
            ("weiblich", Some("f")),
            ("female", Some("f")),
            ("Divers", Some("d")),
            ("X", Some("x")),
            ("unknown", None),
            ("0", None),
        ] {
            assert_eq!(gender(raw).as_deref(), want, "{raw}");
        }
    }

    #[test]
    fn texts_keep_their_words() {
        assert_eq!(plain("  Civil-Engineer (ret.) ").as_deref(), Some("civil engineer ret"));
        assert_eq!(plain("n/a"), None);
    }
}
