//! What is known of a record besides its content, as a fold that knows neither order nor grouping.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::consent::{ConsentFact, ConsentKey, SuppressionFact};
use crate::record::{ContactChannel, Details, EventKey, Micros, MoneyKind, Presented, RecordKey};

/// What the events of one record node, or of one identity, said.
///
/// [`Facts::merge`] is commutative and associative: in whatever order and grouping events arrive, the fold is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The earliest and latest event time; `None` before the first event.
    pub seen: Option<(Micros, Micros)>,
    /// Events per channel and type.
    pub activity: BTreeMap<Activity, u64>,
    /// Money per direction and currency.
    pub money: BTreeMap<MoneyKey, MoneySum>,
    /// Product categories and how often.
    pub categories: BTreeMap<String, u64>,
    /// Campaigns and how often.
    pub campaigns: BTreeMap<String, u64>,
    /// The sum of sentiments in thousandths, and how many.
    pub sentiment: (i64, u64),
    /// What was said last per purpose and channel; of one record. Of several records each keeps its own: see
    /// [`consent`](super::consent).
    pub consent: BTreeMap<ConsentKey, ConsentFact>,
    /// Each way the identity was written, and when it was so last.
    pub presented: BTreeMap<Presented, Seen>,
    /// Whether the record's address may be used, per way of contact.
    pub suppression: BTreeMap<ContactChannel, SuppressionFact>,
}

/// The channel and type of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Activity {
    pub channel: Arc<str>,
    pub kind: Arc<str>,
}

/// What a sum of money is kept by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct MoneyKey {
    pub currency: String,
    pub decimals: u8,
    pub kind: MoneyKind,
}

/// How often money went one way, and how much in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct MoneySum {
    pub count: u64,
    pub minor: i64,
}

/// Where a way of writing comes from: its latest event. The greater wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seen {
    /// When it was last so.
    pub at: Micros,
    /// The event that said so; breaks ties of time.
    pub event: EventKey,
    /// The source of that event.
    pub source: Arc<str>,
    /// The record that the event belongs to.
    pub record: RecordKey,
    /// How often it was so.
    pub count: u64,
}

impl Facts {
    /// The facts of one event.
    pub fn of_event(
        activity: Activity,
        at: Micros,
        details: &Details,
        presented: Presented,
        seen: Seen,
    ) -> Self {
        let mut facts = Self { seen: Some((at, at)), ..Self::default() };
        facts.activity.insert(activity, 1);
        if let Some(money) = &details.money {
            let key = MoneyKey {
                currency: money.currency.clone(),
                decimals: money.decimals,
                kind: money.kind,
            };
            facts.money.insert(key, MoneySum { count: 1, minor: money.minor });
        }
        if let Some(consent) = &details.consent {
            facts.consent.insert(ConsentKey::of(consent), ConsentFact::of(consent, at));
        }
        if let Some(suppression) = &details.suppression {
            let channels = suppression.channels.iter();
            let fact = |channel: &ContactChannel| {
                (*channel, SuppressionFact::of(suppression, at, *channel, &presented))
            };
            facts.suppression.extend(channels.map(fact));
        }
        facts.categories.extend(details.category.iter().map(|c| (c.clone(), 1)));
        facts.campaigns.extend(details.campaign.iter().map(|c| (c.clone(), 1)));
        if let Some(milli) = details.sentiment_milli {
            facts.sentiment = (milli.into(), 1);
        }
        if presented != Presented::default() {
            facts.presented.insert(presented, seen);
        }
        facts
    }

