//! What is a postcode's one spelling, and which mistyped letters in it are certainly digits?
//!
//! Lower-case letters and digits without spaces and hyphens. Cut are the country's prefix (`D-10115`, `SE-112 34`, `CA
//! 90210`) and the American `+4`; a zero that a spreadsheet lost comes back where the country is known. `O`, `I` and `l`
//! for `0` and `1`, and the other way round, are repaired where the form leaves no doubt: one such character, and what
//! comes out is a postcode of a known form. Placeholders (`00000`) are none.

use super::text::{code, is_monotone};

/// Forms of postcodes that mix letters and digits: `9` a digit, `a` a letter. British, Canadian, Dutch, Irish,
/// Argentinian, Maltese, and those of small islands.
const MIXED: [&str; 12] = [
    "a99aa", "a999aa", "aa99aa", "aa999aa", "a9a9aa", "aa9a9aa", "a9a9a9", "9999aa", "a99a9aa",
    "a99aa99", "a9999aaa", "aaa9999",
];

/// Countries whose postcodes have five digits of which the first may be a zero.
const FIVE_DIGITS: [&str; 16] = [
    "DE", "EE", "ES", "FI", "FR", "HR", "IT", "KR", "LT", "MX", "MY", "PL", "SA", "TR", "UA", "US",
];

/// A postcode as it is compared; `country` is its ISO 3166 code where it is known. Empty for none.
pub(super) fn postcode(raw: &str, country: Option<&str>) -> String {
    let text = raw.trim();
    let text = text.strip_suffix(".0").unwrap_or(text);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mut code = code(text);
    if is_zip_with_four(&code) {
        code.truncate(5);
    }
    let apart = text.contains(['-', ' ']);
    code = without_prefix(&code, apart).to_owned();
    if let Some(repaired) = repaired(&code) {
        code = repaired;
    }
    if code.len() == 4
        && digits(&code)
        && country.is_some_and(|country| FIVE_DIGITS.contains(&country))
    {
        code.insert(0, '0');
    }
    let nothing = code.len() >= 3 && is_monotone(&code) && (code.starts_with(['0', '9', 'x']));
    if nothing { String::new() } else { code }
}

/// `94789-1234`, `94789 1234` and `947891234`: nine digits are nowhere else a postcode.
fn is_zip_with_four(code: &str) -> bool {
    code.len() == 9 && code.bytes().all(|b| b.is_ascii_digit())
}

/// Cuts the country, state or province before the digits: no country has a postcode of one or two letters and four
/// digits or more that is not written without them too.
fn without_prefix(code: &str, apart: bool) -> &str {
    let number = code.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let letters = code.len() - number.len();
    let is_number = (4..=7).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if (1..=2).contains(&letters)
        && is_number
        && (apart || !could_be_digits(&code[..letters], number))
    {
        return number;
    }
    // `NL-1234 AB`
    match code.strip_prefix("nl") {
        Some(rest) if shape(rest) == "9999aa" => rest,
        _ => code,
    }
}

/// `O1234` and `l0115` are mistyped digits, not a prefix.
fn could_be_digits(letters: &str, number: &str) -> bool {
    letters.len() + number.len() == 5 && letters.bytes().all(|b| matches!(b, b'o' | b'i' | b'l'))
}

/// The form of a text: `9` for each digit, `a` for each letter.
fn shape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '9' } else { 'a' }).collect()
}

/// A postcode with its one mistyped character put right; None where there is none, or where it is not certain.
fn repaired(code: &str) -> Option<String> {
    let form = shape(code);
    if !code.is_ascii() || MIXED.contains(&&*form) || form.bytes().all(|b| b == b'9') {
        return None;
    }
    let letters = form.bytes().filter(|b| *b == b'a').count();
    // A number in which every letter looks like a digit.
    if (4..=8).contains(&code.len()) && letters <= 2 && code.len() - letters >= 3 {
        let number: String = code.chars().map(as_digit).collect();
        if number.bytes().all(|b| b.is_ascii_digit()) {
            return Some(number);
        }
    }
    let mut found = None;
    for (at, c) in code.char_indices() {
        let other = if c.is_ascii_digit() { as_letter(c) } else { as_digit(c) };
        if other == c {
            continue;
        }
        let mut candidate = code.to_owned();
        candidate.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
        if MIXED.contains(&&*shape(&candidate)) {
            if found.is_some() {
                return None;
            }
            found = Some(candidate);
        }
    }
    found
}

fn as_digit(c: char) -> char {
    match c {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    }
}

fn as_letter(c: char) -> char {
    match c {
        '0' => 'o',
        '1' => 'i',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn postcodes_of_many_countries() {
        for (raw, country, want) in [
            ("SW1A 2AA", None, "sw1a2aa"),
            ("sw1a2aa", Some("GB"), "sw1a2aa"),
            ("LS6 1AB", None, "ls61ab"),
            ("94789-1234", None, "94789"),
            ("947891234", None, "94789"),
            ("94789 1234", Some("US"), "94789"),
            ("0000 0 0001", None, ""),
            ("94789.0", None, "94789"),
            ("CA 90210", None, "90210"),
            ("2134", Some("US"), "02134"),
            ("2134", Some("AU"), "2134"),
            ("2134", None, "2134"),
            ("1234 AB", None, "1234ab"),
            ("NL-1234 AB", None, "1234ab"),
            ("K1A 0B1", None, "k1a0b1"),
            ("00-950", None, "00950"),
            ("PL-00-950", None, "00950"),
            ("SE-112 34", None, "11234"),
            ("112 34", Some("SE"), "11234"),
            ("1000-205", Some("PT"), "1000205"),
            ("01310-100", Some("BR"), "01310100"),
            ("〒100-0001", Some("JP"), "1000001"),
            ("D02 X285", Some("IE"), "d02x285"),
            ("D-10115", None, "10115"),
            ("A-1010", None, "1010"),
            ("L-1009", None, "1009"),
            ("C1425ABC", Some("AR"), "c1425abc"),
            ("00000", None, ""),
            ("99999", None, ""),
            ("XXXXX", None, ""),
            ("", None, ""),
        ] {
            assert_eq!(postcode(raw, country), want, "{raw}");
        }
    }

    #[test]
    fn certain_letters_are_repaired() {
        for (raw, want) in [
            ("LS6 IAB", "ls61ab"),
            ("LS6 lAB", "ls61ab"),
            ("SW1A OAA", "sw1a0aa"),
            ("SWIA 2AA", "sw1a2aa"),
            ("K1A OB1", "k1a0b1"),
            ("9O210", "90210"),
            ("902l0", "90210"),
            ("123O AB", "1230ab"),
            // Postcodes as they stand.
            ("OL1 1AA", "ol11aa"),
            ("IG1 1AA", "ig11aa"),
            ("IO12 3AB", "io123ab"),
            ("O1234", "01234"),
            // In doubt.
            ("OIL", "oil"),
            ("LOIO", "loio"),
            ("ABC", "abc"),
            ("A1A", "a1a"),
        ] {
            assert_eq!(postcode(raw, None), want, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn normalising_again_changes_nothing(
            raw in prop_oneof!["[ -~]{0,12}", "[A-Za-z0-9OIl]{1,4}[ -]?[A-Za-z0-9OIl]{1,4}", any::<String>()],
            country in proptest::option::of("US|GB|DE|NL|SE"),
        ) {
            let once = postcode(&raw, country.as_deref());
            prop_assert!(once.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
            prop_assert_eq!(postcode(&once, country.as_deref()), once.clone());
            prop_assert_eq!(postcode(&once, None), once);
        }
    }
}
