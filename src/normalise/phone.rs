//! Which line does a number reach?
//!
//! Two answers. The *key* must be equal for all spellings, also where no country is known: the
//! digits of the national number, without country code, trunk zero and extension, at most the last
//! ten (`+49 1512 345678`, `0049…`, `01512 345678`, `491512345678` agree). The *E.164 number* is
//! given where a country is known: by `+`, by `00`, by the record or by the source. Two lines in
//! two countries may share a key; that is rare, and what else the records say decides. Of two
//! numbers in one field the first counts.

use std::sync::{LazyLock, OnceLock, PoisonError};

use phonenumber::PhoneNumber;
use phonenumber::country::Id;
use phonenumber::metadata::{DATABASE, Database};
use quick_cache::sync::Cache;

use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

use super::text::{is_monotone, latin, says_nothing};
use super::{country, value_of};

/// Fewer digits are an extension or a fragment.
const DIGITS_MIN: usize = 6;
/// The longest number in use has 15 digits after an access code.
const DIGITS_MAX: usize = 18;
/// How many digits the key holds at most.
const KEY_DIGITS_MAX: usize = 10;

/// So many numbers are remembered: a customer's comes with every event, and plans are slow to ask.
const REMEMBERED: usize = 30_000;
/// So many patterns of numbering plans stay compiled.
const PATTERNS: usize = 1_000;

/// A number as it is compared and as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phone {
    /// National digits without leading zeros, at most ten.
    pub key: String,
    /// `+` and 7 to 15 digits, where the country is known and the number is one of its numbering
    /// plan.
    pub e164: Option<String>,
    /// The digits as given, for showing where there is no `e164`.
    pub digits: String,
    /// Whether the number had to be mended (a letter O, a spreadsheet's `E9`).
    pub repaired: bool,
}

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPhone {
    /// It says "nothing here" (`anonymous`, `000-000-0000`).
    Placeholder,
    /// It is not of a number's form.
    Unreadable,
}

/// Reads the phone number of a record; `default_region` is the source's country.
pub(super) fn read(raw: &RawIdentity, default_region: Option<&str>, out: &mut Normalised) {
    let Some(value) = value_of(raw, RawField::Phone, Field::Phone, out) else { return };
    let named = [RawField::PhoneRegion, RawField::Country];
    let named = named.iter().find_map(|field| raw.get(field).and_then(|text| country::code(text)));
    match phone(value, named.or_else(|| default_region.and_then(country::code))) {
        Ok(phone) => {
            if phone.repaired {
                out.issues.push(Issue::Repaired(Field::Phone));
            }
            out.identity.set(Field::Phone, &phone.key);
            out.presented.phone = Some(phone.e164.unwrap_or(phone.digits));
        }
        Err(NoPhone::Placeholder) => out.issues.push(Issue::Placeholder(Field::Phone)),
        Err(NoPhone::Unreadable) => out.issues.push(Issue::Unreadable(Field::Phone)),
    }
}

/// The E.164 form of a number in `region` (ISO 3166, two letters), or of an international one. It
/// judges by the numbering plan alone: a placeholder that is a possible line has a form too.
pub fn e164(raw: &str, region: Option<&str>) -> Option<String> {
    let region = region.and_then(country::code).and_then(|region| region.parse().ok());
    parse(&Dialled::read(raw).ok()?, region).map(|number| written(&number))
}

/// Reads a number; `region` is the ISO 3166 code of the country whose numbering plan a national one
/// is in. Numbers that were read lately are remembered.
///
/// **Errors:** why it is none.
pub fn phone(raw: &str, region: Option<&str>) -> Result<Phone, NoPhone> {
    /// By region and text.
    type Known = Cache<String, Result<Phone, NoPhone>>;
    static KNOWN: LazyLock<Known> = LazyLock::new(|| Cache::new(REMEMBERED));
    let name = format!("{}|{raw}", region.unwrap_or_default());
    if let Some(known) = KNOWN.get(&name) {
        return known;
    }
    let phone = phone_anew(raw, region);
    KNOWN.insert(name, phone.clone());
    phone
}

fn phone_anew(raw: &str, region: Option<&str>) -> Result<Phone, NoPhone> {
    let dialled = Dialled::read(raw)?;
    let region: Option<Id> = region.and_then(|region| region.parse().ok());
    let digits = dialled.digits.as_str();
    if is_nobody(digits) {
        return Err(NoPhone::Placeholder);
    }
    let parsed = parse(&dialled, region);
    let national = match &parsed {
        Some(number) => number.national().value().to_string(),
        None if dialled.international => match country_code(digits) {
            Some(code) => digits[code..].to_owned(),
            None => digits.to_owned(),
        },
        None if is_north_american(digits) => digits[1..].to_owned(),
        None => digits.to_owned(),
    };
    let key = key(&national);
    if is_nobody(&key) {
        return Err(NoPhone::Placeholder);
    }
    if key.len() < DIGITS_MIN {
        return Err(NoPhone::Unreadable);
    }
    let e164 = parsed.map(|number| written(&number));
    let e164 = e164.or_else(|| {
        (region.is_none() && !dialled.international && is_north_american(digits))
            .then(|| format!("+{digits}"))
    });
    Ok(Phone { key, e164, digits: dialled.digits, repaired: dialled.repaired })
}

