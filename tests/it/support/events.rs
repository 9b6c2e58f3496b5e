//! Made-up events, and what must be found in the tables of whoever has read them.

use std::collections::{BTreeMap, BTreeSet};

use onefold::demo::{self, Channel, Line, Stream, generate};
use serde_json::Value;

/// Purchases and returns in minor units, by currency.
pub(crate) type Money = BTreeMap<String, (i64, i64)>;

/// Some ten events a customer, some of them repeated and a few broken.
pub(crate) fn stream(customers: u32) -> Stream {
    let settings = demo::Settings { customers, seed: 11, ..demo::Settings::default() };
    let stream = generate(&settings);
    assert!(stream.redelivered > 0 && !stream.malformed.is_empty(), "an interesting stream");
    stream
}

/// What a whole reading of a stream leaves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The ids of the well-formed events.
    pub(crate) events: BTreeSet<String>,
    /// What they moved.
    pub(crate) money: Money,
    /// The lines that are refused: their payloads, sorted.
    pub(crate) refused: Vec<String>,
}

impl Expected {
    pub(crate) fn of(stream: &Stream) -> Self {
        let broken = malformed(stream);
        let mut expected = Self {
            events: stream.truth.iter().map(|(event, _)| event.clone()).collect(),
            money: Money::new(),
            refused: broken.iter().map(|line| line.text.clone()).collect(),
        };
        expected.refused.sort();
        let mut counted = BTreeSet::new();
        for line in &stream.lines {
            if expected.events.contains(&line.event_id) && counted.insert(&line.event_id) {
                let event = serde_json::from_str(&line.text).expect("a well-formed event");
                add_money(&mut expected.money, line.channel, &event);
            }
        }
        assert_eq!(counted.len(), expected.events.len(), "every event of the truth has a line");
        expected
    }
}

/// The lines that should be refused.
pub(crate) fn malformed(stream: &Stream) -> Vec<&Line> {
    let ids: BTreeSet<&str> = stream.malformed.iter().map(|m| m.event_id.as_str()).collect();
    stream.lines.iter().filter(|line| ids.contains(line.event_id.as_str())).collect()
}

/// Adds what an event moves, by the words of the events' description and not by the pipeline file.
fn add_money(money: &mut Money, channel: Channel, event: &Value) {
    let kind = event["type"].as_str().expect("a type");
    let (amount, currency, returned) = match (channel, kind) {
        (Channel::Web, "purchase") => {
            (&event["order"]["amount"], &event["order"]["currency"], false)
        }
        (Channel::Store, "purchase" | "enrol" | "consent" | "return") => {
            (&event["basket_amount"], &event["currency"], kind == "return")
        }
        _ => return,
    };
    let Some(amount) = amount.as_f64() else { return };
    #[expect(clippy::cast_possible_truncation, reason = "amounts are small and have two decimals")]
    let minor = (amount * 100.0).round() as i64;
    assert!(minor >= 0, "amounts are not negative");
    let sums = money.entry(currency.as_str().expect("a currency").to_owned()).or_default();
    if returned { sums.1 += minor } else { sums.0 += minor }
}
