//! Raw field in, canonical value out: which spellings mean the same?
//!
//! Normalising never fails: what cannot be used becomes an [`Issue`](crate::record::Issue) and the rest goes on.

pub mod lexicon;

use crate::record::{Normalised, RawIdentity};

/// What a source says of its values, where they do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// ISO 3166 country of phone numbers without a country code, and of addresses without a country.
    pub default_region: Option<String>,
    /// Order of ambiguous numeric dates.
    pub date_order: DateOrder,
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
    let _ = (raw, settings);
    Normalised::default()
}