/// The key of a number in the form that profiles show, the E.164 form or mere digits, without reading it by its
/// country's plan: that was done, and the plans take long to load. `None` where it is of no such form.
pub fn key_of_shown(shown: &str) -> Option<String> {
    let national = match shown.strip_prefix('+') {
        Some(digits) => digits.get(zone(digits)..)?,
        None if is_north_american(shown) => &shown[1..],
        None => shown,
    };
    let key = key(national);
    let is_number = key.len() >= DIGITS_MIN && key.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(key)
}

/// How many of the first digits of an E.164 number are its country code, by the zones of ITU-T E.164.
fn zone(digits: &str) -> usize {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..] | [b'3', b'0'..=b'4' | b'6' | b'9', ..] => 2,
        [b'4', b'0' | b'1' | b'3'..=b'9', ..] | [b'5', b'1'..=b'8', ..] => 2,
        [b'6', b'0'..=b'6', ..] | [b'8', b'1' | b'2' | b'4' | b'6', ..] => 2,
        [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

fn written(number: &PhoneNumber) -> String {
    format!("+{}{}", number.code().value(), number.national())
}

/// The number in its country's plan; None where the country is not known or the plan has no such
/// number.
fn parse(dialled: &Dialled, region: Option<Id>) -> Option<PhoneNumber> {
    let digits = &dialled.digits;
    if dialled.international {
        return parse_international(digits);
    }
    let region = region?;
    let code = country_code_of(region);
    let beyond = code.and_then(|code| digits.strip_prefix(&code.to_string()));
    let abroad = access_code(region).and_then(|access| digits.strip_prefix(access));
    abroad
        .and_then(parse_international)
        .or_else(|| parse_in(region, digits))
        .or_else(|| beyond.and_then(|_| parse_international(digits)))
}

/// `digits` begin with a country code.
fn parse_international(digits: &str) -> Option<PhoneNumber> {
    let number = parse_in_plans(None, &format!("+{digits}"));
    number.or_else(|| {
        let national = &digits[country_code(digits)?..];
        let plans = plans().by_code(&digits[..digits.len() - national.len()].parse().ok()?)?;
        plans.iter().find_map(|plan| parse_in(plan.id().parse().ok()?, national))
    })
}

/// A national number in its plan. The parser takes a first digit for the trunk prefix also where it
/// is part of the number (Belarus dials 8 before 801 …), so the prefix is tried in front as well.
fn parse_in(region: Id, digits: &str) -> Option<PhoneNumber> {
    let parsed = |text: &str| parse_in_plans(Some(region), text);
    parsed(digits).or_else(|| {
        let prefix = plans().by_id(region.as_ref())?.national_prefix()?;
        let own = digits.starts_with(prefix) && !matches!(prefix, "0" | "1");
        let again = |count: usize| parsed(&(prefix.repeat(count) + digits));
        if own { again(1).or_else(|| again(2)) } else { None }
    })
}

/// The numbering plans of all countries.
fn plans() -> &'static Database {
    // Their library keeps a hundred patterns compiled: less than North America's plans alone have.
    static PLANS: LazyLock<&'static Database> = LazyLock::new(|| {
        let cache = DATABASE.cache();
        cache.lock().unwrap_or_else(PoisonError::into_inner).set_capacity(PATTERNS);
        &DATABASE
    });
    &PLANS
}

fn parse_in_plans(region: Option<Id>, text: &str) -> Option<PhoneNumber> {
    let parsed = phonenumber::parse_with(plans(), region, text).ok();
    parsed.filter(|number| phonenumber::is_valid_with(plans(), number))
}

/// What is dialled before a country code, other than `00`, where it is one fixed prefix.
fn access_code(region: Id) -> Option<&'static str> {
    match region {
        Id::US | Id::CA => Some("011"),
        Id::AU => Some("0011"),
        Id::JP => Some("010"),
        Id::RU | Id::KZ => Some("810"),
        _ => None,
    }
}

fn country_code_of(region: Id) -> Option<u16> {
    plans().by_id(region.as_ref()).map(|plan| plan.country_code())
}

