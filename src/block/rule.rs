//! Which parts make a key, and which refine it?

use std::borrow::Cow;
use std::hash::Hasher;

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::components::{Components, beginning};
use super::part::Part;
use crate::record::Field;

/// A hashed blocking key.
pub type Key = u64;

/// How many keys a chain has at most: the base and its refinements.
pub const DEPTH: usize = 4;

/// A key and its refinements, coarse to fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The rule's index among those that the chain was made under.
    pub rule: u8,
    keys: [Key; DEPTH],
    length: u8,
}

impl Chain {
    /// The keys, coarse to fine.
    pub fn keys(&self) -> &[Key] {
        &self.keys[..usize::from(self.length)]
    }

    /// The coarsest key.
    pub fn base(&self) -> Key {
        self.keys[0]
    }
}

/// A blocking rule: the parts of its key, and the parts that refine it when its block is over the cap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What explanations call it.
    pub name: String,
    /// A record that lacks one of these has no such key.
    pub key: Vec<Part>,
    /// At most three; what a record lacks of them is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refine: Vec<Part>,
}

/// More rules would not fit a chain's number of its rule.
pub const RULES_MAX: usize = 200;

impl Rule {
    /// What keeps it from being used, if anything does.
    pub fn problem(&self) -> Option<String> {
        let many = |part: &&Part| part.is_many();
        if self.name.is_empty() {
            return Some("it has no name".into());
        }
        if self.key.is_empty() {
            return Some("its key has no part".into());
        }
        if let Some(part) = self.key[1..].iter().chain(&self.refine).find(many) {
            return Some(format!("`{part}` can only be the first part of the key"));
        }
        (self.refine.len() >= DEPTH).then(|| format!("at most {} parts refine it", DEPTH - 1))
    }

    /// The fields that its key is made from, with repeats: what two records agree on that meet under it.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.key.iter().flat_map(|part| part.fields()).copied()
    }
}

/// The built-in rules: name, key, refinements.
const BUILT_IN: [(&str, &[Part], &[Part]); 23] = {
    use Field as F;
    use Part::*;
    const GIVEN1: Part = Beginning(F::Given, 1);
    const SURNAME1: Part = Beginning(F::Surname, 1);
    const SURNAME3: Part = Beginning(F::Surname, 3);
    [
        ("email", &[Value(F::Email)], &[SurnameSound, GIVEN1]),
        ("email local part", &[EmailLocal], &[SurnameSound, Year]),
        ("phone", &[Value(F::Phone)], &[SurnameSound, GIVEN1]),
        ("government id", &[Value(F::GovernmentId)], &[SurnameSound, GIVEN1]),
        ("loyalty", &[Value(F::Loyalty)], &[SurnameSound, GIVEN1]),
        ("cookie", &[Value(F::Cookie)], &[SurnameSound, GIVEN1]),
        ("device", &[Value(F::Device)], &[SurnameSound, GIVEN1]),
        ("card", &[Value(F::Card)], &[SurnameSound, GIVEN1]),
        ("name and birth year", &[AnyToken, Year], &[MonthDay, SURNAME1, GIVEN1]),
        ("name, month and day", &[AnyToken, MonthDay], &[Year, SURNAME1, GIVEN1]),
        ("name and postcode", &[AnyToken, Value(F::Postcode)], &[GIVEN1, SURNAME1, Year]),
        ("two names", &[TokenPair], &[Year, Outward, Value(F::City)]),
        ("name and outward code", &[AnyToken, Outward], &[SURNAME1, GIVEN1, Year]),
        ("name and city", &[AnyToken, Value(F::City)], &[GIVEN1, SURNAME1, Year]),
        ("birth date", &[YearMonthDay], &[GIVEN1, SURNAME1, Outward]),
        ("surname beginning, month and day", &[SURNAME3, MonthDay], &[GIVEN1, Year]),
        (
            "surname and given beginning",
            &[SURNAME3, Beginning(F::Given, 3)],
            &[Year, Outward, Value(F::City)],
        ),
        ("house and street", &[Value(F::House), Value(F::Street)], &[GIVEN1, SURNAME1]),
        ("house and postcode", &[Value(F::House), Value(F::Postcode)], &[GIVEN1, SURNAME1]),
        ("street and given initial", &[Street1, GIVEN1], &[Year, SURNAME1]),
        ("street and surname initial", &[Street1, SURNAME1], &[Year, GIVEN1]),
        ("postcode and birth year", &[Value(F::Postcode), Year], &[GIVEN1, SURNAME1]),
        ("postcode, month and day", &[Value(F::Postcode), MonthDay], &[GIVEN1, SURNAME1]),
    ]
};

