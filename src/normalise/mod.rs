//! Raw field in, canonical value out: which spellings mean the same?
//!
//! `identity` reads the fields of one raw identity, each by the module of its kind: [`name`],
//! [`email`], [`phone`], [`address`], [`date`], [`code`]. Each gives a value to compare, a form to
//! show, and issues. [`lexicon`] holds what is known of names and mail domains beforehand. Fields that a
//! pipeline adds are written by their [`Kind`], of which one has no field of its own: [`organisation`].
//!
//! Invariants: normalising never fails and never panics; what cannot be used becomes an [`Issue`]
//! and the rest goes on. A value is never empty, and normalising it again changes nothing. The
//! values to compare are ASCII, except the local part of an e-mail address. Deliberately absent:
//! any guess that two spellings are one person's; that is the scorer's.

pub mod address;
pub mod code;
pub mod country;
mod custom;
pub mod date;
pub mod email;
pub mod lexicon;
pub mod name;
pub mod organisation;
pub mod phone;
mod postcode;
mod script;
mod syntax;
mod text;

#[cfg(test)]
mod tests;

pub use custom::{Custom, Kind};

use crate::record::{Field, Issue, Normalised, RawField, RawIdentity};

/// What a source says of its values, where they do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// ISO 3166 country of phone numbers without a country code, and of addresses without a
    /// country.
    pub default_region: Option<String>,
    /// Order of ambiguous numeric dates.
    pub date_order: DateOrder,
    /// The fields of one's own.
    pub custom: Vec<Custom>,
    /// A value that every record of the source carries: it names the source, where that holds each customer once.
    pub constant: Option<(Field, Box<str>)>,
}

/// The order of day and month in a numeric date like `03/04/1980`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum DateOrder {
    #[default]
    DayFirst,
    MonthFirst,
}

/// Normalises one raw identity.
pub fn identity(raw: &RawIdentity, settings: &Settings) -> Normalised {
    let mut out = Normalised::default();
    let region = settings.default_region.as_deref();
    name::read(raw, &mut out);
    date::read(raw, settings.date_order, &mut out);
    email::read(raw, &mut out);
    phone::read(raw, region, &mut out);
    address::read(raw, region, &mut out);
    code::read(raw, &mut out);
    custom::read(raw, &settings.custom, settings.date_order, &mut out);
    if let Some((field, value)) = &settings.constant {
        out.identity.set(*field, value);
    }
    out.issues.sort_unstable();
    out.issues.dedup();
    out
}

/// The raw value of a field; blank ones are absent, overlong ones are an issue of `field`.
fn value_of<'a>(
    raw: &'a RawIdentity,
    raw_field: RawField,
    field: Field,
    out: &mut Normalised,
) -> Option<&'a str> {
    let value = raw.get(&raw_field).map(|value| value.trim()).filter(|value| !value.is_empty())?;
    if value.len() > text::VALUE_BYTES_MAX {
        out.issues.push(Issue::Unreadable(field));
        return None;
    }
    Some(value)
}

/// The rows of a file of test vectors, without its head.
#[cfg(test)]
fn vectors(file: &str) -> Vec<csv::StringRecord> {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors").join(file);
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).from_path(path).expect("the file is there");
    reader.records().collect::<Result<_, _>>().expect("the file is CSV")
}
