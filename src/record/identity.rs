//! Who a record speaks of, as the matcher compares it and as a person would write it.

use serde::{Deserialize, Serialize};

use super::{EventKey, Field, RecordKey};

/// The identity-bearing content of a record after normalisation: what the matcher sees, and all it
/// sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Normalised values, ascending by field, at most one a field, none empty.
    pub values: Vec<(Field, Box<str>)>,
    /// Further tokens of the names that the record gives (middle names, a second spelling, a full
    /// name beside its parts), normalised, ascending, without repeats and without those in
    /// `values`.
    pub name_tokens: Vec<Box<str>>,
}

impl Identity {
    /// The value of a field.
    pub fn value(&self, field: Field) -> Option<&str> {
        self.values.iter().find(|(f, _)| *f == field).map(|(_, value)| &**value)
    }

    /// Sets a field, replacing its value; an empty value removes it. Keeps the order.
    pub fn set(&mut self, field: Field, value: &str) {
        self.values.retain(|(f, _)| *f != field);
        if !value.is_empty() {
            let at = self.values.partition_point(|(f, _)| *f < field);
            self.values.insert(at, (field, value.into()));
        }
    }

    /// Whether there is nothing to match on at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.name_tokens.is_empty()
    }

    /// Whether the same content means the same record node: it holds an identifier, or given name
    /// and birth date. Weak content (a bare name) stays one node an event: two `John Smith`s are
    /// not one person.
    pub fn is_strong(&self) -> bool {
        self.values.iter().any(|(field, _)| field.is_identifier())
            || (self.value(Field::Given).is_some() && self.value(Field::BirthDate).is_some())
    }

    /// The key of the record node that this content belongs to, when `event` brought it and its
    /// source has no row keys: by content where it is strong, by event where it is weak.
    pub fn record_key(&self, event: EventKey) -> RecordKey {
        self.record_key_with(event, |_| false)
    }

    /// The same where custom fields may be identifiers, too.
    pub fn record_key_with(
        &self,
        event: EventKey,
        is_own_identifier: impl Fn(Field) -> bool,
    ) -> RecordKey {
        let is_own =
            |(field, _): &(Field, Box<str>)| field.is_custom() && is_own_identifier(*field);
        if self.is_strong() || self.values.iter().any(is_own) {
            self.content_key()
        } else {
            RecordKey::hash([&b"event"[..], &event.0])
        }
    }

    fn content_key(&self) -> RecordKey {
        let values = self.values.iter().flat_map(|(f, v)| [f.name().as_bytes(), v.as_bytes()]);
        let tokens = self.name_tokens.iter().flat_map(|t| [&b"token"[..], t.as_bytes()]);
        RecordKey::hash(values.chain(tokens))
    }
}

/// The same content as a person would write it, for profiles; never compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Presented {
    /// Given name in its own script and case, e.g. `Zoë`.
    pub given: Option<String>,
    /// Surname in its own script and case.
    pub surname: Option<String>,
    /// E-mail address, lower case, as it can be written to.
    pub email: Option<String>,
    /// Phone number in E.164 where the country is known, else its national digits.
    pub phone: Option<String>,
    /// Birth date, `YYYY-MM-DD`.
    pub birth_date: Option<String>,
    /// Postal address.
    pub address: Option<Address>,
}

/// A postal address as a person would write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Address {
    pub line: Option<String>,
    pub city: Option<String>,
    pub region: Option<String>,
    pub postcode: Option<String>,
    pub country: Option<String>,
}

/// Why a raw value, or a part of it, was not used. Holds no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Issue {
    /// The value says "nothing here" (`N/A`, `test@test.com`, `000-000-0000`, `1900-01-01`).
    Placeholder(Field),
    /// The value is not of its field's form.
    Unreadable(Field),
    /// The value was repaired in a way that is certain (a swapped day and month, `googlemail.com`).
    Repaired(Field),
    /// The mail domain is one of throw-away addresses.
    Disposable,
}

/// What normalisation makes of a raw identity. It never fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normalised {
    /// What the matcher compares.
    pub identity: Identity,
    /// What a profile shows.
    pub presented: Presented,
    /// What was not used or was repaired, ascending.
    pub issues: Vec<Issue>,
}
