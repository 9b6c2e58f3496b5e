//! Which texts may be secret, and how is a text shown without them?
//!
//! Whatever came from a variable or a file, and whatever stands in `options`; but not the place of the state or of the
//! tables, unless it holds credentials. In their place stands where they came from: `${KAFKA_PASSWORD}`,
//! `<publish.options.endpoint>`.

use std::fmt;

/// Shorter texts are no secrets, and would be found by chance in words that mean something else.
const LENGTH_MIN: usize = 6;

/// Texts that are not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The longest first.
    texts: Vec<Secret>,
}

#[derive(Clone, PartialEq, Eq)]
struct Secret {
    text: String,
    instead: String,
    /// Whether it counts as a word of its own only.
    is_word: bool,
}

impl Secret {
    /// Whether it stands at the beginning of `rest`, with `before` in front of it.
    fn is_at(&self, before: Option<char>, rest: &str) -> bool {
        let Some(after) = rest.strip_prefix(self.text.as_str()) else { return false };
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !self.is_word || !(is_letter(before) || is_letter(after.chars().next()))
    }
}

impl Secrets {
    /// Takes note of a text that shall not be shown, but `instead` of it.
    pub(super) fn add(&mut self, text: &str, instead: &str) {
        self.put(text, instead, false);
    }

    /// The same of a text that may be a part of other words by chance.
    pub(super) fn add_word(&mut self, text: &str, instead: &str) {
        // A user of this name is no secret, and it stands in the commands that we tell of.
        if text != env!("CARGO_PKG_NAME") {
            self.put(text, instead, true);
        }
    }

    fn put(&mut self, text: &str, instead: &str, is_word: bool) {
        // As texts are written within quotes, too.
        let quoted = format!("{text:?}");
        let escaped = &quoted[1..quoted.len() - 1];
        for text in [text.trim(), escaped.trim()] {
            if text.len() >= LENGTH_MIN && self.texts.iter().all(|known| known.text != text) {
                let (text, instead) = (text.to_owned(), instead.to_owned());
                self.texts.push(Secret { text, instead, is_word });
            }
        }
        self.texts
            .sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
    }

    /// The text without the secrets that stand in it.
    pub fn hidden_in(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let before = text[..text.len() - rest.len()].chars().next_back();
            if let Some(secret) = self.texts.iter().find(|secret| secret.is_at(before, rest)) {
                shown.push_str(&secret.instead);
                rest = &rest[secret.text.len()..];
            } else {
                shown.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        shown
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.texts.iter().map(|secret| &secret.instead)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_secret_counts_and_short_texts_are_none() {
        let mut secrets = Secrets::default();
        secrets.add("hunter2", "${A}");
        secrets.add("hunter2-hunter2", "${B}");
        secrets.add("row", "${C}");
        secrets.add("quo\"ted", "${D}");
        secrets.add("", "${E}");
        assert_eq!(secrets.hidden_in("hunter2-hunter2hunter2 a row"), "${B}${A} a row");
        assert_eq!(secrets.hidden_in("ü quo\"ted quo\\\"ted"), "ü ${D} ${D}");
        assert_eq!(format!("{secrets:?}"), r#"{"${B}", "${D}", "${A}", "${D}"}"#);
        secrets.add_word("eu-west-1", "<region>");
        secrets.add_word("onefold", "<user>");
        assert_eq!(
            secrets.hidden_in("xeu-west-1 eu-west-12 eu-west-1/"),
            "xeu-west-1 eu-west-12 <region>/"
        );
        assert_eq!(secrets.hidden_in("onefold"), "onefold");
        assert_eq!(Secrets::default().hidden_in("as it is"), "as it is");
    }
}
