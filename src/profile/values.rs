//! Which of many values stands in the profile, and what is each worth?
//!
//! A rule orders them ([`Rule`]): by how often a value was given, by when it was last, by the source that is trusted
//! most, or by its length. What is left equal is ordered by the other measures, then by the text, never by arrival.
//! Of names and birth dates one stands, an initial only where there is nothing longer; e-mails, phones and addresses
//! all stand, the best first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::row::{OtherValue, Quality, Value, ValueAddress};
use super::settings::{Rule, Survivorship};
use super::tally::Seen;
use super::{Facts, Profile};
use crate::normalise::lexicon;
use crate::record::{Address, EventKey, Micros, Presented};

/// Where a value is from.
#[derive(Clone)]
struct Origin {
    seen: Seen,
    /// The place of the most trusted source that gave it.
    trust: usize,
}

/// Every value of one kind.
type Gathered<T> = BTreeMap<T, Origin>;

/// What two values are compared by; the greater is the better.
type Rank = ((Reverse<usize>, u64), (Micros, EventKey), u64);

/// Puts the values that stand into a profile, and those that do not beside them.
pub(super) fn fill(profile: &mut Profile, facts: &Facts, rules: &Survivorship) {
    let text = |pick: fn(&Presented) -> Option<&String>| {
        gather(facts, rules, |presented| pick(presented).cloned())
    };
    let mut others = Vec::new();
    let mut one = |field, rule, pick: fn(&Presented) -> Option<&String>| {
        let (chosen, left) = spelling(text(pick), rule);
        others.extend(left.into_iter().map(|value| OtherValue { field, value }));
        chosen
    };
    profile.given = one("given_name", rules.given_name, |p| p.given.as_ref());
    profile.surname = one("surname", rules.surname, |p| p.surname.as_ref());
    profile.birth_date = one("birth_date", rules.birth_date, |p| p.birth_date.as_ref());
    profile.other_values = others;
    let emails = ordered(text(|p| p.email.as_ref()), rules.email, |text| text.chars().count());
    profile.emails = emails.map(|(value, seen)| of_mailbox(value, seen)).collect();
    let phones = ordered(text(|p| p.phone.as_ref()), rules.phone, |text| text.chars().count());
    profile.phones = phones.map(|(value, seen)| of_number(value, seen)).collect();
    let addresses = gather(facts, rules, |presented| presented.address.clone());
    let addresses = ordered(addresses, rules.address, length);
    profile.addresses = addresses.map(|(address, seen)| of_address(address, seen)).collect();
}

fn gather<T: Ord>(
    facts: &Facts,
    rules: &Survivorship,
    pick: impl Fn(&Presented) -> Option<T>,
) -> Gathered<T> {
    let mut gathered: Gathered<T> = BTreeMap::new();
    for ((presented, source), seen) in &facts.presented {
        let Some(value) = pick(presented) else { continue };
        let trust = rules.trust(source);
        gathered
            .entry(value)
            .and_modify(|mine| {
                mine.seen = mine.seen.clone().and(seen.clone());
                mine.trust = mine.trust.min(trust);
            })
            .or_insert_with(|| Origin { seen: seen.clone(), trust });
    }
    gathered
}

fn rank(rule: Rule, origin: &Origin, length: usize) -> Rank {
    let (count, latest) = (origin.seen.count, (origin.seen.at, origin.seen.event));
    // Where nothing but time or number counts, the first measure is the same of all.
    let alike = Reverse(0);
    match rule {
        Rule::MostFrequent => ((alike, count), latest, 0),
        Rule::MostRecent => ((alike, 0), latest, count),
        Rule::MostTrustedSource => ((Reverse(origin.trust), 0), latest, count),
        Rule::Longest => ((alike, length as u64), latest, count),
    }
}

/// The values, best first.
fn ordered<T: Ord>(
    gathered: Gathered<T>,
    rule: Rule,
    length: impl Fn(&T) -> usize,
) -> impl Iterator<Item = (T, Seen)> {
    let ranked = |(value, origin): (T, Origin)| {
        (Reverse(rank(rule, &origin, length(&value))), value, origin.seen)
    };
    let mut values: Vec<(Reverse<Rank>, T, Seen)> = gathered.into_iter().map(ranked).collect();
    values.sort_by(|(a, x, _), (b, y, _)| a.cmp(b).then_with(|| x.cmp(y)));
    values.into_iter().map(|(_, value, seen)| (value, seen))
}

/// The spelling that stands, and the best form of each other one. Case does not make another spelling; the form that
/// stands has capitals if any has.
fn spelling(gathered: Gathered<String>, rule: Rule) -> (Option<Value>, Vec<Value>) {
    let mut spellings: BTreeMap<String, Vec<(String, Origin)>> = BTreeMap::new();
    for (text, origin) in gathered {
        spellings.entry(text.to_lowercase()).or_default().push((text, origin));
    }
    let mut ranked: Vec<_> = spellings
        .into_iter()
        .filter_map(|(key, forms)| {
            let length = key.trim_end_matches('.').chars().count();
            let (shown, origin) = joined(forms)?;
            let rank = (length > 1, rank(rule, &origin, length));
            Some((Reverse(rank), key, Value { value: shown, seen: origin.seen, quality: None }))
        })
        .collect();
    ranked.sort_by(|(a, x, _), (b, y, _)| a.cmp(b).then_with(|| x.cmp(y)));
    let mut values = ranked.into_iter().map(|(_, _, value)| value);
    (values.next(), values.collect())
}

/// The form of a spelling that is shown, and where all of its forms are from.
fn joined(forms: Vec<(String, Origin)>) -> Option<(String, Origin)> {
    let is_mixed =
        |text: &str| text.chars().any(char::is_lowercase) && text.chars().any(char::is_uppercase);
    let shown = forms.iter().rev().max_by_key(|(text, origin)| {
        (is_mixed(text), origin.seen.count, origin.seen.at, origin.seen.event)
    });
    let shown = shown?.0.clone();
    let all = forms
        .into_iter()
        .map(|(_, origin)| origin)
        .reduce(|a, b| Origin { seen: a.seen.and(b.seen), trust: a.trust.min(b.trust) });
    Some((shown, all?))
}

fn of_mailbox(value: String, seen: Seen) -> Value {
    let domain = value.rsplit_once('@').map_or("", |(_, domain)| domain);
    let quality = lexicon::is_disposable(domain).then_some(Quality::Disposable);
    Value { value, seen, quality }
}

fn of_number(value: String, seen: Seen) -> Value {
    let quality = (!value.starts_with('+')).then_some(Quality::NoCountry);
    Value { value, seen, quality }
}

fn of_address(address: Address, seen: Seen) -> ValueAddress {
    let arrives = address.line.is_some() && (address.postcode.is_some() || address.city.is_some());
    let quality = (!arrives).then_some(Quality::Incomplete);
    ValueAddress { address, seen, quality }
}

/// How much an address says.
fn length(address: &Address) -> usize {
    let Address { line, city, region, postcode, country } = address;
    let parts = [line, city, region, postcode, country];
    parts.into_iter().flatten().map(|part| part.chars().count()).sum()
}
