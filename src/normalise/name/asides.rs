//! Which words beside a name give another name of the same person?

use std::borrow::Cow;

use crate::normalise::text::latin;

use super::words::has_word;

/// Words behind which a former or another name stands.
const MARKERS: [&str; 25] = [
    "aka",
    "alias",
    "born",
    "dit",
    "dite",
    "domu",
    "ep",
    "epouse",
    "fka",
    "formerly",
    "geb",
    "geboren",
    "geborene",
    "gesch",
    "nacida",
    "nee",
    "previously",
    "roz",
    "rozena",
    "verh",
    "verw",
    "veuve",
    "viuda",
    "vve",
    "widowed",
];

/// Whether a word announces another name, so that it is none itself.
pub(super) fn is_marker(letters: &str) -> bool {
    MARKERS.binary_search(&letters).is_ok()
}

const BRACKETS: [(char, char); 6] = [
    ('(', ')'),
    ('[', ']'),
    ('"', '"'),
    ('\u{201c}', '\u{201d}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{ab}', '\u{bb}'),
];

/// A name without its asides: what stands in brackets or in quotes, and what `née` and the like announce. `least`
/// says how many words the name must keep before such a word, since `Born` and `Alias` are surnames too.
pub(super) fn without_asides(text: &str, least: usize) -> Cow<'_, str> {
    let mut main = Cow::Borrowed(text);
    for (open, close) in BRACKETS {
        while let Some(shorter) = without_bracket(&main, open, close) {
            main = Cow::Owned(shorter);
        }
    }
    if let Some(shorter) = without_former(&main, least) {
        main = Cow::Owned(shorter);
    }
    main
}

fn without_bracket(text: &str, open: char, close: char) -> Option<String> {
    let start = text.find(open)?;
    let inside = &text[start + open.len_utf8()..];
    let end =
        inside.find(close).map_or(text.len(), |at| start + open.len_utf8() + at + close.len_utf8());
    let rest = format!("{} {}", &text[..start], &text[end..]);
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    has_word(&rest).then_some(rest)
}

/// `Smith née Jones` is `Smith`; what a comma parts from the former name stays (`Smith née Jones, Mary`).
fn without_former(text: &str, least: usize) -> Option<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let key = |word: &str| {
        let mut key = latin(word);
        key.retain(|c| c.is_ascii_lowercase());
        key
    };
    let at = (least..words.len().checked_sub(1)?).find(|&at| is_marker(&key(words[at])))?;
    // `z domu`
    let start = if key(words[at]) == "domu" && at > least { at - 1 } else { at };
    let end = words[at..]
        .iter()
        .position(|word| word.ends_with(','))
        .map_or(words.len(), |comma| at + comma + 1);
    let mut main = words[..start].join(" ");
    if end < words.len() {
        if !main.ends_with(',') {
            main.push(',');
        }
        main.push(' ');
        main.push_str(&words[end..].join(" "));
    }
    let main = main.trim_end_matches([',', ' ', '-', '/', ';']);
    has_word(main).then(|| main.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asides_are_cut() {
        assert!(MARKERS.is_sorted());
        for (text, least, want) in [
            ("Smith (née Jones)", 1, "Smith"),
            ("Smith née Jones", 1, "Smith"),
            ("Mary Smith nee Jones", 2, "Mary Smith"),
            ("Maria Müller, geb. Schmidt", 2, "Maria Müller"),
            ("Müller geb. Schmidt, Maria", 1, "Müller, Maria"),
            ("Anna Kowalska z domu Nowak", 2, "Anna Kowalska"),
            ("Robert \"Bob\" Jones", 2, "Robert Jones"),
            ("William (Bill) Smith", 2, "William Smith"),
            ("Jones (Mrs", 1, "Jones"),
            ("(Jones)", 1, "(Jones)"),
            ("Max Born", 2, "Max Born"),
            ("Born", 1, "Born"),
            ("Smith born Jones", 1, "Smith"),
            ("((((", 1, "(((("),
            ("née", 1, "née"),
            ("", 1, ""),
        ] {
            assert_eq!(without_asides(text, least), want, "{text}");
        }
    }
}
