//! What did a customer agree to, and by which way may they be contacted?
//!
//! Of one record, the latest statement counts, of two of one time the stricter; one for all channels counts for each.
//! Of the records of one customer, the strictest counts: who said no on one device and yes on another, later or
//! not, said no. Two records are one customer only as far as the matcher knows, and a withdrawal must not be undone by
//! a mistake of it, nor by somebody who shares the device; it is undone where it was made, or by an event that
//! carries the same identifiers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::tally::Sum;
use super::{ConsentRow, Facts, Member, Quality, Settings, Suppressed, Value, ValueAddress};
use crate::record::{
    Address, Consent, ConsentState, ContactChannel, Field, Identity, Micros, Presented, RecordKey,
    Suppression, SuppressionState,
};

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConsentKey {
    /// What the consent is for.
    pub purpose: String,
    /// The way of contact; `None` for all.
    pub channel: Option<String>,
}

/// A statement. The later wins, and at one time the stricter, so the greater wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of `Consent`")]
pub struct ConsentFact {
    pub at: Micros,
    pub state: ConsentState,
    pub basis: Option<String>,
    pub policy_version: Option<String>,
    pub source: String,
}

/// Whether an address may be used. The later wins, and at one time the stricter, so the greater wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SuppressionFact {
    /// Since when.
    pub at: Micros,
    /// Whether it may not, or may again.
    pub state: SuppressionState,
    /// Why.
    pub reason: String,
    /// The e-mail address or phone number, as the event gave it.
    pub address: Option<String>,
}

impl Sum for ConsentFact {
    fn add(&mut self, other: Self) {
        if other > *self {
            *self = other;
        }
    }
}

impl Sum for SuppressionFact {
    fn add(&mut self, other: Self) {
        if other > *self {
            *self = other;
        }
    }
}

impl ConsentKey {
    pub(super) fn of(consent: &Consent) -> Self {
        Self { purpose: consent.purpose.clone(), channel: consent.channel.clone() }
    }
}

impl ConsentFact {
    pub(super) fn of(consent: &Consent, at: Micros) -> Self {
        Self {
            at,
            state: consent.state,
            basis: consent.basis.clone(),
            policy_version: consent.policy_version.clone(),
            source: consent.source.clone(),
        }
    }

    /// The order between statements of several records: the stricter, then the later.
    fn strictness(&self) -> (ConsentState, &Self) {
        (self.state, self)
    }
}

impl SuppressionFact {
    pub(super) fn of(
        suppression: &Suppression,
        at: Micros,
        channel: ContactChannel,
        presented: &Presented,
    ) -> Self {
        let address = match channel {
            ContactChannel::Email => presented.email.clone(),
            ContactChannel::Sms | ContactChannel::Phone => presented.phone.clone(),
            ContactChannel::Post => None,
        };
        Self { at, state: suppression.state, reason: suppression.reason.clone(), address }
    }
}

/// Whether a customer may be contacted by one way for marketing, and if not, why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// They may be.
    Yes,
    /// No address of that kind is known.
    #[default]
    NoAddress,
    /// None that can be used: throw-away mailboxes, numbers without a country, addresses without a street or town.
    Invalid,
    /// All that could be used bounced, complained or unsubscribed.
    Suppressed,
    /// Consent was withdrawn.
    Withdrawn,
    /// Consent was never given.
    NoConsent,
}

impl Reach {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::NoAddress => "no_address",
            Self::Invalid => "invalid",
            Self::Suppressed => "suppressed",
            Self::Withdrawn => "withdrawn",
            Self::NoConsent => "no_consent",
        }
    }
}

/// How a customer may be contacted, and where then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Contact {
    pub email: Reach,
    pub sms: Reach,
    pub phone: Reach,
    pub post: Reach,
    /// The mailbox to write to, where that may be.
    pub mailbox: Option<String>,
    /// The number to call or to text, where either may be.
    pub number: Option<String>,
    /// The address to send to, where that may be.
    pub address: Option<Address>,
}

