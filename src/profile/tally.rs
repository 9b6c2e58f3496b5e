//! What is counted of events, each sum such that neither order nor grouping matters.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::{Details, EventKey, Micros, MoneyKind, RecordKey};

/// A sum that another one of the same kind can be added to, whichever comes first.
pub(super) trait Sum {
    /// Adds another one.
    fn add(&mut self, other: Self);
}

/// Adds sums to those of the same keys.
pub(super) fn add_all<K: Ord, S: Sum>(mine: &mut BTreeMap<K, S>, other: BTreeMap<K, S>) {
    for (key, sum) in other {
        match mine.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(sum);
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(sum),
        }
    }
}

impl Sum for u64 {
    fn add(&mut self, other: Self) {
        *self += other;
    }
}

/// The channel and type of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Activity {
    pub channel: Arc<str>,
    pub kind: Arc<str>,
}

/// How often something was, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Tally {
    pub count: u64,
    pub last: Micros,
}

impl Sum for Tally {
    fn add(&mut self, other: Self) {
        *self = Self { count: self.count + other.count, last: self.last.max(other.last) };
    }
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
pub struct MoneySum {
    /// How many events.
    pub count: u64,
    /// How much together.
    pub minor: i64,
    /// How many things, as far as events say.
    pub items: u64,
    /// How much at most at once.
    pub largest_minor: i64,
    /// When last.
    pub last: Micros,
}

impl Sum for MoneySum {
    fn add(&mut self, other: Self) {
        *self = Self {
            count: self.count + other.count,
            minor: self.minor.saturating_add(other.minor),
            items: self.items.saturating_add(other.items),
            largest_minor: self.largest_minor.max(other.largest_minor),
            last: self.last.max(other.last),
        };
    }
}

/// What came of contacts for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonSum {
    /// How many.
    pub count: u64,
    /// How many of them were resolved.
    pub resolved: u64,
    /// How many of them were not; of the others nothing was said.
    pub unresolved: u64,
    /// The sum of their moods in thousandths, and how many had one.
    pub sentiment: (i64, u64),
}

impl ReasonSum {
    pub(super) fn of(details: &Details) -> Self {
        Self {
            count: 1,
            resolved: u64::from(details.resolved == Some(true)),
            unresolved: u64::from(details.resolved == Some(false)),
            sentiment: details.sentiment_milli.map_or((0, 0), |milli| (milli.into(), 1)),
        }
    }
}

impl Sum for ReasonSum {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.resolved += other.resolved;
        self.unresolved += other.unresolved;
        self.sentiment =
            (self.sentiment.0 + other.sentiment.0, self.sentiment.1 + other.sentiment.1);
    }
}

/// What an event says of a customer besides who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Trait {
    Language,
    Country,
    Timezone,
}

/// How an event reached a customer, or they the shop; ordered by time, then by its words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Touch {
    pub at: Micros,
    pub channel: Arc<str>,
    pub campaign: Option<String>,
}

/// Where a way of writing comes from: its latest event.
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
    /// When it was first so.
    pub first: Micros,
}

impl Seen {
    /// Of one event.
    pub fn once(at: Micros, event: EventKey, source: Arc<str>, record: RecordKey) -> Self {
        Self { at, event, source, record, count: 1, first: at }
    }

    /// The later of two, with its own count.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        if (other.at, other.event) > (self.at, self.event) { other } else { self }
    }

    /// The later of two that speak of one value, with both counts, and since the first of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (count, first) = (self.count + other.count, self.first.min(other.first));
        Self { count, first, ..self.later(other) }
    }
}

impl Sum for Seen {
    fn add(&mut self, other: Self) {
        *self = self.clone().and(other);
    }
}

/// The month of a time, in months since January 1970, UTC.
pub fn month(at: Micros) -> i32 {
    const MICROS_A_DAY: i64 = 86_400_000_000;
    // Days since 0000-03-01, so that a leap day ends its year (Howard Hinnant, "chrono-compatible low-level date
    // algorithms").
    let days = at.div_euclid(MICROS_A_DAY) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let months = (era * 400 + year) * 12 + from_march + 2 - 1_970 * 12;
    i32::try_from(months).expect("an i64 of microseconds spans 2^23 months")
}

/// The first day of a month, in days since 1970.
pub fn first_day(month: i32) -> i32 {
    let months = i64::from(month) + 1_970 * 12 - 2;
    let (year, from_march) = (months.div_euclid(12), months.rem_euclid(12));
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day = of_era * 365 + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5;
    i32::try_from(era * 146_097 + day - 719_468).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_on_their_first_day() {
        let day = 86_400_000_000;
        let cases = [(0, 0), (30, 0), (31, 1), (59, 2), (-1, -1), (19_782, 649), (19_783, 650)];
        for (days, expected) in cases {
            assert_eq!(month(days * day), expected, "day {days}");
            assert_eq!(month(days * day + day - 1), expected, "the end of day {days}");
        }
        for number in -2_000..4_000 {
            let first = i64::from(first_day(number));
            assert_eq!((month(first * day), month(first * day - 1)), (number, number - 1));
        }
    }
}
