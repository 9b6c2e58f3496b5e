//! How common is a value?

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// The share of people, 0 to 1, who have each of a list of values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Box<str>, f64>", into = "BTreeMap<Box<str>, f64>")]
pub struct Frequencies(FxHashMap<Box<str>, f64>);

impl Frequencies {
    /// The share of a value; `None` where it is not listed.
    pub fn get(&self, value: &str) -> Option<f64> {
        self.0.get(value).copied()
    }

    /// How many values are listed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no value is listed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least and the greatest share; `None` where no value is listed.
    pub fn range(&self) -> Option<(f64, f64)> {
        let shares = self.0.values().map(|share| (*share, *share));
        shares.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

impl<T: Into<Box<str>>> FromIterator<(T, f64)> for Frequencies {
    fn from_iter<I: IntoIterator<Item = (T, f64)>>(shares: I) -> Self {
        Self(shares.into_iter().map(|(value, share)| (value.into(), share)).collect())
    }
}

impl From<BTreeMap<Box<str>, f64>> for Frequencies {
    fn from(shares: BTreeMap<Box<str>, f64>) -> Self {
        shares.into_iter().collect()
    }
}

impl From<Frequencies> for BTreeMap<Box<str>, f64> {
    fn from(frequencies: Frequencies) -> Self {
        frequencies.0.into_iter().collect()
    }
}
