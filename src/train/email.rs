//! What is common in these records' e-mail addresses?

use std::collections::{BTreeMap, BTreeSet};

use crate::normalise::lexicon;
use crate::record::{Field, Identity, RecordKey};
use crate::score::{EmailModel, EmailParts};

/// A name token is one that so many records carry.
const LEAST_RECORDS: u32 = 2;
/// A nickname is so much rarer than the name that it stands for.
const NICKNAME_SHARE: f64 = 0.1;

/// Learns names from the records' names, and domains and rests from their distinct addresses.
pub(super) fn learn(records: &[(RecordKey, Identity)]) -> EmailModel {
    let addresses: BTreeSet<&str> =
        records.iter().filter_map(|(_, identity)| identity.value(Field::Email)).collect();
    let count = (addresses.len() as f64).max(1.0);
    let mut model = EmailModel {
        addresses: count,
        domains: BTreeMap::new(),
        other_domain: 1.0 / count,
        rests: BTreeMap::new(),
        names: names(records),
        patterns: BTreeMap::new(),
        built_in_names: false,
    };
    let (mut domains, mut rests, mut patterns) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for address in addresses {
        let parts = EmailParts::of(address, &model);
        *domains.entry(parts.domain().to_owned()).or_insert(0_u32) += 1;
        *rests.entry(parts.rest().to_owned()).or_insert(0_u32) += 1;
        *patterns.entry(parts.pattern()).or_insert(0_u32) += 1;
    }
    rests.remove("");
    let shares = |counts: BTreeMap<String, u32>, least: u32, less: u32| {
        let several = counts.into_iter().filter(|(_, count)| *count >= least);
        several.map(|(text, n)| (text, f64::from(n - less) / count)).collect()
    };
    model.domains = shares(domains, 2, 0);
    model.rests = shares(rests, 2, 0);
    model.patterns = shares(patterns, 3, 2);
    model
}

/// The share of records per name token; of nicknames of them a part.
fn names(records: &[(RecordKey, Identity)]) -> BTreeMap<String, f64> {
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    for field in [Field::Given, Field::Surname] {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, identity) in records {
            if let Some(value) = identity.value(field) {
                *counts.entry(value).or_default() += 1;
            }
        }
        let total = f64::from(counts.values().sum::<u32>()).max(1.0);
        let known = |(name, count): &(&str, u32)| name.len() >= 3 && *count >= LEAST_RECORDS;
        for (name, count) in counts.into_iter().filter(known) {
            let share = shares.entry(name.to_owned()).or_default();
            *share = share.max(f64::from(count) / total);
        }
    }
    let nicknames: BTreeSet<&str> = lexicon::nicknames().map(|(_, nickname)| nickname).collect();
    let borrowed: Vec<(String, f64)> = nicknames
        .into_iter()
        .filter(|name| name.len() >= 3 && !shares.contains_key(*name))
        .filter_map(|name| {
            let formal = lexicon::formal_names(name).iter();
            let share = formal.filter_map(|name| shares.get(*name)).copied().reduce(f64::max)?;
            Some((name.to_owned(), share * NICKNAME_SHARE))
        })
        .collect();
    shares.extend(borrowed);
    shares
}
