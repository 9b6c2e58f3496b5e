//! Which of many values stands in the profile?
//!
//! Names and birth date: the most frequent spelling, of equally frequent ones the most recent, then
//! the least text. An initial stands only where there is nothing longer. E-mails, phones and
//! addresses all stand, latest first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Facts, MoneyRow, Profile, Seen, Settings, SourceId, Value, ValueAddress, consent};
use crate::record::{Address, Field, Identity, IdentityId, MoneyKind, Presented, RecordKey};

/// A record of an identity, with what its events said.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The record.
    pub record: RecordKey,
    /// The source of its earliest event.
    pub source: Arc<str>,
    /// The source's own row key.
    pub record_id: Option<String>,
    /// What it is matched by.
    pub identity: Identity,
    /// What its events said.
    pub facts: Facts,
}

/// Makes the profile of an identity from its members, in whatever order they come.
pub fn profile(
    identity: IdentityId,
    version: u64,
    members: &[Member],
    settings: &Settings,
) -> Profile {
    let mut facts = Facts::default();
    members.iter().for_each(|member| facts.merge(member.facts.clone()));
    let (first_seen, last_seen) = facts.seen.unwrap_or_default();
    let text = |pick: fn(&Presented) -> Option<&String>| {
        gather(&facts, |presented| pick(presented).cloned())
    };
    let profile = Profile {
        identity,
        version,
        known: members.iter().any(|member| is_known(&member.identity)),
        given: spelling(text(|p| p.given.as_ref())),
        surname: spelling(text(|p| p.surname.as_ref())),
        birth_date: spelling(text(|p| p.birth_date.as_ref())),
        emails: latest(text(|p| p.email.as_ref())).map(value).collect(),
        phones: latest(text(|p| p.phone.as_ref())).map(value).collect(),
        addresses: latest(gather(&facts, |presented| presented.address.clone()))
            .map(|(address, seen): (Address, Seen)| ValueAddress { address, seen })
            .collect(),
        ids: ids(members),
        consent: consent::agreed(members),
        contact: consent::contact(members, settings),
        agrees_to_profiling: consent::agrees(members, &settings.profiling_purpose),
        activity: facts
            .activity
            .iter()
            .map(|(of, count)| (Arc::clone(&of.channel), Arc::clone(&of.kind), *count))
            .collect(),
        events: facts.events(),
        records: members.len() as u64,
        first_seen,
        last_seen,
        money: money(&facts),
        categories: most_frequent(&facts.categories),
        sentiment_milli: i64::try_from(facts.sentiment.1)
            .ok()
            .and_then(|count| facts.sentiment.0.checked_div(count)),
    };
    if settings.require_profiling_consent && !profile.agrees_to_profiling {
        return profile.without_derived();
    }
    profile
}

/// Whether a record says more than which browser or device it was.
fn is_known(identity: &Identity) -> bool {
    let anonymous = |field: &Field| matches!(field, Field::Cookie | Field::Device);
    identity.values.iter().any(|(field, _)| !anonymous(field)) || !identity.name_tokens.is_empty()
}

/// Every value of one kind: its latest event, and how many gave it.
fn gather<T: Ord>(facts: &Facts, pick: impl Fn(&Presented) -> Option<T>) -> BTreeMap<T, Seen> {
    let mut gathered: BTreeMap<T, Seen> = BTreeMap::new();
    for (presented, seen) in &facts.presented {
        let Some(value) = pick(presented) else { continue };
        gathered
            .entry(value)
            .and_modify(|mine| *mine = mine.clone().and(seen.clone()))
            .or_insert_with(|| seen.clone());
    }
    gathered
}

fn value((value, seen): (String, Seen)) -> Value {
    Value { value, seen }
}

fn latest<T: Ord>(gathered: BTreeMap<T, Seen>) -> impl Iterator<Item = (T, Seen)> {
    let mut values: Vec<(T, Seen)> = gathered.into_iter().collect();
    values.sort_by(|(a, x), (b, y)| (y.at, y.event).cmp(&(x.at, x.event)).then(a.cmp(b)));
    values.into_iter()
}

/// The spelling that stands. Case does not make another spelling; the form that stands has capitals
/// if any has.
fn spelling(gathered: BTreeMap<String, Seen>) -> Option<Value> {
    let mut spellings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (text, seen) in gathered {
        spellings.entry(text.to_lowercase()).or_default().push(Value { value: text, seen });
    }
    let rank = |forms: &Vec<Value>| {
        let long = forms.iter().any(|form| form.value.trim_end_matches('.').chars().count() > 1);
        let count: u64 = forms.iter().map(|form| form.seen.count).sum();
        let latest = forms.iter().map(|form| (form.seen.at, form.seen.event)).max();
        (long, count, latest)
    };
    let forms = spellings.into_values().rev().max_by_key(rank)?;
    let (count, latest) = (
        forms.iter().map(|form| form.seen.count).sum(),
        forms.iter().map(|form| form.seen.clone()).reduce(Seen::later),
    );
    let is_mixed =
        |text: &str| text.chars().any(char::is_lowercase) && text.chars().any(char::is_uppercase);
    let shown = forms
        .into_iter()
        .rev()
        .max_by_key(|form| (is_mixed(&form.value), form.seen.count, form.seen.at))?;
    Some(Value { value: shown.value, seen: Seen { count, ..latest? } })
}

/// The identifiers that the members carry, and the row keys of keyed ones.
fn ids(members: &[Member]) -> Vec<SourceId> {
    let mut ids = Vec::new();
    for member in members {
        let named = |kind: &str, value: &str| SourceId {
            kind: kind.to_owned(),
            source: Arc::clone(&member.source),
            value: value.to_owned(),
        };
        ids.extend(member.record_id.as_deref().map(|id| named("record", id)));
        for (field, value) in &member.identity.values {
            if field.is_identifier() && !matches!(field, Field::Email | Field::Phone) {
                ids.push(named(field.name(), value));
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn money(facts: &Facts) -> Vec<MoneyRow> {
    let mut rows: BTreeMap<(&str, u8), MoneyRow> = BTreeMap::new();
    for (key, sum) in &facts.money {
        let row = rows.entry((&key.currency, key.decimals)).or_insert_with(|| MoneyRow {
            currency: key.currency.clone(),
            decimals: key.decimals,
            ..MoneyRow::default()
        });
        match key.kind {
            MoneyKind::Purchase => (row.purchases, row.purchase_minor) = (sum.count, sum.minor),
            MoneyKind::Return => (row.returns, row.return_minor) = (sum.count, sum.minor),
        }
    }
    rows.into_values().collect()
}

fn most_frequent(counts: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = counts.iter().map(|(c, n)| (c.clone(), *n)).collect();
    counts.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.cmp(b)));
    counts
}

#[cfg(test)]
mod tests;
