//! Which dead letters name a person?
//!
//! A dead letter could not be read, so nobody knows whose it is: its bytes are searched for the
//! person's identifiers, however they are written and escaped. Names alone say nothing: who has no
//! identifier in a letter cannot be told from a namesake.

use std::collections::BTreeSet;

use crate::record::{Field, Identity, Presented};

/// Texts shorter than this are in too many letters by chance.
const LETTERS_MIN: usize = 5;
/// The last digits of a phone number, which stay the same however it is written.
const PHONE_DIGITS: usize = 8;

/// The identifiers of a person.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Traits {
    /// Lower-case texts.
    texts: BTreeSet<String>,
    /// The last digits of phone numbers.
    phones: BTreeSet<String>,
}

impl Traits {
    /// Takes note of what a record says.
    pub(in crate::pipeline) fn note(&mut self, identity: &Identity, record_id: Option<&str>) {
        let named = identity.values.iter().filter(|(field, _)| field.is_identifier());
        for (field, value) in named {
            match field {
                Field::Phone => self.note_phone(value),
                _ => self.note_text(value),
            }
        }
        record_id.into_iter().for_each(|id| self.note_text(id));
    }

    /// Takes note of how a person wrote it.
    pub(in crate::pipeline) fn note_presented(&mut self, presented: &Presented) {
        presented.email.iter().for_each(|email| self.note_text(email));
        presented.phone.iter().for_each(|phone| self.note_phone(phone));
    }

    /// Takes note of an identifier.
    pub(in crate::pipeline) fn note_text(&mut self, text: &str) {
        let text = text.trim().to_lowercase();
        if text.chars().count() >= LETTERS_MIN {
            self.texts.insert(text);
        }
    }

    /// Takes note of a phone number.
    pub(in crate::pipeline) fn note_phone(&mut self, phone: &str) {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        if let Some(at) = digits.len().checked_sub(PHONE_DIGITS) {
            self.phones.insert(digits[at..].to_owned());
        }
    }

    /// Whether bytes hold one of them.
    pub(in crate::pipeline) fn are_in(&self, bytes: &[u8]) -> bool {
        let text = unescaped(&String::from_utf8_lossy(bytes)).to_lowercase();
        self.texts.iter().any(|wanted| holds_word(&text, wanted))
            || !self.phones.is_empty()
                && numbers(&text)
                    .iter()
                    .any(|number| self.phones.iter().any(|digits| number.ends_with(&**digits)))
    }
}

/// Whether a text holds another that does not go on before or behind.
fn holds_word(text: &str, wanted: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(wanted).any(|(at, _)| {
        !is_part(text[..at].chars().next_back())
            && !is_part(text[at + wanted.len()..].chars().next())
    })
}

/// The runs of digits, with what people write between the digits of one number left out.
fn numbers(text: &str) -> Vec<String> {
    let (mut numbers, mut number, mut gap) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        match c {
            '0'..='9' => {
                number.push(c);
                gap = 0;
            }
            ' ' | '-' | '.' | '/' | '(' | ')' if !number.is_empty() && gap < 3 => gap += 1,
            _ => {
                numbers.push(std::mem::take(&mut number));
                gap = 0;
            }
        }
    }
    numbers.push(number);
    numbers.retain(|number| number.len() >= PHONE_DIGITS);
    numbers
}

/// A text with what JSON and web forms escape as it was before, as far as it can be told.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '%']) {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let code = |from: usize, to: usize| {
            let digits = escape.get(from..to)?;
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        };
        let (plain, length) = if escape.starts_with("\\u") {
            (code(2, 6), 6)
        } else if escape.starts_with('%') {
            (code(1, 3).filter(char::is_ascii), 3)
        } else {
            (escape[1..].chars().next().filter(|c| "\"\\/".contains(*c)), 2)
        };
        match plain {
            Some(plain) => {
                out.push(plain);
                rest = &escape[length..];
            }
            None => {
                out.push_str(&escape[..1]);
                rest = &escape[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits() -> Traits {
        let mut identity = Identity::default();
        identity.set(Field::Email, "anna.berg@example.org");
        identity.set(Field::Phone, "+46701234567");
        identity.set(Field::Loyalty, "l-77812");
        identity.set(Field::Given, "anna");
        let mut traits = Traits::default();
        traits.note(&identity, Some("C-1009"));
        traits.note_presented(&Presented {
            email: Some("Anna.Berg+shop@example.org".into()),
            ..Presented::default()
        });
        traits
    }

    #[test]
    fn letters_that_name_a_person_are_found_however_they_write_it() {
        for letter in [
            r#"{"email": "anna.berg@example.org", "ts": }"#,
            r#"{"email": "ANNA.BERG@Example.ORG"}"#,
            r#"{"email": "anna.berg\u0040example.org"}"#,
            "email=anna.berg%40example.org&x=1",
            "anna.berg+shop@example.org",
            r#"{"caller": "070-123 45 67"}"#,
            r#"{"caller": "+46 (0)70/123.45.67"}"#,
            r#"{"caller": 46701234567}"#,
            r#"<card>L-77812</card>"#,
            "\"C-1009\"",
            "\u{1}\u{2}c-1009",
        ] {
            assert!(traits().are_in(letter.as_bytes()), "{letter}");
        }
        let raw = [b"\xff\xfe anna.berg@example.org ".as_slice(), &[0; 9]].concat();
        assert!(traits().are_in(&raw), "beside bytes that are no text");
    }

    #[test]
    fn letters_of_others_are_left_alone() {
        for letter in [
            r#"{"email": "joanna.berg@example.org"}"#,
            r#"{"email": "anna.berg@example.organic"}"#,
            r#"{"name": "anna"}"#,
            r#"{"caller": "070-123 45 68"}"#,
            r#"{"loyalty": "L-778123"}"#,
            "100%",
            "\\",
            "",
        ] {
            assert!(!traits().are_in(letter.as_bytes()), "{letter}");
        }
    }

    #[test]
    fn short_identifiers_find_nothing() {
        let mut traits = Traits::default();
        traits.note_text("a1");
        traits.note_phone("112");
        assert!(!traits.are_in(b"a1 112"));
    }
}
