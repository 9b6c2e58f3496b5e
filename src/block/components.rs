//! Of which parts are blocking keys made?

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use quick_cache::sync::Cache;
use rphonetic::DoubleMetaphone;
use smol_str::SmolStr;

use crate::normalise::lexicon;
use crate::record::Field;

/// The parts of one record that keys are made of; `None` where the record does not say.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are the parts' own")]
pub struct Components<'a> {
    pub values: [Option<&'a str>; Field::COUNT],
    /// How the surname sounds.
    pub surname_sound: Option<SmolStr>,
    pub year: Option<&'a str>,
    /// Month and day, the lesser first, so that swapped ones meet.
    pub month_day: Option<String>,
    /// Year, then month and day as above.
    pub year_month_day: Option<String>,
    pub email_local: Option<&'a str>,
    pub street1: Option<&'a str>,
    pub outward: Option<&'a str>,
    /// How each name token sounds, in its nickname-canonical form; ascending, so that swapped names meet.
    pub tokens: Vec<SmolStr>,
}

impl<'a> Components<'a> {
    /// Takes a record apart. `values` are by field number, `tokens` its further name tokens.
    pub fn of(
        values: [Option<&'a str>; Field::COUNT],
        tokens: impl Iterator<Item = &'a str>,
    ) -> Self {
        let value = |field: Field| values[field as usize];
        let (given, surname) = (value(Field::Given), value(Field::Surname));
        let date = value(Field::BirthDate).filter(|date| date.len() == 8 && date.is_ascii());
        let month_day = date.map(|date| {
            let (month, day) = (&date[4..6], &date[6..]);
            format!("{}{}", month.min(day), month.max(day))
        });
        let names = given.into_iter().chain(surname).chain(tokens);
        let sounds: BTreeSet<SmolStr> =
            names.map(|name| sound(lexicon::canonical_given(name))).collect();
        Self {
            values,
            surname_sound: surname.map(sound),
            year: date.map(|date| &date[..4]),
            year_month_day: date
                .zip(month_day.as_ref())
                .map(|(date, month_day)| format!("{}{month_day}", &date[..4])),
            month_day,
            email_local: value(Field::Email)
                .and_then(|email| email.rsplit_once('@'))
                .map(|(local, _)| local),
            street1: value(Field::Street).and_then(|street| street.split(' ').next()),
            outward: value(Field::Postcode).map(outward),
            tokens: sounds.into_iter().collect(),
        }
    }

    /// The unordered pairs of name tokens.
    pub fn token_pairs(&self) -> Vec<Cow<'_, str>> {
        let tokens = &self.tokens;
        let pairs = tokens.iter().enumerate().flat_map(|(at, left)| {
            tokens[at + 1..].iter().map(move |right| Cow::Owned(format!("{left}|{right}")))
        });
        pairs.collect()
    }
}

/// So many names' sounds are remembered: a few thousand names are most of those that come.
const REMEMBERED: usize = 50_000;

/// How a name sounds: double metaphone, or the name itself where that is empty.
fn sound(name: &str) -> SmolStr {
    static KNOWN: LazyLock<Cache<SmolStr, SmolStr>> = LazyLock::new(|| Cache::new(REMEMBERED));
    if let Some(known) = KNOWN.get(name) {
        return known;
    }
    let coded = DoubleMetaphone::new(Some(16)).double_metaphone(name).primary();
    let sound = if coded.is_empty() { name.into() } else { SmolStr::from(coded) };
    KNOWN.insert(name.into(), sound.clone());
    sound
}

/// The first `length` characters.
pub(super) fn beginning(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(at, _)| &text[..at])
}

fn outward(postcode: &str) -> &str {
    let digits = postcode.bytes().all(|b| b.is_ascii_digit());
    if !digits && postcode.len() > 4 && postcode.is_ascii() {
        &postcode[..postcode.len() - 3]
    } else {
        beginning(postcode, 3)
    }
}
