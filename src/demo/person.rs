//! Who is a customer, over the two years?

use chrono::{Datelike, NaiveDate};

use super::lists::{Locale, Name};
use super::world::{Address, Number, Office};

/// What holds at which time: values, each from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Timeline<T> {
    first: T,
    /// Ascending.
    later: Vec<(i64, T)>,
}

impl<T> Timeline<T> {
    pub(super) fn new(first: T) -> Self {
        Self { first, later: Vec::new() }
    }

    /// Lets `value` hold from `since` on.
    pub(super) fn change(&mut self, since: i64, value: T) {
        let place = self.later.partition_point(|(other, _)| *other <= since);
        self.later.insert(place, (since, value));
    }

    /// What holds at `time`.
    pub(super) fn at(&self, time: i64) -> &T {
        let passed = self.later.partition_point(|(since, _)| *since <= time);
        passed.checked_sub(1).map_or(&self.first, |last| &self.later[last].1)
    }

    pub(super) fn first(&self) -> &T {
        &self.first
    }

    /// All values, as they follow one another.
    pub(super) fn all(&self) -> Vec<&T> {
        std::iter::once(&self.first).chain(self.later.iter().map(|(_, value)| value)).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sex {
    Female,
    Male,
}

impl Sex {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Female => Self::Male,
            Self::Male => Self::Female,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Nickname {
    /// Lower case.
    pub(super) name: &'static str,
    /// How often it stands for the given name.
    pub(super) rate: f64,
}

/// What only people of one household share; what they have in common with strangers lies in the
/// world.
#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) landline: Option<Number>,
    pub(super) tablet_cookie: Option<String>,
    pub(super) mailbox: Option<String>,
    pub(super) ip: Timeline<String>,
}

/// One customer.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) locale: &'static Locale,
    pub(super) sex: Sex,
    pub(super) given: &'static Name,
    pub(super) nickname: Option<Nickname>,
    pub(super) middle: Option<&'static Name>,
    pub(super) surnames: Timeline<&'static Name>,
    /// `Jr` and the like.
    pub(super) suffix: Option<&'static str>,
    pub(super) born: NaiveDate,
    pub(super) common: Common,
    pub(super) homes: Timeline<Address>,
    pub(super) mobiles: Timeline<Number>,
    pub(super) office: Option<Office>,
    pub(super) emails: Timeline<String>,
    pub(super) office_email: Option<String>,
    /// One timeline a browser: its cookie gets cleared.
    pub(super) cookies: Vec<Timeline<String>>,
    pub(super) app_device: Option<String>,
    pub(super) loyalty: Vec<String>,
    pub(super) cards: Vec<String>,
    /// Weights of the channels: web, email, phone, store.
    pub(super) taste: [f64; 4],
    pub(super) category: &'static str,
    /// The mean of the logarithm of what they pay for a thing.
    pub(super) spending: f64,
    pub(super) active_from: i64,
    pub(super) active_to: i64,
}

impl Person {
    pub(super) fn year_of_birth(&self) -> i32 {
        self.born.year()
    }
}

#[cfg(test)]
mod tests {
    use super::Timeline;

    #[test]
    fn a_timeline_tells_what_holds_when() {
        let mut timeline = Timeline::new("a");
        timeline.change(20, "c");
        timeline.change(10, "b");
        for (time, holds) in [(-5, "a"), (9, "a"), (10, "b"), (19, "b"), (20, "c"), (99, "c")] {
            assert_eq!(*timeline.at(time), holds);
        }
        assert_eq!(timeline.all(), [&"a", &"b", &"c"]);
    }
}