impl Contact {
    /// Whether any way is open.
    pub fn is_any(&self) -> bool {
        [self.email, self.sms, self.phone, self.post].contains(&Reach::Yes)
    }
}

/// What a customer agreed to, per purpose and channel that any record speaks of, ascending.
pub(super) fn agreed(members: &[Member]) -> Vec<ConsentRow> {
    let keys: BTreeSet<&ConsentKey> =
        members.iter().flat_map(|member| member.facts.consent.keys()).collect();
    let row = |key: &ConsentKey| {
        let fact = strictest(members, &[&key.purpose], key.channel.as_deref())?;
        Some(ConsentRow {
            purpose: key.purpose.clone(),
            channel: key.channel.clone(),
            state: fact.state,
            at: fact.at,
            basis: fact.basis.clone(),
            source: fact.source.clone(),
            policy_version: fact.policy_version.clone(),
        })
    };
    keys.into_iter().filter_map(row).collect()
}

/// Whether the customer agreed to a purpose, whatever the channel.
pub(super) fn agrees(members: &[Member], purpose: &str) -> bool {
    let fact = strictest(members, &[purpose], None);
    fact.is_some_and(|fact| fact.state == ConsentState::Granted)
}

/// The statement that counts for purposes that mean the same, by one channel.
fn strictest<'m>(
    members: &'m [Member],
    purposes: &[&str],
    channel: Option<&str>,
) -> Option<&'m ConsentFact> {
    let latest = |member: &'m Member| latest(&member.facts, purposes, channel);
    members.iter().filter_map(latest).max_by_key(|fact| fact.strictness())
}

fn latest<'f>(
    facts: &'f Facts,
    purposes: &[&str],
    channel: Option<&str>,
) -> Option<&'f ConsentFact> {
    let is_meant = |key: &ConsentKey| {
        let covers = key.channel.is_none() || key.channel.as_deref() == channel;
        covers && purposes.contains(&key.purpose.as_str())
    };
    let meant = facts.consent.iter().filter(|(key, _)| is_meant(key));
    meant.map(|(_, fact)| fact).max()
}

/// By which ways a customer may be contacted for marketing, where `best` has their addresses, the best first.
pub(super) fn contact(members: &[Member], best: &Addresses<'_>, settings: &Settings) -> Contact {
    let open = |channel: ContactChannel| {
        let purpose = settings.marketing_purpose.as_str();
        let of_channel = format!("{purpose}_{}", channel.name());
        let fact = strictest(members, &[purpose, &of_channel], Some(channel.name()));
        match fact.map(|fact| fact.state) {
            Some(ConsentState::Granted) => Reach::Yes,
            Some(ConsentState::Withdrawn) => Reach::Withdrawn,
            None => Reach::NoConsent,
        }
    };
    let valued = |values: &[Value]| -> Vec<(String, Option<Quality>)> {
        values.iter().map(|it| (it.value.clone(), it.quality)).collect()
    };
    let by_email = |p: &Presented| p.email.clone();
    let by_phone = |p: &Presented| p.phone.clone();
    let by_post = |p: &Presented| p.address.clone();
    let numbers = valued(best.phones);
    let addresses: Vec<_> =
        best.addresses.iter().map(|it| (it.address.clone(), it.quality)).collect();
    let of_email = unusable(members, ContactChannel::Email, by_email);
    let of_sms = unusable(members, ContactChannel::Sms, by_phone);
    let of_phone = unusable(members, ContactChannel::Phone, by_phone);
    let of_post = unusable(members, ContactChannel::Post, by_post);
    let email = usable(&valued(best.emails), &of_email, || open(ContactChannel::Email));
    let sms = usable(&numbers, &of_sms, || open(ContactChannel::Sms));
    let phone = usable(&numbers, &of_phone, || open(ContactChannel::Phone));
    let post = usable(&addresses, &of_post, || open(ContactChannel::Post));
    Contact {
        email: email.0,
        sms: sms.0,
        phone: phone.0,
        post: post.0,
        mailbox: email.1,
        number: sms.1.or(phone.1),
        address: post.1,
    }
}