    /// Adds the facts of other events to these.
    pub fn merge(&mut self, other: Self) {
        self.seen = match (self.seen, other.seen) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, None) | (None, one) => one,
        };
        add(&mut self.activity, other.activity);
        add(&mut self.categories, other.categories);
        add(&mut self.campaigns, other.campaigns);
        self.sentiment.0 += other.sentiment.0;
        self.sentiment.1 += other.sentiment.1;
        for (key, sum) in other.money {
            let mine = self.money.entry(key).or_default();
            mine.count += sum.count;
            mine.minor = mine.minor.saturating_add(sum.minor);
        }
        keep_greatest(&mut self.consent, other.consent);
        keep_greatest(&mut self.suppression, other.suppression);
        for (presented, seen) in other.presented {
            match self.presented.entry(presented) {
                Entry::Vacant(entry) => {
                    entry.insert(seen);
                }
                Entry::Occupied(mut entry) => {
                    let both = entry.get().clone().and(seen);
                    entry.insert(both);
                }
            }
        }
    }

    /// How many events these are the facts of.
    pub fn events(&self) -> u64 {
        self.activity.values().sum()
    }
}

fn add<K: Ord>(mine: &mut BTreeMap<K, u64>, other: BTreeMap<K, u64>) {
    for (key, count) in other {
        *mine.entry(key).or_default() += count;
    }
}

fn keep_greatest<K: Ord, F: Ord>(mine: &mut BTreeMap<K, F>, other: BTreeMap<K, F>) {
    for (key, fact) in other {
        match mine.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(fact);
            }
            Entry::Occupied(mut entry) => {
                if fact > *entry.get() {
                    entry.insert(fact);
                }
            }
        }
    }
}

impl Seen {
    /// The later of two, with its own count.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        if (other.at, other.event) > (self.at, self.event) { other } else { self }
    }

    /// The later of two that speak of one value, with both counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let count = self.count + other.count;
        Self { count, ..self.later(other) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Consent, ConsentState, Money, Suppression, SuppressionState};

    fn facts() -> impl Strategy<Value = Facts> {
        (0i64..5, 0u8..3, 0u8..3, any::<bool>(), any::<[u8; 2]>()).prop_map(
            |(at, who, amount, strict, event)| {
                let state = if strict { ConsentState::Withdrawn } else { ConsentState::Granted };
                let details = Details {
                    money: (amount > 0).then(|| Money {
                        kind: MoneyKind::Purchase,
                        currency: "EUR".into(),
                        decimals: 2,
                        minor: amount.into(),
                    }),
                    consent: Some(Consent {
                        purpose: "profiling".into(),
                        channel: (who > 0).then(|| "email".into()),
                        state,
                        basis: None,
                        policy_version: Some(amount.to_string()),
                        source: "web".into(),
                    }),
                    category: Some(who.to_string()),
                    sentiment_milli: Some(i32::from(who)),
                    suppression: Some(Suppression {
                        channels: vec![ContactChannel::ALL[usize::from(who)]],
                        state: match strict {
                            true => SuppressionState::Suppressed,
                            false => SuppressionState::Lifted,
                        },
                        reason: amount.to_string(),
                    }),
                    ..Details::default()
                };
                let presented = Presented { given: Some(who.to_string()), ..Presented::default() };
                let event = EventKey::hash([&event[..]]);
                let record = RecordKey([who; 16]);
                let seen = Seen { at, event, source: "web".into(), record, count: 1 };
                let activity = Activity { channel: "web".into(), kind: "login".into() };
                Facts::of_event(activity, at, &details, presented, seen)
            },
        )
    }

    fn fold(facts: impl IntoIterator<Item = Facts>) -> Facts {
        facts.into_iter().fold(Facts::default(), |mut all, one| {
            all.merge(one);
            all
        })
    }

    proptest! {
        #[test]
        fn the_fold_knows_neither_order_nor_grouping(
            events in prop::collection::vec(facts(), 0..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let straight = fold(events.clone());
            let backwards = fold(events.iter().rev().cloned());
            let (left, right) = events.split_at(cut.index(events.len() + 1));
            let grouped = fold([fold(right.to_vec()), fold(left.to_vec())]);
            prop_assert_eq!(&straight, &backwards);
            prop_assert_eq!(&straight, &grouped);
        }
    }
}