/// How many of the first digits are a country code.
fn country_code(digits: &str) -> Option<usize> {
    static CODES: OnceLock<Vec<u16>> = OnceLock::new();
    let codes = CODES.get_or_init(|| (1..1000).filter(|c| plans().by_code(c).is_some()).collect());
    (1..=3).find(|&length| {
        let code = digits.get(..length).and_then(|code| code.parse::<u16>().ok());
        code.is_some_and(|code| codes.binary_search(&code).is_ok())
    })
}

/// Eleven digits that can only be `1` and a North American number.
fn is_north_american(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    bytes.len() == 11 && bytes[0] == b'1' && bytes[1] >= b'2' && bytes[4] >= b'2'
}

fn key(national: &str) -> String {
    let digits = national.trim_start_matches('0');
    let cut = digits.len().saturating_sub(KEY_DIGITS_MAX);
    digits[cut..].trim_start_matches('0').to_owned()
}

/// Digits that forms demand and people make up: one digit over and over, or counted up.
fn is_nobody(digits: &str) -> bool {
    let rest = digits.trim_start_matches('0');
    let end = &rest[rest.len().saturating_sub(7)..];
    rest.is_empty()
        || (end.len() >= DIGITS_MIN && is_monotone(end))
        || (rest.len() >= 7 && "1234567890".starts_with(rest))
}

/// What was written, without what is not dialled.
struct Dialled {
    /// Without `+` and `00` where `international`.
    digits: String,
    international: bool,
    repaired: bool,
}

impl Dialled {
    fn read(raw: &str) -> Result<Self, NoPhone> {
        let folded = latin(raw);
        let text = folded.trim();
        if !text.bytes().any(|b| b.is_ascii_digit()) {
            let nothing = says_nothing(text) || text == "blocked" || text == "no number";
            return Err(if nothing { NoPhone::Placeholder } else { NoPhone::Unreadable });
        }
        let (text, sheet) = match sheet_number(text) {
            Some(digits) => (digits, true),
            None => (first_number(text).to_owned(), false),
        };
        let (text, letters) = letters_to_digits(without_extension(&text));
        let plus = text.find('+');
        let first = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
        let mut digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let mut international = plus.is_some_and(|at| at < first);
        if international {
            digits = without_trunk(&text);
        } else if digits.starts_with("00") && digits.len() > KEY_DIGITS_MAX {
            digits = without_trunk(&text).trim_start_matches('0').to_owned();
            international = country_code(&digits).is_some();
        }
        if digits.len() > DIGITS_MAX {
            return Err(NoPhone::Unreadable);
        }
        Ok(Self { digits, international, repaired: sheet || letters })
    }
}

/// The digits of an international number without a trunk zero in brackets, `+44 (0) 20`.
fn without_trunk(text: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    match text.find("(0)") {
        Some(at) => digits(&text[..at]) + &digits(&text[at + 3..]),
        None => digits(text),
    }
}

/// A number that went through a spreadsheet: `6502530000.0`, `6.502530000E9`.
fn sheet_number(text: &str) -> Option<String> {
    if let Some(whole) = text.strip_suffix(".0") {
        let plain = whole.len() >= 7 && whole.bytes().all(|b| b.is_ascii_digit());
        return plain.then(|| whole.to_owned());
    }
    let (mantissa, exponent) = text.split_once('e')?;
    let (whole, decimals) = mantissa.split_once('.')?;
    let exponent: usize = exponent.trim_start_matches('+').parse().ok()?;
    let is_number = whole.len() == 1 && (whole.to_owned() + decimals).parse::<u64>().is_ok();
    // Fewer decimals than the exponent says: digits were lost.
    (is_number && exponent == decimals.len()).then(|| format!("{whole}{decimals}"))
}

/// The first of several numbers in one field.
fn first_number(text: &str) -> &str {
    const BETWEEN: [&str; 5] = [" / ", ";", ",", " or ", "|"];
    let count = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    BETWEEN
        .iter()
        .filter_map(|between| text.split_once(between))
        .find(|(first, second)| count(first) >= 7 && count(second) >= 7)
        .map_or(text, |(first, _)| first)
}

/// Cuts `ext. 45`, `x123`, `#99`, `;ext=99` behind a number.
fn without_extension(text: &str) -> &str {
    let mut digits = 0;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            digits += 1;
        } else if digits >= 4 && (matches!(c, '#' | ';' | ',') || marks_extension(&text[at..])) {
            return &text[..at];
        }
    }
    text
}

fn marks_extension(text: &str) -> bool {
    let after = text.strip_prefix('x').or_else(|| text.strip_prefix("ext"));
    let word = ["extn", "extension", "poste", "durchwahl", "int", "doplnek", "dob"];
    after.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
        || word.iter().any(|word| text.starts_with(word))
}