/// The addresses of a customer, the best first.
pub(super) struct Addresses<'v> {
    pub(super) emails: &'v [Value],
    pub(super) phones: &'v [Value],
    pub(super) addresses: &'v [ValueAddress],
}

/// Whether one way is open, and the best address that may be used for it.
fn usable<T: Ord + Clone>(
    best: &[(T, Option<Quality>)],
    suppressed: &BTreeSet<T>,
    open: impl FnOnce() -> Reach,
) -> (Reach, Option<T>) {
    let valid = || best.iter().filter(|(_, quality)| quality.is_none()).map(|(value, _)| value);
    let Some(address) = valid().find(|value| !suppressed.contains(value)) else {
        let reach = match (best.is_empty(), valid().next()) {
            (true, _) => Reach::NoAddress,
            (false, None) => Reach::Invalid,
            (false, Some(_)) => Reach::Suppressed,
        };
        return (reach, None);
    };
    match open() {
        Reach::Yes => (Reach::Yes, Some(address.clone())),
        closed => (closed, None),
    }
}

/// The addresses of a kind, as they were written, that are suppressed: those of records that are, and all spellings of
/// the same.
fn unusable<T: Ord>(
    members: &[Member],
    channel: ContactChannel,
    pick: impl Fn(&Presented) -> Option<T>,
) -> BTreeSet<T> {
    let places: BTreeSet<String> = members
        .iter()
        .filter(|member| is_suppressed(&member.facts, channel))
        .filter_map(|member| place(&member.identity, channel))
        .collect();
    let is_out = |member: &&Member| {
        is_suppressed(&member.facts, channel)
            || place(&member.identity, channel).is_some_and(|place| places.contains(&place))
    };
    let out = members.iter().filter(is_out).flat_map(|member| member.facts.presented.keys());
    out.filter_map(|(presented, _)| pick(presented)).collect()
}

/// The rows of `suppression` of an identity's records, and the names of rows that must not be there.
pub fn suppressed(members: &[Member]) -> (Vec<Suppressed>, Vec<RecordKey>) {
    let (mut rows, mut free) = (Vec::new(), Vec::new());
    for Member { record, record_id, facts, .. } in members {
        for channel in ContactChannel::ALL {
            match facts.suppression.get(&channel) {
                Some(fact) if fact.state == SuppressionState::Suppressed => {
                    let key = Suppressed::key(*record, channel);
                    rows.push(Suppressed { key, record: *record, channel, fact: fact.clone() });
                }
                // Of a row of a keyed source, an older version may have been suppressed.
                None if record_id.is_none() => {}
                _ => free.push(Suppressed::key(*record, channel)),
            }
        }
    }
    (rows, free)
}

fn is_suppressed(facts: &Facts, channel: ContactChannel) -> bool {
    let fact = facts.suppression.get(&channel);
    fact.is_some_and(|fact| fact.state == SuppressionState::Suppressed)
}

/// What two spellings of one address of a kind have in common.
fn place(identity: &Identity, channel: ContactChannel) -> Option<String> {
    match channel {
        ContactChannel::Email => identity.value(Field::Email).map(ToOwned::to_owned),
        ContactChannel::Sms | ContactChannel::Phone => {
            identity.value(Field::Phone).map(ToOwned::to_owned)
        }
        ContactChannel::Post => {
            let parts = [Field::House, Field::Street, Field::Postcode, Field::City];
            let parts: Vec<&str> =
                parts.iter().map(|field| identity.value(*field).unwrap_or_default()).collect();
            parts.iter().any(|part| !part.is_empty()).then(|| parts.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests;
