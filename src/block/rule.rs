//! Which parts make a key, and which refine it?

use std::borrow::Cow;
use std::hash::Hasher;

use rustc_hash::FxHashSet;

use super::Components;
use crate::record::Field;

/// A hashed blocking key.
pub type Key = u64;

/// How many keys a chain has at most: the base and its refinements.
pub const DEPTH: usize = 4;

/// A key and its refinements, coarse to fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The rule's index in [`RULES`].
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

/// One part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Value(Field),
    SurnameSound,
    Surname1,
    Surname3,
    Given1,
    Given3,
    Year,
    MonthDay,
    YearMonthDay,
    EmailLocal,
    Street1,
    Outward,
    /// Each name token makes a key of its own.
    AnyToken,
    /// Each pair of name tokens makes a key of its own.
    TokenPair,
}

/// A blocking rule: the parts of its key, and the parts that refine it when its block is over the cap.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names are the parts' own")]
pub struct Rule {
    pub name: &'static str,
    pub key: &'static [Part],
    pub refine: &'static [Part],
}

impl Part {
    /// The fields that the part is made from.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::SurnameSound | Self::Surname1 | Self::Surname3 => &[Field::Surname],
            Self::Given1 | Self::Given3 => &[Field::Given],
            Self::Year | Self::MonthDay | Self::YearMonthDay => &[Field::BirthDate],
            Self::EmailLocal => &[Field::Email],
            Self::Street1 => &[Field::Street],
            Self::Outward => &[Field::Postcode],
            Self::AnyToken | Self::TokenPair => &[Field::Given, Field::Surname],
            Self::Value(_) => &[],
        }
    }
}

impl Rule {
    /// The fields that records which meet under this rule agree on.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        for part in self.key {
            match part {
                Part::Value(field) => fields.push(*field),
                part => fields.extend(part.fields()),
            }
        }
        fields
    }
}

macro_rules! rules {
    ($($name:literal: [$($key:expr),+] / [$($refine:expr),*];)+) => {
        /// Every blocking rule.
        pub const RULES: &[Rule] = &{
            use Part::*;
            [$(Rule { name: $name, key: &[$($key),+], refine: &[$($refine),*] }),+]
        };
    };
}

rules! {
    "email": [Value(Field::Email)] / [SurnameSound, Given1];
    "email local part": [EmailLocal] / [SurnameSound, Year];
    "phone": [Value(Field::Phone)] / [SurnameSound, Given1];
    "government id": [Value(Field::GovernmentId)] / [SurnameSound, Given1];
    "loyalty": [Value(Field::Loyalty)] / [SurnameSound, Given1];
    "cookie": [Value(Field::Cookie)] / [SurnameSound, Given1];
    "device": [Value(Field::Device)] / [SurnameSound, Given1];
    "card": [Value(Field::Card)] / [SurnameSound, Given1];
    "name and birth year": [AnyToken, Year] / [MonthDay, Surname1, Given1];
    "name, month and day": [AnyToken, MonthDay] / [Year, Surname1, Given1];
    "name and postcode": [AnyToken, Value(Field::Postcode)] / [Given1, Surname1, Year];
    "two names": [TokenPair] / [Year, Outward, Value(Field::City)];
    "name and outward code": [AnyToken, Outward] / [Surname1, Given1, Year];
    "name and city": [AnyToken, Value(Field::City)] / [Given1, Surname1, Year];
    "birth date": [YearMonthDay] / [Given1, Surname1, Outward];
    "surname beginning, month and day": [Surname3, MonthDay] / [Given1, Year];
    "surname and given beginning": [Surname3, Given3] / [Year, Outward, Value(Field::City)];
    "house and street": [Value(Field::House), Value(Field::Street)] / [Given1, Surname1];
    "house and postcode": [Value(Field::House), Value(Field::Postcode)] / [Given1, Surname1];
    "street and given initial": [Street1, Given1] / [Year, Surname1];
    "street and surname initial": [Street1, Surname1] / [Year, Given1];
    "postcode and birth year": [Value(Field::Postcode), Year] / [Given1, Surname1];
    "postcode, month and day": [Value(Field::Postcode), MonthDay] / [Given1, Surname1];
}

/// The key chains of a record, without repeats. What a refinement lacks is an empty part.
pub fn chains(components: &Components<'_>) -> Vec<Chain> {
    let mut chains = Vec::new();
    let mut seen = FxHashSet::default();
    for (index, rule) in RULES.iter().enumerate() {
        for base in bases(rule, components) {
            let mut hasher = Fingerprint::new(index, &base);
            let mut keys = [hasher.key(); DEPTH];
            for (key, part) in keys[1..].iter_mut().zip(rule.refine) {
                hasher.add(single(*part, components).unwrap_or_default());
                *key = hasher.key();
            }
            if seen.insert(keys[0]) {
                let rule_index = u8::try_from(index).expect("there are few rules");
                let length = u8::try_from(1 + rule.refine.len()).expect("a few refinements");
                chains.push(Chain { rule: rule_index, keys, length });
            }
        }
    }
    chains
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
        Part::Surname1 => components.surname1,
        Part::Surname3 => components.surname3,
        Part::Given1 => components.given1,
        Part::Given3 => components.given3,
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