/// Letters O among digits are zeros; longer words are dialled by keypad (`1-800-FLOWERS`). Says
/// whether any was.
fn letters_to_digits(text: &str) -> (String, bool) {
    let first = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (before, number) = text.split_at(first);
    let letters = number.bytes().filter(u8::is_ascii_lowercase).count();
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if letters == 0 || digits < 3 || !(7..=12).contains(&(letters + digits)) {
        return (text.to_owned(), false);
    }
    let only_o = number.bytes().all(|b| !b.is_ascii_lowercase() || b == b'o');
    if !only_o && letters < 4 {
        return (text.to_owned(), false);
    }
    let key = |c: char| match c {
        'o' if only_o => '0',
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        'w'..='z' => '9',
        other => other,
    };
    (before.chars().chain(number.chars().map(key)).collect(), only_o)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_those_of_the_plans() {
        for code in (1..1000_u16).filter(|code| DATABASE.by_code(code).is_some()) {
            let digits = format!("{code}123456");
            assert_eq!(Some(zone(&digits)), country_code(&digits), "{code}");
        }
    }

    use crate::normalise::vectors;

    fn key_of(raw: &str, region: Option<&str>) -> String {
        phone(raw, region).map(|phone| phone.key).unwrap_or_default()
    }

    #[test]
    fn spellings_share_a_key_without_a_country() {
        for spellings in [
            &[
                "+49 1512 345678",
                "0049 1512 345678",
                "01512 345678",
                "(01512) 345678",
                "+49 (0)1512 345678",
                "491512345678",
            ][..],
            &[
                "+1 650 253 0000",
                "(650) 253-0000",
                "650-253-0000",
                "16502530000",
                "1-650-253-0000",
                "6502530000 x123",
                "650.253.0000",
                "001 650 253 0000",
                "６５０−２５３−００００",
                "6502530000.0",
                "6.502530000E9",
                "65O-253-0000",
                "6502530000 / 6502530001",
            ],
            &[
                "+44 (0) 20 7031 3000",
                "020 7031 3000",
                "011 44 20 7031 3000",
                "tel:+44-20-7031-3000",
            ],
            &["+39 02 3661 8300", "02 36618300", "0039 02 36618300"],
            &["+33 6 12 34 56 78", "06.12.34.56.78", "+33 (0)6 12 34 56 78"],
            &["+52 55 1234 5678", "5512345678"],
        ] {
            let keys: Vec<String> = spellings.iter().map(|raw| key_of(raw, None)).collect();
            assert!(
                keys.iter().all(|key| *key == keys[0] && !key.is_empty()),
                "{spellings:?} {keys:?}"
            );
        }
    }

    #[test]
    fn e164_where_the_country_is_known() {
        for (raw, region, want) in [
            ("01512 3456789", Some("DE"), Some("+4915123456789")),
            ("+49 30 123456", None, Some("+4930123456")),
            ("030 123456", None, None),
            ("+16502530000", None, Some("+16502530000")),
            ("02 36618300", Some("IT"), Some("+390236618300")),
            ("+999 123456789", Some("US"), None),
            ("1-800-FLOWERS", Some("US"), Some("+18003569377")),
        ] {
            assert_eq!(e164(raw, region).as_deref(), want, "{raw}");
        }
    }

    #[test]
    fn placeholders_and_fragments_are_none() {
        for raw in [
            "000-000-0000",
            "0000000000",
            "1234567890",
            "9999999999",
            "555-555-5555",
            "N/A",
            "+10000000000",
            "unknown",
            "111 111 1111",
            "anonymous",
            "Restricted",
            "-",
            "private",
        ] {
            assert_eq!(phone(raw, None), Err(NoPhone::Placeholder), "{raw}");
            assert_eq!(phone(raw, Some("US")), Err(NoPhone::Placeholder), "{raw} in US");
        }
        for raw in ["911", "112", "call after 5", "hello", "65025300006502530001222"] {
            assert_eq!(phone(raw, None), Err(NoPhone::Unreadable), "{raw}");
        }
    }

    #[test]
    fn vectors_pass() {
        let rows = vectors("phones.csv");
        let mut failed = vec![];
        let mut judged = 0;
        for row in rows.iter().filter(|row| &row[5] == "1") {
            judged += 1;
            let got = e164(&row[0], Some(&row[1]));
            if got.as_deref() != Some(&row[3]) {
                failed.push(format!("{:?} {}: {got:?}, not {}", &row[0], &row[1], &row[3]));
            }
        }
        let rate = 1.0 - failed.len() as f64 / f64::from(judged);
        // Deliberately different: an O among digits is a zero here, a six on the keypad.
        assert!(rate >= 0.998, "{rate} of {judged}: {failed:#?}");
    }
}
