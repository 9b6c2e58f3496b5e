//! Which texts may be secret, and how is a text shown without them?
//!
//! Whatever came from a variable or a file, and whatever stands in `options`. In their place stands
//! where they came from: `${KAFKA_PASSWORD}`, `<publish.options.endpoint>`.

use std::fmt;

/// Shorter texts are no secrets, and would be found by chance in words that mean something else.
const LENGTH_MIN: usize = 6;

/// Texts that are not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Each text, and what is shown instead; the longest first.
    texts: Vec<(String, String)>,
}

impl Secrets {
    /// Takes note of a text that shall not be shown, but `instead` of it.
    pub(super) fn add(&mut self, text: &str, instead: &str) {
        // As texts are written within quotes, too.
        let quoted = format!("{text:?}");
        let escaped = &quoted[1..quoted.len() - 1];
        for text in [text.trim(), escaped.trim()] {
            if text.len() >= LENGTH_MIN && self.texts.iter().all(|(known, _)| known != text) {
                self.texts.push((text.to_owned(), instead.to_owned()));
            }
        }
        self.texts.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    /// The text without the secrets that stand in it.
    pub fn hidden_in(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let secret = self.texts.iter().find(|(secret, _)| rest.starts_with(secret.as_str()));
            if let Some((secret, instead)) = secret {
                shown.push_str(instead);
                rest = &rest[secret.len()..];
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
        f.debug_set().entries(self.texts.iter().map(|(_, instead)| instead)).finish()
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
        assert_eq!(Secrets::default().hidden_in("as it is"), "as it is");
    }
}
