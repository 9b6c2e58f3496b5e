//! How did earlier versions of the program write rows that look otherwise now?
//!
//! Facts and interactions of version 1 knew less: of consent no more than purpose and state; nothing of suppression,
//! months, products, reasons, first times. What they did not know stays unknown; a time that something was last is taken
//! for the latest event of all.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::row::Versioned;
use crate::profile::{self, Activity, ConsentFact, ConsentKey, MoneyKey, Tally};
use crate::record::{self, ConsentState, EventKey, Micros, Money, Presented, RecordKey};

impl Versioned for profile::Facts {
    const VERSION: u8 = 2;
    type Before = Facts;
}

impl Versioned for profile::Interaction {
    const VERSION: u8 = 2;
    type Before = Interaction;
}

/// The facts of version 1.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct Facts {
    seen: Option<(Micros, Micros)>,
    activity: BTreeMap<Activity, u64>,
    money: BTreeMap<MoneyKey, (u64, i64)>,
    categories: BTreeMap<String, u64>,
    campaigns: BTreeMap<String, u64>,
    sentiment: (i64, u64),
    consent: BTreeMap<String, (Micros, ConsentState)>,
    presented: BTreeMap<Presented, Seen>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Seen {
    at: Micros,
    event: EventKey,
    source: Arc<str>,
    record: RecordKey,
    count: u64,
}

/// The interactions of version 1.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct Interaction {
    event_id: String,
    event_key: EventKey,
    source: Arc<str>,
    channel: Arc<str>,
    kind: Arc<str>,
    occurred_at: Micros,
    record: RecordKey,
    details: Details,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Details {
    money: Option<Money>,
    consent: Option<(String, ConsentState)>,
    category: Option<String>,
    campaign: Option<String>,
    sentiment_milli: Option<i32>,
}

impl From<Facts> for profile::Facts {
    fn from(before: Facts) -> Self {
        let consent = before.consent.into_iter().map(|(purpose, (at, state))| {
            let (basis, policy_version, source) = (None, None, String::new());
            let key = ConsentKey { purpose, channel: None };
            (key, ConsentFact { at, state, basis, policy_version, source })
        });
        let (first, last) = before.seen.unwrap_or_default();
        let presented = before.presented.into_iter().map(|(presented, seen)| {
            let Seen { at, event, source, record, count } = seen;
            let key = (presented, Arc::clone(&source));
            // Said once, it was first said then; else some time since the first event.
            let first = if count == 1 { at } else { first };
            (key, profile::Seen { at, event, source, record, count, first })
        });
        let money = before.money.into_iter().map(|(key, (count, minor))| {
            (key, profile::MoneySum { count, minor, last, ..profile::MoneySum::default() })
        });
        let activity = before.activity.into_iter();
        Self {
            seen: before.seen,
            activity: activity.map(|(of, count)| (of, Tally { count, last })).collect(),
            money: money.collect(),
            categories: before.categories,
            campaigns: before.campaigns,
            sentiment: before.sentiment,
            consent: consent.collect(),
            presented: presented.collect(),
            ..Self::default()
        }
    }
}

impl From<Interaction> for profile::Interaction {
    fn from(before: Interaction) -> Self {
        let Details { money, consent, category, campaign, sentiment_milli } = before.details;
        let consent = consent.map(|(purpose, state)| record::Consent {
            purpose,
            channel: None,
            state,
            basis: None,
            policy_version: None,
            source: before.source.as_ref().into(),
        });
        Self {
            event_id: before.event_id,
            event_key: before.event_key,
            source: before.source,
            channel: before.channel,
            kind: before.kind,
            occurred_at: before.occurred_at,
            record: before.record,
            details: record::Details {
                money,
                consent,
                category,
                campaign,
                sentiment_milli,
                ..record::Details::default()
            },
        }
    }
}

#[cfg(test)]
impl super::Store {
    /// Leaves the state at `path` as a version left it that did not note what it made profiles by.
    pub(crate) fn make_older(path: &std::path::Path) {
        use super::keyspace::{PROFILED_KEY, Space, Writes};
        let mut store = Self::open(path, &super::Options::default()).expect("it opens");
        let mut writes = Writes::default();
        writes.delete(Space::Meta, PROFILED_KEY);
        store.write_rows(writes).expect("it is written");
        assert_eq!(store.view().profiled_by().expect("it is read"), None);
        drop(store);
        std::fs::write(path.join("format"), "onefold state 2\n").expect("the format is written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::row::{
        decode_versioned, decode_versioned_chunk, encode, encode_chunks, encode_versioned,
        encode_versioned_chunks,
    };

    fn seen() -> Seen {
        Seen {
            at: 5,
            event: EventKey([7; 16]),
            source: "web".into(),
            record: RecordKey([8; 16]),
            count: 3,
        }
    }

    fn facts() -> Facts {
        let presented = Presented { given: Some("Zoë".into()), ..Presented::default() };
        Facts {
            seen: Some((1, 5)),
            activity: BTreeMap::new(),
            money: BTreeMap::new(),
            categories: [("hats".to_owned(), 2)].into(),
            campaigns: BTreeMap::new(),
            sentiment: (-4, 2),
            consent: [("mail".to_owned(), (4, ConsentState::Withdrawn))].into(),
            presented: [(presented, seen())].into(),
        }
    }

    #[test]
    fn facts_of_version_1_are_read() {
        let row = encode(&facts()).expect("it is encoded");
        let read: profile::Facts = decode_versioned("facts", &row).expect("it is read");
        let key = ConsentKey { purpose: "mail".into(), channel: None };
        assert_eq!((read.consent[&key].at, read.consent[&key].state), (4, ConsentState::Withdrawn));
        assert_eq!(
            (read.seen, read.sentiment, read.categories["hats"]),
            (Some((1, 5)), (-4, 2), 2)
        );
        assert_eq!(read.presented.values().map(|seen| seen.count).collect::<Vec<_>>(), [3]);
        let again = encode_versioned(&read).expect("it is encoded");
        assert_eq!(again[0], 2);
        assert_eq!(decode_versioned::<profile::Facts>("facts", &again).expect("it is read"), read);
        let later = [&[3], &again[1..]].concat();
        let error = decode_versioned::<profile::Facts>("facts", &later).expect_err("it is newer");
        assert!(error.to_string().contains("has version 3, this program reads 2"), "{error}");
    }

    #[test]
    fn interactions_of_version_1_are_read() {
        let details = Details {
            money: None,
            consent: Some(("mail".into(), ConsentState::Granted)),
            category: None,
            campaign: Some("c".into()),
            sentiment_milli: None,
        };
        let before = Interaction {
            event_id: "e".into(),
            event_key: EventKey([1; 16]),
            source: "web".into(),
            channel: "site".into(),
            kind: "consent".into(),
            occurred_at: 9,
            record: RecordKey([2; 16]),
            details,
        };
        let chunk = encode_chunks(&[before]).expect("it is encoded").remove(0);
        let read: Vec<profile::Interaction> =
            decode_versioned_chunk("outbox", &chunk).expect("it is read");
        let consent = read[0].details.consent.as_ref().expect("it is there");
        assert_eq!((consent.purpose.as_str(), consent.source.as_str()), ("mail", "web"));
        assert_eq!(read[0].details.campaign.as_deref(), Some("c"));
        let again = encode_versioned_chunks(&read).expect("it is encoded").remove(0);
        let twice: Vec<profile::Interaction> =
            decode_versioned_chunk("outbox", &again).expect("it is read");
        assert_eq!(twice, read);
    }
}
