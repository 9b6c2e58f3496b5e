//! What is known of a record besides its content, as a fold that knows neither order nor grouping.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::consent::{ConsentFact, ConsentKey, SuppressionFact};
use super::tally::{
    Activity, MoneyKey, MoneySum, ReasonSum, Seen, Tally, Touch, Trait, add_all, month,
};
use crate::record::{ContactChannel, Details, Issue, Micros, Normalised, Presented};

/// What the events of one record node, or of one identity, said.
///
/// [`Facts::merge`] is commutative and associative: in whatever order and grouping events arrive, the fold is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The earliest and latest event time; `None` before the first event.
    pub seen: Option<(Micros, Micros)>,
    /// Events per channel and type.
    pub activity: BTreeMap<Activity, Tally>,
    /// Events per channel and month, in months since January 1970.
    pub months: BTreeMap<(Arc<str>, i32), u64>,
    /// The earliest and the latest event with their channels and campaigns.
    pub touches: Option<(Touch, Touch)>,
    /// Money per direction and currency.
    pub money: BTreeMap<MoneyKey, MoneySum>,
    /// Product categories and how often.
    pub categories: BTreeMap<String, u64>,
    /// Products and how often.
    pub products: BTreeMap<String, u64>,
    /// Campaigns and how often.
    pub campaigns: BTreeMap<String, u64>,
    /// What customers got in touch for.
    pub reasons: BTreeMap<String, ReasonSum>,
    /// The sum of sentiments in thousandths, and how many.
    pub sentiment: (i64, u64),
    /// Language, country and timezone as events say them.
    pub traits: BTreeMap<(Trait, String), Tally>,
    /// What was said last per purpose and channel; of one record. Of several records each keeps its own: see
    /// [`consent`](super::consent).
    pub consent: BTreeMap<ConsentKey, ConsentFact>,
    /// Whether the record's address may be used, per way of contact.
    pub suppression: BTreeMap<ContactChannel, SuppressionFact>,
    /// Each way the identity was written, by each source, and when it was so last.
    pub presented: BTreeMap<(Presented, Arc<str>), Seen>,
    /// What of the identity could not be used or was mended, and how often.
    pub issues: BTreeMap<Issue, u64>,
}

impl Facts {
    /// The facts of one event, whose identity was read as `normalised`.
    pub fn of_event(
        activity: Activity,
        details: &Details,
        normalised: Normalised,
        seen: Seen,
    ) -> Self {
        let Normalised { presented, issues, .. } = normalised;
        let at = seen.at;
        let mut facts = Self { seen: Some((at, at)), ..Self::default() };
        facts.take_doings(&activity, at, details);
        facts.months.insert((Arc::clone(&activity.channel), month(at)), 1);
        facts.activity.insert(activity, Tally { count: 1, last: at });
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
        if presented != Presented::default() {
            facts.presented.insert((presented, Arc::clone(&seen.source)), seen);
        }
        facts.issues.extend(issues.into_iter().map(|issue| (issue, 1)));
        facts
    }

    /// What one event says of what the customer did.
    fn take_doings(&mut self, activity: &Activity, at: Micros, details: &Details) {
        let (channel, campaign) = (Arc::clone(&activity.channel), details.campaign.clone());
        let touch = Touch { at, channel, campaign };
        self.touches = Some((touch.clone(), touch));
        if let Some(money) = &details.money {
            let key = MoneyKey {
                currency: money.currency.clone(),
                decimals: money.decimals,
                kind: money.kind,
            };
            let (minor, items) = (money.minor, details.items.unwrap_or_default());
            let sum = MoneySum { count: 1, minor, items, largest_minor: minor, last: at };
            self.money.insert(key, sum);
        }
        self.categories.extend(details.category.iter().map(|it| (it.clone(), 1)));
        self.products.extend(details.product.iter().map(|it| (it.clone(), 1)));
        self.campaigns.extend(details.campaign.iter().map(|it| (it.clone(), 1)));
        let reason = details.reason.iter();
        self.reasons.extend(reason.map(|it| (it.clone(), ReasonSum::of(details))));
        if let Some(milli) = details.sentiment_milli {
            self.sentiment = (milli.into(), 1);
        }
        let traits = [
            (Trait::Language, &details.language),
            (Trait::Country, &details.country),
            (Trait::Timezone, &details.timezone),
        ];
        for (kind, value) in traits {
            let tally = Tally { count: 1, last: at };
            self.traits.extend(value.iter().map(|it| ((kind, it.clone()), tally)));
        }
    }

    /// Adds the facts of other events to these.
    pub fn merge(&mut self, other: Self) {
        self.seen = match (self.seen, other.seen) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, None) | (None, one) => one,
        };
        self.touches = match (self.touches.take(), other.touches) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, None) | (None, one) => one,
        };
        add_all(&mut self.activity, other.activity);
        add_all(&mut self.months, other.months);
        add_all(&mut self.money, other.money);
        add_all(&mut self.categories, other.categories);
        add_all(&mut self.products, other.products);
        add_all(&mut self.campaigns, other.campaigns);
        add_all(&mut self.reasons, other.reasons);
        add_all(&mut self.traits, other.traits);
        add_all(&mut self.consent, other.consent);
        add_all(&mut self.suppression, other.suppression);
        add_all(&mut self.presented, other.presented);
        add_all(&mut self.issues, other.issues);
        self.sentiment.0 += other.sentiment.0;
        self.sentiment.1 += other.sentiment.1;
    }

    /// How many events these are the facts of.
    pub fn events(&self) -> u64 {
        self.activity.values().map(|tally| tally.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{
        Consent, ConsentState, EventKey, Money, MoneyKind, RecordKey, Suppression, SuppressionState,
    };

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
                    product: Some(amount.to_string()),
                    items: Some(amount.into()),
                    campaign: Some(who.to_string()),
                    reason: strict.then(|| who.to_string()),
                    resolved: (who > 0).then_some(strict),
                    language: Some(who.to_string()),
                    timezone: Some(amount.to_string()),
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
                let issues = vec![Issue::Disposable];
                let normalised = Normalised { presented, issues, ..Normalised::default() };
                let event = EventKey::hash([&event[..]]);
                let record = RecordKey([who; 16]);
                let source = if strict { "web" } else { "till" };
                let seen = Seen::once(at * 20 * 86_400_000_000, event, source.into(), record);
                let activity = Activity { channel: "web".into(), kind: "login".into() };
                Facts::of_event(activity, &details, normalised, seen)
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
