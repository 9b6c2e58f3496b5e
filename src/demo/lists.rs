//! Which names, streets, cities, placeholders and slips of the pen does the generator draw from?
//!
//! They are embedded: `data/lists.json` says where they are from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::rng::Rng;

/// The embedded lists.
pub(super) static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    serde_json::from_str(include_str!("data/lists.json")).expect("a test reads the embedded lists")
});

#[derive(Debug, Deserialize)]
pub(super) struct Lists {
    pub(super) locales: Vec<Locale>,
    /// Lower-case given name → its nicknames, lower case.
    pub(super) nicknames: BTreeMap<String, Vec<String>>,
    /// Lower-case letter or digit → what it is taken for when it is read.
    pub(super) look_alikes: BTreeMap<char, String>,
    /// What is heard for what was said.
    pub(super) sound_alikes: Vec<(String, String)>,
    /// Street types and how else they are written.
    pub(super) abbreviations: Vec<(String, String)>,
    pub(super) placeholders: Placeholders,
    pub(super) categories: Vec<String>,
    pub(super) reasons: Vec<String>,
    /// Six browsers, then two apps.
    pub(super) user_agents: Vec<String>,
}

/// What people write where they know, or tell, nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Placeholders {
    pub(super) email: Vec<String>,
    pub(super) phone: Vec<String>,
    pub(super) name: Vec<String>,
    pub(super) birth_date: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Locale {
    /// ISO 3166.
    pub(super) country: String,
    pub(super) weight: u32,
    pub(super) dial: String,
    /// ISO 4217.
    pub(super) currency: String,
    /// Repeated ones are likelier.
    pub(super) mail_domains: Vec<String>,
    pub(super) mobile_prefix: String,
    /// Digits after the prefix.
    pub(super) mobile_digits: usize,
    pub(super) streets: Vec<String>,
    /// The largest first.
    pub(super) cities: Vec<City>,
    pub(super) female: Names,
    pub(super) male: Names,
    pub(super) surnames: Names,
}

#[derive(Debug, Deserialize)]
pub(super) struct City {
    pub(super) name: String,
    pub(super) region: String,
    /// How postcodes begin.
    pub(super) postcode: String,
    pub(super) area_code: String,
    pub(super) utc_offset_minutes: i64,
}

/// Names of one kind, the commonest first.
#[derive(Debug, Deserialize)]
#[serde(from = "Spelled")]
pub(super) struct Names {
    names: Vec<Name>,
    cumulative: Vec<f64>,
}

#[derive(Deserialize)]
struct Spelled {
    forms: Vec<String>,
    #[serde(default)]
    weights: Vec<f64>,
}

impl From<Spelled> for Names {
    fn from(spelled: Spelled) -> Self {
        let cumulative = if spelled.weights.is_empty() {
            zipf(spelled.forms.len())
        } else {
            running_sums(spelled.weights.into_iter())
        };
        let names = spelled
            .forms
            .iter()
            .map(|forms| Name { forms: forms.split('/').map(str::to_owned).collect() })
            .collect();
        Self { names, cumulative }
    }
}

impl Names {
    pub(super) fn pick(&self, rng: &mut Rng) -> &Name {
        &self.names[pick_weighted(&self.cumulative, rng)]
    }
}

/// A name in its own script and, where that is not Latin, in Latin spellings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    forms: Vec<String>,
}

impl Name {
    /// As its bearer writes it.
    pub(super) fn native(&self) -> &str {
        &self.forms[0]
    }

    /// In Latin letters; the least usual spelling of several.
    pub(super) fn latin(&self) -> &str {
        self.forms.last().expect("splitting a text gives at least one part")
    }

    /// The Latin spellings, empty where the name is Latin anyway.
    pub(super) fn transliterations(&self) -> &[String] {
        &self.forms[1..]
    }
}

/// Running sums of weights 1/2, 1/3, 1/4 …
pub(super) fn zipf(count: usize) -> Vec<f64> {
    running_sums((0..count).map(|i| 1.0 / (i + 2) as f64))
}

/// Running sums of `weights`, for [`pick_weighted`].
pub(super) fn running_sums(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

/// An index into the list whose weights have these running sums; the list is never empty.
pub(super) fn pick_weighted(cumulative: &[f64], rng: &mut Rng) -> usize {
    let total = cumulative.last().copied().unwrap_or(0.0);
    let target = rng.unit() * total;
    cumulative.partition_point(|sum| *sum <= target).min(cumulative.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_lists_can_be_read_and_none_is_empty() {
        let lists = &*LISTS;
        assert_eq!(lists.user_agents.len(), 8);
        for locale in &lists.locales {
            assert!(!locale.streets.is_empty() && !locale.mail_domains.is_empty());
            assert!(!locale.cities.is_empty());
            for names in [&locale.female, &locale.male, &locale.surnames] {
                assert!(!names.names.is_empty() && names.names.len() == names.cumulative.len());
            }
        }
        let placeholders = &lists.placeholders;
        for list in [&placeholders.email, &placeholders.phone, &placeholders.name] {
            assert!(!list.is_empty());
        }
    }

    #[test]
    fn a_weighted_draw_follows_the_weights() {
        let sums = running_sums([3.0, 0.0, 1.0].into_iter());
        let mut rng = Rng::new(1);
        let mut counts = [0; 3];
        for _ in 0..4_000 {
            counts[pick_weighted(&sums, &mut rng)] += 1;
        }
        assert!(counts[0] > 2_900 && counts[1] == 0 && counts[2] > 900, "{counts:?}");
    }
}
