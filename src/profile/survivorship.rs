//! What do the members of an identity make together?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::consent::{self, Addresses};
use super::{
    ActivityRow, Contact, Facts, MoneyRow, Profile, ReasonRow, Settings, SourceId, Touches, Trait,
    Traits, household, values,
};
use crate::record::{Field, Identity, IdentityId, Micros, MoneyKind, RecordKey};

/// How many products a profile names.
const PRODUCTS_MAX: usize = 10;

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
    let mut profile = of_doings(identity, version, &facts);
    profile.known = members.iter().any(|member| is_known(&member.identity));
    profile.records = members.len() as u64;
    profile.ids = ids(members);
    values::fill(&mut profile, &facts, &settings.survivorship);
    profile.household = household::of(&profile, members);
    profile.completeness_percent = completeness_percent(&profile);
    profile.consent = consent::agreed(members);
    let best = Addresses {
        emails: &profile.emails,
        phones: &profile.phones,
        addresses: &profile.addresses,
    };
    profile.contact = consent::contact(members, &best, settings);
    profile.agrees_to_profiling = consent::agrees(members, &settings.profiling_purpose);
    if settings.require_profiling_consent && !profile.agrees_to_profiling {
        return profile.without_derived();
    }
    profile
}

/// What events say of what the customer did, and nothing yet of who they are.
fn of_doings(identity: IdentityId, version: u64, facts: &Facts) -> Profile {
    let (first_seen, last_seen) = facts.seen.unwrap_or_default();
    let mut products = most_frequent(&facts.products);
    products.truncate(PRODUCTS_MAX);
    let mut months: Vec<_> =
        facts.months.iter().map(|((of, month), n)| (*month, Arc::clone(of), *n)).collect();
    months.sort_unstable();
    let (first, last) = facts.touches.clone().unzip();
    Profile {
        identity,
        version,
        known: false,
        given: None,
        surname: None,
        birth_date: None,
        other_values: Vec::new(),
        emails: Vec::new(),
        phones: Vec::new(),
        addresses: Vec::new(),
        household: None,
        ids: Vec::new(),
        issues: facts.issues.iter().map(|(issue, count)| (*issue, *count)).collect(),
        completeness_percent: 0,
        consent: Vec::new(),
        contact: Contact::default(),
        agrees_to_profiling: false,
        traits: Traits {
            language: most_said(facts, Trait::Language),
            country: most_said(facts, Trait::Country),
            timezone: most_said(facts, Trait::Timezone),
        },
        activity: activity(facts),
        months,
        touches: Touches { first, last },
        events: facts.events(),
        records: 0,
        first_seen,
        last_seen,
        money: money(facts),
        categories: most_frequent(&facts.categories),
        products,
        reasons: reasons(facts),
        sentiment_milli: mean(facts.sentiment),
    }
}

/// Whether a record says more than which browser or device it was.
fn is_known(identity: &Identity) -> bool {
    let anonymous = |field: &Field| matches!(field, Field::Cookie | Field::Device);
    identity.values.iter().any(|(field, _)| !anonymous(field)) || !identity.name_tokens.is_empty()
}

fn completeness_percent(profile: &Profile) -> u8 {
    let core = [
        profile.given.is_some(),
        profile.surname.is_some(),
        profile.birth_date.is_some(),
        !profile.emails.is_empty(),
        !profile.phones.is_empty(),
        !profile.addresses.is_empty(),
    ];
    let known = core.into_iter().filter(|is_there| *is_there).count();
    u8::try_from(100 * known / core.len()).unwrap_or(100)
}

/// The identifiers that the members carry, and the row keys of keyed ones, each with when its records were seen.
fn ids(members: &[Member]) -> Vec<SourceId> {
    let mut seen: BTreeMap<(String, Arc<str>, String), (Micros, Micros)> = BTreeMap::new();
    for member in members {
        let times = member.facts.seen.unwrap_or_default();
        let mut name = |kind: &str, value: &str| {
            let key = (kind.to_owned(), Arc::clone(&member.source), value.to_owned());
            let (first, last) = seen.entry(key).or_insert(times);
            (*first, *last) = ((*first).min(times.0), (*last).max(times.1));
        };
        if let Some(id) = member.record_id.as_deref() {
            name("record", id);
        }
        for (field, value) in &member.identity.values {
            if field.is_identifier() && !matches!(field, Field::Email | Field::Phone) {
                name(field.name(), value);
            }
        }
    }
    let id = |((kind, source, value), (first, last))| SourceId { kind, source, value, first, last };
    seen.into_iter().map(id).collect()
}

/// What was said most often, of equals the latest, of equals the least text.
fn most_said(facts: &Facts, kind: Trait) -> Option<String> {
    let said = facts.traits.iter().filter(|((of, _), _)| *of == kind).rev();
    let most = said.max_by_key(|(_, tally)| (tally.count, tally.last));
    most.map(|((_, value), _)| value.clone())
}

fn activity(facts: &Facts) -> Vec<ActivityRow> {
    let rows = facts.activity.iter().map(|(of, tally)| ActivityRow {
        channel: Arc::clone(&of.channel),
        kind: Arc::clone(&of.kind),
        events: tally.count,
        last: tally.last,
    });
    rows.collect()
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
            MoneyKind::Purchase => {
                (row.purchases, row.purchase_minor) = (sum.count, sum.minor);
                (row.items, row.largest_minor) = (sum.items, sum.largest_minor);
                row.last_purchase = Some(sum.last);
            }
            MoneyKind::Return => (row.returns, row.return_minor) = (sum.count, sum.minor),
        }
    }
    rows.into_values().collect()
}

fn reasons(facts: &Facts) -> Vec<ReasonRow> {
    let rows = facts.reasons.iter().map(|(reason, sum)| ReasonRow {
        reason: reason.clone(),
        contacts: sum.count,
        resolved: sum.resolved,
        unresolved: sum.unresolved,
        sentiment_milli: mean(sum.sentiment),
    });
    rows.collect()
}

fn mean((sum, count): (i64, u64)) -> Option<i64> {
    i64::try_from(count).ok().and_then(|count| sum.checked_div(count))
}

fn most_frequent(counts: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = counts.iter().map(|(c, n)| (c.clone(), *n)).collect();
    counts.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.cmp(b)));
    counts
}

#[cfg(test)]
mod tests;
