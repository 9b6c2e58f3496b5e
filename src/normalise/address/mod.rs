//! Where does a person live?
//!
//! One text or a line is cut into words and comma parts, and taken apart from its end: country,
//! postcode, region. Units (`Apt 4`, `6th floor`) and post boxes are cut out; what is left is house
//! and street (`parse`), and the city. Columns of their own are only spelt one way: a street column
//! that holds no number is not taken apart. Rules, no dictionary of places: where no comma and no
//! street type tells street from city, it is a guess.

mod cut;
mod parse;
mod place;
mod street;

use crate::record::{Address, Field, Issue, Normalised, RawField, RawIdentity};

use super::postcode::postcode;
use super::text::{Lines, clean, code, says_nothing, words};
use super::{country, value_of};

pub use parse::location;
pub use street::street;

/// What an address holds, as it is compared: `a`–`z`, `0`–`9` and single spaces. Absent parts are
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// The house's number with its letter, `12a`; a range keeps both ends, `1214`.
    pub house: String,
    /// The street, written out; or `po box 12`.
    pub street: String,
    /// The city.
    pub city: String,
    /// The state or province: its code where it is known.
    pub region: String,
    /// The postcode without spaces.
    pub postcode: String,
    /// ISO 3166 code, upper case.
    pub country: Option<&'static str>,
    /// The same as a person would write it.
    pub shown: Address,
}

/// One word of an address.
#[derive(Clone, Debug)]
struct Word<'a> {
    raw: &'a str,
    /// `a`–`z`, `0`–`9`, and `-`, `/`, `#` between or before them.
    key: String,
    /// Which comma part it stands in, ascending.
    part: usize,
    /// Where it begins in the text.
    at: usize,
}

impl Word<'_> {
    fn has_digit(&self) -> bool {
        self.key.bytes().any(|b| b.is_ascii_digit())
    }

    fn is_street_type(&self) -> bool {
        street::kind(&self.key).is_some() || street::is_compound(&self.key)
    }

    /// `12`, `12a`, `12-14`, `1/2`; not `5th`.
    fn is_house(&self) -> bool {
        let tail = self.key.trim_start_matches(|c: char| c.is_ascii_digit());
        let tail_is_fine = tail.is_empty()
            || (tail.len() == 1 && tail.bytes().all(|b| b.is_ascii_lowercase()))
            || tail.starts_with(['-', '/']);
        self.key.len() - tail.len() >= 1 && self.key.len() <= 12 && tail_is_fine
    }
}

/// Reads the address fields of a record; `default_region` is the source's country.
pub(super) fn read(raw: &RawIdentity, default_region: Option<&str>, out: &mut Normalised) {
    let mut shown = Address::default();
    if let Some(value) = value_of(raw, RawField::Address, Field::Street, out) {
        whole(value, &mut shown, out);
    }
    if let Some(value) = value_of(raw, RawField::AddressLine, Field::Street, out) {
        line(value, &mut shown, out);
    }
    if let Some(value) = value_of(raw, RawField::Street, Field::Street, out) {
        street_column(value, raw.contains_key(&RawField::House), &mut shown, out);
    }
    if let Some(value) = value_of(raw, RawField::AddressLine2, Field::Street2, out) {
        put(Field::Street2, value, &street(value), out);
    }
    if let Some(value) = value_of(raw, RawField::House, Field::House, out) {
        put(Field::House, value, &house(value), out);
        let number = clean(value, Lines::Join).text.into_owned();
        shown.line = Some(shown.line.map_or(number.clone(), |street| format!("{number} {street}")));
    }
    if let Some(value) = value_of(raw, RawField::City, Field::City, out) {
        put(Field::City, value, &city(value), out);
        shown.city = Some(clean(value, Lines::Join).text.into_owned());
    }
    if let Some(value) = value_of(raw, RawField::Region, Field::Region, out) {
        put(Field::Region, value, &region(value), out);
        shown.region = Some(clean(value, Lines::Join).text.into_owned());
    }
    if let Some(value) = value_of(raw, RawField::Postcode, Field::Postcode, out) {
        let country = raw.get(&RawField::Country).and_then(|country| country::code(country));
        put(Field::Postcode, value, &postcode(&clean(value, Lines::Join).text, country), out);
        shown.postcode = Some(clean(value, Lines::Join).text.to_uppercase());
    }
    if let Some(value) = raw.get(&RawField::Country) {
        shown.country = country::code(value).map(str::to_owned);
    }
    if shown != Address::default() {
        shown.country = shown.country.or_else(|| default_region.map(str::to_owned));
        out.presented.address = Some(shown);
    }
}

/// One text with everything in it.
fn whole(value: &str, shown: &mut Address, out: &mut Normalised) {
    if says_nothing(value) {
        out.issues.push(Issue::Placeholder(Field::Street));
        return;
    }
    let found = location(value);
    for (field, value) in [
        (Field::House, &found.house),
        (Field::Street, &found.street),
        (Field::City, &found.city),
        (Field::Region, &found.region),
        (Field::Postcode, &found.postcode),
    ] {
        keep(field, value, out);
    }
    *shown = found.shown;
}

/// House and street in one line; a city in it is left to its own column.
fn line(value: &str, shown: &mut Address, out: &mut Normalised) {
    if says_nothing(value) {
        out.issues.push(Issue::Placeholder(Field::Street));
        return;
    }
    let (house, street) = parse::line(value);
    keep(Field::House, &house, out);
    keep(Field::Street, &street, out);
    shown.line = Some(clean(value, Lines::Part).text.into_owned());
}

/// A street column: taken apart only where it holds the number that no other column does.
fn street_column(value: &str, house_apart: bool, shown: &mut Address, out: &mut Normalised) {
    if !house_apart && value.bytes().any(|b| b.is_ascii_digit()) {
        return line(value, shown, out);
    }
    put(Field::Street, value, &street(value), out);
    shown.line = Some(clean(value, Lines::Join).text.into_owned());
}

/// Sets a part of a text that was taken apart; an absent one, or one that says nothing, is no
/// issue.
fn keep(field: Field, value: &str, out: &mut Normalised) {
    if !says_nothing(value) {
        out.identity.set(field, value);
    }
}

fn put(field: Field, raw: &str, value: &str, out: &mut Normalised) {
    if value.is_empty() || says_nothing(raw) {
        out.issues.push(Issue::Placeholder(field));
    } else {
        out.identity.set(field, value);
    }
}

/// A house number's letters and digits; digits for a number in words.
fn house(raw: &str) -> String {
    let text = raw.trim();
    let code = code(text.strip_suffix(".0").unwrap_or(text));
    cut::number(&code).map_or(code, str::to_owned)
}

/// A city's words; `Saint` is `st`, `Fort` is `ft`, `Mount` is `mt` at the beginning.
fn city(raw: &str) -> String {
    let words = words(&clean(raw, Lines::Join).text);
    let Some((first, rest)) = words.split_once(' ') else { return words };
    let short = match first {
        "saint" => "st",
        "sainte" => "ste",
        "fort" => "ft",
        "mount" => "mt",
        _ => return words,
    };
    format!("{short} {rest}")
}

/// A region's code where it is known, else its letters and digits.
fn region(raw: &str) -> String {
    let known = place::region_code(&words(raw)).map(str::to_owned);
    known.unwrap_or_else(|| {
        let code = code(raw);
        // A sign within a name parts its words, but not its letters.
        place::region_code(&code).map_or(code, str::to_owned)
    })
}

#[cfg(test)]
mod tests;