/// The built-in rules.
pub fn built_in() -> Vec<Rule> {
    let rule = |(name, key, refine): (&str, &[Part], &[Part])| Rule {
        name: name.into(),
        key: key.into(),
        refine: refine.into(),
    };
    BUILT_IN.into_iter().map(rule).collect()
}

/// The key chains of a record under rules, without repeats. What a refinement lacks is an empty part.
pub fn chains(components: &Components<'_>, rules: &[Rule]) -> Vec<Chain> {
    let mut chains = Vec::new();
    let mut seen = FxHashSet::default();
    for (index, rule) in rules.iter().enumerate() {
        let of_rule = chains_under(components, rule, index);
        chains.extend(of_rule.filter(|chain| seen.insert(chain.base())));
    }
    chains
}

/// The key chains of a record under the rule of an index, perhaps with repeats.
pub fn chains_under<'a>(
    components: &'a Components<'_>,
    rule: &'a Rule,
    index: usize,
) -> impl Iterator<Item = Chain> + 'a {
    bases(rule, components).into_iter().map(move |base| {
        let mut hasher = Fingerprint::new(index, &base);
        let mut keys = [hasher.key(); DEPTH];
        for (key, part) in keys[1..].iter_mut().zip(&rule.refine) {
            hasher.add(single(*part, components).unwrap_or_default());
            *key = hasher.key();
        }
        let rule_index = u8::try_from(index).expect("there are few rules");
        let length = u8::try_from(1 + rule.refine.len()).expect("a few refinements");
        Chain { rule: rule_index, keys, length }
    })
}

/// The base values of a rule: none where a part is missing, several where a part has several.
fn bases<'a>(rule: &Rule, components: &'a Components<'_>) -> Vec<Vec<Cow<'a, str>>> {
    let (first, others) = rule.key.split_first().expect("a rule has a part");
    let others: Option<Vec<Cow<'a, str>>> =
        others.iter().map(|part| single(*part, components).map(Cow::Borrowed)).collect();
    let Some(others) = others else { return Vec::new() };
    let firsts: Vec<Cow<'a, str>> = match first {
        Part::AnyToken => components.tokens.iter().map(|t| Cow::Borrowed(t.as_str())).collect(),
        Part::TokenPair => components.token_pairs(),
        part => single(*part, components).map(Cow::Borrowed).into_iter().collect(),
    };
    let with_others = |first| std::iter::once(first).chain(others.iter().cloned()).collect();
    firsts.into_iter().map(with_others).collect()
}

fn single<'a>(part: Part, components: &'a Components<'_>) -> Option<&'a str> {
    match part {
        Part::Value(field) => components.values[field as usize],
        Part::SurnameSound => components.surname_sound.as_deref(),
        Part::Beginning(field, length) => {
            components.values[field as usize].map(|value| beginning(value, length.into()))
        }
        Part::Year => components.year,
        Part::MonthDay => components.month_day.as_deref(),
        Part::YearMonthDay => components.year_month_day.as_deref(),
        Part::EmailLocal => components.email_local,
        Part::Street1 => components.street1,
        Part::Outward => components.outward,
        Part::AnyToken | Part::TokenPair => None,
    }
}

/// Hashes a growing chain of parts; the key after each part depends on all before it.
#[expect(deprecated, reason = "SipHash 1-3's fixed keys are wanted: the same keys in every run")]
struct Fingerprint(std::hash::SipHasher);

#[expect(deprecated, reason = "as above")]
impl Fingerprint {
    fn new(rule: usize, base: &[Cow<'_, str>]) -> Self {
        let mut fingerprint = Self(std::hash::SipHasher::new());
        fingerprint.0.write_usize(rule);
        base.iter().for_each(|part| fingerprint.add(part));
        fingerprint
    }

    fn add(&mut self, part: &str) {
        self.0.write(part.as_bytes());
        self.0.write_u8(0xff);
    }

    fn key(&self) -> Key {
        self.0.finish()
    }
}
